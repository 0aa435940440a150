/* SPDX-License-Identifier: MIT */
/* Bytes on their way: a counted buffer, slices of it, and a queue of slices.
 *
 * A slice (struct wr_chunk) is a value that holds one reference to its buffer. Buffers are made, filled by one owner, and
 * from then on only read. References are counted on the loop's thread only: a job of the worker pool reads a slice that
 * the loop's thread holds for it.
 */
#ifndef WR_BASE_CHUNK_H
#define WR_BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "alloc.h"

struct wr_buffer {
    uint32_t refs;
    struct wr_alloc *alloc;
    size_t size; /* of data */
    unsigned char data[];
};

struct wr_chunk {
    struct wr_buffer *buffer; /* NULL in an empty slice */
    const unsigned char *data;
    size_t len;
};

/* A buffer of SIZE (> 0) bytes with one reference, the caller's; NULL for no memory. */
struct wr_buffer *wr_buffer_new(struct wr_alloc *a, size_t size);

/* One more reference. Returns B. */
struct wr_buffer *wr_buffer_ref(struct wr_buffer *b);

/* One reference less; the last frees it. NULL does nothing. */
void wr_buffer_unref(struct wr_buffer *b);

/* The slice of LEN bytes at AT of B; takes a reference of its own. */
struct wr_chunk wr_chunk_slice(struct wr_buffer *b, size_t at, size_t len);

/* A slice with a fresh copy of LEN bytes at DATA. 0, or -1 for no memory (OUT is then empty). LEN 0 gives an empty slice. */
int wr_chunk_copy(struct wr_alloc *a, struct wr_chunk *out, const void *data, size_t len);

/* The slice of C from AT on, LEN bytes; takes a reference of its own. */
struct wr_chunk wr_chunk_part(const struct wr_chunk *c, size_t at, size_t len);

/* One more reference for a second holder of the same slice. */
struct wr_chunk wr_chunk_ref(const struct wr_chunk *c);

/* Gives the slice's reference back and empties it. */
void wr_chunk_clear(struct wr_chunk *c);

/* Slices in a row, first in first out; grows as needed. */
struct wr_queue {
    struct wr_alloc *alloc;
    struct wr_chunk *slots;
    uint32_t head, count, cap; /* cap: a power of two, or 0 */
    size_t bytes;              /* the sum of the slices' lengths */
};

/* An empty queue; allocates nothing yet. */
void wr_queue_init(struct wr_queue *q, struct wr_alloc *a);

/* Gives all slices back, and keeps the room. */
void wr_queue_shed(struct wr_queue *q);

/* Gives all slices and the room back. */
void wr_queue_clear(struct wr_queue *q);

/* Makes sure that N more slices fit without failing. 0, or -1 for no memory. */
int wr_queue_reserve(struct wr_queue *q, uint32_t n);

/* Appends C, whose reference the queue takes also on failure. 0, or -1 for no memory. */
int wr_queue_push(struct wr_queue *q, struct wr_chunk c);

/* Puts C in front; else like wr_queue_push. */
int wr_queue_unshift(struct wr_queue *q, struct wr_chunk c);

/* The Ith slice (0: the first), or NULL. Borrowed until the queue changes. */
const struct wr_chunk *wr_queue_peek(const struct wr_queue *q, uint32_t i);

/* Takes the first slice out; the caller owns it. Empty slice if there is none. */
struct wr_chunk wr_queue_take(struct wr_queue *q);

/* Takes the first N bytes out as one slice, copied together where they lie in several slices; N <= q->bytes. The caller
 * owns it. 0, or -1 for no memory (nothing is taken then). */
int wr_queue_take_bytes(struct wr_queue *q, size_t n, struct wr_chunk *out);

/* Gives the slices' buffers back, but keeps their lengths: what is taken from then on has no bytes. */
void wr_queue_hollow(struct wr_queue *q);

/* Drops the first N bytes (N <= q->bytes). */
void wr_queue_drop(struct wr_queue *q, size_t n);

#endif
