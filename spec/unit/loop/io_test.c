/* SPDX-License-Identifier: MIT */
/* Descriptors: readiness comes while it is wanted and not after. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include "fixture.h"
#include "io.h"

struct noted {
    struct wr_io io;
    struct fixture *f;
    struct noted *other;
    int calls, last;
};

static void count(struct wr_io *w, int events)
{
    struct noted *n = (struct noted *)w;
    n->calls++;
    n->last = events;
}

static void once(struct wr_io *w, int events)
{
    count(w, events);
    wr_io_want(w, 0);
}

static void pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void init(struct noted *n, struct fixture *f, int fd, wr_io_fn *fn)
{
    memset(n, 0, sizeof *n);
    n->f = f;
    wr_io_init(&n->io, f->loop, fd, fn);
}

static void readable_comes_every_turn_while_wanted(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    int fds[2];
    pair(fds);
    init(&n, f, fds[0], count);
    wr_io_want(&n.io, WR_IO_READ);
    wr_loop_turn(f->loop, false);
    assert_int_equal(n.calls, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    wr_loop_turn(f->loop, true);
    wr_loop_turn(f->loop, true);
    assert_int_equal(n.calls, 2);
    assert_int_equal(n.last, WR_IO_READ);
    assert_int_equal(f->drains, 2);
    wr_io_want(&n.io, 0);
    assert_false(wr_loop_turn(f->loop, false));
    assert_int_equal(n.calls, 2);
    close(fds[0]);
    close(fds[1]);
}

static void wants_can_change(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    int fds[2];
    pair(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    init(&n, f, fds[0], count);
    wr_io_want(&n.io, WR_IO_WRITE);
    wr_loop_turn(f->loop, true);
    assert_int_equal(n.last, WR_IO_WRITE);
    wr_io_want(&n.io, WR_IO_READ | WR_IO_WRITE);
    wr_loop_turn(f->loop, true);
    assert_int_equal(n.last, WR_IO_READ | WR_IO_WRITE);
    wr_io_want(&n.io, WR_IO_READ);
    wr_io_want(&n.io, WR_IO_READ);
    wr_loop_turn(f->loop, true);
    assert_int_equal(n.last, WR_IO_READ);
    wr_io_want(&n.io, 0);
    wr_io_want(&n.io, 0);
    close(fds[0]);
    close(fds[1]);
}

static void two_watch_one_descriptor(void **state)
{
    struct fixture *f = *state;
    struct noted r, w;
    int fds[2];
    pair(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    init(&r, f, fds[0], once);
    init(&w, f, fds[0], once);
    wr_io_want(&r.io, WR_IO_READ);
    wr_io_want(&w.io, WR_IO_WRITE);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(r.last, WR_IO_READ);
    assert_int_equal(w.last, WR_IO_WRITE);
    close(fds[0]);
    close(fds[1]);
}

static void stop_other(struct wr_io *w, int events)
{
    struct noted *n = (struct noted *)w;
    once(w, events);
    wr_io_want(&n->other->io, 0);
}

static void one_that_is_stopped_is_not_called_any_more(void **state)
{
    struct fixture *f = *state;
    struct noted a, b;
    int fds[2];
    pair(fds);
    init(&a, f, fds[0], stop_other);
    init(&b, f, fds[1], stop_other);
    a.other = &b;
    b.other = &a;
    wr_io_want(&a.io, WR_IO_WRITE);
    wr_io_want(&b.io, WR_IO_WRITE);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(a.calls + b.calls, 1);
    close(fds[0]);
    close(fds[1]);
}

static void free_it(struct wr_io *w, int events)
{
    (void)events;
    wr_io_want(w, 0);
    free(w);
}

static void a_callback_may_free_its_memory(void **state)
{
    struct fixture *f = *state;
    struct noted *n = malloc(sizeof *n);
    int fds[2];
    pair(fds);
    init(n, f, fds[0], free_it);
    wr_io_want(&n->io, WR_IO_WRITE);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(f->drains, 1);
    close(fds[0]);
    close(fds[1]);
}

static void weak_ones_do_not_keep_it_alive(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    int fds[2];
    pair(fds);
    init(&n, f, fds[0], count);
    wr_io_unref(&n.io);
    wr_io_want(&n.io, WR_IO_READ);
    assert_true(wr_loop_run(f->loop));
    wr_io_ref(&n.io);
    wr_io_ref(&n.io);
    assert_true(wr_loop_alive(f->loop));
    wr_io_unref(&n.io);
    wr_io_unref(&n.io);
    assert_false(wr_loop_alive(f->loop));
    wr_loop_ref(f->loop);
    assert_int_equal(write(fds[1], "x", 1), 1);
    wr_loop_turn(f->loop, true);
    assert_int_equal(n.calls, 1);
    wr_loop_unref(f->loop);
    wr_io_want(&n.io, 0);
    wr_io_ref(&n.io);
    close(fds[0]);
    close(fds[1]);
}

static void a_borrowed_loop_is_held_by_what_is_wanted_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct noted n, weak;
    int fds[2];
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    pair(fds);
    init(&weak, &f, fds[0], count);
    wr_io_unref(&weak.io);
    wr_io_want(&weak.io, WR_IO_READ);
    ev_run(ev, 0);
    init(&n, &f, fds[0], once);
    wr_io_want(&n.io, WR_IO_WRITE);
    ev_run(ev, 0);
    assert_int_equal(n.calls, 1);
    wr_io_want(&weak.io, 0);
    close(fds[0]);
    close(fds[1]);
    close_on(&f);
    ev_run(ev, 0);
    ev_loop_destroy(ev);
}

static void a_regular_file_is_always_ready(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    char path[] = "/tmp/weir-io-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    init(&n, f, fd, once);
    wr_io_want(&n.io, WR_IO_READ);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.calls, 1);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(readable_comes_every_turn_while_wanted),
        loop_test(wants_can_change),
        loop_test(two_watch_one_descriptor),
        loop_test(one_that_is_stopped_is_not_called_any_more),
        loop_test(a_callback_may_free_its_memory),
        loop_test(weak_ones_do_not_keep_it_alive),
        cmocka_unit_test(a_borrowed_loop_is_held_by_what_is_wanted_alone),
        loop_test(a_regular_file_is_always_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
