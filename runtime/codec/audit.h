/* SPDX-License-Identifier: MIT */
/* The check of what an inflate codec decoded with `defer`: taking the checksum takes a tenth of the time of decoding, and may
 * be done by another thread, behind it.
 */
#ifndef WR_CODEC_AUDIT_H
#define WR_CODEC_AUDIT_H

#include "fifo.h"
#include "inflate.h"

struct wr_audit {
    struct wr_fifo notes; /* struct wr_inflate_note, not reached yet */
    uint64_t at;          /* bytes of output seen */
    uint32_t check;
    bool under_way, gzip;
};

/* An audit of an output of which nothing was seen. */
void wr_audit_init(struct wr_audit *a, struct wr_alloc *alloc);

/* Gives the notes back. */
void wr_audit_clear(struct wr_audit *a);

/* Takes the notes of codec C, before its output since the last call is looked at. No step of C is running. 0, or -1 for no
 * memory. */
int wr_audit_note(struct wr_audit *a, struct wr_codec *c);

/* Looks at the next LEN bytes of output. 0; or -1 with FAULT set, Z_DATA_ERROR "incorrect data check" or "incorrect length
 * check", and in GOOD how many of the bytes are before the end of the member that is wrong. Where LEN is 0, ends are looked
 * at that have been reached already. */
int wr_audit_look(struct wr_audit *a, const unsigned char *data, size_t len, size_t *good, struct wr_fault *fault);

#endif
