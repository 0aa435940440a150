/* SPDX-License-Identifier: MIT */
/* scrypt: RFC 7914's vectors, and the parameters that Node (OpenSSL) refuses; random bytes, comparing, wiping. */
#include "helper.h"

#include "kdf.h"

static void rfc_7914(void **state)
{
    (void)state;
    FILE *f = vectors_open("scrypt-rfc7914.txt");
    struct vector v;
    unsigned n = 0;
    for (; vectors_next(f, &v); n++) {
        struct wr_fault fault;
        struct bytes password = vector_bytes(&v, "password"), salt = vector_bytes(&v, "salt"),
                     key = vector_bytes(&v, "key");
        struct wr_kdf_scrypt p = {vector_number(&v, "n"), (uint32_t)vector_number(&v, "r"),
                                  (uint32_t)vector_number(&v, "p"), 0};
        unsigned char out[64];
        assert_int_equal(key.len, sizeof out);
        assert_int_equal(wr_kdf_scrypt(&p, password.data, password.len, salt.data, salt.len, out, 64, &fault), 0);
        assert_memory_equal(out, key.data, 64);
        memset(out, 0, sizeof out);
        assert_int_equal(wr_kdf_scrypt(&p, password.data, password.len, salt.data, salt.len, out, 5, &fault), 0);
        assert_memory_equal(out, key.data, 5);
        assert_int_equal(out[5], 0);
        free(password.data);
        free(salt.data);
        free(key.data);
    }
    assert_int_equal(n, 3);
    fclose(f);
}

/* The defaults: Node's scryptSync('hunter2', 'salt', 32). */
static void defaults(void **state)
{
    (void)state;
    struct wr_fault fault;
    struct wr_kdf_scrypt p = wr_kdf_scrypt_defaults(), zero = {0};
    unsigned char a[32], b[32];
    assert_int_equal(p.n, 16384);
    assert_int_equal(p.r, 8);
    assert_int_equal(p.p, 1);
    assert_int_equal(p.maxmem, 32 << 20);
    assert_int_equal(wr_kdf_scrypt(&p, "hunter2", 7, "salt", 4, a, sizeof a, &fault), 0);
    assert_int_equal(wr_kdf_scrypt(&zero, "hunter2", 7, "salt", 4, b, sizeof b, &fault), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(wr_kdf_scrypt(&p, "", 0, "", 0, NULL, 0, &fault), 0);
}

static void parameters_are_checked(void **state)
{
    (void)state;
    const char *memory = "Invalid scrypt params: memory limit exceeded", *other = "Invalid scrypt params";
    static const uint64_t wide = UINT64_C(1) << 30, fits = (16384 + 2 + 1) * 1024;
    const struct {
        struct wr_kdf_scrypt p;
        const char *text;
    } cases[] = {
        {{3, 8, 1, 0}, other},
        {{1, 8, 1, 0}, other},
        {{16383, 8, 1, 0}, other},
        {{UINT64_C(1) << 63, 8, 1, UINT64_MAX}, memory},
        {{32768, 8, 1, 0}, memory},
        {{32768, 8, 1, (32768 + 3) * 1024}, NULL},
        {{16384, 8, 1, 16384 * 1024}, memory},
        {{16384, 8, 1, fits - 1}, memory},
        {{16384, 8, 1, fits}, NULL},
        {{16384, 8, 1u << 30, 0}, memory},
        {{2, 1, 1, 100}, memory},
        {{2, UINT32_MAX, UINT32_MAX, UINT64_MAX}, memory},
        {{65536, 1, 1, wide}, memory},
        {{32768, 1, 1, wide}, NULL},
        {{UINT64_C(1) << 31, 2, 1, UINT64_MAX}, NULL},
        {{16, 1, 1, 0}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wr_fault fault = {0};
        assert_int_equal(wr_kdf_scrypt_check(&cases[i].p, &fault), cases[i].text ? -1 : 0);
        if (cases[i].text)
            assert_fault(&fault, "ERR_CRYPTO_INVALID_SCRYPT_PARAMS", cases[i].text);
    }
    struct wr_fault fault;
    unsigned char out[8];
    assert_int_equal(wr_kdf_scrypt(&cases[0].p, "", 0, "", 0, out, 8, &fault), -1);
    assert_int_equal(wr_kdf_scrypt(&cases[15].p, "", 0, "", 0, out, (size_t)INT32_MAX + 1, &fault), -1);
    assert_string_equal(fault.code, "ERR_OUT_OF_RANGE");
}

static void random_bytes(void **state)
{
    (void)state;
    struct wr_fault fault;
    unsigned char a[4096] = {0}, b[4096] = {0};
    unsigned seen[256] = {0}, kinds = 0;
    assert_int_equal(wr_kdf_random(a, sizeof a, &fault), 0);
    assert_int_equal(wr_kdf_random(b, sizeof b, &fault), 0);
    assert_int_equal(wr_kdf_random(NULL, 0, &fault), 0);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        kinds += seen[a[i]]++ == 0;
    assert_true(kinds > 200);
}

static void comparing_and_wiping(void **state)
{
    (void)state;
    unsigned char a[32] = "the same", b[32] = "the same";
    assert_true(wr_kdf_equal(a, b, sizeof a));
    assert_true(wr_kdf_equal(a, "", 0));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 1;
        assert_false(wr_kdf_equal(a, b, sizeof a));
        b[i] ^= 1;
    }
    wr_kdf_wipe(a, sizeof a);
    assert_memory_equal(a, (unsigned char[32]){0}, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc_7914), TEST(defaults), TEST(parameters_are_checked), TEST(random_bytes), TEST(comparing_and_wiping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
