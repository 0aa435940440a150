/* SPDX-License-Identifier: MIT */
/* A codec worn as a transform, when something goes wrong: what comes before an error, limits, input behind the end, destroy while
 * jobs are out, and no memory. */
#include "wornsuit.h"

/* ---- errors */

static void output_comes_before_the_error(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(200000);
    struct bytes packed = gzipped(f, plain.at, plain.len);
    packed.at[packed.len - 8] ^= 1; /* the checksum */
    for (int piped = 0; piped < 2; piped++) {
        struct suit u;
        assert_true(put_on(f, &u, gunzip(f, NULL)));
        if (piped) {
            listen(&u);
            feed(&u, packed.at, packed.len, 5000);
        } else { /* read() by read(), and late */
            write_bytes(&u, packed.at, packed.len, NOBODY);
            wr_writable_end(&u.s, NULL, NOBODY);
            struct wr_item item = {0};
            wr_readable_read(&u.s, 0, &item);
            run(f);
            u.s.sh->listens |= 1 << WR_EV_DATA; /* counted, but nothing flows */
            while (wr_readable_read(&u.s, WR_READ_ANY, &item)) {
                wr_item_drop(&f->flow, &item);
                run(f);
            }
        }
        assert_string_equal(u.code, "Z_DATA_ERROR");
        assert_int_equal(u.at_error, plain.len);
        assert_string_equal(u.trace, "!c");
        assert_bytes(u.out, u.out_len, plain);
        take_off(&u);
    }
    free(plain.at);
    free(packed.at);
}

/* The fault of the inspection comes first, though the codec has failed by then. */
static void inspection_stops_at_the_byte(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(400000);
    struct bytes packed = gzipped(f, plain.at, plain.len);
    packed.at[packed.len - 8] ^= 1;
    static const size_t places[] = {1, 65536, 65537, 131073, 300000, 395000};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        struct suit u;
        assert_true(put_on(f, &u, gunzip(f, NULL)));
        u.bad_at = places[i];
        listen(&u);
        feed(&u, packed.at, packed.len, packed.len);
        assert_string_equal(u.trace, "!c");
        assert_string_equal(u.code, "ERR_TRAILING_DATA");
        assert_bytes(u.out, u.out_len, (struct bytes){plain.at, places[i]});
        take_off(&u);
    }
    packed.at[packed.len - 8] ^= 1;
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    listen(&u);
    feed(&u, packed.at, packed.len, 10000);
    assert_int_equal(u.inspected, plain.len);
    assert_true(u.after_all > 0);
    take_off(&u);
    free(plain.at);
    free(packed.at);
}

static void output_has_a_limit(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(200000);
    struct bytes packed = gzipped(f, plain.at, plain.len);
    for (int over = 0; over < 2; over++) {
        struct suit u;
        struct wr_worn_params p = gunzip(f, NULL);
        p.most = plain.len - (size_t)over;
        assert_true(put_on(f, &u, p));
        listen(&u);
        feed(&u, packed.at, packed.len, 9000);
        assert_string_equal(u.trace, over ? "!c" : "efc");
        if (over)
            assert_string_equal(u.code, "ERR_BUFFER_TOO_LARGE");
        assert_true(u.out_len <= p.most);
        take_off(&u);
    }
    free(plain.at);
    free(packed.at);
}

static struct wr_error *own_error(struct wr_worn *w, const struct wr_fault *fault)
{
    struct suit *u = wr_worn_user(w);
    struct wr_fault own = *fault;
    own.code = "OWN";
    return wr_error_new(&u->world->alloc, own);
}

static void error_may_be_made_by_the_user(void **state)
{
    struct world *f = *state;
    struct suit u;
    struct wr_worn_params p = gunzip(f, NULL);
    p.error = own_error;
    assert_true(put_on(f, &u, p));
    feed(&u, (const unsigned char *)"no gzip", 7, 7);
    assert_string_equal(u.code, "OWN");
    take_off(&u);
}

static void truncated_input_never_finishes(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(100000);
    struct bytes packed = gzipped(f, plain.at, plain.len);
    static const size_t cut[] = {1, 4, 8, 9, 1000};
    for (unsigned i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct suit u;
        assert_true(put_on(f, &u, gunzip(f, NULL)));
        listen(&u);
        feed(&u, packed.at, packed.len - cut[i], 777);
        assert_string_equal(u.trace, "!c");
        assert_string_equal(u.code, "Z_BUF_ERROR");
        assert_true(u.out_len == plain.len || cut[i] > 8);
        take_off(&u);
    }
    free(plain.at);
    free(packed.at);
}

static void error_comes_where_nobody_reads(void **state)
{
    struct world *f = *state;
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, "no gzip at all", 14, (struct wr_done){.fn = count, .arg = 'w'});
    write_bytes(&u, "nor this", 8, (struct wr_done){.fn = count, .arg = 'x'});
    run(f);
    assert_string_equal(u.trace, "WX!c");
    assert_string_equal(u.code, "Z_DATA_ERROR");
    take_off(&u);
}

static void codec_that_ends_gives_the_rest_back(void **state)
{
    struct world *f = *state;
    struct bytes packed = gzipped(f, (const unsigned char *)"hello", 5);
    struct wr_inflate_params p = wr_inflate_defaults(WR_INFLATE_GZIP);
    p.trailing = WR_TRAILING_KEEP;
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, &p)));
    listen(&u);
    packed.at = realloc(packed.at, packed.len + 4);
    memcpy(packed.at + packed.len, "rest", 4);
    write_bytes(&u, packed.at, packed.len + 4, (struct wr_done){.fn = count, .arg = 'w'});
    write_bytes(&u, " of it", 6, (struct wr_done){.fn = count, .arg = 'x'});
    run(f);
    assert_string_equal(u.rest, "rest of it");
    assert_string_equal(u.trace, "wex");
    write_bytes(&u, "!", 1, (struct wr_done){.fn = count, .arg = 'y'});
    wr_writable_end(&u.s, NULL, NOBODY);
    run(f);
    assert_string_equal(u.rest, "rest of it!");
    assert_string_equal(u.trace, "wexyfc");
    assert_int_equal(u.out_len, 5);
    take_off(&u);
    free(packed.at);
}

/* ---- destroy */

static void destroy_waits_for_the_jobs(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    listen(&u);
    drain(f);
    for (int i = 0; i < 6; i++)
        write_bytes(&u, plain.at + i * SECTION, SECTION, (struct wr_done){.fn = count, .arg = 'a' + i});
    assert_true(f->job_count > 0);
    wr_life_destroy(&u.s, NULL);
    drain(f);
    assert_string_equal(u.trace, "");
    while (f->job_count > 1)
        work_one(f);
    drain(f);
    assert_string_equal(u.trace, "");
    run(f);
    assert_string_equal(u.trace, "ABCDEFc");
    assert_int_equal(u.out_len, 0);
    take_off(&u);
    free(plain.at);
}

/* Chunks that wait for a reader are answered, and the stream itself has no error. */
static void destroy_answers_for_what_waits(void **state)
{
    struct world *f = *state;
    struct bytes zeros = {calloc(1, 1000000), 1000000};
    struct bytes packed = gzipped(f, zeros.at, zeros.len);
    struct suit u;
    assert_true(put_on(f, &u, gunzip(f, NULL)));
    write_bytes(&u, packed.at, packed.len, (struct wr_done){.fn = count, .arg = 'a'});
    write_bytes(&u, packed.at, packed.len, (struct wr_done){.fn = count, .arg = 'b'});
    run(f);
    wr_life_destroy(&u.s, NULL);
    run(f);
    assert_string_equal(u.trace, "ABc");
    assert_null(u.s.errored);
    take_off(&u);
    free(zeros.at);
    free(packed.at);
}

static void stream_lives_as_long_as_its_job(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    write_bytes(&u, plain.at, plain.len, NOBODY);
    assert_true(f->job_count > 0);
    wr_stream_unref(&u.s); /* nobody knows it any more */
    assert_non_null(u.worn);
    run(f);
    assert_null(u.worn);
    free(plain.at);
}

static void job_that_is_lost_when_all_is_closed(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(6 * SECTION);
    struct suit u;
    assert_true(put_on(f, &u, gzip));
    write_bytes(&u, plain.at, plain.len, NOBODY);
    while (f->job_count)
        f->job_count--, wr_worn_lost(u.worn, f->jobs[f->job_count].lane);
    take_off(&u);
    assert_null(u.worn);
    free(plain.at);
}

/* ---- memory */

/* With the Nth allocation failing there comes the right result, or an error that says so. */
static void any_allocation_may_fail(void **state)
{
    struct world *f = *state;
    struct bytes plain = prose(100000);
    bool whole = false;
    for (long n = 0; !whole; n++) {
        struct suit u;
        f->left = n;
        if (put_on(f, &u, gzip)) {
            listen(&u);
            feed(&u, plain.at, plain.len, 30000);
            whole = f->left >= 0;
            f->left = -1;
            run(f);
            bool error = strchr(u.trace, '!') != NULL;
            if (error)
                assert_string_equal(u.code, "ENOMEM");
            if (whole)
                assert_string_equal(u.trace, "efc");
        }
        f->left = -1;
        take_off(&u);
        if (!u.worn)
            assert_int_equal(wr_alloc_balance(&f->alloc), 0);
        assert_true(n < 1000);
    }
    free(plain.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_comes_before_the_error),
        TEST(inspection_stops_at_the_byte),
        TEST(output_has_a_limit),
        TEST(error_may_be_made_by_the_user),
        TEST(truncated_input_never_finishes),
        TEST(error_comes_where_nobody_reads),
        TEST(codec_that_ends_gives_the_rest_back),
        TEST(destroy_waits_for_the_jobs),
        TEST(destroy_answers_for_what_waits),
        TEST(stream_lives_as_long_as_its_job),
        TEST(job_that_is_lost_when_all_is_closed),
        TEST(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
