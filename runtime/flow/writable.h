/* SPDX-License-Identifier: MIT */
/* The writable side: writes, their callbacks, cork, end and 'drain'. Rules 1 to 3 and 26 to 37 of Node's streams. */
#ifndef WR_FLOW_WRITABLE_H
#define WR_FLOW_WRITABLE_H

#include "stream.h"

#define WR_WRITEV_MAX 1024 /* chunks in one batch */

/* Written, its callback still to come. */
struct wr_settled {
    struct wr_done done;
    struct wr_error *error; /* counted, or NULL */
};

/* Bytes or objects that wait to be written or are out with the handler. */
int32_t wr_writable_length(const struct wr_stream *s);

/* Chunks that wait, those out with the handler not counted. */
uint32_t wr_writable_waiting(const struct wr_stream *s);

/* write(ITEM, DONE). Takes the item's bytes in any case; an object's handle stays the caller's. Calls the handler at once
 * when it is free. DONE is called exactly once, never before this returns. Returns what write() returns. */
bool wr_writable_write(struct wr_stream *s, struct wr_item item, struct wr_done done);

/* end(ITEM, DONE): ITEM NULL writes nothing more. DONE.fn may be NULL. */
void wr_writable_end(struct wr_stream *s, struct wr_item *item, struct wr_done done);

/* cork() and uncork(). */
void wr_writable_cork(struct wr_stream *s);
void wr_writable_uncork(struct wr_stream *s);

/* writableNeedDrain. */
bool wr_writable_needs_drain(const struct wr_stream *s);

/* For the handler `write`: the Ith of the chunks that are out. Bytes are borrowed until the handler completes; an object is
 * taken (its handle is the caller's) and can be asked for once, in order. */
struct wr_item wr_writable_out(struct wr_stream *s, uint32_t i);

/* The handler `write` has completed, with ERR (borrowed) or NULL. */
void wr_writable_done(struct wr_stream *s, struct wr_error *err);

/* A burst is over and its handler free: what was written meanwhile, or an end, is looked after. */
void wr_writable_after_burst(struct wr_stream *s);

/* S was constructed: write what has waited. */
void wr_writable_constructed(struct wr_stream *s);

/* Calls back all writes that will never be written, unless the handler has some: then later. */
void wr_writable_forget(struct wr_stream *s);

/* The same in the next tick. */
void wr_writable_forget_later(struct wr_stream *s);

/* Is something there that wr_writable_forget would call back? */
bool wr_writable_owes(const struct wr_stream *s);

/* A transform's handler has completed; what it made was pushed before. */
void wr_transform_done(struct wr_stream *s, struct wr_error *err);

/* A transform's handler `flush` has completed; what it made was pushed before. */
void wr_transform_flushed(struct wr_stream *s, struct wr_error *err);

/* A destroyed transform's readable side will not have room any more: the callback that was kept is given, and the writers of its
 * chunks get ERR. */
void wr_transform_forget(struct wr_stream *s, struct wr_error *err);

/* A transform's readable side has room: the callback that was kept is given. */
void wr_transform_release(struct wr_stream *s);

#endif
