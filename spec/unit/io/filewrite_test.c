/* SPDX-License-Identifier: MIT */
/* Writing to files where the system writes less than it was given, or fails at the nth call. */
#include "filebox.h"

#include "filewrite.h"
#include "writable.h"

struct writer {
    struct wr_stream s;
    struct wr_filewrite w;
};

static struct writer *of(struct wr_stream *s)
{
    return (struct writer *)(void *)s;
}

static void on_construct(struct wr_stream *s)
{
    wr_filewrite_construct(&of(s)->w);
}

static void on_write(struct wr_stream *s, uint32_t n)
{
    wr_filewrite_write(&of(s)->w, n);
}

static void on_final(struct wr_stream *s)
{
    wr_filewrite_final(&of(s)->w);
}

static void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_filewrite_destroy(&of(s)->w, err);
}

static const struct wr_stream_ops ops = {
    .construct = on_construct, .write = on_write, .final = on_final, .destroy = on_destroy};

static void free_writer(struct wr_stream *s)
{
    wr_filewrite_clear(&of(s)->w);
    wr_alloc_free(&box->alloc, s, sizeof(struct writer));
}

static int set_up(void **state)
{
    (void)state;
    return open_box(free_writer);
}

static struct wr_stream *writer(struct wr_filewrite_options o)
{
    const uint32_t has = WR_IS_WRITABLE | WR_HAS_CONSTRUCT | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FINAL |
                         WR_HAS_DESTROY | WR_AUTO_DESTROY | WR_EMIT_CLOSE | WR_HALF_OPEN;
    struct writer *w = wr_alloc_zero(&box->alloc, sizeof *w);
    wr_stream_init(&w->s, &box->flow, &ops, has, 16384, 16384);
    o.path = box->path;
    o.fd = -1;
    o.mode = 0644;
    if (!o.flags)
        o.flags = O_WRONLY | O_CREAT | O_TRUNC;
    assert_int_equal(wr_filewrite_init(&w->w, &w->s, &box->host, &o), 0);
    hear(&w->s);
    wr_life_start(&w->s);
    return &w->s;
}

static void told(struct wr_stream *s, intptr_t arg, struct wr_error *err)
{
    (void)s;
    (void)arg;
    box->told[strlen(box->told)] = err ? '!' : '.';
}

static void write_text(struct wr_stream *s, const char *text)
{
    struct wr_item item = {0};
    assert_int_equal(wr_chunk_copy(&box->alloc, &item.bytes, text, strlen(text)), 0);
    wr_writable_write(s, item, (struct wr_done){.fn = told});
}

/* Three chunks and the end; then until nothing is left to do. */
static uint64_t run(struct wr_filewrite_options o)
{
    struct wr_stream *s = writer(o);
    write_text(s, "hello ");
    write_text(s, "wide ");
    write_text(s, "world");
    wr_writable_end(s, NULL, (struct wr_done){0});
    wr_loop_run(box->loop);
    uint64_t bytes = of(s)->w.bytes;
    wr_stream_unref(s);
    wr_loop_run(box->loop);
    return bytes;
}

static const struct wr_filewrite_options plain = {.start = -1};

static void writes_in_order(void **state)
{
    (void)state;
    assert_int_equal(run(plain), 16);
    assert_string_equal(content(), "hello wide world");
    assert_string_equal(box->log, "fc");
    assert_string_equal(box->told, "...");
}

static void goes_on_after_short_writes(void **state)
{
    (void)state;
    for (calls.most = 1; calls.most < 8; calls.most++) {
        unlink(box->path);
        assert_int_equal(run(plain), 16);
        assert_string_equal(content(), "hello wide world");
    }
}

static void goes_on_at_the_right_place(void **state)
{
    (void)state;
    put("0123456789012345678901234");
    calls.most = 3;
    struct wr_filewrite_options o = {.start = 5, .flags = O_RDWR};
    assert_int_equal(run(o), 16);
    assert_string_equal(content(), "01234hello wide world1234");
}

static void tries_again(void **state)
{
    (void)state;
    calls.fail_at = 1;
    calls.error = -EAGAIN;
    assert_int_equal(run(plain), 16);
    assert_string_equal(content(), "hello wide world");
    assert_string_equal(box->log, "fc");
}

/* Each call in turn finds the disk full: what was written before is there, and is counted. */
static void tells_a_full_disk(void **state)
{
    (void)state;
    calls.most = 4;
    calls.error = -ENOSPC;
    for (calls.fail_at = 1; calls.fail_at <= 5; calls.fail_at++) {
        calls.calls = 0;
        memset(box->log, 0, sizeof box->log);
        memset(box->told, 0, sizeof box->told);
        uint64_t bytes = run(plain);
        assert_string_equal(box->log, "!c");
        assert_string_equal(box->code, "ENOSPC");
        assert_int_equal(strlen(content()), bytes);
        assert_memory_equal(content(), "hello wide world", bytes);
        assert_int_equal(box->told[strlen(box->told) - 1], '!');
        assert_int_equal(strlen(box->told), 3);
    }
}

static void nothing_was_written_is_an_error(void **state)
{
    (void)state;
    calls.fail_at = 2;
    calls.most = 4;
    calls.error = 0;
    assert_int_equal(run(plain), 4);
    assert_string_equal(box->code, "EIO");
}

static void atomic_all_or_nothing(void **state)
{
    (void)state;
    struct wr_filewrite_options o = {.start = -1, .atomic = true};
    put("old");
    calls.most = 4;
    calls.error = -ENOSPC;
    for (calls.fail_at = 1; calls.fail_at <= 6; calls.fail_at++) { /* the last is the sync of the file */
        calls.calls = 0;
        memset(box->log, 0, sizeof box->log);
        run(o);
        assert_string_equal(content(), "old");
        assert_string_equal(box->log, "!c");
    }
    calls.fail_at = 0;
    memset(box->log, 0, sizeof box->log);
    run(o);
    assert_string_equal(content(), "hello wide world");
    assert_string_equal(box->log, "fc");
}

static void flush_tells_a_failed_sync(void **state)
{
    (void)state;
    struct wr_filewrite_options o = {.start = -1, .flush = true};
    calls.fail_at = 4;
    calls.error = -EIO;
    run(o);
    assert_string_equal(content(), "hello wide world");
    assert_string_equal(box->log, "!c");
    assert_string_equal(box->code, "EIO");
}

static void destroy_waits_for_the_job(void **state)
{
    (void)state;
    struct wr_stream *s = writer(plain);
    write_text(s, "abc");
    while (!of(s)->w.file.out || !wr_stream_constructed(s))
        wr_loop_turn(box->loop, true);
    write_text(s, "def");
    wr_loop_enter(box->loop);
    wr_life_destroy(s, NULL);
    wr_loop_leave(box->loop);
    wr_loop_run(box->loop);
    assert_string_equal(content(), "abc");
    assert_string_equal(box->log, "c");
    assert_string_equal(box->told, "!!");
    wr_stream_unref(s);
    wr_loop_run(box->loop);
}

#define file_test(name) cmocka_unit_test_setup_teardown(name, set_up, close_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(writes_in_order),
        file_test(goes_on_after_short_writes),
        file_test(goes_on_at_the_right_place),
        file_test(tries_again),
        file_test(tells_a_full_disk),
        file_test(nothing_was_written_is_an_error),
        file_test(atomic_all_or_nothing),
        file_test(flush_tells_a_failed_sync),
        file_test(destroy_waits_for_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
