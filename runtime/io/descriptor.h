/* SPDX-License-Identifier: MIT */
/* A descriptor: what kind of thing it is, and how it is read and written without blocking, and without a change that
 * others would feel who share it.
 *
 * Standard input and output are shared with the shell and with whatever runs before and after: O_NONBLOCK set on them
 * would stay. So a pipe or terminal is opened once more through /proc/self/fd, which gives an open file of its own;
 * sockets have MSG_DONTWAIT. Only where neither works the flag is set, and taken back in the end. (A poll and then a
 * blocking call was rejected: another process may take what the poll promised.)
 */
#ifndef WR_IO_DESCRIPTOR_H
#define WR_IO_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "sys.h"

enum wr_descriptor_kind {
    WR_DESCRIPTOR_FILE,  /* a call may block and readiness says nothing: for the worker pool */
    WR_DESCRIPTOR_PIPE,  /* a pipe, FIFO or terminal: polled */
    WR_DESCRIPTOR_SOCKET /* polled */
};

struct wr_descriptor {
    const struct wr_sys *sys;
    enum wr_descriptor_kind kind;
    int fd;     /* -1: none */
    int io;     /* what is read and written: fd, or another open file of the same pipe */
    int before; /* the flags of fd before O_NONBLOCK was set on it; -1: it was not */
};

/* No descriptor yet. */
void wr_descriptor_init(struct wr_descriptor *d, const struct wr_sys *sys);

/* D is FD from now on, its kind asked from the system. One that is not open counts as a file: the first call on it says
 * so. */
void wr_descriptor_set(struct wr_descriptor *d, int fd);

/* Must D be polled, that is, are the calls below not for the pool? */
static inline bool wr_descriptor_polled(const struct wr_descriptor *d)
{
    return d->kind != WR_DESCRIPTOR_FILE;
}

/* Makes the calls on a polled D not block; WRITES: it will be written, else read. */
void wr_descriptor_unblock(struct wr_descriptor *d, bool writes);

/* As read and writev, at the offset AT, or, with -1, wherever the descriptor is. */
ssize_t wr_descriptor_read(const struct wr_descriptor *d, void *buf, size_t len, off_t at);
ssize_t wr_descriptor_writev(const struct wr_descriptor *d, const struct iovec *iov, int count, off_t at);

/* Takes back what unblock did; D can be used on, and blocks. */
void wr_descriptor_restore(struct wr_descriptor *d);

/* Restores D, closes the descriptor, and forgets it. 0, or close's error. */
int wr_descriptor_close(struct wr_descriptor *d);

#endif
