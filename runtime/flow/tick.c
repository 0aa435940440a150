/* SPDX-License-Identifier: MIT */
/* One row of ticks for everything, so that the order between streams, coroutines and the user's own ticks is that of their
 * making, as in Node. A stream is held by the host from its first waiting tick to the end of the drain in which its last one
 * ran: telling the host at each tick would cost as much as the tick. */
#include <assert.h>

#include "pipe.h"
#include "readable.h"

#include "tick.h"

#define FLOWS_A_TICK 256 /* then other ticks get their turn */
#define CHUNKS_A_FLOW 16 /* more of them count as another flow */

void wr_flow_init(struct wr_flow *f, struct wr_alloc *a, const struct wr_host_ops *host,
                  void (*free_stream)(struct wr_stream *s), void (*wake)(struct wr_flow *f), bool one)
{
    *f = (struct wr_flow){.alloc = a, .host = host, .free_stream = free_stream, .wake = wake, .one = one};
    f->relay = &f->own_relay;
    wr_fifo_init(&f->ticks, a, sizeof(struct wr_tick));
    wr_fifo_init(&f->wakes, a, sizeof(struct wr_tick));
    wr_fifo_init(&f->idle, a, sizeof(struct wr_stream *));
}

static void finish_tick(struct wr_tick *t)
{
    if (t->error)
        wr_error_unref(t->error);
    if (t->stream)
        wr_stream_unpin(t->stream);
}

static void release_idle(struct wr_flow *f)
{
    while (f->idle.count) {
        struct wr_stream *s;
        wr_fifo_take(&f->idle, &s);
        s->idling = false;
        if (s->pins)
            continue;
        s->held = false;
        f->host->hold(s, false);
        wr_stream_unref(s);
    }
}

static struct wr_stream *take_flow(struct wr_flow *f)
{
    struct wr_stream *s = f->flow_first;
    f->flow_first = s->flow_next;
    if (!f->flow_first)
        f->flow_last = NULL;
    s->flow_next = NULL;
    s->r &= ~(uint32_t)WR_R_FLOW_SCHEDULED;
    return s;
}

static void drop_flows(struct wr_flow *f)
{
    while (f->flow_first)
        wr_stream_unpin(take_flow(f));
    f->flowing = false;
}

void wr_flow_clear(struct wr_flow *f)
{
    while (f->ticks.count) {
        struct wr_tick t;
        wr_fifo_take(&f->ticks, &t);
        finish_tick(&t);
    }
    drop_flows(f);
    wr_pipe_bury(f);
    release_idle(f);
    wr_fifo_clear(&f->ticks);
    wr_fifo_clear(&f->wakes);
    wr_fifo_clear(&f->idle);
}

void wr_tick_add(struct wr_flow *f, void (*run)(struct wr_flow *f, struct wr_tick *t), struct wr_stream *s,
                 struct wr_error *err, struct wr_done done)
{
    struct wr_tick t = {.run = run, .stream = s, .error = err, .done = done};
    if (wr_fifo_push(&f->ticks, &t)) {
        f->no_memory = true;
        f->wake(f);
        return;
    }
    wr_error_ref(err);
    if (s)
        wr_stream_pin(s);
    if (!f->draining)
        f->wake(f);
}

void wr_tick_add_last(struct wr_flow *f, void (*run)(struct wr_flow *f, struct wr_tick *t), struct wr_done done)
{
    struct wr_tick t = {.run = run, .done = done};
    if (wr_fifo_push(&f->wakes, &t))
        f->no_memory = true;
    if (!f->draining)
        f->wake(f);
}

/* Lets MOST at most of the row flow. */
static void flow_some(struct wr_flow *f, uint32_t most)
{
    for (uint32_t n = 0; n + f->moved / CHUNKS_A_FLOW < most && f->flow_first; n++) {
        struct wr_stream *s = take_flow(f);
        wr_readable_flow(s);
        wr_stream_unpin(s);
    }
}

/* One tick for all that flow: their row is linked through the streams, which costs less than a tick each. */
static void flow_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)t;
    flow_some(f, FLOWS_A_TICK);
    if (f->flow_first)
        wr_tick_add(f, flow_tick, NULL, NULL, (struct wr_done){0});
    else
        f->flowing = false;
}

/* What a push has left in a buffer, and would have crossed at once on the exact path, crosses before the next tick. */
static void flow_due(struct wr_flow *f)
{
    uint32_t n = 0;
    for (const struct wr_stream *s = f->flow_first; s && n < FLOWS_A_TICK; s = s->flow_next)
        n++;
    f->due = false;
    flow_some(f, n);
}

/* Answers what is left of LIMIT: a tick costs one, and so do CHUNKS_A_FLOW chunks. */
static uint32_t run_first(struct wr_flow *f, struct wr_fifo *row, uint32_t limit)
{
    struct wr_tick t;
    f->moved = 0;
    if (f->due)
        flow_due(f);
    wr_fifo_take(row, &t);
    t.run(f, &t);
    finish_tick(&t);
    uint32_t cost = 1 + f->moved / CHUNKS_A_FLOW;
    return cost < limit ? limit - cost : 0;
}

bool wr_tick_drain(struct wr_flow *f, uint32_t limit)
{
    if (f->draining)
        return f->ticks.count || f->wakes.count;
    f->draining = true;
    while (limit && !f->no_memory && (f->ticks.count || f->wakes.count)) {
        while (f->ticks.count && limit && !f->no_memory)
            limit = run_first(f, &f->ticks, limit);
        while (f->wakes.count && limit && !f->no_memory)
            limit = run_first(f, &f->wakes, limit);
    }
    f->draining = false;
    release_idle(f);
    return !f->no_memory && (f->ticks.count || f->wakes.count);
}

void wr_tick_flow_due(struct wr_stream *s)
{
    s->flow->due = true;
    wr_tick_flow(s);
}

void wr_tick_flow_on(struct wr_stream *s, uint32_t chunks)
{
    s->flow->moved += chunks * CHUNKS_A_FLOW;
    wr_tick_flow(s);
}

void wr_tick_flow(struct wr_stream *s)
{
    struct wr_flow *f = s->flow;
    if (s->r & WR_R_FLOW_SCHEDULED)
        return;
    s->r |= WR_R_FLOW_SCHEDULED;
    wr_stream_pin(s);
    if (f->flow_last)
        f->flow_last->flow_next = s;
    else
        f->flow_first = s;
    f->flow_last = s;
    if (f->flowing)
        return;
    f->flowing = true;
    wr_tick_add(f, flow_tick, NULL, NULL, (struct wr_done){0});
}
