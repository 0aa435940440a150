/* SPDX-License-Identifier: MIT */
/* Threads, one mutex and one condition; finished jobs wake the loop through an ev_async.
 *
 * A job is in one of these places, and `state` says which; the mutex guards it from submit until deliver has taken it:
 *
 *      submit            a thread takes it       work returns           deliver
 *   -> WAITING (waiting) ---------------> RUNNING ------------> FINISHED (finished, then batch) -> out no more; done
 *        '-- cancel: out no more                                  ^
 *        '-- free, or no thread to be had: status says so --------'
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "hardmode.h"
#include "inside.h"
#include "pool.h"

enum state { WAITING, RUNNING, FINISHED };

enum { MIN_THREADS = 2, DEFAULT_MAX_THREADS = 4, STACK_SIZE = 1 << 20 };

struct wr_pool {
    struct wr_loop *loop;
    ev_async wake;
    struct wr_list batch;    /* finished jobs that deliver is at; the loop's thread only */
    bool reverse;            /* hard build: deliver each batch backwards */
    unsigned limit, started; /* threads */

    pthread_mutex_t mutex; /* guards what follows, and the jobs in it */
    pthread_cond_t work;   /* there is a job waiting, or `closing` */
    struct wr_list waiting, finished;
    unsigned queued; /* jobs in `waiting` */
    unsigned idle;   /* threads */
    bool closing;

    pthread_t threads[]; /* limit; the first `started` run */
};

static size_t size_of(unsigned threads)
{
    return sizeof(struct wr_pool) + threads * sizeof(pthread_t);
}

static struct wr_job *job_of(struct wr_list *l)
{
    return (struct wr_job *)((char *)l - offsetof(struct wr_job, link));
}

static unsigned default_threads(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online < MIN_THREADS)
        return MIN_THREADS;
    return online > DEFAULT_MAX_THREADS ? DEFAULT_MAX_THREADS : (unsigned)online;
}

/* Waits for a job and takes it; NULL when the pool closes. With the mutex held. */
static struct wr_job *next_job(struct wr_pool *pool)
{
    while (wr_list_empty(&pool->waiting) && !pool->closing) {
        pool->idle++;
        pthread_cond_wait(&pool->work, &pool->mutex);
        pool->idle--;
    }
    if (pool->closing)
        return NULL;
    struct wr_job *job = job_of(wr_list_take(&pool->waiting));
    pool->queued--;
    job->state = RUNNING;
    return job;
}

/* JOB is done with. With the mutex held. Whether the loop must be woken: it takes all there is. */
static bool finish(struct wr_pool *pool, struct wr_job *job)
{
    bool first = wr_list_empty(&pool->finished);
    job->state = FINISHED;
    wr_list_append(&pool->finished, &job->link);
    return first;
}

static void *thread(void *user)
{
    struct wr_pool *pool = user;
    struct wr_job *job;
    pthread_mutex_lock(&pool->mutex);
    while ((job = next_job(pool))) {
        pthread_mutex_unlock(&pool->mutex);
        job->work(job);
        pthread_mutex_lock(&pool->mutex);
        if (finish(pool, job))
            ev_async_send(pool->loop->ev, &pool->wake);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Starts one thread more, all signals blocked. Failure matters only where there is none: see submit. */
static void start_thread(struct wr_pool *pool)
{
    sigset_t all, before;
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&pool->threads[pool->started], &attr, thread, pool) == 0)
        pool->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
}

/* JOB is out no more. Afterwards it may be no more. */
static void deliver(struct wr_pool *pool, struct wr_job *job)
{
    struct wr_loop *loop = pool->loop;
    job->pool = NULL;
    wr_loop_unref(loop);
    wr_loop_enter(loop);
    job->done(job);
    wr_loop_leave(loop);
}

static void reverse(struct wr_list *list)
{
    struct wr_list backwards, *l;
    wr_list_init(&backwards);
    while ((l = wr_list_take(list)))
        wr_list_prepend(&backwards, l);
    wr_list_splice(list, &backwards);
}

static void deliver_finished(struct wr_pool *pool)
{
    struct wr_list *l;
    pthread_mutex_lock(&pool->mutex);
    wr_list_splice(&pool->batch, &pool->finished);
    pthread_mutex_unlock(&pool->mutex);
    if (pool->reverse)
        reverse(&pool->batch);
    while ((l = wr_list_take(&pool->batch)))
        deliver(pool, job_of(l));
}

static void woken(struct ev_loop *ev, ev_async *w, int events)
{
    (void)ev;
    (void)events;
    deliver_finished(w->data);
}

static int init_locks(struct wr_pool *pool)
{
    int r = pthread_mutex_init(&pool->mutex, NULL);
    if (r != 0)
        return r;
    r = pthread_cond_init(&pool->work, NULL);
    if (r != 0)
        pthread_mutex_destroy(&pool->mutex);
    return r;
}

struct wr_pool *wr_pool_new(struct wr_loop *loop, unsigned threads)
{
    unsigned limit = threads ? threads : default_threads();
    struct wr_pool *pool = wr_alloc_zero(loop->alloc, size_of(limit));
    if (!pool)
        return NULL;
    if (init_locks(pool) != 0) {
        wr_alloc_free(loop->alloc, pool, size_of(limit));
        return NULL;
    }
    pool->loop = loop;
    pool->limit = limit;
    pool->reverse = wr_hardmode_get("reverse") >= 0;
    wr_list_init(&pool->batch);
    wr_list_init(&pool->waiting);
    wr_list_init(&pool->finished);
    ev_async_init(&pool->wake, woken);
    pool->wake.data = pool;
    ev_async_start(loop->ev, &pool->wake);
    wr_loop_started(loop);
    return pool;
}

/* Puts JOB in line, and sees that a thread takes it. With the mutex held. 0, or why no thread will. */
static int line_up(struct wr_pool *pool, struct wr_job *job)
{
    if (pool->closing)
        return -ECANCELED;
    if (pool->queued >= pool->idle && pool->started < pool->limit)
        start_thread(pool);
    if (pool->started == 0)
        return -EAGAIN;
    job->state = WAITING;
    wr_list_append(&pool->waiting, &job->link);
    pool->queued++;
    if (pool->idle > 0)
        pthread_cond_signal(&pool->work);
    return 0;
}

/* Ends all threads; what they were at is finished then. */
static void join(struct wr_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->threads[i], NULL);
}

/* Without threads: delivers what was worked, gives up what waits, and calls done until nothing is out. */
static void flush(struct wr_pool *pool)
{
    struct wr_list *l;
    deliver_finished(pool);
    pool->queued = 0;
    while ((l = wr_list_take(&pool->waiting))) {
        job_of(l)->status = -ECANCELED;
        finish(pool, job_of(l));
    }
    while (!wr_list_empty(&pool->finished))
        deliver_finished(pool);
}

void wr_pool_free(struct wr_pool *pool)
{
    if (!pool)
        return;
    struct wr_loop *loop = pool->loop;
    join(pool);
    flush(pool);
    wr_loop_stopping(loop);
    ev_async_stop(loop->ev, &pool->wake);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    wr_alloc_free(loop->alloc, pool, size_of(pool->limit));
}

void wr_job_init(struct wr_job *job, void (*work)(struct wr_job *job), void (*done)(struct wr_job *job))
{
    job->work = work;
    job->done = done;
    job->status = 0;
    job->pool = NULL;
    wr_list_init(&job->link);
}

void wr_pool_submit(struct wr_pool *pool, struct wr_job *job)
{
    assert(!job->pool && "a job that is out was submitted again");
    job->pool = pool;
    wr_loop_ref(pool->loop);
    pthread_mutex_lock(&pool->mutex);
    job->status = line_up(pool, job);
    if (job->status < 0 && finish(pool, job))
        ev_async_send(pool->loop->ev, &pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

bool wr_pool_cancel(struct wr_job *job)
{
    struct wr_pool *pool = job->pool;
    if (!pool)
        return false;
    pthread_mutex_lock(&pool->mutex);
    bool waits = job->state == WAITING;
    if (waits) {
        wr_list_remove(&job->link);
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (!waits)
        return false;
    job->pool = NULL;
    wr_loop_unref(pool->loop);
    return true;
}

bool wr_pool_has(const struct wr_job *job)
{
    return job->pool != NULL;
}
