/* SPDX-License-Identifier: MIT */
/* What joins streams: pipe, pipeline, finished. The argument checks are in Lua (lua/weir/stream); here is the crossing. An edge
 * is mirrored in both environments (wr_luastream_edge): either end keeps the other. */
#include "enter.h"
#include "errors.h"
#include "finished.h"
#include "life.h"
#include "pipe.h"
#include "pipeline.h"
#include "pump.h"
#include "luastream.h"

#include "methods.h"

/* core.pipe(self, dest, finish) */
static int pipe_streams(lua_State *L)
{
    WR_LUASTREAM_SELF;
    struct wr_stream *dest = wr_luastream_arg(L, b, 2);
    if (!(s->has & WR_IS_READABLE)) {
        wr_life_fail_code(s, WR_E_CANNOT_PIPE, false);
        return 0;
    }
    if (!(dest->has & WR_IS_WRITABLE))
        return wr_errors_raise(b, L, "ERR_INVALID_ARG_TYPE", "the destination of a pipe must be writable");
    if (wr_stream_destroyed(s) || wr_stream_destroyed(dest))
        return wr_errors_raise(b, L, "ERR_STREAM_DESTROYED", "Cannot call pipe after a stream was destroyed");
    if (wr_pipe_add(s, dest, lua_toboolean(L, 3)))
        return luaL_error(L, "out of memory");
    return 0;
}

/* core.unpipe(self, dest or nil) */
static int unpipe_streams(lua_State *L)
{
    WR_LUASTREAM_SELF;
    wr_pump_catch_up(&b->flow);
    wr_pipe_remove(s, lua_isnoneornil(L, 2) ? NULL : wr_luastream_arg(L, b, 2));
    return 0;
}

/* ---- pipeline */

struct call {
    struct wr_bind *b;
    struct wr_done done;          /* waits in the environment of the first stage */
    struct wr_pipeline *pipeline; /* NULL once it has called back */
    int key;                      /* under which the stages keep one another */
    uint32_t count;
    struct wr_stream *stages[]; /* the pipeline counts them */
};

static size_t call_size(uint32_t count)
{
    return sizeof(struct call) + count * sizeof(struct wr_stream *);
}

static void pipeline_over(void *user, struct wr_error *err, int stage)
{
    struct call *c = user;
    c->pipeline = NULL;
    if (stage != WR_PIPELINE_FORGOTTEN) {
        c->done.fn(c->stages[0], c->done.arg, err);
        wr_luastream_company(c->b, c->stages, c->count, c->key, false);
    }
    wr_alloc_free(&c->b->alloc, c, call_size(c->count));
}

/* core.pipeline(stages, finish, callback) -> a handle for core.pipelineAbort, good until the callback */
static int pipeline(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    bool ends = lua_toboolean(L, 2);
    uint32_t count = (uint32_t)lua_objlen(L, 1);
    luaL_argcheck(L, count > 1 && count < 10000, 1, "at least two stages expected");
    struct wr_stream **stages = lua_newuserdata(L, count * sizeof *stages);
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        stages[i] = wr_luastream_arg(L, b, lua_gettop(L));
    }
    struct wr_done done = wr_methods_callback(L, b, stages[0], 3); /* this first: it may raise */
    struct call *c = wr_alloc_zero(&b->alloc, call_size(count));
    if (!c)
        return luaL_error(L, "out of memory");
    c->b = b;
    c->count = count;
    for (uint32_t i = 0; i < count; i++)
        c->stages[i] = stages[i];
    c->key = (int)(++b->company & 0x3fffffff) + 1;
    c->done = done;
    wr_luastream_company(b, stages, count, c->key, true);
    c->pipeline = wr_pipeline_new(&b->flow, stages, count, ends, pipeline_over, c);
    if (!c->pipeline) {
        wr_luastream_company(b, stages, count, c->key, false);
        wr_alloc_free(&b->alloc, c, call_size(count));
        return luaL_error(L, "out of memory");
    }
    lua_pushlightuserdata(L, c);
    return 1;
}

/* core.pipelineAbort(handle, err) */
static int pipeline_abort(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct call *c = lua_touserdata(L, 1);
    struct wr_error *e = wr_errors_take(b, L, 2);
    if (c && c->pipeline && e)
        wr_pipeline_abort(c->pipeline, e);
    wr_error_unref(e);
    return 0;
}

/* ---- finished */

struct watcher {
    struct wr_finished w;
    struct wr_done done;
};

static void over(struct wr_finished *w, struct wr_error *err)
{
    struct watcher *h = (struct watcher *)(void *)w;
    struct wr_stream *s = wr_stream_ref(w->stream);
    struct wr_done done = h->done;
    wr_finished_clear(w);
    done.fn(s, done.arg, err);
    wr_stream_unref(s);
}

/* core.finished(self, readable, writable, errors, fn, lenient) -> a handle for core.cleanup. READABLE, WRITABLE: nil means as
 * the stream is. LENIENT: as in finished.h. */
static int finished(lua_State *L)
{
    WR_LUASTREAM_SELF;
    lua_settop(L, 6);
    luaL_checktype(L, 5, LUA_TFUNCTION);
    bool readable = lua_isnil(L, 2) ? wr_finished_has_readable(s) : lua_toboolean(L, 2);
    bool writable = lua_isnil(L, 3) ? wr_finished_has_writable(s) : lua_toboolean(L, 3);
    struct watcher *h = lua_newuserdata(L, sizeof *h);
    h->w.added = false;
    luaL_getmetatable(L, "weir finished");
    lua_setmetatable(L, -2);
    h->done = wr_methods_callback(L, b, s, 5);
    wr_finished_init(&h->w, s, readable, writable, lua_toboolean(L, 4), over);
    h->w.lenient = lua_toboolean(L, 6);
    /* the handle lives as long as the stream, or until the callback: it hangs on the callback's number, negated */
    wr_luastream_push_env(L, b, s);
    lua_rawgeti(L, -1, WR_ENV_CALLBACKS);
    lua_pushvalue(L, -3);
    lua_rawseti(L, -2, -(int)h->done.arg);
    lua_pop(L, 2);
    return 1;
}

static int cleanup(lua_State *L)
{
    struct watcher *h = luaL_checkudata(L, 1, "weir finished");
    wr_finished_clear(&h->w);
    return 0;
}

void wr_pipes_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"pipe", pipe_streams},
                                         {"unpipe", unpipe_streams},
                                         {"pipeline", pipeline},
                                         {"pipelineAbort", pipeline_abort},
                                         {"finished", finished},
                                         {"cleanup", cleanup},
                                         {NULL, NULL}};
    luaL_newmetatable(L, "weir finished");
    lua_pushcfunction(L, cleanup);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    wr_bind_register(L, b, functions);
}
