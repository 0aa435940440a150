/* SPDX-License-Identifier: MIT */
/* Random operations on streams of all kinds, without Lua, and after each of them a look whether all that was promised holds:
 * counts equal what is queued, no chunk goes into a stream at or over its mark, every callback comes once, 'close' once and last,
 * chunks stay in order and are neither lost nor doubled, nothing leaks. This file drives; model.h says what the others do.
 *
 * A round is ROUND operations on new streams; its seed is printed when it fails. WEIR_SEED and WEIR_OPS replay it, with
 * WEIR_TRACE=1 each operation is printed. At the end stands how often each pair of the tables of state.h was reached; fewer
 * than WEIR_LEAST times is a failure (once, where no WEIR_OPS is given). scripts/model runs many operations.
 */
#include <signal.h>

#include "life.h"
#include "pipe.h"
#include "pump.h"
#include "readable.h"
#include "writable.h"

#include "model.h"

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
    model_meddle();
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

static struct wr_item new_item(struct node *n)
{
    uint32_t tags[3] = {model_number(NODES + n->id, ++n->written), 0, 0};
    if (n->s.has & WR_OBJECTS_WRITE)
        return (struct wr_item){.object = model_hand(tags[0])};
    return model_bytes_of(tags, rnd(20) ? 1 + rnd(3) : 0);
}

static void op_write(struct node *n, bool end, bool chunk)
{
    struct wr_done done;
    struct record *r = new_record(n, end, &done);
    struct wr_item item = chunk ? new_item(n) : (struct wr_item){0};
    int handle = item.object;
    n->crowded |= chunk;
    n->ended_by_hand |= end;
    if (end)
        wr_pump_catch_up(&world.flow);
    if (!end)
        wr_writable_write(&n->s, item, done);
    else
        wr_writable_end(&n->s, chunk ? &item : NULL, done);
    if (handle)
        model_drop(&world.flow, handle);
    if (r)
        r->returned = true;
}

static void op_unshift(struct node *n)
{
    struct wr_stream *s = &n->s;
    bool takes = s->read != WR_READ_DONE && s->read != WR_READ_ABSENT && !wr_stream_destroyed(s) && !s->errored;
    uint32_t tag = model_number(n->id, ++n->pushed) | UNORDERED;
    n->accepted += takes;
    n->unshifted = true;
    if (s->has & WR_OBJECTS_READ) {
        int handle = model_hand(tag);
        wr_readable_unshift(s, (struct wr_item){.object = handle});
        model_drop(&world.flow, handle);
    } else {
        wr_readable_unshift(s, model_bytes_of(&tag, 1));
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
    wr_pump_catch_up(&world.flow);
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
        struct wr_error *e = model_error();
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
        model_complete(n, which, n->obstinate && chance(5));
    }
}

static void op_destroy(struct node *n, bool with)
{
    struct wr_error *e = with ? model_error() : NULL;
    if (chance(80)) {
        wr_pump_catch_up(&world.flow);
        wr_life_destroy(&n->s, e);
    } else {
        wr_life_abort(&n->s, e);
    }
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
            model_push_some(n, 3);
        break;
    case 4:
        if (chance(30) || n->s.read >= WR_READ_ENDED)
            model_push_empty(n);
        break;
    case 5:
        if (chance(25))
            model_eof(n);
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
        wr_pump_catch_up(&world.flow);
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
    n->reentered |= world.meddling > 0; /* what comes of it may overtake what is on its way */
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

void model_any_operation(void)
{
    struct node *n = world.nodes[rnd((uint32_t)world.count)];
    model_touch();
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

/* ---- a round */

enum { OPS = 300000 };

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
    wr_flow_init(&world.flow, &world.alloc, &model_host, model_free_stream, wake, chance(50));
    world.flow.burst = model_burst;
    world.record_count = world.watcher_count = world.piping_count = world.top = world.depth = world.meddling = 0;
    world.ending = world.converted = false;
    world.misuse = chance(50);
    TRACE("%s%s", world.flow.one ? "one" : "bursts", world.misuse ? ", misuse" : "");
    world.count = 2 + (int)rnd(NODES - 1);
    bool tame = chance(50), all_objects = chance(50);
    for (int i = 0; i < world.count; i++)
        model_new_node(i, tame, all_objects);
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
        model_check();
        for (int i = 0; i < world.count; i++) {
            held |= world.nodes[i]->held != 0;
            if (world.nodes[i]->held)
                model_complete(world.nodes[i], world.nodes[i]->held & (0u - world.nodes[i]->held), false);
        }
    }
    model_check();
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
        model_check_gone(world.nodes[i]);
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

static void on_abort(int sig)
{
    (void)sig;
    model_say_where();
}

/* Who had the signal first: a sanitizer, perhaps. The instruction is run again, for that one to report. cmocka would not say
 * where, so its own handler is replaced. */
static struct sigaction first_handler;

static void on_fault(int sig)
{
    model_say_where();
    sigaction(sig, &first_handler, NULL);
}

/* Prints how often each pair of the tables was reached. The least of them. */
static long long print_reached(void)
{
    long long least = INT64_MAX;
    for (int m = 0; m < WR_MACHINE_COUNT; m++) {
        enum wr_machine machine = (enum wr_machine)m;
        int states, events;
        wr_state_size(machine, &states, &events);
        for (int state = 0; state < states; state++) {
            for (int ev = 0; ev < events; ev++) {
                if (wr_state_next(machine, state, ev) < 0)
                    continue;
                long long times = world.reached[m][state][ev];
                printf("%-12s by %-12s %10lld\n", wr_state_name(machine, state), wr_state_event_name(machine, ev),
                       times);
                least = times < least ? times : least;
            }
        }
    }
    printf("%lld chunks written, %lld bursts, relays of up to %u stages\n", world.chunks, world.bursts, world.longest);
    return least;
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
    long long ops = number_from("WEIR_OPS", 0), ops_left = ops ? ops : OPS;
    long long wanted = number_from("WEIR_LEAST", ops ? 0 : 1);
    world.trace = number_from("WEIR_TRACE", 0) != 0;
    signal(SIGSEGV, on_fault);
    for (; ops_left > 0; ops_left -= ROUND, seed++) {
        world.op = 0;
        begin_round(seed);
        for (world.op = 1; world.op <= ROUND; world.op++) {
            model_any_operation();
            model_check();
        }
        end_round();
    }
    long long least = print_reached();
    if (least < wanted)
        fail_msg("a pair was reached %lld times only, not %lld", least, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations_keep_the_promises)};
    signal(SIGABRT, on_abort);
    sigaction(SIGSEGV, NULL, &first_handler);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
