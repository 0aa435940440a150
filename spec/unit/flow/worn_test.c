/* SPDX-License-Identifier: MIT */
/* A codec worn as a transform, with a model of a pool: jobs wait in a row until the test lets one work, in whatever order.
 * What is looked at: that what comes out is right and the same however the input was cut and the jobs were ordered, where
 * it stops when nobody reads, what comes before an error, what a flush brings out, and that destroy waits for jobs. Each
 * test ends with the balance of the allocator at zero. */
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
    const char *code; /* of 'error' */
    size_t at_error;  /* bytes that came before it */
};

static void *limited(void *user, void *ptr, size_t old_size, size_t new_size)
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

static struct suit *suit_of(struct wr_stream *s)
{
    return (struct suit *)(void *)s;
}

static void wake(struct wr_flow *f)
{
    (void)f;
}

static void hold(struct wr_stream *s, bool held)
{
    (void)s;
    (void)held;
}

static void keep(struct suit *u, const struct wr_chunk *c)
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

static void note(struct suit *u, char letter)
{
    size_t n = strlen(u->trace);
    assert_true(n + 1 < TRACE);
    u->trace[n] = letter;
}

static void event(struct wr_stream *s, enum wr_event ev, const struct wr_event_data *data)
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

static void free_stream(struct wr_stream *s)
{
    struct suit *u = suit_of(s);
    wr_worn_free(u->worn);
    wr_parts_free(u->parts);
    u->worn = NULL;
}

static struct world world;

static int setup(void **state)
{
    memset(&world, 0, sizeof world);
    world.left = -1;
    wr_alloc_init(&world.alloc, limited, &world);
    wr_flow_init(&world.flow, &world.alloc, &host, free_stream, wake, false);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *f = *state;
    wr_flow_clear(&f->flow);
    return f->job_count == 0 && wr_alloc_balance(&f->alloc) == 0 ? 0 : -1;
}

/* ---- the pool */

static void submit(struct wr_worn *w, unsigned lane)
{
    struct suit *u = wr_worn_user(w);
    struct world *f = u->world;
    assert_true(f->job_count < JOBS);
    f->jobs[f->job_count].w = w;
    f->jobs[f->job_count++].lane = lane;
    f->submitted++;
}

/* One job works and comes back. Whether there was one. */
static bool work_one(struct world *f)
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

static void drain(struct world *f)
{
    while (wr_tick_drain(&f->flow, 100000)) {
    }
}

static void run(struct world *f)
{
    do {
        drain(f);
    } while (work_one(f));
}

/* ---- suits */

static struct wr_codec *section(struct wr_worn *w, bool first, intptr_t arg, const unsigned char *before, size_t len,
                                struct wr_fault *fault)
{
    struct suit *u = wr_worn_user(w);
    return wr_parts_codec(u->parts, first, arg ? (int)arg : -1, 0, before, len, fault);
}

static int tune(struct wr_worn *w, struct wr_codec *c, intptr_t arg, struct wr_fault *fault)
{
    (void)w;
    return wr_parts_tune(c, (int)arg, 0, fault);
}

static size_t turn(struct wr_worn *w, struct wr_codec *c, enum wr_worn_turn turn, unsigned char *tail)
{
    struct suit *u = wr_worn_user(w);
    if (!u->parts)
        return 0;
    wr_parts_join(u->parts, c);
    return turn == WR_WORN_END ? wr_parts_tail(u->parts, tail) : 0;
}

static void rest(struct wr_worn *w, const struct wr_chunk *c)
{
    struct suit *u = wr_worn_user(w);
    assert_true(u->rest_len + c->len < sizeof u->rest);
    memcpy(u->rest + u->rest_len, c->data, c->len);
    u->rest_len += c->len;
}

static const struct wr_worn_ops worn_ops = {
    .submit = submit, .section = section, .tune = tune, .turn = turn, .rest = rest};

static void on_read(struct wr_stream *s)
{
    wr_worn_read(suit_of(s)->worn);
}
static void on_write(struct wr_stream *s, uint32_t n)
{
    wr_worn_write(suit_of(s)->worn, n);
}
static void on_flush(struct wr_stream *s)
{
    wr_worn_flush(suit_of(s)->worn);
}
static void on_destroy(struct wr_stream *s, struct wr_error *err)
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
static bool put_on(struct world *f, struct suit *u, struct wr_worn_params p)
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

static void take_off(struct suit *u)
{
    wr_stream_unref(&u->s);
    wr_flow_clear(&u->world->flow);
    free(u->out);
}

static void listen(struct suit *u)
{
    u->s.sh->listens |= 1 << WR_EV_DATA;
    wr_readable_listener(&u->s, WR_EV_DATA, true);
}

enum { SECTION = 40000 };

static const struct wr_worn_params gzip = {
    .section = SECTION, .window = WR_PARTS_WINDOW, .lanes = 3, .rooms = 1, .small = 1000, .ahead = 4 * SECTION};

static struct wr_worn_params gunzip(struct world *f, struct wr_inflate_params *p)
{
    struct wr_inflate_params defaults = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct wr_fault fault;
    struct wr_codec *c = wr_inflate_new(&f->alloc, p ? p : &defaults, &fault);
    return (struct wr_worn_params){.codec = c, .rooms = 2, .small = 1000, .ahead = 100000};
}

/* ---- bytes */

struct bytes {
    unsigned char *at;
    size_t len;
};

/* Words that are found again, so that matches reach over the borders of sections. */
static struct bytes prose(size_t len)
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
static struct bytes through(struct wr_codec *c, const unsigned char *in, size_t len)
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

static struct bytes gunzipped(struct world *f, const unsigned char *in, size_t len)
{
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    struct wr_fault fault;
    return through(wr_inflate_new(&f->alloc, &p, &fault), in, len);
}

static struct bytes gzipped(struct world *f, const unsigned char *in, size_t len)
{
    struct wr_deflate_params p = wr_deflate_defaults(WR_DEFLATE_GZIP);
    struct wr_fault fault;
    return through(wr_deflate_new(&f->alloc, &p, &fault), in, len);
}

static bool write_bytes(struct suit *u, const void *data, size_t len, struct wr_done done)
{
    struct wr_chunk c;
    if (wr_chunk_copy(&u->world->alloc, &c, data, len))
        return true;
    return wr_writable_write(&u->s, (struct wr_item){.bytes = c}, done);
}

static const struct wr_done NOBODY = {0};

/* Writes it all in pieces of CUT bytes, waiting where it should, and ends. */
static void feed(struct suit *u, const unsigned char *in, size_t len, size_t cut)
{
    for (size_t at = 0; at < len; at += cut) {
        size_t n = len - at < cut ? len - at : cut;
        if (!write_bytes(u, in + at, n, NOBODY))
            run(u->world);
    }
    wr_writable_end(&u->s, NULL, NOBODY);
    run(u->world);
}

static void assert_bytes(const unsigned char *a, size_t a_len, struct bytes b)
{
    assert_int_equal(a_len, b.len);
    assert_memory_equal(a, b.at, b.len);
}

/* ---- compressing in sections */

static void sections_do_not_depend_on_the_cuts_nor_on_the_order(void **state)
{
    struct world *f = *state;
    static const size_t cuts[] = {1 << 20, 65536, 40000, 39999, 1000, 313};
    struct bytes plain = prose(333333), first = {0};
    for (unsigned i = 0; i < 2 * sizeof cuts / sizeof *cuts; i++) {
        struct suit u;
        f->newest_first = i % 2;
        assert_true(put_on(f, &u, gzip));
        listen(&u);
        feed(&u, plain.at, plain.len, cuts[i / 2]);
        assert_string_equal(u.trace, "efc");
        if (i == 0) {
            first = (struct bytes){malloc(u.out_len), u.out_len};
            memcpy(first.at, u.out, u.out_len);
        }
        assert_bytes(u.out, u.out_len, first);
        take_off(&u);
    }
    struct bytes back = gunzipped(f, first.at, first.len), serial = gzipped(f, plain.at, plain.len);
    assert_bytes(back.at, back.len, plain);
    assert_true(first.len < serial.len + serial.len / 100); /* the window was used */
    free(plain.at);
    free(first.at);
    free(back.at);
    free(serial.at);
}

static void sections_are_worked_at_once(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    drain(f);
    for (int i = 0; i < 4; i++)
        write_bytes(&u, plain.at + i * SECTION, SECTION, NOBODY);
    assert_int_equal(f->job_count, 3);
    assert_int_equal(wr_writable_length(&u.s), SECTION); /* the fourth is not taken ahead */
    run(f);
    assert_int_equal(wr_worn_taken(u.worn), 4 * SECTION);
    wr_life_destroy(&u.s, NULL);
    run(f);
    take_off(&u);
    free(plain.at);
}

static void input_of_whole_sections_ends_right(void **state)
{
    struct world *f = *state;
    for (size_t len = 0; len <= 2 * SECTION; len += SECTION) {
        struct bytes plain = prose(len);
        struct suit u;
        assert_true(put_on(f, &u, gzip));
        listen(&u);
        feed(&u, plain.at, plain.len, SECTION);
        assert_string_equal(u.trace, "efc");
        struct bytes back = gunzipped(f, u.out, u.out_len);
        assert_bytes(back.at, back.len, plain);
        take_off(&u);
        free(plain.at);
        free(back.at);
    }
}

/* ---- where it works */

static void small_input_waits_for_a_tick_and_needs_no_pool(void **state)
{
    struct world *f = *state;
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    drain(f);
    write_bytes(&u, "hello ", 6, NOBODY);
    write_bytes(&u, "world", 5, NOBODY);
    assert_int_equal(wr_worn_taken(u.worn), 0);
    wr_writable_end(&u.s, NULL, NOBODY);
    assert_int_equal(wr_worn_taken(u.worn), 0);
    drain(f);
    assert_int_equal(f->submitted, 0);
    assert_int_equal(wr_worn_taken(u.worn), 11);
    assert_int_equal(u.chunks, 1);
    struct bytes back = gunzipped(f, u.out, u.out_len);
    assert_bytes((const unsigned char *)"hello world", 11, back);
    assert_string_equal(u.trace, "efc");
    take_off(&u);
    free(back.at);
}

static void sync_input_is_worked_before_write_returns(void **state)
{
    struct world *f = *state;
    struct suit u;
    struct bytes packed = gzipped(f, (const unsigned char *)"hello", 5);
    struct wr_worn_params p = gunzip(f, NULL);
    p.sync = true;
    assert_true(put_on(f, &u, p));
    write_bytes(&u, packed.at, packed.len, NOBODY);
    assert_int_equal(wr_readable_length(&u.s), 5);
    wr_life_destroy(&u.s, NULL);
    drain(f);
    take_off(&u);
    free(packed.at);
}

static void bomb_stops_where_nobody_reads(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 20000000), 20000000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    assert_true(packed.len < 65536);
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, packed.at, packed.len, NOBODY);
    run(f);
    assert_true(wr_readable_length(&u.s) >= 16384);
    assert_true(wr_readable_length(&u.s) <= 65536);
    assert_true(wr_alloc_balance(&f->alloc) < 600000);
    assert_int_equal(f->submitted, 1);
    listen(&u); /* and goes on */
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_bytes(u.out, u.out_len, zeros);
    assert_int_equal(u.longest, 65536);
    assert_string_equal(u.trace, "efc");
    take_off(&u);
    free(zeros.at);
    free(packed.at);
}

static void slices_are_no_longer_than_the_chunk(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 300000), 300000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    static const size_t chunks[] = {64, 1000, 16384, 100000, 5000000};
    for (unsigned i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct suit u;
        struct wr_worn_params p = gunzip(f, NULL);
        p.chunk = chunks[i];
        assert_true(put_on(f, &u, p));
        listen(&u);
        feed(&u, packed.at, packed.len, 100);
        assert_bytes(u.out, u.out_len, zeros);
        assert_true(u.longest <= chunks[i]);
        assert_true(u.longest >= (chunks[i] < 100000 ? chunks[i] : 100000));
        take_off(&u);
    }
    free(zeros.at);
    free(packed.at);
}

/* ---- what a write is worth */

static void count(struct wr_stream *s, intptr_t arg, struct wr_error *err)
{
    note(suit_of(s), err ? (char)(arg - 'a' + 'A') : (char)arg);
}

static void callback_waits_until_the_output_is_taken(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 300000), 300000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, packed.at, packed.len, (struct wr_done){.fn = count, .arg = 'w'});
    run(f);
    assert_string_equal(u.trace, "");
    listen(&u);
    run(f);
    assert_string_equal(u.trace, "w");
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_string_equal(u.trace, "wefc");
    take_off(&u);
    free(zeros.at);
    free(packed.at);
}

static void mark_brings_out_what_was_before_it(void **state)
{
    struct world *f = *state;
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    write_bytes(&u, "hello", 5, (struct wr_done){.fn = count, .arg = 'w'});
    assert_int_equal(wr_worn_mark(u.worn, WR_FLUSH_SYNC, 0, (struct wr_done){.fn = count, .arg = 'm'}), 0);
    write_bytes(&u, " world", 6, (struct wr_done){.fn = count, .arg = 'x'});
    run(f);
    assert_string_equal(u.trace, "wmx");
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.truncated_ok = true;
    struct wr_fault fault;
    struct bytes back = through(wr_inflate_new(&f->alloc, &p, &fault), u.out, u.out_len);
    assert_int_equal(back.len, 5);
    assert_memory_equal(back.at, "hello", 5);
    free(back.at);
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    back = gunzipped(f, u.out, u.out_len);
    assert_bytes((const unsigned char *)"hello world", 11, back);
    take_off(&u);
    free(back.at);
}

/* The bytes with a mark at AT. */
static struct bytes marked(struct world *f, struct bytes plain, size_t at, enum wr_flush kind, intptr_t arg)
{
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    write_bytes(&u, plain.at, at, NOBODY);
    wr_worn_mark(u.worn, kind, arg, NOBODY);
    feed(&u, plain.at + at, plain.len - at, 10000);
    struct bytes b = {malloc(u.out_len), u.out_len};
    memcpy(b.at, u.out, u.out_len);
    take_off(&u);
    return b;
}

static void marks_in_sections(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(4 * SECTION);
    static const size_t places[] = {1, SECTION - 10000, SECTION, SECTION + 1, 2 * SECTION};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        for (intptr_t arg = 0; arg <= 1; arg++) {
            struct bytes packed = marked(f, plain, places[i], arg ? WR_FLUSH_SYNC : WR_FLUSH_FULL, arg);
            struct bytes back = gunzipped(f, packed.at, packed.len);
            assert_bytes(back.at, back.len, plain);
            free(back.at);
            free(packed.at);
        }
    }
    free(plain.at);
}

/* After a full flush nothing refers to what was before it, also in the next sections. */
static void full_flush_forgets(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(3 * SECTION);
    size_t at = SECTION - 5000;
    struct bytes packed = marked(f, plain, at, WR_FLUSH_FULL, 0);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_RAW);
    p.trailing = WR_TRAILING_IGNORE;
    struct wr_fault fault;
    size_t i = 10;
    for (; i + 4 < packed.len; i++)
        if (!memcmp(packed.at + i, "\0\0\xff\xff", 4))
            break; /* the first marker is that of the flush */
    struct bytes back = through(wr_inflate_new(&f->alloc, &p, &fault), packed.at + i + 4, packed.len - i - 4);
    assert_bytes(back.at, back.len, (struct bytes){plain.at + at, plain.len - at});
    free(plain.at);
    free(packed.at);
    free(back.at);
}

static void level_changes_for_later_sections(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(4 * SECTION);
    struct bytes fast = marked(f, plain, 100, WR_FLUSH_SYNC, 1), slow = marked(f, plain, 100, WR_FLUSH_SYNC, 9);
    assert_true(fast.len > slow.len + slow.len / 20);
    free(plain.at);
    free(fast.at);
    free(slow.at);
}

/* ---- errors */

static void output_comes_before_the_error(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(200000);
    struct bytes packed = gzipped(f, plain.at, plain.len);
    packed.at[packed.len - 8] ^= 1; /* the checksum */
    for (int piped = 0; piped < 2; piped++) {
        struct suit u;
        assert_true(put_on(f, &u, gunzip(f, NULL)));
        if (piped) {
            listen(&u);
            feed(&u, packed.at, packed.len, 5000);
        } else { /* read() by read(), and late */
            write_bytes(&u, packed.at, packed.len, NOBODY);
            wr_writable_end(&u.s, NULL, NOBODY);
            struct wr_item item = {0};
            wr_readable_read(&u.s, 0, &item);
            run(f);
            u.s.sh->listens |= 1 << WR_EV_DATA; /* counted, but nothing flows */
            while (wr_readable_read(&u.s, WR_READ_ANY, &item)) {
                wr_item_drop(&f->flow, &item);
                run(f);
            }
        }
        assert_string_equal(u.code, "Z_DATA_ERROR");
        assert_int_equal(u.at_error, plain.len);
        assert_string_equal(u.trace, "!c");
        assert_bytes(u.out, u.out_len, plain);
        take_off(&u);
    }
    free(plain.at);
    free(packed.at);
}

static void truncated_input_never_finishes(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(100000);
    struct bytes packed = gzipped(f, plain.at, plain.len);
    static const size_t cut[] = {1, 4, 8, 9, 1000};
    for (unsigned i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct suit u;
        assert_true(put_on(f, &u, gunzip(f, NULL)));
        listen(&u);
        feed(&u, packed.at, packed.len - cut[i], 777);
        assert_string_equal(u.trace, "!c");
        assert_string_equal(u.code, "Z_BUF_ERROR");
        assert_true(u.out_len == plain.len || cut[i] > 8);
        take_off(&u);
    }
    free(plain.at);
    free(packed.at);
}

static void error_comes_where_nobody_reads(void **state)
{
    struct world *f = *state;
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, "no gzip at all", 14, (struct wr_done){.fn = count, .arg = 'w'});
    write_bytes(&u, "nor this", 8, (struct wr_done){.fn = count, .arg = 'x'});
    run(f);
    assert_string_equal(u.trace, "WX!c");
    assert_string_equal(u.code, "Z_DATA_ERROR");
    take_off(&u);
}

static void codec_that_ends_gives_the_rest_back(void **state)
{
    struct world *f = *state;
    struct bytes packed = gzipped(f, (const unsigned char *)"hello", 5);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.trailing = WR_TRAILING_KEEP;
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, &p)));
    listen(&u);
    packed.at = realloc(packed.at, packed.len + 4);
    memcpy(packed.at + packed.len, "rest", 4);
    write_bytes(&u, packed.at, packed.len + 4, (struct wr_done){.fn = count, .arg = 'w'});
    write_bytes(&u, " of it", 6, (struct wr_done){.fn = count, .arg = 'x'});
    run(f);
    assert_string_equal(u.rest, "rest of it");
    assert_string_equal(u.trace, "wex");
    write_bytes(&u, "!", 1, (struct wr_done){.fn = count, .arg = 'y'});
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_string_equal(u.rest, "rest of it!");
    assert_string_equal(u.trace, "wexyfc");
    assert_int_equal(u.out_len, 5);
    take_off(&u);
    free(packed.at);
}

/* ---- destroy */

static void destroy_waits_for_the_jobs(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    drain(f);
    for (int i = 0; i < 6; i++)
        write_bytes(&u, plain.at + i * SECTION, SECTION, (struct wr_done){.fn = count, .arg = 'a' + i});
    assert_true(f->job_count > 0);
    wr_life_destroy(&u.s, NULL);
    drain(f);
    assert_string_equal(u.trace, "");
    while (f->job_count > 1)
        work_one(f);
    drain(f);
    assert_string_equal(u.trace, "");
    run(f);
    assert_string_equal(u.trace, "ABCDEFc");
    assert_int_equal(u.out_len, 0);
    take_off(&u);
    free(plain.at);
}

static void stream_lives_as_long_as_its_job(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    write_bytes(&u, plain.at, plain.len, NOBODY);
    assert_true(f->job_count > 0);
    wr_stream_unref(&u.s); /* nobody knows it any more */
    assert_non_null(u.worn);
    run(f);
    assert_null(u.worn);
    free(plain.at);
}

static void job_that_is_lost_when_all_is_closed(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    write_bytes(&u, plain.at, plain.len, NOBODY);
    while (f->job_count)
        f->job_count--, wr_worn_lost(u.worn, f->jobs[f->job_count].lane);
    take_off(&u);
    assert_null(u.worn);
    free(plain.at);
}

/* ---- memory */

/* With the Nth allocation failing there comes the right result, or an error that says so. */
static void any_allocation_may_fail(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(100000);
    bool whole = false;
    for (long n = 0; !whole; n++) {
        struct suit u;
        f->left = n;
        if (put_on(f, &u, gzip)) {
            listen(&u);
            feed(&u, plain.at, plain.len, 30000);
            whole = f->left >= 0;
            f->left = -1;
            run(f);
            bool error = strchr(u.trace, '!') != NULL;
            if (error)
                assert_string_equal(u.code, "ENOMEM");
            if (whole)
                assert_string_equal(u.trace, "efc");
        }
        f->left = -1;
        take_off(&u);
        if (!u.worn)
            assert_int_equal(wr_alloc_balance(&f->alloc), 0);
        assert_true(n < 1000);
    }
    free(plain.at);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sections_do_not_depend_on_the_cuts_nor_on_the_order),
        TEST(sections_are_worked_at_once),
        TEST(input_of_whole_sections_ends_right),
        TEST(small_input_waits_for_a_tick_and_needs_no_pool),
        TEST(sync_input_is_worked_before_write_returns),
        TEST(bomb_stops_where_nobody_reads),
        TEST(slices_are_no_longer_than_the_chunk),
        TEST(callback_waits_until_the_output_is_taken),
        TEST(mark_brings_out_what_was_before_it),
        TEST(marks_in_sections),
        TEST(full_flush_forgets),
        TEST(level_changes_for_later_sections),
        TEST(output_comes_before_the_error),
        TEST(truncated_input_never_finishes),
        TEST(error_comes_where_nobody_reads),
        TEST(codec_that_ends_gives_the_rest_back),
        TEST(destroy_waits_for_the_jobs),
        TEST(stream_lives_as_long_as_its_job),
        TEST(job_that_is_lost_when_all_is_closed),
        TEST(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
