/* SPDX-License-Identifier: MIT */
/* Compression: gzip, zlib and raw deflate, as a codec. */
#ifndef WR_CODEC_DEFLATE_H
#define WR_CODEC_DEFLATE_H

#include "codec.h"

enum wr_deflate_format { WR_DEFLATE_GZIP, WR_DEFLATE_ZLIB, WR_DEFLATE_RAW };

struct wr_deflate_params {
    enum wr_deflate_format format;
    int level;                       /* -1 (zlib's default, 6) to 9 */
    int window_bits;                 /* 8 to 15, gzip 9 to 15; 8 works as 9 */
    int mem_level;                   /* 1 to 9 */
    int strategy;                    /* 0 to 4: Z_DEFAULT_STRATEGY ... Z_FIXED */
    const unsigned char *dictionary; /* borrowed during new only; gzip has none and ignores it */
    size_t dictionary_len;
};

/* Node's defaults: level -1, windowBits 15, memLevel 8, strategy 0, no dictionary. */
struct wr_deflate_params wr_deflate_defaults(enum wr_deflate_format format);

/* A new compressor, the caller's to free by its ops. NULL with FAULT set: ERR_OUT_OF_RANGE for a parameter out of range,
 * ENOMEM.
 *
 * Its step knows all kinds of flush; a flush without new input since one that was as strong does nothing. The bytes that
 * come out do not depend on how the input is cut nor on the room given, but for level 0, whose stored blocks follow the
 * cuts. */
struct wr_codec *wr_deflate_new(struct wr_alloc *a, const struct wr_deflate_params *p, struct wr_fault *fault);

/* Changes level and strategy for what follows. All that was given before must have been flushed (a step with
 * WR_FLUSH_SYNC that answered WR_STEP_MORE). 0, or -1 with FAULT set: ERR_OUT_OF_RANGE, or Z_BUF_ERROR if something was
 * left; C is then as before. */
int wr_deflate_tune(struct wr_codec *c, int level, int strategy, struct wr_fault *fault);

/* Forgets all that was given: C begins a new stream with the same parameters (and dictionary). */
void wr_deflate_reset(struct wr_codec *c);

#endif
