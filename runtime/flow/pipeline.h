/* SPDX-License-Identifier: MIT */
/* pipeline: pipes streams into one another, passes every error on, destroys all of them, and calls back once. Rules 51 to 53 of
 * Node's streams; each stage is looked at first, so that it never hangs and never reports success for lost data (decided
 * difference 2). Functions as stages are the host's to turn into streams. */
#ifndef WR_FLOW_PIPELINE_H
#define WR_FLOW_PIPELINE_H

#include "stream.h"

struct wr_pipeline;

/* Called once, in a tick, when every stage is over: ERR (borrowed) is the first error, or NULL; STAGE (from 0) is where it
 * arose, or -1. The pipeline is freed after it. */
typedef void wr_pipeline_fn(void *user, struct wr_error *err, int stage);

/* Wires COUNT (> 1) stages, all but the last with a readable side, all but the first with a writable one (the caller has
 * looked). FINISH: whether the last one is ended and destroyed too. P is freed by the pipeline itself, after FN. NULL for no
 * memory. */
struct wr_pipeline *wr_pipeline_new(struct wr_flow *f, struct wr_stream *const *stages, uint32_t count, bool finish,
                                    wr_pipeline_fn *fn, void *user);

/* Fails the pipeline from outside with ERR (borrowed): all its stages are destroyed. */
void wr_pipeline_abort(struct wr_pipeline *p, struct wr_error *err);

/* Frees all pipelines that are under way in F. FN of each is called at once, without an error: nobody runs the loop any more. */
void wr_pipeline_drop_all(struct wr_flow *f);

/* The stage that the oldest pipeline under way in F waits for: one whose handler has not completed, the last if there are
 * several, else the first that is not over. Borrowed; NULL if no pipeline is under way. */
struct wr_stream *wr_pipeline_stage_awaited(const struct wr_flow *f);

#define WR_PIPELINE_FORGOTTEN (-2) /* as the stage that FN is told: nobody is left who could be told anything */

/* S is gone for its host, and with it all that a pipeline has joined to it: frees those pipelines. FN is called with
 * WR_PIPELINE_FORGOTTEN, only to free what is its user's. */
void wr_pipeline_forget(struct wr_stream *s);

#endif
