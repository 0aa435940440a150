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
static void begin(struct wr_stream *s, enum wr_go go)
{
    s->buffering = true;
    s->before = s->sh->r.tail;
    s->sh->exact = !objects_out(s) || !unobserved(s) || s->read >= WR_READ_ENDED;
    s->sh->go = (int32_t)go;
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
        begin(s, WR_GO_IN);
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

void wr_pump_catch_up(struct wr_flow *f)
{
    if (f->moving || f->relays || f->catching_up)
        return;
    f->catching_up = true;
    for (struct wr_stream *s = f->flow_first; s; s = s->flow_next) /* others may come to its end meanwhile */
        if (!s->pipes || !full(s->pipes->dest))
            wr_readable_spill(s, INT32_MAX);
    f->catching_up = false;
}

void wr_pump_completed(struct wr_stream *s, struct wr_error *err)
{
    if (s->buffering && !err && (s->sh->go & 3) == WR_GO_IN) {
        s->sh->go = WR_GO_DONE | WR_GO_STOP;
        return;
    }
    if (s->buffering && (s->sh->go & 3) == WR_GO_DONE) {
        wr_life_fail_code(s, WR_E_MULTIPLE_CALLBACK, false);
        return;
    }
    s->sh->go |= s->buffering ? WR_GO_STOP : 0;
    if (!s->buffering && !(s->w & WR_W_SYNC))
        wr_pump_catch_up(s->flow);
    if (s->has & WR_IS_TRANSFORM)
        wr_transform_done(s, err);
    else
        wr_writable_done(s, err);
}

void wr_pump_spill(struct wr_stream *s)
{
    if (s->buffering && s->has & WR_IS_READABLE && !wr_stream_destroyed(s))
        wr_readable_spill(s, INT32_MAX);
}

/* The chunk that the handler of DEST has, for the time of a burst. DEST is at rest, and has had room for one since it was piped
 * into. */
static void promise(struct wr_stream *dest)
{
    const struct wr_done nobody = {0};
    assert(dest->w_dones.cap > dest->w_dones.count && "no room where a pipe goes");
    wr_fifo_push(&dest->w_dones, &nobody);
    dest->w_out = 1;
    dest->pending++;
    dest->w |= WR_W_SYNC;
    dest->t_length = wr_readable_length(dest);
}

/* The promise is kept: nothing is out. */
static void keep_promise(struct wr_stream *dest)
{
    struct wr_done done;
    wr_fifo_take(&dest->w_dones, &done);
    dest->w_out = 0;
    dest->pending--;
}

static void count_burst(struct wr_stream *s, struct wr_stream *dest, int32_t n)
{
    if (n <= 0)
        return;
    s->r |= WR_R_DATA_EMITTED;
    s->stats.out += (uint32_t)n;
    dest->stats.in += (uint32_t)n;
    s->flow->moved += (uint32_t)n;
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

/* S is full, and nothing will make room: its last callback is kept. */
static void hold(struct wr_stream *s)
{
    if (!full(s) || !at_rest(s))
        return;
    promise(s);
    s->left_full = false;
    s->sh->out = 1;
    s->w &= ~(uint32_t)WR_W_SYNC;
    s->w |= WR_W_HOLDING;
}

/* P's destination is full, and will not go on by itself. */
static void jam(struct wr_pipe *p)
{
    hold(p->dest);
    stop_if_full(p);
}

static void fill(struct wr_stream *s);

/* Is P's destination full, and will nothing make room? Then P stops. If something will, P's source may have to be told. */
static bool jams(struct wr_pipe *p)
{
    if (!full(p->dest))
        return false;
    if (moves_on(p->dest)) {
        p->dest->feeding = p;
        return false;
    }
    fill(p->source); /* it was asked before its last chunk was taken */
    jam(p);
    return true;
}

/* ---- relays */

enum { ROUNDS = 16 };

/* A relay under way. Stage 0 is where it takes its chunks from. */
struct wr_run {
    uint32_t count;
    bool reads; /* it begins with `read` of stage 0 */
    struct wr_stream *stages[WR_STAGES_MAX];
    int32_t heads[WR_STAGES_MAX];   /* of each ring at the start: what came out since went to the next stage */
    uint32_t singly[WR_STAGES_MAX]; /* the same of what the exact path took out */
};

static bool flows(const struct wr_stream *s)
{
    return s->r & WR_R_FLOWING && s->life == WR_LIFE_OPEN && !s->errored && edge_bursts(s);
}

/* Is it for the source to read ahead? */
static bool reads_ahead(const struct wr_stream *s)
{
    return s->read == WR_READ_IDLE && s->life == WR_LIFE_OPEN && !s->errored && !s->buffering &&
           wr_readable_length(s) < s->sh->r.mark;
}

/* ... and in a burst? */
static bool readable_in_bursts(const struct wr_stream *s)
{
    const uint32_t needed = WR_BURSTS | WR_HAS_READ;
    return (s->has & needed) == needed && objects_out(s) && reads_ahead(s);
}

static void begin_read(struct wr_stream *s)
{
    wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_ASK);
    s->r |= WR_R_SYNC;
    begin(s, WR_GO_READ);
}

/* If S was destroyed in the last of so many calls of its `read`: on the exact path each comes with a chunk that is taken, also
 * the last one. */
static void last_words(struct wr_stream *s, int32_t calls)
{
    if (wr_stream_destroyed(s))
        wr_readable_spill(s, calls);
}

static void finish_read(struct wr_stream *s)
{
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

/* Until its handler is called nothing is out, and no callback is due. */
static void begin_write(struct wr_stream *dest)
{
    promise(dest);
    begin(dest, WR_GO_DONE);
}

static void finish_write(struct wr_run *run, uint32_t i)
{
    struct wr_stream *s = run->stages[i - 1], *dest = run->stages[i];
    bool came = (dest->sh->go & 3) != WR_GO_IN;
    int32_t taken = s->sh->r.head - run->heads[i - 1];
    dest->w &= ~(uint32_t)WR_W_SYNC;
    if (taken)
        dest->left_full = dest->w_out && came && filled(dest);
    if (dest->w_out && came)
        keep_promise(dest);
    else if (dest->has & WR_IS_TRANSFORM && objects_out(dest))
        dest->t_length = dest->sh->at - dest->sh->r.head;
    dest->sh->out = (int32_t)dest->w_out;
    end(dest);
    count_burst(s, dest, taken - (int32_t)(s->singly - run->singly[i - 1]));
    wr_readable_taken(s);
    if (!dest->w_out)
        wr_writable_after_burst(dest);
    else if (s->pipes && s->pipes->dest == dest)
        stop_if_full(s->pipes);
    if (dest->errored && s->pipes && s->pipes->dest == dest) /* its write would have said false */
        wr_pipe_stop(s->pipes);
}

static void finish_stage(struct wr_run *run, uint32_t i)
{
    if (i > 0)
        finish_write(run, i);
    else if (run->reads)
        finish_read(run->stages[0]);
}

static uint32_t current(const struct wr_flow *f, const struct wr_run *run)
{
    uint32_t at = (uint32_t)f->relay->at;
    return at < run->count ? at : 0;
}

void wr_pump_touch(struct wr_flow *f)
{
    struct wr_run *run = f->run;
    uint32_t at = current(f, run);
    f->run = NULL;
    f->relay->touched = 1;
    for (uint32_t i = 0; i < run->count; i++)
        if (i != at)
            finish_stage(run, i);
}

/* Takes DEST, fed by the last stage so far, into RUN. */
static void add_stage(struct wr_run *run, struct wr_stream *dest)
{
    struct wr_stream *s = run->stages[run->count - 1];
    begin_write(dest);
    run->heads[run->count - 1] = s->sh->r.head;
    run->singly[run->count - 1] = s->singly;
    run->stages[run->count++] = wr_stream_ref(dest);
}

/* Can what S will have in its ring go on at once? */
static bool goes_on(const struct wr_run *run, const struct wr_stream *s)
{
    if (run->count == WR_STAGES_MAX || !flows(s) || s->pipes->waiting || s->feeding)
        return false;
    const struct wr_stream *dest = s->pipes->dest;
    return dest != run->stages[0] && at_rest(dest) && !full(dest);
}

/* What the stages of RUN have left in their rings jams behind them, or is remembered. The first edge is the caller's. */
static void look_behind(const struct wr_run *run)
{
    for (uint32_t i = 2; i < run->count; i++) {
        struct wr_pipe *p = run->stages[i - 1]->pipes;
        if (p && p->dest == run->stages[i])
            jams(p);
    }
}

/* Runs RUN on the host, and finishes what nobody's touch has finished. */
static void carry_out(struct wr_flow *f, struct wr_run *run)
{
    const struct wr_relay outer = *f->relay; /* of a handler that this is called in */
    bool whole = !(run->stages[run->count - 1]->has & WR_IS_READABLE);
    assert(!f->run && "a relay is entered that nobody has touched");
    *f->relay = (struct wr_relay){.at = !run->reads, .rounds = whole ? ROUNDS : 1};
    f->run = run;
    f->relays++;
    f->burst(run->stages, run->count, run->reads);
    f->relays--;
    uint32_t at = current(f, run);
    for (uint32_t i = 0; i < run->count; i++)
        if (f->run || i == at)
            finish_stage(run, i);
    f->run = NULL;
    if (f->relays)
        *f->relay = (struct wr_relay){.touched = 1, .at = outer.at};
}

/* READS: `read` of S. Then, with DEST, a burst from S into it, and on from there as far as it goes. Whether a chunk of S was
 * taken. */
static bool relay(struct wr_stream *s, struct wr_stream *dest, bool reads)
{
    struct wr_run run;
    run.count = 1;
    run.reads = reads;
    run.stages[0] = wr_stream_ref(s);
    if (reads)
        begin_read(s);
    int32_t head = s->sh->r.head;
    for (; dest; dest = goes_on(&run, dest) ? dest->pipes->dest : NULL)
        add_stage(&run, dest);
    if (reads || run.count > 1)
        carry_out(s->flow, &run);
    bool took = s->sh->r.head != head;
    look_behind(&run);
    for (uint32_t i = 0; i < run.count; i++)
        wr_stream_unref(run.stages[i]);
    return took;
}

/* Lets the source read ahead to its mark. */
static void fill(struct wr_stream *s)
{
    if (readable_in_bursts(s)) {
        relay(s, NULL, true);
    } else if (reads_ahead(s)) {
        wr_readable_ask(s, 0);
        last_words(s, 1);
    }
}

/* S is full no more: the edge that waits for that, if any. (What fills S from now on is not what a burst has left.) */
static struct wr_pipe *take_feeding(struct wr_stream *s)
{
    if (full(s))
        return NULL;
    struct wr_pipe *p = s->feeding;
    s->left_full = false;
    s->feeding = NULL;
    return p;
}

/* Has the consumer of S made room, so that whoever feeds it can go on? */
static void room_made(struct wr_stream *s)
{
    struct wr_pipe *p = take_feeding(s);
    if (p)
        wr_tick_flow(p->source);
}

/* S's destination takes no more: if S is full, its last callback is kept, and what feeds it fills its queue to the mark. */
static void blocked(struct wr_stream *s)
{
    hold(s);
    struct wr_pipe *p = take_feeding(s);
    if (!p)
        return;
    stop_if_full(p);
    wr_tick_flow(p->source);
}

/* As `flows`, for an edge that was found fit before, and may only have been taken away or stopped since. */
static bool still_flows(const struct wr_stream *s, const struct wr_pipe *p)
{
    return s->r & WR_R_FLOWING && s->life == WR_LIFE_OPEN && !s->errored && s->pipes == p && s->pipe_count == 1 &&
           !p->leaving && unobserved(s);
}

/* P's destination is full, but what it has can go on at once: inside a write or a push, where Node would not wait for a tick.
 * Whether there is room now. */
static bool pass_on(struct wr_pipe *p)
{
    struct wr_stream *dest = p->dest;
    if (!dest->flow->moving || !wr_readable_flows_at_once(dest))
        return false;
    dest->feeding = p;
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
        if (full(dest) && !moves_on(dest)) {      /* its tick, which would say so, comes later */
            jam(p);
            return EXACT_PATH;
        }
        bool waits = full(dest);
        bool reads = !waits && at_rest(dest) && readable_in_bursts(s);
        if (!reads) {
            fill(s);
            if (!still_flows(s, p) || !at_rest(dest))
                return EXACT_PATH;
            waits = full(dest) && moves_on(dest);
            if (waits && wr_readable_length(s) && pass_on(p))
                continue;
            if (waits)
                dest->feeding = p;
            if (wr_readable_length(s) == 0) {
                s->r |= WR_R_NEED_READABLE;
                return s->read >= WR_READ_ENDED ? EXACT_PATH : NOTHING_NOW;
            }
            if (waits)
                return WAITS;
            /* before the chunk is taken that makes room; it shows where P stops */
            if (s->w & WR_W_HOLDING || p->listening) {
                wr_readable_ask(s, 1);
                last_words(s, 1);
            }
            if (!still_flows(s, p) || !at_rest(dest))
                return EXACT_PATH;
        }
        bool took = relay(s, dest, reads);
        if (!still_flows(s, p))
            return EXACT_PATH;
        if (jams(p) || (!took && !reads))
            return EXACT_PATH;
        if (took && reads) { /* others get their turn */
            wr_tick_flow(s);
            return WAITS;
        }
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
        wr_readable_ask(s, 0);
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
