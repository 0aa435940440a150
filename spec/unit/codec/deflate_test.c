/* SPDX-License-Identifier: MIT */
/* Compression: every format, level and strategy decodes to what went in, by zlib itself and by our inflate; the cuts of
 * input and room change nothing; a flush comes out once and brings everything; limits of parameters are Node's. */
#include "helper.h"

#include <zlib.h>

#include "deflate.h"
#include "inflate.h"

static const enum wr_deflate_format formats[] = {WR_DEFLATE_GZIP, WR_DEFLATE_ZLIB, WR_DEFLATE_RAW};

static struct wr_codec *make(const struct wr_deflate_params *p)
{
    struct wr_fault fault;
    struct wr_codec *c = wr_deflate_new(&fixture.alloc, p, &fault);
    assert_non_null(c);
    assert_int_equal(fault.number, WR_E_OK);
    return c;
}

static struct result compress_with(const struct wr_deflate_params *p, const void *data, size_t len, const struct way *w)
{
    struct wr_codec *c = make(p);
    struct result r = run(c, data, len, w);
    assert_int_equal(r.last, WR_STEP_DONE);
    assert_int_equal(r.left, 0);
    c->ops->free(c);
    return r;
}

/* Decodes by zlib alone as much as there is. Returns whether the stream's end was seen. */
static bool decode(enum wr_deflate_format format, const struct bytes *in, struct bytes *out)
{
    z_stream z = {0};
    unsigned char room[4096];
    assert_int_equal(inflateInit2(&z, format == WR_DEFLATE_GZIP ? 31 : format == WR_DEFLATE_RAW ? -15 : 15), Z_OK);
    z.next_in = in->data;
    z.avail_in = (uInt)in->len;
    int r;
    do {
        z.next_out = room;
        z.avail_out = sizeof room;
        r = inflate(&z, Z_SYNC_FLUSH);
        assert_true(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
        bytes_add(out, room, sizeof room - z.avail_out);
    } while (r == Z_OK);
    inflateEnd(&z);
    return r == Z_STREAM_END;
}

static void assert_decodes(enum wr_deflate_format format, const struct bytes *in, const void *data, size_t len)
{
    struct bytes out = {0};
    assert_true(decode(format, in, &out));
    assert_bytes(&out, data, len);
    free(out.data);
}

static void every_cut_gives_the_same_bytes(void **state)
{
    (void)state;
    size_t len = 30000;
    unsigned char *data = log_like(len);
    for (unsigned f = 0; f < 3; f++) {
        struct wr_deflate_params p = wr_deflate_defaults(formats[f]);
        struct result whole = compress_with(&p, data, len, &ways[0]);
        assert_true(whole.out.len < len / 2);
        assert_decodes(formats[f], &whole.out, data, len);
        for (unsigned w = 1; w < WAYS; w++) {
            struct result r = compress_with(&p, data, len, &ways[w]);
            assert_bytes(&r.out, whole.out.data, whole.out.len);
            result_clear(&r);
        }
        result_clear(&whole);
    }
    free(data);
}

static void parameters_decode(const struct wr_deflate_params *p, const void *data, size_t len)
{
    for (unsigned w = 0; w < WAYS; w += 3) {
        struct result r = compress_with(p, data, len, &ways[w]);
        assert_decodes(p->format, &r.out, data, len);
        result_clear(&r);
    }
}

static void every_parameter_decodes(void **state)
{
    (void)state;
    size_t len = 5000;
    unsigned char *data = log_like(len);
    for (int level = -1; level <= 9; level++)
        for (int strategy = 0; strategy <= 4; strategy++) {
            struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_ZLIB);
            p.level = level;
            p.strategy = strategy;
            parameters_decode(&p, data, len);
        }
    for (int bits = 8; bits <= 15; bits++)
        for (int memory = 1; memory <= 9; memory += 4) {
            struct wr_deflate_params p = wr_deflate_defaults(bits == 8 ? WR_DEFLATE_RAW : WR_DEFLATE_GZIP);
            p.window_bits = bits;
            p.mem_level = memory;
            parameters_decode(&p, data, len);
        }
    free(data);
}

static void noise_decodes(void **state)
{
    (void)state;
    unsigned char *data = noise(70000);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    parameters_decode(&p, data, 70000);
    p.level = 0;
    parameters_decode(&p, data, 70000);
    free(data);
}

/* 20 bytes, time 0 and system 3: the same on every machine. */
static void empty_gzip_is_a_file(void **state)
{
    (void)state;
    static const unsigned char file[20] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3};
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    for (unsigned w = 0; w < WAYS; w++) {
        struct result r = compress_with(&p, "", 0, &ways[w]);
        assert_bytes(&r.out, file, sizeof file);
        result_clear(&r);
    }
}

/* A step with a flush of KIND; returns what it wrote. */
static size_t flush(struct wr_codec *c, const void *data, size_t len, enum wr_flush kind, struct way *w,
                    struct result *r)
{
    size_t before = r->out.len;
    assert_int_equal(feed(c, data, len, kind, w, r), WR_STEP_MORE);
    return r->out.len - before;
}

static void a_flush_brings_everything_once(void **state)
{
    (void)state;
    static const enum wr_flush kinds[] = {WR_FLUSH_PARTIAL, WR_FLUSH_SYNC, WR_FLUSH_FULL};
    unsigned char *data = log_like(9000);
    for (int level = 0; level <= 9; level += 3)
        for (unsigned w = 0; w < WAYS; w++)
            for (unsigned k = 0; k < 3; k++) {
                struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_ZLIB);
                p.level = level;
                struct wr_codec *c = make(&p);
                struct way way = ways[w];
                struct result r = {0};
                struct bytes out = {0};
                size_t at = 0;
                for (unsigned i = 0; i < 9; i++) {
                    size_t n = i % 3 == 2 ? 2500 : i;
                    flush(c, data + at, n, kinds[k], &way, &r);
                    at += n;
                    assert_int_equal(flush(c, "", 0, kinds[k], &way, &r), 0);
                    assert_int_equal(flush(c, "", 0, WR_FLUSH_PARTIAL, &way, &r), 0);
                    assert_int_equal(flush(c, "", 0, WR_FLUSH_NONE, &way, &r), 0);
                    out.len = 0;
                    assert_false(decode(WR_DEFLATE_ZLIB, &r.out, &out));
                    assert_bytes(&out, data, at);
                }
                assert_int_equal(feed(c, "", 0, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
                assert_decodes(WR_DEFLATE_ZLIB, &r.out, data, at);
                free(out.data);
                result_clear(&r);
                c->ops->free(c);
            }
    free(data);
}

static void flushes_have_the_same_bytes_in_every_room(void **state)
{
    (void)state;
    unsigned char *data = log_like(20000);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    struct result first = {0};
    for (size_t room = 1; room < 64; room++) {
        struct wr_codec *c = make(&p);
        struct way way = {SIZE_MAX, room == 1 ? 65536 : room - 1, 0};
        struct result r = {0};
        for (size_t at = 0; at < 20000; at += 2000)
            flush(c, data + at, 2000, at % 4000 == 0 ? WR_FLUSH_SYNC : WR_FLUSH_FULL, &way, &r);
        assert_int_equal(feed(c, "", 0, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
        if (room == 1)
            first = r;
        else
            assert_bytes(&r.out, first.out.data, first.out.len);
        if (room > 1)
            result_clear(&r);
        c->ops->free(c);
    }
    result_clear(&first);
    free(data);
}

/* What zlib itself writes for three writes of 100 bytes, each flushed by KIND, in ample room. */
static struct bytes flushed_by_zlib(const unsigned char *data, int kind)
{
    z_stream z = {0};
    unsigned char room[4096];
    assert_int_equal(deflateInit2(&z, -1, Z_DEFLATED, 31, 8, 0), Z_OK);
    z.next_out = room;
    z.avail_out = sizeof room;
    for (int i = 0; i < 3; i++) {
        z.next_in = (Bytef *)data + i * 100;
        z.avail_in = 100;
        assert_int_equal(deflate(&z, kind), Z_OK);
    }
    struct bytes b = bytes_of(room, sizeof room - z.avail_out);
    deflateEnd(&z);
    return b;
}

static void flushes_are_zlibs(void **state)
{
    (void)state;
    static const int kinds[] = {Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH};
    unsigned char *data = log_like(300);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    for (int kind = WR_FLUSH_NONE; kind <= WR_FLUSH_FULL; kind++) {
        struct bytes expected = flushed_by_zlib(data, kinds[kind]);
        for (unsigned w = 0; w < WAYS; w++) {
            struct wr_codec *c = make(&p);
            struct way way = ways[w];
            struct result r = {0};
            for (int i = 0; i < 3; i++)
                flush(c, data + i * 100, 100, (enum wr_flush)kind, &way, &r);
            assert_bytes(&r.out, expected.data, expected.len);
            result_clear(&r);
            c->ops->free(c);
        }
        free(expected.data);
    }
    free(data);
}

static void dictionary_is_used(void **state)
{
    (void)state;
    static const unsigned char words[] = "a dictionary of the words that come again and again";
    for (unsigned f = 1; f < 3; f++) {
        struct wr_deflate_params p = wr_deflate_defaults(formats[f]);
        struct result plain = compress_with(&p, words, sizeof words, &ways[0]);
        p.dictionary = words;
        p.dictionary_len = sizeof words;
        struct result r = compress_with(&p, words, sizeof words, &ways[0]);
        assert_true(r.out.len < plain.out.len / 2);
        struct wr_inflate_params ip = wr_inflate_defaults(f == 1 ? WR_INFLATE_ZLIB : WR_INFLATE_RAW);
        ip.dictionary = words;
        ip.dictionary_len = sizeof words;
        struct wr_fault fault;
        struct wr_codec *c = wr_inflate_new(&fixture.alloc, &ip, &fault);
        for (unsigned w = 0; w < WAYS; w++) {
            struct result back = run(c, r.out.data, r.out.len, &ways[w]);
            assert_int_equal(back.last, WR_STEP_DONE);
            assert_bytes(&back.out, words, sizeof words);
            result_clear(&back);
            wr_inflate_reset(c);
        }
        c->ops->free(c);
        result_clear(&r);
        result_clear(&plain);
    }
}

static void reset_begins_anew(void **state)
{
    (void)state;
    unsigned char *data = log_like(3000);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_ZLIB);
    p.dictionary = data;
    p.dictionary_len = 100;
    struct wr_codec *c = make(&p);
    struct result first = run(c, data, 3000, &ways[0]), half = {0};
    struct way way = ways[2];
    wr_deflate_reset(c);
    flush(c, data, 1500, WR_FLUSH_SYNC, &way, &half);
    wr_deflate_reset(c);
    struct result again = run(c, data, 3000, &ways[6]);
    assert_bytes(&again.out, first.out.data, first.out.len);
    c->ops->free(c);
    result_clear(&first);
    result_clear(&half);
    result_clear(&again);
    free(data);
}

static void tune_changes_the_level(void **state)
{
    (void)state;
    unsigned char *data = log_like(9000);
    struct wr_fault fault;
    for (unsigned w = 0; w < WAYS; w++) {
        struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
        struct wr_codec *c = make(&p);
        struct way way = ways[w];
        struct result r = {0};
        assert_int_equal(wr_deflate_tune(c, 3, 0, &fault), 0);
        flush(c, data, 3000, WR_FLUSH_SYNC, &way, &r);
        assert_int_equal(wr_deflate_tune(c, 0, 0, &fault), 0);
        size_t stored = flush(c, data + 3000, 3000, WR_FLUSH_SYNC, &way, &r);
        assert_true(stored >= 3000);
        assert_int_equal(wr_deflate_tune(c, 9, 2, &fault), 0);
        flush(c, data + 6000, 1500, WR_FLUSH_NONE, &way, &r);
        assert_int_equal(wr_deflate_tune(c, 10, 0, &fault), -1);
        assert_string_equal(fault.code, "ERR_OUT_OF_RANGE");
        assert_int_equal(feed(c, data + 7500, 1500, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
        assert_decodes(WR_DEFLATE_GZIP, &r.out, data, 9000);
        result_clear(&r);
        c->ops->free(c);
    }
    free(data);
}

static void input_after_the_end_fails(void **state)
{
    (void)state;
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_RAW);
    struct wr_codec *c = make(&p);
    struct result r = run(c, "abc", 3, &ways[0]);
    struct way way = ways[0];
    assert_int_equal(feed(c, "", 0, WR_FLUSH_FINISH, &way, &r), WR_STEP_DONE);
    assert_int_equal(feed(c, "d", 1, WR_FLUSH_FINISH, &way, &r), WR_STEP_FAIL);
    assert_string_equal(r.fault.code, "ERR_STREAM_WRITE_AFTER_END");
    result_clear(&r);
    c->ops->free(c);
}

static void assert_refused(struct wr_deflate_params p, const char *text)
{
    struct wr_fault fault;
    assert_null(wr_deflate_new(&fixture.alloc, &p, &fault));
    assert_fault(&fault, "ERR_OUT_OF_RANGE", text);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    struct wr_deflate_params gzip = wr_deflate_defaults(WR_DEFLATE_GZIP), p;
    const char *level = "The value of \"level\" is out of range. It must be >= -1 and <= 9";
    const char *nine = "The value of \"windowBits\" is out of range. It must be >= 9 and <= 15";
    const char *eight = "The value of \"windowBits\" is out of range. It must be >= 8 and <= 15";
    const char *memory = "The value of \"memLevel\" is out of range. It must be >= 1 and <= 9";
    const char *strategy = "The value of \"strategy\" is out of range. It must be >= 0 and <= 4";
    assert_refused((p = gzip, p.level = -2, p), level);
    assert_refused((p = gzip, p.level = 10, p), level);
    assert_refused((p = gzip, p.window_bits = 8, p), nine);
    assert_refused((p = gzip, p.window_bits = 16, p), nine);
    assert_refused((p = gzip, p.format = WR_DEFLATE_RAW, p.window_bits = 7, p), eight);
    assert_refused((p = gzip, p.format = WR_DEFLATE_ZLIB, p.window_bits = 16, p), eight);
    assert_refused((p = gzip, p.mem_level = 0, p), memory);
    assert_refused((p = gzip, p.mem_level = 10, p), memory);
    assert_refused((p = gzip, p.strategy = -1, p), strategy);
    assert_refused((p = gzip, p.strategy = 5, p), strategy);
}

/* Whichever allocation fails, the constructor says so and leaves nothing behind. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_ZLIB);
    p.dictionary = (const unsigned char *)"words";
    p.dictionary_len = 5;
    struct wr_codec *c = NULL;
    long n = 0;
    for (; !c; n++) {
        struct wr_fault fault;
        fixture.left = n;
        c = wr_deflate_new(&fixture.alloc, &p, &fault);
        if (!c) {
            assert_fault(&fault, "ENOMEM", "out of memory");
            assert_int_equal(wr_alloc_balance(&fixture.alloc), 0);
        }
    }
    assert_true(n > 5);
    fixture.left = -1;
    struct result r = run(c, "words and words", 15, &ways[0]);
    assert_int_equal(r.last, WR_STEP_DONE);
    result_clear(&r);
    c->ops->free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_cut_gives_the_same_bytes),
        TEST(every_parameter_decodes),
        TEST(noise_decodes),
        TEST(empty_gzip_is_a_file),
        TEST(a_flush_brings_everything_once),
        TEST(flushes_have_the_same_bytes_in_every_room),
        TEST(flushes_are_zlibs),
        TEST(dictionary_is_used),
        TEST(reset_begins_anew),
        TEST(tune_changes_the_level),
        TEST(input_after_the_end_fails),
        TEST(parameters_out_of_range_are_refused),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
