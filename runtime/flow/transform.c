/* SPDX-License-Identifier: MIT */
/* A transform is a duplex whose `write` pushes and whose `read` gives the callback back that was kept while the readable side
 * was full: that is all of its backpressure. */
#include "finish.h"
#include "life.h"
#include "readable.h"
#include "tick.h"

#include "writable.h"

static void done_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    wr_writable_done(t->stream, NULL);
}

void wr_transform_done(struct wr_stream *s, struct wr_error *err)
{
    int32_t length = wr_readable_length(s);
    if (err)
        wr_writable_done(s, err);
    else if (s->read >= WR_READ_ENDED)
        wr_tick_add(s->flow, done_tick, s, NULL, (struct wr_done){0});
    else if (wr_stream_destroyed(s) || s->write >= WR_WRITE_ENDING || length == s->t_length || length < s->sh->r.mark)
        wr_writable_done(s, NULL);
    else
        s->w |= WR_W_HOLDING;
}

void wr_transform_release(struct wr_stream *s)
{
    if (!(s->w & WR_W_HOLDING))
        return;
    s->w &= ~(uint32_t)WR_W_HOLDING;
    wr_writable_done(s, NULL);
}

/* Not as if the handler had failed: the stream's own error stays what it was. */
void wr_transform_forget(struct wr_stream *s, struct wr_error *err)
{
    uint32_t n = s->w_out;
    s->w &= ~(uint32_t)WR_W_HOLDING;
    if (!n) /* a callback too many was kept */
        return;
    s->w_out = 0;
    s->sh->out = 0;
    wr_queue_shed(&s->w_batch);
    s->pending--;
    for (; n; n--) {
        struct wr_done done;
        wr_fifo_take(&s->w_dones, &done);
        if (done.fn)
            done.fn(s, done.arg, err);
    }
}

void wr_transform_flushed(struct wr_stream *s, struct wr_error *err)
{
    if (!err)
        wr_readable_eof(s);
    if (!(s->has & WR_HAS_FINAL))
        wr_finish_finaled(s, err);
    else if (err)
        wr_life_destroy(s, err);
}
