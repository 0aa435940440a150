/* SPDX-License-Identifier: MIT */
/* Turns: their order, when the drain hook is called, what keeps a loop alive, and all of it on a host's loop. */
#include <fcntl.h>
#include <unistd.h>

#include <ev.h>

#include "fixture.h"
#include "immediate.h"
#include "io.h"
#include "timer.h"

struct noted_timer {
    struct wr_timer timer;
    struct fixture *f;
    char letter;
};

struct noted_immediate {
    struct wr_immediate immediate;
    struct fixture *f;
    char letter;
};

struct noted_io {
    struct wr_io io;
    struct fixture *f;
    int fds[2];
};

static void timer_came(struct wr_timer *t)
{
    struct noted_timer *n = (struct noted_timer *)t;
    note(n->f, n->letter);
}

static void immediate_came(struct wr_immediate *i)
{
    struct noted_immediate *n = (struct noted_immediate *)i;
    note(n->f, n->letter);
}

static void io_came(struct wr_io *w, int events)
{
    struct noted_io *n = (struct noted_io *)w;
    assert_int_equal(events, WR_IO_READ);
    note(n->f, 'i');
    wr_io_want(w, 0);
}

static void start_timer(struct noted_timer *n, struct fixture *f, char letter, double delay)
{
    n->f = f;
    n->letter = letter;
    wr_timer_init(&n->timer, f->loop, timer_came);
    wr_timer_start(&n->timer, delay, false);
}

static void start_immediate(struct noted_immediate *n, struct fixture *f, char letter)
{
    n->f = f;
    n->letter = letter;
    wr_immediate_init(&n->immediate, f->loop, immediate_came);
    wr_immediate_start(&n->immediate);
}

static void start_io(struct noted_io *n, struct fixture *f)
{
    n->f = f;
    assert_int_equal(pipe2(n->fds, O_NONBLOCK), 0);
    assert_int_equal(write(n->fds[1], "x", 1), 1);
    wr_io_init(&n->io, f->loop, n->fds[0], io_came);
    wr_io_want(&n->io, WR_IO_READ);
}

static void close_io(struct noted_io *n)
{
    wr_io_want(&n->io, 0);
    close(n->fds[0]);
    close(n->fds[1]);
}

static void an_empty_loop_ends_at_once(void **state)
{
    struct fixture *f = *state;
    assert_false(wr_loop_alive(f->loop));
    assert_true(wr_loop_run(f->loop));
    assert_false(wr_loop_turn(f->loop, true));
    assert_int_equal(f->drains, 0);
}

static void *refuse(void *user, void *ptr, size_t old_size, size_t new_size)
{
    (void)user;
    (void)ptr;
    (void)old_size;
    (void)new_size;
    return NULL;
}

static void no_memory_gives_no_loop(void **state)
{
    (void)state;
    struct wr_alloc a;
    wr_alloc_init(&a, refuse, NULL);
    assert_null(wr_loop_new(&a, wr_sys_default(), NULL));
    wr_loop_free(NULL);
}

static void it_knows_what_it_was_made_with(void **state)
{
    struct fixture *f = *state;
    assert_ptr_equal(wr_loop_alloc(f->loop), &f->alloc);
    assert_ptr_equal(wr_loop_sys(f->loop), wr_sys_default());
    assert_non_null(wr_loop_ev(f->loop));
}

static void a_turn_is_timers_then_descriptors_then_immediates(void **state)
{
    struct fixture *f = *state;
    struct noted_timer t, u;
    struct noted_immediate m, n;
    struct noted_io w;
    f->log_drains = true;
    start_immediate(&m, f, 'm');
    start_io(&w, f);
    start_timer(&t, f, 't', 1);
    start_timer(&u, f, 'u', 1);
    start_immediate(&n, f, 'n');
    pass(1);
    wr_loop_turn(f->loop, true);
    assert_string_equal(f->log, "t.u.i.m.n.");
    close_io(&w);
}

static void in_io(struct wr_io *w, int events)
{
    struct noted_io *n = (struct noted_io *)w;
    static struct noted_timer t;
    static struct noted_immediate m;
    (void)events;
    wr_io_want(w, 0);
    start_timer(&t, n->f, 't', 0);
    start_immediate(&m, n->f, 'm');
    pass(1);
}

static void from_io_an_immediate_comes_before_a_timer(void **state)
{
    struct fixture *f = *state;
    struct noted_io w;
    start_io(&w, f);
    wr_io_want(&w.io, 0);
    wr_io_init(&w.io, f->loop, w.fds[0], in_io);
    wr_io_want(&w.io, WR_IO_READ);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "mt");
    close_io(&w);
}

static void the_outermost_leave_drains_once(void **state)
{
    struct fixture *f = *state;
    assert_false(wr_loop_inside(f->loop));
    wr_loop_enter(f->loop);
    wr_loop_enter(f->loop);
    assert_true(wr_loop_inside(f->loop));
    wr_loop_leave(f->loop);
    assert_int_equal(f->drains, 0);
    wr_loop_leave(f->loop);
    assert_int_equal(f->drains, 1);
    assert_false(wr_loop_inside(f->loop));
}

static bool enter_again(void *user)
{
    struct fixture *f = user;
    f->drains++;
    wr_loop_enter(f->loop);
    wr_loop_leave(f->loop);
    wr_loop_wake(f->loop);
    return false;
}

static void a_drain_does_not_drain(void **state)
{
    struct fixture *f = *state;
    wr_loop_on_drain(f->loop, enter_again, f);
    wr_loop_enter(f->loop);
    wr_loop_leave(f->loop);
    assert_int_equal(f->drains, 1);
    assert_false(wr_loop_alive(f->loop));
    wr_loop_on_drain(f->loop, NULL, NULL);
    wr_loop_enter(f->loop);
    wr_loop_leave(f->loop);
    assert_int_equal(f->drains, 1);
}

static void a_wake_from_outside_drains_first(void **state)
{
    struct fixture *f = *state;
    struct noted_timer t;
    f->log_drains = true;
    start_timer(&t, f, 't', 1);
    pass(1);
    wr_loop_wake(f->loop);
    wr_loop_wake(f->loop);
    assert_int_equal(f->drains, 0);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, ".t.");
}

static void a_wake_alone_keeps_the_loop_alive(void **state)
{
    struct fixture *f = *state;
    wr_loop_wake(f->loop);
    assert_true(wr_loop_alive(f->loop));
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(f->drains, 1);
}

static void a_wake_inside_is_served_by_the_leave(void **state)
{
    struct fixture *f = *state;
    wr_loop_enter(f->loop);
    wr_loop_wake(f->loop);
    wr_loop_leave(f->loop);
    assert_int_equal(f->drains, 1);
    assert_false(wr_loop_alive(f->loop));
}

static void a_spent_budget_polls_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct noted_io w;
    f->log_drains = true;
    f->more = 3;
    wr_loop_enter(f->loop);
    wr_loop_leave(f->loop);
    assert_true(wr_loop_alive(f->loop));
    start_io(&w, f);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "..i..");
    close_io(&w);
}

static void waiting_ticks_do_not_stop_a_free(void **state)
{
    (void)state;
    struct fixture f;
    open_on(&f, NULL);
    wr_loop_wake(f.loop);
    wr_loop_free(f.loop);
    assert_int_equal(wr_alloc_balance(&f.alloc), 0);
}

static void references_keep_it_alive(void **state)
{
    struct fixture *f = *state;
    wr_loop_ref(f->loop);
    wr_loop_ref(f->loop);
    wr_loop_unref(f->loop);
    assert_true(wr_loop_turn(f->loop, false));
    wr_loop_unref(f->loop);
    assert_true(wr_loop_run(f->loop));
}

static void stop_it(struct wr_timer *t)
{
    timer_came(t);
    wr_loop_stop(t->loop);
}

static void stop_ends_the_run_after_the_turn(void **state)
{
    struct fixture *f = *state;
    struct noted_timer s, t;
    struct noted_immediate m;
    start_timer(&s, f, 's', 1);
    s.timer.fn = stop_it;
    start_timer(&t, f, 't', 100000);
    assert_false(wr_loop_run(f->loop));
    assert_string_equal(f->log, "s");
    wr_loop_stop(f->loop);
    start_immediate(&m, f, 'm');
    assert_false(wr_loop_run(f->loop));
    assert_string_equal(f->log, "s");
    wr_timer_stop(&t.timer);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "sm");
}

static void the_clock_goes_forward(void **state)
{
    struct fixture *f = *state;
    uint64_t before = wr_loop_hrtime(f->loop);
    double ms = wr_loop_now(f->loop);
    pass(1);
    assert_true(wr_loop_hrtime(f->loop) >= before + 1000000);
    assert_true(wr_loop_now(f->loop) >= ms + 1);
}

/* --- on a host's loop --- */

struct host {
    ev_timer timer;
    struct fixture *f;
};

static void host_came(struct ev_loop *ev, ev_timer *t, int events)
{
    (void)ev;
    (void)events;
    note(((struct host *)t)->f, 'h');
}

static void a_host_is_not_held_by_an_idle_loop(void **state)
{
    (void)state;
    struct fixture f;
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    ev_run(ev, 0);
    struct host h = {.f = &f};
    ev_timer_init(&h.timer, host_came, 0.002, 0.);
    ev_timer_start(ev, &h.timer);
    ev_run(ev, 0);
    assert_string_equal(f.log, "h");
    assert_int_equal(f.drains, 0);
    close_on(&f);
    ev_run(ev, 0);
    ev_loop_destroy(ev);
}

static void a_host_runs_all_that_is_alive(void **state)
{
    (void)state;
    struct fixture f;
    struct noted_timer t, weak;
    struct noted_immediate m;
    struct noted_io w;
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    start_timer(&t, &f, 't', 5);
    start_timer(&weak, &f, 'w', 100000);
    wr_timer_unref(&weak.timer);
    start_immediate(&m, &f, 'm');
    start_io(&w, &f);
    wr_loop_wake(f.loop);
    f.log_drains = true;
    f.more = 1;
    ev_run(ev, 0);
    assert_string_equal(f.log, ".i.m.t.");
    wr_timer_stop(&weak.timer);
    close_io(&w);
    close_on(&f);
    ev_loop_destroy(ev);
}

static void a_borrowed_loop_can_be_run_too(void **state)
{
    (void)state;
    struct fixture f;
    struct noted_timer t;
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    struct host h = {.f = &f};
    ev_timer_init(&h.timer, host_came, 100., 0.);
    ev_timer_start(ev, &h.timer);
    start_timer(&t, &f, 't', 1);
    assert_true(wr_loop_run(f.loop));
    assert_string_equal(f.log, "t");
    ev_timer_stop(ev, &h.timer);
    close_on(&f);
    ev_loop_destroy(ev);
}

static void two_loops_share_a_host(void **state)
{
    (void)state;
    struct fixture f, g;
    struct noted_timer t, u;
    struct noted_immediate m, n;
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    open_on(&g, ev);
    start_timer(&t, &f, 't', 1);
    start_immediate(&m, &f, 'm');
    start_timer(&u, &g, 'u', 2);
    start_immediate(&n, &g, 'n');
    ev_run(ev, 0);
    assert_string_equal(f.log, "mt");
    assert_string_equal(g.log, "nu");
    close_on(&f);
    start_immediate(&n, &g, 'n');
    ev_run(ev, 0);
    assert_string_equal(g.log, "nun");
    close_on(&g);
    ev_loop_destroy(ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(an_empty_loop_ends_at_once),
        cmocka_unit_test(no_memory_gives_no_loop),
        loop_test(it_knows_what_it_was_made_with),
        loop_test(a_turn_is_timers_then_descriptors_then_immediates),
        loop_test(from_io_an_immediate_comes_before_a_timer),
        loop_test(the_outermost_leave_drains_once),
        loop_test(a_drain_does_not_drain),
        loop_test(a_wake_from_outside_drains_first),
        loop_test(a_wake_alone_keeps_the_loop_alive),
        loop_test(a_wake_inside_is_served_by_the_leave),
        loop_test(a_spent_budget_polls_and_goes_on),
        cmocka_unit_test(waiting_ticks_do_not_stop_a_free),
        loop_test(references_keep_it_alive),
        loop_test(stop_ends_the_run_after_the_turn),
        loop_test(the_clock_goes_forward),
        cmocka_unit_test(a_host_is_not_held_by_an_idle_loop),
        cmocka_unit_test(a_host_runs_all_that_is_alive),
        cmocka_unit_test(a_borrowed_loop_can_be_run_too),
        cmocka_unit_test(two_loops_share_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
