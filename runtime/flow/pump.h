/* SPDX-License-Identifier: MIT */
/* Bursts: as many chunks as are ready and fit cross a pipe in one call of the host.
 *
 * A burst hands the chunks in the source's ring to the destination's handler one after the other, in a loop of the host's
 * (compiled Lua). What the handler pushes meanwhile stays in the destination's ring. It is only ever a short cut: whatever the
 * loop cannot do (a callback that does not come, a chunk written from elsewhere, an error, a pause) ends it, and the exact
 * path (readable.c, writable.c) goes on from a state that it could have reached itself. For that, the chunk that the handler
 * has counts as out (w_out, one promise in `pending`) during the whole burst.
 *
 * A transform whose readable side is full when its burst ends keeps its last callback, as in Node, but only if what follows it
 * is blocked: else the next tick makes room, and then it never was full for anybody to see.
 */
#ifndef WR_FLOW_PUMP_H
#define WR_FLOW_PUMP_H

#include "stream.h"

/* Moves what S has into its one pipe in bursts, if that can be. Whether it could: false means that the exact path has to do
 * what is left to do, true that there is nothing to do now. */
bool wr_pump_run(struct wr_stream *s);

/* Should what S pushes inside its own handler wait in its ring, for a burst? */
bool wr_pump_buffers(const struct wr_stream *s);

/* A handler of S is called on the exact path: lets it push into the ring and complete without crossing, where it may. */
void wr_pump_enter(struct wr_stream *s);

/* The handler has returned (or waits): what it pushed is looked after, at once where it fills S. Whether its callback came,
 * which the caller then takes for it. */
bool wr_pump_leave(struct wr_stream *s);

/* S fails or is destroyed, perhaps inside its handler: what that has pushed so far crosses first, as it would have at once on
 * the exact path. */
void wr_pump_spill(struct wr_stream *s);

/* Ends the bursts into all that S is piped into: S has something to say. */
void wr_pump_interrupt(struct wr_stream *s);

/* After S's chunks have flowed as far as they go: whoever feeds S is told that there is room, or, if S is blocked, S keeps its
 * last callback. */
void wr_pump_settle(struct wr_stream *s);

#endif
