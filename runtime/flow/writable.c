/* SPDX-License-Identifier: MIT */
/* The writable side: the exact path. Chunks wait in w_bytes (or in the host's ring), those that the handler has are in w_batch
 * (or taken by the host) and still count for the mark. Callbacks are called in the order of the writes, each once: where a
 * synchronous completion waits for its tick, a later asynchronous one waits behind it (decided difference 11).
 */
#include <assert.h>

#include "finish.h"
#include "life.h"
#include "pump.h"
#include "tick.h"

#include "writable.h"

static const struct wr_done NOBODY = {0};

static bool objects(const struct wr_stream *s)
{
    return (s->has & WR_OBJECTS_WRITE) != 0;
}

static bool ending(const struct wr_stream *s)
{
    return s->write >= WR_WRITE_ENDING;
}

int32_t wr_writable_length(const struct wr_stream *s)
{
    return (objects(s) ? s->sh->w.tail - s->sh->w.head : s->sh->w.size) + s->sh->out;
}

uint32_t wr_writable_waiting(const struct wr_stream *s)
{
    return objects(s) ? (uint32_t)(s->sh->w.tail - s->sh->w.head) : s->w_bytes.count;
}

bool wr_writable_needs_drain(const struct wr_stream *s)
{
    return s->w & WR_W_NEED_DRAIN && !ending(s) && !wr_stream_destroyed(s);
}

static void call(struct wr_stream *s, struct wr_done done, struct wr_error *err)
{
    if (done.fn)
        done.fn(s, done.arg, err);
}

/* The error that a write gets that will never be written. */
static struct wr_error *reason(struct wr_stream *s)
{
    return s->errored ? wr_error_ref(s->errored) : wr_error_new(s->flow->alloc, wr_error_fault(WR_E_DESTROYED));
}

/* ---- handing chunks to the handler */

static void take_out(struct wr_stream *s, uint32_t n)
{
    s->w_out = n;
    s->w |= WR_W_SYNC;
    if (objects(s)) {
        s->sh->w.head += (int32_t)n;
        s->sh->out = (int32_t)n;
        return;
    }
    while (n--)
        wr_queue_push(&s->w_batch, wr_queue_take(&s->w_bytes));
    s->sh->w.size = (int32_t)s->w_bytes.bytes;
    s->sh->out = (int32_t)s->w_batch.bytes;
}

static void hand_over(struct wr_stream *s, uint32_t n)
{
    take_out(s, n);
    s->stats.in += n;
    if (s->has & WR_IS_TRANSFORM)
        s->t_length = s->has & WR_OBJECTS_READ ? s->sh->r.tail - s->sh->r.head : s->sh->r.size;
    wr_pump_enter(s);
    if (s->has & (WR_HAS_WRITE | WR_HAS_WRITEV)) /* else it stays out for ever, and the door says so */
        s->ops->write(s, n);
    bool came = wr_pump_leave(s);
    if (came && s->has & WR_IS_TRANSFORM)
        wr_transform_done(s, NULL);
    else if (came)
        wr_writable_done(s, NULL);
    s->w &= ~(uint32_t)WR_W_SYNC;
}

/* The stream was destroyed while its buffer was being written: the next chunk fails as if its handler had said so. */
static void lose_one(struct wr_stream *s)
{
    struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(WR_E_DESTROYED));
    take_out(s, 1);
    wr_writable_done(s, e);
    s->w &= ~(uint32_t)WR_W_SYNC;
    wr_error_unref(e);
}

/* How many chunks go out at once. */
static uint32_t batch_size(struct wr_stream *s)
{
    uint32_t waiting = wr_writable_waiting(s);
    if (!(s->has & WR_HAS_WRITEV) || waiting < 2)
        return waiting ? 1 : 0;
    uint32_t n = waiting < WR_WRITEV_MAX ? waiting : WR_WRITEV_MAX;
    /* for one there is room since it was written */
    return n > 1 && !objects(s) && wr_queue_reserve(&s->w_batch, n) ? 1 : n;
}

static bool may_write(const struct wr_stream *s)
{
    return !wr_stream_destroyed(s) && wr_stream_constructed(s) && !s->corked && !(s->w & WR_W_PROCESSING);
}

static void write_waiting(struct wr_stream *s)
{
    if (!may_write(s))
        return;
    s->w |= WR_W_PROCESSING;
    for (uint32_t n; !s->w_out && (n = batch_size(s)) > 0;) {
        if (wr_stream_destroyed(s)) {
            lose_one(s);
            continue;
        }
        s->pending -= (int32_t)n - 1;
        hand_over(s, n);
    }
    s->w &= ~(uint32_t)WR_W_PROCESSING;
}

struct wr_item wr_writable_out(struct wr_stream *s, uint32_t i)
{
    assert(i < s->w_out && "asking for a chunk that is not out");
    struct wr_item item = {0};
    if (objects(s))
        item.object = s->flow->host->take(s, WR_SIDE_WRITE, s->sh->w.head - (int32_t)(s->w_out - i));
    else
        item.bytes = *wr_queue_peek(&s->w_batch, i);
    return item;
}

/* ---- when the handler has completed */

static void call_settled(struct wr_stream *s, uint32_t n)
{
    for (; n && s->w_settled.count; n--) {
        struct wr_settled one;
        wr_fifo_take(&s->w_settled, &one);
        call(s, one.done, one.error);
        wr_error_unref(one.error);
    }
}

/* Those that no tick will call, once nothing is before them. A callback may complete a further write, which waits behind. */
static void call_late(struct wr_stream *s)
{
    while (s->w_late && s->w_late == s->w_settled.count) {
        s->w_late = 0;
        call_settled(s, s->w_settled.count);
    }
}

/* After a write (or a batch, whose COUNT callbacks were one promise). */
static void after_write(struct wr_stream *s, uint32_t count)
{
    s->w &= ~(uint32_t)WR_W_AFTER_PENDING;
    if (s->w & WR_W_NEED_DRAIN && !ending(s) && !wr_stream_destroyed(s) && wr_writable_length(s) == 0) {
        s->w &= ~(uint32_t)WR_W_NEED_DRAIN;
        wr_stream_emit(s, WR_EV_DRAIN, NULL, NULL, NULL);
    }
    s->pending--;
    call_settled(s, count);
    call_late(s);
    if (wr_stream_destroyed(s))
        wr_writable_forget(s);
    if (ending(s))
        wr_finish_maybe(s, true);
}

static void after_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    after_write(t->stream, (uint32_t)t->done.arg);
}

/* Moves the callbacks of the N chunks that were out behind those that still wait; how many anybody waits for. */
static uint32_t settle(struct wr_stream *s, uint32_t n, struct wr_error *err)
{
    uint32_t some = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct wr_settled one = {.error = err};
        wr_fifo_take(&s->w_dones, &one.done);
        if (!one.done.fn)
            continue;
        wr_fifo_push(&s->w_settled, &one); /* there is room since it was written */
        wr_error_ref(err);
        some++;
    }
    return some;
}

/* Node looks after every synchronous write of objects in a tick (a slip of precedence there), which decides when 'finish'
 * comes: kept. */
static void written_in_handler(struct wr_stream *s, uint32_t callbacks)
{
    bool drain = s->w & WR_W_NEED_DRAIN && wr_writable_length(s) == 0;
    if (callbacks) {
        wr_tick_add(s->flow, after_tick, s, NULL, (struct wr_done){.arg = callbacks});
    } else if (!(s->w & WR_W_AFTER_PENDING) && (drain || objects(s))) {
        wr_tick_add(s->flow, after_tick, s, NULL, NOBODY);
        s->w |= WR_W_AFTER_PENDING;
    } else {
        s->pending--;
        if (ending(s))
            wr_finish_maybe(s, true);
    }
}

static void error_now(struct wr_stream *s, struct wr_error *err, uint32_t callbacks)
{
    s->pending--;
    call_settled(s, callbacks);
    call_late(s);
    wr_writable_forget(s);
    wr_life_fail(s, err, false);
}

static void error_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    error_now(t->stream, t->error, (uint32_t)t->done.arg);
}

/* A failure outside the handler is told at once, before successes that wait for their tick, as in Node. */
static void write_failed(struct wr_stream *s, struct wr_error *err, uint32_t n, bool sync)
{
    wr_life_keep(s, err);
    if (sync) {
        wr_tick_add(s->flow, error_tick, s, err, (struct wr_done){.arg = settle(s, n, err)});
        return;
    }
    for (; n; n--) {
        struct wr_done done;
        wr_fifo_take(&s->w_dones, &done);
        call(s, done, err);
    }
    error_now(s, err, 0);
}

void wr_writable_done(struct wr_stream *s, struct wr_error *err)
{
    wr_stream_check(s);
    if (!s->w_out) {
        wr_life_fail_code(s, WR_E_MULTIPLE_CALLBACK, false);
        return;
    }
    bool sync = (s->w & WR_W_SYNC) != 0;
    if (err)
        wr_pump_spill(s);
    uint32_t n = s->w_out, earlier = s->w_settled.count;
    s->w_out = 0;
    s->sh->out = 0;
    wr_queue_shed(&s->w_batch);
    wr_stream_ref(s);
    if (err) {
        write_failed(s, err, n, sync);
    } else {
        uint32_t callbacks = settle(s, n, NULL);
        write_waiting(s);
        if (sync) {
            written_in_handler(s, callbacks);
        } else if (earlier && callbacks) {
            s->w_late += callbacks;
            after_write(s, 0);
        } else {
            after_write(s, callbacks);
        }
    }
    wr_stream_unref(s);
}

/* ---- writes that will never be written */

void wr_writable_after_burst(struct wr_stream *s)
{
    if (wr_stream_destroyed(s)) {
        wr_writable_forget(s);
        return;
    }
    write_waiting(s);
    if (ending(s))
        wr_finish_maybe(s, true);
}

bool wr_writable_owes(const struct wr_stream *s)
{
    return s->has & WR_IS_WRITABLE && (s->w & WR_W_HOLDING || wr_writable_waiting(s) || s->w_ends.count);
}

static void forget_chunk(struct wr_stream *s)
{
    if (objects(s)) {
        s->sh->w.head++;
        return;
    }
    struct wr_chunk c = wr_queue_take(&s->w_bytes);
    wr_chunk_clear(&c);
    s->sh->w.size = (int32_t)s->w_bytes.bytes;
}

void wr_writable_forget(struct wr_stream *s)
{
    bool held = s->w & WR_W_HOLDING && wr_stream_destroyed(s);
    if ((s->w_out && !held) || !(s->has & WR_IS_WRITABLE))
        return;
    struct wr_error *err = reason(s);
    if (held)
        wr_transform_forget(s, err);
    while (wr_writable_waiting(s)) { /* also what a callback writes meanwhile, as in Node */
        struct wr_done done;
        wr_fifo_take(&s->w_dones, &done);
        forget_chunk(s);
        call(s, done, err);
    }
    wr_finish_ends(s, err);
    wr_error_unref(err);
}

static void forget_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    wr_writable_forget(t->stream);
}

void wr_writable_forget_later(struct wr_stream *s)
{
    wr_tick_add(s->flow, forget_tick, s, NULL, NOBODY);
}

/* ---- write, cork, end */

static void refused_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    call(t->stream, t->done, t->error);
}

static void refuse(struct wr_stream *s, enum wr_code code, struct wr_done done)
{
    struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(code));
    if (done.fn)
        wr_tick_add(s->flow, refused_tick, s, e, done);
    wr_life_fail(s, e, true);
    wr_error_unref(e);
}

/* Room for all that one more write will need, until its callback was called: nobody could be told later that there is none. */
static int make_room(struct wr_stream *s, struct wr_done done)
{
    if (wr_fifo_reserve(&s->w_dones, 1) || (!objects(s) && wr_queue_reserve(&s->w_batch, 1)))
        return -1;
    return done.fn ? wr_fifo_reserve(&s->w_settled, s->w_dones.count + 1) : 0;
}

static int keep(struct wr_stream *s, struct wr_item *item, struct wr_done done)
{
    s->sh->go |= s->buffering ? WR_GO_STOP : 0;
    if (make_room(s, done))
        return -1;
    if (objects(s)) {
        if (s->flow->host->store(s, WR_SIDE_WRITE, s->sh->w.tail, item->object))
            return -1;
        s->sh->w.tail++;
    } else {
        int rc = wr_queue_push(&s->w_bytes, item->bytes);
        item->bytes = (struct wr_chunk){0};
        if (rc)
            return -1;
        s->sh->w.size = (int32_t)s->w_bytes.bytes;
    }
    return wr_fifo_push(&s->w_dones, &done);
}

static bool refused(struct wr_stream *s, struct wr_item *item, struct wr_done done)
{
    enum wr_code code = ending(s) ? WR_E_WRITE_AFTER_END : wr_stream_destroyed(s) ? WR_E_DESTROYED : WR_E_OK;
    if (!code)
        return false;
    wr_chunk_clear(&item->bytes);
    refuse(s, code, done);
    return true;
}

static bool accept(struct wr_stream *s, struct wr_item *item, struct wr_done done)
{
    bool must_wait = s->w_out || s->errored || s->corked || !wr_stream_constructed(s) || wr_writable_waiting(s);
    if (keep(s, item, done)) {
        wr_chunk_clear(&item->bytes);
        refuse(s, WR_E_NO_MEMORY, done);
        return false;
    }
    s->pending++;
    if (!must_wait)
        hand_over(s, 1);
    wr_finish_failed(s);
    int32_t length = wr_writable_length(s);
    bool room = length < s->sh->w.mark || length == 0;
    if (!room)
        s->w |= WR_W_NEED_DRAIN;
    return room && !wr_stream_destroyed(s) && !s->errored;
}

bool wr_writable_write(struct wr_stream *s, struct wr_item item, struct wr_done done)
{
    wr_stream_check(s);
    return !refused(s, &item, done) && accept(s, &item, done);
}

void wr_writable_cork(struct wr_stream *s)
{
    wr_stream_check(s);
    s->corked++;
    s->sh->go |= s->buffering ? WR_GO_STOP : 0;
}

void wr_writable_uncork(struct wr_stream *s)
{
    wr_stream_check(s);
    if (!s->corked)
        return;
    s->corked--;
    if (!s->w_out)
        write_waiting(s);
}

static void answer_end(struct wr_stream *s, enum wr_code code, struct wr_done done)
{
    if (!done.fn)
        return;
    struct wr_error *e = NULL;
    if (code)
        e = wr_error_new(s->flow->alloc, wr_error_fault(code));
    else if (s->errored)
        e = wr_error_ref(s->errored);
    if (!e && s->write != WR_WRITE_FINISHED && wr_fifo_push(&s->w_ends, &done))
        e = wr_error_new(s->flow->alloc, wr_error_fault(WR_E_NO_MEMORY));
    if (e || s->write == WR_WRITE_FINISHED)
        wr_tick_add(s->flow, refused_tick, s, e, done);
    else if (wr_stream_destroyed(s))
        wr_writable_forget_later(s);
    wr_error_unref(e);
}

void wr_writable_end(struct wr_stream *s, struct wr_item *item, struct wr_done done)
{
    wr_stream_check(s);
    enum wr_code code = WR_E_OK;
    if (item) {
        code = ending(s) ? WR_E_WRITE_AFTER_END : wr_stream_destroyed(s) ? WR_E_DESTROYED : WR_E_OK;
        wr_writable_write(s, *item, NOBODY);
    }
    if (s->corked) {
        s->corked = 1;
        wr_writable_uncork(s);
    }
    if (!code && s->write == WR_WRITE_OPEN && !s->errored) {
        wr_stream_step(s, WR_MACHINE_WRITE, WR_WRITE_ON_END);
        wr_finish_maybe(s, true);
    } else if (!code && s->write == WR_WRITE_FINISHED) {
        code = WR_E_ALREADY_FINISHED;
    } else if (!code && wr_stream_destroyed(s)) {
        code = WR_E_DESTROYED;
    }
    answer_end(s, code, done);
}

void wr_writable_constructed(struct wr_stream *s)
{
    if (!(s->has & WR_IS_WRITABLE))
        return;
    if (!s->w_out)
        write_waiting(s);
    if (ending(s))
        wr_finish_maybe(s, false);
}
