/* SPDX-License-Identifier: MIT */
/* What happens later. A function and its arguments wait in a table in the registry; timers and immediates are userdata that are
 * anchored there while they are started. */
#include "enter.h"
#include "immediate.h"
#include "timer.h"

#include "time.h"

enum { FEW = 8 }; /* values for which any stack has room */

/* Packs the values from INDEX on into a table of the registry; its reference. */
static int pack(lua_State *L, int index)
{
    int n = lua_gettop(L) - index + 1;
    lua_createtable(L, n + 1, 0);
    lua_pushinteger(L, n);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, index + i);
        lua_rawseti(L, -2, i + 1);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int make_room(lua_State *L, void *arg)
{
    luaL_checkstack(L, *(int *)arg + 4, "too many arguments");
    return 0;
}

/* Pushes what was packed on CO; how many values. None, not even the function, if there is no memory. */
static int unpack(struct wr_bind *b, lua_State *co, int ref)
{
    lua_rawgeti(co, LUA_REGISTRYINDEX, ref);
    int table = lua_gettop(co);
    lua_rawgeti(co, table, 0);
    int n = (int)lua_tointeger(co, -1);
    lua_pop(co, 1);
    if (n > FEW && wr_enter_guard(b, co, make_room, &n) < 0)
        n = 0;
    for (int i = 1; i <= n; i++)
        lua_rawgeti(co, table, i);
    lua_remove(co, table);
    return n;
}

static void call(struct wr_bind *b, lua_State *co, int n)
{
    if (n)
        wr_enter_call(b, co, n);
    else
        wr_enter_end(b, co);
}

static void run_tick(struct wr_flow *f, struct wr_tick *t)
{
    struct wr_bind *b = f->user;
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (co)
        call(b, co, unpack(b, co, (int)t->done.arg));
    luaL_unref(b->L, LUA_REGISTRYINDEX, (int)t->done.arg);
}

/* core.nextTick(fn, ...) */
static int next_tick(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    wr_tick_add(&b->flow, run_tick, NULL, NULL, (struct wr_done){.arg = pack(L, 1)});
    return 0;
}

/* core.afterTicks(fn, ...): when no tick is left, where coroutines go on too, as Node's microtasks. */
static int after_ticks(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    wr_tick_add_last(&b->flow, run_tick, (struct wr_done){.arg = pack(L, 1)});
    return 0;
}

static void wake_tick(struct wr_flow *f, struct wr_tick *t)
{
    struct wr_bind *b = f->user;
    lua_State *L = b->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)t->done.arg);
    lua_rawgeti(L, -1, 1);
    lua_State *co = lua_tothread(L, -1);
    if (co && lua_status(co) == LUA_YIELD) {
        int n = unpack(b, co, (int)t->done.arg);
        if (n) {
            lua_remove(co, -n); /* the coroutine itself, which was packed first */
            wr_enter_resume(b, co, n - 1);
        }
    }
    lua_pop(L, 2);
    luaL_unref(L, LUA_REGISTRYINDEX, (int)t->done.arg);
}

/* core.wake(coroutine, ...): it goes on in a tick with these values. */
static int wake(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_checktype(L, 1, LUA_TTHREAD);
    wr_tick_add_last(&b->flow, wake_tick, (struct wr_done){.arg = pack(L, 1)});
    return 0;
}

static int can_wait(lua_State *L)
{
    lua_pushboolean(L, wr_enter_may_wait(wr_bind_self(L), L));
    return 1;
}

/* core.start(fn, ...) in a coroutine of its own, at once up to its first wait. */
static int run_now(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (!co)
        return luaL_error(L, "%s",
                          wr_enter_refusal(b) == WR_E_NO_MEMORY ? "out of memory" : "coroutines are nested too deeply");
    int n = lua_gettop(L);
    luaL_checkstack(co, n + 4, "too many arguments");
    lua_xmove(L, co, n);
    lua_pushboolean(L, wr_enter_call(b, co, n));
    return 1;
}

/* ---- timers */

struct lua_timer {
    struct wr_bind *b;
    struct wr_list link; /* in wr_bind.timers while it is started */
    int packed, self;    /* registry references; LUA_NOREF: not started */
    bool repeat, immediate;
    union {
        struct wr_timer timer;
        struct wr_immediate immediate;
    } u;
};

static void let_go(struct lua_timer *t)
{
    wr_list_remove(&t->link);
    luaL_unref(t->b->L, LUA_REGISTRYINDEX, t->packed);
    luaL_unref(t->b->L, LUA_REGISTRYINDEX, t->self);
    t->packed = t->self = LUA_NOREF;
}

static void fire(struct lua_timer *t)
{
    struct wr_bind *b = t->b;
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    int n = co ? unpack(b, co, t->packed) : 0;
    if (!t->repeat)
        let_go(t);
    if (co)
        call(b, co, n);
}

static void on_timer(struct wr_timer *timer)
{
    fire((struct lua_timer *)(void *)((char *)timer - offsetof(struct lua_timer, u.timer)));
}

static void on_immediate(struct wr_immediate *i)
{
    fire((struct lua_timer *)(void *)((char *)i - offsetof(struct lua_timer, u.immediate)));
}

/* It is whole before anything is registered: without memory for that, the collector stops it. */
static struct lua_timer *new_timer(lua_State *L, bool immediate, int first)
{
    struct wr_bind *b = wr_bind_self(L);
    struct lua_timer *t = lua_newuserdata(L, sizeof *t);
    *t = (struct lua_timer){.b = b, .packed = LUA_NOREF, .self = LUA_NOREF, .immediate = immediate};
    if (immediate)
        wr_immediate_init(&t->u.immediate, b->loop, on_immediate);
    else
        wr_timer_init(&t->u.timer, b->loop, on_timer);
    luaL_getmetatable(L, "weir timer");
    lua_setmetatable(L, -2);
    wr_list_append(&b->timers, &t->link);
    lua_insert(L, 1);
    t->packed = pack(L, first + 1);
    lua_pushvalue(L, 1);
    t->self = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, 1);
    return t;
}

/* core.timer(ms, repeat, fn, ...) -> timer */
static int start_timer(lua_State *L)
{
    double ms = luaL_optnumber(L, 1, 1);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    bool repeat = lua_toboolean(L, 2);
    struct lua_timer *t = new_timer(L, false, 3);
    t->repeat = repeat;
    wr_timer_start(&t->u.timer, ms, repeat);
    return 1;
}

/* core.immediate(fn, ...) -> timer */
static int start_immediate(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct lua_timer *t = new_timer(L, true, 1);
    wr_immediate_start(&t->u.immediate);
    return 1;
}

static void stop(struct lua_timer *t)
{
    if (wr_list_empty(&t->link))
        return;
    if (t->immediate)
        wr_immediate_stop(&t->u.immediate);
    else
        wr_timer_stop(&t->u.timer);
    let_go(t);
}

static int stop_timer(lua_State *L)
{
    stop(luaL_checkudata(L, 1, "weir timer"));
    return 0;
}

static int ref_timer(lua_State *L)
{
    struct lua_timer *t = luaL_checkudata(L, 1, "weir timer");
    if (t->immediate)
        wr_immediate_ref(&t->u.immediate);
    else
        wr_timer_ref(&t->u.timer);
    return 0;
}

static int unref_timer(lua_State *L)
{
    struct lua_timer *t = luaL_checkudata(L, 1, "weir timer");
    if (t->immediate)
        wr_immediate_unref(&t->u.immediate);
    else
        wr_timer_unref(&t->u.timer);
    return 0;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, wr_loop_now(wr_bind_self(L)->loop));
    return 1;
}

/* core.hrtime() -> nanoseconds, exact below 2^53 */
static int hrtime(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wr_loop_hrtime(wr_bind_self(L)->loop));
    return 1;
}

void wr_time_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"nextTick", next_tick},
                                         {"afterTicks", after_ticks},
                                         {"wake", wake},
                                         {"canWait", can_wait},
                                         {"run", run_now},
                                         {"timer", start_timer},
                                         {"immediate", start_immediate},
                                         {"timerStop", stop_timer},
                                         {"timerRef", ref_timer},
                                         {"timerUnref", unref_timer},
                                         {"now", now},
                                         {"hrtime", hrtime},
                                         {NULL, NULL}};
    wr_list_init(&b->timers);
    luaL_newmetatable(L, "weir timer");
    lua_pushcfunction(L, stop_timer);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    wr_bind_register(L, b, functions);
}

void wr_time_close(struct wr_bind *b)
{
    while (!wr_list_empty(&b->timers))
        stop((struct lua_timer *)(void *)((char *)b->timers.next - offsetof(struct lua_timer, link)));
}
