/* SPDX-License-Identifier: MIT */
/* Hashes: the standards' vectors by update and as a codec in every way; copies; nothing after the digest. */
#include "helper.h"

#include "digest.h"

static struct wr_codec *make(const char *name)
{
    struct wr_fault fault;
    struct wr_codec *c = wr_digest_new(&fixture.alloc, name, &fault);
    assert_non_null(c);
    return c;
}

static void assert_digest(struct wr_codec *c, const struct bytes *digest)
{
    struct wr_fault fault;
    unsigned char out[WR_DIGEST_MOST];
    assert_int_equal(wr_digest_size(c), digest->len);
    assert_int_equal(wr_digest_final(c, out, &fault), 0);
    assert_memory_equal(out, digest->data, digest->len);
}

/* One vector: by updates with a copy on the way, and as a codec. */
static void check(const struct vector *v)
{
    char name[32];
    struct wr_fault fault;
    struct bytes plain = vector_bytes(v, "plain"), digest = vector_bytes(v, "digest"), all = {0};
    size_t repeat = vector_number(v, "repeat");
    vector_text(v, "name", name, sizeof name);
    for (size_t i = 0; i < repeat; i++)
        bytes_add(&all, plain.data, plain.len);
    struct wr_codec *c = make(name);
    assert_int_equal(wr_digest_update(c, all.data, all.len / 3, &fault), 0);
    struct wr_codec *copy = wr_digest_copy(c, &fault);
    assert_non_null(copy);
    size_t third = all.len / 3;
    assert_int_equal(wr_digest_update(c, all.len ? all.data + third : NULL, all.len - third, &fault), 0);
    assert_int_equal(wr_digest_update(copy, all.len ? all.data + third : NULL, all.len - third, &fault), 0);
    assert_digest(c, &digest);
    assert_digest(copy, &digest);
    c->ops->free(c);
    copy->ops->free(copy);
    for (unsigned w = 0; w < (repeat > 1 ? 1 : WAYS); w++) {
        c = make(name);
        struct result r = run(c, all.data, all.len, &ways[w]);
        assert_int_equal(r.last, WR_STEP_DONE);
        assert_bytes(&r.out, digest.data, digest.len);
        result_clear(&r);
        c->ops->free(c);
    }
    free(plain.data);
    free(digest.data);
    free(all.data);
}

static void check_file(const char *file, unsigned at_least)
{
    FILE *f = vectors_open(file);
    struct vector v;
    unsigned n = 0;
    for (; vectors_next(f, &v); n++)
        check(&v);
    assert_true(n >= at_least);
    fclose(f);
}

static void fips_180_4(void **state)
{
    (void)state;
    check_file("sha-fips180-4.txt", 25);
}

static void rfc_1321(void **state)
{
    (void)state;
    check_file("md5-rfc1321.txt", 7);
}

static void names(void **state)
{
    (void)state;
    struct wr_fault fault;
    static const char *const known[] = {"MD5", "SHA1", "sha-1", "Sha256", "SHA-512", "sha224", "sha384"};
    static const char *const unknown[] = {"", "sha", "sha2", "sha256 ", "md4"};
    for (unsigned i = 0; i < 7; i++) {
        struct wr_codec *c = make(known[i]);
        c->ops->free(c);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_null(wr_digest_new(&fixture.alloc, unknown[i], &fault));
        assert_fault(&fault, "ERR_CRYPTO_INVALID_DIGEST", "Invalid digest");
    }
}

static void nothing_after_the_digest(void **state)
{
    (void)state;
    struct wr_fault fault;
    unsigned char out[WR_DIGEST_MOST];
    struct way way = ways[0];
    struct result r = {0};
    struct wr_codec *c = make("sha256");
    assert_int_equal(wr_digest_final(c, out, &fault), 0);
    assert_int_equal(wr_digest_update(c, "x", 1, &fault), -1);
    assert_fault(&fault, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
    assert_int_equal(wr_digest_final(c, out, &fault), -1);
    assert_fault(&fault, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
    assert_null(wr_digest_copy(c, &fault));
    assert_fault(&fault, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
    assert_int_equal(feed(c, "x", 1, WR_FLUSH_NONE, &way, &r), WR_STEP_FAIL);
    assert_fault(&r.fault, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
    c->ops->free(c);
    result_clear(&r);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct wr_fault fault;
    fixture.left = 0;
    assert_null(wr_digest_new(&fixture.alloc, "md5", &fault));
    assert_fault(&fault, "ENOMEM", "out of memory");
    struct wr_codec *c = make("md5");
    fixture.left = 0;
    assert_null(wr_digest_copy(c, &fault));
    assert_fault(&fault, "ENOMEM", "out of memory");
    c->ops->free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fips_180_4), TEST(rfc_1321), TEST(names), TEST(nothing_after_the_digest), TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
