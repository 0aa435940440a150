/* SPDX-License-Identifier: MIT */
/* A growing record in a counted buffer. Each byte is copied once, and once more on average where the buffer doubles. */
#include <string.h>

#include "carry.h"

enum { LEAST = 256 };

static int grow(struct wr_carry *c, size_t need, size_t most)
{
    size_t size = c->buffer ? c->buffer->size : LEAST / 2;
    size = size <= most / 2 ? size * 2 : most;
    struct wr_buffer *b = wr_buffer_new(c->alloc, size < need ? need : size);
    if (!b)
        return -1;
    if (c->len > 0)
        memcpy(b->data, c->buffer->data, c->len);
    wr_buffer_unref(c->buffer);
    c->buffer = b;
    return 0;
}

void wr_carry_init(struct wr_carry *c, struct wr_alloc *a)
{
    *c = (struct wr_carry){.alloc = a};
}

void wr_carry_clear(struct wr_carry *c)
{
    wr_buffer_unref(c->buffer);
    wr_carry_init(c, c->alloc);
}

int wr_carry_append(struct wr_carry *c, const void *data, size_t len, size_t most)
{
    if (len == 0)
        return 0;
    size_t need = c->len + len;
    if ((!c->buffer || need > c->buffer->size) && grow(c, need, most) < 0)
        return -1;
    memcpy(c->buffer->data + c->len, data, len);
    c->len = need;
    return 0;
}

void wr_carry_restart(struct wr_carry *c)
{
    c->len = 0;
    if (c->buffer && c->buffer->refs > 1) {
        wr_buffer_unref(c->buffer);
        c->buffer = NULL;
    }
}
