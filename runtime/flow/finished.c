/* SPDX-License-Identifier: MIT */
/* What Node's end-of-stream does with four listeners is one watch here. The tick that answers for a stream that is over
 * already refers to the watch through the stream's row of watches, so that a watch may be cleared while its tick waits. */
#include <stddef.h>

#include "tick.h"
#include "writable.h"

#include "readable.h"

#include "finished.h"

#define BIT(ev) (1u << WR_EV_##ev)
#define SELF(w) ((struct wr_finished *)(void *)((char *)(w)-offsetof(struct wr_finished, watch)))

bool wr_finished_has_readable(const struct wr_stream *s)
{
    return s->has & WR_IS_READABLE && !(s->has & WR_CLOSED_READ);
}

bool wr_finished_has_writable(const struct wr_stream *s)
{
    return s->has & WR_IS_WRITABLE && !(s->has & WR_CLOSED_WRITE);
}

/* Node's isReadableFinished(stream, false): at the end, and nothing left to read. */
static bool read_over(const struct wr_stream *s)
{
    if (s->errored || !wr_finished_has_readable(s))
        return false;
    return s->read == WR_READ_DONE || (s->read == WR_READ_ENDED && wr_readable_length(s) == 0);
}

static bool write_over(const struct wr_stream *s)
{
    if (!wr_finished_has_writable(s))
        return false;
    if (s->write == WR_WRITE_FINISHED)
        return true;
    return !s->errored && s->write >= WR_WRITE_ENDING && wr_writable_length(s) == 0;
}

static bool still_readable(const struct wr_stream *s)
{
    return wr_finished_has_readable(s) && !wr_stream_destroyed(s) && !s->errored && s->read < WR_READ_DONE;
}

static bool still_writable(const struct wr_stream *s)
{
    return wr_finished_has_writable(s) && !wr_stream_destroyed(s) && !s->errored && s->write == WR_WRITE_OPEN;
}

/* Node's properties `readable` and `writable`. */
static bool says_readable(const struct wr_stream *s)
{
    return wr_finished_has_readable(s) && !wr_stream_destroyed(s) && !s->error_emitted && s->read != WR_READ_DONE;
}

static bool says_writable(const struct wr_stream *s)
{
    return still_writable(s);
}

static void answer(struct wr_finished *w, struct wr_error *err)
{
    if (w->called)
        return;
    w->called = true;
    w->fn(w, err);
}

struct wr_error *wr_finished_premature(const struct wr_stream *s, bool readable, bool writable)
{
    struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(WR_E_PREMATURE_CLOSE));
    if (!e->alloc) /* out of memory, and everybody's */
        return e;
    e->origin = s->id;
    if (readable && wr_finished_has_readable(s) && s->read != WR_READ_DONE)
        e->unfinished |= WR_SIDE_READABLE;
    if (writable && wr_finished_has_writable(s) && s->write != WR_WRITE_FINISHED)
        e->unfinished |= WR_SIDE_WRITABLE;
    if (!e->unfinished)
        e->unfinished = (readable ? WR_SIDE_READABLE : 0) | (writable ? WR_SIDE_WRITABLE : 0);
    return e;
}

static void answer_premature(struct wr_finished *w)
{
    struct wr_error *e = wr_finished_premature(w->stream, w->readable, w->writable);
    answer(w, e);
    wr_error_unref(e);
}

static void on_finish(struct wr_finished *w)
{
    struct wr_stream *s = w->stream;
    w->write_done = true;
    if (wr_stream_destroyed(s))
        w->waits_for_close = false;
    if (w->waits_for_close && (!says_readable(s) || w->readable))
        return;
    if (!w->readable || w->read_done)
        answer(w, NULL);
}

static void on_end(struct wr_finished *w)
{
    struct wr_stream *s = w->stream;
    w->read_done = true;
    if (wr_stream_destroyed(s))
        w->waits_for_close = false;
    if (w->waits_for_close && (!says_writable(s) || w->writable))
        return;
    if (!w->writable || w->write_done)
        answer(w, NULL);
}

/* Destroyed before it was done, on a side that is followed: not a success, whatever else is true. */
static bool cut_short(const struct wr_finished *w)
{
    const struct wr_stream *s = w->stream;
    if (!wr_stream_destroyed(s))
        return false;
    return (w->readable && wr_finished_has_readable(s) && s->read != WR_READ_DONE) ||
           (w->writable && wr_finished_has_writable(s) && s->write != WR_WRITE_FINISHED);
}

/* The same as Node sees it: a side that was ended and has nothing left is done. */
static bool cut_off(const struct wr_finished *w)
{
    const struct wr_stream *s = w->stream;
    return (w->readable && !w->read_done && wr_finished_has_readable(s) && !read_over(s)) ||
           (w->writable && !w->write_done && !write_over(s));
}

static void on_close(struct wr_finished *w)
{
    struct wr_stream *s = w->stream;
    w->closed = true;
    if (s->errored)
        answer(w, s->errored);
    else if (w->lenient || !wr_stream_destroyed(s) ? cut_off(w) : cut_short(w))
        answer_premature(w);
    else
        answer(w, NULL);
}

static void on_event(struct wr_watch *watch, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)s;
    struct wr_finished *w = SELF(watch);
    if (ev == WR_EV_END)
        on_end(w);
    else if (ev == WR_EV_FINISH)
        on_finish(w);
    else if (ev == WR_EV_ERROR)
        answer(w, err);
    else
        on_close(w);
}

static void over_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    for (struct wr_watch *watch = t->stream->watches.next; watch != &t->stream->watches; watch = watch->next) {
        if ((intptr_t)watch != t->done.arg)
            continue;
        struct wr_finished *w = SELF(watch);
        if (w->closed)
            on_close(w);
        else if (t->stream->errored)
            answer(w, t->stream->errored);
        else if (!w->lenient && cut_short(w))
            answer_premature(w);
        else
            answer(w, NULL);
        return;
    }
}

static bool over_already(const struct wr_finished *w)
{
    const struct wr_stream *s = w->stream;
    if (w->closed)
        return true;
    if (s->error_emitted)
        return !w->waits_for_close;
    bool no_reads = s->has & WR_IS_READABLE && !still_readable(s); /* of a side that it has */
    bool no_writes = s->has & WR_IS_WRITABLE && !still_writable(s);
    if (!w->readable && (!w->waits_for_close || still_readable(s)) && (w->write_done || no_writes) && !s->pending)
        return true;
    return !w->writable && (!w->waits_for_close || still_writable(s)) && (w->read_done || no_reads);
}

void wr_finished_init(struct wr_finished *w, struct wr_stream *s, bool readable, bool writable, bool errors,
                      void (*fn)(struct wr_finished *w, struct wr_error *err))
{
    *w = (struct wr_finished){
        .stream = wr_stream_ref(s), .fn = fn, .readable = readable, .writable = writable, .added = true};
    w->waits_for_close = s->has & WR_AUTO_DESTROY && s->has & WR_EMIT_CLOSE && !wr_stream_closed(s) &&
                         wr_finished_has_readable(s) == readable && wr_finished_has_writable(s) == writable;
    w->read_done = read_over(s);
    w->write_done = write_over(s);
    w->closed = wr_stream_closed(s);
    w->watch = (struct wr_watch){
        .mask = BIT(END) | BIT(FINISH) | BIT(CLOSE) | (errors ? BIT(ERROR) : 0), .handles = errors, .fn = on_event};
    wr_watch_add(s, &w->watch, false);
    if (over_already(w))
        wr_tick_add(s->flow, over_tick, s, NULL, (struct wr_done){.arg = (intptr_t)&w->watch});
}

void wr_finished_clear(struct wr_finished *w)
{
    if (!w->added)
        return;
    w->added = false;
    w->called = true;
    wr_watch_remove(w->stream, &w->watch);
    wr_stream_unref(w->stream);
}
