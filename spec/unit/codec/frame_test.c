/* SPDX-License-Identifier: MIT */
/* Length-prefixed frames: every prefix, cut anywhere; the largest frame; what is left over at the end; no copy where none
 * is needed; memory grows with what came and not with what is promised. */
#include "helper.h"

#include "frame.h"

static struct wr_frame *make(unsigned prefix, size_t max)
{
    struct wr_fault fault;
    struct wr_frame *f = wr_frame_new(&fixture.alloc, prefix, max, &fault);
    assert_non_null(f);
    return f;
}

/* Appends a frame with LEN bytes at DATA. */
static void add_frame(struct bytes *b, unsigned prefix, const void *data, size_t len)
{
    unsigned char head[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                             (unsigned char)len};
    bytes_add(b, head + 4 - prefix, prefix);
    bytes_add(b, data, len);
}

/* The payloads, each with "|" behind it, then `!CODE leftover` if it failed. */
static struct bytes parse(const struct bytes *in, unsigned prefix, size_t max, size_t piece)
{
    static struct guarded guard;
    uint32_t seed = 3;
    struct bytes out = {0};
    struct wr_frame *f = make(prefix, max);
    const unsigned char *p;
    size_t len;
    int r = 0;
    guard_fit(&guard, in->len);
    for (size_t at = 0; at < in->len && r == 0;) {
        size_t part = cut(piece, &seed, 12, in->len - at);
        struct wr_chunk c = {.data = guard_copy(&guard, in->data + at, part), .len = part};
        wr_frame_feed(f, &c);
        while ((r = wr_frame_next(f, &p, &len)) > 0) {
            bytes_add(&out, p, len);
            bytes_add(&out, "|", 1);
        }
        at += part;
    }
    if (r == 0)
        r = wr_frame_finish(f);
    if (r < 0) {
        char text[100];
        snprintf(text, sizeof text, "!%s %zu", wr_frame_fault(f).code, wr_frame_leftover(f));
        bytes_add(&out, text, strlen(text));
    }
    wr_frame_free(f);
    return out;
}

static void expect(const struct bytes *in, unsigned prefix, size_t max, const char *frames)
{
    for (size_t piece = 0; piece < 10; piece++) {
        struct bytes b = parse(in, prefix, max, piece == 9 ? SIZE_MAX : piece);
        assert_bytes(&b, frames, strlen(frames));
        free(b.data);
    }
}

static void every_prefix_and_cut(void **state)
{
    (void)state;
    static const unsigned prefixes[] = {1, 2, 4};
    for (unsigned i = 0; i < 3; i++) {
        struct bytes in = {0};
        expect(&in, prefixes[i], 100, "");
        add_frame(&in, prefixes[i], "one", 3);
        add_frame(&in, prefixes[i], "", 0);
        add_frame(&in, prefixes[i], "a longer one of these", 21);
        add_frame(&in, prefixes[i], "", 0);
        expect(&in, prefixes[i], 100, "one||a longer one of these||");
        expect(&in, prefixes[i], 21, "one||a longer one of these||");
        free(in.data);
    }
}

static void a_largest_frame(void **state)
{
    (void)state;
    struct bytes in = {0};
    add_frame(&in, 4, "12345", 5);
    add_frame(&in, 4, "123456", 6);
    expect(&in, 4, 5, "12345|!ERR_FRAME_TOO_LARGE 4");
    in.len = 9 + 4;
    expect(&in, 4, 5, "12345|!ERR_FRAME_TOO_LARGE 4");
    in.len = 0;
    bytes_add(&in, "\xff\xff\xff\xff", 4);
    expect(&in, 4, 1 << 20, "!ERR_FRAME_TOO_LARGE 4");
    free(in.data);
}

static void an_incomplete_frame(void **state)
{
    (void)state;
    struct bytes in = {0};
    add_frame(&in, 2, "whole", 5);
    size_t whole = in.len;
    add_frame(&in, 2, "broken", 6);
    for (size_t n = 1; n < 8; n++) {
        char text[100];
        struct bytes part = bytes_of(in.data, whole + n);
        snprintf(text, sizeof text, "whole|!ERR_FRAME_INCOMPLETE %zu", n);
        expect(&part, 2, 100, text);
        free(part.data);
    }
    free(in.data);
}

static void frames_of_all_sizes(void **state)
{
    (void)state;
    unsigned char *data = noise(70000);
    struct bytes in = {0}, out = {0};
    for (size_t len = 0; len < 70000; len += 1 + len / 3) {
        add_frame(&in, 4, data, len);
        bytes_add(&out, data, len);
        bytes_add(&out, "|", 1);
    }
    static const size_t pieces[] = {SIZE_MAX, 1, 3, 0, 4096};
    for (unsigned i = 0; i < 5; i++) {
        struct bytes b = parse(&in, 4, 70000, pieces[i]);
        assert_bytes(&b, out.data, out.len);
        free(b.data);
    }
    free(in.data);
    free(out.data);
    free(data);
}

static void payloads_are_shown_where_they_lie(void **state)
{
    struct fixture *f = *state;
    struct wr_frame *frame = make(1, 100);
    size_t balance = wr_alloc_balance(&f->alloc);
    struct wr_chunk c;
    const unsigned char *p;
    size_t len;
    assert_int_equal(wr_chunk_copy(&f->alloc, &c, "\3one\3two", 8), 0);
    wr_frame_feed(frame, &c);
    assert_int_equal(wr_frame_next(frame, &p, &len), 1);
    assert_ptr_equal(p, c.data + 1);
    assert_ptr_equal(wr_frame_owner(frame), c.buffer);
    assert_int_equal(wr_frame_next(frame, &p, &len), 1);
    assert_ptr_equal(p, c.data + 5);
    assert_int_equal(wr_frame_next(frame, &p, &len), 0);
    wr_chunk_clear(&c);
    assert_int_equal(wr_alloc_balance(&f->alloc), balance);
    wr_frame_free(frame);
    wr_frame_free(NULL);
}

static void a_promise_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct wr_frame *frame = make(4, UINT32_MAX);
    const unsigned char *p;
    size_t len;
    wr_frame_feed(frame, &(struct wr_chunk){.data = (const unsigned char *)"\xff\xff\xff\xffxxx", .len = 7});
    assert_int_equal(wr_frame_next(frame, &p, &len), 0);
    assert_true(wr_alloc_balance(&f->alloc) < 4096);
    wr_frame_free(frame);
}

static void another_prefix_is_refused(void **state)
{
    (void)state;
    static const unsigned wrong[] = {0, 3, 5, 8};
    for (unsigned i = 0; i < 4; i++) {
        struct wr_fault fault;
        assert_null(wr_frame_new(&fixture.alloc, wrong[i], 10, &fault));
        assert_string_equal(fault.code, "ERR_OUT_OF_RANGE");
    }
}

static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    unsigned char *data = noise(1000);
    struct bytes in = {0};
    add_frame(&in, 2, data, 1000);
    int r = -1;
    for (long n = 0; r < 0; n++) {
        struct wr_fault fault;
        const unsigned char *p;
        size_t len;
        f->left = n;
        struct wr_frame *frame = wr_frame_new(&f->alloc, 2, 1000, &fault);
        r = frame ? 0 : -1;
        for (size_t at = 0; r == 0 && at < in.len; at++) {
            wr_frame_feed(frame, &(struct wr_chunk){.data = in.data + at, .len = 1});
            r = wr_frame_next(frame, &p, &len);
        }
        if (frame && r < 0)
            fault = wr_frame_fault(frame);
        if (r < 0)
            assert_fault(&fault, "ENOMEM", "out of memory");
        if (r > 0)
            assert_memory_equal(p, data, 1000);
        wr_frame_free(frame);
        assert_int_equal(wr_alloc_balance(&f->alloc), 0);
    }
    free(in.data);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_prefix_and_cut),      TEST(a_largest_frame),           TEST(an_incomplete_frame),
        TEST(frames_of_all_sizes),       TEST(a_promise_costs_nothing),   TEST(payloads_are_shown_where_they_lie),
        TEST(another_prefix_is_refused), TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
