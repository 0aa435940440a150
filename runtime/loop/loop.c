/* SPDX-License-Identifier: MIT */
/* The turn. libev's own order within one is: prepare watchers, the poll, then what is pending by priority. Timers get a
 * higher priority than descriptors, and the check watcher that runs immediates the lowest, which makes Node's order.
 *
 * The same four watchers serve a loop of our own and a borrowed one; whoever calls ev_run, weir notices nothing.
 * Reasons not to block are an idle watcher and not EVRUN_NOWAIT, because the flags of a host's ev_run are not ours.
 */
#include <assert.h>

#include "immediate.h"
#include "inside.h"
#include "timer.h"

static void drain(struct wr_loop *loop)
{
    bool more = loop->drain && loop->drain(loop->drain_user);
    if (more == loop->waiting)
        return;
    loop->waiting = more;
    if (more)
        wr_loop_spin(loop);
    else
        wr_loop_unspin(loop);
}

static void before_poll(struct ev_loop *ev, ev_prepare *w, int events)
{
    (void)ev;
    (void)events;
    struct wr_loop *loop = w->data;
    if (!loop->waiting)
        return;
    wr_loop_enter(loop);
    wr_loop_leave(loop);
}

static void after_all(struct ev_loop *ev, ev_check *w, int events)
{
    (void)ev;
    (void)events;
    wr_immediate_run(w->data);
}

static void nothing(struct ev_loop *ev, ev_idle *w, int events)
{
    (void)ev;
    (void)w;
    (void)events;
}

static void attach(struct wr_loop *loop)
{
    ev_prepare_init(&loop->prepare, before_poll);
    loop->prepare.data = loop;
    ev_prepare_start(loop->ev, &loop->prepare);
    wr_loop_started(loop);

    ev_check_init(&loop->check, after_all);
    ev_set_priority(&loop->check, EV_MINPRI);
    loop->check.data = loop;
    ev_check_start(loop->ev, &loop->check);
    wr_loop_started(loop);

    ev_idle_init(&loop->idle, nothing);
    ev_set_priority(&loop->idle, EV_MINPRI);
    wr_timer_attach(loop);
}

static void detach(struct wr_loop *loop)
{
    if (loop->waiting)
        wr_loop_unspin(loop);
    assert(loop->refs == 0 && "a handle must be stopped, a job done, before its loop is freed");
    wr_timer_detach(loop);
    wr_loop_stopping(loop);
    ev_check_stop(loop->ev, &loop->check);
    wr_loop_stopping(loop);
    ev_prepare_stop(loop->ev, &loop->prepare);
}

struct wr_loop *wr_loop_new(struct wr_alloc *a, const struct wr_sys *sys, struct ev_loop *borrowed)
{
    struct wr_loop *loop = wr_alloc_zero(a, sizeof *loop);
    if (!loop)
        return NULL;
    loop->alloc = a;
    loop->sys = sys;
    loop->own = !borrowed;
    loop->ev = borrowed ? borrowed : ev_loop_new(EVFLAG_AUTO);
    if (!loop->ev) {
        wr_alloc_free(a, loop, sizeof *loop);
        return NULL;
    }
    wr_heap_init(&loop->timers);
    wr_list_init(&loop->immediates);
    attach(loop);
    return loop;
}

void wr_loop_free(struct wr_loop *loop)
{
    if (!loop)
        return;
    assert(loop->depth == 0 && "a loop is not freed from its own callback");
    detach(loop);
    if (loop->own)
        ev_loop_destroy(loop->ev);
    wr_alloc_free(loop->alloc, loop, sizeof *loop);
}

void wr_loop_on_drain(struct wr_loop *loop, wr_loop_drain_fn *fn, void *user)
{
    loop->drain = fn;
    loop->drain_user = user;
}

struct wr_alloc *wr_loop_alloc(const struct wr_loop *loop)
{
    return loop->alloc;
}

const struct wr_sys *wr_loop_sys(const struct wr_loop *loop)
{
    return loop->sys;
}

struct ev_loop *wr_loop_ev(const struct wr_loop *loop)
{
    return loop->ev;
}

bool wr_loop_turn(struct wr_loop *loop, bool block)
{
    assert(loop->depth == 0 && "a loop is not run from its own callback");
    ev_run(loop->ev, block && loop->refs ? EVRUN_ONCE : EVRUN_NOWAIT);
    return loop->refs > 0;
}

bool wr_loop_run(struct wr_loop *loop)
{
    while (!loop->stopping && loop->refs)
        wr_loop_turn(loop, true);
    bool dry = !loop->stopping;
    loop->stopping = false;
    return dry;
}

void wr_loop_stop(struct wr_loop *loop)
{
    loop->stopping = true;
}

bool wr_loop_alive(const struct wr_loop *loop)
{
    return loop->refs > 0;
}

bool wr_loop_inside(const struct wr_loop *loop)
{
    return loop->depth > 0;
}

void wr_loop_ref(struct wr_loop *loop)
{
    if (loop->refs++ == 0)
        ev_ref(loop->ev);
}

void wr_loop_unref(struct wr_loop *loop)
{
    assert(loop->refs > 0 && "a reference was given back twice");
    if (--loop->refs == 0)
        ev_unref(loop->ev);
}

void wr_loop_spin(struct wr_loop *loop)
{
    wr_loop_ref(loop);
    if (loop->spins++ > 0)
        return;
    ev_idle_start(loop->ev, &loop->idle);
    wr_loop_started(loop);
}

void wr_loop_unspin(struct wr_loop *loop)
{
    if (--loop->spins == 0) {
        wr_loop_stopping(loop);
        ev_idle_stop(loop->ev, &loop->idle);
    }
    wr_loop_unref(loop);
}

void wr_loop_enter(struct wr_loop *loop)
{
    loop->depth++;
}

void wr_loop_leave(struct wr_loop *loop)
{
    assert(loop->depth > 0 && "a leave without its enter");
    if (loop->depth == 1)
        drain(loop);
    loop->depth--;
}

void wr_loop_wake(struct wr_loop *loop)
{
    if (loop->depth > 0 || loop->waiting)
        return;
    loop->waiting = true;
    wr_loop_spin(loop);
}

uint64_t wr_loop_hrtime(const struct wr_loop *loop)
{
    struct timespec now = {0, 0};
    loop->sys->clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double wr_loop_now(const struct wr_loop *loop)
{
    return (double)wr_loop_hrtime(loop) / 1e6;
}
