/* SPDX-License-Identifier: MIT */
/* Compression by zlib.
 *
 * The one thing zlib does not do by itself is a flush that comes out once whatever the room for output is: when the room
 * ends within the marker of a flush, the next call writes a second one. So a flush takes two steps here. First all data
 * is brought out with Z_BLOCK, which may be repeated without effect; then the marker, at most MARKER bytes, is written
 * where it fits whole: into the caller's room, or into the stage, from where it goes out byte by byte.
 */
#include <string.h>

#include "zbase.h"

#include "deflate.h"

enum {
    MARKER = 16,    /* more than a flush marker with what bits were left before it */
    PIECE = 1 << 30 /* the most that is given to zlib at once: its counts have 32 bits */
};

struct deflate {
    struct wr_codec head;
    struct wr_alloc *alloc;
    z_stream z;
    int flushed; /* the rank of the last flush with no input since, or -1 */
    int done;
    unsigned char *dictionary; /* a copy, for reset */
    size_t dictionary_len;
    unsigned char stage[MARKER]; /* output that had no room yet */
    size_t stage_at, stage_len;
};

static const int zlib_flush[] = {
    [WR_FLUSH_NONE] = Z_NO_FLUSH,   [WR_FLUSH_PARTIAL] = Z_PARTIAL_FLUSH, [WR_FLUSH_SYNC] = Z_SYNC_FLUSH,
    [WR_FLUSH_FULL] = Z_FULL_FLUSH, [WR_FLUSH_FINISH] = Z_FINISH,
};

static enum wr_step fail(struct deflate *d, struct wr_fault fault)
{
    d->head.fault = fault;
    return WR_STEP_FAIL;
}

/* Moves what is staged into the room. Returns whether the stage is empty. */
static int drain(struct deflate *d, struct wr_codec_io *io)
{
    size_t n = d->stage_len - d->stage_at;
    if (n > io->out_len)
        n = io->out_len;
    if (n == 0)
        return d->stage_at == d->stage_len;
    memcpy(io->out, d->stage + d->stage_at, n);
    io->out += n;
    io->out_len -= n;
    d->stage_at += n;
    return d->stage_at == d->stage_len;
}

/* One call of zlib, with at most a PIECE of either. A FLUSH waits for the last piece. */
static int press(struct deflate *d, struct wr_codec_io *io, int flush)
{
    uInt in = io->in_len < PIECE ? (uInt)io->in_len : PIECE;
    uInt out = io->out_len < PIECE ? (uInt)io->out_len : PIECE;
    d->z.next_in = (Bytef *)io->in;
    d->z.avail_in = in;
    d->z.next_out = io->out;
    d->z.avail_out = out;
    int r = deflate(&d->z, in < io->in_len ? Z_NO_FLUSH : flush);
    io->in = d->z.next_in;
    io->in_len -= in - d->z.avail_in;
    io->out = d->z.next_out;
    io->out_len -= out - d->z.avail_out;
    return r == Z_BUF_ERROR ? Z_OK : r; /* "no progress possible" is no error here */
}

/* Writes the marker of FLUSH, all data being out. */
static int mark(struct deflate *d, struct wr_codec_io *io, int flush)
{
    if (io->out_len > MARKER)
        return press(d, io, flush);
    struct wr_codec_io stage = {.out = d->stage, .out_len = sizeof d->stage};
    int r = press(d, &stage, flush);
    d->stage_at = 0;
    d->stage_len = sizeof d->stage - stage.out_len;
    return r;
}

static enum wr_step feed(struct deflate *d, struct wr_codec_io *io)
{
    while (io->out_len > 0) {
        int r = press(d, io, Z_NO_FLUSH);
        if (r != Z_OK)
            return fail(d, wr_zbase_fault(r, d->z.msg));
        if (io->in_len == 0 && io->out_len > 0)
            return WR_STEP_MORE;
    }
    return WR_STEP_FULL;
}

static enum wr_step flush(struct deflate *d, struct wr_codec_io *io)
{
    int rank = (int)io->flush;
    if (rank <= d->flushed)
        return WR_STEP_MORE;
    int r = Z_OK;
    for (int moved = 1; moved;) {
        size_t in = io->in_len, room = io->out_len;
        if (room == 0)
            return WR_STEP_FULL;
        r = press(d, io, Z_BLOCK);
        if (r != Z_OK)
            return fail(d, wr_zbase_fault(r, d->z.msg));
        moved = io->in_len != in || io->out_len != room;
    }
    r = mark(d, io, zlib_flush[io->flush]);
    if (r != Z_OK)
        return fail(d, wr_zbase_fault(r, d->z.msg));
    d->flushed = rank;
    return drain(d, io) ? WR_STEP_MORE : WR_STEP_FULL;
}

static enum wr_step finish(struct deflate *d, struct wr_codec_io *io)
{
    while (io->out_len > 0) {
        int r = press(d, io, Z_FINISH);
        if (r == Z_STREAM_END) {
            d->done = 1;
            return WR_STEP_DONE;
        }
        if (r != Z_OK)
            return fail(d, wr_zbase_fault(r, d->z.msg));
    }
    return WR_STEP_FULL;
}

static enum wr_step step(struct wr_codec *c, struct wr_codec_io *io)
{
    struct deflate *d = (struct deflate *)c;
    if (!drain(d, io))
        return WR_STEP_FULL;
    if (d->done)
        return io->in_len > 0 ? fail(d, wr_error_fault(WR_E_WRITE_AFTER_END)) : WR_STEP_DONE;
    if (io->in_len > 0)
        d->flushed = -1;
    if (io->flush == WR_FLUSH_FINISH)
        return finish(d, io);
    return io->flush == WR_FLUSH_NONE ? feed(d, io) : flush(d, io);
}

static void destroy(struct wr_codec *c)
{
    struct deflate *d = (struct deflate *)c;
    deflateEnd(&d->z);
    wr_alloc_free(d->alloc, d->dictionary, d->dictionary_len);
    wr_alloc_free(d->alloc, d, sizeof *d);
}

static const struct wr_codec_ops ops = {.step = step, .free = destroy};

static int outside(int value, int low, int high)
{
    return value < low || value > high;
}

/* The text for the first parameter that is out of range, or NULL. */
static const char *check(const struct wr_deflate_params *p)
{
    if (outside(p->level, -1, 9))
        return "The value of \"level\" is out of range. It must be >= -1 and <= 9";
    if (p->format == WR_DEFLATE_GZIP && outside(p->window_bits, 9, 15))
        return "The value of \"windowBits\" is out of range. It must be >= 9 and <= 15";
    if (outside(p->window_bits, 8, 15))
        return "The value of \"windowBits\" is out of range. It must be >= 8 and <= 15";
    if (outside(p->mem_level, 1, 9))
        return "The value of \"memLevel\" is out of range. It must be >= 1 and <= 9";
    if (outside(p->strategy, Z_DEFAULT_STRATEGY, Z_FIXED))
        return "The value of \"strategy\" is out of range. It must be >= 0 and <= 4";
    return NULL;
}

static struct wr_fault out_of_range(const char *text)
{
    struct wr_fault fault = wr_error_fault(WR_E_OUT_OF_RANGE);
    fault.text = text;
    return fault;
}

/* zlib's windowBits says the format too. Raw deflate with a window of 8 is not implemented by zlib: 9 does as well. */
static int zlib_bits(const struct wr_deflate_params *p)
{
    int bits = p->window_bits < 9 ? 9 : p->window_bits;
    if (p->format == WR_DEFLATE_GZIP)
        return bits + 16;
    return p->format == WR_DEFLATE_RAW ? -bits : bits;
}

static int copy_dictionary(struct deflate *d, const struct wr_deflate_params *p)
{
    if (p->format == WR_DEFLATE_GZIP || p->dictionary_len == 0)
        return 0;
    d->dictionary = wr_alloc_get(d->alloc, p->dictionary_len);
    if (!d->dictionary)
        return -1;
    memcpy(d->dictionary, p->dictionary, p->dictionary_len);
    d->dictionary_len = p->dictionary_len;
    return 0;
}

/* Gives zlib the dictionary: all of it, the checksum in the header is of the whole. */
static void set_dictionary(struct deflate *d)
{
    if (d->dictionary)
        deflateSetDictionary(&d->z, d->dictionary, (uInt)d->dictionary_len);
}

struct wr_deflate_params wr_deflate_defaults(enum wr_deflate_format format)
{
    return (struct wr_deflate_params){.format = format, .level = -1, .window_bits = 15, .mem_level = 8};
}

struct wr_codec *wr_deflate_new(struct wr_alloc *a, const struct wr_deflate_params *p, struct wr_fault *fault)
{
    const char *wrong = check(p);
    *fault = wrong ? out_of_range(wrong) : wr_error_fault(WR_E_NO_MEMORY);
    struct deflate *d = wrong ? NULL : wr_alloc_zero(a, sizeof *d);
    if (!d)
        return NULL;
    d->head.ops = &ops;
    d->alloc = a;
    d->flushed = -1;
    wr_zbase_init(&d->z, a);
    if (copy_dictionary(d, p) < 0)
        goto free_codec;
    int r = deflateInit2(&d->z, p->level, Z_DEFLATED, zlib_bits(p), p->mem_level, p->strategy);
    if (r != Z_OK)
        goto free_dictionary;
    set_dictionary(d);
    *fault = wr_error_fault(WR_E_OK);
    return &d->head;

free_dictionary:
    *fault = wr_zbase_fault(r, d->z.msg);
    wr_alloc_free(a, d->dictionary, d->dictionary_len);
free_codec:
    wr_alloc_free(a, d, sizeof *d);
    return NULL;
}

int wr_deflate_tune(struct wr_codec *c, int level, int strategy, struct wr_fault *fault)
{
    struct deflate *d = (struct deflate *)c;
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_ZLIB);
    p.level = level;
    p.strategy = strategy;
    const char *wrong = check(&p);
    if (wrong) {
        *fault = out_of_range(wrong);
        return -1;
    }
    if (!d->done && d->stage_at < d->stage_len) {
        *fault = wr_zbase_fault(Z_BUF_ERROR, "flush before changing parameters");
        return -1;
    }
    d->z.avail_in = 0;
    d->z.next_out = d->stage;
    d->z.avail_out = sizeof d->stage;
    int r = deflateParams(&d->z, level, strategy);
    d->stage_at = 0;
    d->stage_len = sizeof d->stage - d->z.avail_out;
    if (r == Z_OK)
        return 0;
    *fault = wr_zbase_fault(r, r == Z_BUF_ERROR ? "flush before changing parameters" : d->z.msg);
    return -1;
}

void wr_deflate_reset(struct wr_codec *c)
{
    struct deflate *d = (struct deflate *)c;
    deflateReset(&d->z);
    set_dictionary(d);
    d->flushed = -1;
    d->done = 0;
    d->stage_at = d->stage_len = 0;
}
