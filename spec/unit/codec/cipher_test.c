/* SPDX-License-Identifier: MIT */
/* AES: the standards' vectors and OpenSSL's in every way of feeding and in both directions; what comes out when; padding;
 * tags; the order of calls; keys are wiped. */
#include "helper.h"

#include "cipher.h"

/* One line of a vector file. */
struct sample {
    char name[32];
    struct bytes key, iv, aad, plain, cipher, tag;
};

static struct sample sample_of(const struct vector *v)
{
    struct sample s;
    vector_text(v, "name", s.name, sizeof s.name);
    s.key = vector_bytes(v, "key");
    s.iv = vector_bytes(v, "iv");
    s.aad = vector_bytes(v, "aad");
    s.plain = vector_bytes(v, "plain");
    s.cipher = vector_bytes(v, "cipher");
    s.tag = vector_bytes(v, "tag");
    return s;
}

static void sample_clear(struct sample *s)
{
    free(s->key.data);
    free(s->iv.data);
    free(s->aad.data);
    free(s->plain.data);
    free(s->cipher.data);
    free(s->tag.data);
}

static struct wr_cipher_params params_of(const struct sample *s, bool decrypt)
{
    return (struct wr_cipher_params){.name = s->name,
                                     .decrypt = decrypt,
                                     .key = s->key.data,
                                     .key_len = s->key.len,
                                     .iv = s->iv.data,
                                     .iv_len = s->iv.len};
}

static struct wr_codec *make(const struct wr_cipher_params *p)
{
    struct wr_fault fault;
    struct wr_codec *c = wr_cipher_new(&fixture.alloc, p, &fault);
    assert_non_null(c);
    assert_int_equal(fault.number, WR_E_OK);
    return c;
}

static const unsigned char zeros[256];

/* A cipher with a key and an IV of zeros. */
static struct wr_codec *make_plain(const char *name, size_t key_len, bool decrypt)
{
    size_t iv_len = strstr(name, "gcm") ? 12 : 16;
    return make(&(struct wr_cipher_params){name, decrypt, zeros, zeros, key_len, iv_len, 0});
}

/* The sample in one direction, fed by the way W. */
static void check_sample(const struct sample *s, bool decrypt, bool padding, const struct way *w)
{
    const struct bytes *in = decrypt ? &s->cipher : &s->plain, *out = decrypt ? &s->plain : &s->cipher;
    struct wr_fault fault;
    struct wr_cipher_params p = params_of(s, decrypt);
    struct wr_codec *c = make(&p);
    if (!padding)
        assert_int_equal(wr_cipher_set_padding(c, false, &fault), 0);
    for (size_t i = 0; i < s->aad.len; i += 7)
        assert_int_equal(wr_cipher_set_aad(c, s->aad.data + i, s->aad.len - i < 7 ? s->aad.len - i : 7, &fault), 0);
    if (decrypt && s->tag.len > 0)
        assert_int_equal(wr_cipher_set_tag(c, s->tag.data, s->tag.len, &fault), 0);
    struct result r = run(c, in->data, in->len, w);
    assert_int_equal(r.last, WR_STEP_DONE);
    assert_bytes(&r.out, out->data, out->len);
    if (!decrypt && s->tag.len > 0) {
        unsigned char tag[WR_CIPHER_TAG_MOST];
        size_t len;
        assert_int_equal(wr_cipher_tag(c, tag, &len, &fault), 0);
        assert_int_equal(len, s->tag.len);
        assert_memory_equal(tag, s->tag.data, len);
    }
    result_clear(&r);
    c->ops->free(c);
}

static void check_file(const char *file, bool padding, unsigned at_least)
{
    FILE *f = vectors_open(file);
    struct vector v;
    unsigned n = 0;
    for (; vectors_next(f, &v); n++) {
        struct sample s = sample_of(&v);
        for (unsigned w = 0; w < WAYS; w++) {
            check_sample(&s, false, padding, &ways[w]);
            check_sample(&s, true, padding, &ways[w]);
        }
        sample_clear(&s);
    }
    assert_true(n >= at_least);
    fclose(f);
}

static void nist_sp800_38a(void **state)
{
    (void)state;
    check_file("aes-sp800-38a.txt", false, 6);
}

static void gcm_test_cases(void **state)
{
    (void)state;
    check_file("aes-gcm.txt", true, 18);
}

static void openssl(void **state)
{
    (void)state;
    check_file("aes-openssl.txt", true, 44);
}

static const struct {
    const char *name;
    size_t key_len;
} names[] = {
    {"aes-128-cbc", 16}, {"aes-192-cbc", 24}, {"aes-256-cbc", 32}, {"aes-128-ctr", 16},   {"aes-192-ctr", 24},
    {"aes-256-ctr", 32}, {"aes-128-gcm", 16}, {"aes-192-gcm", 24}, {"aes-256-gcm", 32},   {"AES-256-CBC", 32},
    {"aes128", 16},      {"aes192", 24},      {"AES256", 32},      {"id-aes256-GCM", 32},
};

enum { NAMES = sizeof names / sizeof *names };

static void every_name_and_length_goes_there_and_back(void **state)
{
    (void)state;
    unsigned char *data = noise(1000);
    for (unsigned i = 0; i < NAMES; i++)
        for (size_t len = 0; len < 1000; len += 1 + len / 3) {
            struct wr_fault fault;
            struct wr_codec *c = make_plain(names[i].name, names[i].key_len, false);
            struct result there = run(c, data, len, &ways[len % WAYS]);
            assert_int_equal(there.last, WR_STEP_DONE);
            struct wr_codec *d = make_plain(names[i].name, names[i].key_len, true);
            unsigned char tag[WR_CIPHER_TAG_MOST];
            size_t tag_len;
            if (wr_cipher_tag(c, tag, &tag_len, &fault) == 0)
                assert_int_equal(wr_cipher_set_tag(d, tag, tag_len, &fault), 0);
            struct result back = run(d, there.out.data, there.out.len, &ways[(len + i) % WAYS]);
            assert_int_equal(back.last, WR_STEP_DONE);
            assert_bytes(&back.out, data, len);
            c->ops->free(c);
            d->ops->free(d);
            result_clear(&there);
            result_clear(&back);
        }
    free(data);
}

/* How many bytes are out after N bytes in, byte by byte: OpenSSL's numbers. */
static void what_comes_out_when(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 9; i++)
        for (unsigned decrypt = 0; decrypt < 2; decrypt++)
            for (unsigned padding = 0; padding < 2; padding++) {
                struct wr_fault fault;
                struct wr_codec *c = make_plain(names[i].name, names[i].key_len, decrypt);
                struct result r = {0};
                struct way way = ways[0];
                wr_cipher_set_padding(c, padding, &fault);
                size_t lag = decrypt && padding;
                for (size_t n = 1; n < 70; n++) {
                    assert_int_equal(feed(c, "x", 1, WR_FLUSH_NONE, &way, &r), WR_STEP_MORE);
                    assert_int_equal(r.out.len, i < 3 ? (n - lag) / 16 * 16 : n);
                }
                result_clear(&r);
                c->ops->free(c);
            }
}

/* Plain blocks encrypted without padding, then decrypted with: the result of every last byte. */
static void every_padding(void **state)
{
    (void)state;
    for (unsigned last = 0; last < 256; last++)
        for (unsigned wrong = 0; wrong < 2; wrong++) {
            struct wr_fault fault;
            unsigned char plain[32];
            memset(plain, (int)last, sizeof plain);
            if (wrong && last > 1 && last <= 16)
                plain[32 - last] ^= 1; /* the first byte of the padding */
            struct wr_codec *c = make_plain("aes-256-cbc", 32, false), *d = make_plain("aes-256-cbc", 32, true);
            wr_cipher_set_padding(c, false, &fault);
            struct result there = run(c, plain, sizeof plain, &ways[0]);
            struct result back = run(d, there.out.data, there.out.len, &ways[last % WAYS]);
            bool right = last >= 1 && last <= 16 && (!wrong || last == 1);
            assert_int_equal(back.last, right ? WR_STEP_DONE : WR_STEP_FAIL);
            if (!right)
                assert_fault(&back.fault, "ERR_OSSL_BAD_DECRYPT", "bad decrypt");
            assert_bytes(&back.out, plain, right ? 32 - last : 16);
            c->ops->free(c);
            d->ops->free(d);
            result_clear(&there);
            result_clear(&back);
        }
}

static void wrong_final_block(void **state)
{
    (void)state;
    static const struct {
        bool decrypt, padding;
        size_t len;
        bool wrong;
    } cases[] = {
        {true, true, 0, true},    {true, true, 5, true},    {true, true, 17, true},  {true, false, 0, false},
        {true, false, 3, true},   {true, false, 31, true},  {false, false, 3, true}, {false, false, 16, false},
        {false, false, 33, true}, {true, false, 32, false}, {false, true, 3, false}, {false, false, 0, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned w = 0; w < WAYS; w++) {
            struct wr_fault fault;
            struct wr_codec *c = make_plain("aes-128-cbc", 16, cases[i].decrypt);
            wr_cipher_set_padding(c, cases[i].padding, &fault);
            struct result r = run(c, zeros, cases[i].len, &ways[w]);
            assert_int_equal(r.last, cases[i].wrong ? WR_STEP_FAIL : WR_STEP_DONE);
            if (cases[i].wrong)
                assert_fault(&r.fault, "ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH", "wrong final block length");
            result_clear(&r);
            c->ops->free(c);
        }
}

/* Padding may be changed in mid-stream: a block kept back comes out then. */
static void padding_changes_in_mid_stream(void **state)
{
    (void)state;
    for (unsigned w = 0; w < WAYS; w++) {
        struct wr_fault fault;
        struct way way = ways[w];
        struct wr_codec *c = make_plain("aes-128-cbc", 16, true);
        struct result r = {0};
        feed(c, zeros, 32, WR_FLUSH_NONE, &way, &r);
        assert_int_equal(r.out.len, 16);
        assert_int_equal(wr_cipher_set_padding(c, false, &fault), 0);
        assert_int_equal(feed(c, "", 0, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
        assert_int_equal(r.out.len, 32);
        assert_int_equal(wr_cipher_set_padding(c, true, &fault), -1);
        assert_string_equal(fault.code, "ERR_CRYPTO_INVALID_STATE");
        result_clear(&r);
        c->ops->free(c);
    }
}

static void assert_refused(struct wr_cipher_params p, const char *code, const char *text)
{
    struct wr_fault fault;
    assert_null(wr_cipher_new(&fixture.alloc, &p, &fault));
    assert_fault(&fault, code, text);
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    const char *iv = "Invalid initialization vector", *key = "Invalid key length";
    struct wr_cipher_params cbc = {"aes-256-cbc", false, zeros, zeros, 32, 16, 0}, p;
    struct wr_cipher_params gcm = {"aes-256-gcm", true, zeros, zeros, 32, 12, 0};
    assert_refused((p = cbc, p.name = "aes-256-xyz", p), "ERR_CRYPTO_UNKNOWN_CIPHER", "Unknown cipher");
    assert_refused((p = cbc, p.name = "", p), "ERR_CRYPTO_UNKNOWN_CIPHER", "Unknown cipher");
    assert_refused((p = cbc, p.key_len = 31, p), "ERR_CRYPTO_INVALID_KEYLEN", key);
    assert_refused((p = cbc, p.key_len = 16, p), "ERR_CRYPTO_INVALID_KEYLEN", key);
    assert_refused((p = cbc, p.key_len = 0, p), "ERR_CRYPTO_INVALID_KEYLEN", key);
    assert_refused((p = cbc, p.iv_len = 15, p), "ERR_CRYPTO_INVALID_IV", iv);
    assert_refused((p = cbc, p.iv = NULL, p.iv_len = 0, p), "ERR_CRYPTO_INVALID_IV", iv);
    assert_refused((p = cbc, p.name = "aes-256-ctr", p.iv_len = 12, p), "ERR_CRYPTO_INVALID_IV", iv);
    assert_refused((p = gcm, p.iv_len = 0, p), "ERR_CRYPTO_INVALID_IV", iv);
    assert_refused((p = gcm, p.iv_len = 129, p), "ERR_CRYPTO_INVALID_IV", iv);
    for (size_t n = 1; n < 20; n++)
        if (n == 4 || n == 8 || (n >= 12 && n <= 16)) {
            struct wr_codec *c = make((p = gcm, p.tag_len = n, &p));
            c->ops->free(c);
        } else {
            assert_refused((p = gcm, p.tag_len = n, p), "ERR_CRYPTO_INVALID_AUTH_TAG", "Invalid authentication tag");
        }
}

static void tags_of_every_length(void **state)
{
    (void)state;
    for (size_t n = 4; n <= 16; n += n < 12 ? 4 : 1) {
        struct wr_fault fault;
        struct wr_cipher_params p = {"aes-128-gcm", false, zeros, zeros, 16, 12, n};
        unsigned char tag[WR_CIPHER_TAG_MOST];
        size_t len;
        struct wr_codec *c = make(&p);
        struct result there = run(c, "secret", 6, &ways[0]);
        assert_int_equal(wr_cipher_tag(c, tag, &len, &fault), 0);
        assert_int_equal(len, n);
        c->ops->free(c);
        for (size_t wrong = 0; wrong <= n; wrong++) { /* wrong == n: the right tag */
            p.decrypt = true;
            c = make(&p);
            if (wrong < n)
                tag[wrong] ^= 0x80;
            assert_int_equal(wr_cipher_set_tag(c, tag, n - 1, &fault), -1);
            assert_string_equal(fault.code, "ERR_CRYPTO_INVALID_AUTH_TAG");
            assert_int_equal(wr_cipher_set_tag(c, tag, n, &fault), 0);
            struct result back = run(c, there.out.data, there.out.len, &ways[wrong % WAYS]);
            assert_int_equal(back.last, wrong < n ? WR_STEP_FAIL : WR_STEP_DONE);
            if (wrong < n)
                assert_fault(&back.fault, "ERR_CRYPTO_AUTHENTICATION",
                             "Unsupported state or unable to authenticate data");
            assert_bytes(&back.out, "secret", 6);
            if (wrong < n)
                tag[wrong] ^= 0x80;
            result_clear(&back);
            c->ops->free(c);
        }
        result_clear(&there);
    }
}

/* Any bit changed, in text or additional data, is found. */
static void tampering_is_found(void **state)
{
    (void)state;
    struct wr_fault fault;
    unsigned char aad[20] = "additional", tag[WR_CIPHER_TAG_MOST];
    size_t tag_len;
    struct wr_codec *c = make_plain("aes-256-gcm", 32, false);
    wr_cipher_set_aad(c, aad, sizeof aad, &fault);
    struct result there = run(c, "some text of more than a block", 30, &ways[0]);
    assert_int_equal(wr_cipher_tag(c, tag, &tag_len, &fault), 0);
    c->ops->free(c);
    for (unsigned bit = 0; bit < 50 * 8; bit++) {
        unsigned char *at = bit < 240 ? &there.out.data[bit / 8] : &aad[bit / 8 - 30];
        *at ^= (unsigned char)(1u << bit % 8);
        c = make_plain("aes-256-gcm", 32, true);
        wr_cipher_set_aad(c, aad, sizeof aad, &fault);
        wr_cipher_set_tag(c, tag, tag_len, &fault);
        struct result back = run(c, there.out.data, there.out.len, &ways[bit % WAYS]);
        assert_int_equal(back.last, WR_STEP_FAIL);
        assert_string_equal(back.fault.code, "ERR_CRYPTO_AUTHENTICATION");
        result_clear(&back);
        c->ops->free(c);
        *at ^= (unsigned char)(1u << bit % 8);
    }
    result_clear(&there);
}

static void assert_state(int r, const struct wr_fault *fault)
{
    assert_int_equal(r, -1);
    assert_fault(fault, "ERR_CRYPTO_INVALID_STATE", "Invalid state for this operation");
}

static void the_order_of_calls(void **state)
{
    (void)state;
    struct wr_fault fault;
    unsigned char tag[WR_CIPHER_TAG_MOST] = {0};
    size_t len;
    struct way way = ways[0];
    struct result r = {0};

    struct wr_codec *c = make_plain("aes-128-gcm", 16, false);
    assert_state(wr_cipher_tag(c, tag, &len, &fault), &fault);
    assert_state(wr_cipher_set_tag(c, tag, 16, &fault), &fault);
    feed(c, "x", 1, WR_FLUSH_NONE, &way, &r);
    assert_state(wr_cipher_set_aad(c, "y", 1, &fault), &fault);
    assert_state(wr_cipher_tag(c, tag, &len, &fault), &fault);
    assert_int_equal(feed(c, "", 0, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
    assert_int_equal(feed(c, "", 0, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
    assert_int_equal(wr_cipher_tag(c, tag, &len, &fault), 0);
    assert_int_equal(feed(c, "z", 1, WR_FLUSH_FINISH, &way, &r), WR_STEP_FAIL);
    assert_state(-1, &r.fault);
    c->ops->free(c);

    c = make_plain("aes-128-gcm", 16, true);
    assert_int_equal(wr_cipher_set_tag(c, tag, 16, &fault), 0);
    assert_state(wr_cipher_set_tag(c, tag, 16, &fault), &fault);
    assert_state(wr_cipher_tag(c, tag, &len, &fault), &fault);
    c->ops->free(c);

    c = make_plain("aes-128-gcm", 16, true);
    assert_int_equal(feed(c, "x", 1, WR_FLUSH_FINISH, &way, &r), WR_STEP_FAIL); /* no tag */
    assert_string_equal(r.fault.code, "ERR_CRYPTO_AUTHENTICATION");
    c->ops->free(c);

    c = make_plain("aes-128-cbc", 16, true);
    assert_state(wr_cipher_set_aad(c, "y", 1, &fault), &fault);
    assert_state(wr_cipher_set_tag(c, tag, 16, &fault), &fault);
    assert_state(wr_cipher_tag(c, tag, &len, &fault), &fault);
    c->ops->free(c);
    result_clear(&r);
}

static void additional_data_has_its_limit(void **state)
{
    (void)state;
    struct wr_fault fault;
    unsigned char *data = noise(WR_CIPHER_AAD_MOST);
    struct wr_codec *c = make_plain("aes-128-gcm", 16, false);
    assert_int_equal(wr_cipher_set_aad(c, data, 1, &fault), 0);
    assert_int_equal(wr_cipher_set_aad(c, data, WR_CIPHER_AAD_MOST - 1, &fault), 0);
    assert_int_equal(wr_cipher_set_aad(c, data, 0, &fault), 0);
    assert_int_equal(wr_cipher_set_aad(c, data, 1, &fault), -1);
    assert_string_equal(fault.code, "ERR_OUT_OF_RANGE");
    c->ops->free(c);
    free(data);
}

/* An allocator that looks at what it gets back. */
static void *look(void *user, void *ptr, size_t old_size, size_t new_size)
{
    unsigned *left = user;
    for (size_t i = 0; ptr && new_size == 0 && i < old_size; i++)
        *left += ((unsigned char *)ptr)[i] != 0;
    return limited(&fixture, ptr, old_size, new_size);
}

static void keys_are_wiped(void **state)
{
    (void)state;
    unsigned char key[32], iv[16] = {1};
    memset(key, 0x5a, sizeof key);
    fixture.left = -1;
    for (unsigned i = 0; i < 9; i++) {
        struct wr_alloc a;
        unsigned left = 0;
        struct wr_fault fault;
        wr_alloc_init(&a, look, &left);
        struct wr_cipher_params p = {names[i].name, false, key, iv, names[i].key_len, 16, 0};
        struct wr_codec *c = wr_cipher_new(&a, &p, &fault);
        struct result r = run(c, "a secret", 8, &ways[0]);
        result_clear(&r);
        c->ops->free(c);
        assert_int_equal(left, 0);
        assert_int_equal(wr_alloc_balance(&a), 0);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct wr_fault fault;
    struct wr_cipher_params p = {"aes-128-gcm", false, zeros, zeros, 16, 12, 0};
    fixture.left = 0;
    assert_null(wr_cipher_new(&fixture.alloc, &p, &fault));
    assert_fault(&fault, "ENOMEM", "out of memory");
    struct wr_codec *c = make(&p);
    fixture.left = 0;
    assert_int_equal(wr_cipher_set_aad(c, "12345", 5, &fault), -1);
    assert_fault(&fault, "ENOMEM", "out of memory");
    assert_int_equal(wr_cipher_set_aad(c, "12345", 5, &fault), 0);
    fixture.left = 0;
    assert_int_equal(wr_cipher_set_aad(c, "67890", 5, &fault), -1);
    assert_fault(&fault, "ENOMEM", "out of memory");
    c->ops->free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nist_sp800_38a),
        TEST(gcm_test_cases),
        TEST(openssl),
        TEST(every_name_and_length_goes_there_and_back),
        TEST(what_comes_out_when),
        TEST(every_padding),
        TEST(wrong_final_block),
        TEST(padding_changes_in_mid_stream),
        TEST(wrong_parameters_are_refused),
        TEST(tags_of_every_length),
        TEST(tampering_is_found),
        TEST(the_order_of_calls),
        TEST(additional_data_has_its_limit),
        TEST(keys_are_wiped),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
