/* SPDX-License-Identifier: MIT */
/* Pipes. An edge follows its two ends by watches, so that no listener of the user's is ever displaced or left behind. While
 * edges deliver a chunk (flow->moving), what the destination pushes may have to wait for a tick. */
#include <assert.h>
#include <stddef.h>

#include "life.h"
#include "pump.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "pipe.h"

static const struct wr_done NOBODY = {0};

#define EDGE(w, field) ((struct wr_pipe *)(void *)((char *)(w)-offsetof(struct wr_pipe, field)))
#define BIT(ev) (1u << WR_EV_##ev)

static void free_edge(struct wr_flow *f, struct wr_pipe *p)
{
    wr_stream_unref(p->dest);
    wr_alloc_free(f->alloc, p, sizeof *p);
}

/* ---- who is waited for */

static bool anybody_waiting(const struct wr_stream *src)
{
    for (const struct wr_pipe *p = src->pipes; p; p = p->next)
        if (p->waiting)
            return true;
    return false;
}

void wr_pipe_forget_waiting(struct wr_stream *src)
{
    for (struct wr_pipe *p = src->pipes; p; p = p->next)
        p->waiting = false;
}

static void drained(struct wr_pipe *p)
{
    struct wr_stream *src = p->source;
    struct wr_stats *stats = &p->dest->stats;
    if (stats->stopped_at && src->flow->now)
        stats->waited_ns += src->flow->now(src->flow->user) - stats->stopped_at;
    stats->stopped_at = 0;
    for (struct wr_pipe *other = src->pipes; other; other = other->next)
        if (other->dest == p->dest)
            other->waiting = false;
    p->waiting = false;
    if (!anybody_waiting(src) && wr_readable_consumed(src))
        wr_readable_resume(src);
}

void wr_pipe_stop(struct wr_pipe *p)
{
    struct wr_flow *f = p->source->flow;
    if (!p->leaving) {
        p->waiting = true;
        p->dest->stats.stops++;
        if (!p->dest->stats.stopped_at && f->now)
            p->dest->stats.stopped_at = f->now(f->user);
        wr_readable_pause(p->source);
    }
    p->listening = true;
}

/* ---- taking an edge away */

static bool joined(const struct wr_stream *src, const struct wr_stream *dest)
{
    for (const struct wr_pipe *p = src->pipes; p; p = p->next)
        if (p->dest == dest)
            return true;
    return false;
}

/* Ends what the edge does; its memory goes when nobody walks the row any more. */
static void detach(struct wr_pipe *p)
{
    if (p->dest->feeding == p)
        p->dest->feeding = NULL;
    wr_watch_remove(p->source, &p->at_source);
    wr_watch_remove(p->dest, &p->at_dest);
    wr_watch_remove(p->dest, &p->at_error);
    p->removed = true;
}

static void unlink_edge(struct wr_pipe *p)
{
    struct wr_pipe **at = &p->source->pipes;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->source->pipe_count--;
}

void wr_pipe_bury(struct wr_flow *f)
{
    while (f->dead_pipes) {
        struct wr_pipe *p = f->dead_pipes;
        f->dead_pipes = p->next;
        free_edge(f, p);
    }
}

static void bury_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)t;
    wr_pipe_bury(f);
}

/* The memory of P, which is in no row any more, goes in a tick: somebody may be looking at it. */
static void bury_later(struct wr_flow *f, struct wr_pipe *p)
{
    if (!f->dead_pipes)
        wr_tick_add(f, bury_tick, NULL, NULL, NOBODY);
    p->next = f->dead_pipes;
    f->dead_pipes = p;
}

static struct wr_pipe *first_edge(const struct wr_stream *src, const struct wr_stream *dest)
{
    for (struct wr_pipe *p = src->pipes; p; p = p->next)
        if (!p->leaving && (!dest || p->dest == dest))
            return p;
    return NULL;
}

/* Has P, which is gone, kept its source waiting, so that this goes on? In Node not if its destination failed inside a write: that
 * starves the other destinations (decided difference 7). */
static bool releases(const struct wr_pipe *p, bool was_waiting)
{
    if (p->dest->w & WR_W_NEED_DRAIN)
        return was_waiting || p->source->r & WR_R_MULTI_PIPE;
    return was_waiting && first_edge(p->source, NULL);
}

/* 'unpipe' is told while the edge still counts as listening, as in Node. */
static void say_goodbye(struct wr_pipe *p)
{
    struct wr_stream *src = p->source;
    p->told = true;
    wr_stream_emit(p->dest, WR_EV_UNPIPE, NULL, src, NULL);
    bool was_waiting = p->waiting;
    detach(p);
    unlink_edge(p);
    if (src->flow->edge && !joined(src, p->dest))
        src->flow->edge(src, p->dest, false);
    if (p->listening && releases(p, was_waiting))
        drained(p);
    bury_later(src->flow, p);
}

/* What listeners do may be the end of the source, and with it of the edge: it is referred to meanwhile. */
static void remove_edge(struct wr_pipe *p)
{
    if (p->leaving)
        return;
    struct wr_stream *src = wr_stream_ref(p->source);
    p->leaving = true;
    wr_pump_interrupt(src);
    if (!first_edge(src, NULL))
        wr_readable_pause(src);
    say_goodbye(p);
    wr_stream_unref(src);
}

/* A listener of 'unpipe' may take the other edges away, while its own is still there. */
static struct wr_pipe *first_untold(const struct wr_stream *src)
{
    struct wr_pipe *p = src->pipes;
    while (p && (!p->leaving || p->told))
        p = p->next;
    return p;
}

static void remove_all(struct wr_stream *src)
{
    wr_stream_ref(src);
    for (struct wr_pipe *p = src->pipes; p; p = p->next)
        p->leaving = true;
    wr_readable_pause(src);
    for (struct wr_pipe *p; (p = first_untold(src));)
        say_goodbye(p);
    wr_stream_unref(src);
}

void wr_pipe_remove(struct wr_stream *src, struct wr_stream *dest)
{
    wr_stream_check(src);
    struct wr_pipe *p = first_edge(src, dest);
    if (p && dest)
        remove_edge(p);
    else if (p)
        remove_all(src);
}

void wr_pipe_drop_all(struct wr_stream *src)
{
    while (src->pipes) {
        struct wr_pipe *p = src->pipes;
        src->pipes = p->next;
        if (!p->removed)
            detach(p);
        free_edge(src->flow, p);
    }
    src->pipe_count = 0;
}

/* ---- what the ends do */

static void source_ended(struct wr_pipe *p)
{
    if (p->finish)
        wr_writable_end(p->dest, NULL, NOBODY);
    else
        remove_edge(p);
}

static void on_source(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)s;
    (void)ev;
    (void)err;
    source_ended(EDGE(w, at_source));
}

static void end_later(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *dest = (struct wr_stream *)t->done.arg;
    for (struct wr_pipe *p = t->stream->pipes; p; p = p->next) {
        if (p->dest == dest) {
            source_ended(p);
            return;
        }
    }
}

static void on_dest(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)s;
    (void)err;
    struct wr_pipe *p = EDGE(w, at_dest);
    if (ev == WR_EV_DRAIN) {
        if (p->listening)
            drained(p);
    } else {
        remove_edge(p);
    }
}

static void on_error(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)s;
    (void)ev;
    (void)err;
    remove_edge(EDGE(w, at_error));
}

/* ---- making an edge */

int wr_pipe_add(struct wr_stream *src, struct wr_stream *dest, bool finish)
{
    wr_stream_check(src);
    wr_stream_check(dest);
    struct wr_pipe *p = wr_alloc_zero(src->flow->alloc, sizeof *p);
    if (!p || wr_fifo_reserve(&dest->w_dones, 1)) { /* the room is for bursts, which cannot fail for want of it */
        wr_alloc_free(src->flow->alloc, p, sizeof *p);
        return -1;
    }
    p->source = src;
    p->dest = wr_stream_ref(dest);
    p->finish = finish;
    p->at_source = (struct wr_watch){.mask = BIT(END), .fn = on_source};
    p->at_dest = (struct wr_watch){.mask = BIT(DRAIN) | BIT(CLOSE) | BIT(FINISH), .fn = on_dest};
    p->at_error = (struct wr_watch){.mask = BIT(ERROR), .fn = on_error, .early = true};
    if (src->pipe_count == 1)
        src->r |= WR_R_MULTI_PIPE;
    struct wr_pipe **at = &src->pipes;
    while (*at)
        at = &(*at)->next;
    *at = p;
    src->pipe_count++;
    if (src->flow->edge)
        src->flow->edge(src, dest, true);
    wr_watch_add(src, &p->at_source, false);
    wr_watch_add(dest, &p->at_dest, false);
    wr_watch_add(dest, &p->at_error, true);
    wr_readable_listener(src, WR_EV_DATA, true);
    if (src->read == WR_READ_DONE)
        wr_tick_add(src->flow, end_later, src, NULL, (struct wr_done){.arg = (intptr_t)dest});
    wr_stream_emit(dest, WR_EV_PIPE, NULL, src, NULL);
    if (wr_writable_needs_drain(dest))
        wr_pipe_stop(p);
    else if (!(src->r & WR_R_FLOWING))
        wr_readable_resume(src);
    return 0;
}

/* ---- a chunk on its way */

/* The same chunk for DEST, which may want bytes where ITEM is an object, or the other way round; or why it cannot be. An object
 * that was made for it is to be dropped. */
static enum wr_code fit(struct wr_stream *dest, const struct wr_item *item, struct wr_item *out)
{
    bool object = item->object != 0, wanted = (dest->has & WR_OBJECTS_WRITE) != 0;
    *out = (struct wr_item){.object = item->object};
    if (object != wanted)
        return dest->flow->host->convert(dest->flow, item, out);
    if (!object)
        out->bytes = wr_chunk_ref(&item->bytes);
    return WR_E_OK;
}

/* Writes ITEM to the edge's destination. Whether there may be more at once. */
static bool write_one(struct wr_pipe *p, const struct wr_item *item)
{
    struct wr_item mine;
    enum wr_code code = fit(p->dest, item, &mine);
    if (code) {
        wr_life_fail_code(p->dest, code, false);
        return false;
    }
    if (!(p->dest->has & (WR_HAS_WRITE | WR_HAS_WRITEV)))
        wr_life_fail_code(p->dest, WR_E_NOT_IMPLEMENTED, false);
    bool more = wr_writable_write(p->dest, mine, NOBODY);
    if (mine.object && mine.object != item->object)
        p->dest->flow->host->drop(p->dest->flow, mine.object);
    return more;
}

#define AT_ONCE 16 /* edges of one source that are remembered while a chunk is delivered */

/* Every destination that was there when the chunk came gets it, even if one before it takes edges away: they are remembered
 * first, and freed in a tick only. With more than AT_ONCE, the rest is looked up on the way. */
void wr_pipe_deliver(struct wr_stream *src, const struct wr_item *item)
{
    struct wr_pipe *edges[AT_ONCE], *p = src->pipes;
    uint32_t n = 0;
    for (; p && n < AT_ONCE; p = p->next)
        edges[n++] = p;
    src->flow->moving++;
    for (uint32_t i = 0; i < n; i++)
        if (!write_one(edges[i], item))
            wr_pipe_stop(edges[i]);
    for (struct wr_pipe *next; p; p = next) {
        next = p->next;
        if (!p->removed && !write_one(p, item))
            wr_pipe_stop(p);
    }
    src->flow->moving--;
}
