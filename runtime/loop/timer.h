/* SPDX-License-Identifier: MIT */
/* Timers in milliseconds, with the rules of Node's setTimeout and setInterval.
 *
 * A delay below 1, above 2^31 - 1 or not a number is 1; fractions are cut off. A timer never fires early, counted from
 * the call that started it. Timers that are due fire in the order of their deadlines, equal ones in the order in which
 * they were started, each followed by the drain hook. One that is started meanwhile waits for a later turn.
 *
 * The timers of a loop are one pairing heap through the timers themselves, under a single watcher of libev's: starting
 * and stopping cannot fail for want of memory, and takes constant time for a timer that is stopped before it was due.
 */
#ifndef WR_LOOP_TIMER_H
#define WR_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "heap.h"
#include "loop.h"

struct wr_timer;

/* T is due. One-shot timers are stopped by then, repeating ones started anew. May do anything with T: start, stop, free
 * the memory around it (a repeating one after a stop). */
typedef void wr_timer_fn(struct wr_timer *t);

struct wr_timer {
    struct wr_heap_node node;
    struct wr_loop *loop;
    wr_timer_fn *fn;
    uint64_t repeat; /* nanoseconds; 0: one shot */
    bool weak;       /* does not keep the loop alive */
};

/* Sets T up, stopped. */
void wr_timer_init(struct wr_timer *t, struct wr_loop *loop, wr_timer_fn *fn);

/* Starts T, once more from now if it was started. REPEAT: it fires every DELAY milliseconds, counted from the beginning
 * of the callback before. */
void wr_timer_start(struct wr_timer *t, double delay, bool repeat);

/* Stops T; nothing happens if it was not started. */
void wr_timer_stop(struct wr_timer *t);

/* Is T started? */
bool wr_timer_active(const struct wr_timer *t);

/* Whether T keeps its loop alive while it is started: it does until unref is called. Both are idempotent. */
void wr_timer_ref(struct wr_timer *t);
void wr_timer_unref(struct wr_timer *t);

#endif
