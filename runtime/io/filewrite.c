/* SPDX-License-Identifier: MIT */
/* What was written waits in a queue, of which a job takes all there is. Chunks that come through a pipe are answered before they
 * are written, up to AHEAD bytes, so that their source goes on while a job is out, and the next job has more to do; those whose
 * callback somebody waits for, and those that are not piped, when they are written. A later failure fails the stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>

#include "finish.h"
#include "life.h"
#include "tick.h"
#include "writable.h"

#include "filewrite.h"

enum { AHEAD = 256 * 1024, SLICES = 64, AGAIN_MAX = 1000 };

#define WRITER(f) ((struct wr_filewrite *)(void *)((char *)(f)-offsetof(struct wr_filewrite, file)))

static void before_close(struct wr_file *f)
{
    wr_atomic_discard(&WRITER(f)->whole);
}

int wr_filewrite_init(struct wr_filewrite *w, struct wr_stream *s, const struct wr_file_host *host,
                      const struct wr_filewrite_options *o)
{
    struct wr_alloc *a = s->flow->alloc;
    w->flush = o->flush;
    w->at = o->start;
    wr_queue_init(&w->waiting, a);
    wr_queue_init(&w->batch, a);
    w->answered = true;
    if (wr_file_init(&w->file, s, host, o->path, o->fd, o->flags, o->mode))
        return -1;
    w->atomic = o->atomic;
    if (w->atomic) {
        w->file.before_close = before_close;
        wr_atomic_init(&w->whole, host->sys, a);
    }
    return 0;
}

void wr_filewrite_clear(struct wr_filewrite *w)
{
    if (!w->file.host)
        return;
    wr_queue_clear(&w->waiting);
    wr_queue_clear(&w->batch);
    if (w->atomic)
        wr_atomic_discard(&w->whole);
    wr_file_clear(&w->file);
}

static void open_atomic(struct wr_file *f)
{
    struct wr_atomic *a = &WRITER(f)->whole;
    int fd = wr_atomic_open(a, f->path, f->mode);
    f->syscall = a->syscall ? a->syscall : "open";
    f->result = fd < 0 ? fd : 0;
    f->fd = fd < 0 ? -1 : fd;
    if (fd >= 0)
        wr_file_look(f);
}

void wr_filewrite_construct(struct wr_filewrite *w)
{
    wr_file_construct(&w->file, w->atomic ? open_atomic : NULL);
}

/* ---- the batch */

/* How far the batch is written. A job only reads the batch: its slices are dropped on the loop's thread, later. */
struct place {
    uint32_t first; /* slice that is not wholly written */
    size_t offset;  /* in it */
    uint64_t wrote;
};

/* Up to SLICES slices from P on. */
static int gather(const struct wr_filewrite *w, const struct place *p, struct iovec *iov)
{
    int n = 0;
    for (const struct wr_chunk *c; n < SLICES && (c = wr_queue_peek(&w->batch, p->first + (uint32_t)n)); n++) {
        size_t skip = n ? 0 : p->offset;
        iov[n] = (struct iovec){.iov_base = (void *)(c->data + skip), .iov_len = c->len - skip};
    }
    return n;
}

static void advance(const struct wr_filewrite *w, struct place *p, size_t n)
{
    p->wrote += n;
    p->offset += n;
    for (const struct wr_chunk *c; (c = wr_queue_peek(&w->batch, p->first)) && p->offset >= c->len; p->first++)
        p->offset -= c->len;
}

static ssize_t write_some(const struct wr_filewrite *w, const struct iovec *iov, int count, uint64_t wrote)
{
    const struct wr_sys *sys = w->file.host->sys;
    if (w->at >= 0)
        return sys->pwritev(w->file.fd, iov, count, w->at + (off_t)wrote);
    return sys->writev(w->file.fd, iov, count);
}

/* Somebody has made non-blocking what is not waited for by the loop, such as a terminal. */
static void wait_here(const struct wr_file *f)
{
    struct pollfd p = {.fd = f->fd, .events = POLLOUT};
    poll(&p, 1, 100);
}

/* On the pool: all of the batch. */
static void write_work(struct wr_file *f)
{
    struct wr_filewrite *w = WRITER(f);
    struct place p = {.offset = w->offset};
    struct iovec iov[SLICES];
    f->result = 0;
    int again = 0;
    for (int n; f->result == 0 && (n = gather(w, &p, iov)) > 0;) {
        ssize_t got = write_some(w, iov, n, p.wrote);
        if (got > 0) {
            advance(w, &p, (size_t)got);
            again = 0;
        } else if (got == -EAGAIN && ++again < AGAIN_MAX) {
            wait_here(f);
        } else {
            f->result = got < 0 ? (int)got : -EIO;
        }
    }
    w->wrote = p.wrote;
}

/* ---- what became of it */

static void pump(struct wr_filewrite *w);

static void fail(struct wr_filewrite *w, int number, const char *syscall)
{
    struct wr_stream *s = w->file.s;
    struct wr_error *e = wr_file_error(&w->file, number, syscall);
    wr_queue_clear(&w->waiting);
    wr_queue_clear(&w->batch);
    w->offset = 0;
    bool ending = w->ending;
    w->ending = false;
    if (ending) {
        wr_finish_finaled(s, e);
    } else if (!w->answered) {
        w->answered = true;
        wr_writable_done(s, e);
    } else {
        wr_life_fail(s, e, false);
    }
    wr_error_unref(e);
}

static void count(struct wr_filewrite *w, uint64_t n)
{
    w->bytes += n;
    w->at += w->at < 0 ? 0 : (off_t)n;
}

static void after_write(struct wr_file *f)
{
    struct wr_filewrite *w = WRITER(f);
    count(w, w->wrote);
    if (f->result < 0) {
        fail(w, f->result, "write");
        return;
    }
    wr_queue_clear(&w->batch);
    w->offset = 0;
    pump(w);
}

/* ---- without the pool */

static void on_ready(struct wr_file *f)
{
    if (!wr_stream_destroyed(f->s))
        pump(WRITER(f));
}

/* Writes what fits; whether all of the batch is written. */
static bool write_here(struct wr_filewrite *w)
{
    struct wr_file *f = &w->file;
    struct iovec iov[SLICES];
    struct place p = {.offset = w->offset};
    for (int n; (n = gather(w, &p, iov)) > 0;) {
        ssize_t got = wr_file_try_write(f, iov, n);
        int rc = got == -EAGAIN ? wr_file_wait(f, WR_IO_WRITE, on_ready) : got < 0 ? (int)got : 0;
        if (rc < 0)
            fail(w, rc, "write");
        if (got < 0)
            return false;
        count(w, (uint64_t)got);
        advance(w, &p, (size_t)got);
        for (; p.first; p.first--) {
            struct wr_chunk c = wr_queue_take(&w->batch);
            wr_chunk_clear(&c);
        }
        w->offset = p.offset;
    }
    return true;
}

/* ---- the end */

static void final_work(struct wr_file *f)
{
    struct wr_filewrite *w = WRITER(f);
    if (w->atomic) {
        f->result = wr_atomic_commit(&w->whole, f->fd);
        f->syscall = w->whole.syscall ? w->whole.syscall : "rename";
    } else {
        f->syscall = "fsync";
        f->result = f->host->sys->fsync(f->fd);
    }
}

static void after_final(struct wr_file *f)
{
    struct wr_filewrite *w = WRITER(f);
    if (f->result < 0) {
        fail(w, f->result, f->syscall);
        return;
    }
    w->ending = false;
    wr_finish_finaled(f->s, NULL);
}

static void end(struct wr_filewrite *w)
{
    if (w->flush || w->atomic) {
        wr_file_submit(&w->file, final_work, after_final);
        return;
    }
    w->ending = false;
    wr_finish_finaled(w->file.s, NULL);
}

/* ---- */

/* Does anybody wait for the callback of a chunk that is out? */
static bool is_awaited(const struct wr_stream *s)
{
    for (uint32_t i = 0; i < s->w_out; i++)
        if (((const struct wr_done *)wr_fifo_peek(&s->w_dones, i))->fn)
            return true;
    return false;
}

static void answer(struct wr_filewrite *w)
{
    if (w->answered)
        return;
    w->answered = true;
    wr_writable_done(w->file.s, NULL);
}

static void swap(struct wr_filewrite *w)
{
    struct wr_queue q = w->batch;
    w->batch = w->waiting;
    w->waiting = q;
}

/* Begins to write what waits, if nothing is under way. Whether nothing is left to do. */
static bool run(struct wr_filewrite *w)
{
    while (w->batch.count || w->waiting.count) {
        if (!w->batch.count)
            swap(w);
        if (!w->file.polled) {
            wr_file_submit(&w->file, write_work, after_write);
            return false;
        }
        if (!write_here(w))
            return false;
    }
    return true;
}

/* May what came last be answered, though it is not written? */
static bool may_go_on(const struct wr_filewrite *w)
{
    return w->piped && w->file.out && w->waiting.bytes + w->batch.bytes < AHEAD;
}

static bool is_busy(const struct wr_filewrite *w)
{
    return w->file.out || w->file.io.events;
}

/* ---- when the process ends */

/* All of the batch and of what waits, blocking. */
static void flush_here(struct wr_filewrite *w)
{
    struct wr_file *f = &w->file;
    while (w->batch.count || w->waiting.count) {
        if (!w->batch.count)
            swap(w);
        write_work(f);
        count(w, w->wrote);
        wr_queue_clear(&w->batch);
        w->offset = 0;
        if (f->result < 0)
            wr_queue_clear(&w->waiting);
    }
}

/* After anything has changed. An answer may bring more, by this very door. */
static void pump(struct wr_filewrite *w)
{
    if (wr_stream_destroyed(w->file.s))
        return;
    if (w->direct) {
        flush_here(w);
        answer(w);
        return;
    }
    if (is_busy(w) || !run(w)) {
        if (may_go_on(w) && !wr_stream_destroyed(w->file.s))
            answer(w);
        return;
    }
    answer(w);
    if (w->ending && !is_busy(w) && !w->waiting.count)
        end(w);
}

void wr_filewrite_write(struct wr_filewrite *w, uint32_t n)
{
    struct wr_stream *s = w->file.s;
    w->answered = false;
    w->piped = s->flow->moving && !is_awaited(s);
    for (uint32_t i = 0; i < n; i++) {
        struct wr_item item = wr_writable_out(s, i);
        if (item.bytes.len && wr_queue_push(&w->waiting, wr_chunk_ref(&item.bytes))) {
            struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(WR_E_NO_MEMORY));
            w->answered = true;
            wr_writable_done(s, e);
            wr_error_unref(e);
            return;
        }
    }
    pump(w);
}

void wr_filewrite_final(struct wr_filewrite *w)
{
    w->ending = true;
    pump(w);
}

/* What was being written when the stream was destroyed never was, as far as anybody can know. */
static void abandon(struct wr_filewrite *w)
{
    struct wr_stream *s = w->file.s;
    if (w->ending) {
        w->ending = false;
        wr_finish_finaled(s, NULL);
    }
    if (w->answered)
        return;
    struct wr_error *e =
        s->errored ? wr_error_ref(s->errored) : wr_error_new(s->flow->alloc, wr_error_fault(WR_E_DESTROYED));
    w->answered = true;
    wr_writable_done(s, e);
    wr_error_unref(e);
}

static void abandon_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    abandon((struct wr_filewrite *)t->done.arg);
}

static void abandoned(struct wr_file *f)
{
    abandon(WRITER(f));
}

void wr_filewrite_destroy(struct wr_filewrite *w, struct wr_error *err)
{
    struct wr_stream *s = w->file.s;
    wr_queue_clear(&w->waiting);
    w->file.abandoned = abandoned;
    if (!w->file.out && (w->ending || !w->answered))
        wr_tick_add(s->flow, abandon_tick, s, NULL, (struct wr_done){.arg = (intptr_t)w});
    wr_file_destroy(&w->file, err);
}

void wr_filewrite_drain(struct wr_filewrite *w)
{
    struct wr_file *f = &w->file;
    if (w->direct || f->fd < 0 || wr_stream_destroyed(f->s) || !wr_stream_constructed(f->s))
        return;
    bool had = f->out;
    w->direct = true;
    wr_file_unwait(f);
    if (wr_file_settle(f) && had) {
        count(w, w->wrote);
        wr_queue_clear(&w->batch);
        w->offset = 0;
        if (f->result < 0)
            wr_queue_clear(&w->waiting);
    }
    pump(w);
}
