/* SPDX-License-Identifier: MIT */
/* The worker pool: what would hold the loop up is done on another thread.
 *
 * This file is the only one with threads. Jobs are taken first in, first out; threads are started when a job finds none
 * idle, up to the number given, and stay. They block all signals. A job out keeps the loop alive.
 *
 * While a job is out it belongs to the pool: what `work` touches must not be touched by the loop's thread until `done`,
 * and `work` itself touches nothing but its own memory: no Lua, no stream, no reference count, nothing of this room.
 */
#ifndef WR_LOOP_POOL_H
#define WR_LOOP_POOL_H

#include <stdbool.h>

#include "list.h"
#include "loop.h"

struct wr_pool;

/* Embedded in its user's struct, who sets work and done (or calls wr_job_init) before the job is first submitted. */
struct wr_job {
    /* On a thread of the pool. May block. */
    void (*work)(struct wr_job *job);
    /* On the loop's thread, in the order of completion, and followed by the drain hook. The job is out no more: done
     * may submit it again or free the memory around it. Not to be called from here: wr_pool_free. */
    void (*done)(struct wr_job *job);
    /* For done: 0, or why work was never called: -EAGAIN, no thread to be had; -ECANCELED, the pool was freed. */
    int status;

    struct wr_list link;  /* from here on the pool's */
    struct wr_pool *pool; /* NULL: not out */
    int state;
};

/* A pool for LOOP of at most THREADS threads; 0: as many as there are processors online, at least 2, at most 4. None is
 * started yet. NULL: no memory. */
struct wr_pool *wr_pool_new(struct wr_loop *loop, unsigned threads);

/* Waits for the jobs that are running, then calls done of every job that is out: first of those worked, then, with
 * -ECANCELED, of those that were waiting and of those submitted meanwhile. Before wr_loop_free, not from a callback.
 * NULL does nothing. */
void wr_pool_free(struct wr_pool *pool);

/* A job that is not out. */
void wr_job_init(struct wr_job *job, void (*work)(struct wr_job *job), void (*done)(struct wr_job *job));

/* Gives JOB, which must not be out, to the pool, which owns it until done, or a cancel that succeeds. */
void wr_pool_submit(struct wr_pool *pool, struct wr_job *job);

/* Takes JOB back if it is still waiting for a thread: true, and neither work nor done will be called. False: it runs or
 * has run, and done will be called; or it was not out. */
bool wr_pool_cancel(struct wr_job *job);

/* Is JOB out? */
bool wr_pool_has(const struct wr_job *job);

#endif
