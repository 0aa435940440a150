/* SPDX-License-Identifier: MIT */
/* The streams of the model test: of what kinds, what their handlers do, and the loops of bursts as lua/weir/stream/driver.lua
 * has them. */
#include "finish.h"
#include "life.h"
#include "readable.h"
#include "writable.h"

#include "pump.h"

#include "model.h"

/* ---- what handlers do */

struct wr_error *model_error(void)
{
    return wr_error_new(&world.alloc, wr_error_fault(WR_E_INVALID_STATE));
}

void model_touch(void)
{
    if (world.flow.run)
        wr_pump_touch(&world.flow);
}

/* Pushes N's next chunk, as the method `push` does. */
static void push(struct node *n)
{
    struct wr_stream *s = &n->s;
    model_look(n);
    n->reentered |= world.meddling > 0;
    bool takes = s->read < WR_READ_ENDED && s->read != WR_READ_ABSENT && !wr_stream_destroyed(s) && !s->errored;
    bool objects = s->has & WR_OBJECTS_READ;
    uint32_t tag = model_number(n->id, ++n->pushed), tags[3] = {tag, 0, 0};
    n->accepted += takes;
    TRACE("%d: push() of %u, length %d, go %d%s", n->id, n->pushed, wr_readable_length(s), s->sh->go,
          takes ? "" : ", refused");
    if (objects && (s->sh->go == WR_GO_IN || s->sh->go == WR_GO_READ) && s->sh->exact == 0 &&
        s->sh->r.tail - s->sh->r.head <= s->sh->r.mask) {
        n->ring[WR_SIDE_READ][(uint32_t)s->sh->r.tail & (uint32_t)s->sh->r.mask] = tag;
        s->sh->r.tail++;
        n->waiting[WR_SIDE_READ]++;
        return;
    }
    model_touch();
    if ((takes && s->read == WR_READ_IDLE) || s->read >= WR_READ_ENDED)
        model_reached(WR_MACHINE_READ, s->read, WR_READ_ON_PUSH);
    if (objects) {
        int handle = model_hand(tag);
        wr_readable_push(s, (struct wr_item){.object = handle});
        model_drop(&world.flow, handle);
    } else {
        wr_readable_push(s, model_bytes_of(tags, 1 + rnd(3)));
    }
}

void model_push_empty(struct node *n)
{
    model_look(n);
    if (n->s.has & WR_OBJECTS_READ)
        return;
    model_touch();
    if (n->s.read != WR_READ_READING)
        model_reached(WR_MACHINE_READ, n->s.read, WR_READ_ON_PUSH);
    wr_readable_push(&n->s, (struct wr_item){0});
}

void model_eof(struct node *n)
{
    model_look(n);
    model_touch();
    if (n->s.read >= WR_READ_ENDED) /* changes nothing, and is seen by nobody */
        model_reached(WR_MACHINE_READ, n->s.read, WR_READ_ON_EOF);
    wr_readable_eof(&n->s);
    HOLDS(n->s.read >= WR_READ_ENDED, "%d: is not at its end\n", n->id);
    model_look(n);
}

void model_push_some(struct node *n, uint32_t most)
{
    for (uint32_t k = rnd(most + 1); k && n->budget > 0; k--) {
        n->budget--;
        push(n);
    }
}

static void run_read(struct wr_stream *s)
{
    struct node *n = of(s);
    model_look(n);
    TRACE("%d: read()", n->id);
    HOLDS(s->life == WR_LIFE_OPEN, "%d: read() called in life %d\n", n->id, s->life);
    world.depth++;
    model_meddle();
    if (chance(85))
        model_push_some(n, s->has & WR_BULK ? 6 : 2);
    else if (chance(30))
        model_push_empty(n);
    if ((n->budget <= 0 && chance(70)) || chance(2))
        model_eof(n);
    world.depth--;
}

/* The callback of `write`, as lua/weir/stream/base.lua has it. */
static void write_done(struct wr_stream *s, struct wr_error *err)
{
    of(s)->held &= ~(uint32_t)HELD_WRITE;
    if (!err && s->sh->go == WR_GO_IN) {
        s->sh->go = WR_GO_DONE;
        return;
    }
    model_touch();
    wr_pump_completed(s, err);
}

/* Completes what is held by HELD, now. */
void model_complete(struct node *n, uint32_t which, bool fails)
{
    struct wr_stream *s = &n->s;
    struct wr_error *e = fails ? model_error() : NULL;
    if (which != HELD_WRITE)
        model_touch();
    TRACE("%d: completes %u%s", n->id, which, fails ? " with an error" : "");
    n->held &= ~which;
    if (which == HELD_CONSTRUCT) {
        wr_life_constructed(s, e);
    } else if (which == HELD_WRITE) {
        if (s->has & WR_IS_TRANSFORM && !fails)
            model_push_some(n, 2);
        write_done(s, e);
    } else if (which == HELD_FINAL) {
        wr_finish_finaled(s, e);
    } else if (which == HELD_FLUSH) {
        if (!fails)
            model_push_some(n, 2);
        wr_transform_flushed(s, e);
    } else {
        wr_life_destroyed(s, e);
    }
    wr_error_unref(e);
    model_look(n);
}

/* A handler was called: it completes now, later, or with an error. */
static void handle(struct node *n, uint32_t which)
{
    model_look(n);
    HOLDS(!(n->held & which) || (world.misuse && n->obstinate), "%d: handler %u is called while it is out\n", n->id,
          which);
    n->held |= which;
    world.depth++;
    model_meddle();
    if (n->held & which && (world.ending || chance(70))) {
        model_complete(n, which, n->obstinate && !world.ending && chance(6));
        if (world.misuse && n->obstinate && which != HELD_CONSTRUCT && chance(1) && !(n->held & which))
            model_complete(n, which, false);
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
            model_arrives(n, 0, world.stack[item.object - 1]);
            wr_item_drop(&world.flow, &item);
        } else {
            model_arrives_bytes(n, 0, &item.bytes);
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

/* The loops of driver.lua. Each says whether the relay may go on. */

static bool burst_read(struct wr_stream *s)
{
    int32_t mark = s->sh->r.mark;
    s->sh->calls = 0;
    for (int32_t i = mark - (s->sh->r.tail - s->sh->r.head); i > 0; i--) {
        int32_t tail = s->sh->r.tail;
        s->sh->at = tail;
        s->sh->calls++;
        s->sh->go = WR_GO_READ;
        run_read(s);
        if (s->sh->go != WR_GO_READ || s->sh->r.tail == tail)
            return false;
        if (s->sh->r.tail - s->sh->r.head >= mark)
            break;
    }
    return !world.flow.relay->touched;
}

static bool ring_full(const struct wr_stream *s)
{
    if (!(s->has & WR_IS_TRANSFORM))
        return false;
    return (s->has & WR_OBJECTS_READ ? s->sh->r.tail - s->sh->r.head : s->sh->r.size) >= s->sh->r.mark;
}

static bool burst_write(struct wr_stream *s, struct wr_stream *up)
{
    struct node *n = of(s), *from = of(up);
    s->sh->out = 1;
    for (int32_t i = up->sh->r.tail - up->sh->r.head; i > 0; i--) {
        int32_t head = up->sh->r.head;
        if (head == up->sh->r.tail)
            return false;
        uint32_t tag = from->ring[WR_SIDE_READ][(uint32_t)head & (uint32_t)up->sh->r.mask];
        from->waiting[WR_SIDE_READ]--;
        up->sh->r.head = head + 1;
        s->sh->go = WR_GO_IN;
        if (s->has & WR_IS_TRANSFORM && s->has & WR_OBJECTS_READ)
            s->sh->at = s->sh->r.tail;
        TRACE("%d: write() in a burst", n->id);
        HOLDS(s->life == WR_LIFE_OPEN, "%d: write() called in life %d\n", n->id, s->life);
        HOLDS(s->w_out == 1 && wr_writable_waiting(s) == 0, "%d: a burst goes into a queue\n", n->id);
        model_arrives(n, 0, tag);
        world.chunks++;
        handle(n, HELD_WRITE);
        if (s->sh->go != WR_GO_DONE)
            return false;
        if (ring_full(s))
            break;
    }
    return !world.flow.relay->touched;
}

static bool round_of(struct wr_stream *const *stages, uint32_t count, bool reads)
{
    struct wr_relay *relay = world.flow.relay;
    if (reads)
        relay->at = 0;
    if (reads && !burst_read(stages[0]))
        return false;
    for (uint32_t i = 1; i < count; i++) {
        relay->at = (int32_t)i;
        if (!burst_write(stages[i], stages[i - 1]))
            return false;
    }
    return reads && --relay->rounds > 0;
}

void model_burst(struct wr_stream *const *stages, uint32_t count, bool reads)
{
    world.bursts++;
    world.longest = count > world.longest ? count : world.longest;
    while (round_of(stages, count, reads))
        ;
}

/* ---- new and free */

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

void model_new_node(int id, bool tame, bool all_objects)
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
    n->watch = (struct wr_watch){.mask = UINT32_MAX >> 1, .early = true, .fn = model_watch};
    wr_watch_add(&n->s, &n->watch, true);
    n->s.sh->listens = chance(80) ? 1 << WR_EV_ERROR : 0;
    wr_life_start(&n->s);
    world.nodes[id] = n;
    TRACE("%d: has %x, marks %d %d%s%s", id, has, n->s.sh->r.mark, n->s.sh->w.mark, n->wild ? ", wild" : "",
          n->obstinate ? ", obstinate" : "");
}

void model_free_stream(struct wr_stream *s)
{
    struct node *n = of(s);
    free(n->ring[0]);
    free(n->ring[1]);
    wr_alloc_free(&world.alloc, n, sizeof *n);
}
