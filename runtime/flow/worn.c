/* SPDX-License-Identifier: MIT */
/* Lanes, and what moves between the stream and them.
 *
 *     write() --> in --hand_out()--> pending of the newest lane --load()--> its job --collect--> ready of each lane
 *                                                                                                  |
 *                                         push() <-- deliver(), of the first lane only ------------+
 *
 * The lanes are a ring in the order of their sections; the first is the one whose output is next. With one codec there is
 * one lane, which takes everything. pump() does what can be done after anything has changed, in a loop and not nested: what
 * it calls may come back here by any door.
 *
 * That jobs are overlapped with the delivery of their output is why `ready` exists beside the buffer of the stream: at most
 * the output of two jobs of the first lane, and of one section of each other.
 */
#include <assert.h>
#include <string.h>

#include "lane.h"
#include "life.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "worn.h"

enum { ROOM = 1 << 16, ROOM_MOST = 1 << 20, SPARE = 8, SPARE_IDLE = 2 };

struct wr_worn {
    struct wr_stream *s;
    struct wr_alloc *alloc;
    struct wr_worn_params p;
    size_t room; /* bytes */
    struct wr_lane lanes[WR_WORN_LANES];
    unsigned first, active; /* lanes in use */
    unsigned outs;          /* jobs out */
    struct wr_queue in;     /* taken, for a lane that does not exist yet */
    uint64_t held;          /* bytes taken and not consumed */
    uint64_t taken;
    uint32_t marks;         /* taken and not reached */
    intptr_t tuned;         /* the argument of the last mark handed out */
    unsigned char *window;  /* the end of the section that is being filled, for the next one */
    size_t window_len;
    struct wr_buffer *spare[SPARE];
    struct wr_fault fault;
    bool begun;    /* there has been a section */
    bool failed;   /* of `fault`, which is to be reported when all output was read */
    bool told;     /* it was */
    bool ending;   /* flush was called: nothing more is written */
    bool flushing; /* and did not complete yet */
    bool done;     /* all output was pushed */
    bool answered; /* the chunks that are out were, though the stream may keep them a while */
    bool asked;    /* by the readable side, and not answered by a push yet */
    bool pumping, again, inlined, scheduled, watching;
    bool doomed;             /* destroy waits for jobs */
    struct wr_error *reason; /* of that, counted */
    struct wr_watch watch;   /* of 'data', to know when all was read */
};

static void pump(struct wr_worn *w);

static struct wr_lane *lane(struct wr_worn *w, unsigned i)
{
    return &w->lanes[(w->first + i) % w->p.lanes];
}

static void fail(struct wr_worn *w, struct wr_fault fault)
{
    if (!w->failed)
        w->fault = fault;
    w->failed = true;
}

static void no_memory(struct wr_worn *w)
{
    fail(w, wr_error_fault(WR_E_NO_MEMORY));
}

/* ---- rooms for output */

static void drop_spare(struct wr_worn *w, unsigned keep)
{
    for (unsigned i = 0; i < SPARE; i++) {
        if (!w->spare[i] || (w->spare[i]->refs == 1 && keep && keep--))
            continue;
        wr_buffer_unref(w->spare[i]);
        w->spare[i] = NULL;
    }
}

/* A buffer that nobody but us knows. */
static struct wr_buffer *new_room(struct wr_worn *w)
{
    unsigned slot = 0;
    for (unsigned i = 0; i < SPARE; i++) {
        if (w->spare[i] && w->spare[i]->refs == 1)
            return wr_buffer_ref(w->spare[i]);
        if (!w->spare[i] || w->spare[slot])
            slot = i;
    }
    struct wr_buffer *b = wr_buffer_new(w->alloc, w->room);
    if (!b)
        return NULL;
    wr_buffer_unref(w->spare[slot]);
    w->spare[slot] = b;
    return wr_buffer_ref(b);
}

static int give_rooms(struct wr_worn *w, struct wr_lane *l, unsigned n)
{
    for (l->room_count = 0; l->room_count < n; l->room_count++) {
        struct wr_buffer *b = new_room(w);
        if (!b && l->room_count == 0)
            return -1;
        if (!b)
            return 0;
        l->rooms[l->room_count] = (struct wr_room){.buffer = b};
    }
    return 0;
}

/* ---- handing input out to the lanes */

static bool in_sections(const struct wr_worn *w)
{
    return w->p.section != 0;
}

/* The lane that takes what is written next; NULL: all are busy. */
static struct wr_lane *newest(struct wr_worn *w)
{
    struct wr_lane *old = w->active ? lane(w, w->active - 1) : NULL;
    if (old && (old->left || old->last))
        return old;
    if (w->active == w->p.lanes || w->done)
        return NULL;
    struct wr_lane *l = lane(w, w->active++);
    unsigned char *used = l->before;
    wr_lane_clear(l);
    wr_lane_init(l, w->alloc);
    l->left = w->p.section;
    l->tuned = w->tuned;
    l->first = !w->begun;
    l->before = w->window;
    l->before_len = w->window_len;
    w->window = used;
    w->window_len = 0;
    w->begun = true;
    return l;
}

/* Remembers the end of L's section for the next one. */
static int remember(struct wr_worn *w, const struct wr_lane *l, const struct wr_chunk *c)
{
    size_t window = w->p.window;
    if (l->left >= window + c->len)
        return 0;
    if (!w->window)
        w->window = wr_alloc_get(w->alloc, window);
    if (!w->window)
        return -1;
    size_t skip = l->left > window ? (size_t)(l->left - window) : 0;
    memcpy(w->window + w->window_len, c->data + skip, c->len - skip);
    w->window_len += c->len - skip;
    return 0;
}

/* A mark is a slice without bytes: its buffer holds this. */
struct mark {
    enum wr_flush flush;
    intptr_t arg;
};

static const struct mark *mark_of(const struct wr_chunk *c)
{
    return c->len == 0 && c->buffer ? (const struct mark *)(const void *)c->buffer->data : NULL;
}

static void hand_out_mark(struct wr_worn *w, struct wr_lane *l, const struct mark *m)
{
    if (m->arg)
        w->tuned = m->arg;
    if (m->flush != WR_FLUSH_FULL)
        return;
    w->window_len = 0;
    if (l->left == w->p.section)
        l->before_len = 0;
}

/* Gives L what it takes of the first slice that waits. */
static int hand_out_one(struct wr_worn *w, struct wr_lane *l)
{
    const struct wr_chunk *first = wr_queue_peek(&w->in, 0);
    struct wr_chunk c;
    if (first->len <= l->left) {
        c = wr_queue_take(&w->in);
    } else {
        c = wr_chunk_part(first, 0, (size_t)l->left);
        wr_queue_drop(&w->in, c.len);
    }
    if (mark_of(&c))
        hand_out_mark(w, l, mark_of(&c));
    else if (in_sections(w) && remember(w, l, &c))
        return wr_chunk_clear(&c), -1;
    if (in_sections(w))
        l->left -= c.len;
    return wr_queue_push(&l->pending, c);
}

static void hand_out(struct wr_worn *w)
{
    struct wr_lane *l = NULL;
    while (w->in.count && !w->failed && (l = newest(w)) != NULL) {
        if (hand_out_one(w, l))
            no_memory(w);
    }
    if (w->ending && !w->in.count && (l = newest(w)) != NULL)
        l->last = true;
}

/* ---- jobs */

/* All of a lane's section that is known goes into the job, up to the first mark. */
static int load(struct wr_lane *l)
{
    l->flush = WR_FLUSH_NONE;
    l->arg = 0;
    while (l->pending.count) {
        struct wr_chunk c = wr_queue_take(&l->pending);
        const struct mark *m = mark_of(&c);
        if (m) {
            l->flush = m->flush;
            l->arg = m->arg;
            wr_chunk_clear(&c);
            break;
        }
        if (wr_queue_push(&l->in, c))
            return -1;
    }
    if (!l->pending.count && l->flush == WR_FLUSH_NONE && (l->last || !l->left)) {
        l->flush = l->last ? WR_FLUSH_FINISH : WR_FLUSH_SYNC;
        l->closing = true;
    }
    l->loaded = true;
    return 0;
}

static bool has_work(const struct wr_lane *l)
{
    return !l->out && !l->over && (l->loaded || l->pending.count || l->last || !l->left);
}

/* Should the readable side be given more? Asked while it is still full, as what is being read is about to leave it. */
static bool wants(const struct wr_worn *w)
{
    return w->asked || wr_readable_wants(w->s);
}

/* Is there somebody who will take what comes out? */
static bool consumed(const struct wr_worn *w)
{
    return wr_readable_consumed(w->s);
}

/* May lane I, which has work, do it? */
static bool may_work(struct wr_worn *w, unsigned i)
{
    struct wr_lane *l = lane(w, i);
    if (i > 0)
        return l->ready.bytes < 2 * w->p.section;
    if (consumed(w) && l->ready.bytes < w->p.rooms * w->room)
        return true;
    return l->ready.count == 0 && wants(w);
}

static void begin_section(struct wr_worn *w, struct wr_lane *l)
{
    struct wr_fault fault = {0};
    l->codec = w->p.ops->section(w, l->first, l->tuned, l->before, l->before_len, &fault);
    if (l->codec)
        return;
    l->step = WR_STEP_FAIL;
    l->fault = fault;
    l->consumed = 0;
}

void wr_worn_work(struct wr_worn *w, unsigned i)
{
    struct wr_lane *l = &w->lanes[i];
    if (!l->codec)
        begin_section(w, l);
    if (!l->codec)
        return;
    wr_lane_work(l);
    if (l->step == WR_STEP_MORE && l->arg && w->p.ops->tune(w, l->codec, l->arg, &l->fault))
        l->step = WR_STEP_FAIL;
}

static void drop_input(struct wr_worn *w, struct wr_lane *l, struct wr_queue *q)
{
    w->held -= q->bytes;
    for (; q->count; w->again = true) {
        struct wr_chunk c = wr_queue_take(q);
        if (mark_of(&c))
            w->marks--;
        else if (!l->failed && w->p.ops->rest)
            w->p.ops->rest(w, &c);
        wr_chunk_clear(&c);
    }
}

/* Nothing more comes out of L: what it did not consume is of no use. */
static void end_lane(struct wr_worn *w, struct wr_lane *l, bool failed)
{
    l->over = true;
    l->failed = failed;
    if (l->loaded && l->flush != WR_FLUSH_NONE && !l->closing)
        w->marks--;
    drop_input(w, l, &l->in);
    drop_input(w, l, &l->pending);
    if (!l->closing)
        drop_input(w, l, &w->in);
}

/* The job has come to its end. */
static void end_job(struct wr_worn *w, struct wr_lane *l)
{
    l->loaded = false;
    if (l->closing)
        l->over = true;
    else if (l->flush != WR_FLUSH_NONE)
        w->marks--;
}

/* What became of the work of L. */
static void take_results(struct wr_worn *w, struct wr_lane *l)
{
    w->again = true;
    w->held -= l->consumed;
    w->taken += l->consumed;
    wr_queue_drop(&l->in, l->consumed);
    if (wr_lane_collect(l, w->alloc, w->p.chunk)) {
        l->fault = wr_error_fault(WR_E_NO_MEMORY);
        l->step = WR_STEP_FAIL;
    }
    if (l->step == WR_STEP_FAIL)
        end_lane(w, l, true);
    else if (l->step == WR_STEP_DONE)
        end_lane(w, l, false);
    else if (l->step == WR_STEP_MORE)
        end_job(w, l);
}

static void run_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_worn *w = (struct wr_worn *)t->done.arg;
    if (!w->scheduled)
        return;
    w->scheduled = false;
    w->inlined = false;
    pump(w);
}

static void schedule(struct wr_worn *w)
{
    if (w->scheduled)
        return;
    w->scheduled = true;
    wr_tick_add(w->s->flow, run_tick, w->s, NULL, (struct wr_done){.arg = (intptr_t)w});
}

/* Small enough for the loop's thread. */
static bool is_small(const struct wr_worn *w, const struct wr_lane *l)
{
    return !w->outs && !l->loaded && l->pending.bytes <= w->p.small && l->before_len == 0;
}

static void run(struct wr_worn *w, struct wr_lane *l)
{
    bool small = is_small(w, l);
    if (small && w->inlined && !w->p.sync) {
        schedule(w);
        return;
    }
    if ((!l->loaded && load(l)) || give_rooms(w, l, small || !consumed(w) ? 1 : w->p.rooms)) {
        l->fault = wr_error_fault(WR_E_NO_MEMORY);
        end_lane(w, l, true);
        return;
    }
    unsigned index = (unsigned)(l - w->lanes);
    if (small) {
        w->inlined = true;
        wr_worn_work(w, index);
        take_results(w, l);
        return;
    }
    l->out = true;
    w->outs++;
    wr_stream_pin(w->s);
    w->p.ops->submit(w, index);
}

static void run_lanes(struct wr_worn *w)
{
    for (unsigned i = 0; i < w->active && !w->failed; i++)
        if (has_work(lane(w, i)) && may_work(w, i))
            run(w, lane(w, i));
}

/* ---- output */

static void retire(struct wr_worn *w, struct wr_lane *l)
{
    unsigned char tail[WR_WORN_TAIL_MOST];
    size_t n = 0;
    l->retired = true;
    if (l->failed)
        fail(w, l->fault);
    else if (w->p.ops->retire && l->codec)
        n = w->p.ops->retire(w, l->codec, l->last || !in_sections(w), tail);
    if (n && wr_lane_append(l, w->alloc, tail, n, w->p.chunk))
        no_memory(w);
    if (l->codec)
        l->codec->ops->free(l->codec);
    l->codec = NULL;
}

/* The output of the first lane is all pushed, and there will be no more. */
static void leave(struct wr_worn *w, struct wr_lane *l)
{
    w->again = true;
    if (l->last || !in_sections(w)) {
        w->done = true;
        w->active = 0;
    } else {
        w->first = (w->first + 1) % w->p.lanes;
        w->active--;
    }
}

static void deliver(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    while (w->active && !wr_stream_destroyed(s)) {
        struct wr_lane *l = lane(w, 0);
        if (l->over && !l->retired)
            retire(w, l);
        while (l->ready.count && wants(w) && !wr_stream_destroyed(s)) {
            w->asked = false;
            wr_readable_push(s, (struct wr_item){.bytes = wr_queue_take(&l->ready)});
        }
        if (l->ready.count || !l->over || w->failed)
            return;
        leave(w, l);
    }
}

/* ---- telling the stream */

/* Does anybody wait for the callback of a chunk that is out? */
static bool awaited(const struct wr_stream *s)
{
    for (uint32_t i = 0; i < s->w_out; i++)
        if (((const struct wr_done *)wr_fifo_peek(&s->w_dones, i))->fn)
            return true;
    return false;
}

static bool all_pushed(struct wr_worn *w)
{
    for (unsigned i = 0; i < w->active; i++)
        if (lane(w, i)->ready.count)
            return false;
    return true;
}

/* Is all that was taken done with? */
static bool is_idle(struct wr_worn *w)
{
    return !w->held && !w->marks && !w->outs && !w->in.count && all_pushed(w) && !(w->active && lane(w, 0)->loaded);
}

static bool may_complete(struct wr_worn *w)
{
    if (w->done || is_idle(w))
        return true;
    return w->held < w->p.ahead && !w->marks && wants(w) && !awaited(w->s);
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

/* Has anybody begun to read, who may want the rest before the error? */
static bool is_read(const struct wr_stream *s)
{
    const uint32_t notes = WR_R_HAS_FLOWING | WR_R_HAS_PAUSED | WR_R_DATA_EMITTED | WR_R_READABLE_LISTENING;
    return wr_readable_consumed(s) || s->r & notes;
}

static void wait_for_reader(struct wr_worn *w)
{
    if (w->watching)
        return;
    w->watching = true;
    w->watch = (struct wr_watch){.mask = 1u << WR_EV_DATA, .fn = on_data};
    wr_watch_add(w->s, &w->watch, false);
}

static void report(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    if (w->active && lane(w, 0)->ready.count)
        return;
    if (wr_readable_length(s) && is_read(s) && !w->told) {
        wait_for_reader(w);
        return;
    }
    unwatch(w);
    wr_transform_release(s);
    struct wr_error *err = wr_error_new(s->flow->alloc, w->fault);
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

static void settle(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    if (w->failed) {
        report(w);
        return;
    }
    if (s->w_out && !w->answered && may_complete(w)) {
        w->again = w->answered = true;
        wr_transform_done(s, NULL);
    }
    if (!w->done || wr_stream_destroyed(s))
        return;
    if (w->flushing) {
        w->flushing = false;
        wr_transform_flushed(s, NULL);
    } else if (!w->ending && s->read < WR_READ_ENDED) {
        wr_readable_eof(s); /* the codec ended by itself */
    }
}

/* ---- everything together */

static void tidy(struct wr_worn *w)
{
    if (w->done || w->failed)
        drop_spare(w, 0);
    else if (!w->outs && !w->held)
        drop_spare(w, SPARE_IDLE);
}

static void pump(struct wr_worn *w)
{
    struct wr_stream *s = w->s;
    w->again = true;
    if (w->pumping)
        return;
    w->pumping = true;
    wr_stream_ref(s);
    while (w->again && !wr_stream_destroyed(s)) {
        w->again = false;
        hand_out(w);
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

static void take(struct wr_worn *w, struct wr_chunk c)
{
    const struct mark *m = mark_of(&c);
    if (w->failed || (!m && c.len == 0)) {
        wr_chunk_clear(&c);
    } else if (w->done) {
        if (!m && w->p.ops->rest)
            w->p.ops->rest(w, &c);
        wr_chunk_clear(&c);
    } else {
        size_t len = c.len;
        bool is_mark = m != NULL;
        if (wr_queue_push(&w->in, c)) {
            no_memory(w);
            return;
        }
        w->held += len;
        w->marks += is_mark;
    }
}

void wr_worn_write(struct wr_worn *w, uint32_t n)
{
    w->answered = false;
    for (uint32_t i = 0; i < n; i++) {
        struct wr_item item = wr_writable_out(w->s, i);
        take(w, wr_chunk_ref(&item.bytes));
    }
    w->inlined = true; /* what is small waits for a tick, with what comes until then */
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
    w->ending = w->flushing = w->inlined = true;
    pump(w);
}

int wr_worn_mark(struct wr_worn *w, enum wr_flush flush, intptr_t arg, struct wr_done done)
{
    struct mark m = {flush, arg};
    struct wr_chunk c;
    if (wr_chunk_copy(w->alloc, &c, &m, sizeof m))
        return -1;
    c.len = 0;
    wr_writable_write(w->s, (struct wr_item){.bytes = c}, done);
    return 0;
}

/* ---- its end */

static void release(struct wr_worn *w)
{
    unwatch(w);
    w->scheduled = false;
    for (unsigned i = 0; i < WR_WORN_LANES; i++) {
        struct wr_lane *l = &w->lanes[i];
        wr_lane_clear(l);
        wr_alloc_free(w->alloc, l->before, w->p.window);
        l->before = NULL;
    }
    wr_alloc_free(w->alloc, w->window, w->p.window);
    w->window = NULL;
    wr_queue_clear(&w->in);
    drop_spare(w, 0);
    w->active = 0;
    w->done = true;
}

static void answer_tick(struct wr_flow *f, struct wr_tick *t)
{
    struct wr_stream *s = t->stream;
    wr_transform_release(s);
    struct wr_worn *w = (struct wr_worn *)t->done.arg;
    if (!s->w_out || w->answered)
        return;
    struct wr_error *err = t->error ? wr_error_ref(t->error) : wr_error_new(f->alloc, wr_error_fault(WR_E_DESTROYED));
    w->answered = true;
    wr_transform_done(s, err);
    wr_error_unref(err);
}

/* No job is out: the rest of destroy. */
static void destroyed(struct wr_worn *w, struct wr_error *err)
{
    release(w);
    if (w->s->w_out)
        wr_tick_add(w->s->flow, answer_tick, w->s, err, (struct wr_done){.arg = (intptr_t)w});
    wr_life_destroyed(w->s, err);
}

void wr_worn_destroy(struct wr_worn *w, struct wr_error *err)
{
    if (w->outs) {
        w->doomed = true;
        w->reason = wr_error_ref(err);
        return;
    }
    destroyed(w, err);
}

static bool job_returned(struct wr_worn *w, unsigned i)
{
    assert(w->lanes[i].out && "a job came back that was not out");
    w->lanes[i].out = false;
    return --w->outs == 0;
}

void wr_worn_worked(struct wr_worn *w, unsigned i)
{
    struct wr_stream *s = w->s;
    bool last = job_returned(w, i);
    if (!wr_stream_destroyed(s)) {
        take_results(w, &w->lanes[i]);
        w->inlined = false;
        pump(w);
    } else if (last && w->doomed) {
        struct wr_error *reason = w->reason;
        w->doomed = false;
        w->reason = NULL;
        destroyed(w, reason);
        wr_error_unref(reason);
    }
    wr_stream_unpin(s);
}

void wr_worn_lost(struct wr_worn *w, unsigned i)
{
    job_returned(w, i);
    w->p.ops = NULL;
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
    w->alloc = s->flow->alloc;
    w->p = *p;
    w->room = ROOM;
    if (p->chunk && p->chunk < ROOM)
        w->room = ROOM / p->chunk * p->chunk;
    else if (p->chunk)
        w->room = p->chunk < ROOM_MOST ? p->chunk : ROOM_MOST;
    if (!p->chunk || p->chunk > w->room)
        w->p.chunk = w->room;
    if (!in_sections(w))
        w->p.lanes = 1;
    for (unsigned i = 0; i < WR_WORN_LANES; i++)
        wr_lane_init(&w->lanes[i], w->alloc);
    wr_queue_init(&w->in, w->alloc);
    if (!in_sections(w)) {
        w->active = 1;
        w->lanes[0].codec = p->codec;
        w->lanes[0].left = UINT64_MAX;
    }
    return w;
}

void wr_worn_free(struct wr_worn *w)
{
    if (!w)
        return;
    release(w);
    wr_error_unref(w->reason);
    wr_alloc_free(w->alloc, w, sizeof *w);
}

void *wr_worn_user(const struct wr_worn *w)
{
    return w->p.user;
}

struct wr_codec *wr_worn_codec(struct wr_worn *w)
{
    bool usable = !w->failed && !w->done && !w->ending && is_idle(w) && !in_sections(w);
    return usable ? w->lanes[0].codec : NULL;
}

uint64_t wr_worn_taken(const struct wr_worn *w)
{
    return w->taken;
}
