/* SPDX-License-Identifier: MIT */
/* The door for memory: what is out is counted exactly, and an embedder's function sees every request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"

/* An embedder's allocator that checks the sizes it is told and can refuse. */
struct meter {
    size_t out;
    int refuse;
};

static void *metered(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct meter *m = user;
    if (new_size == 0) {
        m->out -= old_size;
        free(ptr);
        return NULL;
    }
    if (m->refuse)
        return NULL;
    m->out += new_size - old_size;
    return realloc(ptr, new_size);
}

static void balance_follows_get_resize_free(void **state)
{
    (void)state;
    struct wr_alloc a;
    wr_alloc_init(&a, NULL, NULL);
    assert_int_equal(wr_alloc_balance(&a), 0);

    char *p = wr_alloc_get(&a, 100);
    assert_non_null(p);
    strcpy(p, "kept");
    assert_int_equal(wr_alloc_balance(&a), 100);
    p = wr_alloc_resize(&a, p, 100, 5000);
    assert_string_equal(p, "kept");
    assert_int_equal(wr_alloc_balance(&a), 5000);
    p = wr_alloc_resize(&a, p, 5000, 10);
    assert_string_equal(p, "kept");
    assert_int_equal(wr_alloc_balance(&a), 10);
    wr_alloc_free(&a, p, 10);
    assert_int_equal(wr_alloc_balance(&a), 0);
}

static void zero_clears(void **state)
{
    (void)state;
    struct wr_alloc a;
    wr_alloc_init(&a, NULL, NULL);
    unsigned char *p = wr_alloc_zero(&a, 4096);
    for (int i = 0; i < 4096; i++)
        assert_int_equal(p[i], 0);
    wr_alloc_free(&a, p, 4096);
}

static void resize_of_null_allocates_and_free_of_null_does_nothing(void **state)
{
    (void)state;
    struct wr_alloc a;
    wr_alloc_init(&a, NULL, NULL);
    wr_alloc_free(&a, NULL, 77);
    assert_int_equal(wr_alloc_balance(&a), 0);
    void *p = wr_alloc_resize(&a, NULL, 0, 16);
    assert_int_equal(wr_alloc_balance(&a), 16);
    wr_alloc_free(&a, p, 16);
}

static void embedder_sees_every_size(void **state)
{
    (void)state;
    struct meter m = {0, 0};
    struct wr_alloc a;
    wr_alloc_init(&a, metered, &m);
    void *p = wr_alloc_get(&a, 30);
    void *q = wr_alloc_zero(&a, 12);
    assert_int_equal(m.out, 42);
    p = wr_alloc_resize(&a, p, 30, 60);
    assert_int_equal(m.out, 72);
    assert_int_equal(wr_alloc_balance(&a), 72);
    wr_alloc_free(&a, p, 60);
    wr_alloc_free(&a, q, 12);
    assert_int_equal(m.out, 0);
}

static void refusal_changes_nothing(void **state)
{
    (void)state;
    struct meter m = {0, 0};
    struct wr_alloc a;
    wr_alloc_init(&a, metered, &m);
    char *p = wr_alloc_get(&a, 8);
    strcpy(p, "kept");
    m.refuse = 1;
    assert_null(wr_alloc_get(&a, 1));
    assert_null(wr_alloc_zero(&a, 1));
    assert_null(wr_alloc_resize(&a, p, 8, 1000));
    assert_string_equal(p, "kept");
    assert_int_equal(wr_alloc_balance(&a), 8);
    wr_alloc_free(&a, p, 8);
    assert_int_equal(wr_alloc_balance(&a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balance_follows_get_resize_free),
        cmocka_unit_test(zero_clears),
        cmocka_unit_test(resize_of_null_allocates_and_free_of_null_does_nothing),
        cmocka_unit_test(embedder_sees_every_size),
        cmocka_unit_test(refusal_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
