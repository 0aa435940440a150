/* SPDX-License-Identifier: MIT */
/* One job at a time belongs to a file, and the stream is pinned while it is out, as while the watcher waits: nobody else may call
 * it. preadv2 and pwritev2 with RWF_NOWAIT are what lets a call not block without changing a descriptor that is shared; where the
 * system or the kind of file does not know them, a poll comes before the call, and of a pipe no more is written than surely fits. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "life.h"
#include "tick.h"

#include "file.h"

enum { FIFO_MS = 20 }; /* between two looks whether a FIFO has got its reader */

static void look_again(struct wr_timer *t);

int wr_file_init(struct wr_file *f, struct wr_stream *s, const struct wr_file_host *host, const char *path, int fd,
                 int flags, mode_t mode)
{
    f->s = s;
    f->host = host;
    f->fd = fd;
    f->flags = flags;
    f->mode = mode;
    wr_timer_init(&f->timer, host->loop, look_again);
    if (!path)
        return 0;
    size_t size = strlen(path) + 1;
    f->path = wr_alloc_get(s->flow->alloc, size);
    if (!f->path)
        return -1;
    memcpy(f->path, path, size);
    return 0;
}

void wr_file_stop(struct wr_file *f)
{
    assert(!f->out && "a file is stopped while its job is out");
    wr_file_unwait(f);
    if (wr_timer_active(&f->timer)) {
        wr_timer_stop(&f->timer);
        wr_stream_unpin(f->s);
    }
    if (f->fd < 0 || !f->path || f->closed)
        return;
    if (f->before_close)
        f->before_close(f);
    f->host->sys->close(f->fd);
    f->closed = true;
}

void wr_file_clear(struct wr_file *f)
{
    if (!f->host)
        return;
    wr_file_stop(f);
    wr_error_unref(f->reason);
    if (f->path)
        wr_alloc_free(f->s->flow->alloc, f->path, strlen(f->path) + 1);
    memset(f, 0, sizeof *f);
}

struct wr_error *wr_file_error(struct wr_file *f, int number, const char *syscall)
{
    if (number < 0)
        number = -number;
    struct wr_error *e = NULL;
    bool names = !strcmp(syscall, "open") || !strcmp(syscall, "rename");
    if (f->host->error)
        e = f->host->error(f, number, syscall, names ? f->path : NULL);
    return e ? e : wr_error_new(f->s->flow->alloc, wr_error_errno(number));
}

/* ---- jobs */

static void close_now(struct wr_file *f);

static void work(struct wr_job *job)
{
    struct wr_file *f = (struct wr_file *)(void *)((char *)job - offsetof(struct wr_file, job));
    f->work(f);
    f->worked = true;
}

static void done(struct wr_job *job)
{
    struct wr_file *f = (struct wr_file *)(void *)((char *)job - offsetof(struct wr_file, job));
    struct wr_stream *s = f->s;
    f->out = false;
    if (!*f->host->closing && !f->settled) {
        if (job->status < 0) /* no thread is to be had */
            f->work(f);
        if (f->doomed) {
            if (f->abandoned)
                f->abandoned(f);
            close_now(f);
        } else {
            f->after(f);
        }
    }
    wr_stream_unpin(s);
}

void wr_file_submit(struct wr_file *f, void (*job)(struct wr_file *f), void (*after)(struct wr_file *f))
{
    assert(!f->out && "two jobs of one file");
    f->work = job;
    f->after = after;
    f->out = true;
    f->worked = false;
    wr_job_init(&f->job, work, done);
    wr_stream_pin(f->s);
    wr_pool_submit(f->host->pool, &f->job);
}

bool wr_file_settle(struct wr_file *f)
{
    const struct timespec moment = {0, 100000};
    if (!f->out || f->settled)
        return true;
    if (wr_pool_cancel(&f->job)) {
        f->out = false;
        wr_stream_unpin(f->s);
        return false;
    }
    while (!f->worked)
        nanosleep(&moment, NULL);
    f->settled = true;
    return true;
}

/* ---- opening */

void wr_file_look(struct wr_file *f)
{
    const struct wr_sys *sys = f->host->sys;
    struct stat st;
    f->blocking = true;
    if (sys->fstat(f->fd, &st))
        return; /* whoever reads or writes will be told */
    f->regular = S_ISREG(st.st_mode);
    f->socket = S_ISSOCK(st.st_mode);
    bool terminal = S_ISCHR(st.st_mode) && sys->isatty(f->fd) == 1;
    bool reads = (f->flags & O_ACCMODE) != O_WRONLY;
    f->polled = S_ISFIFO(st.st_mode) || f->socket || (terminal && reads);
    f->unmet = S_ISFIFO(st.st_mode) && f->path && (f->flags & O_ACCMODE) == O_RDONLY;
    int now = f->polled || f->path ? sys->fcntl(f->fd, F_GETFL, 0) : -1;
    if (!f->polled && now >= 0 && now & O_NONBLOCK)
        sys->fcntl(f->fd, F_SETFL, now & ~O_NONBLOCK); /* the pool waits for a device, else nobody would */
    f->blocking = now < 0 || !(now & O_NONBLOCK);
}

/* O_NONBLOCK, so that a FIFO without its other end does not hold a thread of the pool: a few of them would stop all files.
 * EAGAIN: somebody has a lease of the file, which has to be waited for. */
static int open_without_waiting(const struct wr_file *f, const char *path, int flags)
{
    const struct wr_sys *sys = f->host->sys;
    int fd = sys->open(path, flags | O_NONBLOCK | O_NOCTTY, f->mode);
    return fd == -EAGAIN ? sys->open(path, flags | O_NOCTTY, f->mode) : fd;
}

static bool is_fifo(const struct wr_file *f, const char *path)
{
    struct stat st;
    return f->host->sys->stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

void wr_file_open(struct wr_file *f, const char *path, int flags)
{
    f->syscall = "open";
    int fd = open_without_waiting(f, path, flags);
    f->result = fd < 0 ? fd : 0;
    f->unmet = fd == -ENXIO && is_fifo(f, path);
    if (fd < 0)
        return;
    f->fd = fd;
    wr_file_look(f);
}

static void open_path(struct wr_file *f)
{
    wr_file_open(f, f->path, f->flags);
}

static void after_open(struct wr_file *f);

static void look_again(struct wr_timer *t)
{
    struct wr_file *f = (struct wr_file *)(void *)((char *)t - offsetof(struct wr_file, timer));
    wr_file_submit(f, f->work, after_open);
    wr_stream_unpin(f->s);
}

/* A FIFO has no reader yet. A destroy meanwhile is only known by the stream's state: `construct` is still out. */
static void wait_for_reader(struct wr_file *f)
{
    if (wr_stream_destroyed(f->s)) {
        wr_life_constructed(f->s, NULL);
        return;
    }
    wr_stream_pin(f->s);
    wr_timer_start(&f->timer, FIFO_MS, false);
}

static void after_open(struct wr_file *f)
{
    if (f->result < 0 && f->unmet) {
        wait_for_reader(f);
        return;
    }
    if (f->result < 0) {
        struct wr_error *e = wr_file_error(f, f->result, f->syscall);
        wr_life_constructed(f->s, e);
        wr_error_unref(e);
        return;
    }
    wr_life_constructed(f->s, NULL);
    if (f->host->opened)
        f->host->opened(f);
}

void wr_file_construct(struct wr_file *f, void (*open)(struct wr_file *f))
{
    if (f->fd < 0) {
        wr_file_submit(f, open ? open : open_path, after_open);
        return;
    }
    wr_file_look(f);
    wr_life_constructed(f->s, NULL);
}

/* ---- closing */

static void close_work(struct wr_file *f)
{
    if (f->before_close)
        f->before_close(f);
    f->result = f->host->sys->close(f->fd);
}

static void complete(struct wr_file *f, struct wr_error *err)
{
    struct wr_error *reason = f->reason;
    f->reason = NULL;
    f->closed = true;
    f->fd = -1;
    wr_life_destroyed(f->s, reason ? reason : err);
    wr_error_unref(reason);
}

static void after_close(struct wr_file *f)
{
    struct wr_error *e = f->result < 0 && !f->reason ? wr_file_error(f, f->result, "close") : NULL;
    complete(f, e);
    wr_error_unref(e);
}

static void close_now(struct wr_file *f)
{
    f->doomed = false;
    wr_file_unwait(f);
    if (f->fd < 0 || f->keep)
        complete(f, NULL);
    else
        wr_file_submit(f, close_work, after_close);
}

void wr_file_destroy(struct wr_file *f, struct wr_error *err)
{
    f->reason = wr_error_ref(err);
    if (f->out)
        f->doomed = true;
    else
        close_now(f);
}

/* ---- waiting */

static void on_ready(struct wr_io *w, int events)
{
    (void)events;
    struct wr_file *f = (struct wr_file *)(void *)((char *)w - offsetof(struct wr_file, io));
    struct wr_stream *s = wr_stream_ref(f->s);
    wr_file_unwait(f);
    f->ready(f);
    wr_stream_unref(s);
}

int wr_file_wait(struct wr_file *f, int events, void (*ready)(struct wr_file *f))
{
    struct stat st;
    int rc = f->host->sys->fstat(f->fd, &st); /* libev ends the process on a descriptor that is not open */
    if (rc < 0)
        return rc;
    f->ready = ready;
    if (!f->io.events) {
        wr_io_init(&f->io, f->host->loop, f->fd, on_ready);
        wr_stream_pin(f->s);
    }
    wr_io_want(&f->io, events);
    return 0;
}

void wr_file_unwait(struct wr_file *f)
{
    if (!f->io.events)
        return;
    wr_io_want(&f->io, 0);
    wr_stream_unpin(f->s);
}

/* ---- trying without blocking */

/* These are beside the table, as only the real system can be asked so: one that was handed in by a test is not. */
static bool real(const struct wr_file *f)
{
    return f->host->sys->read == wr_sys_default()->read && f->host->sys->writev == wr_sys_default()->writev;
}

static ssize_t answer(ssize_t n)
{
    return n < 0 ? -errno : n;
}

static bool is_ready(const struct wr_file *f, short events)
{
    struct pollfd p = {.fd = f->fd, .events = events};
    return poll(&p, 1, 0) > 0;
}

static ssize_t read_or_wait(struct wr_file *f, void *buf, size_t len)
{
    return is_ready(f, POLLIN) ? f->host->sys->read(f->fd, buf, len) : -EAGAIN;
}

/* Can what answered N not be asked without blocking? */
static bool unsupported(ssize_t n)
{
    return n == -EOPNOTSUPP || n == -ENOSYS || n == -EINVAL || n == -ESPIPE;
}

ssize_t wr_file_try_read(struct wr_file *f, void *buf, size_t len, off_t at)
{
    if (f->polled && !f->blocking)
        return f->host->sys->read(f->fd, buf, len);
    if (!f->polled && !f->regular)
        return -EOPNOTSUPP;
    ssize_t n = -EOPNOTSUPP;
    if (real(f)) {
        struct iovec v = {.iov_base = buf, .iov_len = len};
        do
            n = answer(preadv2(f->fd, &v, 1, at, RWF_NOWAIT));
        while (n == -EINTR);
    }
    return unsupported(n) && f->polled ? read_or_wait(f, buf, len) : n;
}

static ssize_t send_now(struct wr_file *f, const struct iovec *iov, int count)
{
    struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    return f->host->sys->sendmsg(f->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A pipe that is ready takes this much without blocking. */
static ssize_t write_or_wait(struct wr_file *f, const struct iovec *iov)
{
    if (!is_ready(f, POLLOUT))
        return -EAGAIN;
    size_t len = iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF;
    return f->host->sys->write(f->fd, iov->iov_base, len);
}

ssize_t wr_file_try_write(struct wr_file *f, const struct iovec *iov, int count)
{
    if (f->socket)
        return send_now(f, iov, count);
    if (!f->blocking)
        return f->host->sys->writev(f->fd, iov, count);
    ssize_t n = -EOPNOTSUPP;
    if (real(f)) {
        do
            n = answer(pwritev2(f->fd, iov, count, -1, RWF_NOWAIT));
        while (n == -EINTR);
    }
    return unsupported(n) ? write_or_wait(f, iov) : n;
}
