/* SPDX-License-Identifier: MIT */
/* Signals: delivered on the loop, never taken from somebody else, and everything as it was before afterwards. */
#include <errno.h>
#include <signal.h>

#include <ev.h>

#include "fixture.h"
#include "signal.h"

struct noted {
    struct wr_signal signal;
    int calls, last;
};

static void came(struct wr_signal *s, int signum)
{
    struct noted *n = (struct noted *)s;
    assert_true(wr_loop_inside(s->loop));
    n->calls++;
    n->last = signum;
    wr_loop_unref(s->loop);
}

static void init(struct noted *n)
{
    memset(n, 0, sizeof *n);
    wr_signal_init(&n->signal, came);
}

static void (*handler_of(int signum))(int)
{
    struct sigaction now;
    sigaction(signum, NULL, &now);
    return now.sa_handler;
}

static void own_handler(int signum)
{
    (void)signum;
}

static void one_is_delivered_on_the_loop(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n);
    assert_int_equal(wr_signal_start(&n.signal, f->loop, SIGUSR1), 0);
    for (int i = 1; i <= 3; i++) {
        wr_loop_ref(f->loop);
        raise(SIGUSR1);
        assert_int_equal(n.calls, i - 1);
        assert_true(wr_loop_run(f->loop));
        assert_int_equal(n.calls, i);
    }
    assert_int_equal(n.last, SIGUSR1);
    assert_int_equal(f->drains, 3);
    wr_signal_stop(&n.signal);
    wr_signal_stop(&n.signal);
    assert_ptr_equal(handler_of(SIGUSR1), SIG_DFL);
}

static void it_does_not_keep_the_loop_alive(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n);
    assert_int_equal(wr_signal_start(&n.signal, f->loop, SIGUSR1), 0);
    assert_true(wr_loop_run(f->loop));
    wr_signal_stop(&n.signal);
}

static void what_was_ignored_is_ignored_again(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n);
    signal(SIGUSR2, SIG_IGN);
    assert_int_equal(wr_signal_start(&n.signal, f->loop, SIGUSR2), 0);
    wr_loop_ref(f->loop);
    raise(SIGUSR2);
    assert_true(wr_loop_run(f->loop));
    wr_signal_stop(&n.signal);
    assert_ptr_equal(handler_of(SIGUSR2), SIG_IGN);
    signal(SIGUSR2, SIG_DFL);
}

static void a_hosts_handler_stays(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n);
    signal(SIGUSR1, own_handler);
    assert_int_equal(wr_signal_start(&n.signal, f->loop, SIGUSR1), -EBUSY);
    assert_ptr_equal(handler_of(SIGUSR1), own_handler);
    wr_signal_stop(&n.signal);
    assert_ptr_equal(handler_of(SIGUSR1), own_handler);
    signal(SIGUSR1, SIG_DFL);
}

static void a_signal_belongs_to_one_loop(void **state)
{
    struct fixture *f = *state, g;
    struct noted n, m;
    init(&n);
    init(&m);
    open_on(&g, NULL);
    assert_int_equal(wr_signal_start(&n.signal, f->loop, SIGUSR1), 0);
    assert_int_equal(wr_signal_start(&m.signal, g.loop, SIGUSR1), -EBUSY);
    assert_int_equal(wr_signal_start(&m.signal, g.loop, SIGUSR2), 0);
    wr_loop_ref(g.loop);
    raise(SIGUSR2);
    assert_true(wr_loop_run(g.loop));
    assert_int_equal(m.calls, 1);
    wr_signal_stop(&m.signal);
    wr_signal_stop(&n.signal);
    assert_int_equal(wr_signal_start(&m.signal, g.loop, SIGUSR1), 0);
    wr_signal_stop(&m.signal);
    close_on(&g);
}

static void what_cannot_be_caught_is_refused(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    const int wrong[] = {SIGKILL, SIGSTOP, 0, -1, 12345};
    init(&n);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(wr_signal_start(&n.signal, f->loop, wrong[i]), -EINVAL);
}

static void one_can_be_fed(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n);
    wr_signal_feed(SIGUSR1);
    assert_int_equal(wr_signal_start(&n.signal, f->loop, SIGUSR1), 0);
    wr_loop_ref(f->loop);
    wr_signal_feed(SIGUSR1);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.calls, 1);
    wr_signal_stop(&n.signal);
}

static void a_borrowed_loop_is_not_held(void **state)
{
    (void)state;
    struct fixture f;
    struct noted n;
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    init(&n);
    assert_int_equal(wr_signal_start(&n.signal, f.loop, SIGUSR1), 0);
    ev_run(ev, 0);
    wr_signal_stop(&n.signal);
    close_on(&f);
    ev_loop_destroy(ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(one_is_delivered_on_the_loop),
        loop_test(it_does_not_keep_the_loop_alive),
        loop_test(what_was_ignored_is_ignored_again),
        loop_test(a_hosts_handler_stays),
        loop_test(a_signal_belongs_to_one_loop),
        loop_test(what_cannot_be_caught_is_refused),
        loop_test(one_can_be_fed),
        cmocka_unit_test(a_borrowed_loop_is_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
