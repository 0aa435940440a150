/* SPDX-License-Identifier: MIT */
/* A growing first-in first-out row of small values of one size, which are copied in and out. */
#ifndef WR_BASE_FIFO_H
#define WR_BASE_FIFO_H

#include <stddef.h>
#include <stdint.h>

#include "alloc.h"

struct wr_fifo {
    struct wr_alloc *alloc;
    unsigned char *slots;
    uint32_t size; /* of one value, in bytes */
    uint32_t head, count, cap;
};

/* An empty row of values of SIZE bytes each; allocates nothing yet. */
void wr_fifo_init(struct wr_fifo *f, struct wr_alloc *a, size_t size);

/* Gives the room back; the values are forgotten. */
void wr_fifo_clear(struct wr_fifo *f);

/* Makes sure that N more values fit without failing. 0, or -1 for no memory. */
int wr_fifo_reserve(struct wr_fifo *f, uint32_t n);

/* Appends a copy of VALUE. 0, or -1 for no memory. */
int wr_fifo_push(struct wr_fifo *f, const void *value);

/* The Ith value (0: the first), borrowed until the next push; I < f->count. */
void *wr_fifo_peek(const struct wr_fifo *f, uint32_t i);

/* Copies the first value to OUT and drops it; f->count > 0. */
void wr_fifo_take(struct wr_fifo *f, void *out);

#endif
