/* SPDX-License-Identifier: MIT */
/* The end of the writable side: `final` (and `flush`, which a transform has in its place), 'prefinish', 'finish', and the
 * callbacks of end(). 'finish' waits until nothing is written, waits or is still to be called back (Node's pendingcb). */
#include "life.h"
#include "tick.h"
#include "writable.h"

#include "finish.h"

static const struct wr_done NOBODY = {0};

static bool ending(const struct wr_stream *s)
{
    return s->write >= WR_WRITE_ENDING;
}

static bool may_finish(const struct wr_stream *s)
{
    return ending(s) && s->write != WR_WRITE_FINISHED && !wr_stream_destroyed(s) && wr_stream_constructed(s) &&
           !s->w_out && !s->errored && !s->error_emitted && !(s->w & WR_W_PROCESSING) && !wr_writable_waiting(s) &&
           wr_writable_length(s) == 0;
}

void wr_finish_ends(struct wr_stream *s, struct wr_error *err)
{
    for (uint32_t n = s->w_ends.count; n && s->w_ends.count; n--) {
        struct wr_done done;
        wr_fifo_take(&s->w_ends, &done);
        if (done.fn)
            done.fn(s, done.arg, err);
    }
}

static void finish(struct wr_stream *s)
{
    s->pending--;
    s->w &= ~(uint32_t)WR_W_FINISHING;
    if (s->write == WR_WRITE_PREFINISHED)
        wr_stream_step(s, WR_MACHINE_WRITE, WR_WRITE_ON_FINISH);
    wr_finish_ends(s, NULL);
    wr_stream_emit(s, WR_EV_FINISH, NULL, NULL, NULL);
    wr_life_settle(s);
}

static void finish_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    finish(t->stream);
}

static void finish_if_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    if (may_finish(t->stream))
        finish(t->stream);
    else
        t->stream->pending--;
}

/* A transform whose `final` is the user's own flushes at 'prefinish', before anybody is told. */
static void prefinish(struct wr_stream *s)
{
    wr_stream_step(s, WR_MACHINE_WRITE, WR_WRITE_ON_PREFINISH);
    if (s->has & WR_IS_TRANSFORM && s->has & WR_HAS_FINAL) {
        if (s->has & WR_HAS_FLUSH && !wr_stream_destroyed(s))
            s->ops->flush(s);
        else
            wr_transform_flushed(s, NULL);
    }
    wr_stream_emit(s, WR_EV_PREFINISH, NULL, NULL, NULL);
}

static bool has_final(const struct wr_stream *s)
{
    return s->has & (WR_HAS_FINAL | WR_IS_TRANSFORM) && !wr_stream_destroyed(s);
}

static void run_final(struct wr_stream *s)
{
    wr_stream_step(s, WR_MACHINE_WRITE, WR_WRITE_ON_FINAL);
    s->w |= WR_W_FINAL_OUT | WR_W_SYNC;
    s->pending++;
    if (s->has & WR_HAS_FINAL)
        s->ops->final(s);
    else if (s->has & WR_HAS_FLUSH)
        s->ops->flush(s);
    else
        wr_transform_flushed(s, NULL);
    s->w &= ~(uint32_t)WR_W_SYNC;
}

void wr_finish_failed(struct wr_stream *s)
{
    bool busy = s->w_out || s->corked || s->w & (WR_W_PROCESSING | WR_W_FINAL_OUT | WR_W_FINISHING) ||
                !wr_stream_constructed(s);
    if (s->errored && !busy && !wr_stream_destroyed(s) && wr_writable_owes(s))
        wr_writable_forget_later(s);
}

void wr_finish_maybe(struct wr_stream *s, bool sync)
{
    wr_finish_failed(s);
    if (!may_finish(s))
        return;
    if (s->write == WR_WRITE_ENDING) {
        if (has_final(s))
            run_final(s);
        else
            prefinish(s);
    }
    if (s->pending)
        return;
    if (sync) {
        s->pending++;
        wr_tick_add(s->flow, finish_if_tick, s, NULL, NOBODY);
    } else if (may_finish(s)) {
        s->pending++;
        finish(s);
    }
}

void wr_finish_finaled(struct wr_stream *s, struct wr_error *err)
{
    wr_stream_check(s);
    if (s->write >= WR_WRITE_PREFINISHED || !(s->w & WR_W_FINAL_OUT)) {
        if (err)
            wr_life_fail(s, err, false);
        else
            wr_life_fail_code(s, WR_E_MULTIPLE_CALLBACK, false);
        return;
    }
    s->w &= ~(uint32_t)WR_W_FINAL_OUT;
    s->pending--;
    if (err) {
        wr_finish_ends(s, err);
        wr_life_fail(s, err, (s->w & WR_W_SYNC) != 0);
    } else if (may_finish(s)) {
        s->w |= WR_W_FINISHING;
        prefinish(s);
        s->pending++;
        wr_tick_add(s->flow, finish_tick, s, NULL, NOBODY);
    }
    wr_finish_failed(s);
}
