/* SPDX-License-Identifier: MIT */
/* Compression in parts: several compressors, each at work on a part of one stream of input, whose output put one behind the
 * other is one gzip, zlib or raw deflate stream. A part needs to know only the last WR_PARTS_WINDOW bytes before it, so that
 * parts can be compressed at the same time; cut at fixed places they give the same bytes every time, 0.1 % more than in one
 * go where a part has 128 KiB.
 *
 * The codecs of the parts are used by different threads, struct wr_parts by one.
 */
#ifndef WR_CODEC_PARTS_H
#define WR_CODEC_PARTS_H

#include <stdbool.h>

#include "deflate.h"

enum { WR_PARTS_WINDOW = 1 << 15, WR_PARTS_TAIL = 8 };

struct wr_parts;

/* What the parts have in common, the caller's to free. P's dictionary is not used. NULL with FAULT set, as wr_deflate_new. */
struct wr_parts *wr_parts_new(struct wr_alloc *a, const struct wr_deflate_params *p, struct wr_fault *fault);

/* Frees P; the codecs of its parts may outlive it. NULL does nothing. */
void wr_parts_free(struct wr_parts *p);

/* On any thread: the codec of the part that follows the LEN (<= WR_PARTS_WINDOW) bytes at BEFORE; FIRST: it begins the
 * stream. LEVEL and STRATEGY as in struct wr_deflate_params. End it with WR_FLUSH_FINISH if it is the last part, else with
 * WR_FLUSH_SYNC. NULL with FAULT set. */
struct wr_codec *wr_parts_codec(const struct wr_parts *p, bool first, int level, int strategy,
                                const unsigned char *before, size_t len, struct wr_fault *fault);

/* As wr_deflate_tune, for the codec of a part. */
int wr_parts_tune(struct wr_codec *c, int level, int strategy, struct wr_fault *fault);

/* C, the next part in order, has come to its end. */
void wr_parts_join(struct wr_parts *p, const struct wr_codec *c);

/* All parts have been joined: writes what ends the stream, up to WR_PARTS_TAIL bytes, to OUT; how many. */
size_t wr_parts_tail(const struct wr_parts *p, unsigned char *out);

#endif
