/* SPDX-License-Identifier: MIT */
/* Bursts: as many chunks as are ready and fit cross a pipe in one call of the host.
 *
 * A burst hands the chunks in the source's ring to the destination's handler one after the other, in a loop of the host's
 * (compiled Lua). What the handler pushes meanwhile stays in the destination's ring. It is only ever a short cut: whatever the
 * loop cannot do (a callback that does not come, a chunk written from elsewhere, an error, a pause) ends it, and the exact
 * path (readable.c, writable.c) goes on from a state that it could have reached itself. For that, the chunk that the handler
 * has counts as out (w_out, one promise in `pending`) during the whole burst.
 *
 * A relay is a burst that goes on: what it has put into a transform's ring goes to the next stage in the same call of the host,
 * and so to the end of the pipeline, and then, if a `read` stands at the head, round after round. It is what the bursts of the
 * single stages would have been, one after the other, while their handlers do nothing but push and call back. Whatever else
 * they do comes through a door of the host's, which says so first (wr_pump_touch): from there on only the burst that the
 * handler is called in goes on, and all others are, and look, ended.
 *
 * A transform whose readable side is full when its burst ends keeps its last callback, as in Node, but only if what follows it
 * is blocked: else the next tick makes room, and then it never was full for anybody to see.
 */
#ifndef WR_FLOW_PUMP_H
#define WR_FLOW_PUMP_H

#include "stream.h"

#define WR_STAGES_MAX 128 /* of one relay */

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

/* The host's user calls the core while a relay is under way (f->run): only the burst of the stage that is called now goes on. */
void wr_pump_touch(struct wr_flow *f);

/* The callback of S's handler `write` was called, with ERR (borrowed) or NULL. Inside a burst, or a call that may push into the
 * ring, a success is only noted: it is looked at when the handler has returned. */
void wr_pump_completed(struct wr_stream *s, struct wr_error *err);

/* S fails or is destroyed, perhaps inside its handler: what that has pushed so far crosses first, as it would have at once on
 * the exact path. */
void wr_pump_spill(struct wr_stream *s);

/* Somebody, in no handler, is about to take apart what flows, or to give a callback: what was pushed before, and waits for a tick
 * so that more of it crosses at once, crosses now, as it would have on the exact path. */
void wr_pump_catch_up(struct wr_flow *f);

/* Ends the bursts into all that S is piped into: S has something to say. */
void wr_pump_interrupt(struct wr_stream *s);

/* After S's chunks have flowed as far as they go: whoever feeds S is told that there is room, or, if S is blocked, S keeps its
 * last callback. */
void wr_pump_settle(struct wr_stream *s);

#endif
