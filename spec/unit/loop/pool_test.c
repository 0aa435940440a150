/* SPDX-License-Identifier: MIT */
/* The pool: what runs where and in which order, taking jobs back, and closing with jobs in every place. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ev.h>

#include "fixture.h"
#include "pool.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { MANY = 20000 };

struct noted {
    struct wr_job job;
    struct fixture *f;
    struct noted *other;
    struct wr_pool *pool;
    pthread_t worker;
    char letter;
    int worked, done, again;
};

static void work(struct wr_job *job)
{
    struct noted *n = (struct noted *)job;
    n->worker = pthread_self();
    n->worked++;
}

static void done(struct wr_job *job)
{
    struct noted *n = (struct noted *)job;
    assert_false(wr_pool_has(job));
    n->done++;
    note(n->f, n->letter);
}

static void init(struct noted *n, struct fixture *f, char letter)
{
    memset(n, 0, sizeof *n);
    n->f = f;
    n->letter = letter;
    wr_job_init(&n->job, work, done);
}

/* Two pipes: work says on the first that it has begun, and goes on when there is a byte in the second. */
struct gate {
    struct noted noted;
    int begun[2], go[2];
};

static void work_at_gate(struct wr_job *job)
{
    struct gate *g = (struct gate *)job;
    char c = 0;
    work(job);
    if (write(g->begun[1], "x", 1) != 1 || read(g->go[0], &c, 1) != 1)
        abort();
}

static void init_gate(struct gate *g, struct fixture *f, char letter)
{
    init(&g->noted, f, letter);
    g->noted.job.work = work_at_gate;
    assert_int_equal(pipe(g->begun), 0);
    assert_int_equal(pipe(g->go), 0);
}

static void wait_begun(struct gate *g)
{
    char c;
    assert_int_equal(read(g->begun[0], &c, 1), 1);
}

static void open_gate(struct gate *g)
{
    assert_int_equal(write(g->go[1], "x", 1), 1);
}

static void close_gate(struct gate *g)
{
    for (int i = 0; i < 2; i++) {
        close(g->begun[i]);
        close(g->go[i]);
    }
}

static void work_is_elsewhere_and_done_is_here(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    struct wr_pool *pool = wr_pool_new(f->loop, 0);
    init(&n, f, 'x');
    wr_pool_submit(pool, &n.job);
    assert_true(wr_pool_has(&n.job));
    assert_true(wr_loop_alive(f->loop));
    assert_int_equal(n.done, 0);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.worked, 1);
    assert_int_equal(n.done, 1);
    assert_int_equal(n.job.status, 0);
    assert_false(pthread_equal(n.worker, pthread_self()));
    assert_int_equal(f->drains, 1);
    wr_pool_free(pool);
}

static void a_pool_nobody_used_is_freed(void **state)
{
    struct fixture *f = *state;
    wr_pool_free(wr_pool_new(f->loop, 3));
    wr_pool_free(NULL);
}

static void one_thread_works_in_order(void **state)
{
    struct fixture *f = *state;
    struct noted n[10];
    struct wr_pool *pool = wr_pool_new(f->loop, 1);
    for (int i = 0; i < 10; i++) {
        init(&n[i], f, (char)('a' + i));
        wr_pool_submit(pool, &n[i].job);
    }
    assert_true(wr_loop_run(f->loop));
#ifndef WR_HARD
    assert_string_equal(f->log, "abcdefghij");
#endif
    assert_int_equal(strlen(f->log), 10);
    assert_int_equal(f->drains, 10);
    wr_pool_free(pool);
}

static void jobs_run_side_by_side(void **state)
{
    struct fixture *f = *state;
    struct gate g[3];
    struct wr_pool *pool = wr_pool_new(f->loop, 3);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            init_gate(&g[i], f, (char)('a' + i));
            wr_pool_submit(pool, &g[i].noted.job);
        }
        for (int i = 0; i < 3; i++)
            wait_begun(&g[i]);
        for (int i = 0; i < 3; i++)
            open_gate(&g[i]);
        assert_true(wr_loop_run(f->loop));
        for (int i = 0; i < 3; i++)
            close_gate(&g[i]);
    }
    assert_int_equal(strlen(f->log), 6);
    wr_pool_free(pool);
}

static void done_comes_in_order_of_completion(void **state)
{
    struct fixture *f = *state;
    struct gate slow;
    struct noted quick;
    struct wr_pool *pool = wr_pool_new(f->loop, 2);
    init_gate(&slow, f, 's');
    init(&quick, f, 'q');
    wr_pool_submit(pool, &slow.noted.job);
    wait_begun(&slow);
    wr_pool_submit(pool, &quick.job);
    while (!quick.done)
        wr_loop_turn(f->loop, true);
    open_gate(&slow);
    assert_true(wr_loop_run(f->loop));
    assert_string_equal(f->log, "qs");
    close_gate(&slow);
    wr_pool_free(pool);
}

static void one_that_waits_can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    struct gate g;
    struct noted a, b;
    struct wr_pool *pool = wr_pool_new(f->loop, 1);
    init_gate(&g, f, 'g');
    init(&a, f, 'a');
    init(&b, f, 'b');
    assert_false(wr_pool_cancel(&a.job));
    wr_pool_submit(pool, &g.noted.job);
    wr_pool_submit(pool, &a.job);
    wr_pool_submit(pool, &b.job);
    wait_begun(&g);
    assert_false(wr_pool_cancel(&g.noted.job));
    assert_true(wr_pool_cancel(&a.job));
    assert_false(wr_pool_has(&a.job));
    assert_false(wr_pool_cancel(&a.job));
    open_gate(&g);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(a.worked + a.done, 0);
    assert_int_equal(g.noted.done, 1);
    assert_int_equal(b.done, 1);
    wr_pool_submit(pool, &a.job);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(a.done, 1);
    close_gate(&g);
    wr_pool_free(pool);
}

static void submit_again(struct wr_job *job)
{
    struct noted *n = (struct noted *)job;
    done(job);
    if (n->again-- > 0)
        wr_pool_submit(n->pool, job);
}

static void done_may_submit_again(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    struct wr_pool *pool = wr_pool_new(f->loop, 2);
    init(&n, f, 'x');
    n.job.done = submit_again;
    n.pool = pool;
    n.again = 4;
    wr_pool_submit(pool, &n.job);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.worked, 5);
    assert_string_equal(f->log, "xxxxx");
    wr_pool_free(pool);
}

static void free_it(struct wr_job *job)
{
    free(job);
}

static void done_may_free_its_memory(void **state)
{
    struct fixture *f = *state;
    struct wr_pool *pool = wr_pool_new(f->loop, 2);
    struct noted *n = malloc(sizeof *n);
    init(n, f, 'x');
    n->job.done = free_it;
    wr_pool_submit(pool, &n->job);
    assert_true(wr_loop_run(f->loop));
    wr_pool_free(pool);
}

static void *open_after_a_while(void *user)
{
    pass(5);
    open_gate(user);
    return NULL;
}

static void cancelled(struct wr_job *job)
{
    assert_int_equal(job->status, -ECANCELED);
    assert_int_equal(((struct noted *)job)->worked, 0);
    submit_again(job);
}

static void free_waits_for_what_runs_and_gives_up_the_rest(void **state)
{
    struct fixture *f = *state;
    struct gate g;
    struct noted waiting;
    pthread_t opener;
    struct wr_pool *pool = wr_pool_new(f->loop, 1);
    init_gate(&g, f, 'g');
    init(&waiting, f, 'w');
    waiting.job.done = cancelled;
    waiting.pool = pool;
    waiting.again = 1;
    wr_pool_submit(pool, &g.noted.job);
    wr_pool_submit(pool, &waiting.job);
    wait_begun(&g);
    assert_int_equal(pthread_create(&opener, NULL, open_after_a_while, &g), 0);
    wr_pool_free(pool);
    pthread_join(opener, NULL);
    assert_int_equal(g.noted.job.status, 0);
    assert_int_equal(g.noted.worked, 1);
    assert_string_equal(f->log, "gww");
    assert_int_equal(f->drains, 3);
    assert_false(wr_loop_alive(f->loop));
    close_gate(&g);
}

static void free_delivers_what_was_finished(void **state)
{
    struct fixture *f = *state;
    struct gate g;
    struct wr_pool *pool = wr_pool_new(f->loop, 1);
    init_gate(&g, f, 'g');
    open_gate(&g);
    wr_pool_submit(pool, &g.noted.job);
    wait_begun(&g);
    wr_pool_free(pool);
    assert_int_equal(g.noted.done, 1);
    close_gate(&g);
}

static void work_mask(struct wr_job *job)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ((struct noted *)job)->worked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
}

static void threads_block_signals_and_the_loop_does_not(void **state)
{
    struct fixture *f = *state;
    struct noted n;
    sigset_t mask;
    struct wr_pool *pool = wr_pool_new(f->loop, 1);
    init(&n, f, 'x');
    n.job.work = work_mask;
    wr_pool_submit(pool, &n.job);
    assert_true(wr_loop_run(f->loop));
    assert_int_equal(n.worked, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
    wr_pool_free(pool);
}

static void count_done(struct wr_job *job)
{
    struct noted *n = (struct noted *)job;
    n->done++;
    if (n->other)
        wr_pool_submit(n->pool, &n->other->job);
}

static void many_are_each_worked_once(void **state)
{
    struct fixture *f = *state;
    struct noted *n = calloc(2 * MANY, sizeof *n);
    struct wr_pool *pool = wr_pool_new(f->loop, 4);
    for (int i = 0; i < 2 * MANY; i++) {
        n[i].pool = pool;
        n[i].other = i < MANY ? &n[i + MANY] : NULL;
        wr_job_init(&n[i].job, work, count_done);
    }
    for (int i = 0; i < MANY; i++)
        wr_pool_submit(pool, &n[i].job);
    assert_true(wr_loop_run(f->loop));
    for (int i = 0; i < 2 * MANY; i++) {
        assert_int_equal(n[i].worked, 1);
        assert_int_equal(n[i].done, 1);
    }
    assert_int_equal(f->drains, 2 * MANY);
    wr_pool_free(pool);
    free(n);
}

/* In a child, since a limit on memory cannot be taken back safely. */
static int without_threads(void)
{
    struct fixture f;
    struct noted n;
    open_on(&f, NULL);
    init(&n, &f, 'x');
    struct wr_pool *pool = wr_pool_new(f.loop, 2);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_AS, &none);
    wr_pool_submit(pool, &n.job);
    bool late = n.done == 0;
    wr_loop_run(f.loop);
    return late && n.done == 1 && n.worked == 0 && n.job.status == -EAGAIN ? 0 : 1;
}

static void no_thread_to_be_had_is_said_by_done(void **state)
{
    (void)state;
    if (SANITIZED) /* whose shadow memory the limit of the address space forbids */
        skip();
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(without_threads());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_borrowed_loop_is_woken_and_not_held(void **state)
{
    (void)state;
    struct fixture f;
    struct noted n;
    struct ev_loop *ev = ev_loop_new(0);
    open_on(&f, ev);
    struct wr_pool *pool = wr_pool_new(f.loop, 0);
    ev_run(ev, 0);
    init(&n, &f, 'x');
    wr_pool_submit(pool, &n.job);
    ev_run(ev, 0);
    assert_string_equal(f.log, "x");
    wr_pool_free(pool);
    close_on(&f);
    ev_run(ev, 0);
    ev_loop_destroy(ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_thread_to_be_had_is_said_by_done),
        loop_test(work_is_elsewhere_and_done_is_here),
        loop_test(a_pool_nobody_used_is_freed),
        loop_test(one_thread_works_in_order),
        loop_test(jobs_run_side_by_side),
        loop_test(done_comes_in_order_of_completion),
        loop_test(one_that_waits_can_be_taken_back),
        loop_test(done_may_submit_again),
        loop_test(done_may_free_its_memory),
        loop_test(free_waits_for_what_runs_and_gives_up_the_rest),
        loop_test(free_delivers_what_was_finished),
        loop_test(threads_block_signals_and_the_loop_does_not),
        loop_test(many_are_each_worked_once),
        cmocka_unit_test(a_borrowed_loop_is_woken_and_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
