/* SPDX-License-Identifier: MIT */
/* The splitter. Searching is memchr's, which looks at 32 bytes at once; what is searched once is never searched again:
 * a slice without an end of line goes into the carry whole.
 */
#include <string.h>

#include "carry.h"

#include "lines.h"

struct wr_lines {
    struct wr_alloc *alloc;
    const unsigned char *at, *end; /* what is left of the slice */
    struct wr_buffer *buffer;      /* the slice's */
    struct wr_buffer *owner;       /* of the line answered last */
    struct wr_carry carry;         /* the line's part from earlier slices */
    int fresh;                     /* the carry's line was answered: it begins anew */
    size_t max;
    struct wr_fault fault;
};

static int fail(struct wr_lines *l, enum wr_code code)
{
    l->fault = wr_error_fault(code);
    return -1;
}

/* A line of LEN bytes at P, perhaps with a CR at its end. */
static int answer(struct wr_lines *l, struct wr_buffer *owner, const unsigned char *at, size_t n,
                  const unsigned char **p, size_t *len)
{
    if (n > 0 && at[n - 1] == '\r')
        n--;
    if (n > l->max)
        return fail(l, WR_E_LINE_TOO_LONG);
    *p = at;
    *len = n;
    l->owner = n > 0 ? owner : NULL;
    return 1;
}

/* Keeps N bytes of a line that goes on. Once it has more than the longest line and a CR, it is too long. */
static int keep(struct wr_lines *l, size_t n)
{
    size_t most = l->max < SIZE_MAX ? l->max + 1 : SIZE_MAX;
    if (n > most - l->carry.len)
        return fail(l, WR_E_LINE_TOO_LONG);
    if (wr_carry_append(&l->carry, l->at, n, most) < 0)
        return fail(l, WR_E_NO_MEMORY);
    l->at += n;
    return 0;
}

/* The end of a line whose first part is in the carry; its last N bytes are in the slice. */
static int join(struct wr_lines *l, size_t n, const unsigned char **p, size_t *len)
{
    if (keep(l, n) < 0)
        return -1;
    l->at++;
    l->fresh = 1;
    return answer(l, l->carry.buffer, l->carry.buffer->data, l->carry.len, p, len);
}

struct wr_lines *wr_lines_new(struct wr_alloc *a, size_t max)
{
    struct wr_lines *l = wr_alloc_zero(a, sizeof *l);
    if (!l)
        return NULL;
    l->alloc = a;
    l->max = max;
    wr_carry_init(&l->carry, a);
    return l;
}

void wr_lines_free(struct wr_lines *l)
{
    if (!l)
        return;
    wr_carry_clear(&l->carry);
    wr_alloc_free(l->alloc, l, sizeof *l);
}

void wr_lines_feed(struct wr_lines *l, const struct wr_chunk *c)
{
    l->buffer = c->buffer;
    l->at = c->data;
    l->end = c->len > 0 ? c->data + c->len : c->data;
}

int wr_lines_next(struct wr_lines *l, const unsigned char **p, size_t *len)
{
    if (l->fresh) {
        wr_carry_restart(&l->carry);
        l->fresh = 0;
    }
    if (l->at == l->end)
        return 0;
    size_t left = (size_t)(l->end - l->at);
    const unsigned char *lf = memchr(l->at, '\n', left);
    if (!lf)
        return keep(l, left);
    size_t n = (size_t)(lf - l->at);
    if (l->carry.len > 0)
        return join(l, n, p, len);
    const unsigned char *line = l->at;
    l->at = lf + 1;
    return answer(l, l->buffer, line, n, p, len);
}

int wr_lines_finish(struct wr_lines *l, const unsigned char **p, size_t *len)
{
    size_t n = l->fresh ? 0 : l->carry.len;
    if (n == 0)
        return 0;
    if (n > l->max)
        return fail(l, WR_E_LINE_TOO_LONG);
    l->fresh = 1;
    l->owner = l->carry.buffer;
    *p = l->carry.buffer->data;
    *len = n;
    return 1;
}

struct wr_buffer *wr_lines_owner(const struct wr_lines *l)
{
    return l->owner;
}

struct wr_fault wr_lines_fault(const struct wr_lines *l)
{
    return l->fault;
}
