/* SPDX-License-Identifier: MIT */
/* A read is one buffer, of which the slice that was filled goes on without a copy. What the kernel has in its cache is read at
 * once, on the loop's thread, since that costs less than asking another; a few times in a row, then others get their turn.
 * What is not there is read by the pool. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "life.h"
#include "readable.h"
#include "tick.h"

#include "fileread.h"

enum { IN_A_ROW = 8, LEAST = 1 };

#define READER(f) ((struct wr_fileread *)(void *)((char *)(f)-offsetof(struct wr_fileread, file)))

static void stop_turn(struct wr_fileread *r)
{
    if (!r->turning)
        return;
    r->turning = false;
    wr_immediate_stop(&r->turn);
    wr_stream_unpin(r->file.s);
}

static void unwatch(struct wr_fileread *r)
{
    if (r->watching)
        wr_watch_remove(r->file.s, &r->watch);
    r->watching = false;
}

static void on_turn(struct wr_immediate *i);

int wr_fileread_init(struct wr_fileread *r, struct wr_stream *s, const struct wr_file_host *host, const char *path,
                     int fd, int flags, int64_t start, int64_t last, uint32_t size)
{
    r->at = start;
    r->left = last < 0 ? -1 : last - (start < 0 ? 0 : start) + 1;
    r->size = size < LEAST ? LEAST : size;
    wr_immediate_init(&r->turn, host->loop, on_turn);
    return wr_file_init(&r->file, s, host, path, fd, flags, 0666);
}

void wr_fileread_clear(struct wr_fileread *r)
{
    wr_buffer_unref(r->room);
    r->room = NULL;
    wr_file_clear(&r->file);
}

void wr_fileread_construct(struct wr_fileread *r)
{
    wr_file_construct(&r->file, NULL);
}

/* ---- what was read */

/* Of a buffer that was hardly filled a copy is kept, and the buffer for the next read. */
static int slice(struct wr_fileread *r, size_t n, struct wr_chunk *out)
{
    if (n < r->room->size / 2)
        return wr_chunk_copy(r->file.s->flow->alloc, out, r->room->data, n);
    *out = wr_chunk_slice(r->room, 0, n);
    wr_buffer_unref(r->room);
    r->room = NULL;
    return 0;
}

static void fail(struct wr_fileread *r, int number)
{
    struct wr_error *e = wr_file_error(&r->file, number, "read");
    r->asked = false;
    wr_life_fail(r->file.s, e, false);
    wr_error_unref(e);
}

static void give(struct wr_fileread *r, ssize_t n)
{
    struct wr_item item = {0};
    r->asked = false;
    if (n < 0) {
        fail(r, (int)n);
    } else if (n == 0) {
        wr_buffer_unref(r->room);
        r->room = NULL;
        wr_readable_eof(r->file.s);
    } else if (slice(r, (size_t)n, &item.bytes)) {
        wr_life_fail_code(r->file.s, WR_E_NO_MEMORY, false);
    } else {
        r->bytes += (uint64_t)n;
        r->at += r->at < 0 ? 0 : n;
        r->left -= r->left < 0 ? 0 : n;
        wr_readable_push(r->file.s, item);
    }
}

/* ---- reading */

static off_t place(const struct wr_fileread *r)
{
    return r->at < 0 ? -1 : r->at + (off_t)r->filled;
}

static void read_work(struct wr_file *f)
{
    struct wr_fileread *r = READER(f);
    const struct wr_sys *sys = f->host->sys;
    unsigned char *to = r->room->data + r->filled;
    size_t len = r->want - r->filled;
    r->got = r->at < 0 ? sys->read(f->fd, to, len) : sys->pread(f->fd, to, len, place(r));
}

/* An error comes again with the next read, when what is there has been given. */
static void give_filled(struct wr_fileread *r, ssize_t n)
{
    ssize_t filled = (ssize_t)r->filled;
    r->filled = 0;
    give(r, n < 0 && filled ? filled : n < 0 ? n : filled + n);
}

static void after_read(struct wr_file *f)
{
    struct wr_fileread *r = READER(f);
    r->in_a_row = 0;
    give_filled(r, r->got);
}

static void on_ready(struct wr_file *f)
{
    struct wr_fileread *r = READER(f);
    r->in_a_row = 0;
    if (r->asked && !wr_stream_destroyed(f->s))
        wr_fileread_read(r);
}

static void wait(struct wr_fileread *r)
{
    int rc = wr_file_wait(&r->file, WR_IO_READ, on_ready);
    if (rc < 0)
        fail(r, rc);
}

/* Does nobody want what there is? */
static bool idles(const struct wr_fileread *r)
{
    const struct wr_stream *s = r->file.s;
    return r->file.keep && r->file.polled && !r->forced && wr_readable_is_paused(s) &&
           !wr_stream_listens(s, WR_EV_READABLE);
}

/* The read was not begun: the stream will ask again when it goes on. */
static void not_now(struct wr_fileread *r)
{
    r->asked = false;
    if (r->file.s->read == WR_READ_READING)
        wr_stream_step(r->file.s, WR_MACHINE_READ, WR_READ_ON_PUSH);
}

static void on_pause(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)s;
    (void)ev;
    (void)err;
    struct wr_fileread *r = (struct wr_fileread *)(void *)((char *)w - offsetof(struct wr_fileread, watch));
    if (!r->file.io.events)
        return;
    wr_file_unwait(&r->file);
    not_now(r);
}

static void watch(struct wr_fileread *r)
{
    if (r->watching)
        return;
    r->watch = (struct wr_watch){.mask = 1u << WR_EV_PAUSE, .fn = on_pause};
    wr_watch_add(r->file.s, &r->watch, false);
    r->watching = true;
}

static void on_turn(struct wr_immediate *i)
{
    struct wr_fileread *r = (struct wr_fileread *)(void *)((char *)i - offsetof(struct wr_fileread, turn));
    struct wr_stream *s = wr_stream_ref(r->file.s);
    stop_turn(r);
    r->in_a_row = 0;
    wr_fileread_read(r);
    wr_stream_unref(s);
}

static void take_turns(struct wr_fileread *r)
{
    r->turning = true;
    wr_stream_pin(r->file.s);
    wr_immediate_start(&r->turn);
}

static void read_later(struct wr_fileread *r)
{
    if (!r->file.polled) {
        wr_file_submit(&r->file, read_work, after_read);
        return;
    }
    if (r->file.keep)
        watch(r);
    wait(r);
}

void wr_fileread_again(struct wr_fileread *r)
{
    r->forced = true;
    wr_readable_ask(r->file.s, 0);
    r->forced = false;
}

/* What is there: of a file, as much as is wanted, since it may be cached in part. As wr_file_try_read. */
static ssize_t try_all(struct wr_fileread *r)
{
    ssize_t n;
    do {
        n = wr_file_try_read(&r->file, r->room->data + r->filled, r->want - r->filled, place(r));
        if (n <= 0 || r->file.polled)
            return n;
        r->filled += (size_t)n;
    } while (r->filled < r->want);
    return 0;
}

void wr_fileread_read(struct wr_fileread *r)
{
    struct wr_file *f = &r->file;
    if (idles(r)) {
        not_now(r);
        return;
    }
    r->asked = true;
    r->want = r->left >= 0 && r->left < r->size ? (size_t)r->left : r->size;
    if (!r->want) {
        give(r, 0);
        return;
    }
    if (!r->room)
        r->room = wr_buffer_new(f->s->flow->alloc, r->size);
    if (!r->room) {
        wr_life_fail_code(f->s, WR_E_NO_MEMORY, false);
        return;
    }
    if (r->in_a_row == IN_A_ROW) {
        take_turns(r);
        return;
    }
    r->in_a_row++;
    if (f->unmet) { /* before its first writer, a FIFO says that it is at its end */
        f->unmet = false;
        read_later(r);
        return;
    }
    ssize_t n = try_all(r);
    if (n == -EAGAIN || (n < 0 && !f->polled))
        read_later(r);
    else
        give_filled(r, n);
}

void wr_fileread_stop(struct wr_fileread *r)
{
    unwatch(r);
    stop_turn(r);
    wr_file_stop(&r->file);
}

void wr_fileread_destroy(struct wr_fileread *r, struct wr_error *err)
{
    unwatch(r);
    stop_turn(r);
    wr_file_destroy(&r->file, err);
}
