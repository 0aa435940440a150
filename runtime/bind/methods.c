/* SPDX-License-Identifier: MIT */
/* Methods, one core function each: check the arguments, cross into flow/, give back what Node gives back. Misuse raises at the
 * caller's line. Callbacks of writes wait in the stream's environment under a number, so that one that is never called keeps
 * nothing else alive than its stream does. */
#include <math.h>

#include "enter.h"
#include "errors.h"
#include "handlers.h"
#include "life.h"
#include "pump.h"
#include "readable.h"
#include "luastream.h"
#include "writable.h"

#include "methods.h"

/* core.new(self, handlers, has, readableMark, writableMark) */
static int new_stream(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    uint32_t has = (uint32_t)luaL_checkinteger(L, 3);
    int32_t r_mark = (int32_t)luaL_checkinteger(L, 4), w_mark = (int32_t)luaL_checkinteger(L, 5);
    wr_luastream_make(L, b, sizeof(struct wr_lua_stream), &wr_handlers_ops, has, r_mark, w_mark);
    return 0;
}

/* core.start(self) */
static int start(lua_State *L)
{
    WR_LUASTREAM_SELF;
    wr_life_start(s);
    return 0;
}

/* ---- readable */

/* What is said of the value at 2, which is no chunk; it stays on the stack. */
static const char *no_chunk(lua_State *L)
{
    bool number = lua_type(L, 2) == LUA_TNUMBER;
    lua_pushvalue(L, 2); /* lua_tostring changes it */
    const char *what = number ? lua_tostring(L, -1) : luaL_typename(L, 2);
    return lua_pushfstring(L, "The \"chunk\" argument must be of type string. Received %s%s%s",
                           number ? "type number (" : "a ", what, number ? ")" : "");
}

static void bad_chunk(struct wr_bind *b, lua_State *L, struct wr_stream *s)
{
    struct wr_error *e = wr_errors_new(b, L, WR_E_INVALID_ARG_TYPE, no_chunk(L));
    wr_life_fail(s, e, false);
    wr_error_unref(e);
}

static int add_chunk(lua_State *L, bool (*add)(struct wr_stream *s, struct wr_item item))
{
    WR_LUASTREAM_SELF;
    if (lua_isnoneornil(L, 2)) {
        lua_pushboolean(L, wr_readable_eof(s));
        return 1;
    }
    struct wr_item item;
    bool no_memory, wants = false;
    if (!wr_luastream_item(L, b, (s->has & WR_OBJECTS_READ) != 0, 2, &item, &no_memory)) {
        int handle = item.object;
        wants = add(s, item);
        if (handle)
            b->flow.host->drop(&b->flow, handle);
    } else if (no_memory) {
        wr_life_fail_code(s, WR_E_NO_MEMORY, false);
    } else {
        bad_chunk(b, L, s);
    }
    lua_pushboolean(L, wants);
    return 1;
}

static int push(lua_State *L)
{
    return add_chunk(L, wr_readable_push);
}

static int unshift(lua_State *L)
{
    return add_chunk(L, wr_readable_unshift);
}

static int64_t read_size(lua_State *L, struct wr_bind *b)
{
    if (lua_isnoneornil(L, 2))
        return WR_READ_ANY;
    if (!lua_isnumber(L, 2)) {
        lua_pushfstring(L, "The \"size\" argument must be of type number. Received type %s", luaL_typename(L, 2));
        wr_errors_raise(b, L, "ERR_INVALID_ARG_TYPE", lua_tostring(L, -1));
    }
    double n = lua_tonumber(L, 2);
    if (isnan(n))
        return WR_READ_ANY;
    if (n > 0x40000000)
        wr_errors_raise(b, L, "ERR_OUT_OF_RANGE", "The value of \"size\" is out of range. It must be <= 1GiB");
    return n < 0 ? -1 : (int64_t)n;
}

static int read_chunk(lua_State *L)
{
    WR_LUASTREAM_SELF;
    struct wr_item item = {0};
    bool over = wr_stream_destroyed(s);
    if (!wr_readable_read(s, read_size(L, b), &item)) {
        lua_pushnil(L);
        return 1;
    }
    bool pushed = !over && wr_luastream_push_item(L, b, &item);
    wr_item_drop(&b->flow, &item);
    if (over) /* decided difference 3 */
        lua_pushnil(L);
    else if (!pushed)
        return luaL_error(L, "out of memory");
    return 1;
}

static int pause_stream(lua_State *L)
{
    WR_LUASTREAM_SELF;
    wr_pump_catch_up(&b->flow);
    wr_readable_pause(s);
    lua_settop(L, 1);
    return 1;
}

static int resume_stream(lua_State *L)
{
    WR_LUASTREAM_SELF;
    wr_readable_resume(s);
    lua_settop(L, 1);
    return 1;
}

/* core.tell(self, event number, err, early): who follows the stream inside the core hears of an event that a script emits by
 * hand. Whether nobody would hear of an 'error'. */
static int tell(lua_State *L)
{
    WR_LUASTREAM_SELF;
    int ev = (int)luaL_checkinteger(L, 2);
    luaL_argcheck(L, ev >= 0 && ev < WR_EV_COUNT, 2, "no such event");
    bool unheard = wr_stream_unheard(s);
    struct wr_error *err = ev == WR_EV_ERROR ? wr_errors_take(b, L, 3) : NULL;
    wr_stream_tell(s, (enum wr_event)ev, err, lua_toboolean(L, 4));
    wr_error_unref(err);
    lua_pushboolean(L, unheard);
    return 1;
}

/* core.listener(self, event number, listening, added) */
static int listener(lua_State *L)
{
    WR_LUASTREAM_SELF;
    int ev = (int)luaL_checkinteger(L, 2);
    luaL_argcheck(L, ev >= 0 && ev < WR_EV_COUNT, 2, "no such event");
    if (lua_toboolean(L, 3))
        s->sh->listens |= 1 << ev;
    else
        s->sh->listens &= ~(1 << ev);
    if (s->has & WR_IS_READABLE)
        wr_readable_listener(s, (enum wr_event)ev, lua_toboolean(L, 4));
    return 0;
}

/* ---- writable */

static void call_back(struct wr_stream *s, intptr_t arg, struct wr_error *err)
{
    struct wr_bind *b = ((struct wr_lua_stream *)(void *)s)->b;
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (!co)
        return;
    wr_luastream_push_env(co, b, s);
    if (!lua_istable(co, -1)) {
        wr_enter_end(b, co);
        return;
    }
    lua_rawgeti(co, -1, WR_ENV_CALLBACKS);
    lua_remove(co, -2);
    lua_rawgeti(co, -1, (int)arg);
    lua_pushnil(co);
    lua_rawseti(co, -3, (int)arg);
    lua_remove(co, -2);
    wr_errors_push(b, co, err);
    wr_enter_call(b, co, 2);
}

struct wr_done wr_methods_callback(lua_State *L, struct wr_bind *b, struct wr_stream *s, int index)
{
    if (lua_type(L, index) != LUA_TFUNCTION)
        return (struct wr_done){0};
    struct wr_lua_stream *ls = (struct wr_lua_stream *)(void *)s;
    intptr_t key = ++ls->next_callback & 0x7fffffff;
    wr_luastream_push_env(L, b, s);
    lua_rawgeti(L, -1, WR_ENV_CALLBACKS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, WR_ENV_CALLBACKS);
    }
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (int)key);
    lua_pop(L, 2);
    return (struct wr_done){.fn = call_back, .arg = key};
}

static void check_writable(lua_State *L, struct wr_bind *b, struct wr_stream *s)
{
    if (!(s->has & WR_IS_WRITABLE))
        wr_errors_raise(b, L, "ERR_METHOD_NOT_IMPLEMENTED", "this stream is not writable");
}

/* A write's chunk at 2 and callback at 3. */
struct order {
    struct wr_item item;
    struct wr_done done;
};

/* Raises if there is no chunk, or no memory: what may raise comes first, since nobody would drop the object again. */
static struct order order_arg(lua_State *L, struct wr_bind *b, struct wr_stream *s)
{
    struct order o;
    bool no_memory, objects = (s->has & WR_OBJECTS_WRITE) != 0;
    if (lua_isnoneornil(L, 2))
        wr_errors_raise(b, L, "ERR_STREAM_NULL_VALUES", "May not write nil values to stream");
    if (!objects && lua_type(L, 2) != LUA_TSTRING)
        wr_errors_raise(b, L, "ERR_INVALID_ARG_TYPE", no_chunk(L));
    o.done = wr_methods_callback(L, b, s, 3);
    if (wr_luastream_item(L, b, objects, 2, &o.item, &no_memory))
        luaL_error(L, "out of memory");
    return o;
}

/* A chunk went out to a handler that is not there. */
static void check_handler(lua_State *L, struct wr_bind *b, struct wr_stream *s, uint32_t out_before)
{
    if (!(s->has & (WR_HAS_WRITE | WR_HAS_WRITEV)) && s->w_out > out_before)
        wr_errors_raise(b, L, "ERR_METHOD_NOT_IMPLEMENTED", "The _write() or _transform() method is not implemented");
}

static int write_chunk(lua_State *L)
{
    WR_LUASTREAM_SELF;
    lua_settop(L, 3);
    check_writable(L, b, s);
    struct order o = order_arg(L, b, s);
    int handle = o.item.object;
    uint32_t out = s->w_out;
    bool more = wr_writable_write(s, o.item, o.done);
    if (handle)
        b->flow.host->drop(&b->flow, handle);
    check_handler(L, b, s, out);
    lua_pushboolean(L, more);
    return 1;
}

static int finish(lua_State *L)
{
    WR_LUASTREAM_SELF;
    lua_settop(L, 3);
    check_writable(L, b, s);
    wr_pump_catch_up(&b->flow);
    if (lua_isfunction(L, 2))
        lua_insert(L, 2); /* nil, which was third, comes before the callback */
    if (lua_isnil(L, 2)) {
        wr_writable_end(s, NULL, wr_methods_callback(L, b, s, 3));
    } else {
        struct order o = order_arg(L, b, s);
        int handle = o.item.object;
        uint32_t out = s->w_out;
        wr_writable_end(s, &o.item, o.done);
        if (handle)
            b->flow.host->drop(&b->flow, handle);
        check_handler(L, b, s, out);
    }
    lua_settop(L, 1);
    return 1;
}

static int cork(lua_State *L)
{
    WR_LUASTREAM_SELF;
    check_writable(L, b, s);
    wr_writable_cork(s);
    return 0;
}

static int uncork(lua_State *L)
{
    WR_LUASTREAM_SELF;
    check_writable(L, b, s);
    wr_writable_uncork(s);
    return 0;
}

static int destroy(lua_State *L)
{
    WR_LUASTREAM_SELF;
    struct wr_error *e = wr_errors_take(b, L, 2);
    wr_pump_catch_up(&b->flow);
    wr_life_destroy(s, e);
    wr_error_unref(e);
    lua_settop(L, 1);
    return 1;
}

/* core.abort(self, err): as from outside: an AbortError where there is none and the stream is not done. Nothing if it was
 * collected, with another that is left and destroys it. */
static int abort_stream(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_stream *s = wr_luastream_left(L, b, 1);
    if (!s)
        return 0;
    struct wr_error *e = wr_errors_take(b, L, 2);
    wr_life_abort(s, e);
    wr_error_unref(e);
    return 0;
}

/* core.leave(self): its reader has enough: abort, without an 'error'. */
static int leave_stream(lua_State *L)
{
    WR_LUASTREAM_SELF;
    (void)b;
    wr_life_leave(s);
    return 0;
}

void wr_methods_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"new", new_stream},
                                         {"start", start},
                                         {"push", push},
                                         {"unshift", unshift},
                                         {"read", read_chunk},
                                         {"pause", pause_stream},
                                         {"resume", resume_stream},
                                         {"listener", listener},
                                         {"tell", tell},
                                         {"write", write_chunk},
                                         {"finish", finish},
                                         {"cork", cork},
                                         {"uncork", uncork},
                                         {"destroy", destroy},
                                         {"abort", abort_stream},
                                         {"leave", leave_stream},
                                         {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
