/* SPDX-License-Identifier: MIT */
/* Timers: their order, their delays, stopping and starting from anywhere. No test asks that a timer be on time, only
 * that it is never early.
 */
#include <math.h>

#include "fixture.h"
#include "immediate.h"
#include "timer.h"

enum { MANY = 100000 };

struct noted {
    struct wr_timer timer;
    struct fixture *f;
    struct noted *other;
    char letter;
    int calls;
};

static void came(struct wr_timer *t)
{
    struct noted *n = (struct noted *)t;
    n->calls++;
    note(n->f, n->letter);
}

static void init(struct noted *n, struct fixture *f, char letter, wr_timer_fn *fn)
{
    memset(n, 0, sizeof *n);
    n->f = f;
    n->letter = letter;
    wr_timer_init(&n->timer, f->loop, fn);
}

static void start(struct noted *n, struct fixture *f, char letter, double delay)
{
    init(n, f, letter, came);
    wr_timer_start(&n->timer, delay, false);
}

static void they_fire_in_order_of_deadline_then_of_start(void **state)
{
    struct fixture *f = *state;
    struct noted n[6];
    const double delays[] = {60, 5, 30, 5, 30, 5};
    for (int i = 0; i < 6; i++)
        start(&n[i], f, (char)('a' + i), delays[i]);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "bdfcea");
    assert_int_equal(f->drains, 6);
}

static void they_fire_in_order_though_all_are_late(void **state)
{
    struct fixture *f = *state;
    struct noted a, b, c;
    start(&a, f, 'a', 40);
    start(&b, f, 'b', 20);
    start(&c, f, 'c', 20);
    pass(40);
    wr_loop_turn(f->loop, false);
    assert_string_equal(f->log, "bca");
}

static void a_strange_delay_is_one(void **state)
{
    struct fixture *f = *state;
    const double delays[] = {1.9, 0, -5, NAN, INFINITY, 2147483648.0, 1};
    struct noted n[7];
    for (int i = 0; i < 7; i++)
        start(&n[i], f, (char)('a' + i), delays[i]);
    for (int i = 1; i < 7; i++)
        assert_true(n[i].timer.node.key - n[0].timer.node.key < 1000000000);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "abcdefg");
    start(&n[0], f, 'x', 2147483647.0);
    assert_true(n[0].timer.node.key > wr_loop_hrtime(f->loop) + 2147483000ull * 1000000);
    wr_timer_stop(&n[0].timer);
}

static void none_is_early(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    for (int ms = 1; ms < 8; ms++) {
        pass(0); /* libev's clock is old by now */
        uint64_t before = wr_loop_hrtime(f->loop);
        start(&n, f, 'x', ms);
        assert_true(wr_loop_run(f->loop));
        assert_true(wr_loop_hrtime(f->loop) - before >= (uint64_t)ms * 1000000);
    }
}

static void in_timer(struct wr_timer *t)
{
    struct noted *n = (struct noted *)t;
    came(t);
    start(n->other, n->f, 'b', 1);
    pass(1);
}

static void immediate_came(struct wr_immediate *i)
{
    (void)i;
}

static void one_started_by_a_timer_waits_for_a_later_turn(void **state)
{
    struct fixture *f = *state;
    struct noted a, b;
    struct wr_immediate m;
    init(&a, f, 'a', in_timer);
    a.other = &b;
    wr_timer_start(&a.timer, 1, false);
    wr_immediate_init(&m, f->loop, immediate_came); /* so that the turn does not block */
    pass(1);
    wr_immediate_start(&m);
    wr_loop_turn(f->loop, true);
    assert_string_equal(f->log, "a");
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "ab");
}

static void three_times(struct wr_timer *t)
{
    struct noted *n = (struct noted *)t;
    assert_true(wr_timer_active(t));
    came(t);
    if (n->calls == 3)
        wr_timer_stop(t);
}

static void repeating_ones_go_on_until_stopped(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n, f, 'r', three_times);
    uint64_t before = wr_loop_hrtime(f->loop);
    wr_timer_start(&n.timer, 2, true);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.calls, 3);
    assert_true(wr_loop_hrtime(f->loop) - before >= 6000000);
    assert_int_equal(f->drains, 3);
}

static void busy(struct wr_timer *t)
{
    pass(3);
    three_times(t);
}

static void an_interval_shorter_than_its_callback_lets_others_in(void **state)
{
    struct fixture *f = *state;
    struct noted n, other;
    init(&n, f, 'r', busy);
    wr_timer_start(&n.timer, 1, true);
    start(&other, f, 'o', 2);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.calls, 3);
    assert_int_equal(other.calls, 1);
    assert_true(f->log[2] != 'r' || f->log[1] != 'r');
}

static void stop_other(struct wr_timer *t)
{
    struct noted *n = (struct noted *)t;
    came(t);
    wr_timer_stop(&n->other->timer);
}

static void one_that_is_stopped_does_not_fire(void **state)
{
    struct fixture *f = *state;
    struct noted a, b, c;
    init(&a, f, 'a', stop_other);
    a.other = &b;
    wr_timer_start(&a.timer, 1, false);
    start(&b, f, 'b', 1);
    start(&c, f, 'c', 1);
    pass(1);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "ac");
    assert_false(wr_timer_active(&b.timer));
    wr_timer_stop(&b.timer);
}

static void restart(struct wr_timer *t)
{
    struct noted *n = (struct noted *)t;
    assert_false(wr_timer_active(t));
    came(t);
    if (n->calls < 3)
        wr_timer_start(t, 1, false);
}

static void one_shots_may_start_again_from_their_callback(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    init(&n, f, 'x', restart);
    wr_timer_start(&n.timer, 1, false);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.calls, 3);
}

static void starting_again_counts_from_now(void **state)
{
    struct fixture *f = *state;
    struct noted a, b;
    start(&a, f, 'a', 1);
    start(&b, f, 'b', 2);
    wr_timer_start(&a.timer, 50, false);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "ba");
}

static void free_it(struct wr_timer *t)
{
    wr_timer_stop(t);
    free(t);
}

static void a_callback_may_free_its_memory(void **state)
{
    struct fixture *f = *state;
    for (int repeat = 0; repeat < 2; repeat++) {
        struct noted *n = malloc(sizeof *n);
        init(n, f, 'x', free_it);
        wr_timer_start(&n->timer, 1, repeat);
        assert_true(wr_loop_run(f->loop));
    }
}

static void weak_ones_do_not_keep_it_alive(void **state)
{
    struct fixture *f = *state;
    struct noted weak, strong;
    start(&weak, f, 'w', 100000);
    wr_timer_unref(&weak.timer);
    wr_timer_unref(&weak.timer);
    assert_true(wr_loop_run(f->loop));
    wr_timer_start(&weak.timer, 1, true);
    start(&strong, f, 's', 20);
    assert_true(wr_loop_run(f->loop));
    assert_true(weak.calls > 0);
    wr_timer_ref(&weak.timer);
    wr_timer_ref(&weak.timer);
    assert_true(wr_loop_alive(f->loop));
    wr_timer_stop(&weak.timer);
    wr_timer_unref(&weak.timer);
}

static uint64_t last_key;

static void in_order(struct wr_timer *t)
{
    struct noted *n = (struct noted *)t;
    assert_true(t->node.key >= last_key);
    last_key = t->node.key;
    n->calls++;
}

static void many_all_fire_once_and_in_order(void **state)
{
    struct fixture *f = *state;
    struct noted *n = calloc(MANY, sizeof *n);
    last_key = 0;
    for (int i = 0; i < MANY; i++) {
        wr_timer_init(&n[i].timer, f->loop, in_order);
        wr_timer_start(&n[i].timer, 1 + i * 7919 % 50, false);
    }
    for (int i = 0; i < MANY; i += 2)
        wr_timer_stop(&n[i].timer);
    assert_true(wr_loop_run(f->loop));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(n[i].calls, i % 2);
    assert_int_equal(f->drains, MANY / 2);
    free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(they_fire_in_order_of_deadline_then_of_start),
        loop_test(they_fire_in_order_though_all_are_late),
        loop_test(a_strange_delay_is_one),
        loop_test(none_is_early),
        loop_test(one_started_by_a_timer_waits_for_a_later_turn),
        loop_test(repeating_ones_go_on_until_stopped),
        loop_test(an_interval_shorter_than_its_callback_lets_others_in),
        loop_test(one_that_is_stopped_does_not_fire),
        loop_test(one_shots_may_start_again_from_their_callback),
        loop_test(starting_again_counts_from_now),
        loop_test(a_callback_may_free_its_memory),
        loop_test(weak_ones_do_not_keep_it_alive),
        loop_test(many_all_fire_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
