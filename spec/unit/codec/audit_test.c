/* SPDX-License-Identifier: MIT */
/* The check of a long member, left to an audit: what is right passes, what is wrong is found at the end of its member and no
 * byte later, however the input is cut and the output looked at; short members are still checked by the codec. */
#include "helper.h"

#include <zlib.h>

#include "audit.h"

enum { LONG = 700000 };

/* LEN bytes at DATA as gzip (31), zlib (15) ..., added to B. */
static void pack(struct bytes *b, const void *data, size_t len, int bits)
{
    z_stream z = {0};
    unsigned char room[4096];
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)len;
    int r;
    do {
        z.next_out = room;
        z.avail_out = sizeof room;
        r = deflate(&z, Z_FINISH);
        bytes_add(b, room, sizeof room - z.avail_out);
    } while (r == Z_OK);
    assert_int_equal(r, Z_STREAM_END);
    deflateEnd(&z);
}

/* What passed the audit, and how it ended: `last` is WR_STEP_FAIL too if the audit found something. */
static struct result audited(enum wr_inflate_format format, const struct bytes *in, size_t piece, size_t room,
                             size_t look, unsigned *notes)
{
    struct wr_inflate_params p = wr_inflate_defaults(format);
    p.max_ratio = room > 1 << 20 ? 1 << 20 : 0; /* zlib is called for 64 KiB at a time: several notes a step */
    struct wr_fault fault;
    struct wr_audit audit;
    struct result r = {.last = WR_STEP_MORE};
    p.defer = true;
    struct wr_codec *c = wr_inflate_new(&fixture.alloc, &p, &fault);
    wr_audit_init(&audit, &fixture.alloc);
    unsigned char *out = malloc(room);
    *notes = 0;
    for (size_t at = 0; r.last == WR_STEP_MORE || r.last == WR_STEP_FULL;) {
        size_t n = in->len - at < piece ? in->len - at : piece;
        struct wr_codec_io io = {.in = in->data + at, .in_len = n, .out = out, .out_len = room};
        io.flush = at + n == in->len ? WR_FLUSH_FINISH : WR_FLUSH_NONE;
        r.last = c->ops->step(c, &io);
        r.fault = c->fault;
        at += n - io.in_len;
        assert_int_equal(wr_audit_note(&audit, c), 0);
        *notes += audit.notes.count;
        size_t made = room - io.out_len, good = 0;
        for (size_t seen = 0; seen <= made; seen += good) {
            size_t part = made - seen < look ? made - seen : look;
            if (wr_audit_look(&audit, out + seen, part, &good, &r.fault)) {
                r.last = WR_STEP_FAIL;
                bytes_add(&r.out, out + seen, good);
                goto over;
            }
            bytes_add(&r.out, out + seen, good);
            if (part == 0)
                break;
        }
    }
over:
    wr_audit_clear(&audit);
    c->ops->free(c);
    free(out);
    return r;
}

static const struct {
    size_t piece, room, look;
} cuts[] = {{SIZE_MAX, 1 << 20, SIZE_MAX}, {4096, 65536, 1000}, {777, 4096, 65536}, {SIZE_MAX, 262144, 1}};

enum { CUTS = sizeof cuts / sizeof *cuts };

static void right_ones_pass(void **state)
{
    (void)state;
    unsigned char *data = log_like(LONG);
    struct bytes in = {0}, plain = {0};
    pack(&in, data, LONG, 31);
    pack(&in, "short", 5, 31);
    pack(&in, data, LONG, 31);
    bytes_add(&plain, data, LONG);
    bytes_add(&plain, "short", 5);
    bytes_add(&plain, data, LONG);
    for (unsigned i = 0; i < CUTS; i++) {
        unsigned notes;
        struct result r = audited(WR_INFLATE_GZIP, &in, cuts[i].piece, cuts[i].room, cuts[i].look, &notes);
        assert_int_equal(r.last, WR_STEP_DONE);
        assert_true(notes >= 4 || cuts[i].room > LONG); /* where zlib is called once for a member, it checks it */
        assert_bytes(&r.out, plain.data, plain.len);
        result_clear(&r);
    }
    free(in.data);
    free(plain.data);
    free(data);
}

/* Breaks byte AT of a long member's trailer, with another member behind it. */
static void wrong_one(enum wr_inflate_format format, int bits, size_t from_end, const char *text)
{
    unsigned char *data = log_like(LONG);
    struct bytes in = {0};
    pack(&in, data, LONG, bits);
    in.data[in.len - from_end] ^= 1;
    if (bits == 31)
        pack(&in, "more", 4, bits);
    for (unsigned i = 0; i < CUTS; i++) {
        unsigned notes;
        struct result r = audited(format, &in, cuts[i].piece, cuts[i].room, cuts[i].look, &notes);
        assert_int_equal(r.last, WR_STEP_FAIL);
        assert_fault(&r.fault, "Z_DATA_ERROR", text);
        assert_bytes(&r.out, data, LONG);
        result_clear(&r);
    }
    free(in.data);
    free(data);
}

static void wrong_ones_are_found(void **state)
{
    (void)state;
    wrong_one(WR_INFLATE_GZIP, 31, 5, "incorrect data check");
    wrong_one(WR_INFLATE_GZIP, 31, 8, "incorrect data check");
    wrong_one(WR_INFLATE_GZIP, 31, 4, "incorrect length check");
    wrong_one(WR_INFLATE_ZLIB, 15, 1, "incorrect data check");
    wrong_one(WR_INFLATE_UNZIP, 15, 4, "incorrect data check");
    wrong_one(WR_INFLATE_UNZIP, 31, 8, "incorrect data check");
}

static void short_members_are_checked_at_once(void **state)
{
    (void)state;
    struct bytes in = {0};
    unsigned char *data = log_like(100000);
    pack(&in, data, 100000, 31);
    in.data[in.len - 8] ^= 1;
    unsigned notes;
    struct result r = audited(WR_INFLATE_GZIP, &in, SIZE_MAX, 1 << 20, SIZE_MAX, &notes);
    assert_int_equal(r.last, WR_STEP_FAIL);
    assert_fault(&r.fault, "Z_DATA_ERROR", "incorrect data check");
    assert_int_equal(notes, 0);
    result_clear(&r);
    free(in.data);
    free(data);
}

/* More long members in one step than there is room for notes. */
static void many_long_members_in_one_step(void **state)
{
    (void)state;
    enum { MEMBERS = 12 };
    unsigned char *zeros = calloc(1, 300000);
    for (unsigned wrong = 0; wrong <= MEMBERS; wrong++) {
        struct bytes in = {0};
        for (unsigned i = 1; i <= MEMBERS; i++) {
            pack(&in, zeros, 300000, 31);
            if (i == wrong)
                in.data[in.len - 8] ^= 1;
        }
        unsigned notes;
        struct result r = audited(WR_INFLATE_GZIP, &in, SIZE_MAX, MEMBERS * 300001, SIZE_MAX, &notes);
        assert_int_equal(r.last, wrong ? WR_STEP_FAIL : WR_STEP_DONE);
        assert_int_equal(r.out.len, (wrong ? wrong : MEMBERS) * 300000);
        result_clear(&r);
        free(in.data);
    }
    free(zeros);
}

static void truncated_member(void **state)
{
    (void)state;
    unsigned char *data = log_like(LONG);
    struct bytes in = {0};
    pack(&in, data, LONG, 31);
    in.len -= 3;
    unsigned notes;
    struct result r = audited(WR_INFLATE_GZIP, &in, 1000, 65536, 500, &notes);
    assert_int_equal(r.last, WR_STEP_FAIL);
    assert_fault(&r.fault, "Z_BUF_ERROR", "unexpected end of file");
    assert_bytes(&r.out, data, LONG);
    result_clear(&r);
    free(in.data);
    free(data);
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct bytes in = {0};
    unsigned char *data = log_like(LONG), *out = malloc(LONG);
    pack(&in, data, LONG, 31);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct wr_fault fault;
    struct wr_audit audit;
    p.defer = true;
    struct wr_codec *c = wr_inflate_new(&fixture.alloc, &p, &fault);
    wr_audit_init(&audit, &fixture.alloc);
    struct wr_codec_io io = {.in = in.data, .in_len = 1000, .out = out, .out_len = 1000};
    c->ops->step(c, &io);
    fixture.left = 0;
    assert_int_equal(wr_audit_note(&audit, c), 0); /* nothing to note, no memory needed */
    io = (struct wr_codec_io){.in = io.in, .in_len = in.len - 1000, .out = out, .out_len = LONG};
    fixture.left = -1;
    c->ops->step(c, &io);
    fixture.left = 0;
    assert_int_equal(wr_audit_note(&audit, c), -1);
    fixture.left = -1;
    wr_audit_clear(&audit);
    c->ops->free(c);
    free(in.data);
    free(data);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(right_ones_pass),  TEST(wrong_ones_are_found), TEST(short_members_are_checked_at_once),
        TEST(truncated_member), TEST(memory_runs_out),      TEST(many_long_members_in_one_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
