/* SPDX-License-Identifier: MIT */
/* Waiting for a descriptor to become readable or writable.
 *
 * Level-triggered: the callback comes in every turn in which the descriptor is ready and the event is wanted. Readiness
 * is a hint; the descriptor must be non-blocking. A regular file is always ready. One descriptor may have several.
 *
 * The descriptor must be open: libev, as Debian builds it, ends the process on one that is not, so whoever takes one
 * from a script asks fstat first. Take all events back before closing it, or libev waits for whoever gets its number
 * next.
 */
#ifndef WR_LOOP_IO_H
#define WR_LOOP_IO_H

#include <ev.h>
#include <stdbool.h>

#include "loop.h"

enum wr_io_events { WR_IO_READ = EV_READ, WR_IO_WRITE = EV_WRITE };

struct wr_io;

/* W's descriptor is ready for EVENTS, a mask of enum wr_io_events; hung up or failed counts as ready, and the call on
 * it says so. May do anything with W, and, when W wants nothing any more, free the memory around it. */
typedef void wr_io_fn(struct wr_io *w, int events);

struct wr_io {
    ev_io ev;
    struct wr_loop *loop;
    wr_io_fn *fn;
    int events; /* wanted */
    bool weak;  /* does not keep the loop alive */
};

/* Sets W up for descriptor FD, which stays the caller's. Nothing is waited for yet, nothing can fail. */
void wr_io_init(struct wr_io *w, struct wr_loop *loop, int fd, wr_io_fn *fn);

/* From now on waits for EVENTS (a mask); 0 stops, and a callback that was about to come does not. Cheap: the kernel is
 * told before the next poll, and only of what has changed by then. */
void wr_io_want(struct wr_io *w, int events);

/* Whether W keeps its loop alive while it waits for something: it does until unref is called. Both are idempotent. */
void wr_io_ref(struct wr_io *w);
void wr_io_unref(struct wr_io *w);

#endif
