/* SPDX-License-Identifier: MIT */
/* A callback may close the server and drop the last reference to it: so it is released only after the row of connections that
 * one turn accepts. To keep a spare descriptor for refusing connections was rejected: they are served a moment later instead. */
#include <errno.h>
#include <stddef.h>

#include "listen.h"

enum { IN_A_ROW = 32, PAUSE = 100 /* ms */ };

static void on_ready(struct wr_io *w, int events);
static void on_retry(struct wr_timer *t);

void wr_listen_init(struct wr_listen *l, struct wr_loop *loop, const struct wr_sys *sys)
{
    l->loop = loop;
    l->sys = sys;
    l->fd = -1;
    wr_list_init(&l->link);
    wr_timer_init(&l->retry, loop, on_retry);
}

static int prepare(struct wr_listen *l, int fd, const struct wr_address *a, int backlog, bool v6_only)
{
    const int on = 1, only = v6_only;
    int rc = 0;
    if (a->any.sa_family != AF_UNIX)
        rc = l->sys->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (rc == 0 && a->any.sa_family == AF_INET6)
        rc = l->sys->setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (rc == 0)
        rc = l->sys->bind(fd, &a->any, a->len);
    return rc == 0 ? l->sys->listen(fd, backlog) : rc;
}

int wr_listen_open(struct wr_listen *l, const struct wr_address *address, int backlog, bool v6_only)
{
    int fd = l->sys->socket(address->any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return fd;
    int rc = prepare(l, fd, address, backlog, v6_only);
    if (rc < 0) {
        l->sys->close(fd);
        return rc;
    }
    l->fd = fd;
    l->address = *address;
    wr_io_init(&l->io, l->loop, fd, on_ready);
    wr_io_want(&l->io, WR_IO_READ);
    return 0;
}

static bool out_of_something(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM;
}

/* Accepts one. Is there perhaps another? */
static bool accept_one(struct wr_listen *l)
{
    int fd = l->sys->accept4(l->fd, NULL, NULL, 0);
    if (out_of_something(fd)) {
        wr_io_want(&l->io, 0);
        wr_timer_start(&l->retry, PAUSE, false);
        return false;
    }
    if (fd >= 0)
        l->accepted(l, fd);
    return fd != -EAGAIN; /* other errors are those of one connection that has gone */
}

static void on_ready(struct wr_io *w, int events)
{
    (void)events;
    struct wr_listen *l = (struct wr_listen *)(void *)((char *)w - offsetof(struct wr_listen, io));
    l->busy = true;
    for (int i = 0; i < IN_A_ROW && l->fd >= 0; i++)
        if (!accept_one(l))
            break;
    l->busy = false;
    if (l->fd < 0 && l->released)
        l->released(l);
}

static void on_retry(struct wr_timer *t)
{
    struct wr_listen *l = (struct wr_listen *)(void *)((char *)t - offsetof(struct wr_listen, retry));
    wr_io_want(&l->io, WR_IO_READ);
}

/* The name of a Unix socket goes with it, as in Node. */
static void remove_name(struct wr_listen *l)
{
    if (l->address.any.sa_family == AF_UNIX && l->address.local.sun_path[0])
        l->sys->unlink(l->address.local.sun_path);
}

void wr_listen_close(struct wr_listen *l)
{
    if (l->fd < 0)
        return;
    wr_io_want(&l->io, 0);
    wr_timer_stop(&l->retry);
    remove_name(l);
    l->sys->close(l->fd);
    l->fd = -1;
    wr_list_remove(&l->link);
    if (!l->busy && l->released)
        l->released(l);
}

void wr_listen_weaken(struct wr_listen *l, bool weak)
{
    if (weak) {
        wr_io_unref(&l->io);
        wr_timer_unref(&l->retry);
    } else {
        wr_io_ref(&l->io);
        wr_timer_ref(&l->retry);
    }
}
