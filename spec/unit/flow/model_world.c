/* SPDX-License-Identifier: MIT */
/* The model: what streams have told so far, and after each operation whether all that was promised holds. The host here keeps
 * objects as numbers. */
#include "pipe.h"
#include "readable.h"
#include "writable.h"

#include "model.h"

struct world world;

void model_say_where(void)
{
    fflush(stdout);
    fprintf(stderr, "replay: WEIR_SEED=%llu WEIR_OPS=%ld, fails at operation %ld\n", (unsigned long long)world.seed,
            (long)ROUND, world.op);
}

/* ---- how often each pair was reached: seen from outside, by what changed between two looks */

void model_reached(enum wr_machine machine, int state, int event)
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
            model_reached(WR_MACHINE_LIFE, from, doomed ? WR_LIFE_ON_DESTROY : WR_LIFE_ON_CONSTRUCTED);
            n->was_life = doomed ? WR_LIFE_DOOMED : WR_LIFE_OPEN;
        } else {
            static const int events[] = {
                0, WR_LIFE_ON_DESTROY, WR_LIFE_ON_CONSTRUCTED, WR_LIFE_ON_DESTROYED, WR_LIFE_ON_CLOSE, 0};
            model_reached(WR_MACHINE_LIFE, from, events[from]);
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
        model_reached(WR_MACHINE_WRITE, from, final ? WR_WRITE_ON_FINAL : events[from]);
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
        model_reached(WR_MACHINE_READ, from, WR_READ_ON_ASK);
    else if (from == WR_READ_READING && to == WR_READ_IDLE)
        model_reached(WR_MACHINE_READ, from, WR_READ_ON_PUSH);
    if (from < WR_READ_ENDED && to >= WR_READ_ENDED)
        model_reached(WR_MACHINE_READ, from, WR_READ_ON_EOF);
    if (from < WR_READ_DONE && to == WR_READ_DONE)
        model_reached(WR_MACHINE_READ, WR_READ_ENDED, WR_READ_ON_END);
    HOLDS(to >= from || to == WR_READ_IDLE, "%d: its readable side went back\n", n->id);
}

void model_look(struct node *n)
{
    look_at_life(n);
    look_at_read(n);
    look_at_write(n);
}

/* ---- chunks */

uint32_t model_number(int producer, uint32_t seq)
{
    return (uint32_t)(producer + 1) << SHIFT | seq;
}

void model_arrives(struct node *n, int where, uint32_t tag)
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

void model_arrives_bytes(struct node *n, int where, const struct wr_chunk *c)
{
    HOLDS(c->len % 4 == 0, "%d: a chunk of %zu bytes\n", n->id, c->len);
    for (size_t i = 0; i < c->len; i += 4) {
        uint32_t tag;
        memcpy(&tag, c->data + i, 4);
        model_arrives(n, where, tag);
    }
}

int model_hand(uint32_t tag)
{
    HOLDS(world.top < HANDLES, "handles are not dropped\n");
    world.stack[world.top++] = tag;
    return world.top;
}

struct wr_item model_bytes_of(const uint32_t *tags, uint32_t n)
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
        *out = model_bytes_of(&world.stack[item->object - 1], 1);
    } else {
        out->object = model_hand(0);
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
    model_look(n);
    if (r->tail - r->head > r->mask)
        grow(n, side);
    n->ring[side][(uint32_t)at & (uint32_t)r->mask] = world.stack[handle - 1];
    n->waiting[side]++;
    return 0;
}

static int take(struct wr_stream *s, enum wr_side side, int32_t at)
{
    struct node *n = of(s);
    model_look(n);
    HOLDS(n->waiting[side], "%d: more is taken than was stored\n", n->id);
    n->waiting[side]--;
    return model_hand(n->ring[side][(uint32_t)at & (uint32_t)ring_of(s, side)->mask]);
}

void model_drop(struct wr_flow *f, int handle)
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

/* What a handler or listener does beside its work. */
void model_meddle(void)
{
    if (!world.misuse || world.depth >= DEEP || world.ending || !chance(4))
        return;
    world.meddling++;
    model_any_operation();
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
        model_arrives(n, 1, world.stack[data->item->object - 1]);
    else if (ev == WR_EV_DATA)
        model_arrives_bytes(n, 1, &data->item->bytes);
    if (ev == WR_EV_READABLE && chance(80)) {
        struct wr_item item = {0};
        n->reentered |= world.meddling > 0;
        while (wr_readable_read(s, WR_READ_ANY, &item))
            wr_item_drop(&world.flow, &item);
    }
    world.depth++;
    model_meddle();
    world.depth--;
}

const struct wr_host_ops model_host = {
    .convert = convert, .event = event, .store = store, .take = take, .drop = model_drop, .hold = hold};
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
    if (!n->clean || n->crowded || n->ended_by_hand || world.converted || !src || !src->ends)
        return;
    HOLDS(n->got[src->id] == src->accepted, "%d: finishes with %u of %u chunks of %d\n", n->id, n->got[src->id],
          src->accepted, src->id);
}

void model_watch(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)w;
    (void)err;
    struct node *n = of(s);
    const uint32_t others = 1u << WR_EV_PAUSE | 1u << WR_EV_RESUME | 1u << WR_EV_PIPE | 1u << WR_EV_UNPIPE;
    const uint32_t last = 1u << WR_EV_ERROR | 1u << WR_EV_CLOSE | 1u << WR_EV_GONE |
                          1u << WR_EV_PREFINISH; /* at which its own flush has destroyed it */
    model_look(n);
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
    model_look(n);
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

void model_check(void)
{
    for (int i = 0; i < world.count; i++)
        check(world.nodes[i]);
    HOLDS(world.top == 0, "%d handles are left\n", world.top);
    HOLDS(world.flow.moving == 0, "%u deliveries are left\n", world.flow.moving);
}

void model_check_gone(struct node *n)
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
