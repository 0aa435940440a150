/* SPDX-License-Identifier: MIT */
/* Reading files where the system reads less than it was asked for, or fails at the nth call. */
#include "filebox.h"

#include "fileread.h"
#include "readable.h"

struct reader {
    struct wr_stream s;
    struct wr_fileread r;
};

static struct reader *of(struct wr_stream *s)
{
    return (struct reader *)(void *)s;
}

static void on_construct(struct wr_stream *s)
{
    wr_fileread_construct(&of(s)->r);
}

static void on_read(struct wr_stream *s)
{
    wr_fileread_read(&of(s)->r);
}

static void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_fileread_destroy(&of(s)->r, err);
}

static const struct wr_stream_ops ops = {.construct = on_construct, .read = on_read, .destroy = on_destroy};

static void free_reader(struct wr_stream *s)
{
    wr_fileread_clear(&of(s)->r);
    wr_alloc_free(&box->alloc, s, sizeof(struct reader));
}

static int set_up(void **state)
{
    (void)state;
    return open_box(free_reader);
}

static struct wr_stream *reader(int fd, int64_t start, int64_t last, uint32_t size)
{
    const uint32_t has = WR_IS_READABLE | WR_HAS_CONSTRUCT | WR_HAS_READ | WR_HAS_DESTROY | WR_AUTO_DESTROY |
                         WR_EMIT_CLOSE | WR_HALF_OPEN;
    struct reader *r = wr_alloc_zero(&box->alloc, sizeof *r);
    wr_stream_init(&r->s, &box->flow, &ops, has, (int32_t)size, (int32_t)size);
    const char *path = fd < 0 ? box->path : NULL;
    assert_int_equal(wr_fileread_init(&r->r, &r->s, &box->host, path, fd, O_RDONLY, start, last, size), 0);
    hear(&r->s);
    r->s.sh->listens &= ~(1 << WR_EV_READABLE);
    wr_life_start(&r->s);
    return &r->s;
}

/* All of it, as text. */
static const char *read_all(int fd, int64_t start, int64_t last, uint32_t size)
{
    box->len = 0;
    memset(box->log, 0, sizeof box->log);
    struct wr_stream *s = reader(fd, start, last, size);
    wr_readable_resume(s);
    wr_loop_run(box->loop);
    assert_int_equal(of(s)->r.bytes, box->len);
    wr_stream_unref(s);
    wr_loop_run(box->loop);
    box->data[box->len] = '\0';
    return box->data;
}

static void reads_what_is_there(void **state)
{
    (void)state;
    put("hello wide world");
    sys = *wr_sys_default(); /* the shortcut for what is cached, too */
    assert_string_equal(read_all(-1, -1, -1, 5), "hello wide world");
    assert_string_equal(box->log, "ddddec");
    assert_string_equal(read_all(-1, 6, 9, 65536), "wide");
    assert_string_equal(read_all(-1, -1, 4, 2), "hello");
    assert_string_equal(read_all(-1, 16, -1, 2), "");
}

static void goes_on_after_short_reads(void **state)
{
    (void)state;
    put("hello wide world");
    for (calls.most = 1; calls.most < 6; calls.most++) {
        assert_string_equal(read_all(-1, -1, -1, 7), "hello wide world");
        assert_string_equal(read_all(-1, 6, 9, 7), "wide");
    }
}

static void tells_an_error(void **state)
{
    (void)state;
    put("hello wide world");
    calls.most = 4;
    calls.error = -EIO;
    for (calls.fail_at = 1; calls.fail_at <= 5; calls.fail_at++) {
        calls.calls = 0;
        assert_int_equal(strlen(read_all(-1, 0, -1, 8)), 4 * (calls.fail_at - 1));
        assert_string_equal(box->log + calls.fail_at - 1, "!c");
        assert_string_equal(box->code, "EIO");
    }
}

static void tells_what_is_missing(void **state)
{
    (void)state;
    read_all(-1, 0, -1, 8);
    assert_string_equal(box->log, "!c");
    assert_string_equal(box->code, "ENOENT");
}

static void waits_for_a_pipe(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct wr_stream *s = reader(fds[0], -1, -1, 100);
    wr_readable_resume(s);
    for (int i = 0; i < 5; i++)
        wr_loop_turn(box->loop, false);
    assert_string_equal(box->log, "");
    assert_int_equal(write(fds[1], "abc", 3), 3);
    while (!box->len)
        wr_loop_turn(box->loop, true);
    close(fds[1]);
    wr_loop_run(box->loop);
    assert_string_equal(box->log, "dec");
    wr_stream_unref(s);
    wr_loop_run(box->loop);
    assert_int_equal(close(fds[0]), -1); /* it was */
}

static void destroy_ends_the_wait(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct wr_stream *s = reader(fds[0], -1, -1, 100);
    wr_readable_resume(s);
    for (int i = 0; i < 5; i++)
        wr_loop_turn(box->loop, false);
    wr_loop_enter(box->loop);
    wr_life_destroy(s, NULL);
    wr_loop_leave(box->loop);
    wr_loop_run(box->loop);
    assert_string_equal(box->log, "c");
    wr_stream_unref(s);
    wr_loop_run(box->loop);
    close(fds[1]);
}

#define file_test(name) cmocka_unit_test_setup_teardown(name, set_up, close_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(reads_what_is_there),   file_test(goes_on_after_short_reads), file_test(tells_an_error),
        file_test(tells_what_is_missing), file_test(waits_for_a_pipe),          file_test(destroy_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
