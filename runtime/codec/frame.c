/* SPDX-License-Identifier: MIT */
/* The parser of length-prefixed frames. Two states: within a length (head_len < prefix), within a payload of `want`
 * bytes, of which the carry has those from earlier slices.
 */
#include "carry.h"

#include "frame.h"

struct wr_frame {
    struct wr_alloc *alloc;
    const unsigned char *at, *end; /* what is left of the slice */
    struct wr_buffer *buffer;      /* the slice's */
    struct wr_buffer *owner;       /* of the payload answered last */
    struct wr_carry carry;
    int fresh; /* the carry's payload was answered: it begins anew */
    unsigned prefix, head_len;
    size_t want, max;
    struct wr_fault fault;
};

static int fail(struct wr_frame *f, struct wr_fault fault)
{
    f->fault = fault;
    return -1;
}

static int answer(struct wr_frame *f, struct wr_buffer *owner, const unsigned char *at, const unsigned char **p,
                  size_t *len)
{
    *p = at;
    *len = f->want;
    f->owner = f->want > 0 ? owner : NULL;
    f->head_len = 0;
    f->want = 0;
    return 1;
}

/* Reads what is there of the length. 1 when it is known, 0 when the slice is used up. */
static int length(struct wr_frame *f)
{
    while (f->head_len < f->prefix) {
        if (f->at == f->end)
            return 0;
        f->want = f->want << 8 | *f->at++;
        f->head_len++;
    }
    return f->want <= f->max ? 1 : fail(f, wr_error_fault(WR_E_FRAME_TOO_LARGE));
}

struct wr_frame *wr_frame_new(struct wr_alloc *a, unsigned prefix, size_t max, struct wr_fault *fault)
{
    int right = prefix == 1 || prefix == 2 || prefix == 4;
    *fault = wr_error_fault(right ? WR_E_NO_MEMORY : WR_E_OUT_OF_RANGE);
    struct wr_frame *f = right ? wr_alloc_zero(a, sizeof *f) : NULL;
    if (!f)
        return NULL;
    f->alloc = a;
    f->prefix = prefix;
    f->max = max;
    wr_carry_init(&f->carry, a);
    *fault = wr_error_fault(WR_E_OK);
    return f;
}

void wr_frame_free(struct wr_frame *f)
{
    if (!f)
        return;
    wr_carry_clear(&f->carry);
    wr_alloc_free(f->alloc, f, sizeof *f);
}

void wr_frame_feed(struct wr_frame *f, const struct wr_chunk *c)
{
    f->buffer = c->buffer;
    f->at = c->data;
    f->end = c->len > 0 ? c->data + c->len : c->data;
}

int wr_frame_next(struct wr_frame *f, const unsigned char **p, size_t *len)
{
    if (f->fresh) {
        wr_carry_restart(&f->carry);
        f->fresh = 0;
    }
    int r = length(f);
    if (r <= 0)
        return r;
    size_t left = (size_t)(f->end - f->at), need = f->want - f->carry.len;
    size_t n = left < need ? left : need;
    const unsigned char *part = f->at;
    if (n > 0)
        f->at += n;
    if (n == need && f->carry.len == 0)
        return answer(f, f->buffer, part, p, len);
    if (wr_carry_append(&f->carry, part, n, f->want) < 0)
        return fail(f, wr_error_fault(WR_E_NO_MEMORY));
    if (n < need)
        return 0;
    f->fresh = 1;
    return answer(f, f->carry.buffer, f->carry.buffer->data, p, len);
}

int wr_frame_finish(struct wr_frame *f)
{
    if (wr_frame_leftover(f) == 0)
        return 0;
    struct wr_fault fault = wr_error_fault(WR_E_INVALID_STATE);
    fault.code = "ERR_FRAME_INCOMPLETE";
    fault.text = "Incomplete frame";
    return fail(f, fault);
}

size_t wr_frame_leftover(const struct wr_frame *f)
{
    return f->head_len + (f->fresh ? 0 : f->carry.len);
}

struct wr_buffer *wr_frame_owner(const struct wr_frame *f)
{
    return f->owner;
}

struct wr_fault wr_frame_fault(const struct wr_frame *f)
{
    return f->fault;
}
