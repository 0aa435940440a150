/* SPDX-License-Identifier: MIT */
/* Kinds of descriptors, and I/O on them that does not block. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "descriptor.h"

enum { LINK_SIZE = 64 };

void wr_descriptor_init(struct wr_descriptor *d, const struct wr_sys *sys)
{
    *d = (struct wr_descriptor){.sys = sys, .fd = -1, .io = -1, .before = -1};
}

static enum wr_descriptor_kind kind_of(const struct wr_sys *sys, int fd)
{
    struct stat st;
    if (sys->fstat(fd, &st) < 0)
        return WR_DESCRIPTOR_FILE;
    if (S_ISSOCK(st.st_mode))
        return WR_DESCRIPTOR_SOCKET;
    if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && sys->isatty(fd)))
        return WR_DESCRIPTOR_PIPE;
    return WR_DESCRIPTOR_FILE;
}

void wr_descriptor_set(struct wr_descriptor *d, int fd)
{
    d->fd = d->io = fd;
    d->before = -1;
    d->kind = kind_of(d->sys, fd);
}

/* A reader that opens a FIFO by name when no writer is left is told of no end: only what has no name, and terminals,
 * may be opened again for reading. */
static bool may_reopen(const struct wr_descriptor *d, const char *path, bool writes)
{
    char link[LINK_SIZE];
    if (writes)
        return true;
    ssize_t n = d->sys->readlink(path, link, sizeof link);
    return (n >= 5 && !memcmp(link, "pipe:", 5)) || d->sys->isatty(d->fd);
}

static int reopen(const struct wr_descriptor *d, bool writes)
{
    char path[LINK_SIZE];
    snprintf(path, sizeof path, "/proc/self/fd/%d", d->fd);
    if (!may_reopen(d, path, writes))
        return -1;
    return d->sys->open(path, (writes ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY, 0);
}

void wr_descriptor_unblock(struct wr_descriptor *d, bool writes)
{
    if (d->kind != WR_DESCRIPTOR_PIPE || d->io != d->fd || d->before >= 0)
        return;
    int flags = d->sys->fcntl(d->fd, F_GETFL, 0);
    if (flags < 0 || flags & O_NONBLOCK)
        return;
    int again = reopen(d, writes);
    if (again >= 0)
        d->io = again;
    else if (d->sys->fcntl(d->fd, F_SETFL, flags | O_NONBLOCK) >= 0)
        d->before = flags;
}

ssize_t wr_descriptor_read(const struct wr_descriptor *d, void *buf, size_t len, off_t at)
{
    if (d->kind == WR_DESCRIPTOR_SOCKET)
        return d->sys->recv(d->io, buf, len, MSG_DONTWAIT);
    return at < 0 ? d->sys->read(d->io, buf, len) : d->sys->pread(d->io, buf, len, at);
}

ssize_t wr_descriptor_writev(const struct wr_descriptor *d, const struct iovec *iov, int count, off_t at)
{
    if (d->kind == WR_DESCRIPTOR_SOCKET) {
        struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
        return d->sys->sendmsg(d->io, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return at < 0 ? d->sys->writev(d->io, iov, count) : d->sys->pwritev(d->io, iov, count, at);
}

void wr_descriptor_restore(struct wr_descriptor *d)
{
    if (d->io != d->fd)
        d->sys->close(d->io);
    if (d->before >= 0)
        d->sys->fcntl(d->fd, F_SETFL, d->before);
    d->io = d->fd;
    d->before = -1;
}

int wr_descriptor_close(struct wr_descriptor *d)
{
    wr_descriptor_restore(d);
    int fd = d->fd;
    d->fd = d->io = -1;
    return fd < 0 ? 0 : d->sys->close(fd);
}
