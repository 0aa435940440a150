/* SPDX-License-Identifier: MIT */
/* A codec worn as a transform. What is looked at: that what comes out is right and the same however the input was cut and the
 * jobs were ordered, where it stops when nobody reads, what a write is worth, and what a flush brings out. Each test ends with
 * the balance of the allocator at zero. */
#include "wornsuit.h"

/* ---- compressing in sections */

static void sections_do_not_depend_on_the_cuts_nor_on_the_order(void **state)
{
    struct world *f = *state;
    static const size_t cuts[] = {1 << 20, 65536, 40000, 39999, 1000, 313};
    struct bytes plain = prose(333333), first = {0};
    for (unsigned i = 0; i < 2 * sizeof cuts / sizeof *cuts; i++) {
        struct suit u;
        f->newest_first = i % 2;
        assert_true(put_on(f, &u, gzip));
        listen(&u);
        feed(&u, plain.at, plain.len, cuts[i / 2]);
        assert_string_equal(u.trace, "efc");
        if (i == 0) {
            first = (struct bytes){malloc(u.out_len), u.out_len};
            memcpy(first.at, u.out, u.out_len);
        }
        assert_bytes(u.out, u.out_len, first);
        take_off(&u);
    }
    struct bytes back = gunzipped(f, first.at, first.len), serial = gzipped(f, plain.at, plain.len);
    assert_bytes(back.at, back.len, plain);
    assert_true(first.len < serial.len + serial.len / 100); /* the window was used */
    free(plain.at);
    free(first.at);
    free(back.at);
    free(serial.at);
}

static void sections_are_worked_at_once(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    drain(f);
    for (int i = 0; i < 4; i++)
        write_bytes(&u, plain.at + i * SECTION, SECTION, NOBODY);
    assert_int_equal(f->job_count, 3);
    assert_int_equal(wr_writable_length(&u.s), SECTION); /* the fourth is not taken ahead */
    run(f);
    assert_int_equal(wr_worn_taken(u.worn), 4 * SECTION);
    wr_life_destroy(&u.s, NULL);
    run(f);
    take_off(&u);
    free(plain.at);
}

static void input_of_whole_sections_ends_right(void **state)
{
    struct world *f = *state;
    for (size_t len = 0; len <= 2 * SECTION; len += SECTION) {
        struct bytes plain = prose(len);
        struct suit u;
        assert_true(put_on(f, &u, gzip));
        listen(&u);
        feed(&u, plain.at, plain.len, SECTION);
        assert_string_equal(u.trace, "efc");
        struct bytes back = gunzipped(f, u.out, u.out_len);
        assert_bytes(back.at, back.len, plain);
        take_off(&u);
        free(plain.at);
        free(back.at);
    }
}

/* ---- where it works */

static void small_input_waits_for_a_tick_and_needs_no_pool(void **state)
{
    struct world *f = *state;
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    drain(f);
    write_bytes(&u, "hello ", 6, NOBODY);
    write_bytes(&u, "world", 5, NOBODY);
    assert_int_equal(wr_worn_taken(u.worn), 0);
    wr_writable_end(&u.s, NULL, NOBODY);
    assert_int_equal(wr_worn_taken(u.worn), 0);
    drain(f);
    assert_int_equal(f->submitted, 0);
    assert_int_equal(wr_worn_taken(u.worn), 11);
    assert_int_equal(u.chunks, 1);
    struct bytes back = gunzipped(f, u.out, u.out_len);
    assert_bytes((const unsigned char *)"hello world", 11, back);
    assert_string_equal(u.trace, "efc");
    take_off(&u);
    free(back.at);
}

static void sync_input_is_worked_before_write_returns(void **state)
{
    struct world *f = *state;
    struct suit u;
    struct bytes packed = gzipped(f, (const unsigned char *)"hello", 5);
    struct wr_worn_params p = gunzip(f, NULL);
    p.sync = true;
    assert_true(put_on(f, &u, p));
    write_bytes(&u, packed.at, packed.len, NOBODY);
    assert_int_equal(wr_readable_length(&u.s), 5);
    wr_life_destroy(&u.s, NULL);
    drain(f);
    take_off(&u);
    free(packed.at);
}

static void bomb_stops_where_nobody_reads(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 20000000), 20000000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    assert_true(packed.len < 65536);
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, packed.at, packed.len, NOBODY);
    run(f);
    assert_true(wr_readable_length(&u.s) >= 16384);
    assert_true(wr_readable_length(&u.s) <= 65536);
    assert_true(wr_alloc_balance(&f->alloc) < 600000);
    assert_int_equal(f->submitted, 1);
    listen(&u); /* and goes on */
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_bytes(u.out, u.out_len, zeros);
    assert_int_equal(u.longest, 65536);
    assert_string_equal(u.trace, "efc");
    take_off(&u);
    free(zeros.at);
    free(packed.at);
}

static void slices_are_no_longer_than_the_chunk(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 300000), 300000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    static const size_t chunks[] = {64, 1000, 16384, 100000, 5000000};
    for (unsigned i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct suit u;
        struct wr_worn_params p = gunzip(f, NULL);
        p.chunk = chunks[i];
        assert_true(put_on(f, &u, p));
        listen(&u);
        feed(&u, packed.at, packed.len, 100);
        assert_bytes(u.out, u.out_len, zeros);
        assert_true(u.longest <= chunks[i]);
        assert_true(u.longest >= (chunks[i] < 100000 ? chunks[i] : 100000));
        take_off(&u);
    }
    free(zeros.at);
    free(packed.at);
}

/* ---- what a write is worth */

static void callback_waits_until_the_output_is_taken(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 300000), 300000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, packed.at, packed.len, (struct wr_done){.fn = count, .arg = 'w'});
    run(f);
    assert_string_equal(u.trace, "");
    listen(&u);
    run(f);
    assert_string_equal(u.trace, "w");
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_string_equal(u.trace, "wefc");
    take_off(&u);
    free(zeros.at);
    free(packed.at);
}

/* A read that asks, and gets nothing but the completion of a chunk, gives the callback back that the stream would keep while it
 * is full: or nobody would ever ask again. */
static void read_that_came_first_is_not_forgotten(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 65000), 65000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    struct suit u;
    struct wr_worn_params p = gunzip(f, NULL);
    p.sync = true;
    assert_true(put_on(f, &u, p));
    wr_writable_cork(&u.s); /* one batch, of two jobs */
    write_bytes(&u, packed.at, packed.len - 8, NOBODY);
    wr_worn_mark(u.worn, WR_FLUSH_SYNC, 0, NOBODY);
    write_bytes(&u, packed.at + packed.len - 8, 8, (struct wr_done){.fn = count, .arg = 'a'});
    wr_writable_uncork(&u.s);
    run(f);
    assert_int_equal(wr_readable_length(&u.s), 65000);
    assert_string_equal(u.trace, "");
    static const int64_t pieces[] = {16000, 16000, 16000, 16000, 1000};
    for (unsigned i = 0; i < 5; i++) {
        struct wr_item item = {0};
        assert_true(wr_readable_read(&u.s, pieces[i], &item));
        wr_item_drop(&f->flow, &item);
        run(f);
    }
    assert_string_equal(u.trace, "a");
    wr_life_destroy(&u.s, NULL);
    run(f);
    take_off(&u);
    free(zeros.at);
    free(packed.at);
}

static void mark_brings_out_what_was_before_it(void **state)
{
    struct world *f = *state;
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    write_bytes(&u, "hello", 5, (struct wr_done){.fn = count, .arg = 'w'});
    assert_int_equal(wr_worn_mark(u.worn, WR_FLUSH_SYNC, 0, (struct wr_done){.fn = count, .arg = 'm'}), 0);
    write_bytes(&u, " world", 6, (struct wr_done){.fn = count, .arg = 'x'});
    run(f);
    assert_string_equal(u.trace, "wmx");
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.truncated_ok = true;
    struct wr_fault fault;
    struct bytes back = through(wr_inflate_new(&f->alloc, &p, &fault), u.out, u.out_len);
    assert_int_equal(back.len, 5);
    assert_memory_equal(back.at, "hello", 5);
    free(back.at);
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    back = gunzipped(f, u.out, u.out_len);
    assert_bytes((const unsigned char *)"hello world", 11, back);
    take_off(&u);
    free(back.at);
}

static void each_input_may_be_flushed(void **state)
{
    struct world *f = *state;
    struct suit u;
    struct wr_worn_params p = gzip;
    p.each = WR_FLUSH_SYNC;
    assert_true(put_on(f, &u, p));
    listen(&u);
    for (int i = 1; i <= 3; i++) {
        write_bytes(&u, "hello", 5, NOBODY);
        run(f);
        struct wr_inflate_params d = wr_inflate_defaults(WR_INFLATE_GZIP);
        d.truncated_ok = true;
        struct wr_fault fault;
        struct bytes back = through(wr_inflate_new(&f->alloc, &d, &fault), u.out, u.out_len);
        assert_int_equal(back.len, 5 * i);
        free(back.at);
    }
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_string_equal(u.trace, "efc");
    take_off(&u);
}

/* The bytes with a mark at AT. */
static struct bytes marked(struct world *f, struct bytes plain, size_t at, enum wr_flush kind, intptr_t arg)
{
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    write_bytes(&u, plain.at, at, NOBODY);
    wr_worn_mark(u.worn, kind, arg, NOBODY);
    feed(&u, plain.at + at, plain.len - at, 10000);
    struct bytes b = {malloc(u.out_len), u.out_len};
    memcpy(b.at, u.out, u.out_len);
    take_off(&u);
    return b;
}

static void marks_in_sections(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(4 * SECTION);
    static const size_t places[] = {1, SECTION - 10000, SECTION, SECTION + 1, 2 * SECTION};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        for (intptr_t arg = 0; arg <= 1; arg++) {
            struct bytes packed = marked(f, plain, places[i], arg ? WR_FLUSH_SYNC : WR_FLUSH_FULL, arg);
            struct bytes back = gunzipped(f, packed.at, packed.len);
            assert_bytes(back.at, back.len, plain);
            free(back.at);
            free(packed.at);
        }
    }
    free(plain.at);
}

/* After a full flush nothing refers to what was before it, also in the next sections. */
static void full_flush_forgets(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(3 * SECTION);
    static const size_t places[] = {SECTION - 5000, SECTION};
    for (unsigned k = 0; k < 2; k++) {
        size_t at = places[k], i = 10;
        struct bytes packed = marked(f, plain, at, WR_FLUSH_FULL, 0);
        while (memcmp(packed.at + i, "\0\0\xff\xff", 4)) /* the first marker: of the flush, or of the section's end */
            assert_true(++i + 4 < packed.len);
        struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_RAW);
        p.trailing = WR_TRAILING_IGNORE;
        struct wr_fault fault;
        struct bytes back = through(wr_inflate_new(&f->alloc, &p, &fault), packed.at + i + 4, packed.len - i - 4);
        assert_bytes(back.at, back.len, (struct bytes){plain.at + at, plain.len - at});
        free(packed.at);
        free(back.at);
    }
    free(plain.at);
}

static void level_changes_for_later_sections(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(4 * SECTION);
    static const size_t places[] = {100, SECTION - 1};
    for (unsigned k = 0; k < 2; k++) {
        struct bytes fast = marked(f, plain, places[k], WR_FLUSH_SYNC, 1);
        struct bytes slow = marked(f, plain, places[k], WR_FLUSH_SYNC, 9);
        assert_true(fast.len > slow.len + slow.len / 20);
        free(fast.at);
        free(slow.at);
    }
    free(plain.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sections_do_not_depend_on_the_cuts_nor_on_the_order),
        TEST(sections_are_worked_at_once),
        TEST(input_of_whole_sections_ends_right),
        TEST(small_input_waits_for_a_tick_and_needs_no_pool),
        TEST(sync_input_is_worked_before_write_returns),
        TEST(bomb_stops_where_nobody_reads),
        TEST(slices_are_no_longer_than_the_chunk),
        TEST(callback_waits_until_the_output_is_taken),
        TEST(read_that_came_first_is_not_forgotten),
        TEST(mark_brings_out_what_was_before_it),
        TEST(each_input_may_be_flushed),
        TEST(marks_in_sections),
        TEST(full_flush_forgets),
        TEST(level_changes_for_later_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
