/* SPDX-License-Identifier: MIT */
/* Timers: the loop's heap, and one libev timer for the first of them.
 *
 * That timer is armed for the least deadline there was; one that is stopped leaves it armed, and it then finds nothing
 * due and is armed again. It counts from libev's clock, which stands still during a turn, so it may be early by what
 * the turn took: the same happens. It is a repeating one, since a one-shot timer, which libev stops itself, would upset
 * its count of watchers.
 */
#include <stddef.h>

#include "inside.h"
#include "timer.h"

static const uint64_t ns_per_ms = 1000000;
static const double longest = 2147483647; /* milliseconds */

static struct wr_timer *timer_of(struct wr_heap_node *n)
{
    return (struct wr_timer *)((char *)n - offsetof(struct wr_timer, node));
}

/* Makes libev's timer wait for DEADLINE. Nothing is added against its being early: libev rounds up to the milliseconds
 * of epoll, so that the least bit more would cost a millisecond. */
static void arm(struct wr_loop *loop, uint64_t deadline, uint64_t now)
{
    double left = deadline > now ? (double)(deadline - now) / 1e9 : 1e-9;
    bool first = loop->armed == UINT64_MAX;
    loop->armed = deadline;
    loop->timer.repeat = left;
    ev_timer_again(loop->ev, &loop->timer);
    if (first)
        wr_loop_started(loop);
}

static void disarm(struct wr_loop *loop)
{
    if (loop->armed == UINT64_MAX)
        return;
    loop->armed = UINT64_MAX;
    wr_loop_stopping(loop);
    ev_timer_stop(loop->ev, &loop->timer);
}

static void insert(struct wr_timer *t, uint64_t now, uint64_t delay)
{
    struct wr_loop *loop = t->loop;
    uint64_t deadline = now + delay;
    wr_heap_insert(&loop->timers, &t->node, deadline);
    if (deadline < loop->armed)
        arm(loop, deadline, now);
}

/* Calls T back. Afterwards T may be no more. */
static void fire(struct wr_timer *t)
{
    struct wr_loop *loop = t->loop;
    wr_heap_remove(&loop->timers, &t->node);
    if (t->repeat)
        insert(t, wr_loop_hrtime(loop), t->repeat);
    else if (!t->weak)
        wr_loop_unref(loop);
    wr_loop_enter(loop);
    t->fn(t);
    wr_loop_leave(loop);
}

/* Fires what is due at this moment. What is started meanwhile is due later: a delay is never 0. */
static void run(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct wr_loop *loop = w->data;
    uint64_t now = wr_loop_hrtime(loop);
    struct wr_heap_node *n;
    loop->armed = 0; /* nothing started in here needs to arm it */
    while ((n = wr_heap_peek(&loop->timers)) && n->key <= now)
        fire(timer_of(n));
    if (n)
        arm(loop, n->key, wr_loop_hrtime(loop));
    else
        disarm(loop);
}

static uint64_t clamp(double delay)
{
    return delay >= 1 && delay <= longest ? (uint64_t)delay : 1;
}

void wr_timer_attach(struct wr_loop *loop)
{
    loop->armed = UINT64_MAX;
    ev_timer_init(&loop->timer, run, 0., 0.);
    ev_set_priority(&loop->timer, 1);
    loop->timer.data = loop;
}

void wr_timer_detach(struct wr_loop *loop)
{
    disarm(loop);
}

void wr_timer_init(struct wr_timer *t, struct wr_loop *loop, wr_timer_fn *fn)
{
    wr_heap_node_init(&t->node);
    t->loop = loop;
    t->fn = fn;
    t->repeat = 0;
    t->weak = false;
}

void wr_timer_start(struct wr_timer *t, double delay, bool repeat)
{
    if (wr_timer_active(t))
        wr_heap_remove(&t->loop->timers, &t->node);
    else if (!t->weak)
        wr_loop_ref(t->loop);
    uint64_t ns = clamp(delay) * ns_per_ms;
    t->repeat = repeat ? ns : 0;
    insert(t, wr_loop_hrtime(t->loop), ns);
}

void wr_timer_stop(struct wr_timer *t)
{
    if (!wr_timer_active(t))
        return;
    wr_heap_remove(&t->loop->timers, &t->node);
    if (!t->weak)
        wr_loop_unref(t->loop);
}

bool wr_timer_active(const struct wr_timer *t)
{
    return wr_heap_has(&t->node);
}

void wr_timer_ref(struct wr_timer *t)
{
    if (t->weak && wr_timer_active(t))
        wr_loop_ref(t->loop);
    t->weak = false;
}

void wr_timer_unref(struct wr_timer *t)
{
    if (!t->weak && wr_timer_active(t))
        wr_loop_unref(t->loop);
    t->weak = true;
}
