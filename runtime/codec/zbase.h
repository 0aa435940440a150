/* SPDX-License-Identifier: MIT */
/* What deflate and inflate have in common: zlib's memory goes through the door, its errors become faults. */
#ifndef WR_CODEC_ZBASE_H
#define WR_CODEC_ZBASE_H

#include <zlib.h>

#include "alloc.h"
#include "error.h"

/* Clears Z and sets its memory functions to A's. */
void wr_zbase_init(z_stream *z, struct wr_alloc *a);

/* The fault of zlib's NUMBER; TEXT (zlib's msg, a literal) may be NULL. Z_MEM_ERROR is our own out-of-memory fault. */
struct wr_fault wr_zbase_fault(int number, const char *text);

#endif
