/* SPDX-License-Identifier: MIT */
/* Coroutines of ours are remembered as such in a weak table, and anchored in the registry while they are idle or run; while
 * they wait, whoever holds the function that wakes them keeps them. */
#include "errors.h"
#include "hardmode.h"

#include "enter.h"

void wr_enter_starve(struct wr_bind *b)
{
    b->flow.no_memory = true;
    if (!b->closing && !b->flow.draining)
        wr_loop_wake(b->loop);
}

static int call_guarded(lua_State *L)
{
    struct wr_bind *b = lua_touserdata(L, lua_upvalueindex(1));
    return b->guarded(L, b->guarded_arg);
}

void wr_enter_open(lua_State *L, struct wr_bind *b)
{
    lua_pushlightuserdata(L, b);
    lua_pushcclosure(L, call_guarded, 1);
    b->guard = luaL_ref(L, LUA_REGISTRYINDEX);
}

int wr_enter_guard(struct wr_bind *b, lua_State *L, int (*fn)(lua_State *L, void *arg), void *arg)
{
    int top = lua_gettop(L);
    b->guarded = fn;
    b->guarded_arg = arg;
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->guard);
    if (!lua_pcall(L, 0, LUA_MULTRET, 0))
        return lua_gettop(L) - top;
    lua_settop(L, top);
    wr_enter_starve(b);
    return -1;
}

/* A fresh coroutine of ours, left anchored in the registry under its own address. */
static int make(lua_State *L, void *arg)
{
    struct wr_bind *b = arg;
    lua_State *co = lua_newthread(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->ours);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_pushlightuserdata(L, co);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, co);
    return 1;
}

static lua_State *made(struct wr_bind *b)
{
    if (wr_enter_guard(b, b->L, make, b) < 0)
        return NULL;
    lua_State *co = lua_touserdata(b->L, -1);
    lua_pop(b->L, 1);
    return co;
}

static void forget(struct wr_bind *b, lua_State *co)
{
    lua_pushlightuserdata(b->L, co);
    lua_pushnil(b->L);
    lua_rawset(b->L, LUA_REGISTRYINDEX);
}

static int anchor(lua_State *L, void *arg)
{
    lua_State *co = arg;
    lua_pushlightuserdata(L, co);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return 0;
}

enum wr_code wr_enter_refusal(const struct wr_bind *b)
{
    return b->flow.no_memory ? WR_E_NO_MEMORY : WR_E_NESTING;
}

lua_State *wr_enter_bare(struct wr_bind *b)
{
    if (b->depth >= WR_DEPTH_MAX || b->closing)
        return NULL;
    return b->idle_count ? b->idle[--b->idle_count] : made(b);
}

lua_State *wr_enter(struct wr_bind *b, enum wr_call call)
{
    lua_State *co = wr_enter_bare(b);
    if (co)
        lua_rawgeti(co, LUA_REGISTRYINDEX, b->calls[call]);
    return co;
}

/* A coroutine may leave only by weir's own waits, which yield the token. */
static bool waits(struct wr_bind *b, lua_State *co)
{
    lua_rawgeti(co, LUA_REGISTRYINDEX, b->token);
    bool same = lua_gettop(co) >= 2 && lua_rawequal(co, -1, -2);
    lua_settop(co, 0);
    return same;
}

static int push_stray(lua_State *L, void *arg)
{
    (void)arg;
    lua_pushliteral(
        L, "a handler, listener or callback left by coroutine.yield(): only weir's own waits may (use weir.wrap)");
    return 1;
}

static void stray_yield(struct wr_bind *b)
{
    if (wr_enter_guard(b, b->L, push_stray, NULL) > 0)
        wr_enter_uncaught(b, b->L);
}

/* What became of CO. */
static bool came_back(struct wr_bind *b, lua_State *co, int status)
{
    if (status == 0)
        return true;
    if (status == LUA_YIELD) {
        if (!waits(b, co))
            stray_yield(b);
    } else {
        wr_enter_uncaught(b, co);
    }
    forget(b, co);
    return false;
}

/* The hard build's collections. If not said how often, less often where the heap is large: they may cost so much an entry. */
static void shake(struct wr_bind *b)
{
#ifdef WR_HARD
    if (b->entries++ == 0)
        b->collect_every = wr_hardmode_get("gc");
    if (b->collect_every < 0)
        return;
    int every = b->collect_every ? (int)b->collect_every : 100 * (1 + lua_gc(b->L, LUA_GCCOUNT, 0) / 4096);
    if (b->entries < b->collect_next)
        return;
    b->collect_next = b->entries + (uint64_t)every;
    lua_gc(b->L, LUA_GCCOLLECT, 0);
#else
    (void)b;
#endif
}

bool wr_enter_run(struct wr_bind *b, lua_State *co, int args)
{
    shake(b);
    b->depth++;
    wr_loop_enter(b->loop);
    int status = lua_resume(co, args);
    bool back = came_back(b, co, status);
    b->depth--;
    wr_loop_leave(b->loop);
    return back;
}

void wr_enter_end(struct wr_bind *b, lua_State *co)
{
    lua_settop(co, 0);
    if (b->idle_count < WR_IDLE_MAX)
        b->idle[b->idle_count++] = co;
    else
        forget(b, co);
}

int wr_enter_burst(struct wr_bind *b, lua_State *co, int args)
{
    shake(b);
    b->depth++;
    wr_loop_enter(b->loop);
    int status = lua_resume(co, args);
    if (status == LUA_YIELD && !waits(b, co))
        stray_yield(b);
    b->depth--;
    wr_loop_leave(b->loop);
    if (status == 0)
        wr_enter_end(b, co);
    else
        forget(b, co);
    return status;
}

bool wr_enter_call(struct wr_bind *b, lua_State *co, int args)
{
    bool back = wr_enter_run(b, co, args);
    if (back)
        wr_enter_end(b, co);
    return back;
}

void wr_enter_resume(struct wr_bind *b, lua_State *co, int args)
{
    if (wr_enter_guard(b, b->L, anchor, co) == 0)
        wr_enter_call(b, co, args);
}

void wr_enter_uncaught(struct wr_bind *b, lua_State *L)
{
    lua_State *co = wr_enter(b, WR_CALL_UNCAUGHT);
    if (!co) {
        lua_pop(L, 1);
        b->failed = true;
        return;
    }
    lua_xmove(L, co, 1);
    wr_enter_call(b, co, 1);
}

bool wr_enter_may_wait(struct wr_bind *b, lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->ours);
    bool main = lua_pushthread(L);
    lua_rawget(L, -2);
    bool may = !main && lua_toboolean(L, -1);
    lua_pop(L, 2);
    return may;
}
