/* SPDX-License-Identifier: MIT */
/* The readable side, one chunk at a time: the exact path, which is the definition of what a readable does. Bursts (pump.c)
 * change nothing but how often a pipe stops.
 *
 * It differs from Node where a chunk has crossed WR_CASCADE_MAX pipes in a row: then it waits in the buffer for a tick, so that
 * the C stack does not grow with the length of a pipeline. Putting it off at every pipe was tried: a chunk that waits counts
 * for its stream's mark, and where a stage further down holds, other chunks are then at rest in other places than in Node.
 */
#include <assert.h>

#include "life.h"
#include "pipe.h"
#include "pump.h"
#include "tick.h"
#include "writable.h"

#include "readable.h"

#define CHUNKS_A_TICK 1024 /* one by one, then others get their turn */

static const struct wr_done NOBODY = {0};
static const int32_t MARK_MAX = 0x40000000;

static bool objects(const struct wr_stream *s)
{
    return (s->has & WR_OBJECTS_READ) != 0;
}

static bool at_end(const struct wr_stream *s)
{
    return s->read >= WR_READ_ENDED || s->read == WR_READ_ABSENT;
}

int32_t wr_readable_length(const struct wr_stream *s)
{
    return objects(s) ? s->sh->r.tail - s->sh->r.head : s->sh->r.size;
}

bool wr_readable_wants(const struct wr_stream *s)
{
    int32_t length = wr_readable_length(s);
    return !at_end(s) && (length < s->sh->r.mark || length == 0);
}

bool wr_readable_consumed(const struct wr_stream *s)
{
    return wr_stream_listens(s, WR_EV_DATA) || s->pipe_count;
}

/* ---- the buffer */

static int keep(struct wr_stream *s, struct wr_item *item, bool front)
{
    struct wr_ring *r = &s->sh->r;
    if (!objects(s)) {
        int rc = front ? wr_queue_unshift(&s->r_bytes, item->bytes) : wr_queue_push(&s->r_bytes, item->bytes);
        item->bytes = (struct wr_chunk){0};
        r->size = (int32_t)s->r_bytes.bytes;
        return rc;
    }
    if (s->flow->host->store(s, WR_SIDE_READ, front ? r->head - 1 : r->tail, item->object))
        return -1;
    if (front)
        r->head--, s->singly--;
    else
        r->tail++;
    return 0;
}

static bool take_bytes(struct wr_stream *s, int64_t n, struct wr_item *out)
{
    if (s->life == WR_LIFE_GONE) {
        wr_queue_drop(&s->r_bytes, (size_t)n); /* they were given back, only their number is left */
    } else if (wr_queue_take_bytes(&s->r_bytes, (size_t)n, &out->bytes)) {
        wr_life_fail_code(s, WR_E_NO_MEMORY, false);
        return false;
    }
    s->sh->r.size = (int32_t)s->r_bytes.bytes;
    return true;
}

/* At most N bytes: somebody may have read since they were counted. */
static bool take(struct wr_stream *s, int64_t n, struct wr_item *out)
{
    int32_t length = wr_readable_length(s);
    if (length == 0)
        return false;
    if (!objects(s))
        return take_bytes(s, n < length ? n : length, out);
    s->singly++;
    out->object = s->flow->host->take(s, WR_SIDE_READ, s->sh->r.head++);
    return true;
}

static int64_t how_much(const struct wr_stream *s, int64_t n)
{
    int32_t length = wr_readable_length(s);
    if ((n <= 0 && n != WR_READ_ANY) || (length == 0 && at_end(s)))
        return 0;
    if (objects(s))
        return 1;
    if (n == WR_READ_ANY) {
        const struct wr_chunk *first = wr_queue_peek(&s->r_bytes, 0);
        return s->r & WR_R_FLOWING && first ? (int64_t)first->len : length;
    }
    return n <= length ? n : at_end(s) ? length : 0;
}

void wr_readable_forget(struct wr_stream *s)
{
    wr_queue_hollow(&s->r_bytes);
}

/* ---- 'readable' and the flow */

static void emit_readable_now(struct wr_stream *s)
{
    bool silent = wr_stream_destroyed(s) || s->errored;
    if (!silent && (wr_readable_length(s) || at_end(s))) {
        wr_stream_emit(s, WR_EV_READABLE, NULL, NULL, NULL);
        s->r &= ~(uint32_t)WR_R_EMITTED_READABLE;
    }
    if (!(s->r & WR_R_FLOWING) && !at_end(s) && wr_readable_length(s) <= s->sh->r.mark)
        s->r |= WR_R_NEED_READABLE;
    wr_readable_flow(s);
}

static void emit_readable_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    emit_readable_now(t->stream);
}

static void emit_readable(struct wr_stream *s)
{
    s->r &= ~(uint32_t)WR_R_NEED_READABLE;
    if (s->r & WR_R_EMITTED_READABLE)
        return;
    s->r |= WR_R_EMITTED_READABLE;
    wr_tick_add(s->flow, emit_readable_tick, s, NULL, NOBODY);
}

static void end_writable_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *s = t->stream;
    if (s->write == WR_WRITE_OPEN && !wr_stream_destroyed(s) && !s->errored)
        wr_writable_end(s, NULL, NOBODY);
}

static bool writable_now(const struct wr_stream *s)
{
    return s->has & WR_IS_WRITABLE && !(s->has & WR_CLOSED_WRITE) && s->write == WR_WRITE_OPEN &&
           !wr_stream_destroyed(s) && !s->errored;
}

static void end_tick(struct wr_flow *f, struct wr_tick *t)
{
    struct wr_stream *s = t->stream;
    if (s->errored || s->life == WR_LIFE_GONE || s->read != WR_READ_ENDED || wr_readable_length(s))
        return;
    wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_END);
    wr_stream_emit(s, WR_EV_END, NULL, NULL, NULL);
    if (!(s->has & WR_HALF_OPEN) && writable_now(s))
        wr_tick_add(f, end_writable_tick, s, NULL, NOBODY);
    else
        wr_life_settle(s);
}

static void end_readable(struct wr_stream *s)
{
    if (s->read == WR_READ_ENDED)
        wr_tick_add(s->flow, end_tick, s, NULL, NOBODY);
}

static void more_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *s = t->stream;
    while (s->read == WR_READ_IDLE) {
        int32_t length = wr_readable_length(s);
        if (length >= s->sh->r.mark && !(s->r & WR_R_FLOWING && length == 0))
            break;
        struct wr_item none = {0};
        wr_readable_read(s, 0, &none);
        if (length == wr_readable_length(s))
            break;
    }
    s->r &= ~(uint32_t)WR_R_READING_MORE;
}

void wr_readable_more(struct wr_stream *s)
{
    if (s->r & WR_R_READING_MORE || !wr_stream_constructed(s))
        return;
    s->r |= WR_R_READING_MORE;
    wr_tick_add(s->flow, more_tick, s, NULL, NOBODY);
}

/* A source that always has more would keep all others waiting (decided difference 7). */
void wr_readable_flow(struct wr_stream *s)
{
    if (wr_pump_run(s))
        return;
    struct wr_item item = {0};
    uint32_t n = 0;
    for (; n < CHUNKS_A_TICK && s->r & WR_R_FLOWING && wr_readable_read(s, WR_READ_ANY, &item); n++)
        wr_item_drop(s->flow, &item);
    wr_pump_settle(s);
    if (n == CHUNKS_A_TICK)
        wr_tick_flow_on(s, n);
}

/* ---- what goes in */

static void deliver(struct wr_stream *s, const struct wr_item *item, bool over)
{
    s->r |= WR_R_DATA_EMITTED;
    s->stats.out++;
    wr_stream_emit(s, WR_EV_DATA, item, NULL, NULL);
    if (s->pipes && !over)
        wr_pipe_deliver(s, item);
}

static void add(struct wr_stream *s, struct wr_item item, bool front)
{
    uint32_t r = s->r & (WR_R_FLOWING | WR_R_SYNC);
    bool direct = r == WR_R_FLOWING && wr_readable_consumed(s) && wr_readable_length(s) == 0;
    bool waits = s->buffering ||
                 (s->pipe_count && (s->flow->moving >= WR_CASCADE_MAX || (s->has & WR_BULK && wr_pump_buffers(s))));
    if (direct && !waits) {
        wr_pipe_forget_waiting(s);
        deliver(s, &item, false);
        wr_chunk_clear(&item.bytes);
    } else {
        if (keep(s, &item, front)) {
            wr_life_fail_code(s, WR_E_NO_MEMORY, false);
            return;
        }
        if (s->buffering)
            return;
        if (direct)
            wr_tick_flow_due(s);
        if (s->r & WR_R_NEED_READABLE)
            emit_readable(s);
    }
    wr_readable_more(s);
}

bool wr_readable_flows_at_once(const struct wr_stream *s)
{
    const uint32_t looks = WR_R_FLOWING | WR_R_SYNC | WR_R_RESUME_WAITS;
    return (s->r & looks) == WR_R_FLOWING && s->pipe_count && s->flow->moving < WR_CASCADE_MAX;
}

void wr_readable_spill(struct wr_stream *s, int32_t most)
{
    for (; most > 0 && wr_readable_flows_at_once(s) && wr_readable_length(s); most--) {
        struct wr_item item = {0};
        if (!take(s, how_much(s, WR_READ_ANY), &item))
            return;
        wr_pipe_forget_waiting(s);
        deliver(s, &item, false);
        wr_item_drop(s->flow, &item);
    }
}

void wr_readable_arrived(struct wr_stream *s)
{
    if (s->r & WR_R_FLOWING && wr_readable_consumed(s)) {
        s->r &= ~(uint32_t)WR_R_NEED_READABLE;
        wr_tick_flow_due(s);
        return;
    }
    if (s->r & WR_R_NEED_READABLE)
        emit_readable(s);
    wr_readable_more(s);
}

void wr_readable_taken(struct wr_stream *s)
{
    if (wr_readable_length(s) == 0)
        end_readable(s);
}

static void answered(struct wr_stream *s)
{
    if (s->read != WR_READ_ABSENT)
        wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_PUSH);
}

bool wr_readable_push(struct wr_stream *s, struct wr_item item)
{
    wr_stream_check(s);
    bool empty = !objects(s) && item.bytes.len == 0;
    if (empty) {
        wr_chunk_clear(&item.bytes);
        answered(s);
        wr_readable_more(s);
        return wr_readable_wants(s);
    }
    if (at_end(s)) {
        wr_chunk_clear(&item.bytes);
        wr_life_fail_code(s, WR_E_PUSH_AFTER_EOF, false);
        return false;
    }
    if (wr_stream_destroyed(s) || s->errored) {
        wr_chunk_clear(&item.bytes);
        return false;
    }
    answered(s);
    add(s, item, false);
    return wr_readable_wants(s);
}

bool wr_readable_eof(struct wr_stream *s)
{
    wr_stream_check(s);
    if (at_end(s))
        return false;
    if (s->buffering || s->r & WR_R_FLOW_SCHEDULED) /* for a burst: on the exact path it would have crossed by now */
        wr_readable_spill(s, INT32_MAX);
    if (at_end(s))
        return false;
    wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_EOF);
    s->sh->exact = 1;
    if (s->r & WR_R_SYNC) {
        emit_readable(s);
    } else {
        s->r &= ~(uint32_t)WR_R_NEED_READABLE;
        s->r |= WR_R_EMITTED_READABLE;
        emit_readable_now(s);
    }
    return false;
}

bool wr_readable_unshift(struct wr_stream *s, struct wr_item item)
{
    wr_stream_check(s);
    if (!objects(s) && item.bytes.len == 0) {
        wr_chunk_clear(&item.bytes);
        return wr_readable_wants(s);
    }
    if (s->read == WR_READ_DONE || s->read == WR_READ_ABSENT) {
        wr_chunk_clear(&item.bytes);
        wr_life_fail_code(s, WR_E_UNSHIFT_AFTER_END, false);
    } else if (wr_stream_destroyed(s) || s->errored) {
        wr_chunk_clear(&item.bytes);
        return false;
    } else {
        add(s, item, true);
    }
    return wr_readable_wants(s);
}

/* ---- read */

/* read(n) raises the mark to the next power of two, as in Node. */
static void raise_mark(struct wr_stream *s, int64_t n)
{
    if (n <= s->sh->r.mark || n > MARK_MAX)
        return;
    int32_t mark = 1;
    while (mark < n)
        mark *= 2;
    s->sh->r.mark = mark;
}

static void ask(struct wr_stream *s)
{
    wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_ASK);
    s->r |= WR_R_SYNC;
    if (wr_readable_length(s) == 0)
        s->r |= WR_R_NEED_READABLE;
    if (s->has & WR_HAS_READ)
        s->ops->read(s);
    else if (s->has & WR_IS_TRANSFORM)
        wr_transform_release(s);
    else
        wr_life_fail_code(s, WR_E_NOT_IMPLEMENTED, false);
    s->r &= ~(uint32_t)WR_R_SYNC;
}

static bool may_ask(const struct wr_stream *s, int64_t n)
{
    int32_t length = wr_readable_length(s);
    if (s->read != WR_READ_IDLE || s->errored || wr_stream_destroyed(s) || !wr_stream_constructed(s))
        return false;
    return s->r & WR_R_NEED_READABLE || length == 0 || length - n < s->sh->r.mark;
}

void wr_readable_ask(struct wr_stream *s, int64_t n)
{
    if (may_ask(s, n))
        ask(s);
}

/* read(0) on a stream that has what it was asked for only tells so. */
static bool only_tells(struct wr_stream *s)
{
    int32_t length = wr_readable_length(s);
    bool enough = s->sh->r.mark ? length >= s->sh->r.mark : length > 0;
    if (!(s->r & WR_R_NEED_READABLE) || !(enough || at_end(s)))
        return false;
    if (length == 0 && at_end(s))
        end_readable(s);
    else
        emit_readable(s);
    return true;
}

static void after_read(struct wr_stream *s, bool got, bool all)
{
    int32_t length = wr_readable_length(s);
    if (!got && length <= s->sh->r.mark)
        s->r |= WR_R_NEED_READABLE;
    if (got)
        wr_pipe_forget_waiting(s);
    if (length)
        return;
    if (!at_end(s))
        s->r |= WR_R_NEED_READABLE;
    else if (!all)
        end_readable(s);
}

bool wr_readable_read(struct wr_stream *s, int64_t n, struct wr_item *out)
{
    wr_stream_check(s);
    bool over =
        wr_stream_destroyed(s); /* then what is read is dropped; not if its own handler destroys it now, as in Node */
    raise_mark(s, n);
    if (n != 0)
        s->r &= ~(uint32_t)WR_R_EMITTED_READABLE;
    else if (only_tells(s))
        return false;
    int64_t amount = how_much(s, n);
    if (amount == 0 && at_end(s)) {
        if (wr_readable_length(s) == 0)
            end_readable(s);
        return false;
    }
    if (may_ask(s, amount)) {
        ask(s);
        if (s->read != WR_READ_READING)
            amount = how_much(s, n);
    }
    bool got = amount > 0 && take(s, amount, out);
    after_read(s, got, n == (got ? amount : 0));
    if (got && !s->error_emitted && s->life != WR_LIFE_GONE)
        deliver(s, out, over);
    return got;
}

/* ---- pause, resume, listeners */

static void resume_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *s = t->stream;
    struct wr_item none = {0};
    if (s->read != WR_READ_READING)
        wr_readable_read(s, 0, &none);
    s->r &= ~(uint32_t)(WR_R_RESUME_SCHEDULED | WR_R_RESUME_WAITS);
    wr_stream_emit(s, WR_EV_RESUME, NULL, NULL, NULL);
    wr_readable_flow(s);
    if (s->r & WR_R_FLOWING && s->read != WR_READ_READING)
        wr_readable_read(s, 0, &none);
}

void wr_readable_resume(struct wr_stream *s)
{
    wr_stream_check(s);
    if (!(s->r & WR_R_FLOWING)) {
        s->r |= WR_R_HAS_FLOWING;
        if (!(s->r & WR_R_READABLE_LISTENING))
            s->r |= WR_R_FLOWING;
        if (wr_readable_length(s))
            s->r |= WR_R_RESUME_WAITS;
        if (!(s->r & WR_R_RESUME_SCHEDULED)) {
            s->r |= WR_R_RESUME_SCHEDULED;
            wr_tick_add(s->flow, resume_tick, s, NULL, NOBODY);
        }
    }
    s->r |= WR_R_HAS_PAUSED;
    s->r &= ~(uint32_t)WR_R_PAUSED;
}

static bool explicitly_stopped(const struct wr_stream *s)
{
    return (s->r & (WR_R_HAS_FLOWING | WR_R_FLOWING)) == WR_R_HAS_FLOWING;
}

void wr_readable_pause(struct wr_stream *s)
{
    wr_stream_check(s);
    if (!explicitly_stopped(s)) {
        s->r |= WR_R_HAS_FLOWING;
        s->r &= ~(uint32_t)WR_R_FLOWING;
        wr_pump_interrupt(s);
        wr_stream_emit(s, WR_EV_PAUSE, NULL, NULL, NULL);
    }
    s->r |= WR_R_HAS_PAUSED | WR_R_PAUSED;
}

bool wr_readable_is_paused(const struct wr_stream *s)
{
    return s->r & WR_R_PAUSED || explicitly_stopped(s);
}

static void listening_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *s = t->stream;
    if (wr_stream_listens(s, WR_EV_READABLE))
        s->r |= WR_R_READABLE_LISTENING;
    else
        s->r &= ~(uint32_t)WR_R_READABLE_LISTENING;
    uint32_t noted = s->r & (WR_R_HAS_PAUSED | WR_R_PAUSED | WR_R_RESUME_SCHEDULED);
    if (noted == (WR_R_HAS_PAUSED | WR_R_RESUME_SCHEDULED))
        s->r |= WR_R_HAS_FLOWING | WR_R_FLOWING;
    else if (wr_readable_consumed(s))
        wr_readable_resume(s);
    else if (!(s->r & WR_R_READABLE_LISTENING))
        s->r &= ~(uint32_t)(WR_R_HAS_FLOWING | WR_R_FLOWING);
}

static void read_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_item none = {0};
    wr_readable_read(t->stream, 0, &none);
}

static void readable_added(struct wr_stream *s)
{
    if (s->read == WR_READ_DONE || s->r & WR_R_READABLE_LISTENING)
        return;
    s->r |= WR_R_READABLE_LISTENING | WR_R_NEED_READABLE | WR_R_HAS_FLOWING;
    s->r &= ~(uint32_t)(WR_R_FLOWING | WR_R_EMITTED_READABLE);
    if (wr_readable_length(s))
        emit_readable(s);
    else if (s->read != WR_READ_READING)
        wr_tick_add(s->flow, read_tick, s, NULL, NOBODY);
}

void wr_readable_listener(struct wr_stream *s, enum wr_event ev, bool added)
{
    if (s->buffering)
        s->sh->go |= WR_GO_STOP, s->sh->exact = 1;
    wr_pump_interrupt(s);
    if (ev == WR_EV_READABLE && added) {
        readable_added(s);
    } else if (ev == WR_EV_READABLE) {
        wr_tick_add(s->flow, listening_tick, s, NULL, NOBODY);
    } else if (ev == WR_EV_DATA && added) {
        if (wr_stream_listens(s, WR_EV_READABLE))
            s->r |= WR_R_READABLE_LISTENING;
        if (!explicitly_stopped(s))
            wr_readable_resume(s);
    }
}

void wr_readable_constructed(struct wr_stream *s)
{
    if (s->has & WR_IS_READABLE && s->r & WR_R_NEED_READABLE)
        wr_readable_more(s);
}
