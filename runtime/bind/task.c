/* SPDX-License-Identifier: MIT */
/* The task's Lua values are anchored in the registry while it is out; strings do not move, so a thread may read them. */
#include "enter.h"

#include "task.h"

void wr_task_free(struct wr_task *t)
{
    struct wr_bind *b = t->b;
    if (t->clear)
        t->clear(t);
    if (b->L) {
        luaL_unref(b->L, LUA_REGISTRYINDEX, t->callback);
        luaL_unref(b->L, LUA_REGISTRYINDEX, t->kept);
    }
    wr_alloc_free(&b->alloc, t, t->size);
}

static void work(struct wr_job *job)
{
    struct wr_task *t = (struct wr_task *)(void *)job;
    t->work(t);
}

static int results(lua_State *L, void *arg)
{
    struct wr_task *t = arg;
    return t->results(t, L);
}

static void done(struct wr_job *job)
{
    struct wr_task *t = (struct wr_task *)(void *)job;
    struct wr_bind *b = t->b;
    if (job->status < 0 && !b->closing) /* no thread is to be had */
        t->work(t);
    lua_State *co = b->closing ? NULL : wr_enter(b, WR_CALL_RUN);
    if (co) {
        lua_rawgeti(co, LUA_REGISTRYINDEX, t->callback);
        int n = wr_enter_guard(b, co, results, t);
        wr_task_free(t);
        if (n < 0)
            wr_enter_end(b, co);
        else
            wr_enter_call(b, co, n + 1);
    } else {
        wr_task_free(t);
    }
}

struct wr_task *wr_task_new(lua_State *L, struct wr_bind *b, size_t size, int callback, int kept)
{
    wr_bind_pool(L, b);
    luaL_checktype(L, callback, LUA_TFUNCTION);
    lua_pushvalue(L, callback);
    int callback_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, kept);
    int kept_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct wr_task *t = wr_alloc_zero(&b->alloc, size);
    if (!t) {
        luaL_unref(L, LUA_REGISTRYINDEX, callback_ref);
        luaL_unref(L, LUA_REGISTRYINDEX, kept_ref);
        luaL_error(L, "out of memory");
    }
    t->b = b;
    t->size = size;
    t->callback = callback_ref;
    t->kept = kept_ref;
    return t;
}

void wr_task_start(struct wr_task *t)
{
    wr_job_init(&t->job, work, done);
    wr_pool_submit(t->b->pool, &t->job);
}
