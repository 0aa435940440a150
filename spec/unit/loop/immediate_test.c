/* SPDX-License-Identifier: MIT */
/* Immediates: their order, and that those started by immediates wait for the next turn. */
#include "fixture.h"
#include "immediate.h"

struct noted {
    struct wr_immediate immediate;
    struct fixture *f;
    struct noted *other;
    char letter;
    int again;
};

static void came(struct wr_immediate *i)
{
    struct noted *n = (struct noted *)i;
    assert_false(wr_immediate_active(i));
    note(n->f, n->letter);
}

static void init(struct noted *n, struct fixture *f, char letter, wr_immediate_fn *fn)
{
    memset(n, 0, sizeof *n);
    n->f = f;
    n->letter = letter;
    wr_immediate_init(&n->immediate, f->loop, fn);
}

static void again(struct wr_immediate *i)
{
    struct noted *n = (struct noted *)i;
    came(i);
    if (n->again-- > 0)
        wr_immediate_start(i);
}

static void they_come_in_order_with_a_drain_each(void **state)
{
    struct fixture *f = *state;
    struct noted n[3];
    f->log_drains = true;
    for (int i = 0; i < 3; i++) {
        init(&n[i], f, (char)('a' + i), came);
        wr_immediate_start(&n[i].immediate);
        wr_immediate_start(&n[i].immediate);
    }
    assert_true(wr_immediate_active(&n[0].immediate));
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "a.b.c.");
}

static void one_started_by_an_immediate_waits_for_the_next_turn(void **state)
{
    struct fixture *f = *state;
    struct noted a, b;
    init(&a, f, 'a', again);
    init(&b, f, 'b', came);
    a.again = 2;
    wr_immediate_start(&a.immediate);
    wr_immediate_start(&b.immediate);
    assert_true(wr_loop_turn(f->loop, true));
    assert_string_equal(f->log, "ab");
    assert_true(wr_loop_turn(f->loop, true));
    assert_string_equal(f->log, "aba");
    assert_false(wr_loop_turn(f->loop, true));
    assert_string_equal(f->log, "abaa");
}

static void stop_other(struct wr_immediate *i)
{
    came(i);
    wr_immediate_stop(&((struct noted *)i)->other->immediate);
}

static void one_can_be_stopped_from_the_middle_of_a_run(void **state)
{
    struct fixture *f = *state;
    struct noted a, b, c;
    init(&a, f, 'a', stop_other);
    init(&b, f, 'b', came);
    init(&c, f, 'c', came);
    a.other = &b;
    wr_immediate_start(&a.immediate);
    wr_immediate_start(&b.immediate);
    wr_immediate_start(&c.immediate);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "ac");
    wr_immediate_stop(&b.immediate);
}

static void free_it(struct wr_immediate *i)
{
    free(i);
}

static void a_callback_may_free_its_memory(void **state)
{
    struct fixture *f = *state;
    struct noted *n = malloc(sizeof *n);
    init(n, f, 'x', free_it);
    wr_immediate_start(&n->immediate);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(f->drains, 1);
}

static void weak_ones_come_only_if_there_is_a_turn(void **state)
{
    struct fixture *f = *state;
    struct noted a, b;
    init(&a, f, 'a', came);
    init(&b, f, 'b', came);
    wr_immediate_start(&a.immediate);
    wr_immediate_unref(&a.immediate);
    wr_immediate_unref(&a.immediate);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "");
    wr_immediate_start(&b.immediate);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "ab");
    wr_immediate_start(&a.immediate);
    wr_immediate_ref(&a.immediate);
    wr_immediate_ref(&a.immediate);
    assert_true(wr_loop_alive(f->loop));
    wr_immediate_stop(&a.immediate);
    assert_false(wr_loop_alive(f->loop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(they_come_in_order_with_a_drain_each),
        loop_test(one_started_by_an_immediate_waits_for_the_next_turn),
        loop_test(one_can_be_stopped_from_the_middle_of_a_run),
        loop_test(a_callback_may_free_its_memory),
        loop_test(weak_ones_come_only_if_there_is_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
