/* SPDX-License-Identifier: MIT */
/* Decompression: members, trailing data by every policy, truncated and corrupt input with Node's codes and texts, limits.
 * Each case is fed in every way with equal results, and what was decoded before an error comes out first. */
#include "helper.h"

#include <zlib.h>

#include "inflate.h"

static const enum wr_inflate_format formats[] = {WR_INFLATE_GZIP, WR_INFLATE_ZLIB, WR_INFLATE_RAW, WR_INFLATE_UNZIP};

static struct wr_codec *make(const struct wr_inflate_params *p)
{
    struct wr_fault fault;
    struct wr_codec *c = wr_inflate_new(&fixture.alloc, p, &fault);
    assert_non_null(c);
    assert_int_equal(fault.number, WR_E_OK);
    return c;
}

/* LEN bytes at DATA compressed by zlib itself; BITS as it wants them. */
static struct bytes packed(const void *data, size_t len, int bits)
{
    z_stream z = {0};
    struct bytes b = {.cap = len + 1000, .data = malloc(len + 1000)};
    assert_int_equal(deflateInit2(&z, -1, Z_DEFLATED, bits, 8, 0), Z_OK);
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)len;
    z.next_out = b.data;
    z.avail_out = (uInt)b.cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b.len = b.cap - z.avail_out;
    deflateEnd(&z);
    return b;
}

static struct bytes gzipped(const char *text)
{
    return packed(text, strlen(text), 31);
}

static int bits_of(enum wr_inflate_format format)
{
    return format == WR_INFLATE_ZLIB ? 15 : format == WR_INFLATE_RAW ? -15 : 31;
}

/* What must come of an input. CODE NULL: success. OUT NULL: any output, the same in every way. */
struct expected {
    const char *code, *text;
    const void *out;
    size_t out_len;
};

static void assert_ends(const struct result *r, const struct expected *e)
{
    assert_int_equal(r->last, e->code ? WR_STEP_FAIL : WR_STEP_DONE);
    if (e->code)
        assert_fault(&r->fault, e->code, e->text);
    if (e->out)
        assert_bytes(&r->out, e->out, e->out_len);
}

/* Feeds INPUT in every way, also once more after a reset. */
static void expect(const struct wr_inflate_params *p, const void *in, size_t len, const struct expected *e)
{
    struct wr_codec *c = make(p);
    struct result first = run(c, in, len, &ways[0]);
    assert_ends(&first, e);
    for (unsigned w = 1; w < WAYS; w++) {
        wr_inflate_reset(c);
        struct result r = run(c, in, len, &ways[w]);
        assert_ends(&r, e);
        assert_bytes(&r.out, first.out.data, first.out.len);
        result_clear(&r);
    }
    result_clear(&first);
    c->ops->free(c);
}

static void expect_text(const struct wr_inflate_params *p, const struct bytes *in, const char *out, const char *code,
                        const char *text)
{
    expect(p, in->data, in->len, &(struct expected){code, text, out, strlen(out)});
}

static void every_format_decodes(void **state)
{
    (void)state;
    size_t len = 50000;
    unsigned char *data = log_like(len);
    for (unsigned f = 0; f < 4; f++) {
        struct bytes in = packed(data, len, bits_of(formats[f]));
        struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
        expect(&p, in.data, in.len, &(struct expected){NULL, NULL, data, len});
        free(in.data);
    }
    struct wr_inflate_params unzip = wr_inflate_defaults(WR_INFLATE_UNZIP);
    struct bytes in = packed(data, len, 15);
    expect(&unzip, in.data, in.len, &(struct expected){NULL, NULL, data, len});
    free(in.data);
    free(data);
}

static void empty_input_is_an_error(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 4; f++) {
        struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
        expect(&p, "", 0, &(struct expected){"Z_BUF_ERROR", "unexpected end of file", "", 0});
        p.truncated_ok = true;
        expect(&p, "", 0, &(struct expected){NULL, NULL, "", 0});
    }
}

static void members_in_a_row_are_one_stream(void **state)
{
    (void)state;
    struct bytes one = gzipped("one "), none = gzipped(""), two = gzipped("two"), all = {0};
    bytes_add(&all, one.data, one.len);
    bytes_add(&all, none.data, none.len);
    bytes_add(&all, two.data, two.len);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    expect_text(&p, &all, "one two", NULL, NULL);
    p.format = WR_INFLATE_UNZIP;
    expect_text(&p, &all, "one two", NULL, NULL);
    p.trailing = WR_TRAILING_KEEP;
    expect_text(&p, &all, "one two", NULL, NULL);
    free(one.data);
    free(none.data);
    free(two.data);
    free(all.data);
}

static void ten_thousand_members(void **state)
{
    (void)state;
    struct bytes one = gzipped("x"), all = {0}, out = {0};
    for (int i = 0; i < 10000; i++) {
        bytes_add(&all, one.data, one.len);
        bytes_add(&out, "x", 1);
    }
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct wr_codec *c = make(&p);
    struct result r = run(c, all.data, all.len, &ways[0]);
    assert_int_equal(r.last, WR_STEP_DONE);
    assert_bytes(&r.out, out.data, out.len);
    assert_int_equal(wr_inflate_consumed(c), all.len);
    result_clear(&r);
    c->ops->free(c);
    free(one.data);
    free(all.data);
    free(out.data);
}

static struct bytes followed_by(const struct bytes *in, const void *tail, size_t len)
{
    struct bytes b = bytes_of(in->data, in->len);
    bytes_add(&b, tail, len);
    return b;
}

/* What follows a gzip member, and what the policy `error` says. */
static const struct {
    const char *tail;
    size_t len;
    const char *code, *text;
} tails[] = {
    {"\0\0\0\0", 4, NULL, NULL},
    {"garbage", 7, "Z_DATA_ERROR", "incorrect header check"},
    {"\x1f", 1, "Z_BUF_ERROR", "unexpected end of file"},
    {"\x1f\x8b", 2, "Z_BUF_ERROR", "unexpected end of file"},
    {"\x1f\x8c...", 5, "Z_DATA_ERROR", "incorrect header check"},
    {"\x1f\x8b\x07", 4, "Z_DATA_ERROR", "unknown compression method"},
    {"\0\0garbage", 9, "ERR_TRAILING_DATA", "Trailing data after the end of the compressed stream"},
    {"\0\x1f\x8b\x08", 4, "ERR_TRAILING_DATA", "Trailing data after the end of the compressed stream"},
};

static void trailing_data_is_an_error(void **state)
{
    (void)state;
    struct bytes one = gzipped("one");
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct bytes in = followed_by(&one, tails[i].tail, tails[i].len);
        struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
        expect_text(&p, &in, "one", tails[i].code, tails[i].text);
        p.format = WR_INFLATE_UNZIP;
        expect_text(&p, &in, "one", tails[i].code, tails[i].text);
        free(in.data);
    }
    free(one.data);
}

static void a_member_behind_zeros_is_an_error(void **state)
{
    (void)state;
    struct bytes one = gzipped("one"), in = followed_by(&one, "\0\0", 2);
    bytes_add(&in, one.data, one.len);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    expect_text(&p, &in, "one", "ERR_TRAILING_DATA", "Trailing data after the end of the compressed stream");
    p.trailing = WR_TRAILING_IGNORE;
    expect_text(&p, &in, "one", NULL, NULL);
    free(one.data);
    free(in.data);
}

static void trailing_data_of_the_other_formats(void **state)
{
    (void)state;
    for (unsigned f = 1; f < 3; f++) {
        struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
        struct bytes one = packed("one", 3, bits_of(formats[f]));
        struct bytes zeros = followed_by(&one, "\0\0\0", 3), twice = followed_by(&one, one.data, one.len);
        expect_text(&p, &zeros, "one", NULL, NULL);
        expect_text(&p, &twice, "one", "ERR_TRAILING_DATA", "Trailing data after the end of the compressed stream");
        p.trailing = WR_TRAILING_IGNORE;
        expect_text(&p, &twice, "one", NULL, NULL);
        free(one.data);
        free(zeros.data);
        free(twice.data);
    }
}

static void trailing_data_can_be_ignored(void **state)
{
    (void)state;
    struct bytes one = gzipped("one");
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.trailing = WR_TRAILING_IGNORE;
    static const char *const rest[] = {"garbage", "\x1f", "\x1f.", "xx\x1f\x8b\x08"};
    for (unsigned i = 0; i < 4; i++) {
        struct bytes in = followed_by(&one, rest[i], strlen(rest[i]));
        expect_text(&p, &in, "one", NULL, NULL);
        struct wr_codec *c = make(&p);
        struct result r = run(c, in.data, in.len, &ways[3]);
        assert_int_equal(r.left, 0);
        assert_int_equal(wr_inflate_consumed(c), one.len);
        result_clear(&r);
        c->ops->free(c);
        free(in.data);
    }
    free(one.data);
}

static void trailing_data_can_be_kept(void **state)
{
    (void)state;
    static const char *const rest[] = {"", "garbage", "\x1f", "\x1f.and more"};
    struct bytes one = gzipped("one");
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.trailing = WR_TRAILING_KEEP;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned w = 0; w < WAYS; w++) {
            struct bytes in = followed_by(&one, rest[i], strlen(rest[i]));
            struct wr_codec *c = make(&p);
            struct result r = run(c, in.data, in.len, &ways[w]);
            assert_int_equal(r.last, WR_STEP_DONE);
            assert_bytes(&r.out, "one", 3);
            assert_int_equal(wr_inflate_held(c), i >= 2);
            assert_int_equal(wr_inflate_held(c) + r.left, strlen(rest[i]));
            assert_int_equal(wr_inflate_consumed(c), one.len);
            result_clear(&r);
            c->ops->free(c);
            free(in.data);
        }
    free(one.data);
}

static void truncation_at_every_byte(void **state)
{
    (void)state;
    size_t len = 400;
    unsigned char *data = log_like(len);
    for (unsigned f = 0; f < 3; f++) {
        struct bytes in = packed(data, len, bits_of(formats[f]));
        for (size_t n = 0; n < in.len; n++) {
            struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
            expect(&p, in.data, n, &(struct expected){"Z_BUF_ERROR", "unexpected end of file", NULL, 0});
            p.truncated_ok = true;
            struct wr_codec *c = make(&p);
            struct result r = run(c, in.data, n, &ways[1]);
            assert_int_equal(r.last, WR_STEP_DONE);
            assert_true(r.out.len <= len);
            assert_memory_equal(r.out.len ? r.out.data : data, data, r.out.len);
            result_clear(&r);
            c->ops->free(c);
        }
        free(in.data);
    }
    free(data);
}

static void truncation_in_the_second_member(void **state)
{
    (void)state;
    struct bytes one = gzipped("one "), two = gzipped("and the second");
    for (size_t n = 1; n < two.len; n++) {
        struct bytes in = followed_by(&one, two.data, n);
        struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
        expect(&p, in.data, in.len, &(struct expected){"Z_BUF_ERROR", "unexpected end of file", NULL, 0});
        free(in.data);
    }
    free(one.data);
    free(two.data);
}

/* One byte of a good file changed: AT from the front, or from the end if negative. */
static const struct {
    int at;
    unsigned char byte;
    const char *text, *out;
} damages[] = {
    {0, 'x', "incorrect header check", ""},           {1, 0x8c, "incorrect header check", ""},
    {2, 7, "unknown compression method", ""},         {3, 0x20, "unknown header flags set", ""},
    {-1, 9, "incorrect length check", "hello world"}, {-6, 1, "incorrect data check", "hello world"},
    {12, 255, "invalid distance too far back", "h"},
};

static void damage_is_named_as_in_node(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct bytes in = gzipped("hello world");
        in.data[damages[i].at < 0 ? (int)in.len + damages[i].at : damages[i].at] = damages[i].byte;
        struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
        expect(&p, in.data, in.len, &(struct expected){"Z_DATA_ERROR", damages[i].text, NULL, 0});
        struct wr_codec *c = make(&p);
        struct result r = run(c, in.data, in.len, &ways[0]);
        assert_int_equal(r.fault.domain, WR_DOMAIN_ZLIB);
        assert_int_equal(r.fault.number, Z_DATA_ERROR);
        if (damages[i].at < 0)
            assert_bytes(&r.out, damages[i].out, strlen(damages[i].out));
        result_clear(&r);
        c->ops->free(c);
        free(in.data);
    }
}

static void garbage_is_no_stream(void **state)
{
    (void)state;
    static const char *const texts[] = {"incorrect header check", "incorrect header check",
                                        "invalid stored block lengths", "incorrect header check"};
    for (unsigned f = 0; f < 4; f++) {
        struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
        expect(&p, "xxxxxxx", 7, &(struct expected){"Z_DATA_ERROR", texts[f], "", 0});
    }
    struct wr_inflate_params unzip = wr_inflate_defaults(WR_INFLATE_UNZIP);
    expect(&unzip, "\x1f", 1, &(struct expected){"Z_BUF_ERROR", "unexpected end of file", "", 0});
    expect(&unzip, "\x1fx", 2, &(struct expected){"Z_DATA_ERROR", "incorrect header check", "", 0});
}

/* Any damage gives the same in every way. */
static void chance_damage_is_the_same_in_every_way(void **state)
{
    (void)state;
    size_t len = 3000;
    uint32_t seed = 5;
    unsigned char *data = log_like(len);
    for (unsigned i = 0; i < 400; i++) {
        struct bytes in = packed(data, len, bits_of(formats[i % 4]));
        for (unsigned k = 0; k <= i % 3; k++)
            in.data[chance(&seed, (uint32_t)in.len)] ^= (unsigned char)(1u << chance(&seed, 8));
        struct wr_inflate_params p = wr_inflate_defaults(formats[i % 4]);
        struct wr_codec *c = make(&p);
        struct result first = run(c, in.data, in.len, &ways[0]);
        struct expected e = {first.last == WR_STEP_FAIL ? first.fault.code : NULL, first.fault.text, first.out.data,
                             first.out.len};
        expect(&p, in.data, in.len, &e);
        result_clear(&first);
        c->ops->free(c);
        free(in.data);
    }
    free(data);
}

/* A gzip file with a header of FLAGS, whose fields hold EXTRA bytes, a name and a remark; CRC: added to the header's. */
static struct bytes with_header(unsigned char flags, size_t extra, unsigned crc)
{
    static const unsigned char zeros[65535];
    unsigned char head[10] = {0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3};
    struct bytes b = bytes_of(head, sizeof head), plain = gzipped("hello world");
    if (flags & 4) {
        bytes_add(&b, &(unsigned char[2]){extra & 255, (extra >> 8) & 255}, 2);
        bytes_add(&b, zeros, extra);
    }
    if (flags & 8)
        bytes_add(&b, "a name", 7);
    if (flags & 16)
        bytes_add(&b, "a remark", 9);
    if (flags & 2) {
        unsigned sum = (unsigned)crc32(0, b.data, (uInt)b.len) + crc;
        bytes_add(&b, &(unsigned char[2]){sum & 255, (sum >> 8) & 255}, 2);
    }
    bytes_add(&b, plain.data + 10, plain.len - 10);
    free(plain.data);
    return b;
}

static void every_header_flag(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct bytes in = with_header((unsigned char)flags, flags & 1 ? 0 : 300, 0);
        struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
        if (flags < 32)
            expect_text(&p, &in, "hello world", NULL, NULL);
        else
            expect_text(&p, &in, "", "Z_DATA_ERROR", "unknown header flags set");
        free(in.data);
    }
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct bytes wide = with_header(4, 65535, 0), wrong = with_header(2, 0, 1);
    expect_text(&p, &wide, "hello world", NULL, NULL);
    expect_text(&p, &wrong, "", "Z_DATA_ERROR", "header crc mismatch");
    free(wide.data);
    free(wrong.data);
}

static void output_has_its_limit(void **state)
{
    (void)state;
    size_t len = 5000;
    unsigned char *data = log_like(len);
    for (unsigned f = 0; f < 3; f++) {
        struct bytes in = packed(data, len, bits_of(formats[f]));
        struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
        const char *text = "Cannot create a larger output than maxOutputLength";
        p.max_output = len;
        expect(&p, in.data, in.len, &(struct expected){NULL, NULL, data, len});
        p.max_output = len - 1;
        expect(&p, in.data, in.len, &(struct expected){"ERR_BUFFER_TOO_LARGE", text, data, len - 1});
        p.max_output = 1;
        expect(&p, in.data, in.len, &(struct expected){"ERR_BUFFER_TOO_LARGE", text, data, 1});
        free(in.data);
    }
    free(data);
}

/* The limit is of all members together. */
static void output_limit_of_members(void **state)
{
    (void)state;
    struct bytes one = gzipped("12345"), in = followed_by(&one, one.data, one.len);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.max_output = 10;
    expect_text(&p, &in, "1234512345", NULL, NULL);
    p.max_output = 5;
    expect_text(&p, &in, "12345", "ERR_BUFFER_TOO_LARGE", "Cannot create a larger output than maxOutputLength");
    free(one.data);
    free(in.data);
}

static void ratio_has_its_limit(void **state)
{
    (void)state;
    size_t len = 300000;
    unsigned char *data = log_like(len), *zeros = calloc(1, len);
    struct bytes bomb = packed(zeros, len, 31), good = packed(data, len, 31);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.max_ratio = 100;
    expect(&p, bomb.data, bomb.len,
           &(struct expected){"ERR_COMPRESSION_RATIO", "The compressed data expands beyond the permitted ratio", zeros,
                              65536});
    expect(&p, good.data, good.len, &(struct expected){NULL, NULL, data, len});
    p.max_ratio = 2000;
    expect(&p, bomb.data, bomb.len, &(struct expected){NULL, NULL, zeros, len});
    free(bomb.data);
    free(good.data);
    free(data);
    free(zeros);
}

/* "hello hello" by a dictionary "hello", in zlib format. */
static struct bytes with_dictionary(void)
{
    z_stream z = {0};
    struct bytes b = {.cap = 100, .data = malloc(100)};
    deflateInit(&z, -1);
    deflateSetDictionary(&z, (const Bytef *)"hello", 5);
    z.next_in = (Bytef *)"hello hello";
    z.avail_in = 11;
    z.next_out = b.data;
    z.avail_out = 100;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b.len = 100 - z.avail_out;
    deflateEnd(&z);
    return b;
}

static void dictionaries(void **state)
{
    (void)state;
    struct bytes in = with_dictionary();
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_ZLIB);
    expect_text(&p, &in, "", "Z_NEED_DICT", "Missing dictionary");
    p.dictionary = (const unsigned char *)"bye";
    p.dictionary_len = 3;
    expect_text(&p, &in, "", "Z_NEED_DICT", "Bad dictionary");
    p.dictionary = (const unsigned char *)"hello";
    p.dictionary_len = 5;
    expect_text(&p, &in, "hello hello", NULL, NULL);
    p.format = WR_INFLATE_UNZIP;
    expect_text(&p, &in, "hello hello", NULL, NULL);
    free(in.data);
}

static void window_bits(void **state)
{
    (void)state;
    struct bytes in = packed("a", 1, 15);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_ZLIB);
    p.window_bits = 9;
    expect_text(&p, &in, "", "Z_DATA_ERROR", "invalid window size");
    p.window_bits = 0;
    expect_text(&p, &in, "a", NULL, NULL);
    free(in.data);
    for (unsigned f = 0; f < 4; f++)
        for (int bits = -1; bits <= 16; bits++) {
            struct wr_fault fault;
            p = wr_inflate_defaults(formats[f]);
            p.window_bits = bits;
            struct wr_codec *c = wr_inflate_new(&fixture.alloc, &p, &fault);
            bool right = (bits >= 8 && bits <= 15) || (bits == 0 && formats[f] != WR_INFLATE_RAW);
            assert_int_equal(c != NULL, right);
            if (c)
                c->ops->free(c);
            else
                assert_fault(&fault, "ERR_OUT_OF_RANGE",
                             "The value of \"windowBits\" is out of range. It must be >= 8 and <= 15");
        }
}

/* zlib gets its window in mid-stream: whichever allocation fails, the fault says so. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    size_t len = 3000;
    unsigned char *data = log_like(len);
    for (unsigned f = 0; f < 4; f++) {
        struct bytes in = packed(data, len, bits_of(formats[f]));
        struct wr_inflate_params p = wr_inflate_defaults(formats[f]);
        p.dictionary = (const unsigned char *)"hello";
        p.dictionary_len = formats[f] == WR_INFLATE_RAW ? 0 : 5;
        enum wr_step last = WR_STEP_FAIL;
        for (long n = 0; last != WR_STEP_DONE; n++) {
            struct result r = {.last = WR_STEP_FAIL};
            fixture.left = n;
            struct wr_codec *c = wr_inflate_new(&fixture.alloc, &p, &r.fault);
            if (c)
                r = run(c, in.data, in.len, &ways[5]);
            if (r.last == WR_STEP_FAIL)
                assert_fault(&r.fault, "ENOMEM", "out of memory");
            assert_memory_equal(r.out.len ? r.out.data : data, data, r.out.len);
            last = r.last;
            if (c)
                c->ops->free(c);
            result_clear(&r);
            assert_int_equal(wr_alloc_balance(&fixture.alloc), 0);
        }
        free(in.data);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_format_decodes),
        TEST(empty_input_is_an_error),
        TEST(members_in_a_row_are_one_stream),
        TEST(ten_thousand_members),
        TEST(trailing_data_is_an_error),
        TEST(a_member_behind_zeros_is_an_error),
        TEST(trailing_data_of_the_other_formats),
        TEST(trailing_data_can_be_ignored),
        TEST(trailing_data_can_be_kept),
        TEST(truncation_at_every_byte),
        TEST(truncation_in_the_second_member),
        TEST(damage_is_named_as_in_node),
        TEST(garbage_is_no_stream),
        TEST(chance_damage_is_the_same_in_every_way),
        TEST(every_header_flag),
        TEST(output_has_its_limit),
        TEST(output_limit_of_members),
        TEST(ratio_has_its_limit),
        TEST(dictionaries),
        TEST(window_bits),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
