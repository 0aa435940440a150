/* SPDX-License-Identifier: MIT */
/* Random operations on streams of all kinds, without Lua, and after each of them a look whether all that was promised holds:
 * counts equal what is queued, no chunk goes into a stream at or over its mark, every callback comes once, 'close' once and last,
 * chunks stay in order and are neither lost nor doubled, nothing leaks. The host here keeps objects as numbers, and runs
 * bursts as lua/weir/stream/driver.lua does.
 *
 * A round is WEIR_ROUND operations on new streams; its seed is printed when it fails. WEIR_SEED and WEIR_OPS replay it, with
 * WEIR_TRACE=1 each operation is printed.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "finished.h"
#include "life.h"
#include "pipe.h"
#include "pipeline.h"
#include "pump.h"
#include "readable.h"
#include "state.h"
#include "tick.h"
#include "writable.h"

enum { ROUND = 50, NODES = 6, BUDGET = 60, HANDLES = 4096, RECORDS = 4096, WATCHERS = 64, DEEP = 3 };

/* ---- the world of a round */

/* What is left to be completed of a node's handlers: a bit each. */
enum held { HELD_CONSTRUCT = 1, HELD_WRITE = 2, HELD_FINAL = 4, HELD_FLUSH = 8, HELD_DESTROY = 16 };

struct node {
    struct wr_stream s;
    int id;
    bool wild;      /* is read, paused, resumed and listened to by hand, too */
    bool obstinate; /* its handlers may complete with an error, or twice */
    uint32_t held;
    uint32_t *ring[2];                  /* objects: what is queued */
    uint32_t waiting[2];                /* how many of them, as counted here */
    int budget;                         /* chunks that it may still push by itself */
    uint32_t pushed, accepted, written; /* numbers of its own chunks; those that push took, those that write() took */
    bool unshifted;
    bool reentered; /* gave a chunk from within somebody's handler: others may still be on their way to some */
    bool restarted; /* was piped once more, which lets it flow again, as in Node */
    uint32_t seen[2][2 * NODES]; /* the last number of each producer at its handler `write`, its listener of 'data' */
    uint32_t got[NODES];         /* chunks of each node that came to its handler `write` */
    struct node *only;           /* the one source that it has had, while it has had one only */
    bool crowded;                /* it has had more, or was written to by hand */
    bool clean;                  /* every chunk of `only` must come here */
    bool ended_by_hand;
    struct wr_watch watch;
    uint8_t was_life, was_read, was_write; /* when looked at last */
    bool was_doomed, freed, holds;
    int closes, errors, gones, ends, finishes;
    uint32_t last_success; /* number of its last write that was called back without an error */
};

/* A callback that somebody waits for. */
struct record {
    struct node *n;
    bool end, returned;
    int called;
};

struct watcher {
    struct wr_finished w;
    struct node *n;
    int called;
    bool errors;
};

struct piping {
    struct wr_pipeline *p;
    int called;
    bool sure;
};

static struct {
    struct wr_alloc alloc;
    struct wr_flow flow;
    struct node *nodes[NODES];
    int count;
    uint32_t stack[HANDLES];
    int top;
    struct record records[RECORDS];
    int record_count;
    struct watcher *watchers[WATCHERS];
    int watcher_count;
    struct piping pipings[WATCHERS];
    int piping_count;
    int depth, meddling;
    bool ending, converted, misuse;
    uint64_t random, seed;
    long op;
    long long reached[WR_MACHINE_COUNT][8][8];
    long long bursts, chunks;
    bool trace;
} world;

static uint32_t rnd(uint32_t below)
{
    world.random ^= world.random << 13;
    world.random ^= world.random >> 7;
    world.random ^= world.random << 17;
    return (uint32_t)((world.random * 0x2545F4914F6CDD1DULL) >> 33) % below;
}

static bool chance(uint32_t percent)
{
    return rnd(100) < percent;
}

static void say_where(void)
{
    fprintf(stderr, "replay: WEIR_SEED=%llu WEIR_OPS=%ld, fails at operation %ld\n", (unsigned long long)world.seed,
            (long)ROUND, world.op);
}

static void on_abort(int sig)
{
    (void)sig;
    say_where();
}

#define HOLDS(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            say_where();                                                                                               \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fail_msg("does not hold: %s", #condition);                                                                 \
        }                                                                                                              \
    } while (0)

#define TRACE(...)                                                                                                     \
    do {                                                                                                               \
        if (world.trace)                                                                                               \
            printf("%*s", 2 * world.depth, ""), printf(__VA_ARGS__), putchar('\n');                                    \
    } while (0)

static struct node *of(struct wr_stream *s)
{
    return (struct node *)(void *)s;
}

/* ---- how often each pair was reached: seen from outside, by what changed between two looks */

static void reached(enum wr_machine machine, int state, int event)
{
    world.reached[machine][state][event]++;
}

static void look_at_life(struct node *n)
{
    while (n->was_life != n->s.life) {
        int from = n->was_life;
        if (from == WR_LIFE_CONSTRUCTING) {
            /* straight to DESTROYING: `construct` has completed first, for from DOOMED on that is looked at */
            bool doomed = n->s.life == WR_LIFE_DOOMED;
            reached(WR_MACHINE_LIFE, from, doomed ? WR_LIFE_ON_DESTROY : WR_LIFE_ON_CONSTRUCTED);
            n->was_life = doomed ? WR_LIFE_DOOMED : WR_LIFE_OPEN;
        } else {
            static const int events[] = {
                0, WR_LIFE_ON_DESTROY, WR_LIFE_ON_CONSTRUCTED, WR_LIFE_ON_DESTROYED, WR_LIFE_ON_CLOSE, 0};
            reached(WR_MACHINE_LIFE, from, events[from]);
            n->was_life = from == WR_LIFE_OPEN ? WR_LIFE_DESTROYING : (uint8_t)(from + 1);
        }
        HOLDS(n->was_life <= n->s.life, "%d: its life went back\n", n->id);
    }
}

static void look_at_write(struct node *n)
{
    while (n->was_write != n->s.write) {
        int from = n->was_write;
        bool final = from == WR_WRITE_ENDING && n->s.has & (WR_HAS_FINAL | WR_IS_TRANSFORM);
        static const int events[] = {
            0, WR_WRITE_ON_END, WR_WRITE_ON_PREFINISH, WR_WRITE_ON_PREFINISH, WR_WRITE_ON_FINISH, 0};
        reached(WR_MACHINE_WRITE, from, final ? WR_WRITE_ON_FINAL : events[from]);
        n->was_write = from == WR_WRITE_ENDING && !final ? WR_WRITE_PREFINISHED : (uint8_t)(from + 1);
        HOLDS(n->was_write <= n->s.write, "%d: its writable side went back\n", n->id);
    }
}

static void look_at_read(struct node *n)
{
    uint8_t from = n->was_read, to = n->s.read;
    n->was_read = to;
    if (from == to)
        return;
    if (from == WR_READ_IDLE && to == WR_READ_READING)
        reached(WR_MACHINE_READ, from, WR_READ_ON_ASK);
    else if (from == WR_READ_READING && to == WR_READ_IDLE)
        reached(WR_MACHINE_READ, from, WR_READ_ON_PUSH);
    if (from < WR_READ_ENDED && to >= WR_READ_ENDED)
        reached(WR_MACHINE_READ, from, WR_READ_ON_EOF);
    if (from < WR_READ_DONE && to == WR_READ_DONE)
        reached(WR_MACHINE_READ, WR_READ_ENDED, WR_READ_ON_END);
    HOLDS(to >= from || to == WR_READ_IDLE, "%d: its readable side went back\n", n->id);
}

static void look(struct node *n)
{
    look_at_life(n);
    look_at_read(n);
    look_at_write(n);
}

/* ---- chunks: numbers, four bytes each where there are bytes. A producer's numbers go up; 0 has no order. */

enum { SHIFT = 24, UNORDERED = 1 << 23 };

static uint32_t number(int producer, uint32_t seq)
{
    return (uint32_t)(producer + 1) << SHIFT | seq;
}

static void arrives(struct node *n, int where, uint32_t tag)
{
    if (!tag)
        return;
    uint32_t producer = (tag >> SHIFT) - 1, seq = tag & (UNORDERED - 1);
    if (where == 0 && producer < NODES)
        n->got[producer]++;
    if (tag & UNORDERED || world.nodes[producer % NODES]->reentered)
        return;
    HOLDS(seq > n->seen[where][producer], "%d: chunk %u of %u comes after %u\n", n->id, seq, producer,
          n->seen[where][producer]);
    n->seen[where][producer] = seq;
}

static void arrives_bytes(struct node *n, int where, const struct wr_chunk *c)
{
    HOLDS(c->len % 4 == 0, "%d: a chunk of %zu bytes\n", n->id, c->len);
    for (size_t i = 0; i < c->len; i += 4) {
        uint32_t tag;
        memcpy(&tag, c->data + i, 4);
        arrives(n, where, tag);
    }
}

static int hand(uint32_t tag)
{
    HOLDS(world.top < HANDLES, "handles are not dropped\n");
    world.stack[world.top++] = tag;
    return world.top;
}

static struct wr_item bytes_of(const uint32_t *tags, uint32_t n)
{
    struct wr_item item = {0};
    assert_int_equal(wr_chunk_copy(&world.alloc, &item.bytes, tags, n * 4), 0);
    return item;
}

/* ---- the host */

static enum wr_code convert(struct wr_flow *f, const struct wr_item *item, struct wr_item *out)
{
    (void)f;
    *out = (struct wr_item){0};
    world.converted = true;
    if (item->object) {
        if (world.misuse && chance(10))
            return WR_E_INVALID_ARG_TYPE;
        *out = bytes_of(&world.stack[item->object - 1], 1);
    } else {
        out->object = hand(0);
    }
    return WR_E_OK;
}

static struct wr_ring *ring_of(struct wr_stream *s, int side)
{
    return side == WR_SIDE_READ ? &s->sh->r : &s->sh->w;
}

static void grow(struct node *n, int side)
{
    struct wr_ring *r = ring_of(&n->s, side);
    uint32_t size = (uint32_t)r->mask + 1, *bigger = calloc(size * 2, sizeof *bigger);
    for (uint32_t i = 0; i < size; i++)
        bigger[(uint32_t)(r->head + (int32_t)i) & (size * 2 - 1)] =
            n->ring[side][(uint32_t)(r->head + (int32_t)i) & (size - 1)];
    free(n->ring[side]);
    n->ring[side] = bigger;
    r->mask = r->mask * 2 + 1;
}

static int store(struct wr_stream *s, enum wr_side side, int32_t at, int handle)
{
    struct node *n = of(s);
    struct wr_ring *r = ring_of(s, side);
    look(n);
    if (r->tail - r->head > r->mask)
        grow(n, side);
    n->ring[side][(uint32_t)at & (uint32_t)r->mask] = world.stack[handle - 1];
    n->waiting[side]++;
    return 0;
}

static int take(struct wr_stream *s, enum wr_side side, int32_t at)
{
    struct node *n = of(s);
    look(n);
    HOLDS(n->waiting[side], "%d: more is taken than was stored\n", n->id);
    n->waiting[side]--;
    return hand(n->ring[side][(uint32_t)at & (uint32_t)ring_of(s, side)->mask]);
}

static void drop(struct wr_flow *f, int handle)
{
    (void)f;
    HOLDS(handle == world.top, "objects are not dropped last in, first out\n");
    world.top--;
}

static void hold(struct wr_stream *s, bool held)
{
    HOLDS(of(s)->holds != held, "%d: held or let go twice\n", of(s)->id);
    of(s)->holds = held;
}

static void any_operation(void);

/* What a handler or listener does beside its work. */
static void meddle(void)
{
    if (!world.misuse || world.depth >= DEEP || world.ending || !chance(4))
        return;
    world.meddling++;
    any_operation();
    world.meddling--;
}

static void event(struct wr_stream *s, enum wr_event ev, const struct wr_event_data *data)
{
    struct node *n = of(s);
    static const char *const names[] = {
#define X(name, text) text,
        WR_EVENTS(X)
#undef X
    };
    TRACE("%d: '%s'", n->id, names[ev]);
    if (ev == WR_EV_DATA && data->item->object)
        arrives(n, 1, world.stack[data->item->object - 1]);
    else if (ev == WR_EV_DATA)
        arrives_bytes(n, 1, &data->item->bytes);
    if (ev == WR_EV_READABLE && chance(80)) {
        struct wr_item item = {0};
        n->reentered |= world.meddling > 0;
        while (wr_readable_read(s, WR_READ_ANY, &item))
            wr_item_drop(&world.flow, &item);
    }
    world.depth++;
    meddle();
    world.depth--;
}

static const struct wr_host_ops host = {
    .convert = convert, .event = event, .store = store, .take = take, .drop = drop, .hold = hold};

/* ---- what every node tells, whether it is listened to or not */

/* A chunk is about to be written to all that N is piped into. Who has only N to write to it has room. */
static void data_goes_out(struct node *n)
{
    if (n->wild || n->restarted)
        return;
    for (struct wr_pipe *p = n->s.pipes; p; p = p->next) {
        struct node *dest = of(p->dest);
        int32_t length = wr_writable_length(p->dest);
        if (p->leaving || dest->crowded || p->dest->w & WR_W_SYNC ||
            /* SYNC: its handler is running, no write has returned yet */ wr_stream_destroyed(p->dest) ||
            p->dest->errored)
            continue;
        HOLDS(length == 0 || length < p->dest->sh->w.mark, "%d: writes to %d, which has %d of %d\n", n->id, dest->id,
              length, p->dest->sh->w.mark);
    }
}

static void all_has_come(struct node *n)
{
    struct node *src = n->only;
    if (!n->clean || n->crowded || n->ended_by_hand || world.converted || !src || src->s.read != WR_READ_DONE)
        return;
    HOLDS(n->got[src->id] == src->accepted, "%d: finishes with %u of %u chunks of %d\n", n->id, n->got[src->id],
          src->accepted, src->id);
}

static void watch(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)w;
    (void)err;
    struct node *n = of(s);
    const uint32_t others = 1u << WR_EV_PAUSE | 1u << WR_EV_RESUME | 1u << WR_EV_PIPE | 1u << WR_EV_UNPIPE;
    const uint32_t last = 1u << WR_EV_ERROR | 1u << WR_EV_CLOSE | 1u << WR_EV_GONE;
    look(n);
    if (others & (1u << ev))
        return;
    HOLDS(!wr_stream_destroyed(s) || last & (1u << ev), "%d: event %d after it was destroyed\n", n->id, ev);
    HOLDS(!n->gones, "%d: event %d after the last\n", n->id, ev);
    HOLDS(!n->closes || ev == WR_EV_GONE, "%d: event %d after 'close'\n", n->id, ev);
    n->closes += ev == WR_EV_CLOSE;
    n->errors += ev == WR_EV_ERROR;
    n->gones += ev == WR_EV_GONE;
    n->ends += ev == WR_EV_END;
    n->finishes += ev == WR_EV_FINISH;
    HOLDS(n->closes < 2 && n->errors < 2 && n->gones < 2 && n->ends < 2 && n->finishes < 2, "%d: event %d twice\n",
          n->id, ev);
    if (ev == WR_EV_DATA)
        data_goes_out(n);
    if (ev == WR_EV_END && s->has & WR_OBJECTS_READ)
        HOLDS(s->stats.out == n->accepted, "%d: ends with %u of %u chunks given\n", n->id, (unsigned)s->stats.out,
              n->accepted);
    if (ev == WR_EV_FINISH)
        all_has_come(n);
}

/* ---- what handlers do */

static struct wr_error *some_error(void)
{
    return wr_error_new(&world.alloc, wr_error_fault(WR_E_INVALID_STATE));
}

/* Pushes N's next chunk, as the method `push` does. */
static void push(struct node *n)
{
    struct wr_stream *s = &n->s;
    look(n);
    n->reentered |= world.meddling > 0;
    bool takes = s->read < WR_READ_ENDED && s->read != WR_READ_ABSENT && !wr_stream_destroyed(s) && !s->errored;
    bool objects = s->has & WR_OBJECTS_READ;
    uint32_t tag = number(n->id, ++n->pushed), tags[3] = {tag, 0, 0};
    n->accepted += takes;
    TRACE("%d: push() of %u, length %d, go %d%s", n->id, n->pushed, wr_readable_length(s), s->sh->go,
          takes ? "" : ", refused");
    if (objects && s->sh->go == WR_GO_IN && s->sh->exact == 0 && s->sh->r.tail - s->sh->r.head <= s->sh->r.mask) {
        n->ring[WR_SIDE_READ][(uint32_t)s->sh->r.tail & (uint32_t)s->sh->r.mask] = tag;
        s->sh->r.tail++;
        n->waiting[WR_SIDE_READ]++;
        return;
    }
    if (takes && s->read == WR_READ_IDLE)
        reached(WR_MACHINE_READ, WR_READ_IDLE, WR_READ_ON_PUSH);
    if (objects) {
        int handle = hand(tag);
        wr_readable_push(s, (struct wr_item){.object = handle});
        drop(&world.flow, handle);
    } else {
        wr_readable_push(s, bytes_of(tags, 1 + rnd(3)));
    }
}

static void push_empty(struct node *n)
{
    look(n);
    if (n->s.has & WR_OBJECTS_READ)
        return;
    if (n->s.read != WR_READ_READING)
        reached(WR_MACHINE_READ, n->s.read, WR_READ_ON_PUSH);
    wr_readable_push(&n->s, (struct wr_item){0});
}

static void push_some(struct node *n, uint32_t most)
{
    for (uint32_t k = rnd(most + 1); k && n->budget > 0; k--) {
        n->budget--;
        push(n);
    }
}

static void run_read(struct wr_stream *s)
{
    struct node *n = of(s);
    look(n);
    TRACE("%d: read()", n->id);
    HOLDS(s->life == WR_LIFE_OPEN, "%d: read() called in life %d\n", n->id, s->life);
    world.depth++;
    meddle();
    if (chance(85))
        push_some(n, s->has & WR_BULK ? 6 : 2);
    else if (chance(30))
        push_empty(n);
    if ((n->budget <= 0 && chance(70)) || chance(2))
        wr_readable_eof(s);
    world.depth--;
}

/* The callback of `write`, as bind/handlers.c has it. */
static void write_done(struct wr_stream *s, struct wr_error *err)
{
    of(s)->held &= ~(uint32_t)HELD_WRITE;
    if (s->buffering && !err && (s->sh->go & 3) == WR_GO_IN) {
        s->sh->go = s->sh->go == WR_GO_IN ? WR_GO_DONE : WR_GO_DONE | WR_GO_STOP;
        return;
    }
    if (s->buffering && (s->sh->go & 3) == WR_GO_DONE) {
        wr_life_fail_code(s, WR_E_MULTIPLE_CALLBACK, false);
        return;
    }
    s->sh->go |= s->buffering ? WR_GO_STOP : 0;
    if (s->has & WR_IS_TRANSFORM)
        wr_transform_done(s, err);
    else
        wr_writable_done(s, err);
}

/* Completes what is held by HELD, now. */
static void complete(struct node *n, uint32_t which, bool fails)
{
    struct wr_stream *s = &n->s;
    struct wr_error *e = fails ? some_error() : NULL;
    TRACE("%d: completes %u%s", n->id, which, fails ? " with an error" : "");
    n->held &= ~which;
    if (which == HELD_CONSTRUCT) {
        wr_life_constructed(s, e);
    } else if (which == HELD_WRITE) {
        if (s->has & WR_IS_TRANSFORM && !fails)
            push_some(n, 2);
        write_done(s, e);
    } else if (which == HELD_FINAL) {
        wr_writable_finaled(s, e);
    } else if (which == HELD_FLUSH) {
        if (!fails)
            push_some(n, 2);
        wr_transform_flushed(s, e);
    } else {
        wr_life_destroyed(s, e);
    }
    wr_error_unref(e);
    look(n);
}

/* A handler was called: it completes now, later, or with an error. */
static void handle(struct node *n, uint32_t which)
{
    look(n);
    HOLDS(!(n->held & which) || (world.misuse && n->obstinate), "%d: handler %u is called while it is out\n", n->id,
          which);
    n->held |= which;
    world.depth++;
    meddle();
    if (n->held & which && (world.ending || chance(70))) {
        complete(n, which, n->obstinate && !world.ending && chance(6));
        if (world.misuse && n->obstinate && which != HELD_CONSTRUCT && chance(1) && !(n->held & which))
            complete(n, which, false);
    }
    world.depth--;
}

static void run_construct(struct wr_stream *s)
{
    TRACE("%d: construct()", of(s)->id);
    handle(of(s), HELD_CONSTRUCT);
}

static void run_write(struct wr_stream *s, uint32_t count)
{
    struct node *n = of(s);
    TRACE("%d: write() of %u", n->id, count);
    HOLDS(s->life == WR_LIFE_OPEN, "%d: write() called in life %d\n", n->id, s->life);
    HOLDS(s->w_out == count && count, "%d: write() of %u, %u are out\n", n->id, count, s->w_out);
    for (uint32_t i = 0; i < count; i++) {
        struct wr_item item = wr_writable_out(s, i);
        if (item.object) {
            arrives(n, 0, world.stack[item.object - 1]);
            wr_item_drop(&world.flow, &item);
        } else {
            arrives_bytes(n, 0, &item.bytes);
        }
    }
    world.chunks += count;
    handle(n, HELD_WRITE);
}

static void run_final(struct wr_stream *s)
{
    TRACE("%d: final()", of(s)->id);
    handle(of(s), HELD_FINAL);
}

static void run_flush(struct wr_stream *s)
{
    TRACE("%d: flush()", of(s)->id);
    handle(of(s), HELD_FLUSH);
}

static void run_destroy(struct wr_stream *s, struct wr_error *err)
{
    (void)err;
    TRACE("%d: destroy()", of(s)->id);
    handle(of(s), HELD_DESTROY);
}

static const struct wr_stream_ops ops = {.construct = run_construct,
                                         .read = run_read,
                                         .write = run_write,
                                         .final = run_final,
                                         .flush = run_flush,
                                         .destroy = run_destroy};

/* The loops of driver.lua. */

static void burst_read(struct wr_stream *s)
{
    int32_t mark = s->sh->r.mark;
    for (int32_t i = mark - (s->sh->r.tail - s->sh->r.head); i > 0; i--) {
        int32_t tail = s->sh->r.tail;
        s->sh->at = tail;
        s->sh->go = WR_GO_IN;
        run_read(s);
        if (s->sh->go != WR_GO_IN || s->sh->r.tail == tail || s->sh->r.tail - s->sh->r.head >= mark)
            return;
    }
}

static bool ring_full(const struct wr_stream *s)
{
    if (!(s->has & WR_IS_TRANSFORM))
        return false;
    return (s->has & WR_OBJECTS_READ ? s->sh->r.tail - s->sh->r.head : s->sh->r.size) >= s->sh->r.mark;
}

static void burst_write(struct wr_stream *s, struct wr_stream *up)
{
    struct node *n = of(s), *from = of(up);
    for (int32_t i = up->sh->r.tail - up->sh->r.head; i > 0; i--) {
        int32_t head = up->sh->r.head;
        if (head == up->sh->r.tail)
            return;
        uint32_t tag = from->ring[WR_SIDE_READ][(uint32_t)head & (uint32_t)up->sh->r.mask];
        from->waiting[WR_SIDE_READ]--;
        up->sh->r.head = head + 1;
        s->sh->go = WR_GO_IN;
        if (s->has & WR_IS_TRANSFORM && s->has & WR_OBJECTS_READ)
            s->sh->at = s->sh->r.tail;
        TRACE("%d: write() in a burst", n->id);
        HOLDS(s->life == WR_LIFE_OPEN, "%d: write() called in life %d\n", n->id, s->life);
        HOLDS(s->w_out == 1 && wr_writable_waiting(s) == 0, "%d: a burst goes into a queue\n", n->id);
        arrives(n, 0, tag);
        world.chunks++;
        handle(n, HELD_WRITE);
        if (s->sh->go != WR_GO_DONE || ring_full(s))
            return;
    }
}

static void burst(struct wr_stream *s, struct wr_stream *up)
{
    world.bursts++;
    if (up)
        burst_write(s, up);
    else
        burst_read(s);
}

/* ---- callbacks */

static void called_back(struct wr_stream *s, intptr_t arg, struct wr_error *err)
{
    struct record *r = &world.records[arg];
    struct node *n = of(s);
    HOLDS(r->n == n, "a callback of another stream\n");
    HOLDS(r->returned, "%d: callback %d comes before its call has returned\n", n->id, (int)arg);
    HOLDS(++r->called == 1, "%d: callback %d comes twice\n", n->id, (int)arg);
    if (!err && !r->end) {
        HOLDS((uint32_t)arg + 1 > n->last_success, "%d: callback %d comes after %u\n", n->id, (int)arg,
              n->last_success - 1);
        n->last_success = (uint32_t)arg + 1;
    }
    world.depth++;
    meddle();
    world.depth--;
}

static struct record *new_record(struct node *n, bool end, struct wr_done *done)
{
    *done = (struct wr_done){0};
    if (world.record_count == RECORDS || chance(30))
        return NULL;
    struct record *r = &world.records[world.record_count];
    *r = (struct record){.n = n, .end = end};
    *done = (struct wr_done){.fn = called_back, .arg = world.record_count++};
    return r;
}

static void finished_called(struct wr_finished *w, struct wr_error *err)
{
    (void)err;
    struct watcher *h = (struct watcher *)(void *)w;
    HOLDS(++h->called == 1, "%d: finished calls twice\n", h->n->id);
    if (chance(50))
        wr_finished_clear(w);
}

static void pipeline_called(void *user, struct wr_error *err, int stage)
{
    struct piping *p = user;
    (void)err;
    (void)stage;
    HOLDS(++p->called == 1, "a pipeline calls twice\n");
    p->p = NULL;
}

/* ---- operations */

static bool readable(const struct node *n)
{
    return n->s.has & WR_IS_READABLE;
}

static bool writable(const struct node *n)
{
    return n->s.has & WR_IS_WRITABLE;
}

static struct wr_item new_item(struct node *n)
{
    uint32_t tags[3] = {number(NODES + n->id, ++n->written), 0, 0};
    if (n->s.has & WR_OBJECTS_WRITE)
        return (struct wr_item){.object = hand(tags[0])};
    return bytes_of(tags, rnd(20) ? 1 + rnd(3) : 0);
}

static void op_write(struct node *n, bool end, bool chunk)
{
    struct wr_done done;
    struct record *r = new_record(n, end, &done);
    struct wr_item item = chunk ? new_item(n) : (struct wr_item){0};
    int handle = item.object;
    n->crowded |= chunk;
    n->ended_by_hand |= end;
    if (!end)
        wr_writable_write(&n->s, item, done);
    else
        wr_writable_end(&n->s, chunk ? &item : NULL, done);
    if (handle)
        drop(&world.flow, handle);
    if (r)
        r->returned = true;
}

static void op_unshift(struct node *n)
{
    struct wr_stream *s = &n->s;
    bool takes = s->read != WR_READ_DONE && s->read != WR_READ_ABSENT && !wr_stream_destroyed(s) && !s->errored;
    uint32_t tag = number(n->id, ++n->pushed) | UNORDERED;
    n->accepted += takes;
    n->unshifted = true;
    if (s->has & WR_OBJECTS_READ) {
        int handle = hand(tag);
        wr_readable_unshift(s, (struct wr_item){.object = handle});
        drop(&world.flow, handle);
    } else {
        wr_readable_unshift(s, bytes_of(&tag, 1));
    }
}

static void op_read(struct node *n, bool any)
{
    struct wr_item item = {0};
    bool objects = n->s.has & WR_OBJECTS_READ;
    n->reentered |= world.meddling > 0;
    int64_t size = any ? WR_READ_ANY : objects ? (int64_t)rnd(3) : (int64_t)rnd(5) * 4 - 4;
    if (!wr_readable_read(&n->s, size, &item))
        return;
    HOLDS(objects == (item.object != 0), "%d: read gives what it does not have\n", n->id);
    if (!objects && size > 0)
        HOLDS((int64_t)item.bytes.len <= size, "%d: read gives too much\n", n->id);
    wr_item_drop(&world.flow, &item);
}

static void op_listen(struct node *n, enum wr_event ev, bool on)
{
    if (on == wr_stream_listens(&n->s, ev))
        return;
    if (on)
        n->s.sh->listens |= 1 << ev;
    else
        n->s.sh->listens &= ~(1 << ev);
    if (readable(n))
        wr_readable_listener(&n->s, ev, on);
}

static bool piped(const struct node *src, const struct node *dest)
{
    for (const struct wr_pipe *p = src->s.pipes; p; p = p->next)
        if (p->dest == &dest->s)
            return true;
    return false;
}

static void note_edge(struct node *src, struct node *dest)
{
    dest->clean = !dest->only && src->accepted == 0;
    dest->crowded |= dest->only != NULL;
    dest->only = src;
    src->restarted |= src->s.pipe_count != 0;
}

static bool may_pipe(const struct node *src, const struct node *dest)
{
    return readable(src) && writable(dest) && src->id < dest->id && !piped(src, dest);
}

static void op_pipe(struct node *src, struct node *dest)
{
    if (!may_pipe(src, dest) || wr_stream_destroyed(&src->s) || wr_stream_destroyed(&dest->s))
        return;
    TRACE("pipe %d to %d", src->id, dest->id);
    note_edge(src, dest);
    assert_int_equal(wr_pipe_add(&src->s, &dest->s, chance(80)), 0);
}

static void op_unpipe(struct node *src, struct node *dest)
{
    for (int i = 0; i < world.count; i++)
        if (world.nodes[i]->only == src)
            world.nodes[i]->clean = false;
    wr_pipe_remove(&src->s, dest ? &dest->s : NULL);
}

static void op_pipeline(void)
{
    struct wr_stream *stages[NODES];
    struct node *last = NULL;
    uint32_t count = 0, most = 2 + rnd(3);
    bool sure = true;
    for (int i = 0; i < world.count && count < most; i++) {
        struct node *n = world.nodes[i];
        if (chance(30) || !(count ? wr_finished_has_writable(&n->s) : wr_finished_has_readable(&n->s)) ||
            (last && piped(last, n)))
            continue;
        bool goes_on = wr_finished_has_readable(&n->s);
        sure = sure && n->s.has & WR_EMIT_CLOSE;
        stages[count++] = &n->s;
        last = n;
        if (!goes_on)
            break;
    }
    if (count < 2 || world.piping_count == WATCHERS)
        return;
    for (uint32_t i = 1; i < count; i++) {
        TRACE("pipeline: %d to %d", of(stages[i - 1])->id, of(stages[i])->id);
        note_edge(of(stages[i - 1]), of(stages[i]));
    }
    struct piping *p = &world.pipings[world.piping_count++];
    *p = (struct piping){.sure = sure};
    p->p = wr_pipeline_new(&world.flow, stages, count, chance(80), pipeline_called, p);
    assert_non_null(p->p);
}

static void op_abort(void)
{
    for (int i = 0; i < world.piping_count; i++) {
        if (!world.pipings[i].p || world.pipings[i].called)
            continue;
        struct wr_error *e = some_error();
        wr_pipeline_abort(world.pipings[i].p, e);
        wr_error_unref(e);
        return;
    }
}

static void op_finished(struct node *n)
{
    if (world.watcher_count == WATCHERS)
        return;
    struct watcher *h = calloc(1, sizeof *h);
    h->n = n;
    h->errors = chance(80);
    world.watchers[world.watcher_count++] = h;
    wr_finished_init(&h->w, &n->s, readable(n) && chance(80), writable(n) && chance(80), h->errors, finished_called);
}

static void op_complete(struct node *n)
{
    if (n->held) {
        uint32_t which = n->held & (0u - n->held);
        complete(n, which, n->obstinate && chance(5));
    }
}

static void op_destroy(struct node *n, bool with)
{
    struct wr_error *e = with ? some_error() : NULL;
    if (chance(80))
        wr_life_destroy(&n->s, e);
    else
        wr_life_abort(&n->s, e);
    wr_error_unref(e);
}

static void readable_operation(struct node *n)
{
    uint32_t what = rnd(n->wild ? 16 : 6);
    n->reentered |= world.meddling > 0;
    TRACE("%d: readable operation %u", n->id, what);
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (n->s.has & WR_IS_TRANSFORM && !n->wild)
            break;
        if (n->s.read < WR_READ_ENDED || world.misuse)
            push_some(n, 3);
        break;
    case 4:
        if (chance(30))
            push_empty(n);
        break;
    case 5:
        if (chance(25))
            wr_readable_eof(&n->s);
        break;
    case 6:
        op_unshift(n);
        break;
    case 7:
    case 8:
        op_read(n, true);
        break;
    case 9:
        op_read(n, false);
        break;
    case 10:
        wr_readable_pause(&n->s);
        break;
    case 11:
    case 12:
        wr_readable_resume(&n->s);
        break;
    case 13:
        op_listen(n, WR_EV_DATA, chance(50));
        break;
    case 14:
        op_listen(n, WR_EV_READABLE, chance(40));
        break;
    default:
        op_unpipe(n, chance(50) ? NULL : world.nodes[rnd((uint32_t)world.count)]);
    }
}

static void writable_operation(struct node *n)
{
    uint32_t what = rnd(16);
    if (!n->wild && n->only && what < 13) /* it is what its source writes that matters */
        return;
    TRACE("%d: writable operation %u", n->id, what);
    switch (what) {
    case 13:
        wr_writable_cork(&n->s);
        break;
    case 14:
        wr_writable_uncork(&n->s);
        break;
    case 15:
        wr_writable_uncork(&n->s);
        break;
    case 12:
        if (chance(40))
            op_write(n, true, chance(50));
        break;
    default:
        op_write(n, false, true);
    }
}

static void any_operation(void)
{
    struct node *n = world.nodes[rnd((uint32_t)world.count)];
    world.depth++;
    switch (rnd(14)) {
    case 0:
    case 1:
    case 2:
        if (readable(n))
            readable_operation(n);
        break;
    case 3:
    case 4:
    case 5:
        if (writable(n))
            writable_operation(n);
        break;
    case 6:
    case 7:
        op_pipe(n, world.nodes[rnd((uint32_t)world.count)]);
        break;
    case 8:
        if (chance(20))
            op_pipeline();
        else if (chance(3))
            op_abort();
        else if (chance(40))
            op_finished(n);
        break;
    case 9:
        if (chance(n->wild ? 20 : 5)) {
            TRACE("%d: destroy", n->id);
            op_destroy(n, chance(40));
        }
        break;
    case 10:
        if (n->wild)
            op_listen(n, (enum wr_event)(WR_EV_END + rnd(WR_EV_COUNT - WR_EV_END)), chance(70));
        break;
    case 11:
    case 12:
        op_complete(n);
        break;
    default:
        if (world.depth == 1) /* when nobody's code is running */
            wr_tick_drain(&world.flow, 1 + rnd(30));
    }
    world.depth--;
}

/* ---- what holds after each operation */

static uint64_t sum(const struct wr_queue *q)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < q->count; i++)
        bytes += wr_queue_peek(q, i)->len;
    return bytes;
}

static void check(struct node *n)
{
    struct wr_stream *s = &n->s;
    look(n);
    wr_stream_check(s);
    HOLDS(!s->buffering, "%d: still inside a burst\n", n->id);
    HOLDS(s->sh->go == WR_GO_IDLE || !(s->sh->go & 3), "%d: go is %d at rest\n", n->id, s->sh->go);
    if (s->has & WR_OBJECTS_READ)
        HOLDS(wr_readable_length(s) == (int32_t)n->waiting[WR_SIDE_READ], "%d: readable: %d counted, %u stored\n",
              n->id, wr_readable_length(s), n->waiting[WR_SIDE_READ]);
    else
        HOLDS(sum(&s->r_bytes) == s->r_bytes.bytes && s->sh->r.size == (int32_t)s->r_bytes.bytes,
              "%d: readable bytes\n", n->id);
    HOLDS(wr_writable_waiting(s) + s->w_out == s->w_dones.count, "%d: %u wait, %u out, %u callbacks\n", n->id,
          wr_writable_waiting(s), s->w_out, s->w_dones.count);
    if (!(s->has & WR_OBJECTS_WRITE)) {
        HOLDS(sum(&s->w_bytes) == (uint64_t)s->sh->w.size && sum(&s->w_batch) == (uint64_t)s->sh->out,
              "%d: writable bytes\n", n->id);
    } else {
        HOLDS(s->sh->out == (int32_t)s->w_out, "%d: %u objects out, %d counted\n", n->id, s->w_out, s->sh->out);
        HOLDS(wr_stream_destroyed(s) || s->errored || wr_writable_waiting(s) == n->waiting[WR_SIDE_WRITE],
              "%d: writable: %u counted, %u stored\n", n->id, wr_writable_waiting(s), n->waiting[WR_SIDE_WRITE]);
    }
    HOLDS(!(s->has & WR_IS_WRITABLE) || !(n->held & HELD_WRITE) || s->w_out || n->obstinate,
          "%d: write() is out, no chunk is\n", n->id);
    bool at_end = s->has & WR_IS_TRANSFORM && s->read >= WR_READ_ENDED; /* then its callback comes in a tick */
    HOLDS(!s->w_out || n->held & HELD_WRITE || s->w & WR_W_HOLDING || n->obstinate || at_end,
          "%d: chunks are out, write() is not\n", n->id);
    uint32_t edges = 0;
    for (struct wr_pipe *p = s->pipes; p; p = p->next)
        edges++;
    HOLDS(edges == s->pipe_count, "%d: %u edges, %u counted\n", n->id, edges, s->pipe_count);
}

static void check_all(void)
{
    for (int i = 0; i < world.count; i++)
        check(world.nodes[i]);
    HOLDS(world.top == 0, "%d handles are left\n", world.top);
    HOLDS(world.flow.moving == 0, "%u deliveries are left\n", world.flow.moving);
}

/* ---- a round */

static uint32_t random_kind(int id)
{
    static const uint32_t kinds[] = {WR_IS_READABLE, WR_IS_WRITABLE, WR_IS_READABLE | WR_IS_WRITABLE,
                                     WR_IS_READABLE | WR_IS_WRITABLE | WR_IS_TRANSFORM};
    uint32_t has = id == 0 && chance(70) ? kinds[0] : kinds[rnd(10) < 4 ? 3 : rnd(4)];
    bool transform = has & WR_IS_TRANSFORM;
    if (has & WR_IS_READABLE && chance(70))
        has |= WR_OBJECTS_READ;
    if (has & WR_IS_WRITABLE && chance(70))
        has |= WR_OBJECTS_WRITE;
    if (has & WR_IS_READABLE && !transform)
        has |= WR_HAS_READ | (chance(20) ? WR_BULK : 0);
    if (has & WR_IS_WRITABLE)
        has |= WR_HAS_WRITE | (chance(20) && !transform ? WR_HAS_WRITEV : 0) | (chance(30) ? WR_HAS_FINAL : 0);
    has |= (transform && chance(40) ? WR_HAS_FLUSH : 0) | (chance(15) ? WR_HAS_CONSTRUCT : 0) |
           (chance(40) ? WR_HAS_DESTROY : 0);
    has |= (chance(80) ? WR_AUTO_DESTROY : 0) | (chance(85) ? WR_EMIT_CLOSE : 0) | (chance(75) ? WR_HALF_OPEN : 0);
    if (has & WR_IS_READABLE && has & WR_IS_WRITABLE && !transform)
        has |= chance(5) ? WR_CLOSED_READ : chance(5) ? WR_CLOSED_WRITE : 0;
    return has | (chance(75) ? WR_BURSTS : 0);
}

static void new_node(int id, bool tame, bool all_objects)
{
    uint32_t has = random_kind(id);
    if (all_objects && has & WR_IS_READABLE)
        has |= WR_OBJECTS_READ;
    if (all_objects && has & WR_IS_WRITABLE)
        has |= WR_OBJECTS_WRITE;
    struct node *n = wr_alloc_zero(&world.alloc, sizeof *n);
    assert_non_null(n);
    bool records = chance(50);
    int32_t least = chance(60); /* a mark of 0 keeps bursts away */
    n->id = id;
    n->wild = !tame && chance(50);
    n->obstinate = !tame && chance(40);
    n->budget = 1 + (int)rnd(BUDGET);
    for (int side = 0; side < 2; side++)
        n->ring[side] = calloc(16, sizeof **n->ring);
    wr_stream_init(&n->s, &world.flow, &ops, has,
                   (least + (int32_t)rnd(6 - (uint32_t)least)) * (has & WR_OBJECTS_READ || !records ? 1 : 4),
                   (least + (int32_t)rnd(6 - (uint32_t)least)) * (has & WR_OBJECTS_WRITE || !records ? 1 : 4));
    n->s.id = (uint32_t)id;
    n->was_life = n->s.life;
    n->was_read = n->s.read;
    n->was_write = n->s.write;
    n->watch = (struct wr_watch){.mask = UINT32_MAX >> 1, .early = true, .fn = watch};
    wr_watch_add(&n->s, &n->watch, true);
    n->s.sh->listens = chance(80) ? 1 << WR_EV_ERROR : 0;
    wr_life_start(&n->s);
    world.nodes[id] = n;
    TRACE("%d: has %x, marks %d %d%s%s", id, has, n->s.sh->r.mark, n->s.sh->w.mark, n->wild ? ", wild" : "",
          n->obstinate ? ", obstinate" : "");
}

static void free_stream(struct wr_stream *s)
{
    struct node *n = of(s);
    free(n->ring[0]);
    free(n->ring[1]);
    wr_alloc_free(&world.alloc, n, sizeof *n);
}

static void wake(struct wr_flow *f)
{
    (void)f;
}

static void begin_round(uint64_t seed)
{
    world.seed = seed;
    world.random = (seed + 1) * 0x9E3779B97F4A7C15ULL;
    for (int i = 0; i < 8; i++)
        rnd(2);
    wr_alloc_init(&world.alloc, NULL, NULL);
    wr_flow_init(&world.flow, &world.alloc, &host, free_stream, wake, chance(50));
    world.flow.burst = burst;
    world.record_count = world.watcher_count = world.piping_count = world.top = world.depth = world.meddling = 0;
    world.ending = world.converted = false;
    world.misuse = chance(50);
    TRACE("%s%s", world.flow.one ? "one" : "bursts", world.misuse ? ", misuse" : "");
    world.count = 2 + (int)rnd(NODES - 1);
    bool tame = chance(50), all_objects = chance(50);
    for (int i = 0; i < world.count; i++)
        new_node(i, tame, all_objects);
    for (int i = 1; i < world.count; i++) /* most rounds are about pipes */
        if (chance(60))
            op_pipe(world.nodes[i - 1], world.nodes[i]);
}

/* Runs all ticks, and lets all that is held complete, until nothing moves any more. */
static void settle(void)
{
    for (bool held = true; held;) {
        held = false;
        HOLDS(!wr_tick_drain(&world.flow, 200000), "ticks go on for ever\n");
        check_all();
        for (int i = 0; i < world.count; i++) {
            held |= world.nodes[i]->held != 0;
            if (world.nodes[i]->held)
                complete(world.nodes[i], world.nodes[i]->held & (0u - world.nodes[i]->held), false);
        }
    }
    check_all();
}

static void check_gone(struct node *n)
{
    HOLDS(n->s.life == WR_LIFE_GONE && n->gones == 1, "%d: not gone, but in life %d\n", n->id, n->s.life);
    HOLDS(n->closes == 0 || n->s.has & WR_EMIT_CLOSE, "%d: 'close' that was not asked for\n", n->id);
    bool heard = n->errors == 0;
    HOLDS(n->closes == 1 || !(n->s.has & WR_EMIT_CLOSE) || !heard, "%d: no 'close'\n", n->id);
    HOLDS(!n->s.w_out && !n->s.w_dones.count && !n->s.w_settled.count && !n->s.w_ends.count,
          "%d: callbacks are left: %u out, %u, %u settled, %u ends, notes %x, has %x\n", n->id, n->s.w_out,
          n->s.w_dones.count, n->s.w_settled.count, n->s.w_ends.count, n->s.w, n->s.has);
    HOLDS(!n->holds && !n->s.pins, "%d: is still held\n", n->id);
}

static void end_round(void)
{
    world.ending = true;
    world.op = -1;
    TRACE("the round ends");
    settle();
    for (int i = 0; i < world.count; i++)
        wr_life_destroy(&world.nodes[i]->s, NULL);
    settle();
    for (int i = 0; i < world.count; i++)
        check_gone(world.nodes[i]);
    for (int i = 0; i < world.record_count; i++)
        HOLDS(world.records[i].called == 1, "%d: callback %d was never called\n", world.records[i].n->id, i);
    for (int i = 0; i < world.piping_count; i++)
        HOLDS(world.pipings[i].called || !world.pipings[i].sure, "pipeline %d was never called back\n", i);
    for (int i = 0; i < world.watcher_count; i++) {
        struct watcher *h = world.watchers[i];
        HOLDS(h->called || h->n->closes == 0, "%d: finished was never called\n", h->n->id);
        wr_finished_clear(&h->w);
        free(h);
    }
    wr_pipeline_drop_all(&world.flow);
    for (int i = 0; i < world.count; i++) {
        wr_watch_remove(&world.nodes[i]->s, &world.nodes[i]->watch);
        wr_stream_unref(&world.nodes[i]->s);
    }
    HOLDS(world.flow.open == 0, "%u streams are left\n", world.flow.open);
    wr_flow_clear(&world.flow);
    HOLDS(wr_alloc_balance(&world.alloc) == 0, "%zu bytes are left\n", wr_alloc_balance(&world.alloc));
}

static void print_reached(void)
{
    for (int machine = 0; machine < WR_MACHINE_COUNT; machine++) {
        int states, events;
        wr_state_size((enum wr_machine)machine, &states, &events);
        for (int state = 0; state < states; state++)
            for (int ev = 0; ev < events; ev++)
                if (wr_state_next((enum wr_machine)machine, state, ev) >= 0)
                    printf("%-12s by %-12s %10lld\n", wr_state_name((enum wr_machine)machine, state),
                           wr_state_event_name((enum wr_machine)machine, ev), world.reached[machine][state][ev]);
    }
    printf("%lld chunks written, %lld bursts\n", world.chunks, world.bursts);
}

static long long number_from(const char *name, long long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static void random_operations_keep_the_promises(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)number_from("WEIR_SEED", 1);
    long long ops_left = number_from("WEIR_OPS", 300000);
    world.trace = number_from("WEIR_TRACE", 0) != 0;
    for (; ops_left > 0; ops_left -= ROUND, seed++) {
        world.op = 0;
        begin_round(seed);
        for (world.op = 1; world.op <= ROUND; world.op++) {
            any_operation();
            check_all();
        }
        end_round();
    }
    print_reached();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations_keep_the_promises)};
    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
