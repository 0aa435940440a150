/* SPDX-License-Identifier: MIT */
/* What a byte machine is: bytes in, bytes out, and nothing else. A codec knows no descriptor, no loop, no clock, no Lua and
 * no stream; it never blocks; fed whole or byte by byte, what comes out is the same. It may run on a thread of the worker
 * pool, one call at a time, so it touches only itself, its input and its output.
 */
#ifndef WR_CODEC_CODEC_H
#define WR_CODEC_CODEC_H

#include <stddef.h>

#include "error.h"

enum wr_flush {
    WR_FLUSH_NONE,    /* more input follows */
    WR_FLUSH_PARTIAL, /* zlib's Z_PARTIAL_FLUSH, for codecs that know it; others: as NONE */
    WR_FLUSH_SYNC,
    WR_FLUSH_FULL,
    WR_FLUSH_FINISH /* the input ends with what is given here */
};

enum wr_step {
    WR_STEP_MORE, /* all input is consumed (and flushed as asked): call again when there is more */
    WR_STEP_FULL, /* the room for output is used up: call again with the rest of the input and fresh room */
    WR_STEP_DONE, /* after WR_FLUSH_FINISH, or at the codec's own end: nothing more will come out */
    WR_STEP_FAIL  /* `fault` of the codec says why; the codec can only be freed */
};

struct wr_codec_io {
    const unsigned char *in; /* advanced past what was consumed */
    size_t in_len;
    unsigned char *out; /* advanced past what was produced */
    size_t out_len;
    enum wr_flush flush;
};

struct wr_codec;

struct wr_codec_ops {
    /* Consumes input and produces output until either is used up. Output made before a failure counts: it is right and
     * may be delivered. */
    enum wr_step (*step)(struct wr_codec *c, struct wr_codec_io *io);
    /* Frees C and all it holds; keys are wiped. */
    void (*free)(struct wr_codec *c);
};

/* The head of every codec; the codec's own struct begins with it. */
struct wr_codec {
    const struct wr_codec_ops *ops;
    struct wr_fault fault; /* set when step answers WR_STEP_FAIL */
};

#endif
