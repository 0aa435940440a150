/* SPDX-License-Identifier: MIT */
/* What moves between a stream and its lanes. pump() does what can be done after anything has changed, in a loop and not
 * nested: what it calls may come back here by any door.
 *
 * That jobs are overlapped with the delivery of their output is why there is output that is ready beside the buffer of the
 * stream: of two jobs of the first lane at most, and of one section of each other. Where nobody consumes, there is the output
 * of one room.
 */
#include <assert.h>

#include "lanes.h"
#include "life.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "worn.h"

enum {
    CHUNK = 1 << 16,
    SPARE_IDLE = 1 /* rooms kept while nothing is under way */
};

struct wr_worn {
    struct wr_stream *s;
    struct wr_worn_params p;
    struct wr_lanes lanes;
    uint64_t made; /* bytes pushed */
    bool told;     /* the failure was reported */
    bool flushing; /* `flush` was called, and did not complete yet */
    bool answered; /* the chunks that are out were, though the stream may keep them a while */
    bool asked;    /* by the readable side, and not answered by a push yet */
    bool pumping;
    bool ticking;            /* a tick is to come; what is small waits for it */
    bool watching;           /* `watch` is in the stream's row: the failure waits until all was read */
    bool doomed;             /* destroy waits for jobs */
    struct wr_error *reason; /* of that, counted */
    struct wr_watch watch;
};

static void pump(struct wr_worn *w);

/* ---- when what is worked */

/* Should the readable side be given more? Asked while it is still full, as what is being read is about to leave it. One that
 * is closed (option `readable` false) is given what comes, for a push to refuse, as in Node; nobody would ever ask for it. */
static bool wants(const struct wr_worn *w)
{
    return w->asked || wr_readable_wants(w->s) || w->s->read >= WR_READ_ENDED;
}

/* Is there somebody who takes what comes out? */
static bool is_consumed(const struct wr_worn *w)
{
    return wr_readable_consumed(w->s) || wr_stream_listens(w->s, WR_EV_READABLE);
}

/* May lane I, which has work, do it? */
static bool may_work(struct wr_worn *w, unsigned i)
{
    const struct wr_lane *l = wr_lanes_at(&w->lanes, i);
    if (i > 0)
        return l->ready.bytes < 2 * w->p.section;
    if (is_consumed(w) && l->ready.bytes <= w->p.room)
        return true;
    return l->ready.count == 0 && wants(w);
}

/* Small enough for the loop's thread. */
static bool is_small(const struct wr_worn *w, const struct wr_lane *l)
{
    return !w->lanes.outs && !l->loaded && l->pending.bytes <= w->p.small && l->before_len == 0;
}

static void run_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_worn *w = (struct wr_worn *)t->done.arg;
    if (!w->ticking)
        return;
    w->ticking = false;
    pump(w);
}

/* What is small waits for a tick, with what comes until then; one job a tick. */
static void schedule(struct wr_worn *w)
{
    if (w->ticking)
        return;
    w->ticking = true;
    wr_tick_add(w->s->flow, run_tick, w->s, NULL, (struct wr_done){.arg = (intptr_t)w});
}

static void run_here(struct wr_worn *w, struct wr_lane *l)
{
    if (!w->p.sync)
        schedule(w); /* what comes next is not worked before it */
    if (wr_lanes_load(&w->lanes, l, false))
        return;
    wr_lanes_work(&w->lanes, (unsigned)(l - w->lanes.lanes));
    wr_lanes_results(&w->lanes, l);
}

static void send(struct wr_worn *w, struct wr_lane *l)
{
    if (wr_lanes_load(&w->lanes, l, is_consumed(w)))
        return;
    l->out = true;
    w->lanes.outs++;
    wr_stream_pin(w->s);
    w->p.ops->submit(w, (unsigned)(l - w->lanes.lanes));
}

static void run_lanes(struct wr_worn *w)
{
    for (unsigned i = 0; i < w->lanes.active && !w->lanes.failed; i++) {
        struct wr_lane *l = wr_lanes_at(&w->lanes, i);
        if (!wr_lanes_has_work(l) || !may_work(w, i))
            continue;
        if (!is_small(w, l))
            send(w, l);
        else if (!w->ticking)
            run_here(w, l);
    }
}

/* ---- output */

/* Something is wrong with what would be pushed next. */
static void stop(struct wr_worn *w, struct wr_fault fault)
{
    if (w->lanes.active)
        wr_queue_clear(&wr_lanes_at(&w->lanes, 0)->ready);
    w->lanes.failed = false; /* what the codec came to later is of no interest */
    wr_lanes_fail(&w->lanes, fault);
}

/* Looks at C, and leaves of it what may be pushed. */
static void inspect(struct wr_worn *w, struct wr_chunk *c)
{
    struct wr_fault fault;
    size_t good = c->len;
    if (w->p.most && w->made + c->len > w->p.most) {
        good = 0;
        stop(w, wr_error_fault(WR_E_BUFFER_TOO_LARGE));
    } else if (w->p.ops->inspect && !w->p.ops->inspect(w, c->data, c->len, &good, &fault)) {
        stop(w, fault);
    }
    if (good < c->len) {
        struct wr_chunk part = wr_chunk_part(c, 0, good);
        wr_chunk_clear(c);
        *c = part;
    }
    w->made += good;
}

static void deliver(struct wr_worn *w)
{
    struct wr_chunk c = {0};
    while (!wr_stream_destroyed(w->s) && wr_lanes_ready(&w->lanes) && wants(w)) {
        c = wr_lanes_take(&w->lanes);
        inspect(w, &c);
        w->asked = false;
        wr_readable_push(w->s, (struct wr_item){.bytes = c});
    }
    c = (struct wr_chunk){0};
    if (!wr_stream_destroyed(w->s) && !wr_lanes_ready(&w->lanes))
        inspect(w, &c);
}

/* ---- telling the stream */

/* Does anybody wait for the callback of a chunk that is out? */
static bool is_awaited(const struct wr_stream *s)
{
    for (uint32_t i = 0; i < s->w_out; i++)
        if (((const struct wr_done *)wr_fifo_peek(&s->w_dones, i))->fn)
            return true;
    return false;
}

static bool may_complete(struct wr_worn *w)
{
    if (w->lanes.done || wr_lanes_idle(&w->lanes))
        return true;
    return w->lanes.held < w->p.ahead && !w->lanes.marks && wants(w) && !is_awaited(w->s);
}

static void unwatch(struct wr_worn *w)
{
    if (w->watching)
        wr_watch_remove(w->s, &w->watch);
    w->watching = false;
}

static void read_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_worn *w = (struct wr_worn *)t->done.arg;
    if (w->watching)
        pump(w);
}

static void on_data(struct wr_watch *watch, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)ev;
    (void)err;
    struct wr_worn *w = (struct wr_worn *)(void *)((char *)watch - offsetof(struct wr_worn, watch));
    if (wr_readable_length(s) == 0)
        wr_tick_add(s->flow, read_tick, s, NULL, (struct wr_done){.arg = (intptr_t)w});
}

static void wait_for_reader(struct wr_worn *w)
{
    if (w->watching)
        return;
    w->watching = true;
    w->watch = (struct wr_watch){.mask = 1u << WR_EV_DATA, .fn = on_data};
    wr_watch_add(w->s, &w->watch, false);
}

/* Is something left to be read, and has anybody begun to? */
static bool is_unread(const struct wr_stream *s)
{
    const uint32_t begun = WR_R_HAS_FLOWING | WR_R_HAS_PAUSED | WR_R_DATA_EMITTED | WR_R_READABLE_LISTENING;
    return wr_readable_length(s) && (wr_readable_consumed(s) || s->r & begun);
}

static void report(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    if (wr_lanes_ready(&w->lanes))
        return;
    if (is_unread(s) && !w->told) {
        wait_for_reader(w);
        return;
    }
    unwatch(w);
    wr_transform_release(s);
    struct wr_error *err = w->p.error ? w->p.error(w, &w->lanes.fault) : wr_error_new(s->flow->alloc, w->lanes.fault);
    if (s->w_out && !w->answered) {
        w->answered = true;
        wr_transform_done(s, err);
    } else if (w->flushing) {
        w->flushing = false;
        wr_transform_flushed(s, err);
    } else if (!w->told) {
        wr_life_fail(s, err, false);
    }
    w->told = true;
    wr_error_unref(err);
}

static void end(struct wr_worn *w)
{
    if (w->flushing) {
        w->flushing = false;
        wr_transform_flushed(w->s, NULL);
    } else if (!w->lanes.ending && w->s->read < WR_READ_ENDED) {
        wr_readable_eof(w->s); /* the codec has ended by itself */
    }
}

static void settle(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    if (w->lanes.failed) {
        report(w);
        return;
    }
    if (s->w_out && !w->answered && may_complete(w)) {
        w->lanes.moved = w->answered = true;
        wr_transform_done(s, NULL);
        if (s->read == WR_READ_READING) /* it has been asked already */
            wr_transform_release(s);
    }
    if (w->lanes.done && !wr_stream_destroyed(s))
        end(w);
}

/* ---- everything together */

static void tidy(struct wr_worn *w)
{
    if (w->lanes.done || w->lanes.failed)
        wr_lanes_tidy(&w->lanes, 0);
    else if (!w->lanes.outs && !w->lanes.held)
        wr_lanes_tidy(&w->lanes, SPARE_IDLE);
}

static void pump(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    w->lanes.moved = true;
    if (w->pumping)
        return;
    w->pumping = true;
    wr_stream_ref(s);
    while (w->lanes.moved && !wr_stream_destroyed(s)) {
        w->lanes.moved = false;
        wr_lanes_hand_out(&w->lanes);
        run_lanes(w);
        deliver(w);
        if (!wr_stream_destroyed(s))
            settle(w);
    }
    w->pumping = false;
    if (!wr_stream_destroyed(s))
        tidy(w);
    wr_stream_unref(s);
}

/* ---- the operations of the stream */

void wr_worn_write(struct wr_worn *w, uint32_t n)
{
    w->answered = false;
    for (uint32_t i = 0; i < n; i++) {
        struct wr_item item = wr_writable_out(w->s, i);
        wr_lanes_put(&w->lanes, wr_chunk_ref(&item.bytes));
    }
    if (!w->p.sync)
        schedule(w);
    pump(w);
}

void wr_worn_read(struct wr_worn *w)
{
    w->asked = true;
    wr_transform_release(w->s);
    pump(w);
}

void wr_worn_flush(struct wr_worn *w)
{
    w->lanes.ending = w->flushing = true;
    if (!w->p.sync)
        schedule(w);
    pump(w);
}

int wr_worn_mark(struct wr_worn *w, enum wr_flush flush, intptr_t arg, struct wr_done done)
{
    struct wr_item item = {0};
    if (wr_lanes_mark(w->s->flow->alloc, &item.bytes, flush, arg))
        return -1;
    wr_writable_write(w->s, item, done);
    return 0;
}

/* ---- its end */

void wr_worn_abandon(struct wr_stream *s, struct wr_error *reason)
{
    wr_transform_release(s);
    if (!s->w_out)
        return;
    bool errored = s->errored != NULL;
    struct wr_error *err = reason ? wr_error_ref(reason) : wr_error_new(s->flow->alloc, wr_error_fault(WR_E_DESTROYED));
    wr_transform_done(s, err);
    if (!errored) { /* that a write was lost is the writer's to know, not an error of the stream */
        wr_error_unref(s->errored);
        s->errored = NULL;
    }
    wr_error_unref(err);
}

static void answer_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_worn *w = (struct wr_worn *)t->done.arg;
    if (!w->answered)
        wr_worn_abandon(t->stream, t->error);
    w->answered = true;
}

/* No job is out: the rest of destroy. Chunks that are out are answered first. */
static void destroy_now(struct wr_worn *w, struct wr_error *err)
{
    unwatch(w);
    w->ticking = false;
    wr_lanes_clear(&w->lanes);
    if (w->s->w_out)
        wr_tick_add(w->s->flow, answer_tick, w->s, err, (struct wr_done){.arg = (intptr_t)w});
    wr_life_destroyed(w->s, err);
}

void wr_worn_destroy(struct wr_worn *w, struct wr_error *err)
{
    if (w->lanes.outs) {
        w->doomed = true;
        w->reason = wr_error_ref(err);
        return;
    }
    destroy_now(w, err);
}

/* ---- jobs */

void wr_worn_work(struct wr_worn *w, unsigned i)
{
    wr_lanes_work(&w->lanes, i);
}

static void come_back(struct wr_worn *w, unsigned i)
{
    assert(w->lanes.lanes[i].out && "a job came back that was not out");
    w->lanes.lanes[i].out = false;
    w->lanes.outs--;
}

void wr_worn_worked(struct wr_worn *w, unsigned i)
{
    struct wr_stream *s = w->s;
    come_back(w, i);
    if (!wr_stream_destroyed(s)) {
        wr_lanes_results(&w->lanes, &w->lanes.lanes[i]);
        pump(w);
    } else if (!w->lanes.outs && w->doomed) {
        struct wr_error *reason = w->reason;
        w->doomed = false;
        w->reason = NULL;
        destroy_now(w, reason);
        wr_error_unref(reason);
    }
    wr_stream_unpin(s);
}

void wr_worn_lost(struct wr_worn *w, unsigned i)
{
    come_back(w, i);
    wr_stream_unpin(w->s);
}

/* ---- */

struct wr_worn *wr_worn_new(struct wr_stream *s, const struct wr_worn_params *p)
{
    struct wr_worn *w = wr_alloc_zero(s->flow->alloc, sizeof *w);
    if (!w) {
        if (p->codec)
            p->codec->ops->free(p->codec);
        return NULL;
    }
    w->s = s;
    w->p = *p;
    if (!p->section)
        w->p.lanes = 1;
    if (!p->chunk)
        w->p.chunk = CHUNK;
    if (!p->room)
        w->p.room = CHUNK;
    wr_lanes_init(&w->lanes, w, s->flow->alloc, &w->p);
    return w;
}

void wr_worn_free(struct wr_worn *w)
{
    if (!w)
        return;
    unwatch(w);
    wr_lanes_clear(&w->lanes);
    wr_error_unref(w->reason);
    wr_alloc_free(w->s->flow->alloc, w, sizeof *w);
}

void *wr_worn_user(const struct wr_worn *w)
{
    return w->p.user;
}

struct wr_codec *wr_worn_codec(struct wr_worn *w)
{
    bool usable = !w->lanes.failed && !w->lanes.done && !w->lanes.ending && wr_lanes_idle(&w->lanes);
    return usable && !w->p.section ? w->lanes.lanes[0].codec : NULL;
}

uint64_t wr_worn_taken(const struct wr_worn *w)
{
    return w->lanes.taken;
}
