/* SPDX-License-Identifier: MIT */
/* Pipes: edges from a readable to a writable, who waits for whose 'drain'. Rules 47 to 50 of Node's streams.
 * A pipe never passes errors on, and destroys nothing: that is a pipeline's work. */
#ifndef WR_FLOW_PIPE_H
#define WR_FLOW_PIPE_H

#include "stream.h"

#define WR_CASCADE_MAX 12 /* pipes that a chunk crosses before it waits for a tick */

/* An edge. All of it is flow's; others may read. */
struct wr_pipe {
    struct wr_pipe *next;            /* of the same source, in the order of their making */
    struct wr_stream *source, *dest; /* dest is counted; the source owns the edge */
    struct wr_watch at_source, at_dest, at_error;
    bool finish;    /* ends dest when the source ends */
    bool waiting;   /* dest said stop: the source goes on when it drains */
    bool listening; /* for dest's 'drain', once it said stop */
    bool leaving;   /* unpiped: no edge any more for whoever asks, but still listening until 'unpipe' was told */
    bool told;      /* 'unpipe' was, or is being: the edge goes when its listeners have returned */
    bool removed;
};

/* src:pipe(dest, { finish = FINISH }). 0, or -1 for no memory. The caller has made sure that neither is destroyed. */
int wr_pipe_add(struct wr_stream *src, struct wr_stream *dest, bool finish);

/* src:unpipe(dest); DEST NULL: all. */
void wr_pipe_remove(struct wr_stream *src, struct wr_stream *dest);

/* Writes ITEM (borrowed) to every destination of SRC. */
void wr_pipe_deliver(struct wr_stream *src, const struct wr_item *item);

/* P's destination has had enough: the source waits for its 'drain'. */
void wr_pipe_stop(struct wr_pipe *p);

/* The source was read: nobody is waited for, until a destination says stop again. */
void wr_pipe_forget_waiting(struct wr_stream *src);

/* Frees the edges that were taken away: F is cleared. */
void wr_pipe_bury(struct wr_flow *f);

/* Takes all edges of SRC away without a word: it is freed, or its flow is being closed (then SRC must be held meanwhile). */
void wr_pipe_drop_all(struct wr_stream *src);

#endif
