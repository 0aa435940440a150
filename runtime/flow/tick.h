/* SPDX-License-Identifier: MIT */
/* The world that streams live in, and its queue of ticks.
 *
 * A tick is something put off until nobody's code is running: Node's process.nextTick, in one first-in first-out row for all
 * streams, coroutines and the user's own functions. The outermost exit from the host's code drains it.
 */
#ifndef WR_FLOW_TICK_H
#define WR_FLOW_TICK_H

#include "stream.h"

struct wr_tick {
    void (*run)(struct wr_flow *f, struct wr_tick *t);
    struct wr_stream *stream; /* pinned while it waits, or NULL */
    struct wr_error *error;   /* counted, or NULL */
    struct wr_done done;      /* whatever RUN needs; `arg` alone where there is no callback */
};

struct wr_pipeline;
struct wr_run;

struct wr_flow {
    struct wr_alloc *alloc;
    const struct wr_host_ops *host;
    void (*free_stream)(struct wr_stream *s); /* gives the memory of S back */
    /* Ticks wait: see to it that wr_tick_drain is called soon, when nobody's code is running. */
    void (*wake)(struct wr_flow *f);
    /* An edge from SOURCE to DEST was made, or the last one was taken away: while it is there, the host must keep each as long
     * as the other. May be NULL. */
    void (*edge)(struct wr_stream *source, struct wr_stream *dest, bool made);
    /* A relay (pump.h) of COUNT stages, in as many rounds as relay->rounds says (one if not READS). In each, if READS, `read` of the first stage is called until its mark
     * is reached; then the handler of each other stage for the chunks in the ring of the one before. Whoever is called is
     * told to relay->at, and once relay->touched is set nobody else is. NULL: no bursts. */
    void (*burst)(struct wr_stream *const *stages, uint32_t count, bool reads);
    void *user;                  /* the host's */
    uint64_t (*now)(void *user); /* monotonic nanoseconds, for statistics; NULL: no times */
    struct wr_fifo ticks;
    struct wr_fifo wakes; /* ticks that come when no other is left: coroutines that go on, as Node's microtasks */
    struct wr_stream *flow_first, *flow_last; /* streams whose chunks are to flow: one tick runs them all */
    struct wr_fifo idle;       /* streams whose last pin is gone, of which the host is told at the end of the drain */
    struct wr_stream *streams; /* all of them, in a list */
    uint32_t open;             /* how many */
    struct wr_pipeline *pipelines; /* all that are under way */
    struct wr_pipe *dead_pipes;    /* taken away, to be freed in a tick */
    uint32_t moving;               /* pipes that deliver a chunk at this moment */
    bool draining, flowing;        /* flowing: the tick of that row is waiting, or runs */
    bool due;                      /* what a push has left is in that row */
    bool catching_up;              /* wr_pump_catch_up is under way */
    bool one;                      /* one: bursts of one chunk only (WEIR_BURST=1) */
    struct wr_relay *relay;        /* seen by Lua, where its owner keeps it; else `own_relay` */
    struct wr_relay own_relay;
    struct wr_run *run; /* the relay under way, until somebody touches it (pump.c) */
    uint32_t moved;     /* chunks that bursts have moved within this tick, and others that cost as much */
    uint32_t relays;    /* calls of `burst` that have not returned */
    /* A tick was lost, and no other runs: the host must end the run with an out-of-memory error, and clear it. */
    bool no_memory;
};

/* Readies F. HOST, FREE_STREAM and WAKE as above; ONE: everything takes the exact path. */
void wr_flow_init(struct wr_flow *f, struct wr_alloc *a, const struct wr_host_ops *host,
                  void (*free_stream)(struct wr_stream *s), void (*wake)(struct wr_flow *f), bool one);

/* Drops all ticks without running them and gives the room back; streams may outlive it only as memory. */
void wr_flow_clear(struct wr_flow *f);

/* Puts RUN off, with S (may be NULL), ERR (may be NULL; a reference is taken) and DONE.
 * Wakes the host. */
void wr_tick_add(struct wr_flow *f, void (*run)(struct wr_flow *f, struct wr_tick *t), struct wr_stream *s,
                 struct wr_error *err, struct wr_done done);

/* The same, but behind all other ticks, also those still to be made: how a coroutine goes on (Node's promises). */
void wr_tick_add_last(struct wr_flow *f, void (*run)(struct wr_flow *f, struct wr_tick *t), struct wr_done done);

/* Puts wr_readable_flow(S) off. One tick does it for all streams that wait for it. */
void wr_tick_flow(struct wr_stream *s);

/* The same for what a push has left in S's buffer: it crosses before the next tick. */
void wr_tick_flow_due(struct wr_stream *s);

/* The same for S after so many chunks one by one, which count for the drain as much as ticks. */
void wr_tick_flow_on(struct wr_stream *s, uint32_t chunks);

/* Runs ticks until none is left, LIMIT have run or no_memory is set. Whether some are left that can be run. Does nothing when
 * called from inside a tick. */
bool wr_tick_drain(struct wr_flow *f, uint32_t limit);

#endif
