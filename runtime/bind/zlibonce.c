/* SPDX-License-Identifier: MIT */
/* The output grows in C and becomes a string at the end. Its limit is looked at before it grows. */
#include <string.h>

#include "checksum.h"
#include "task.h"
#include "wornstream.h"
#include "zlibspec.h"

#include "zlibonce.h"

enum { LEAST = 1024 };

struct output {
    struct wr_alloc *alloc;
    unsigned char *data;
    size_t len, cap;
    uint64_t most;
    struct wr_fault fault;
};

static int fail(struct output *o, enum wr_code code)
{
    o->fault = wr_error_fault(code);
    return -1;
}

static int grow(struct output *o)
{
    size_t cap = o->cap ? 2 * o->cap : LEAST;
    if (o->cap > SIZE_MAX / 2 || (o->most && o->len > o->most))
        return fail(o, WR_E_BUFFER_TOO_LARGE);
    if (o->most && cap > o->most + 1)
        cap = (size_t)o->most + 1; /* the byte too much tells */
    if (cap == o->cap)
        return fail(o, WR_E_BUFFER_TOO_LARGE);
    unsigned char *data = wr_alloc_resize(o->alloc, o->data, o->cap, cap);
    if (!data)
        return fail(o, WR_E_NO_MEMORY);
    o->data = data;
    o->cap = cap;
    return 0;
}

/* All of IN through C. 0, or -1 with O's fault set. */
static int run(struct wr_codec *c, const void *in, size_t len, struct output *o)
{
    struct wr_codec_io io = {.in = in, .in_len = len, .flush = WR_FLUSH_FINISH};
    enum wr_step step;
    do {
        if (o->len == o->cap && grow(o))
            return -1;
        io.out = o->data + o->len;
        io.out_len = o->cap - o->len;
        step = c->ops->step(c, &io);
        o->len = o->cap - io.out_len;
    } while (step == WR_STEP_FULL);
    if (step == WR_STEP_FAIL)
        o->fault = c->fault;
    else if (o->most && o->len > o->most)
        return fail(o, WR_E_BUFFER_TOO_LARGE);
    return step == WR_STEP_FAIL ? -1 : 0;
}

/* Pushes the result, or nil and the fault; how many. */
static int push(lua_State *L, struct output *o, int status)
{
    if (status)
        return wr_wornstream_fault(L, &o->fault);
    lua_pushlstring(L, o->len ? (const char *)o->data : "", o->len);
    return 1;
}

/* Like push, in protected mode: the output must be freed also where Lua has no memory for a string of it. */
static int push_result(lua_State *L)
{
    struct output *o = lua_touserdata(L, 1);
    int status = (int)lua_tointeger(L, 2);
    lua_settop(L, 0);
    return push(L, o, status);
}

/* core.zlibRun(kind, options, data) -> string, or nil, code, message, number */
static int run_now(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_zlibspec spec;
    size_t len;
    wr_zlibspec_read(L, 1, &spec);
    const char *data = luaL_checklstring(L, 3, &len);
    struct output o = {.alloc = &b->alloc, .most = spec.most};
    struct wr_codec *c = wr_zlibspec_codec(&b->alloc, &spec, &o.fault);
    if (!c)
        return wr_wornstream_fault(L, &o.fault);
    int status = run(c, data, len, &o);
    c->ops->free(c);
    int top = lua_gettop(L);
    lua_pushcfunction(L, push_result);
    lua_pushlightuserdata(L, &o);
    lua_pushinteger(L, status);
    int failed = lua_pcall(L, 2, LUA_MULTRET, 0);
    wr_alloc_free(&b->alloc, o.data, o.cap);
    return failed ? lua_error(L) : lua_gettop(L) - top;
}

/* ---- the same on the pool */

struct zlib_task {
    struct wr_task task;
    struct wr_codec *codec;
    const char *data; /* kept */
    size_t len;
    struct output output;
    int status;
};

static void work(struct wr_task *task)
{
    struct zlib_task *t = (struct zlib_task *)(void *)task;
    t->status = run(t->codec, t->data, t->len, &t->output);
}

static int results(struct wr_task *task, lua_State *L)
{
    struct zlib_task *t = (struct zlib_task *)(void *)task;
    return push(L, &t->output, t->status);
}

static void clear(struct wr_task *task)
{
    struct zlib_task *t = (struct zlib_task *)(void *)task;
    if (t->codec)
        t->codec->ops->free(t->codec);
    wr_alloc_free(t->output.alloc, t->output.data, t->output.cap);
}

/* core.zlibTask(kind, options, data, callback) -> true, or nil, code, message, number; the callback gets what zlibRun gives */
static int run_later(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_zlibspec spec;
    wr_zlibspec_read(L, 1, &spec);
    luaL_checktype(L, 3, LUA_TSTRING);
    struct zlib_task *t = (struct zlib_task *)(void *)wr_task_new(L, b, sizeof *t, 4, 3);
    t->task.work = work;
    t->task.results = results;
    t->task.clear = clear;
    t->data = lua_tolstring(L, 3, &t->len);
    t->output = (struct output){.alloc = &b->alloc, .most = spec.most};
    t->codec = wr_zlibspec_codec(&b->alloc, &spec, &t->output.fault);
    if (!t->codec) {
        struct wr_fault fault = t->output.fault;
        wr_task_free(&t->task);
        return wr_wornstream_fault(L, &fault);
    }
    wr_task_start(&t->task);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- checksums: core.crc32(data, before), core.adler32(data, before) */

static uint32_t before(lua_State *L, uint32_t otherwise)
{
    return lua_isnoneornil(L, 2) ? otherwise : (uint32_t)luaL_checknumber(L, 2);
}

static int crc32_of(lua_State *L)
{
    size_t len;
    const char *data = luaL_checklstring(L, 1, &len);
    lua_pushnumber(L, wr_checksum_crc32(before(L, 0), data, len));
    return 1;
}

static int adler32_of(lua_State *L)
{
    size_t len;
    const char *data = luaL_checklstring(L, 1, &len);
    lua_pushnumber(L, wr_checksum_adler32(before(L, 1), data, len));
    return 1;
}

void wr_zlibonce_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {
        {"zlibRun", run_now}, {"zlibTask", run_later}, {"crc32", crc32_of}, {"adler32", adler32_of}, {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
