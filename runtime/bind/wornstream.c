/* SPDX-License-Identifier: MIT */
/* A stream is made in a C function of its own, since wr_luastream_make takes the whole stack of its caller, where the options
 * (keys, dictionaries) must stay until the codec has been made of them. */
#include "enter.h"
#include "errors.h"
#include "life.h"

#include "wornstream.h"

static struct wr_wornstream *of_stream(struct wr_stream *s)
{
    return (struct wr_wornstream *)(void *)s;
}

struct wr_wornstream *wr_wornstream_of(const struct wr_worn *w)
{
    return wr_worn_user(w);
}

/* ---- the operations of the stream */

static void on_read(struct wr_stream *s)
{
    wr_worn_read(of_stream(s)->worn);
}

static void on_write(struct wr_stream *s, uint32_t n)
{
    wr_worn_write(of_stream(s)->worn, n);
}

static void on_flush(struct wr_stream *s)
{
    wr_worn_flush(of_stream(s)->worn);
}

static void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    if (of_stream(s)->worn)
        wr_worn_destroy(of_stream(s)->worn, err);
    else
        wr_life_destroyed(s, err);
}

static const struct wr_stream_ops ops = {.read = on_read, .write = on_write, .flush = on_flush, .destroy = on_destroy};

/* ---- jobs */

static void work(struct wr_job *job)
{
    struct wr_wornstream_job *j = (struct wr_wornstream_job *)(void *)job;
    wr_worn_work(j->of->worn, j->lane);
}

static void done(struct wr_job *job)
{
    struct wr_wornstream_job *j = (struct wr_wornstream_job *)(void *)job;
    struct wr_worn *w = j->of->worn;
    if (j->of->ls.b->closing) {
        wr_worn_lost(w, j->lane);
        return;
    }
    if (job->status < 0) /* no thread is to be had */
        wr_worn_work(w, j->lane);
    wr_worn_worked(w, j->lane);
}

void wr_wornstream_submit(struct wr_worn *w, unsigned lane)
{
    struct wr_wornstream *ws = wr_wornstream_of(w);
    struct wr_wornstream_job *j = &ws->jobs[lane];
    j->of = ws;
    j->lane = lane;
    wr_job_init(&j->job, work, done);
    wr_pool_submit(ws->ls.b->pool, &j->job);
}

/* ---- errors */

static int push_fault(lua_State *L, void *arg)
{
    const struct wr_fault *fault = arg;
    lua_pushstring(L, fault->text);
    lua_pushstring(L, fault->code);
    return 2;
}

/* The error object of a fault of zlib's, with Node's `errno`; of others as they are made anyhow. */
static struct wr_error *make_error(struct wr_worn *w, const struct wr_fault *fault)
{
    struct wr_bind *b = wr_wornstream_of(w)->ls.b;
    struct wr_error *e = NULL;
    if (fault->domain == WR_DOMAIN_ZLIB)
        e = wr_errors_build(b, push_fault, (void *)(uintptr_t)fault, fault->number);
    return e ? e : wr_error_new(&b->alloc, *fault);
}

/* ---- making one */

/* What `make` below is called with. */
struct plan {
    struct wr_bind *b;
    size_t size;
    uint32_t has;
    int32_t r_mark, w_mark;
    struct wr_lua_stream *made;
};

static int make(lua_State *L)
{
    struct plan *p = lua_touserdata(L, 3);
    wr_bind_pool(L, p->b);
    p->made = wr_luastream_make(L, p->b, p->size, &ops, p->has, p->r_mark, p->w_mark);
    return 0;
}

static bool call_make(lua_State *L, struct plan *p)
{
    lua_pushcfunction(L, make);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_pushlightuserdata(L, p);
    return lua_pcall(L, 3, 0, 0) == 0;
}

struct wr_wornstream *wr_wornstream_make(lua_State *L, struct wr_bind *b, int first, size_t size,
                                         void (*clear)(struct wr_lua_stream *ls), struct wr_worn_params *params)
{
    const uint32_t fixed = WR_HAS_READ | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FLUSH | WR_HAS_DESTROY | WR_IS_READABLE |
                           WR_IS_WRITABLE | WR_IS_TRANSFORM;
    struct plan p = {.b = b, .size = size};
    p.has = (uint32_t)lua_tointeger(L, first) | fixed;
    p.r_mark = (int32_t)lua_tointeger(L, first + 1);
    p.w_mark = (int32_t)lua_tointeger(L, first + 2);
    if (!call_make(L, &p)) {
        if (params->codec)
            params->codec->ops->free(params->codec);
        return NULL;
    }
    struct wr_wornstream *ws = (struct wr_wornstream *)(void *)p.made;
    params->user = ws;
    params->error = make_error;
    ws->ls.clear = clear;
    ws->worn = wr_worn_new(&ws->ls.s, params);
    if (ws->worn)
        return ws;
    wr_life_destroy(&ws->ls.s, NULL);
    lua_pushliteral(L, "out of memory");
    return NULL;
}

struct wr_wornstream *wr_wornstream_arg(lua_State *L, struct wr_bind *b, int index,
                                        void (*clear)(struct wr_lua_stream *ls))
{
    struct wr_wornstream *ws = of_stream(wr_luastream_arg(L, b, index));
    if (ws->ls.clear != clear || !ws->worn)
        luaL_argerror(L, index, "a stream of another kind");
    return ws;
}

int wr_wornstream_fault(lua_State *L, const struct wr_fault *fault)
{
    lua_pushnil(L);
    lua_pushstring(L, fault->code);
    lua_pushstring(L, fault->text);
    lua_pushinteger(L, fault->number);
    return 4;
}
