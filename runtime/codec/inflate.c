/* SPDX-License-Identifier: MIT */
/* Decompression by zlib, and what zlib leaves to its user: members in a row, what follows them, and limits.
 *
 *        +---------------------------- the second byte of a member: begin() ---------------------------+
 *        v                                                                                             |
 *     SNIFF --the first byte: sniff()--> BODY --Z_STREAM_END--> BETWEEN --0x1f, in gzip: between()--> HALF
 *                                                                  |                                   |
 *                             0 --> PADDING, or all else by the policy: trail() <------ no member -----+
 *                                                                  |
 *                                                   fails, or --> SWALLOW, or --> ENDED
 *
 * Only BODY produces output. The end of the input (FINISH, and nothing left) is looked at in one place, end_of_input().
 * Every function of a state answers a step, or GO_ON when the state has changed and there may be more to do.
 */
#include <string.h>

#include "zbase.h"

#include "inflate.h"

enum {
    PIECE = 1 << 30,        /* the most that is given to zlib at once: its counts have 32 bits */
    RATIO_STRIDE = 1 << 16, /* the output between two looks at the ratio */
    DEFER = 1 << 18,        /* the output of a member whose check may be left to others */
    TRAILER = 8,
    GO_ON = -1
};

enum state {
    SNIFF,   /* waits for the first byte, which tells gzip from zlib (format UNZIP only) */
    BODY,    /* within a member */
    BETWEEN, /* a member has ended: waits for the next byte, or the end */
    HALF,    /* the first byte of a member's magic was seen: waits for the second */
    PADDING, /* zeros behind the last member: waits for the end */
    SWALLOW, /* trailing data is ignored: waits for the end */
    ENDED    /* nothing more is taken */
};

struct inflate {
    struct wr_codec head;
    struct wr_alloc *alloc;
    z_stream z;
    enum state state;
    bool gzip; /* the members are gzip: more may follow */
    struct wr_inflate_params params;
    unsigned char *dictionary; /* a copy */
    uint64_t consumed, produced;
    size_t held;
    uint64_t began;                 /* where the member under way began in the output */
    bool deferred;                  /* it is not checked here */
    unsigned char trailer[TRAILER]; /* then: its last bytes so far */
    struct wr_inflate_note notes[WR_INFLATE_NOTES];
    unsigned note_count;
};

static enum wr_step fail(struct inflate *s, struct wr_fault fault)
{
    s->head.fault = fault;
    return WR_STEP_FAIL;
}

static void skip(struct wr_codec_io *io, size_t n)
{
    if (n > 0)
        io->in += n;
    io->in_len -= n;
}

/* The input is used up. */
static enum wr_step end_of_input(struct inflate *s, const struct wr_codec_io *io)
{
    if (io->flush != WR_FLUSH_FINISH)
        return WR_STEP_MORE;
    bool cut = s->state == SNIFF || s->state == BODY;
    cut |= s->state == HALF && s->params.trailing == WR_TRAILING_ERROR;
    if (cut && !s->params.truncated_ok)
        return fail(s, wr_zbase_fault(Z_BUF_ERROR, "unexpected end of file"));
    s->held = s->state == HALF;
    s->state = ENDED;
    return WR_STEP_DONE;
}

/* zlib's windowBits says the format too. */
static int zlib_bits(const struct inflate *s)
{
    if (s->gzip)
        return s->params.window_bits + 16;
    return s->params.format == WR_INFLATE_RAW ? -s->params.window_bits : s->params.window_bits;
}

/* The first byte: a zlib stream never begins as gzip does. */
static int sniff(struct inflate *s, struct wr_codec_io *io)
{
    s->gzip = io->in[0] == 0x1f;
    inflateReset2(&s->z, zlib_bits(s));
    s->state = BODY;
    return GO_ON;
}

static int set_dictionary(struct inflate *s)
{
    return inflateSetDictionary(&s->z, s->dictionary, (uInt)s->params.dictionary_len);
}

/* zlib asks for the dictionary. */
static int need_dictionary(struct inflate *s)
{
    if (!s->dictionary)
        return (int)fail(s, wr_zbase_fault(Z_NEED_DICT, "Missing dictionary"));
    int r = set_dictionary(s);
    if (r == Z_DATA_ERROR)
        return (int)fail(s, wr_zbase_fault(Z_NEED_DICT, "Bad dictionary"));
    return r == Z_OK ? GO_ON : (int)fail(s, wr_zbase_fault(r, s->z.msg));
}

/* How much may be produced before a limit has to be looked at. */
static size_t headroom(const struct inflate *s, size_t room)
{
    if (room > PIECE)
        room = PIECE;
    if (s->params.max_output && room > s->params.max_output - s->produced)
        room = (size_t)(s->params.max_output - s->produced);
    if (s->params.max_ratio && room > RATIO_STRIDE - s->produced % RATIO_STRIDE)
        room = (size_t)(RATIO_STRIDE - s->produced % RATIO_STRIDE);
    return room;
}

static bool over_ratio(const struct inflate *s)
{
    return s->params.max_ratio && s->produced % RATIO_STRIDE == 0 && s->produced / s->params.max_ratio > s->consumed;
}

/* One call of zlib. Where the output has reached its limit zlib gets room for one byte more, to see whether it needs it. */
static int press(struct inflate *s, struct wr_codec_io *io, bool *over)
{
    unsigned char beyond;
    uInt in = io->in_len < PIECE ? (uInt)io->in_len : PIECE;
    uInt room = (uInt)headroom(s, io->out_len);
    bool last = room == 0;
    s->z.next_in = (Bytef *)io->in;
    s->z.avail_in = in;
    s->z.next_out = last ? &beyond : io->out;
    s->z.avail_out = last ? 1 : room;
    int r = inflate(&s->z, Z_NO_FLUSH);
    skip(io, in - s->z.avail_in);
    s->consumed += in - s->z.avail_in;
    *over = last && s->z.avail_out == 0;
    if (!last) {
        io->out += room - s->z.avail_out;
        io->out_len -= room - s->z.avail_out;
        s->produced += room - s->z.avail_out;
    }
    return r;
}

/* Keeps the last bytes of the N that were consumed at IN. */
static void keep_trailer(struct inflate *s, const unsigned char *in, size_t n)
{
    if (n > TRAILER) {
        in += n - TRAILER;
        n = TRAILER;
    }
    memmove(s->trailer, s->trailer + n, TRAILER - n);
    if (n > 0)
        memcpy(s->trailer + TRAILER - n, in, n);
}

/* Leaves the check of the member under way to the audit, once it is long. Both its notes must have room. */
static void defer(struct inflate *s)
{
    if (!s->params.defer || s->deferred || s->produced - s->began < DEFER || s->note_count + 2 > WR_INFLATE_NOTES ||
        s->params.format == WR_INFLATE_RAW)
        return;
    s->notes[s->note_count++] =
        (struct wr_inflate_note){.at = s->produced, .check = (uint32_t)s->z.adler, .gzip = s->gzip};
    s->deferred = true;
    inflateValidate(&s->z, 0);
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* The member has ended: what its trailer says. */
static void note_end(struct inflate *s)
{
    if (!s->deferred)
        return;
    struct wr_inflate_note *note = &s->notes[s->note_count++];
    *note = (struct wr_inflate_note){.at = s->produced, .end = true, .gzip = s->gzip};
    note->check = s->gzip ? little_endian(s->trailer) : big_endian(s->trailer + 4);
    note->wrong_len = s->gzip && little_endian(s->trailer + 4) != (uint32_t)(s->produced - s->began);
    s->deferred = false;
    inflateValidate(&s->z, 1);
}

static int body(struct inflate *s, struct wr_codec_io *io)
{
    if (io->out_len == 0)
        return WR_STEP_FULL;
    const unsigned char *from = io->in;
    size_t in = io->in_len, out = io->out_len;
    bool over;
    int r = press(s, io, &over);
    if (s->deferred)
        keep_trailer(s, from, in - io->in_len);
    if (over)
        return (int)fail(s, wr_error_fault(WR_E_BUFFER_TOO_LARGE));
    if (io->out_len != out && over_ratio(s))
        return (int)fail(s, wr_error_fault(WR_E_RATIO));
    if (r == Z_STREAM_END) {
        note_end(s);
        s->state = BETWEEN;
        return GO_ON;
    }
    if (r == Z_OK)
        defer(s);
    if (r == Z_NEED_DICT)
        return need_dictionary(s);
    if (r != Z_OK && r != Z_BUF_ERROR)
        return (int)fail(s, wr_zbase_fault(r, s->z.msg));
    if (s->z.avail_out == 0) /* there may be more behind a limit or a piece */
        return io->out_len == 0 ? WR_STEP_FULL : GO_ON;
    if (io->in_len == 0)
        return (int)end_of_input(s, io);
    return io->in_len != in ? GO_ON : (int)fail(s, wr_zbase_fault(Z_STREAM_ERROR, NULL));
}

/* What is here is no member: FAULT is what the policy ERROR says of it. */
static int trail(struct inflate *s, struct wr_fault fault)
{
    switch (s->params.trailing) {
    case WR_TRAILING_IGNORE:
        s->state = SWALLOW;
        return GO_ON;
    case WR_TRAILING_KEEP:
        s->held = s->state == HALF;
        s->state = ENDED;
        return WR_STEP_DONE;
    default:
        return (int)fail(s, fault);
    }
}

/* What Node says of garbage behind a member; behind the other formats it says nothing. */
static struct wr_fault garbage(const struct inflate *s)
{
    return s->gzip ? wr_zbase_fault(Z_DATA_ERROR, "incorrect header check") : wr_error_fault(WR_E_TRAILING_DATA);
}

static int between(struct inflate *s, struct wr_codec_io *io)
{
    unsigned char byte = io->in[0];
    if (s->gzip && byte == 0x1f) {
        skip(io, 1);
        s->state = HALF;
        return GO_ON;
    }
    if (byte == 0 && s->params.trailing == WR_TRAILING_ERROR) {
        s->state = PADDING;
        return GO_ON;
    }
    return trail(s, garbage(s));
}

/* The second byte of the magic: a member begins, and zlib is given both. */
static int begin(struct inflate *s, struct wr_codec_io *io)
{
    if (io->in[0] != 0x8b)
        return trail(s, garbage(s));
    unsigned char magic[2] = {0x1f, 0x8b}, none;
    skip(io, 1);
    inflateReset(&s->z);
    s->z.next_in = magic;
    s->z.avail_in = sizeof magic;
    s->z.next_out = &none;
    s->z.avail_out = 1;
    int r = inflate(&s->z, Z_NO_FLUSH);
    if (r != Z_OK)
        return (int)fail(s, wr_zbase_fault(r, s->z.msg));
    s->consumed += sizeof magic;
    s->began = s->produced;
    s->state = BODY;
    return GO_ON;
}

static int padding(struct inflate *s, struct wr_codec_io *io)
{
    while (io->in_len > 0 && io->in[0] == 0)
        skip(io, 1);
    return io->in_len > 0 ? (int)fail(s, wr_error_fault(WR_E_TRAILING_DATA)) : GO_ON;
}

/* One state's work, with input at hand (BODY: perhaps none, zlib may hold output back). */
static int advance(struct inflate *s, struct wr_codec_io *io)
{
    switch (s->state) {
    case SNIFF:
        return sniff(s, io);
    case BODY:
        return body(s, io);
    case BETWEEN:
        return between(s, io);
    case HALF:
        return begin(s, io);
    case PADDING:
        return padding(s, io);
    case SWALLOW:
        skip(io, io->in_len);
        return GO_ON;
    default:
        return WR_STEP_DONE;
    }
}

static enum wr_step step(struct wr_codec *c, struct wr_codec_io *io)
{
    struct inflate *s = (struct inflate *)c;
    int r;
    do {
        if (io->in_len == 0 && s->state != BODY && s->state != ENDED)
            return end_of_input(s, io);
        r = advance(s, io);
    } while (r == GO_ON);
    return (enum wr_step)r;
}

static void destroy(struct wr_codec *c)
{
    struct inflate *s = (struct inflate *)c;
    inflateEnd(&s->z);
    wr_alloc_free(s->alloc, s->dictionary, s->params.dictionary_len);
    wr_alloc_free(s->alloc, s, sizeof *s);
}

static const struct wr_codec_ops ops = {.step = step, .free = destroy};

static bool check(const struct wr_inflate_params *p)
{
    if (p->window_bits == 0 && p->format != WR_INFLATE_RAW)
        return true;
    return p->window_bits >= 8 && p->window_bits <= 15;
}

static int copy_dictionary(struct inflate *s, const struct wr_inflate_params *p)
{
    s->params.dictionary = NULL;
    s->params.dictionary_len = 0;
    if (p->format == WR_INFLATE_GZIP || p->dictionary_len == 0)
        return 0;
    s->dictionary = wr_alloc_get(s->alloc, p->dictionary_len);
    if (!s->dictionary)
        return -1;
    memcpy(s->dictionary, p->dictionary, p->dictionary_len);
    s->params.dictionary_len = p->dictionary_len;
    return 0;
}

/* The beginning of a stream; zlib is reset or new. */
static int start(struct inflate *s)
{
    s->state = s->params.format == WR_INFLATE_UNZIP ? SNIFF : BODY;
    s->gzip = s->params.format == WR_INFLATE_GZIP;
    s->consumed = s->produced = s->began = 0;
    s->held = 0;
    s->deferred = false;
    s->note_count = 0;
    inflateValidate(&s->z, 1);
    return s->params.format == WR_INFLATE_RAW && s->dictionary ? set_dictionary(s) : Z_OK;
}

struct wr_inflate_params wr_inflate_defaults(enum wr_inflate_format format)
{
    return (struct wr_inflate_params){.format = format, .window_bits = 15};
}

struct wr_codec *wr_inflate_new(struct wr_alloc *a, const struct wr_inflate_params *p, struct wr_fault *fault)
{
    bool right = check(p);
    *fault = wr_error_fault(right ? WR_E_NO_MEMORY : WR_E_OUT_OF_RANGE);
    if (!right)
        fault->text = "The value of \"windowBits\" is out of range. It must be >= 8 and <= 15";
    struct inflate *s = right ? wr_alloc_zero(a, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->head.ops = &ops;
    s->alloc = a;
    s->params = *p;
    wr_zbase_init(&s->z, a);
    if (copy_dictionary(s, p) < 0)
        goto free_codec;
    s->gzip = p->format == WR_INFLATE_GZIP;
    int r = inflateInit2(&s->z, zlib_bits(s));
    if (r == Z_OK)
        r = start(s);
    if (r != Z_OK)
        goto free_zlib;
    *fault = wr_error_fault(WR_E_OK);
    return &s->head;

free_zlib:
    *fault = wr_zbase_fault(r, s->z.msg);
    inflateEnd(&s->z);
    wr_alloc_free(a, s->dictionary, s->params.dictionary_len);
free_codec:
    wr_alloc_free(a, s, sizeof *s);
    return NULL;
}

uint64_t wr_inflate_consumed(const struct wr_codec *c)
{
    return ((const struct inflate *)c)->consumed;
}

size_t wr_inflate_held(const struct wr_codec *c)
{
    return ((const struct inflate *)c)->held;
}

unsigned wr_inflate_notes(struct wr_codec *c, struct wr_inflate_note notes[WR_INFLATE_NOTES])
{
    struct inflate *s = (struct inflate *)c;
    unsigned n = s->note_count;
    memcpy(notes, s->notes, n * sizeof *notes);
    s->note_count = 0;
    return n;
}

void wr_inflate_reset(struct wr_codec *c)
{
    struct inflate *s = (struct inflate *)c;
    inflateReset(&s->z);
    start(s);
}
