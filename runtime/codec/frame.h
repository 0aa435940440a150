/* SPDX-License-Identifier: MIT */
/* Bytes to frames, in place: [length, big-endian][payload] again and again. A payload that lies within a slice is shown
 * where it lies; only one that is spread over slices is put together. Used like lines.h:
 *
 *     wr_frame_feed(f, &chunk);
 *     while ((r = wr_frame_next(f, &p, &len)) > 0)
 *         use(p, len);
 *     if (r < 0) ... wr_frame_fault(f)
 *
 * The cost of a byte does not depend on how the input is cut, and memory grows with what came, not with what a length
 * promises.
 */
#ifndef WR_CODEC_FRAME_H
#define WR_CODEC_FRAME_H

#include "chunk.h"
#include "error.h"

struct wr_frame;

/* A new parser for lengths of PREFIX bytes (1, 2 or 4) and payloads of at most MAX bytes, the caller's to free. NULL with
 * FAULT set: ERR_OUT_OF_RANGE for another PREFIX, ENOMEM. */
struct wr_frame *wr_frame_new(struct wr_alloc *a, unsigned prefix, size_t max, struct wr_fault *fault);

/* Frees F; NULL does nothing. Payloads that lie in the slice fed last stay valid as long as the slice. */
void wr_frame_free(struct wr_frame *f);

/* Gives F the next slice, which the caller holds until wr_frame_next has answered 0. Not before that of the last one. */
void wr_frame_feed(struct wr_frame *f, const struct wr_chunk *c);

/* The next payload of what was fed. 1 with it in P and LEN, borrowed until the next call; 0 when the slice is used up; -1
 * for ERR_FRAME_TOO_LARGE, as soon as the length is known, or ENOMEM: F may then only be freed. */
int wr_frame_next(struct wr_frame *f, const unsigned char **p, size_t *len);

/* After the last slice: 0, or -1 if it ended within a frame (ERR_FRAME_INCOMPLETE). */
int wr_frame_finish(struct wr_frame *f);

/* The bytes of the frame that is under way, its length's included: Incomplete frame: N leftover bytes. */
size_t wr_frame_leftover(const struct wr_frame *f);

/* The buffer in which the payload answered last lies: a reference to it keeps the payload. Borrowed; NULL if that payload
 * is empty. */
struct wr_buffer *wr_frame_owner(const struct wr_frame *f);

/* Why the last call answered -1. */
struct wr_fault wr_frame_fault(const struct wr_frame *f);

#endif
