/* SPDX-License-Identifier: MIT */
/* Bytes to lines, in place: a line that lies within a slice is shown where it lies; only a line that is spread over
 * slices is put together. Lines end with LF; a CR before it is dropped. The last line needs no end.
 *
 *     wr_lines_feed(l, &chunk);
 *     while ((r = wr_lines_next(l, &p, &len)) > 0)
 *         use(p, len);
 *     if (r < 0) ... wr_lines_fault(l)
 *
 * Each byte is looked at once and copied at most about twice, however the input is cut.
 */
#ifndef WR_CODEC_LINES_H
#define WR_CODEC_LINES_H

#include "chunk.h"
#include "error.h"

struct wr_lines;

/* A new splitter, the caller's to free. A line of more than MAX bytes, its end not counted, is an error. NULL for no
 * memory. */
struct wr_lines *wr_lines_new(struct wr_alloc *a, size_t max);

/* Frees L; NULL does nothing. Lines that lie in the slice fed last stay valid as long as the slice. */
void wr_lines_free(struct wr_lines *l);

/* Gives L the next slice, which the caller holds until wr_lines_next has answered 0. Not before that of the last one. */
void wr_lines_feed(struct wr_lines *l, const struct wr_chunk *c);

/* The next line of what was fed. 1 with the line, without its end, in P and LEN, borrowed until the next call; 0 when
 * the slice is used up; -1 for ERR_LINE_TOO_LONG or ENOMEM: L may then only be freed. */
int wr_lines_next(struct wr_lines *l, const unsigned char **p, size_t *len);

/* After the last slice: 1 with the last line if it had no end, 0 if there is none (more), -1 as wr_lines_next. A CR at its
 * very end belongs to it. */
int wr_lines_finish(struct wr_lines *l, const unsigned char **p, size_t *len);

/* The buffer in which the line answered last lies: a reference to it keeps the line. Borrowed; NULL if that line is
 * empty. */
struct wr_buffer *wr_lines_owner(const struct wr_lines *l);

/* Why the last call answered -1. */
struct wr_fault wr_lines_fault(const struct wr_lines *l);

#endif
