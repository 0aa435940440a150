/* SPDX-License-Identifier: MIT */
/* Callbacks at the end of the turn, after timers and descriptors: Node's setImmediate.
 *
 * They come in the order in which they were started, each followed by the drain hook. One that is started while
 * immediates run waits for the next turn.
 */
#ifndef WR_LOOP_IMMEDIATE_H
#define WR_LOOP_IMMEDIATE_H

#include <stdbool.h>

#include "list.h"
#include "loop.h"

struct wr_immediate;

/* I's turn has come, and it is stopped. May do anything with I: start, free the memory around it. */
typedef void wr_immediate_fn(struct wr_immediate *i);

struct wr_immediate {
    struct wr_list link;
    struct wr_loop *loop;
    wr_immediate_fn *fn;
    bool weak; /* does not keep the loop alive */
};

/* Sets I up, stopped. */
void wr_immediate_init(struct wr_immediate *i, struct wr_loop *loop, wr_immediate_fn *fn);

/* Calls back once at the end of this turn, or of the next where immediates already run. Nothing if it was started. */
void wr_immediate_start(struct wr_immediate *i);

/* Takes it back, also from the middle of a run; nothing if it was not started. */
void wr_immediate_stop(struct wr_immediate *i);

/* Is I started? */
bool wr_immediate_active(const struct wr_immediate *i);

/* Whether I keeps its loop alive, and from blocking, while it is started: it does until unref is called. Idempotent. */
void wr_immediate_ref(struct wr_immediate *i);
void wr_immediate_unref(struct wr_immediate *i);

#endif
