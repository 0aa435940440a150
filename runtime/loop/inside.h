/* SPDX-License-Identifier: MIT */
/* What the files of this room share: the loop's struct, and the few moves on which all rest. For loop/ alone. */
#ifndef WR_LOOP_INSIDE_H
#define WR_LOOP_INSIDE_H

#include <ev.h>

#include "heap.h"
#include "list.h"
#include "loop.h"

struct wr_loop {
    struct wr_alloc *alloc;
    const struct wr_sys *sys;
    struct ev_loop *ev;
    bool own; /* ev is ours */
    bool stopping;
    bool waiting; /* ticks wait for the drain hook: a reason to spin */

    wr_loop_drain_fn *drain;
    void *drain_user;
    unsigned depth; /* of callbacks; 1 while the hook runs */

    size_t refs;  /* reasons to stay alive; the first holds a reference on ev */
    size_t spins; /* reasons not to block, each a reason to stay alive too; the first starts `idle` */

    ev_prepare prepare; /* drains before the poll */
    ev_check check;     /* runs immediates, last in the turn */
    ev_idle idle;       /* does nothing but keep the poll from blocking */

    ev_timer timer; /* for the first of `timers` */
    struct wr_heap timers;
    uint64_t armed; /* the deadline that `timer` waits for; UINT64_MAX: it is not started */

    struct wr_list immediates;
};

/* Every watcher of weir is started and stopped within these, so that libev does not count it. They hold also when libev
 * has stopped the watcher itself (one of a bad descriptor, where libev is built without asserts). */
static inline void wr_loop_started(struct wr_loop *loop)
{
    ev_unref(loop->ev);
}

static inline void wr_loop_stopping(struct wr_loop *loop)
{
    ev_ref(loop->ev);
}

/* One more, one fewer reason not to block in the poll. */
void wr_loop_spin(struct wr_loop *loop);
void wr_loop_unspin(struct wr_loop *loop);

/* The parts that loop.c puts together. attach readies the part's watchers, detach stops them. */
void wr_timer_attach(struct wr_loop *loop);
void wr_timer_detach(struct wr_loop *loop);
void wr_immediate_run(struct wr_loop *loop);

#endif
