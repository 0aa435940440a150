/* SPDX-License-Identifier: MIT */
/* What all streams share: references, states, and the telling of events. */
#include <assert.h>
#include <string.h>

#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "pipe.h"
#include "stream.h"

static void init_ring(struct wr_ring *r, int32_t mark)
{
    *r = (struct wr_ring){.mask = 15, .mark = mark};
}

static void link_stream(struct wr_flow *f, struct wr_stream *s)
{
    s->next = f->streams;
    if (s->next)
        s->next->prev = s;
    f->streams = s;
    f->open++;
}

static void unlink_stream(struct wr_stream *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        s->flow->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->flow->open--;
}

void wr_stream_init(struct wr_stream *s, struct wr_flow *f, const struct wr_stream_ops *ops, uint32_t has,
                    int32_t r_mark, int32_t w_mark)
{
    s->sh = &s->own;
    s->own.exact = 1;
    s->flow = f;
    s->ops = ops;
    s->refs = 1;
    s->has = has;
    s->life = has & WR_HAS_CONSTRUCT ? WR_LIFE_CONSTRUCTING : WR_LIFE_OPEN;
    if (has & WR_IS_READABLE)
        s->read = has & WR_CLOSED_READ ? WR_READ_DONE : WR_READ_IDLE;
    if (has & WR_IS_WRITABLE)
        s->write = has & WR_CLOSED_WRITE ? WR_WRITE_FINISHED : WR_WRITE_OPEN;
    s->r = has & WR_IS_TRANSFORM ? 0 : WR_R_SYNC;
    init_ring(&s->sh->r, r_mark);
    init_ring(&s->sh->w, w_mark);
    wr_queue_init(&s->r_bytes, f->alloc);
    wr_queue_init(&s->w_bytes, f->alloc);
    wr_queue_init(&s->w_batch, f->alloc);
    wr_fifo_init(&s->w_dones, f->alloc, sizeof(struct wr_done));
    wr_fifo_init(&s->w_settled, f->alloc, sizeof(struct wr_settled));
    wr_fifo_init(&s->w_ends, f->alloc, sizeof(struct wr_done));
    s->watches.next = s->watches.prev = &s->watches;
    link_stream(f, s);
}

void wr_stream_share(struct wr_stream *s, struct wr_shared *sh)
{
    if (!sh)
        sh = &s->own;
    if (sh != s->sh)
        *sh = *s->sh;
    s->sh = sh;
}

struct wr_stream *wr_stream_ref(struct wr_stream *s)
{
    assert(s->refs && "a stream that is gone is referred to again");
    s->refs++;
    return s;
}

static void clear(struct wr_stream *s)
{
    wr_pipe_drop_all(s);
    unlink_stream(s);
    wr_queue_clear(&s->r_bytes);
    wr_queue_clear(&s->w_bytes);
    wr_queue_clear(&s->w_batch);
    for (uint32_t i = 0; i < s->w_settled.count; i++)
        wr_error_unref(((struct wr_settled *)wr_fifo_peek(&s->w_settled, i))->error);
    wr_fifo_clear(&s->w_dones);
    wr_fifo_clear(&s->w_settled);
    wr_fifo_clear(&s->w_ends);
    wr_error_unref(s->errored);
}

void wr_stream_unref(struct wr_stream *s)
{
    assert(s->refs && "a stream is given back too often");
    if (--s->refs)
        return;
    clear(s);
    s->flow->free_stream(s);
}

void wr_stream_pin(struct wr_stream *s)
{
    if (s->pins++ || s->held)
        return;
    s->held = true;
    wr_stream_ref(s);
    s->flow->host->hold(s, true);
}

/* A stream that is held stays so until the end of the drain: most are pinned again before. */
void wr_stream_unpin(struct wr_stream *s)
{
    assert(s->pins && "a stream is unpinned too often");
    if (--s->pins || s->idling)
        return;
    s->idling = !wr_fifo_push(&s->flow->idle, &s);
    if (!s->idling) {
        s->held = false;
        s->flow->host->hold(s, false);
        wr_stream_unref(s);
    } else if (!s->flow->draining) {
        s->flow->wake(s->flow);
    }
}

void wr_stream_step(struct wr_stream *s, enum wr_machine machine, int event)
{
    uint8_t *state = machine == WR_MACHINE_LIFE ? &s->life : machine == WR_MACHINE_READ ? &s->read : &s->write;
    int next = wr_state_next(machine, *state, event);
    assert(next >= 0 && "a step that the table of states does not have");
    *state = (uint8_t)next;
    if (machine == WR_MACHINE_READ)
        s->sh->ended = next >= WR_READ_ENDED;
}

void wr_stream_check(const struct wr_stream *s)
{
#ifndef NDEBUG
    assert(s->refs && "a door of a stream that is gone");
    assert((wr_stream_destroyed(s) || s->has & WR_OBJECTS_READ || s->sh->r.size == (int32_t)s->r_bytes.bytes) &&
           "readable bytes are miscounted");
    assert(s->pending >= 0 && "more callbacks came back than were promised");
    assert(s->corked >= 0 && "uncorked too often");
    assert((!(s->w & WR_W_HOLDING) || s->has & WR_IS_TRANSFORM) && "only a transform keeps its callback");
#endif
    (void)s;
}

void wr_watch_add(struct wr_stream *s, struct wr_watch *w, bool first)
{
    struct wr_watch *before = first ? s->watches.next : &s->watches;
    w->next = before;
    w->prev = before->prev;
    before->prev->next = w;
    before->prev = w;
}

void wr_watch_remove(struct wr_stream *s, struct wr_watch *w)
{
    for (struct wr_cursor *c = s->cursors; c; c = c->outer)
        if (c->next == w)
            c->next = w->next;
    w->prev->next = w->next;
    w->next->prev = w->prev;
}

static void tell_watches(struct wr_stream *s, enum wr_event ev, struct wr_error *err, bool early)
{
    struct wr_cursor c = {.outer = s->cursors, .next = s->watches.next};
    s->cursors = &c;
    while (c.next != &s->watches) {
        struct wr_watch *w = c.next;
        c.next = w->next;
        if (w->early == early && w->mask & (1u << ev))
            w->fn(w, s, ev, err);
    }
    s->cursors = c.outer;
}

static bool handled(const struct wr_stream *s)
{
    for (const struct wr_watch *w = s->watches.next; w != &s->watches; w = w->next)
        if (w->handles)
            return true;
    return false;
}

/* After destroy() a stream says nothing more of its data (decided difference 3). */
static bool silenced(const struct wr_stream *s, enum wr_event ev)
{
    const uint32_t data =
        1u << WR_EV_DATA | 1u << WR_EV_READABLE | 1u << WR_EV_END | 1u << WR_EV_DRAIN | 1u << WR_EV_FINISH;
    return wr_stream_destroyed(s) && data & (1u << ev);
}

void wr_stream_emit(struct wr_stream *s, enum wr_event ev, const struct wr_item *item, struct wr_stream *other,
                    struct wr_error *err)
{
    bool watched = s->watches.next != &s->watches;
    if ((!watched && !wr_stream_listens(s, ev) && ev != WR_EV_ERROR) || silenced(s, ev))
        return;
    wr_stream_ref(s);
    wr_error_ref(err);
    if (watched)
        tell_watches(s, ev, err, true);
    if (wr_stream_listens(s, ev) || ev == WR_EV_ERROR) {
        struct wr_event_data data = {.item = item, .other = other, .error = err, .handled = handled(s)};
        s->flow->host->event(s, ev, &data);
    }
    if (watched)
        tell_watches(s, ev, err, false);
    wr_error_unref(err);
    wr_stream_unref(s);
}

void wr_stream_tell(struct wr_stream *s, enum wr_event ev, struct wr_error *err, bool early)
{
    wr_stream_check(s);
    wr_stream_ref(s);
    tell_watches(s, ev, err, early);
    wr_stream_unref(s);
}

bool wr_stream_unheard(const struct wr_stream *s)
{
    return !wr_stream_listens(s, WR_EV_ERROR) && !handled(s);
}

void wr_item_drop(struct wr_flow *f, struct wr_item *item)
{
    if (item->object)
        f->host->drop(f, item->object);
    else
        wr_chunk_clear(&item->bytes);
    item->object = 0;
}
