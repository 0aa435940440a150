/* SPDX-License-Identifier: MIT */
/* The life of a stream: construct, errors, destroy, close. Rules 7, 8 and 38 to 46 of Node's streams. */
#ifndef WR_FLOW_LIFE_H
#define WR_FLOW_LIFE_H

#include "stream.h"

/* Starts S: schedules `construct`. Apart from wr_stream_init, so that the owner can finish its own struct first. */
void wr_life_start(struct wr_stream *s);

/* The handler `construct` has completed, with ERR (borrowed) or NULL. */
void wr_life_constructed(struct wr_stream *s, struct wr_error *err);

/* destroy(ERR); ERR is borrowed, may be NULL. Does nothing if S is destroyed already. */
void wr_life_destroy(struct wr_stream *s, struct wr_error *err);

/* The handler `destroy` has completed, with the error to report (borrowed) or NULL. A second call is ignored. */
void wr_life_destroyed(struct wr_stream *s, struct wr_error *err);

/* S failed with ERR (borrowed): destroys it, or, without autoDestroy, emits 'error' only: in a tick if SYNC. */
void wr_life_fail(struct wr_stream *s, struct wr_error *err, bool sync);

/* The same with one of our own codes. */
void wr_life_fail_code(struct wr_stream *s, enum wr_code code, bool sync);

/* Both sides of S are done: destroys it if it destroys itself. */
void wr_life_settle(struct wr_stream *s);

/* Destroys S from outside, with ERR (borrowed), or with an AbortError if ERR is NULL and S is not finished. */
void wr_life_abort(struct wr_stream *s, struct wr_error *err);

/* The same by somebody who has read enough: that is no error, so 'error' is not emitted (decided difference 4). */
void wr_life_leave(struct wr_stream *s);

/* ERR (borrowed, may be NULL) becomes the error of S, unless it has one; S counts as ERR's origin, unless that has one. */
void wr_life_keep(struct wr_stream *s, struct wr_error *err);

#endif
