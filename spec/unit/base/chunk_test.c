/* SPDX-License-Identifier: MIT */
/* Buffers, slices and the queue: who holds a reference when, what is copied and what is not, and that the balance of the
 * allocator is zero after each test, also when an allocation in the middle fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chunk.h"

/* The allocator of a test; answers the allocation after LEFT more with NULL (-1: never). */
struct fixture {
    struct wr_alloc alloc;
    int left;
};

static void *limited(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct fixture *f = user;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    if (f->left == 0)
        return NULL;
    if (f->left > 0)
        f->left--;
    return realloc(ptr, new_size);
}

static struct fixture fixture;

static int setup(void **state)
{
    fixture.left = -1;
    wr_alloc_init(&fixture.alloc, limited, &fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    return wr_alloc_balance(&f->alloc) == 0 ? 0 : -1;
}

static struct wr_chunk text(struct fixture *f, const char *s)
{
    struct wr_chunk c;
    assert_int_equal(wr_chunk_copy(&f->alloc, &c, s, strlen(s)), 0);
    return c;
}

static void assert_text(const struct wr_chunk *c, const char *s)
{
    assert_int_equal(c->len, strlen(s));
    if (c->len > 0)
        assert_memory_equal(c->data, s, c->len);
}

/* Takes the first slice out and compares it. */
static void assert_takes(struct wr_queue *q, const char *s)
{
    struct wr_chunk c = wr_queue_take(q);
    assert_text(&c, s);
    wr_chunk_clear(&c);
}

static void buffer_lives_until_the_last_reference(void **state)
{
    struct fixture *f = *state;
    struct wr_buffer *b = wr_buffer_new(&f->alloc, 100);
    assert_int_equal(b->refs, 1);
    assert_int_equal(b->size, 100);
    assert_ptr_equal(wr_buffer_ref(b), b);
    wr_buffer_unref(b);
    memset(b->data, 'x', 100);
    wr_buffer_unref(b);
    wr_buffer_unref(NULL);
    assert_int_equal(wr_alloc_balance(&f->alloc), 0);
}

static void buffer_too_large_is_no_memory(void **state)
{
    struct fixture *f = *state;
    assert_null(wr_buffer_new(&f->alloc, SIZE_MAX));
    assert_null(wr_buffer_new(&f->alloc, SIZE_MAX - sizeof(struct wr_buffer) + 1));
}

static void slices_share_the_buffer(void **state)
{
    struct fixture *f = *state;
    struct wr_buffer *b = wr_buffer_new(&f->alloc, 11);
    memcpy(b->data, "hello world", 11);
    struct wr_chunk all = wr_chunk_slice(b, 0, 11);
    struct wr_chunk world = wr_chunk_part(&all, 6, 5);
    struct wr_chunk again = wr_chunk_ref(&world);
    assert_int_equal(b->refs, 4);
    wr_buffer_unref(b);
    wr_chunk_clear(&all);
    wr_chunk_clear(&world);
    assert_null(world.buffer);
    assert_int_equal(world.len, 0);
    assert_text(&again, "world");
    assert_ptr_equal(again.data, b->data + 6);
    wr_chunk_clear(&again);
}

static void empty_slices_hold_nothing(void **state)
{
    struct fixture *f = *state;
    struct wr_chunk none = text(f, "");
    assert_null(none.buffer);
    struct wr_chunk other = wr_chunk_ref(&none);
    struct wr_chunk some = text(f, "abc");
    struct wr_chunk part = wr_chunk_part(&some, 3, 0);
    assert_int_equal(some.buffer->refs, 1);
    assert_int_equal(part.len, 0);
    wr_chunk_clear(&none);
    wr_chunk_clear(&other);
    wr_chunk_clear(&part);
    wr_chunk_clear(&some);
    wr_chunk_clear(&some);
}

static void queue_is_first_in_first_out(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    wr_queue_init(&q, &f->alloc);
    assert_null(wr_queue_peek(&q, 0));
    assert_takes(&q, "");
    assert_int_equal(wr_queue_push(&q, text(f, "b")), 0);
    assert_int_equal(wr_queue_push(&q, text(f, "cc")), 0);
    assert_int_equal(wr_queue_unshift(&q, text(f, "aaa")), 0);
    assert_int_equal(q.count, 3);
    assert_int_equal(q.bytes, 6);
    assert_text(wr_queue_peek(&q, 0), "aaa");
    assert_text(wr_queue_peek(&q, 2), "cc");
    assert_null(wr_queue_peek(&q, 3));
    assert_takes(&q, "aaa");
    assert_takes(&q, "b");
    assert_takes(&q, "cc");
    assert_int_equal(q.bytes, 0);
    wr_queue_clear(&q);
}

static void queue_grows_while_it_is_wrapped(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    char name[16];
    int in = 0, out = 0;
    wr_queue_init(&q, &f->alloc);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 3; i++) {
            (void)snprintf(name, sizeof name, "%d", in++);
            assert_int_equal(wr_queue_push(&q, text(f, name)), 0);
        }
        for (int i = 0; i < 2; i++) {
            (void)snprintf(name, sizeof name, "%d", out++);
            assert_takes(&q, name);
        }
    }
    assert_int_equal(q.count, 200);
    for (uint32_t i = 0; i < q.count; i++) {
        (void)snprintf(name, sizeof name, "%d", out + (int)i);
        assert_text(wr_queue_peek(&q, i), name);
    }
    wr_queue_clear(&q);
}

static void bytes_come_as_one_slice(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    struct wr_chunk c;
    wr_queue_init(&q, &f->alloc);
    const char *words[] = {"stream", "", "s ", "of", " bytes"};
    for (int i = 0; i < 5; i++)
        assert_int_equal(wr_queue_push(&q, text(f, words[i])), 0);
    assert_int_equal(q.bytes, 16);

    const unsigned char *at = wr_queue_peek(&q, 0)->data;
    assert_int_equal(wr_queue_take_bytes(&q, 4, &c), 0);
    assert_text(&c, "stre");
    assert_ptr_equal(c.data, at); /* out of one slice: not copied */
    wr_chunk_clear(&c);
    assert_int_equal(wr_queue_take_bytes(&q, 7, &c), 0);
    assert_text(&c, "ams of ");
    wr_chunk_clear(&c);
    assert_int_equal(wr_queue_take_bytes(&q, 0, &c), 0);
    assert_text(&c, "");
    assert_int_equal(q.bytes, 5);
    assert_int_equal(wr_queue_take_bytes(&q, 5, &c), 0);
    assert_text(&c, "bytes");
    assert_int_equal(q.bytes, 0);
    wr_chunk_clear(&c);
    wr_queue_clear(&q);
}

static void drop_gives_back_what_it_passes(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    wr_queue_init(&q, &f->alloc);
    struct wr_chunk held = text(f, "abc");
    assert_int_equal(wr_queue_push(&q, wr_chunk_ref(&held)), 0);
    assert_int_equal(wr_queue_push(&q, text(f, "defg")), 0);
    wr_queue_drop(&q, 2);
    assert_int_equal(held.buffer->refs, 2);
    assert_text(wr_queue_peek(&q, 0), "c");
    wr_queue_drop(&q, 2);
    assert_int_equal(held.buffer->refs, 1);
    assert_text(wr_queue_peek(&q, 0), "efg");
    assert_int_equal(q.bytes, 3);
    wr_queue_drop(&q, 3);
    assert_int_equal(q.bytes, 0);
    wr_chunk_clear(&held);
    wr_queue_clear(&q);
}

static void failed_push_takes_its_slice_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    wr_queue_init(&q, &f->alloc);
    struct wr_chunk first = text(f, "first"), second = text(f, "second");
    f->left = 0;
    assert_int_equal(wr_queue_push(&q, first), -1);
    assert_int_equal(wr_queue_unshift(&q, second), -1);
    assert_int_equal(q.count, 0);
    assert_int_equal(q.bytes, 0);
    struct wr_chunk c = {NULL, NULL, 1};
    assert_int_equal(wr_chunk_copy(&f->alloc, &c, "x", 1), -1);
    assert_int_equal(c.len, 0);
    wr_queue_clear(&q);
}

static void reserved_pushes_cannot_fail(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    wr_queue_init(&q, &f->alloc);
    struct wr_chunk c = text(f, "again");
    assert_int_equal(wr_queue_reserve(&q, 100), 0);
    f->left = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(wr_queue_push(&q, wr_chunk_ref(&c)), 0);
    assert_int_equal(wr_queue_reserve(&q, UINT32_MAX), -1);
    assert_int_equal(q.count, 100);
    wr_chunk_clear(&c);
    wr_queue_clear(&q);
}

static void failed_take_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct wr_queue q;
    struct wr_chunk c;
    wr_queue_init(&q, &f->alloc);
    assert_int_equal(wr_queue_push(&q, text(f, "ab")), 0);
    assert_int_equal(wr_queue_push(&q, text(f, "cd")), 0);
    f->left = 0;
    assert_int_equal(wr_queue_take_bytes(&q, 3, &c), -1);
    assert_int_equal(c.len, 0);
    assert_int_equal(q.bytes, 4);
    f->left = -1;
    assert_int_equal(wr_queue_take_bytes(&q, 3, &c), 0);
    assert_text(&c, "abc");
    wr_chunk_clear(&c);
    wr_queue_clear(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buffer_lives_until_the_last_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(buffer_too_large_is_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(slices_share_the_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_slices_hold_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(queue_is_first_in_first_out, setup, teardown),
        cmocka_unit_test_setup_teardown(queue_grows_while_it_is_wrapped, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_come_as_one_slice, setup, teardown),
        cmocka_unit_test_setup_teardown(drop_gives_back_what_it_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_push_takes_its_slice_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(reserved_pushes_cannot_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_take_takes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
