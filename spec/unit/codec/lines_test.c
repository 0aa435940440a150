/* SPDX-License-Identifier: MIT */
/* The splitter: LF and CRLF, also cut anywhere; the longest line; no copy where none is needed; what is kept by a
 * reference stays as it was; the cost of a byte does not grow with the number of slices. */
#include "helper.h"

#include <time.h>

#include "lines.h"

/* The lines of an input: each with an LF put behind it, or `!CODE` where it failed. */
static void collect(struct wr_lines *l, int r, const unsigned char *p, size_t len, struct bytes *out)
{
    if (r > 0) {
        bytes_add(out, p, len);
        bytes_add(out, "\n", 1);
    }
    if (r < 0) {
        struct wr_fault fault = wr_lines_fault(l);
        bytes_add(out, "!", 1);
        bytes_add(out, fault.code, strlen(fault.code));
    }
}

/* Splits LEN bytes at TEXT in slices of PIECE bytes (0: by chance), each ending at a guard page. */
static struct bytes split(const char *text, size_t len, size_t max, size_t piece)
{
    static struct guarded guard;
    uint32_t seed = 3;
    struct bytes out = {0};
    struct wr_lines *l = wr_lines_new(&fixture.alloc, max);
    const unsigned char *p = NULL;
    size_t n = 0;
    int r = 0;
    guard_fit(&guard, len);
    for (size_t at = 0; at < len && r == 0;) {
        size_t part = cut(piece, &seed, 12, len - at);
        struct wr_chunk c = {.data = guard_copy(&guard, text + at, part), .len = part};
        wr_lines_feed(l, &c);
        while ((r = wr_lines_next(l, &p, &n)) > 0)
            collect(l, r, p, n, &out);
        at += part;
    }
    if (r == 0)
        r = wr_lines_finish(l, &p, &n);
    collect(l, r, p, n, &out);
    if (r > 0)
        assert_int_equal(wr_lines_finish(l, &p, &n), 0);
    wr_lines_free(l);
    return out;
}

static void expect(const char *text, size_t max, const char *lines)
{
    for (size_t piece = 0; piece < 9; piece++) {
        struct bytes b = split(text, strlen(text), max, piece);
        assert_bytes(&b, lines, strlen(lines));
        free(b.data);
    }
    struct bytes b = split(text, strlen(text), max, SIZE_MAX);
    assert_bytes(&b, lines, strlen(lines));
    free(b.data);
}

static void lines_end_with_lf_or_crlf(void **state)
{
    (void)state;
    expect("", 100, "");
    expect("\n", 100, "\n");
    expect("\r\n", 100, "\n");
    expect("\n\n\r\n\n", 100, "\n\n\n\n");
    expect("one\ntwo\r\nthree", 100, "one\ntwo\nthree\n");
    expect("one\ntwo\n", 100, "one\ntwo\n");
    expect("a\rb\r\r\nc\r", 100, "a\rb\r\nc\r\n");
    expect("\r", 100, "\r\n");
    expect("a line that is longer than a few slices\r\nand one more of these\n\n", 100,
           "a line that is longer than a few slices\nand one more of these\n\n");
}

static void a_longest_line(void **state)
{
    (void)state;
    expect("12345\n12345\r\n12345", 5, "12345\n12345\n12345\n");
    expect("12345\n123456\n1\n", 5, "12345\n!ERR_LINE_TOO_LONG");
    expect("1\n123456\r\n", 5, "1\n!ERR_LINE_TOO_LONG");
    expect("1\n12345\r", 5, "1\n!ERR_LINE_TOO_LONG");
    expect("1\n12345\rx\n", 5, "1\n!ERR_LINE_TOO_LONG");
    expect("1\n123456", 5, "1\n!ERR_LINE_TOO_LONG");
    expect("1\n12345678901234567890", 5, "1\n!ERR_LINE_TOO_LONG");
    expect("\r\n\n", 0, "\n\n");
    expect("\nx\n", 0, "\n!ERR_LINE_TOO_LONG");
}

static void every_cut_gives_the_same(void **state)
{
    (void)state;
    size_t len = 20000;
    char *text = (char *)log_like(len);
    for (size_t i = 100; i < len; i += 97)
        text[i] = i % 2 ? '\r' : '\n';
    struct bytes whole = split(text, len, 1000, SIZE_MAX);
    for (size_t piece = 0; piece < 300; piece += 1 + piece / 9) {
        struct bytes b = split(text, len, 1000, piece);
        assert_bytes(&b, whole.data, whole.len);
        free(b.data);
    }
    free(whole.data);
    free(text);
}

static void lines_are_shown_where_they_lie(void **state)
{
    struct fixture *f = *state;
    struct wr_lines *l = wr_lines_new(&f->alloc, 100);
    size_t balance = wr_alloc_balance(&f->alloc);
    struct wr_chunk c = {.data = (const unsigned char *)"one\n\ntwo\r\n", .len = 10};
    const unsigned char *p;
    size_t len;
    wr_lines_feed(l, &c);
    assert_int_equal(wr_lines_next(l, &p, &len), 1);
    assert_ptr_equal(p, c.data);
    assert_int_equal(wr_lines_next(l, &p, &len), 1);
    assert_int_equal(len, 0);
    assert_int_equal(wr_lines_next(l, &p, &len), 1);
    assert_ptr_equal(p, c.data + 5);
    assert_int_equal(wr_lines_next(l, &p, &len), 0);
    assert_int_equal(wr_lines_next(l, &p, &len), 0);
    assert_int_equal(wr_alloc_balance(&f->alloc), balance);
    wr_lines_free(l);
    wr_lines_free(NULL);
}

/* Feeds TEXT and takes the one line it ends; returns a reference to the buffer it lies in. */
static struct wr_buffer *keep_line(struct fixture *f, struct wr_lines *l, const char *text, const unsigned char **p,
                                   size_t *len)
{
    struct wr_chunk c;
    assert_int_equal(wr_chunk_copy(&f->alloc, &c, text, strlen(text)), 0);
    wr_lines_feed(l, &c);
    struct wr_buffer *owner = NULL;
    while (wr_lines_next(l, p, len) > 0) {
        assert_null(owner);
        owner = wr_lines_owner(l);
        if (owner)
            wr_buffer_ref(owner);
    }
    wr_chunk_clear(&c);
    return owner;
}

static void a_kept_line_stays(void **state)
{
    struct fixture *f = *state;
    struct wr_lines *l = wr_lines_new(&f->alloc, 100);
    const unsigned char *p1, *p2, *p3;
    size_t n1, n2, n3;
    assert_null(keep_line(f, l, "fir", &p1, &n1));
    struct wr_buffer *first = keep_line(f, l, "st\nsec", &p1, &n1);
    struct wr_buffer *second = keep_line(f, l, "ond\n", &p2, &n2);
    struct wr_buffer *third = keep_line(f, l, "third\n", &p3, &n3);
    assert_null(keep_line(f, l, "\n", &(const unsigned char *){NULL}, &(size_t){0}));
    assert_ptr_not_equal(first, second);
    wr_lines_free(l);
    assert_int_equal(n1, 5);
    assert_memory_equal(p1, "first", 5);
    assert_int_equal(n2, 6);
    assert_memory_equal(p2, "second", 6);
    assert_int_equal(n3, 5);
    assert_memory_equal(p3, "third", 5);
    wr_buffer_unref(first);
    wr_buffer_unref(second);
    wr_buffer_unref(third);
}

/* Nanoseconds to take a line of LEN bytes byte by byte. */
static double nanoseconds(struct fixture *f, size_t len)
{
    struct wr_lines *l = wr_lines_new(&f->alloc, len);
    struct timespec from, to;
    const unsigned char *p;
    size_t n;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (size_t i = 0; i < len; i++) {
        wr_lines_feed(l, &(struct wr_chunk){.data = (const unsigned char *)"x", .len = 1});
        assert_int_equal(wr_lines_next(l, &p, &n), 0);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_int_equal(wr_lines_finish(l, &p, &n), 1);
    assert_int_equal(n, len);
    wr_lines_free(l);
    return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

/* A line in n slices costs n, not n squared: 64 times the slices at most 256 times the time. */
static void cost_does_not_grow_with_slices(void **state)
{
    nanoseconds(*state, 1 << 14);
    double few = nanoseconds(*state, 1 << 14), many = nanoseconds(*state, 1 << 20);
    assert_true(many < few * 256);
}

static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = 0;
    int r = -1;
    for (long n = 0; r < 0; n++) {
        const unsigned char *p;
        size_t len;
        f->left = n;
        struct wr_lines *l = wr_lines_new(&f->alloc, 1000);
        r = l ? 0 : -1;
        for (size_t at = 0; r == 0 && at < 1000; at += 10) {
            wr_lines_feed(l, &(struct wr_chunk){.data = (unsigned char *)text + at, .len = 10});
            r = wr_lines_next(l, &p, &len);
        }
        if (l && r < 0)
            assert_fault(&(struct wr_fault){.code = wr_lines_fault(l).code, .text = wr_lines_fault(l).text}, "ENOMEM",
                         "out of memory");
        if (r == 0)
            r = wr_lines_finish(l, &p, &len);
        if (r > 0)
            assert_memory_equal(p, text, 1000);
        wr_lines_free(l);
        assert_int_equal(wr_alloc_balance(&f->alloc), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_end_with_lf_or_crlf),      TEST(a_longest_line),    TEST(every_cut_gives_the_same),
        TEST(lines_are_shown_where_they_lie), TEST(a_kept_line_stays), TEST(cost_does_not_grow_with_slices),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
