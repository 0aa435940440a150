/* SPDX-License-Identifier: MIT */
/* A pipeline follows each stage whole (to destroy what is not over when something fails), and each edge at both ends (to know
 * when all is over). It keeps one watch on a stage until that is gone, so that the error with which it destroys a stage is
 * never taken for one that nobody listens to; later errors are not swallowed (decided difference 5).
 */
#include <assert.h>
#include <stddef.h>

#include "finished.h"
#include "life.h"
#include "pipe.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "pipeline.h"

#define BIT(ev) (1u << WR_EV_##ev)

/* One stream of the pipeline, and its part in the edge before it (as destination) and after it (as source). */
struct stage {
    struct wr_pipeline *owner;
    struct wr_stream *stream; /* counted */
    struct wr_watch watch;
    struct wr_finished whole, as_source, as_dest;
    bool watched; /* watch is in the stream's row */
    bool follows; /* whole is in use */
    bool over;    /* closed, or done without an error: need not be destroyed */
    bool ended;   /* the edge into it has ended it */
};

struct wr_pipeline {
    struct wr_flow *flow;
    struct wr_pipeline *next, *prev;
    wr_pipeline_fn *fn;
    void *user;
    struct wr_error *error; /* counted: the first real one */
    int error_stage;
    int left; /* ends of edges still to come (Node's finishCount) */
    bool finish, destroyed, scheduled, called;
    uint32_t count, watched;
    struct stage stages[];
};

static struct stage *stage_of(struct wr_finished *w, size_t at)
{
    return (struct stage *)(void *)((char *)w - at);
}

static int index_of(const struct stage *g)
{
    return (int)(g - g->owner->stages);
}

static size_t size_of(uint32_t count)
{
    return sizeof(struct wr_pipeline) + count * sizeof(struct stage);
}

/* ---- the end */

static void unwatch(struct stage *g)
{
    if (!g->watched)
        return;
    g->watched = false;
    wr_watch_remove(g->stream, &g->watch);
    g->owner->watched--;
}

static void free_pipeline(struct wr_pipeline *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct stage *g = &p->stages[i];
        unwatch(g);
        wr_finished_clear(&g->whole);
        wr_finished_clear(&g->as_source);
        wr_finished_clear(&g->as_dest);
        wr_stream_unref(g->stream);
    }
    if (p->prev)
        p->prev->next = p->next;
    else
        p->flow->pipelines = p->next;
    if (p->next)
        p->next->prev = p->prev;
    wr_error_unref(p->error);
    wr_alloc_free(p->flow->alloc, p, size_of(p->count));
}

static void maybe_free(struct wr_pipeline *p)
{
    if (p->called && !p->watched)
        free_pipeline(p);
}

static void stop_following(struct wr_pipeline *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct stage *g = &p->stages[i];
        wr_finished_clear(&g->whole);
        wr_finished_clear(&g->as_source);
        wr_finished_clear(&g->as_dest);
        if (!wr_stream_destroyed(g->stream) || g->stream->life == WR_LIFE_GONE)
            unwatch(g);
    }
}

static void call_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_pipeline *p = (struct wr_pipeline *)t->done.arg;
    stop_following(p);
    p->fn(p->user, p->error, p->error ? p->error_stage : -1);
    p->called = true;
    maybe_free(p);
}

static void destroy_stage(struct stage *g)
{
    struct wr_pipeline *p = g->owner;
    if (!g->follows || g->over)
        return;
    g->over = true;
    if (p->error) {
        wr_life_abort(g->stream, p->error);
        return;
    }
    struct wr_error *e = wr_error_new(p->flow->alloc, wr_error_fault(WR_E_DESTROYED));
    wr_life_abort(g->stream, e);
    wr_error_unref(e);
}

/* Keeps the first error; a premature close yields to a later real one. (In Node to a later premature close, too, which is the
 * stage behind the one that closed.) */
static void note(struct wr_pipeline *p, struct wr_error *err, int stage)
{
    if (!err || (p->error && (!wr_error_is(p->error, WR_E_PREMATURE_CLOSE) || wr_error_is(err, WR_E_PREMATURE_CLOSE))))
        return;
    wr_error_unref(p->error);
    p->error = wr_error_ref(err);
    p->error_stage = stage;
}

static void conclude(struct wr_pipeline *p, struct wr_error *err, int stage, bool final)
{
    if (p->scheduled)
        return;
    note(p, err, stage);
    if (!p->error && !final)
        return;
    p->scheduled = final; /* first, so that what the destroying brings about does not come here again */
    bool destroys = !p->destroyed;
    p->destroyed = true;
    for (uint32_t i = 0; destroys && i < p->count; i++)
        destroy_stage(&p->stages[i]);
    if (final) /* behind the events of those that were destroyed */
        wr_tick_add(p->flow, call_tick, NULL, NULL, (struct wr_done){.arg = (intptr_t)p});
}

static void one_less(struct wr_pipeline *p, struct wr_error *err, int stage)
{
    conclude(p, err, stage, --p->left == 0);
}

/* ---- what the stages say */

static void on_whole(struct wr_finished *w, struct wr_error *err)
{
    struct stage *g = stage_of(w, offsetof(struct stage, whole));
    g->over = !err;
}

/* Node forgives a source that closes with its end in the buffer, since that is read all the same. Here it is dropped. */
static void on_source_done(struct wr_finished *w, struct wr_error *err)
{
    struct stage *g = stage_of(w, offsetof(struct stage, as_source));
    one_less(g->owner, err, index_of(g));
}

static void on_dest_done(struct wr_finished *w, struct wr_error *err)
{
    struct stage *g = stage_of(w, offsetof(struct stage, as_dest));
    one_less(g->owner, err, index_of(g));
}

static void on_error(struct stage *g, struct wr_error *err)
{
    if (!wr_error_is(err, WR_E_PREMATURE_CLOSE) && !wr_error_is(err, WR_E_ABORTED))
        one_less(g->owner, err, index_of(g));
}

static void on_end(struct stage *g)
{
    struct wr_pipeline *p = g->owner;
    int next = index_of(g) + 1, last = (int)p->count - 1;
    if (next < last || (next == last && p->finish)) {
        p->stages[next].ended = true;
        wr_writable_end(p->stages[next].stream, NULL, (struct wr_done){0});
    }
}

static void on_close(struct stage *g)
{
    g->over |= wr_stream_destroyed(g->stream); /* else somebody only says that it has closed */
    if (index_of(g) == 0 || g->ended)
        return;
    struct wr_error *e = wr_finished_premature(g->stream, false, true);
    one_less(g->owner, e, index_of(g));
    wr_error_unref(e);
}

static void on_event(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)s;
    struct stage *g = (struct stage *)(void *)((char *)w - offsetof(struct stage, watch));
    struct wr_pipeline *p = g->owner;
    if (ev == WR_EV_GONE) {
        if (p->called || p->scheduled)
            unwatch(g);
        maybe_free(p);
    } else if (p->called || p->scheduled) {
        return;
    } else if (ev == WR_EV_ERROR) {
        on_error(g, err);
    } else if (ev == WR_EV_END) {
        on_end(g);
    } else {
        on_close(g);
    }
}

/* ---- making one */

/* What is wrong with a stage before anything was done (decided difference 2); NULL if nothing. Counted. */
static struct wr_error *already_over(const struct stage *g)
{
    struct wr_stream *s = g->stream;
    if (wr_stream_destroyed(s) && s->errored)
        return wr_error_ref(s->errored);
    bool drained = index_of(g) == 0 && s->read == WR_READ_DONE;
    if (wr_stream_destroyed(s) && !drained)
        return wr_finished_premature(s, index_of(g) + 1 < (int)g->owner->count, index_of(g) > 0);
    if (index_of(g) > 0 && s->write >= WR_WRITE_ENDING)
        return wr_error_new(s->flow->alloc, wr_error_fault(WR_E_WRITE_AFTER_END));
    return NULL;
}

static bool check_stages(struct wr_pipeline *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct wr_error *e = already_over(&p->stages[i]);
        if (!e)
            continue;
        conclude(p, e, (int)i, true);
        wr_error_unref(e);
        return false;
    }
    return true;
}

static void end_first(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_pipeline *p = (struct wr_pipeline *)t->done.arg;
    if (!p->scheduled)
        on_end(&p->stages[0]);
}

static int wire(struct wr_pipeline *p, uint32_t i)
{
    struct stage *source = &p->stages[i - 1], *dest = &p->stages[i];
    bool ends = i < p->count - 1 || p->finish;
    p->left += 2;
    if (wr_pipe_add(source->stream, dest->stream, false))
        return -1;
    if (!ends)
        one_less(p, NULL, -1);
    else if (i == 1 && source->stream->read == WR_READ_DONE)
        wr_tick_add(p->flow, end_first, NULL, NULL, (struct wr_done){.arg = (intptr_t)p});
    wr_finished_init(&source->as_source, source->stream, true, false, true, on_source_done);
    wr_finished_init(&dest->as_dest, dest->stream, false, true, true, on_dest_done);
    source->as_source.lenient = dest->as_dest.lenient = true;
    return 0;
}

static void follow(struct stage *g)
{
    struct wr_pipeline *p = g->owner;
    uint32_t i = (uint32_t)index_of(g);
    bool reading = i<p->count - 1, writing = i> 0;
    g->watch =
        (struct wr_watch){.mask = BIT(ERROR) | BIT(END) | BIT(CLOSE) | BIT(GONE), .handles = true, .fn = on_event};
    wr_watch_add(g->stream, &g->watch, false);
    g->watched = true;
    p->watched++;
    if (!reading && !p->finish)
        return;
    g->follows = true;
    wr_finished_init(&g->whole, g->stream, reading, writing, true, on_whole);
    g->whole.lenient = true;
}

static struct wr_pipeline *allocate(struct wr_flow *f, struct wr_stream *const *stages, uint32_t count)
{
    struct wr_pipeline *p = wr_alloc_zero(f->alloc, size_of(count));
    if (!p)
        return NULL;
    p->flow = f;
    p->count = count;
    for (uint32_t i = 0; i < count; i++) {
        p->stages[i].owner = p;
        p->stages[i].stream = wr_stream_ref(stages[i]);
    }
    p->next = f->pipelines;
    if (p->next)
        p->next->prev = p;
    f->pipelines = p;
    return p;
}

struct wr_pipeline *wr_pipeline_new(struct wr_flow *f, struct wr_stream *const *stages, uint32_t count, bool finish,
                                    wr_pipeline_fn *fn, void *user)
{
    assert(count > 1 && "a pipeline of less than two stages");
    struct wr_pipeline *p = allocate(f, stages, count);
    if (!p)
        return NULL;
    p->fn = fn;
    p->user = user;
    p->finish = finish;
    p->left = 1; /* while it is being wired, nothing concludes */
    for (uint32_t i = 0; i < count; i++)
        follow(&p->stages[i]);
    bool fine = check_stages(p);
    for (uint32_t i = 1; fine && i < count; i++) {
        if (wire(p, i)) {
            struct wr_error *e = wr_error_new(f->alloc, wr_error_fault(WR_E_NO_MEMORY));
            conclude(p, e, (int)i, true);
            wr_error_unref(e);
            fine = false;
        }
    }
    p->left--;
    return p;
}

void wr_pipeline_abort(struct wr_pipeline *p, struct wr_error *err)
{
    conclude(p, err, -1, false);
}

static bool has_stage(const struct wr_pipeline *p, const struct wr_stream *s)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->stages[i].stream == s)
            return true;
    return false;
}

void wr_pipeline_forget(struct wr_stream *s)
{
    for (struct wr_pipeline *p = s->flow->pipelines, *next; p; p = next) {
        next = p->next;
        if (!has_stage(p, s) || p->scheduled) /* scheduled: its tick is on the way */
            continue;
        if (!p->called)
            p->fn(p->user, NULL, WR_PIPELINE_FORGOTTEN);
        free_pipeline(p);
    }
}

void wr_pipeline_drop_all(struct wr_flow *f)
{
    while (f->pipelines) {
        struct wr_pipeline *p = f->pipelines;
        if (!p->called)
            p->fn(p->user, NULL, -1);
        free_pipeline(p);
    }
}

/* Is a handler of S out that must complete before S can go on? */
static bool is_busy(const struct wr_stream *s)
{
    if (!wr_stream_constructed(s) || s->life == WR_LIFE_DESTROYING)
        return true;
    return !wr_stream_destroyed(s) && (s->w_out || s->write == WR_WRITE_FINAL);
}

struct wr_stream *wr_pipeline_stage_awaited(const struct wr_flow *f)
{
    const struct wr_pipeline *p = NULL;
    for (const struct wr_pipeline *each = f->pipelines; each; each = each->next)
        if (!each->called && !each->scheduled)
            p = each;
    if (!p)
        return NULL;
    for (uint32_t i = p->count; i-- > 0;)
        if (is_busy(p->stages[i].stream))
            return p->stages[i].stream;
    uint32_t first = 0;
    while (first + 1 < p->count && wr_stream_destroyed(p->stages[first].stream))
        first++;
    return p->stages[first].stream;
}
