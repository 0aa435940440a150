/* SPDX-License-Identifier: MIT */
/* Decompression: gzip (several members), zlib, raw deflate and automatic choice, as a codec. */
#ifndef WR_CODEC_INFLATE_H
#define WR_CODEC_INFLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"

enum wr_inflate_format {
    WR_INFLATE_GZIP,
    WR_INFLATE_ZLIB,
    WR_INFLATE_RAW,
    WR_INFLATE_UNZIP /* gzip or zlib, as the first byte says */
};

/* What follows the last member. A gzip member behind another is no trailing data but decoded too. */
enum wr_inflate_trailing {
    WR_TRAILING_ERROR,  /* zeros up to the end are padding; all else fails, also a member behind zeros */
    WR_TRAILING_IGNORE, /* swallowed up to the end */
    WR_TRAILING_KEEP    /* WR_STEP_DONE at once; what follows is left in the input (and see wr_inflate_held) */
};

struct wr_inflate_params {
    enum wr_inflate_format format;
    int window_bits;                 /* 8 to 15, or 0, but for raw: what the header says */
    const unsigned char *dictionary; /* borrowed during new only; gzip has none and ignores it */
    size_t dictionary_len;
    enum wr_inflate_trailing trailing;
    uint64_t max_output; /* 0: no limit */
    uint32_t max_ratio;  /* bytes out for each byte in, looked at after each 64 KiB of output; 0: no limit */
    bool truncated_ok;   /* input that ends too early is no error (Node's finishFlush = Z_SYNC_FLUSH) */
    bool defer;          /* long members are not checked here but by an audit of the output (audit.h) */
};

enum { WR_INFLATE_NOTES = 8 };

/* What an audit must know: from byte AT of the output on a member is not checked; CHECK is of what it had before. Or, END,
 * the member ends there, and CHECK is what its trailer says. */
struct wr_inflate_note {
    uint64_t at;
    uint32_t check;
    bool end, gzip, wrong_len; /* wrong_len: its trailer does not tell its length */
};

/* Node's defaults: windowBits 15 (or 0 where the header tells), no dictionary, no limits, trailing data an error. */
struct wr_inflate_params wr_inflate_defaults(enum wr_inflate_format format);

/* A new decompressor, the caller's to free by its ops. NULL with FAULT set: ERR_OUT_OF_RANGE for a parameter out of
 * range, ENOMEM.
 *
 * Its step fails with zlib's code and text (Z_DATA_ERROR "incorrect data check" ...), with Z_BUF_ERROR "unexpected end
 * of file" when the input ends too early or is empty, with ERR_TRAILING_DATA, ERR_BUFFER_TOO_LARGE,
 * ERR_COMPRESSION_RATIO or ENOMEM. What was decoded before is in the output. A codec that failed may only be reset or
 * freed. */
struct wr_codec *wr_inflate_new(struct wr_alloc *a, const struct wr_inflate_params *p, struct wr_fault *fault);

/* The compressed bytes that were used so far: trailing data does not count. */
uint64_t wr_inflate_consumed(const struct wr_codec *c);

/* With WR_TRAILING_KEEP and after WR_STEP_DONE: how many bytes of the trailing data C has consumed from an earlier input,
 * 0 or 1. A single one is 0x1f, the first byte of a member that never came; it belongs in front of what is left. */
size_t wr_inflate_held(const struct wr_codec *c);

/* With `defer`: moves the notes since the last call to NOTES; how many. Enough for steps of 1 MiB of output: where there are
 * more, C checks by itself. */
unsigned wr_inflate_notes(struct wr_codec *c, struct wr_inflate_note notes[WR_INFLATE_NOTES]);

/* Forgets all that was given: C begins a new stream with the same parameters (and dictionary). */
void wr_inflate_reset(struct wr_codec *c);

#endif
