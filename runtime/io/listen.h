/* SPDX-License-Identifier: MIT */
/* A listening socket. It keeps its loop alive until it is closed. When no descriptors are left it accepts nothing for a moment: the
 * connections wait in the kernel, and the loop does not spin. */
#ifndef WR_IO_LISTEN_H
#define WR_IO_LISTEN_H

#include "socket.h"

struct wr_listen {
    struct wr_loop *loop;
    const struct wr_sys *sys;
    struct wr_list link; /* in its owner's list */
    int fd;              /* -1: closed */
    struct wr_io io;
    struct wr_timer retry;
    bool busy;                 /* inside a row of `accepted` */
    struct wr_address address; /* a Unix socket's, whose name is removed when it is closed */
    /* A connection FD has come, which is the callee's, and non-blocking. */
    void (*accepted)(struct wr_listen *l, int fd);
    /* L was closed and is not used any more: its memory may go. */
    void (*released)(struct wr_listen *l);
};

/* Readies L (cleared but for the two callbacks). */
void wr_listen_init(struct wr_listen *l, struct wr_loop *loop, const struct wr_sys *sys);

/* Listens on ADDRESS; V6_ONLY: of IPv6, no IPv4 connections. 0, or a negative errno number, and L is as before. */
int wr_listen_open(struct wr_listen *l, const struct wr_address *address, int backlog, bool v6_only);

/* Closes L if it is open; `released` is called now, or when the row of `accepted` is over. */
void wr_listen_close(struct wr_listen *l);

/* Whether L keeps the loop alive. */
void wr_listen_weaken(struct wr_listen *l, bool weak);

#endif
