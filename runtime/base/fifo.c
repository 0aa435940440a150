/* SPDX-License-Identifier: MIT */
/* The row is a ring whose size is a power of two; it doubles when full and never shrinks before it is cleared. */
#include <assert.h>
#include <string.h>

#include "fifo.h"

static void *slot(const struct wr_fifo *f, uint32_t i)
{
    return f->slots + (size_t)((f->head + i) & (f->cap - 1)) * f->size;
}

static int grow(struct wr_fifo *f, uint32_t cap)
{
    unsigned char *slots = wr_alloc_get(f->alloc, (size_t)cap * f->size);
    if (!slots)
        return -1;
    for (uint32_t i = 0; i < f->count; i++)
        memcpy(slots + (size_t)i * f->size, slot(f, i), f->size);
    wr_alloc_free(f->alloc, f->slots, (size_t)f->cap * f->size);
    f->slots = slots;
    f->head = 0;
    f->cap = cap;
    return 0;
}

void wr_fifo_init(struct wr_fifo *f, struct wr_alloc *a, size_t size)
{
    *f = (struct wr_fifo){.alloc = a, .size = (uint32_t)size};
}

void wr_fifo_clear(struct wr_fifo *f)
{
    wr_alloc_free(f->alloc, f->slots, (size_t)f->cap * f->size);
    wr_fifo_init(f, f->alloc, f->size);
}

int wr_fifo_reserve(struct wr_fifo *f, uint32_t n)
{
    uint32_t cap = f->cap ? f->cap : 8;
    while (cap < f->count + n)
        cap *= 2;
    return cap == f->cap ? 0 : grow(f, cap);
}

/* Values are small, and of two sizes mostly: a copy of a known size is a few moves, and no call. */
static void copy(void *to, const void *from, uint32_t size)
{
    if (size == 48)
        memcpy(to, from, 48);
    else if (size == 16)
        memcpy(to, from, 16);
    else if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, size);
}

int wr_fifo_push(struct wr_fifo *f, const void *value)
{
    if (f->count == f->cap && wr_fifo_reserve(f, 1))
        return -1;
    copy(slot(f, f->count), value, f->size);
    f->count++;
    return 0;
}

void *wr_fifo_peek(const struct wr_fifo *f, uint32_t i)
{
    assert(i < f->count && "peeking past the end of a row");
    return slot(f, i);
}

void wr_fifo_take(struct wr_fifo *f, void *out)
{
    assert(f->count && "taking from an empty row");
    copy(out, slot(f, 0), f->size);
    f->head = (f->head + 1) & (f->cap - 1);
    f->count--;
}
