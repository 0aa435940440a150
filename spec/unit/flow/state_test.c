/* SPDX-License-Identifier: MIT */
/* Every (state, event) pair of the three machines. What is expected is written out from the rules at the head of state.h: a
 * row a state, a column an event, NONE where the rules say that it cannot happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "state.h"

enum { NONE = -1 };

static void assert_pairs(enum wr_machine machine, const int *expected, int states, int events)
{
    int has_states, has_events;
    wr_state_size(machine, &has_states, &has_events);
    assert_int_equal(has_states, states);
    assert_int_equal(has_events, events);
    for (int state = 0; state < states; state++) {
        for (int event = 0; event < events; event++) {
            int next = wr_state_next(machine, state, event), wanted = expected[state * events + event];
            if (next != wanted)
                fail_msg("%s by %s: %s, not %s", wr_state_name(machine, state), wr_state_event_name(machine, event),
                         next < 0 ? "none" : wr_state_name(machine, next),
                         wanted < 0 ? "none" : wr_state_name(machine, wanted));
        }
    }
}

/* A stream is constructed once, destroyed once (while it is being constructed, it waits for that), its `destroy` completes
 * once, and closes once; in no other order. */
static void life_has_its_pairs(void **state)
{
    (void)state;
    static const int expected[][4] = {
        /*               constructed         destroy             destroyed       close */
        /* CONSTRUCTING */ {WR_LIFE_OPEN, WR_LIFE_DOOMED, NONE, NONE},
        /* OPEN */ {NONE, WR_LIFE_DESTROYING, NONE, NONE},
        /* DOOMED */ {WR_LIFE_DESTROYING, NONE, NONE, NONE},
        /* DESTROYING */ {NONE, NONE, WR_LIFE_CLOSED, NONE},
        /* CLOSED */ {NONE, NONE, NONE, WR_LIFE_GONE},
        /* GONE */ {NONE, NONE, NONE, NONE},
    };
    assert_pairs(WR_MACHINE_LIFE, expected[0], 6, 4);
}

/* `read` is asked only while it is not out; a push answers it, and changes nothing where nobody asked; the end comes from
 * either, and stays; 'end' once, after it. A push after the end (an empty one, or one that is an error) is no way back. */
static void readable_has_its_pairs(void **state)
{
    (void)state;
    static const int expected[][4] = {
        /*               ask              push          eof           end */
        /* ABSENT */ {NONE, NONE, NONE, NONE},
        /* IDLE */ {WR_READ_READING, WR_READ_IDLE, WR_READ_ENDED, NONE},
        /* READING */ {NONE, WR_READ_IDLE, WR_READ_ENDED, NONE},
        /* ENDED */ {NONE, WR_READ_ENDED, WR_READ_ENDED, WR_READ_DONE},
        /* DONE */ {NONE, WR_READ_DONE, WR_READ_DONE, NONE},
    };
    assert_pairs(WR_MACHINE_READ, expected[0], 5, 4);
}

/* end() once; `final`, where there is one, before 'prefinish'; 'finish' after it. */
static void writable_has_its_pairs(void **state)
{
    (void)state;
    static const int expected[][4] = {
        /*               end              final           prefinish             finish */
        /* ABSENT */ {NONE, NONE, NONE, NONE},
        /* OPEN */ {WR_WRITE_ENDING, NONE, NONE, NONE},
        /* ENDING */ {NONE, WR_WRITE_FINAL, WR_WRITE_PREFINISHED, NONE},
        /* FINAL */ {NONE, NONE, WR_WRITE_PREFINISHED, NONE},
        /* PREFINISHED */ {NONE, NONE, NONE, WR_WRITE_FINISHED},
        /* FINISHED */ {NONE, NONE, NONE, NONE},
    };
    assert_pairs(WR_MACHINE_WRITE, expected[0], 6, 4);
}

/* No machine goes back, but from READING to IDLE. */
static void machines_only_go_forward(void **state)
{
    (void)state;
    for (int machine = 0; machine < WR_MACHINE_COUNT; machine++) {
        int states, events;
        wr_state_size(machine, &states, &events);
        for (int from = 0; from < states; from++) {
            for (int event = 0; event < events; event++) {
                int to = wr_state_next(machine, from, event);
                bool answered = machine == WR_MACHINE_READ && from == WR_READ_READING && to == WR_READ_IDLE;
                assert_true(to < 0 || to >= from || answered);
                assert_true(to < states);
            }
        }
    }
}

static void names_are_those_of_the_lists(void **state)
{
    (void)state;
    assert_string_equal(wr_state_name(WR_MACHINE_LIFE, WR_LIFE_DOOMED), "DOOMED");
    assert_string_equal(wr_state_name(WR_MACHINE_READ, WR_READ_ABSENT), "ABSENT");
    assert_string_equal(wr_state_name(WR_MACHINE_WRITE, WR_WRITE_PREFINISHED), "PREFINISHED");
    assert_string_equal(wr_state_event_name(WR_MACHINE_LIFE, WR_LIFE_ON_CLOSE), "CLOSE");
    assert_string_equal(wr_state_event_name(WR_MACHINE_READ, WR_READ_ON_EOF), "EOF");
    assert_string_equal(wr_state_event_name(WR_MACHINE_WRITE, WR_WRITE_ON_END), "END");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_has_its_pairs),           cmocka_unit_test(readable_has_its_pairs),
        cmocka_unit_test(writable_has_its_pairs),       cmocka_unit_test(machines_only_go_forward),
        cmocka_unit_test(names_are_those_of_the_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
