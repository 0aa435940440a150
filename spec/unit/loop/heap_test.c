/* SPDX-License-Identifier: MIT */
/* The heap against a plain search: what is least, with insertions and removals anywhere, is least. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap.h"

enum { SMALL = 60, LARGE = 300000 };

static uint32_t seed = 1;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

static struct wr_heap_node *least(struct wr_heap_node *nodes)
{
    struct wr_heap_node *best = NULL;
    for (int i = 0; i < SMALL; i++) {
        struct wr_heap_node *n = &nodes[i];
        if (!wr_heap_has(n))
            continue;
        if (!best || n->key < best->key || (n->key == best->key && n->number < best->number))
            best = n;
    }
    return best;
}

static void peek_is_the_least_whatever_happened(void **state)
{
    (void)state;
    struct wr_heap h;
    struct wr_heap_node nodes[SMALL];
    wr_heap_init(&h);
    for (int i = 0; i < SMALL; i++)
        wr_heap_node_init(&nodes[i]);
    for (int step = 0; step < 100000; step++) {
        struct wr_heap_node *n = random_below(4) ? &nodes[random_below(SMALL)] : wr_heap_peek(&h);
        if (n && wr_heap_has(n))
            wr_heap_remove(&h, n);
        else if (n)
            wr_heap_insert(&h, n, random_below(20));
        assert_ptr_equal(wr_heap_peek(&h), least(nodes));
    }
}

static void equal_keys_come_in_order_of_insertion(void **state)
{
    (void)state;
    struct wr_heap h;
    struct wr_heap_node nodes[SMALL];
    wr_heap_init(&h);
    for (int i = 0; i < SMALL; i++) {
        wr_heap_node_init(&nodes[i]);
        wr_heap_insert(&h, &nodes[i], (uint64_t)(i % 3));
    }
    for (int key = 0; key < 3; key++) {
        for (int i = key; i < SMALL; i += 3) {
            assert_ptr_equal(wr_heap_peek(&h), &nodes[i]);
            wr_heap_remove(&h, &nodes[i]);
        }
    }
    assert_null(wr_heap_peek(&h));
}

static void many_come_out_sorted(void **state)
{
    (void)state;
    struct wr_heap h;
    struct wr_heap_node *nodes = calloc(LARGE, sizeof *nodes);
    wr_heap_init(&h);
    for (int i = 0; i < LARGE; i++)
        wr_heap_insert(&h, &nodes[i], random_below(1000));
    for (int i = 0; i < LARGE; i += 3)
        wr_heap_remove(&h, &nodes[i]);
    uint64_t key = 0;
    int count = 0;
    for (struct wr_heap_node *n; (n = wr_heap_peek(&h)); count++) {
        assert_true(n->key >= key);
        key = n->key;
        wr_heap_remove(&h, n);
        assert_false(wr_heap_has(n));
    }
    assert_int_equal(count, LARGE - LARGE / 3);
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peek_is_the_least_whatever_happened),
        cmocka_unit_test(equal_keys_come_in_order_of_insertion),
        cmocka_unit_test(many_come_out_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
