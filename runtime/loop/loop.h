/* SPDX-License-Identifier: MIT */
/* Time and waiting: one libev loop, its own or the host's, and what weir wants of it.
 *
 * Order, Node's: within a turn, timers that are due, then descriptors that are ready, then immediates. After every
 * callback of the room (descriptor, timer, immediate, signal, done of a job) the drain hook is called, once, when the
 * outermost one has returned; it runs the tick queue, which the loop itself does not know. A hook that has spent its
 * budget says that there is more: the loop then polls without blocking, serves what is ready and calls it again.
 *
 * Nothing here calls back before its own return: what a start function learns at once is the caller's to put on the
 * tick queue.
 *
 * What keeps the loop alive is counted here and not by libev: started handles that are not unreferenced, jobs,
 * references of wr_loop_ref, and ticks that are waiting. libev gets all of weir's watchers unreferenced, and one
 * reference as long as that count is not 0, so the ev_run of a host whose loop was borrowed returns when neither has
 * anything left.
 *
 * One loop is one thread: every function of the room must be called on the thread that runs it, except where it is
 * said. libev aborts the process when it gets no memory (ev_set_allocator is process-wide, hence the command's to
 * call).
 */
#ifndef WR_LOOP_LOOP_H
#define WR_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"
#include "sys.h"

struct ev_loop;
struct wr_loop;

/* Runs what waits on the tick queue. Answers true when it stopped because its budget was spent, and more is waiting.
 * May call anything of the room but run, turn and free. */
typedef bool wr_loop_drain_fn(void *user);

/* A loop on BORROWED, which the host runs and frees (after wr_loop_free), or with NULL on one of its own. Two loops in
 * one process are independent; they may share one BORROWED. A and SYS must outlive it. NULL: no memory or no
 * descriptors. */
struct wr_loop *wr_loop_new(struct wr_alloc *a, const struct wr_sys *sys, struct ev_loop *borrowed);

/* Frees LOOP. Every handle on it must have been stopped, its pool freed. Not from a callback. NULL does nothing. */
void wr_loop_free(struct wr_loop *loop);

/* Sets the drain hook; FN NULL: none. */
void wr_loop_on_drain(struct wr_loop *loop, wr_loop_drain_fn *fn, void *user);

/* The allocator and the system calls that LOOP was made with, and libev's loop under it. */
struct wr_alloc *wr_loop_alloc(const struct wr_loop *loop);
const struct wr_sys *wr_loop_sys(const struct wr_loop *loop);
struct ev_loop *wr_loop_ev(const struct wr_loop *loop);

/* Runs turns until nothing keeps LOOP alive (answers true) or wr_loop_stop was called (false). On a borrowed loop the
 * host's watchers are served meanwhile. Not from a callback: see wr_loop_inside. */
bool wr_loop_run(struct wr_loop *loop);

/* One turn: waits for the first event if BLOCK and anything keeps LOOP alive, else only looks. Answers whether LOOP is
 * still alive. Not from a callback. */
bool wr_loop_turn(struct wr_loop *loop, bool block);

/* Makes wr_loop_run return at the end of this turn, or at once if called before it. The ev_run of a host is his. */
void wr_loop_stop(struct wr_loop *loop);

/* Does anything keep LOOP alive? */
bool wr_loop_alive(const struct wr_loop *loop);

/* Is a callback of LOOP, or its drain hook, running? */
bool wr_loop_inside(const struct wr_loop *loop);

/* One more, one fewer reason to stay alive. */
void wr_loop_ref(struct wr_loop *loop);
void wr_loop_unref(struct wr_loop *loop);

/* Brackets a stretch of work that is not a callback of the room (the script's main chunk; a host's callback that uses
 * streams), as the room brackets its own: they nest, and the outermost leave calls the drain hook before it returns. */
void wr_loop_enter(struct wr_loop *loop);
void wr_loop_leave(struct wr_loop *loop);

/* Something waits on the tick queue. Inside a callback nothing needs to be done (its end drains); else the next turn
 * will not block and begins with the drain hook, and LOOP stays alive until then. Cheap enough to call for every
 * tick. */
void wr_loop_wake(struct wr_loop *loop);

/* The monotonic clock, read afresh: nanoseconds, and milliseconds with a fraction. Its zero means nothing. */
uint64_t wr_loop_hrtime(const struct wr_loop *loop);
double wr_loop_now(const struct wr_loop *loop);

#endif
