/* SPDX-License-Identifier: MIT */
/* A part is compressed as raw deflate, and its checksum taken on the way; the header is written by the first part, the
 * checksum of the whole is put together of those of the parts.
 */
#include <string.h>

#include "checksum.h"

#include "parts.h"

enum { HEAD = 10 };

struct wr_parts {
    struct wr_alloc *alloc;
    struct wr_deflate_params params;
    uint32_t check;
    uint64_t len;
};

struct part {
    struct wr_codec head;
    struct wr_alloc *alloc;
    struct wr_codec *raw;
    enum wr_deflate_format format;
    uint32_t check;
    uint64_t len;
    unsigned char stage[HEAD]; /* the header, what is not out of it yet */
    size_t stage_at, stage_len;
};

static uint32_t first_check(enum wr_deflate_format format)
{
    return format == WR_DEFLATE_ZLIB ? 1 : 0;
}

static uint32_t add(const struct part *s, const unsigned char *data, size_t len)
{
    switch (s->format) {
    case WR_DEFLATE_GZIP:
        return wr_checksum_crc32(s->check, data, len);
    case WR_DEFLATE_ZLIB:
        return wr_checksum_adler32(s->check, data, len);
    default:
        return 0;
    }
}

/* Moves what is left of the header into the room. Returns whether that was all. */
static bool drain(struct part *s, struct wr_codec_io *io)
{
    size_t n = s->stage_len - s->stage_at;
    if (n > io->out_len)
        n = io->out_len;
    if (n > 0) {
        memcpy(io->out, s->stage + s->stage_at, n);
        io->out += n;
        io->out_len -= n;
        s->stage_at += n;
    }
    return s->stage_at == s->stage_len;
}

static enum wr_step step(struct wr_codec *c, struct wr_codec_io *io)
{
    struct part *s = (struct part *)c;
    if (!drain(s, io))
        return WR_STEP_FULL;
    const unsigned char *in = io->in;
    size_t left = io->in_len;
    enum wr_step r = s->raw->ops->step(s->raw, io);
    if (left > io->in_len) {
        s->check = add(s, in, left - io->in_len);
        s->len += left - io->in_len;
    }
    if (r == WR_STEP_FAIL)
        c->fault = s->raw->fault;
    return r;
}

static void destroy(struct wr_codec *c)
{
    struct part *s = (struct part *)c;
    s->raw->ops->free(s->raw);
    wr_alloc_free(s->alloc, s, sizeof *s);
}

static const struct wr_codec_ops ops = {.step = step, .free = destroy};

/* ---- the header, as zlib writes it */

static bool is_fastest(int level, int strategy)
{
    return strategy >= 2 || level == 0 || level == 1;
}

static void gzip_head(struct part *s, int level, int strategy)
{
    unsigned char extra = level == 9 ? 2 : is_fastest(level, strategy) ? 4 : 0;
    const unsigned char head[HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra, 3};
    memcpy(s->stage, head, HEAD);
    s->stage_len = HEAD;
}

static void zlib_head(struct part *s, int window_bits, int level, int strategy)
{
    unsigned bits = window_bits < 9 ? 9 : (unsigned)window_bits;
    unsigned rank = is_fastest(level, strategy) ? 0 : level < 0 || level == 6 ? 2 : level < 6 ? 1 : 3;
    unsigned head = (8 + ((bits - 8) << 4)) << 8 | rank << 6;
    head += 31 - head % 31;
    s->stage[0] = (unsigned char)(head >> 8);
    s->stage[1] = (unsigned char)head;
    s->stage_len = 2;
}

/* ---- */

struct wr_parts *wr_parts_new(struct wr_alloc *a, const struct wr_deflate_params *params, struct wr_fault *fault)
{
    struct wr_codec *probe = wr_deflate_new(a, params, fault); /* who refuses what is out of range */
    if (!probe)
        return NULL;
    probe->ops->free(probe);
    struct wr_parts *p = wr_alloc_zero(a, sizeof *p);
    if (!p) {
        *fault = wr_error_fault(WR_E_NO_MEMORY);
        return NULL;
    }
    p->alloc = a;
    p->params = *params;
    p->params.dictionary = NULL;
    p->params.dictionary_len = 0;
    p->check = first_check(params->format);
    return p;
}

void wr_parts_free(struct wr_parts *p)
{
    if (p)
        wr_alloc_free(p->alloc, p, sizeof *p);
}

struct wr_codec *wr_parts_codec(const struct wr_parts *p, bool first, int level, int strategy,
                                const unsigned char *before, size_t len, struct wr_fault *fault)
{
    struct part *s = wr_alloc_zero(p->alloc, sizeof *s);
    if (!s) {
        *fault = wr_error_fault(WR_E_NO_MEMORY);
        return NULL;
    }
    struct wr_deflate_params params = p->params;
    params.format = WR_DEFLATE_RAW;
    params.level = level;
    params.strategy = strategy;
    params.dictionary = before;
    params.dictionary_len = len;
    s->head.ops = &ops;
    s->alloc = p->alloc;
    s->format = p->params.format;
    s->check = first_check(s->format);
    s->raw = wr_deflate_new(p->alloc, &params, fault);
    if (!s->raw) {
        wr_alloc_free(p->alloc, s, sizeof *s);
        return NULL;
    }
    if (first && s->format == WR_DEFLATE_GZIP)
        gzip_head(s, level, strategy);
    else if (first && s->format == WR_DEFLATE_ZLIB)
        zlib_head(s, p->params.window_bits, level, strategy);
    return &s->head;
}

int wr_parts_tune(struct wr_codec *c, int level, int strategy, struct wr_fault *fault)
{
    return wr_deflate_tune(((struct part *)c)->raw, level, strategy, fault);
}

void wr_parts_join(struct wr_parts *p, const struct wr_codec *c)
{
    const struct part *s = (const struct part *)c;
    if (p->params.format == WR_DEFLATE_GZIP)
        p->check = wr_checksum_crc32_join(p->check, s->check, s->len);
    else if (p->params.format == WR_DEFLATE_ZLIB)
        p->check = wr_checksum_adler32_join(p->check, s->check, s->len);
    p->len += s->len;
}

static void put_little(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

size_t wr_parts_tail(const struct wr_parts *p, unsigned char *out)
{
    switch (p->params.format) {
    case WR_DEFLATE_GZIP:
        put_little(out, p->check);
        put_little(out + 4, (uint32_t)p->len);
        return 8;
    case WR_DEFLATE_ZLIB:
        for (int i = 0; i < 4; i++)
            out[i] = (unsigned char)(p->check >> (24 - 8 * i));
        return 4;
    default:
        return 0;
    }
}
