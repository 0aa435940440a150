/* SPDX-License-Identifier: MIT */
/* What the tests of loop/ share: a loop whose drain hook is counted, and a text where callbacks leave letters. */
#ifndef WR_SPEC_LOOP_FIXTURE_H
#define WR_SPEC_LOOP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "loop.h"

struct fixture {
    struct wr_alloc alloc;
    struct wr_loop *loop;
    char log[256];
    unsigned drains; /* calls of the hook */
    unsigned more;   /* that many times the hook says that there is more */
    bool log_drains; /* each as a '.' */
};

static inline void note(struct fixture *f, char letter)
{
    size_t len = strlen(f->log);
    assert_true(len + 1 < sizeof f->log);
    f->log[len] = letter;
}

static inline bool count_drain(void *user)
{
    struct fixture *f = user;
    assert_true(wr_loop_inside(f->loop));
    f->drains++;
    if (f->log_drains)
        note(f, '.');
    if (f->more == 0)
        return false;
    f->more--;
    return true;
}

static inline void open_on(struct fixture *f, struct ev_loop *borrowed)
{
    memset(f, 0, sizeof *f);
    wr_alloc_init(&f->alloc, NULL, NULL);
    f->loop = wr_loop_new(&f->alloc, wr_sys_default(), borrowed);
    assert_non_null(f->loop);
    wr_loop_on_drain(f->loop, count_drain, f);
}

static inline int open_loop(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    open_on(f, NULL);
    *state = f;
    return 0;
}

static inline void close_on(struct fixture *f)
{
    assert_false(wr_loop_alive(f->loop));
    wr_loop_free(f->loop);
    assert_int_equal(wr_alloc_balance(&f->alloc), 0);
}

static inline int close_loop(void **state)
{
    close_on(*state);
    free(*state);
    return 0;
}

/* Sleeps so long that a timer of MS milliseconds, started before, is due. */
static inline void pass(long ms)
{
    struct timespec t = {0, (ms + 1) * 1000000};
    nanosleep(&t, NULL);
}

#define loop_test(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

#endif
