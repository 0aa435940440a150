/* SPDX-License-Identifier: MIT */
/* The readable side: what goes in by push, how it is read, and when it flows. Rules 9 to 25 of Node's streams. */
#ifndef WR_FLOW_READABLE_H
#define WR_FLOW_READABLE_H

#include "stream.h"

#define WR_READ_ANY INT64_MIN /* read() without a number */

/* Bytes or objects that wait to be read. */
int32_t wr_readable_length(const struct wr_stream *s);

/* Whether S should be given more: it is below its mark and not at its end. */
bool wr_readable_wants(const struct wr_stream *s);

/* push(ITEM). Takes the item's bytes in any case; an object's handle stays the caller's. An empty slice in byte mode is no
 * chunk, but the answer to a read. Emits 'data' at once where Node does. Returns what push() returns. */
bool wr_readable_push(struct wr_stream *s, struct wr_item item);

/* push(nil): nothing more will come. Returns false. */
bool wr_readable_eof(struct wr_stream *s);

/* unshift(ITEM): puts it in front. Else like push. */
bool wr_readable_unshift(struct wr_stream *s, struct wr_item item);

/* read(N), N WR_READ_ANY without a number. Whether there was a chunk, then in OUT, which is the caller's: its bytes to be
 * cleared, its object to be dropped (wr_item_drop). */
bool wr_readable_read(struct wr_stream *s, int64_t n, struct wr_item *out);

/* pause() and resume(). */
void wr_readable_pause(struct wr_stream *s);
void wr_readable_resume(struct wr_stream *s);

/* isPaused(). */
bool wr_readable_is_paused(const struct wr_stream *s);

/* Does anybody take the data as it flows: a listener of 'data', or a pipe? */
bool wr_readable_consumed(const struct wr_stream *s);

/* A listener of EV was added or removed; `listens` says already how it is now. Only 'data' and 'readable' matter. */
void wr_readable_listener(struct wr_stream *s, enum wr_event ev, bool added);

/* S was constructed: read if somebody waits. */
void wr_readable_constructed(struct wr_stream *s);

/* Reads until somebody stops it; what a flowing stream does in a tick. */
void wr_readable_flow(struct wr_stream *s);

/* Calls the handler `read`, if it may be called; N chunks are about to be taken. */
void wr_readable_ask(struct wr_stream *s, int64_t n);

/* Would a chunk that S pushes now cross its pipes inside the push, if nothing waited before it? */
bool wr_readable_flows_at_once(const struct wr_stream *s);

/* What waits in S crosses its pipes, as far as they go, but not more than MOST chunks. */
void wr_readable_spill(struct wr_stream *s, int32_t most);

/* Chunks were put into the ring without a push each: what a push brings about is brought about. */
void wr_readable_arrived(struct wr_stream *s);

/* Chunks were taken out of the ring without a read each: if that was the last, 'end' comes in a tick. */
void wr_readable_taken(struct wr_stream *s);

/* Schedules a look whether more should be read ahead. */
void wr_readable_more(struct wr_stream *s);

/* Gives back what is buffered, S was destroyed. How much it was is still counted, and read as in Node, but never given out. */
void wr_readable_forget(struct wr_stream *s);

#endif
