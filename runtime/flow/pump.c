/* SPDX-License-Identifier: MIT */
/* The core's half of bursts. The other half is a loop in the host (lua/weir/stream/driver.lua). Counts of objects are in the
 * struct that Lua sees, and are read back here after each burst; they are compared, never followed. */
#include <assert.h>

#include "life.h"
#include "pipe.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "pump.h"

static bool objects_out(const struct wr_stream *s)
{
    return (s->has & (WR_OBJECTS_READ | WR_IS_READABLE)) == (WR_OBJECTS_READ | WR_IS_READABLE);
}

/* Nobody looks at S's chunks but at most one pipe. */
static bool unobserved(const struct wr_stream *s)
{
    const int32_t looks = 1 << WR_EV_DATA | 1 << WR_EV_READABLE;
    return !(s->sh->listens & looks) && s->pipe_count <= 1;
}

bool wr_pump_buffers(const struct wr_stream *s)
{
    if (!s->flow->burst || s->flow->one || !(s->has & WR_IS_READABLE) || s->pipe_count != 1 || !unobserved(s))
        return false;
    const struct wr_stream *dest = s->pipes->dest;
    return objects_out(s) && dest->has & WR_OBJECTS_WRITE && s->sh->r.mark > 0 && dest->sh->w.mark > 0;
}

/* Can the edge out of S be crossed in bursts at all? */
static bool edge_bursts(const struct wr_stream *s)
{
    if (!wr_pump_buffers(s) || s->pipes->leaving)
        return false;
    const struct wr_stream *dest = s->pipes->dest;
    return dest->has & WR_BURSTS && dest->has & WR_HAS_WRITE;
}

/* Is DEST at rest, so that its handler can be given the next chunk without a queue? */
static bool at_rest(const struct wr_stream *dest)
{
    return !dest->w_out && !wr_writable_waiting(dest) && !dest->corked && dest->life == WR_LIFE_OPEN &&
           !dest->errored && dest->write == WR_WRITE_OPEN && !dest->buffering && !(dest->w & WR_W_PROCESSING);
}

/* Was it left full, and still is? Then Node would not have given the last callback yet. */
static bool full(const struct wr_stream *s)
{
    return s->left_full && wr_readable_length(s) > 0 && wr_readable_length(s) >= s->sh->r.mark;
}

/* Has the last chunk of a burst filled S? (What its handler pushed before, or pushes without being asked, does not count.) */
static bool filled(const struct wr_stream *s)
{
    if (!(s->has & WR_IS_TRANSFORM) || wr_readable_length(s) < s->sh->r.mark)
        return false;
    return !objects_out(s) || s->sh->r.tail != s->sh->at;
}

/* Will what S has in its ring be taken soon, without anybody calling anything? */
static bool moves_on(const struct wr_stream *s)
{
    return s->r & WR_R_FLOWING && s->pipe_count == 1 && !s->pipes->waiting && !wr_stream_destroyed(s);
}

void wr_pump_interrupt(struct wr_stream *s)
{
    for (struct wr_pipe *p = s->pipes; p; p = p->next)
        if (p->dest->buffering)
            p->dest->sh->go |= WR_GO_STOP;
}

/* ---- one call of a handler, or a burst of them */

/* From here on S pushes into its ring. */
static void begin(struct wr_stream *s)
{
    s->buffering = true;
    s->before = s->sh->r.tail;
    s->sh->exact = !objects_out(s) || !unobserved(s) || s->read >= WR_READ_ENDED;
    s->sh->go = WR_GO_IN;
}

/* From here on what S pushes goes the exact path. */
static void stop_buffering(struct wr_stream *s)
{
    s->buffering = false;
    s->sh->exact = 1;
    s->sh->go = WR_GO_IDLE;
}

static void end(struct wr_stream *s)
{
    stop_buffering(s);
    if (!(s->has & WR_IS_READABLE))
        return;
    bool pushed = objects_out(s) ? s->sh->r.tail != s->before : s->r_bytes.count != 0;
    if (pushed && s->read == WR_READ_READING)
        wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_PUSH);
    if (pushed)
        wr_readable_arrived(s);
}

void wr_pump_enter(struct wr_stream *s)
{
    if (!s->buffering && wr_pump_buffers(s))
        begin(s);
}

static void flow_now(struct wr_stream *s)
{
    s->flow->moving++;
    wr_readable_flow(s);
    s->flow->moving--;
}

bool wr_pump_leave(struct wr_stream *s)
{
    if (!s->buffering)
        return false;
    bool came = (s->sh->go & 3) == WR_GO_DONE;
    end(s);
    if (came && !(s->has & WR_BULK) && wr_readable_length(s) >= s->sh->r.mark && wr_readable_flows_at_once(s))
        flow_now(s);
    return came;
}

void wr_pump_spill(struct wr_stream *s)
{
    if (s->buffering && s->has & WR_IS_READABLE && !wr_stream_destroyed(s))
        wr_readable_spill(s, INT32_MAX);
}

/* The chunk that the handler of DEST has, for the time of a burst. */
static int promise(struct wr_stream *dest)
{
    const struct wr_done nobody = {0};
    if (wr_fifo_push(&dest->w_dones, &nobody))
        return -1;
    dest->w_out = 1;
    dest->sh->out = 1;
    dest->pending++;
    dest->w |= WR_W_SYNC;
    dest->t_length = wr_readable_length(dest);
    return 0;
}

/* The promise is kept: nothing is out. */
static void keep_promise(struct wr_stream *dest)
{
    struct wr_done done;
    wr_fifo_take(&dest->w_dones, &done);
    dest->w_out = 0;
    dest->sh->out = 0;
    dest->pending--;
}

static void count_burst(struct wr_stream *s, struct wr_stream *dest, int32_t n)
{
    if (n <= 0)
        return;
    s->r |= WR_R_DATA_EMITTED;
    s->stats.out += (uint32_t)n;
    dest->stats.in += (uint32_t)n;
    if (n > 1)
        dest->sh->bursts++;
    if (n > dest->sh->longest)
        dest->sh->longest = n;
}

/* The chunk that P's destination still has may be all that it takes: then its write would have said false. */
static void stop_if_full(struct wr_pipe *p)
{
    struct wr_stream *dest = p->dest;
    if (!dest->w_out || wr_writable_length(dest) < dest->sh->w.mark || p->leaving)
        return;
    dest->w |= WR_W_NEED_DRAIN;
    wr_pipe_stop(p);
}

/* A burst into DEST. Whether it took anything. */
static bool burst(struct wr_stream *s, struct wr_stream *dest)
{
    int32_t head = s->sh->r.head;
    uint64_t out = s->stats.out;
    if (promise(dest))
        return false;
    begin(dest);
    s->flow->burst(dest, s);
    bool came = (dest->sh->go & 3) != WR_GO_IN;
    dest->w &= ~(uint32_t)WR_W_SYNC;
    dest->left_full = dest->w_out && came && filled(dest);
    if (dest->w_out && came)
        keep_promise(dest);
    else if (dest->has & WR_IS_TRANSFORM && objects_out(dest))
        dest->t_length = dest->sh->at - dest->sh->r.head;
    end(dest);
    count_burst(s, dest, s->sh->r.head - head - (int32_t)(s->stats.out - out));
    wr_readable_taken(s);
    if (!dest->w_out)
        wr_writable_after_burst(dest);
    else if (s->pipes && s->pipes->dest == dest)
        stop_if_full(s->pipes);
    if (dest->errored && s->pipes && s->pipes->dest == dest) /* its write would have said false */
        wr_pipe_stop(s->pipes);
    return s->sh->r.head != head;
}

/* If S was destroyed in the last of so many calls of its `read`: on the exact path each comes with a chunk that is taken, also
 * the last one. */
static void last_words(struct wr_stream *s, int32_t calls)
{
    if (wr_stream_destroyed(s))
        wr_readable_spill(s, calls);
}

/* Lets the source read ahead to its mark. */
static void fill(struct wr_stream *s)
{
    if (s->read != WR_READ_IDLE || s->errored || s->life != WR_LIFE_OPEN || wr_readable_length(s) >= s->sh->r.mark ||
        s->buffering)
        return;
    if (!(s->has & WR_BURSTS) || !(s->has & WR_HAS_READ) || !objects_out(s)) {
        wr_readable_ask(s);
        last_words(s, 1);
        return;
    }
    wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_ASK);
    s->r |= WR_R_SYNC;
    begin(s);
    s->flow->burst(s, NULL);
    bool nothing = s->sh->at == s->sh->r.tail;
    bool asked = s->read == WR_READ_READING;
    stop_buffering(s);
    s->r &= ~(uint32_t)WR_R_SYNC;
    if (s->sh->r.tail != s->before)
        s->r &= ~(uint32_t)WR_R_NEED_READABLE;
    if (asked && !nothing)
        wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_PUSH);
    last_words(s, s->sh->calls);
}

/* S is full, and nothing will make room: its last callback is kept. */
static void hold(struct wr_stream *s)
{
    if (!full(s) || !at_rest(s) || promise(s))
        return;
    s->left_full = false;
    s->w &= ~(uint32_t)WR_W_SYNC;
    s->w |= WR_W_HOLDING;
}

/* Has the consumer of S made room, so that whoever feeds it can go on? */
static void room_made(struct wr_stream *s)
{
    struct wr_pipe *p = s->feeding;
    if (!p || full(s))
        return;
    s->feeding = NULL;
    wr_tick_flow(p->source);
}

/* S's destination takes no more: if S is full, its last callback is kept, and what feeds it fills its queue to the mark. */
static void blocked(struct wr_stream *s)
{
    struct wr_pipe *p = s->feeding;
    hold(s);
    if (!p || full(s))
        return;
    s->feeding = NULL;
    stop_if_full(p);
    wr_tick_flow(p->source);
}

static bool flows(const struct wr_stream *s)
{
    return s->r & WR_R_FLOWING && s->life == WR_LIFE_OPEN && !s->errored && edge_bursts(s);
}

/* The same for an edge that was found fit before, and may only have been taken away or stopped since. */
static bool still_flows(const struct wr_stream *s, const struct wr_pipe *p)
{
    return s->r & WR_R_FLOWING && s->life == WR_LIFE_OPEN && !s->errored && s->pipes == p && s->pipe_count == 1 &&
           !p->leaving && unobserved(s);
}

/* DEST is full, but what it has can go on at once: inside a write or a push, where Node would not wait for a tick. Whether there
 * is room now. */
static bool pass_on(struct wr_stream *dest)
{
    struct wr_flow *f = dest->flow;
    if (!f->moving || !wr_readable_flows_at_once(dest))
        return false;
    flow_now(dest);
    return !full(dest);
}

enum verdict { NOTHING_NOW, WAITS, EXACT_PATH };

/* Bursts over P as long as there are chunks and room. */
static enum verdict cross(struct wr_stream *s, struct wr_pipe *p)
{
    struct wr_stream *dest = p->dest;
    for (;;) {
        s->r &= ~(uint32_t)WR_R_EMITTED_READABLE; /* as a read does */
        fill(s);
        if (!still_flows(s, p) || !at_rest(dest))
            return EXACT_PATH;
        if (wr_readable_length(s) == 0) {
            s->r |= WR_R_NEED_READABLE;
            if (full(dest) && moves_on(dest))
                dest->feeding = p;
            return s->read >= WR_READ_ENDED ? EXACT_PATH : NOTHING_NOW;
        }
        if (full(dest) && moves_on(dest)) {
            if (pass_on(dest))
                continue;
            dest->feeding = p;
            return WAITS;
        }
        bool took = burst(s, dest);
        if (!still_flows(s, p))
            return EXACT_PATH;
        if (full(dest) && !moves_on(dest)) {
            fill(s); /* it was asked before its last chunk was taken */
            hold(dest);
            stop_if_full(p);
            return EXACT_PATH;
        }
        if (!took)
            return EXACT_PATH;
    }
}

bool wr_pump_run(struct wr_stream *s)
{
    if (!flows(s))
        return false;
    wr_stream_ref(s);
    enum verdict v = cross(s, s->pipes);
    if (v == EXACT_PATH && !flows(s) &&
        wr_readable_length(s) < s->sh->r.mark) { /* it was asked when its ring fell below the mark */
        wr_readable_ask(s);
        wr_readable_taken(s);
        wr_readable_more(s);
    }
    room_made(s);
    wr_stream_unref(s);
    return v != EXACT_PATH;
}

void wr_pump_settle(struct wr_stream *s)
{
    if (!moves_on(s))
        blocked(s);
    else
        room_made(s);
}
