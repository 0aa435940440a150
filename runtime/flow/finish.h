/* SPDX-License-Identifier: MIT */
/* How the writable side ends. */
#ifndef WR_FLOW_FINISH_H
#define WR_FLOW_FINISH_H

#include "stream.h"

/* Goes on towards 'finish', as far as nothing is in the way; SYNC: inside a write or an end, so that 'finish' waits for a tick. */
void wr_finish_maybe(struct wr_stream *s, bool sync);

/* The handler `final` has completed. */
void wr_finish_finaled(struct wr_stream *s, struct wr_error *err);

/* Calls the callbacks of end() that there are now, with ERR (borrowed; NULL for success). */
void wr_finish_ends(struct wr_stream *s, struct wr_error *err);

/* S may have failed without being destroyed, with nothing under way that would write what waits, or finish: that is called back
 * in a tick. Node keeps it for ever (decided difference 6). */
void wr_finish_failed(struct wr_stream *s);

#endif
