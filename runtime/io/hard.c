/* SPDX-License-Identifier: MIT */
/* One-byte reads, and writes of one byte at least and half of what was asked for at most. */
#include "hard.h"

#ifdef WR_HARD
#include <stdlib.h>

#include "hardmode.h"

static size_t one(size_t len)
{
    return len > 0;
}

static size_t half(size_t len)
{
    return len - len / 2;
}

static ssize_t hard_read(int fd, void *buf, size_t len)
{
    return wr_sys_default()->read(fd, buf, one(len));
}

static ssize_t hard_pread(int fd, void *buf, size_t len, off_t at)
{
    return wr_sys_default()->pread(fd, buf, one(len), at);
}

static ssize_t hard_recv(int fd, void *buf, size_t len, int flags)
{
    return wr_sys_default()->recv(fd, buf, one(len), flags);
}

static ssize_t hard_write(int fd, const void *buf, size_t len)
{
    return wr_sys_default()->write(fd, buf, half(len));
}

static ssize_t hard_pwrite(int fd, const void *buf, size_t len, off_t at)
{
    return wr_sys_default()->pwrite(fd, buf, half(len), at);
}

static ssize_t hard_send(int fd, const void *buf, size_t len, int flags)
{
    return wr_sys_default()->send(fd, buf, half(len), flags);
}

/* The first piece that is not empty, halved. */
static struct iovec shortened(const struct iovec *iov, int count)
{
    int i = 0;
    while (i < count - 1 && iov[i].iov_len == 0)
        i++;
    return (struct iovec){.iov_base = iov[i].iov_base, .iov_len = half(iov[i].iov_len)};
}

static ssize_t hard_writev(int fd, const struct iovec *iov, int count)
{
    struct iovec v = shortened(iov, count);
    return wr_sys_default()->writev(fd, &v, 1);
}

static ssize_t hard_pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    struct iovec v = shortened(iov, count);
    return wr_sys_default()->pwritev(fd, &v, 1, at);
}

static ssize_t hard_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct iovec v = shortened(msg->msg_iov, (int)msg->msg_iovlen);
    struct msghdr m = *msg;
    m.msg_iov = &v;
    m.msg_iovlen = 1;
    return wr_sys_default()->sendmsg(fd, &m, flags);
}

/* For each miserly function its place in the table. */
#define MISERLY(X) X(read) X(pread) X(recv) X(write) X(pwrite) X(send) X(writev) X(pwritev) X(sendmsg)

const struct wr_sys *wr_hard_sys(const struct wr_sys *sys)
{
    if (wr_hardmode_get("io1") < 0)
        return sys;
    struct wr_sys *own = malloc(sizeof *own); /* lives as long as the process, like the default one */
    if (!own)
        return sys;
    *own = *sys;
#define X(name) own->name = hard_##name;
    MISERLY(X)
#undef X
    return own;
}
#else
const struct wr_sys *wr_hard_sys(const struct wr_sys *sys)
{
    return sys;
}
#endif
