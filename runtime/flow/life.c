/* SPDX-License-Identifier: MIT */
/* How a stream comes and goes. The first error stays; 'error' and 'close' come in one tick, 'close' last and once; what was
 * buffered is dropped when the stream is destroyed, which differs from Node on purpose (decided difference 3). */
#include <assert.h>

#include "pump.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "life.h"

static const struct wr_done NOBODY = {0};

void wr_life_keep(struct wr_stream *s, struct wr_error *err)
{
    if (!err || s->errored)
        return;
    s->errored = wr_error_ref(err);
    if (!err->origin && err->alloc)
        err->origin = s->id;
}

/* ---- construct */

static void construct_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    t->stream->ops->construct(t->stream);
}

void wr_life_start(struct wr_stream *s)
{
    if (s->has & WR_HAS_CONSTRUCT)
        wr_tick_add(s->flow, construct_tick, s, NULL, NOBODY);
}

static void run_destroy(struct wr_stream *s, struct wr_error *err)
{
    if (s->has & WR_HAS_DESTROY)
        s->ops->destroy(s, err);
    else
        wr_life_destroyed(s, err);
}

static void constructed_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *s = t->stream;
    if (wr_stream_constructed(s)) {
        if (t->error)
            wr_life_fail(s, t->error, false);
        else
            wr_life_fail_code(s, WR_E_MULTIPLE_CALLBACK, false);
        return;
    }
    bool doomed = s->life == WR_LIFE_DOOMED;
    wr_stream_step(s, WR_MACHINE_LIFE, WR_LIFE_ON_CONSTRUCTED);
    if (doomed) {
        run_destroy(s, s->errored ? s->errored : t->error);
    } else if (t->error) {
        wr_life_fail(s, t->error, true);
    } else {
        wr_readable_constructed(s);
        wr_writable_constructed(s);
    }
}

void wr_life_constructed(struct wr_stream *s, struct wr_error *err)
{
    wr_tick_add(s->flow, constructed_tick, s, err, NOBODY);
}

/* ---- errors */

static void emit_error(struct wr_stream *s, struct wr_error *err)
{
    if (s->error_emitted)
        return;
    s->error_emitted = true;
    if (!s->quiet)
        wr_stream_emit(s, WR_EV_ERROR, NULL, NULL, err);
}

static void error_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    emit_error(t->stream, t->error);
}

void wr_life_fail(struct wr_stream *s, struct wr_error *err, bool sync)
{
    if (wr_stream_destroyed(s))
        return;
    if (s->has & WR_AUTO_DESTROY) {
        wr_life_destroy(s, err);
        return;
    }
    wr_life_keep(s, err);
    if (sync)
        wr_tick_add(s->flow, error_tick, s, err, NOBODY);
    else
        emit_error(s, err);
}

void wr_life_fail_code(struct wr_stream *s, enum wr_code code, bool sync)
{
    struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(code));
    wr_life_fail(s, e, sync);
    wr_error_unref(e);
}

/* ---- destroy and close */

static void close_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_stream *s = t->stream;
    bool uncaught = t->error && !s->error_emitted && !s->quiet && wr_stream_unheard(s);
    if (t->error)
        emit_error(s, t->error);
    wr_stream_step(s, WR_MACHINE_LIFE, WR_LIFE_ON_CLOSE);
    if (s->has & WR_EMIT_CLOSE && !uncaught) /* as in Node, where the error has left by now */
        wr_stream_emit(s, WR_EV_CLOSE, NULL, NULL, NULL);
    wr_stream_emit(s, WR_EV_GONE, NULL, NULL, NULL);
    wr_readable_forget(s);
}

void wr_life_destroyed(struct wr_stream *s, struct wr_error *err)
{
    if (s->life != WR_LIFE_DESTROYING)
        return;
    if (err && !wr_error_is(err, WR_E_ABORTED)) /* a failure of its own, not that its reader has left */
        s->quiet = false;
    wr_life_keep(s, err);
    wr_stream_step(s, WR_MACHINE_LIFE, WR_LIFE_ON_DESTROYED);
    wr_tick_add(s->flow, close_tick, s, err, NOBODY);
}

void wr_life_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_stream_check(s);
    if (wr_stream_destroyed(s))
        return;
    wr_stream_ref(s);
    if (wr_writable_owes(s))
        wr_writable_forget_later(s);
    wr_life_keep(s, err);
    s->sh->go |= s->buffering ? WR_GO_STOP : 0;
    wr_pump_interrupt(s);
    wr_stream_step(s, WR_MACHINE_LIFE, WR_LIFE_ON_DESTROY);
    if (s->life == WR_LIFE_DESTROYING)
        run_destroy(s, err);
    wr_stream_unref(s);
}

static bool read_side_done(const struct wr_stream *s)
{
    return !(s->has & WR_IS_READABLE) || s->read == WR_READ_DONE;
}

static bool write_side_done(const struct wr_stream *s)
{
    return !(s->has & WR_IS_WRITABLE) || s->write == WR_WRITE_FINISHED;
}

void wr_life_settle(struct wr_stream *s)
{
    if (s->has & WR_AUTO_DESTROY && read_side_done(s) && write_side_done(s))
        wr_life_destroy(s, NULL);
}

void wr_life_leave(struct wr_stream *s)
{
    if (wr_stream_destroyed(s))
        return;
    s->quiet = true;
    wr_life_abort(s, NULL);
}

void wr_life_abort(struct wr_stream *s, struct wr_error *err)
{
    if (wr_stream_destroyed(s))
        return;
    bool readable = s->has & WR_IS_READABLE && s->read < WR_READ_DONE && !s->errored;
    bool writable = s->has & WR_IS_WRITABLE && s->write < WR_WRITE_ENDING && !s->errored;
    if (err || !(readable || writable)) {
        wr_life_destroy(s, err);
        return;
    }
    struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(WR_E_ABORTED));
    wr_life_destroy(s, e);
    wr_error_unref(e);
}
