/* SPDX-License-Identifier: MIT */
/* Counted buffers, slices and the queue of slices.
 *
 * The queue is a ring of slices whose size is a power of two; its indices wrap by masking. A queue that has grown keeps
 * its room until it is cleared: the same stream will need it again.
 */
#include <string.h>

#include "chunk.h"

enum { FIRST_CAP = 8 };

static const struct wr_chunk empty;

/* The slot of the Ith slice. */
static struct wr_chunk *slot(const struct wr_queue *q, uint32_t i)
{
    return &q->slots[(q->head + i) & (q->cap - 1)];
}

/* Moves the slices into a ring of CAP slots. */
static int grow(struct wr_queue *q, uint32_t cap)
{
    struct wr_chunk *slots = wr_alloc_get(q->alloc, cap * sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = 0; i < q->count; i++)
        slots[i] = *slot(q, i);
    wr_alloc_free(q->alloc, q->slots, q->cap * sizeof *slots);
    q->slots = slots;
    q->head = 0;
    q->cap = cap;
    return 0;
}

/* Takes the first slice out without touching the sum of lengths. */
static struct wr_chunk shift(struct wr_queue *q)
{
    struct wr_chunk c = *slot(q, 0);
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    return c;
}

struct wr_buffer *wr_buffer_new(struct wr_alloc *a, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct wr_buffer))
        return NULL;
    struct wr_buffer *b = wr_alloc_get(a, sizeof *b + size);
    if (!b)
        return NULL;
    b->refs = 1;
    b->alloc = a;
    b->size = size;
    return b;
}

struct wr_buffer *wr_buffer_ref(struct wr_buffer *b)
{
    b->refs++;
    return b;
}

void wr_buffer_unref(struct wr_buffer *b)
{
    if (b && --b->refs == 0)
        wr_alloc_free(b->alloc, b, sizeof *b + b->size);
}

struct wr_chunk wr_chunk_slice(struct wr_buffer *b, size_t at, size_t len)
{
    if (len == 0)
        return empty;
    return (struct wr_chunk){wr_buffer_ref(b), b->data + at, len};
}

int wr_chunk_copy(struct wr_alloc *a, struct wr_chunk *out, const void *data, size_t len)
{
    *out = empty;
    if (len == 0)
        return 0;
    struct wr_buffer *b = wr_buffer_new(a, len);
    if (!b)
        return -1;
    memcpy(b->data, data, len);
    *out = (struct wr_chunk){b, b->data, len};
    return 0;
}

struct wr_chunk wr_chunk_part(const struct wr_chunk *c, size_t at, size_t len)
{
    if (len == 0)
        return empty;
    return (struct wr_chunk){wr_buffer_ref(c->buffer), c->data + at, len};
}

struct wr_chunk wr_chunk_ref(const struct wr_chunk *c)
{
    if (c->buffer)
        wr_buffer_ref(c->buffer);
    return *c;
}

void wr_chunk_clear(struct wr_chunk *c)
{
    wr_buffer_unref(c->buffer);
    *c = empty;
}

void wr_queue_init(struct wr_queue *q, struct wr_alloc *a)
{
    *q = (struct wr_queue){.alloc = a};
}

void wr_queue_shed(struct wr_queue *q)
{
    while (q->count > 0)
        wr_buffer_unref(shift(q).buffer);
    q->bytes = 0;
}

void wr_queue_clear(struct wr_queue *q)
{
    wr_queue_shed(q);
    wr_alloc_free(q->alloc, q->slots, q->cap * sizeof *q->slots);
    wr_queue_init(q, q->alloc);
}

int wr_queue_reserve(struct wr_queue *q, uint32_t n)
{
    uint32_t cap = q->cap ? q->cap : FIRST_CAP;
    while (cap - q->count < n) {
        if (cap > UINT32_MAX / 2)
            return -1;
        cap *= 2;
    }
    return cap == q->cap ? 0 : grow(q, cap);
}

int wr_queue_push(struct wr_queue *q, struct wr_chunk c)
{
    if (q->count == q->cap && wr_queue_reserve(q, 1) < 0) {
        wr_chunk_clear(&c);
        return -1;
    }
    *slot(q, q->count++) = c;
    q->bytes += c.len;
    return 0;
}

int wr_queue_unshift(struct wr_queue *q, struct wr_chunk c)
{
    if (q->count == q->cap && wr_queue_reserve(q, 1) < 0) {
        wr_chunk_clear(&c);
        return -1;
    }
    q->head = (q->head - 1) & (q->cap - 1);
    q->count++;
    *slot(q, 0) = c;
    q->bytes += c.len;
    return 0;
}

const struct wr_chunk *wr_queue_peek(const struct wr_queue *q, uint32_t i)
{
    return i < q->count ? slot(q, i) : NULL;
}

struct wr_chunk wr_queue_take(struct wr_queue *q)
{
    if (q->count == 0)
        return empty;
    struct wr_chunk c = shift(q);
    q->bytes -= c.len;
    return c;
}

int wr_queue_take_bytes(struct wr_queue *q, size_t n, struct wr_chunk *out)
{
    *out = empty;
    if (n == 0)
        return 0;
    while (slot(q, 0)->len == 0)
        wr_buffer_unref(shift(q).buffer);
    const struct wr_chunk *first = slot(q, 0);
    if (first->len >= n) {
        *out = wr_chunk_part(first, 0, n);
        wr_queue_drop(q, n);
        return 0;
    }
    struct wr_buffer *b = wr_buffer_new(q->alloc, n);
    if (!b)
        return -1;
    size_t have = 0;
    for (uint32_t i = 0; have < n; i++) {
        const struct wr_chunk *c = slot(q, i);
        size_t part = c->len < n - have ? c->len : n - have;
        if (part > 0)
            memcpy(b->data + have, c->data, part);
        have += part;
    }
    *out = (struct wr_chunk){b, b->data, n};
    wr_queue_drop(q, n);
    return 0;
}

void wr_queue_hollow(struct wr_queue *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        struct wr_chunk *c = slot(q, i);
        wr_buffer_unref(c->buffer);
        c->buffer = NULL;
    }
}

void wr_queue_drop(struct wr_queue *q, size_t n)
{
    q->bytes -= n;
    while (n > 0) {
        struct wr_chunk *first = slot(q, 0);
        if (first->len > n) {
            if (first->buffer)
                first->data += n;
            first->len -= n;
            return;
        }
        n -= first->len;
        wr_buffer_unref(shift(q).buffer);
    }
}
