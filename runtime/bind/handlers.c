/* SPDX-License-Identifier: MIT */
/* A handler that raises, any handler, is its stream's error (decided difference 1). The trampolines in Lua catch it and call
 * core.raised with the handler's number. */
#include "enter.h"
#include "errors.h"
#include "life.h"
#include "readable.h"
#include "luastream.h"
#include "writable.h"

#include "handlers.h"

static struct wr_bind *bind_of(struct wr_stream *s)
{
    return ((struct wr_lua_stream *)(void *)s)->b;
}

/* A coroutine with the trampoline, `self` and the handler; NULL if Lua cannot be entered. */
static lua_State *enter(struct wr_stream *s, enum wr_call call)
{
    struct wr_bind *b = bind_of(s);
    lua_State *co = wr_enter(b, call);
    if (!co)
        return NULL;
    wr_luastream_push_env(co, b, s);
    if (!lua_istable(co, -1)) {
        wr_enter_end(b, co);
        return NULL;
    }
    lua_rawgeti(co, -1, WR_ENV_SELF);
    lua_rawgeti(co, -2, WR_ENV_HANDLERS);
    lua_rawgeti(co, -1, (int)call + 1);
    lua_remove(co, -2);
    lua_remove(co, -3);
    return co;
}

static struct wr_error *too_deep(struct wr_stream *s)
{
    return wr_error_new(s->flow->alloc, wr_error_fault(WR_E_NESTING));
}

static void construct(struct wr_stream *s)
{
    lua_State *co = enter(s, WR_CALL_CONSTRUCT);
    if (co)
        wr_enter_call(bind_of(s), co, 2);
    else
        wr_life_constructed(s, NULL);
}

static void run_read(struct wr_stream *s)
{
    lua_State *co = enter(s, WR_CALL_READ);
    if (!co) {
        wr_life_fail_code(s, WR_E_NESTING, false);
        return;
    }
    lua_pushinteger(co, s->sh->r.mark);
    wr_enter_call(bind_of(s), co, 3);
}

static void push_chunk(lua_State *co, struct wr_stream *s, uint32_t i)
{
    struct wr_bind *b = bind_of(s);
    struct wr_item item = wr_writable_out(s, i);
    wr_luastream_push_item(co, b, &item);
    if (item.object)
        s->flow->host->drop(s->flow, item.object);
}

static void push_chunks(lua_State *co, struct wr_stream *s, uint32_t n)
{
    lua_createtable(co, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
        push_chunk(co, s, i);
        lua_rawseti(co, -2, (int)i + 1);
    }
}

static void run_write(struct wr_stream *s, uint32_t n)
{
    struct wr_bind *b = bind_of(s);
    bool one = n == 1 && s->has & WR_HAS_WRITE;
    lua_State *co = enter(s, one ? WR_CALL_WRITE : WR_CALL_WRITEV);
    if (!co) {
        struct wr_error *e = too_deep(s);
        wr_writable_done(s, e);
        wr_error_unref(e);
        return;
    }
    if (one)
        push_chunk(co, s, 0);
    else
        push_chunks(co, s, n);
    wr_luastream_push_env(co, b, s);
    lua_rawgeti(co, -1, WR_ENV_WRITE_CALLBACK);
    lua_remove(co, -2);
    wr_enter_call(b, co, 4);
}

static void final(struct wr_stream *s)
{
    lua_State *co = enter(s, WR_CALL_FINAL);
    struct wr_error *e = NULL;
    if (co) {
        wr_enter_call(bind_of(s), co, 2);
        return;
    }
    e = too_deep(s);
    wr_writable_finaled(s, e);
    wr_error_unref(e);
}

static void flush(struct wr_stream *s)
{
    lua_State *co = enter(s, WR_CALL_FLUSH);
    struct wr_error *e = NULL;
    if (co) {
        wr_enter_call(bind_of(s), co, 2);
        return;
    }
    e = too_deep(s);
    wr_transform_flushed(s, e);
    wr_error_unref(e);
}

static void destroy(struct wr_stream *s, struct wr_error *err)
{
    lua_State *co = enter(s, WR_CALL_DESTROY);
    if (!co) {
        wr_life_destroyed(s, err);
        return;
    }
    wr_errors_push(bind_of(s), co, err);
    wr_enter_call(bind_of(s), co, 3);
}

const struct wr_stream_ops wr_handlers_ops = {
    .construct = construct, .read = run_read, .write = run_write, .final = final, .flush = flush, .destroy = destroy};

/* ---- how handlers complete: core functions (self, err) */

typedef void complete_fn(struct wr_stream *s, struct wr_error *err);

static int complete(lua_State *L, complete_fn *fn)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_stream *s = wr_luastream_arg(L, b, 1);
    struct wr_error *e = wr_errors_take(b, L, 2);
    fn(s, e);
    wr_error_unref(e);
    return 0;
}

static void done(struct wr_stream *s, struct wr_error *err)
{
    if (s->has & WR_IS_TRANSFORM)
        wr_transform_done(s, err);
    else
        wr_writable_done(s, err);
}

/* A write handler has raised ERR. */
static void write_raised(struct wr_stream *s, struct wr_error *err)
{
    if (s->w_out)
        wr_writable_done(s, err);
    else
        wr_life_fail(s, err, false);
}

static void failed(struct wr_stream *s, struct wr_error *err)
{
    wr_life_fail(s, err, false);
}

static int on_constructed(lua_State *L)
{
    return complete(L, wr_life_constructed);
}
static int on_done(lua_State *L)
{
    return complete(L, done);
}
static int on_write_raised(lua_State *L)
{
    return complete(L, write_raised);
}
static int on_failed(lua_State *L)
{
    return complete(L, failed);
}
static int on_finaled(lua_State *L)
{
    return complete(L, wr_writable_finaled);
}
static int on_flushed(lua_State *L)
{
    return complete(L, wr_transform_flushed);
}
static int on_destroyed(lua_State *L)
{
    return complete(L, wr_life_destroyed);
}

void wr_handlers_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"constructed", on_constructed},
                                         {"done", on_done},
                                         {"writeRaised", on_write_raised},
                                         {"failed", on_failed},
                                         {"finaled", on_finaled},
                                         {"flushed", on_flushed},
                                         {"destroyed", on_destroyed},
                                         {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
