/* SPDX-License-Identifier: MIT */
/* Compression in parts: one part is what zlib itself writes, byte by byte; several decode to what went in, by zlib alone; the
 * window is used; the checksums are put together right. */
#include "helper.h"

#include <zlib.h>

#include "checksum.h"
#include "parts.h"

static const enum wr_deflate_format formats[] = {WR_DEFLATE_GZIP, WR_DEFLATE_ZLIB, WR_DEFLATE_RAW};

/* LEN bytes at DATA in parts of PART bytes, each fed by the way W. */
static struct bytes in_parts(const struct wr_deflate_params *p, const unsigned char *data, size_t len, size_t part,
                             const struct way *w)
{
    struct wr_fault fault;
    struct wr_parts *parts = wr_parts_new(&fixture.alloc, p, &fault);
    assert_non_null(parts);
    struct bytes all = {0};
    size_t at = 0;
    bool last;
    do {
        size_t n = len - at < part ? len - at : part, before = at < WR_PARTS_WINDOW ? at : WR_PARTS_WINDOW;
        last = at + n == len;
        struct wr_codec *c = wr_parts_codec(parts, at == 0, p->level, p->strategy, data + at - before, before, &fault);
        assert_non_null(c);
        struct result r = {.last = WR_STEP_MORE};
        struct way way = *w;
        feed(c, data + at, n, last ? WR_FLUSH_FINISH : WR_FLUSH_SYNC, &way, &r);
        assert_int_equal(r.last, last ? WR_STEP_DONE : WR_STEP_MORE);
        wr_parts_join(parts, c);
        c->ops->free(c);
        bytes_add(&all, r.out.data, r.out.len);
        result_clear(&r);
        at += n;
    } while (!last);
    unsigned char tail[WR_PARTS_TAIL];
    bytes_add(&all, tail, wr_parts_tail(parts, tail));
    wr_parts_free(parts);
    return all;
}

/* By zlib alone, all of it. */
static struct bytes decoded(enum wr_deflate_format format, const struct bytes *in)
{
    z_stream z = {0};
    unsigned char room[4096];
    struct bytes out = {0};
    assert_int_equal(inflateInit2(&z, format == WR_DEFLATE_GZIP ? 31 : format == WR_DEFLATE_RAW ? -15 : 15), Z_OK);
    z.next_in = in->data;
    z.avail_in = (uInt)in->len;
    int r;
    do {
        z.next_out = room;
        z.avail_out = sizeof room;
        r = inflate(&z, Z_NO_FLUSH);
        bytes_add(&out, room, sizeof room - z.avail_out);
    } while (r == Z_OK);
    assert_int_equal(r, Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    inflateEnd(&z);
    return out;
}

static void one_part_is_what_zlib_writes(void **state)
{
    (void)state;
    unsigned char *data = log_like(50000);
    static const int levels[] = {-1, 1, 2, 5, 6, 7, 9};
    for (unsigned f = 0; f < 3; f++) {
        for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
            for (int strategy = 0; strategy <= 4; strategy++) {
                struct wr_deflate_params p = wr_deflate_defaults(formats[f]);
                p.level = levels[i];
                p.strategy = strategy;
                p.window_bits = 15 - (int)i % 3;
                struct wr_fault fault;
                struct wr_codec *c = wr_deflate_new(&fixture.alloc, &p, &fault);
                struct result r = run(c, data, 50000, &ways[0]);
                struct bytes b = in_parts(&p, data, 50000, SIZE_MAX, &ways[0]);
                assert_bytes(&b, r.out.data, r.out.len);
                free(b.data);
                result_clear(&r);
                c->ops->free(c);
            }
        }
    }
    free(data);
}

static void many_parts_decode(void **state)
{
    (void)state;
    size_t len = 200000;
    unsigned char *data = log_like(len);
    static const size_t sizes[] = {50000, 65536, 1000, 100000, 200000};
    for (unsigned f = 0; f < 3; f++) {
        struct wr_deflate_params p = wr_deflate_defaults(formats[f]);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct bytes b = in_parts(&p, data, len, sizes[i], &ways[0]), out = decoded(formats[f], &b);
            assert_bytes(&out, data, len);
            free(b.data);
            free(out.data);
        }
    }
    free(data);
}

static void cuts_change_nothing(void **state)
{
    (void)state;
    unsigned char *data = log_like(30000);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    struct bytes whole = in_parts(&p, data, 30000, 9000, &ways[0]);
    for (unsigned w = 1; w < WAYS; w++) {
        struct bytes b = in_parts(&p, data, 30000, 9000, &ways[w]);
        assert_bytes(&b, whole.data, whole.len);
        free(b.data);
    }
    free(whole.data);
    free(data);
}

/* Noise twice: the second time it is in the window, or it would not compress at all. */
static void window_is_used(void **state)
{
    (void)state;
    unsigned char *data = noise(40000);
    memcpy(data + 20000, data, 20000);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_RAW);
    struct bytes b = in_parts(&p, data, 40000, 20000, &ways[0]);
    assert_true(b.len < 21000);
    free(b.data);
    free(data);
}

static void empty_input(void **state)
{
    (void)state;
    for (unsigned f = 0; f < 3; f++) {
        struct wr_deflate_params p = wr_deflate_defaults(formats[f]);
        struct bytes b = in_parts(&p, (const unsigned char *)"", 0, 100, &ways[0]), out = decoded(formats[f], &b);
        assert_int_equal(out.len, 0);
        assert_int_equal(b.len, f == 0 ? 20 : f == 1 ? 8 : 2);
        free(b.data);
        free(out.data);
    }
}

static void level_changes_within_a_part(void **state)
{
    (void)state;
    unsigned char *data = log_like(60000);
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_RAW);
    struct wr_fault fault;
    struct wr_parts *parts = wr_parts_new(&fixture.alloc, &p, &fault);
    struct wr_codec *c = wr_parts_codec(parts, true, 9, 0, NULL, 0, &fault);
    struct result r = {0};
    struct way way = ways[0];
    feed(c, data, 30000, WR_FLUSH_SYNC, &way, &r);
    assert_int_equal(wr_parts_tune(c, 0, 0, &fault), 0);
    feed(c, data + 30000, 30000, WR_FLUSH_FINISH, &way, &r);
    assert_true(r.out.len > 30000); /* the second half is stored */
    struct bytes out = decoded(WR_DEFLATE_RAW, &r.out);
    assert_bytes(&out, data, 60000);
    c->ops->free(c);
    wr_parts_free(parts);
    free(out.data);
    result_clear(&r);
    free(data);
}

static void bad_parameters(void **state)
{
    (void)state;
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    struct wr_fault fault;
    p.level = 10;
    assert_null(wr_parts_new(&fixture.alloc, &p, &fault));
    assert_string_equal(fault.code, "ERR_OUT_OF_RANGE");
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    bool made = false;
    for (long n = 0; !made; n++) {
        struct wr_fault fault = {0};
        fixture.left = n;
        struct wr_parts *parts = wr_parts_new(&fixture.alloc, &p, &fault);
        struct wr_codec *c = parts ? wr_parts_codec(parts, false, 6, 0, (const unsigned char *)"abc", 3, &fault) : NULL;
        made = fixture.left >= 0;
        if (!made) {
            assert_null(c);
            assert_string_equal(fault.code, "ENOMEM");
        } else {
            c->ops->free(c);
        }
        wr_parts_free(parts);
        assert_true(n < 50);
    }
}

static void checksums_join(void **state)
{
    (void)state;
    unsigned char *data = log_like(100000);
    uint32_t crc = wr_checksum_crc32(0, data, 100000), adler = wr_checksum_adler32(1, data, 100000);
    assert_int_equal(crc, crc32(0, data, 100000));
    assert_int_equal(wr_checksum_crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(wr_checksum_adler32(1, "Wikipedia", 9), 0x11e60398);
    for (size_t at = 0; at <= 100000; at += 12500) {
        assert_int_equal(wr_checksum_crc32_join(wr_checksum_crc32(0, data, at),
                                                wr_checksum_crc32(0, data + at, 100000 - at), 100000 - at),
                         crc);
        assert_int_equal(wr_checksum_adler32_join(wr_checksum_adler32(1, data, at),
                                                  wr_checksum_adler32(1, data + at, 100000 - at), 100000 - at),
                         adler);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_part_is_what_zlib_writes),
        TEST(many_parts_decode),
        TEST(cuts_change_nothing),
        TEST(window_is_used),
        TEST(empty_input),
        TEST(level_changes_within_a_part),
        TEST(bad_parameters),
        TEST(memory_runs_out),
        TEST(checksums_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
