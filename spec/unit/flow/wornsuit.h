/* SPDX-License-Identifier: MIT */
/* What the tests of worn codecs share: a world with a model of a pool (jobs wait in a row until the test lets one work, in
 * whatever order), streams that wear a codec and note what happens to them, and bytes to put through them. */
#ifndef WR_SPEC_FLOW_WORNSUIT_H
#define WR_SPEC_FLOW_WORNSUIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inflate.h"
#include "life.h"
#include "parts.h"
#include "readable.h"
#include "tick.h"
#include "worn.h"
#include "writable.h"

/* ---- the world */

enum { JOBS = 16, TRACE = 4096 };

struct world {
    struct wr_alloc alloc;
    long left; /* allocations until one fails; -1: never */
    struct wr_flow flow;
    struct {
        struct wr_worn *w;
        unsigned lane;
    } jobs[JOBS]; /* that are out */
    unsigned job_count, submitted;
    bool newest_first;
};

/* A stream that wears a codec. */
struct suit {
    struct wr_stream s;
    struct world *world;
    struct wr_worn *worn;
    struct wr_parts *parts;
    unsigned char *out; /* what 'data' brought */
    size_t out_len, out_cap;
    uint32_t chunks;
    size_t longest, rest_len;
    char trace[TRACE]; /* a letter for each event but 'data' */
    char rest[64];
    size_t bad_at, inspected; /* the byte of the output that is wrong, if not 0; how many were looked at */
    unsigned after_all;       /* looks at nothing, at the end */
    const char *code;         /* of 'error' */
    size_t at_error;          /* bytes that came before it */
};

static inline void *limited(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct world *f = user;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    if (f->left >= 0 && f->left-- == 0)
        return NULL;
    return realloc(ptr, new_size);
}

static inline struct suit *suit_of(struct wr_stream *s)
{
    return (struct suit *)(void *)s;
}

static inline void wake(struct wr_flow *f)
{
    (void)f;
}

static inline void hold(struct wr_stream *s, bool held)
{
    (void)s;
    (void)held;
}

static inline void keep(struct suit *u, const struct wr_chunk *c)
{
    if (u->out_len + c->len > u->out_cap) {
        u->out_cap = 2 * (u->out_len + c->len);
        u->out = realloc(u->out, u->out_cap);
    }
    memcpy(u->out + u->out_len, c->data, c->len);
    u->out_len += c->len;
    u->chunks++;
    if (c->len > u->longest)
        u->longest = c->len;
}

static inline void note(struct suit *u, char letter)
{
    size_t n = strlen(u->trace);
    assert_true(n + 1 < TRACE);
    u->trace[n] = letter;
}

static inline void event(struct wr_stream *s, enum wr_event ev, const struct wr_event_data *data)
{
    struct suit *u = suit_of(s);
    if (ev == WR_EV_DATA) {
        keep(u, &data->item->bytes);
        return;
    }
    if (ev == WR_EV_ERROR) {
        u->code = data->error->fault.code;
        u->at_error = u->out_len;
    }
    if (ev == WR_EV_END || ev == WR_EV_FINISH || ev == WR_EV_ERROR || ev == WR_EV_CLOSE)
        note(u, ev == WR_EV_END ? 'e' : ev == WR_EV_FINISH ? 'f' : ev == WR_EV_ERROR ? '!' : 'c');
}

static const struct wr_host_ops host = {.event = event, .hold = hold};

static inline void free_stream(struct wr_stream *s)
{
    struct suit *u = suit_of(s);
    wr_worn_free(u->worn);
    wr_parts_free(u->parts);
    u->worn = NULL;
}

static struct world world;

static inline int setup(void **state)
{
    memset(&world, 0, sizeof world);
    world.left = -1;
    wr_alloc_init(&world.alloc, limited, &world);
    wr_flow_init(&world.flow, &world.alloc, &host, free_stream, wake, false);
    *state = &world;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *f = *state;
    wr_flow_clear(&f->flow);
    return f->job_count == 0 && wr_alloc_balance(&f->alloc) == 0 ? 0 : -1;
}

/* ---- the pool */

static inline void submit(struct wr_worn *w, unsigned lane)
{
    struct suit *u = wr_worn_user(w);
    struct world *f = u->world;
    assert_true(f->job_count < JOBS);
    f->jobs[f->job_count].w = w;
    f->jobs[f->job_count++].lane = lane;
    f->submitted++;
}

/* One job works and comes back. Whether there was one. */
static inline bool work_one(struct world *f)
{
    if (!f->job_count)
        return false;
    unsigned i = f->newest_first ? f->job_count - 1 : 0;
    struct wr_worn *w = f->jobs[i].w;
    unsigned lane = f->jobs[i].lane;
    f->job_count--;
    memmove(&f->jobs[i], &f->jobs[i + 1], (f->job_count - i) * sizeof f->jobs[0]);
    wr_worn_work(w, lane);
    wr_worn_worked(w, lane);
    return true;
}

/* A lost tick ends nothing here: what is left must go on rightly. */
static inline void drain(struct world *f)
{
    while (wr_tick_drain(&f->flow, 100000) || f->flow.no_memory)
        f->flow.no_memory = false;
}

static inline void run(struct world *f)
{
    do {
        drain(f);
    } while (work_one(f));
}

/* ---- suits */

static inline struct wr_codec *section(struct wr_worn *w, bool first, intptr_t arg, const unsigned char *before,
                                       size_t len, struct wr_fault *fault)
{
    struct suit *u = wr_worn_user(w);
    return wr_parts_codec(u->parts, first, arg ? (int)arg : -1, 0, before, len, fault);
}

static inline int tune(struct wr_worn *w, struct wr_codec *c, intptr_t arg, struct wr_fault *fault)
{
    (void)w;
    return wr_parts_tune(c, (int)arg, 0, fault);
}

static inline size_t turn(struct wr_worn *w, struct wr_codec *c, enum wr_worn_turn turn, unsigned char *tail)
{
    struct suit *u = wr_worn_user(w);
    if (!u->parts)
        return 0;
    wr_parts_join(u->parts, c);
    return turn == WR_WORN_END ? wr_parts_tail(u->parts, tail) : 0;
}

static inline void rest(struct wr_worn *w, const struct wr_chunk *c)
{
    struct suit *u = wr_worn_user(w);
    assert_true(u->rest_len + c->len < sizeof u->rest);
    memcpy(u->rest + u->rest_len, c->data, c->len);
    u->rest_len += c->len;
}

static inline bool inspect(struct wr_worn *w, const unsigned char *data, size_t len, size_t *good,
                           struct wr_fault *fault)
{
    struct suit *u = wr_worn_user(w);
    (void)data;
    u->after_all += len == 0;
    *good = len;
    if (u->bad_at && u->inspected + len >= u->bad_at) {
        *good = u->bad_at - u->inspected;
        *fault = wr_error_fault(WR_E_TRAILING_DATA);
        return false;
    }
    u->inspected += len;
    return true;
}

static const struct wr_worn_ops worn_ops = {
    .submit = submit, .section = section, .tune = tune, .turn = turn, .rest = rest, .inspect = inspect};

static inline void on_read(struct wr_stream *s)
{
    wr_worn_read(suit_of(s)->worn);
}
static inline void on_write(struct wr_stream *s, uint32_t n)
{
    wr_worn_write(suit_of(s)->worn, n);
}
static inline void on_flush(struct wr_stream *s)
{
    wr_worn_flush(suit_of(s)->worn);
}
static inline void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_worn_destroy(suit_of(s)->worn, err);
}

static const struct wr_stream_ops stream_ops = {
    .read = on_read, .write = on_write, .flush = on_flush, .destroy = on_destroy};

enum {
    HAS = WR_HAS_READ | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FLUSH | WR_HAS_DESTROY | WR_IS_READABLE | WR_IS_WRITABLE |
          WR_IS_TRANSFORM | WR_AUTO_DESTROY | WR_EMIT_CLOSE | WR_HALF_OPEN,
    EVENTS = 1 << WR_EV_END | 1 << WR_EV_FINISH | 1 << WR_EV_ERROR | 1 << WR_EV_CLOSE
};

/* Puts U on; P without its ops and user. Whether there was memory. */
static inline bool put_on(struct world *f, struct suit *u, struct wr_worn_params p)
{
    *u = (struct suit){.world = f};
    wr_stream_init(&u->s, &f->flow, &stream_ops, HAS, 16384, 16384);
    u->s.sh->listens = EVENTS;
    p.ops = &worn_ops;
    p.user = u;
    if (p.section) {
        struct wr_deflate_params d = wr_deflate_defaults(WR_DEFLATE_GZIP);
        struct wr_fault fault;
        u->parts = wr_parts_new(&f->alloc, &d, &fault);
    }
    if (!p.section || u->parts)
        u->worn = wr_worn_new(&u->s, &p);
    return u->worn != NULL;
}

static inline void take_off(struct suit *u)
{
    wr_stream_unref(&u->s);
    wr_flow_clear(&u->world->flow);
    free(u->out);
}

static inline void listen(struct suit *u)
{
    u->s.sh->listens |= 1 << WR_EV_DATA;
    wr_readable_listener(&u->s, WR_EV_DATA, true);
}

enum { SECTION = 40000 };

static const struct wr_worn_params gzip = {
    .section = SECTION, .window = WR_PARTS_WINDOW, .lanes = 3, .small = 1000, .ahead = 4 * SECTION};

static inline struct wr_worn_params gunzip(struct world *f, struct wr_inflate_params *p)
{
    struct wr_inflate_params defaults = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct wr_fault fault;
    struct wr_codec *c = wr_inflate_new(&f->alloc, p ? p : &defaults, &fault);
    return (struct wr_worn_params){.codec = c, .room = 1 << 17, .small = 1000, .ahead = 100000};
}

/* ---- bytes */

struct bytes {
    unsigned char *at;
    size_t len;
};

/* Words that are found again, so that matches reach over the borders of sections. */
static inline struct bytes prose(size_t len)
{
    struct bytes b = {malloc(len), len};
    uint32_t seed = 7;
    for (size_t i = 0; i < len;) {
        seed = seed * 1664525u + 1013904223u;
        char word[16];
        int n = snprintf(word, sizeof word, "w%u ", (seed >> 8) % 3000);
        for (int k = 0; k < n && i < len; k++)
            b.at[i++] = (unsigned char)word[k];
    }
    return b;
}

/* Through C in one go; C is freed. The caller frees the result. */
static inline struct bytes through(struct wr_codec *c, const unsigned char *in, size_t len)
{
    struct bytes b = {malloc(1 << 20), 1 << 20};
    struct wr_codec_io io = {.in = in, .in_len = len, .out = b.at, .out_len = b.len, .flush = WR_FLUSH_FINISH};
    enum wr_step step;
    while ((step = c->ops->step(c, &io)) == WR_STEP_FULL) {
        size_t used = b.len - io.out_len;
        b.len *= 2;
        b.at = realloc(b.at, b.len);
        io.out = b.at + used;
        io.out_len = b.len - used;
    }
    b.len = step == WR_STEP_DONE ? b.len - io.out_len : 0;
    c->ops->free(c);
    return b;
}

static inline struct bytes gunzipped(struct world *f, const unsigned char *in, size_t len)
{
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct wr_fault fault;
    return through(wr_inflate_new(&f->alloc, &p, &fault), in, len);
}

static inline struct bytes gzipped(struct world *f, const unsigned char *in, size_t len)
{
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    struct wr_fault fault;
    return through(wr_deflate_new(&f->alloc, &p, &fault), in, len);
}

static inline bool write_bytes(struct suit *u, const void *data, size_t len, struct wr_done done)
{
    struct wr_chunk c;
    if (wr_chunk_copy(&u->world->alloc, &c, data, len))
        return true;
    return wr_writable_write(&u->s, (struct wr_item){.bytes = c}, done);
}

static const struct wr_done NOBODY = {0};

/* A callback that notes ARG, a letter, in upper case if there was an error. */
static inline void count(struct wr_stream *s, intptr_t arg, struct wr_error *err)
{
    note(suit_of(s), err ? (char)(arg - 'a' + 'A') : (char)arg);
}

/* Writes it all in pieces of CUT bytes, waiting where it should, and ends. */
static inline void feed(struct suit *u, const unsigned char *in, size_t len, size_t cut)
{
    for (size_t at = 0; at < len; at += cut) {
        size_t n = len - at < cut ? len - at : cut;
        if (!write_bytes(u, in + at, n, NOBODY))
            run(u->world);
    }
    wr_writable_end(&u->s, NULL, NOBODY);
    run(u->world);
}

static inline void assert_bytes(const unsigned char *a, size_t a_len, struct bytes b)
{
    assert_int_equal(a_len, b.len);
    assert_memory_equal(a, b.at, b.len);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
