/* SPDX-License-Identifier: MIT */
/* The Lua object of an error is held by a registry reference from the C object, which a stream, a tick or a pipeline counts. */
#include <string.h>

#include "enter.h"
#include "luastream.h"

#include "errors.h"

static void drop_host(struct wr_error *e)
{
    struct wr_bind *b = e->host_user;
    if (b->L) /* what comes later was Lua's to collect */
        luaL_unref(b->L, LUA_REGISTRYINDEX, (int)e->host);
}

/* Hangs on E the object that is registered as REF. */
static void hang(struct wr_bind *b, struct wr_error *e, int ref)
{
    e->host = ref;
    e->host_user = b;
    e->drop = drop_host;
}

/* Our own code of the name at the stack's top; WR_E_OK if it is none of ours. */
static enum wr_code code_of(const char *name)
{
    static const char *const names[] = {
#define X(name, code, message) code,
        WR_CODES(X)
#undef X
    };
    for (unsigned i = 1; name && i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return (enum wr_code)i;
    return WR_E_OK;
}

/* Of an error E of a stream that closed too early, or NULL: that stream (nil, when it is no more) and the sides that were not done. */
static void push_unfinished(struct wr_bind *b, lua_State *L, const struct wr_error *e)
{
    static const char *const sides[] = {NULL, "readable", "writable", "both"};
    if (!e || !e->unfinished)
        return;
    lua_rawgeti(b->anchor, WR_SLOT_ENVS, (int)e->origin);
    lua_xmove(b->anchor, L, 1);
    if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, WR_ENV_SELF);
        lua_remove(L, -2);
    }
    lua_pushstring(L, sides[e->unfinished]);
}

/* The error object for the value on top of L, in its place: made by Lua from whatever was raised, or for E. */
static void make_object(struct wr_bind *b, lua_State *L, const char *code, const struct wr_error *e)
{
    lua_State *co = wr_enter(b, WR_CALL_ERROR);
    if (!co)
        return;
    lua_xmove(L, co, 1);
    if (code)
        lua_pushstring(co, code);
    else
        lua_pushnil(co);
    int args = lua_gettop(co);
    push_unfinished(b, co, e);
    args = 2 + lua_gettop(co) - args;
    if (!wr_enter_run(b, co, args)) {
        lua_pushnil(L);
        return;
    }
    lua_xmove(co, L, 1);
    wr_enter_end(b, co);
}

/* Tells the error object on top of L, if it is one and does not know, that it arose in what runs there. Whether it is one. */
static bool place(lua_State *L)
{
    if (!lua_istable(L, -1))
        return false;
    lua_pushliteral(L, "_stack");
    lua_rawget(L, -2);
    bool knows = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (knows)
        return true;
    lua_pushliteral(L, "_stack");
    luaL_traceback(L, L, "", 1);
    lua_rawset(L, -3);
    return true;
}

struct wr_error *wr_errors_take(struct wr_bind *b, lua_State *L, int index)
{
    if (!lua_toboolean(L, index))
        return NULL;
    lua_pushvalue(L, index);
    if (!lua_istable(L, -1)) {
        make_object(b, L, NULL, NULL);
        place(L);
    }
    struct wr_fault fault = {WR_DOMAIN_HOST, 0, "", ""};
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "code");
        enum wr_code code = lua_type(L, -1) == LUA_TSTRING ? code_of(lua_tostring(L, -1)) : WR_E_OK;
        lua_pop(L, 1);
        if (code)
            fault = wr_error_fault(code);
    }
    int ref = luaL_ref(L, LUA_REGISTRYINDEX); /* this first: it may raise */
    struct wr_error *e = wr_error_new(&b->alloc, fault);
    if (wr_error_is(e, WR_E_NO_MEMORY) || e->host)
        luaL_unref(L, LUA_REGISTRYINDEX, ref);
    else
        hang(b, e, ref);
    return e;
}

struct taking {
    struct wr_bind *b;
    lua_State *from; /* with the object on top */
    int number;
    struct wr_error *e;
};

static int take_top(lua_State *L, void *arg)
{
    struct taking *t = arg;
    lua_pushvalue(t->from, -1);
    lua_xmove(t->from, L, 1);
    if (t->number) {
        lua_pushinteger(L, t->number);
        lua_setfield(L, -2, "errno");
    }
    t->e = wr_errors_take(t->b, L, -1);
    return 0;
}

struct wr_error *wr_errors_build(struct wr_bind *b, int (*push)(lua_State *L, void *arg), void *arg, int number)
{
    lua_State *co = wr_enter(b, WR_CALL_ERROR);
    struct taking t = {.b = b, .from = co, .number = number};
    int args = co ? wr_enter_guard(b, co, push, arg) : 0;
    if (args > 0 && !wr_enter_run(b, co, args))
        return NULL;
    if (args > 0)
        wr_enter_guard(b, b->L, take_top, &t);
    if (co)
        wr_enter_end(b, co);
    return t.e;
}

struct making {
    struct wr_bind *b;
    struct wr_error *e;
};

static int make_for(lua_State *L, void *arg)
{
    const struct making *m = arg;
    lua_pushstring(L, m->e->fault.text);
    make_object(m->b, L, m->e->fault.code, m->e);
    hang(m->b, m->e, luaL_ref(L, LUA_REGISTRYINDEX));
    return 0;
}

/* The static out-of-memory error holds nothing; its object was made beforehand. */
void wr_errors_push(struct wr_bind *b, lua_State *L, struct wr_error *e)
{
    struct making m = {b, e};
    if (!e)
        lua_pushnil(L);
    else if (e->host || (e->alloc && wr_enter_guard(b, L, make_for, &m) == 0))
        lua_rawgeti(L, LUA_REGISTRYINDEX, (int)e->host);
    else
        lua_rawgeti(L, LUA_REGISTRYINDEX, b->no_memory);
}

struct wr_error *wr_errors_new(struct wr_bind *b, lua_State *L, enum wr_code code, const char *message)
{
    struct wr_fault fault = wr_error_fault(code);
    lua_pushstring(L, message);
    make_object(b, L, fault.code, NULL);
    struct wr_error *e = place(L) ? wr_errors_take(b, L, -1) : wr_error_new(&b->alloc, fault);
    lua_pop(L, 1);
    return e;
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* LuaJIT before 2023-09-21 takes the coroutine that was resumed last for the running one when an error is then caught by a
 * pcall in Lua, and a trace that is left there restores the wrong stack. Any call on L puts that right. */
static int throw_top(lua_State *L)
{
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
    return lua_error(L);
}

int wr_errors_raise(struct wr_bind *b, lua_State *L, const char *code, const char *message)
{
    lua_pushstring(L, message);
    make_object(b, L, code, NULL);
    if (!place(L))
        lua_pushstring(L, message);
    return throw_top(L);
}
