/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors: libev's watchers, uncounted, with the drain after each callback. */
#include "inside.h"
#include "io.h"

static void ready(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)ev;
    struct wr_io *w = (struct wr_io *)watcher;
    struct wr_loop *loop = w->loop;
    wr_loop_enter(loop);
    w->fn(w, events & (WR_IO_READ | WR_IO_WRITE));
    wr_loop_leave(loop);
}

static void stop(struct wr_io *w)
{
    wr_loop_stopping(w->loop);
    ev_io_stop(w->loop->ev, &w->ev);
}

/* Not ev_io_set: it would have libev tell the kernel about a descriptor for which nothing has changed. */
static void start(struct wr_io *w, int events)
{
    ev_io_modify(&w->ev, events);
    ev_io_start(w->loop->ev, &w->ev);
    wr_loop_started(w->loop);
}

void wr_io_init(struct wr_io *w, struct wr_loop *loop, int fd, wr_io_fn *fn)
{
    ev_io_init(&w->ev, ready, fd, 0);
    w->loop = loop;
    w->fn = fn;
    w->events = 0;
    w->weak = false;
}

void wr_io_want(struct wr_io *w, int events)
{
    int before = w->events;
    if (events == before)
        return;
    w->events = events;
    if (before)
        stop(w);
    if (events)
        start(w, events);
    if (w->weak || !before == !events)
        return;
    if (events)
        wr_loop_ref(w->loop);
    else
        wr_loop_unref(w->loop);
}

void wr_io_ref(struct wr_io *w)
{
    if (w->weak && w->events)
        wr_loop_ref(w->loop);
    w->weak = false;
}

void wr_io_unref(struct wr_io *w)
{
    if (!w->weak && w->events)
        wr_loop_unref(w->loop);
    w->weak = true;
}
