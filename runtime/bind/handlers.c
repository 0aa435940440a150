/* SPDX-License-Identifier: MIT */
/* A handler that raises, any handler, is its stream's error (decided difference 1). The trampolines in Lua catch it and call
 * core.raised with the handler's number. */
#include "finish.h"
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

/* A handler of S could not be called: COMPLETE gets the error that its callback would have brought. */
static void too_deep(struct wr_stream *s, void (*complete)(struct wr_stream *s, struct wr_error *err))
{
    struct wr_error *e = wr_error_new(s->flow->alloc, wr_error_fault(wr_enter_refusal(bind_of(s))));
    complete(s, e);
    wr_error_unref(e);
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
        wr_life_fail_code(s, wr_enter_refusal(bind_of(s)), false);
        return;
    }
    lua_pushinteger(co, s->sh->r.mark);
    wr_enter_call(bind_of(s), co, 3);
}

/* Whether there was memory. */
static bool push_chunk(lua_State *co, struct wr_stream *s, uint32_t i)
{
    struct wr_bind *b = bind_of(s);
    struct wr_item item = wr_writable_out(s, i);
    bool pushed = wr_luastream_push_item(co, b, &item);
    if (item.object)
        s->flow->host->drop(s->flow, item.object);
    return pushed;
}

static int push_table(lua_State *L, void *arg)
{
    int n = *(int *)arg;
    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) { /* so that there is room */
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static bool push_chunks(lua_State *co, struct wr_stream *s, uint32_t n)
{
    int count = (int)n;
    if (wr_enter_guard(bind_of(s), co, push_table, &count) < 0)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!push_chunk(co, s, i))
            return false;
        lua_rawseti(co, -2, (int)i + 1);
    }
    return true;
}

static void run_write(struct wr_stream *s, uint32_t n)
{
    struct wr_bind *b = bind_of(s);
    bool one = n == 1 && s->has & WR_HAS_WRITE;
    lua_State *co = enter(s, one ? WR_CALL_WRITE : WR_CALL_WRITEV);
    if (!co) {
        too_deep(s, wr_writable_done);
        return;
    }
    if (!(one ? push_chunk(co, s, 0) : push_chunks(co, s, n))) {
        wr_enter_end(b, co);
        return;
    }
    wr_luastream_push_env(co, b, s);
    lua_rawgeti(co, -1, WR_ENV_WRITE_CALLBACK);
    lua_remove(co, -2);
    wr_enter_call(b, co, 4);
}

static void final(struct wr_stream *s)
{
    lua_State *co = enter(s, WR_CALL_FINAL);
    if (co)
        wr_enter_call(bind_of(s), co, 2);
    else
        too_deep(s, wr_finish_finaled);
}

static void flush(struct wr_stream *s)
{
    lua_State *co = enter(s, WR_CALL_FLUSH);
    if (co)
        wr_enter_call(bind_of(s), co, 2);
    else
        too_deep(s, wr_transform_flushed);
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

struct burst {
    struct wr_bind *b;
    int slot;
};

/* Makes room in the table of them. */
static int make_room(lua_State *L, void *arg)
{
    const struct burst *k = arg;
    wr_luastream_push_slot(L, k->b, WR_SLOT_BURSTS);
    for (int i = 0; i < 2; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, k->slot + i);
    }
    return 0;
}

/* Asks Lua for what bursts into S from UP (of S's `read`, UP NULL) need, and keeps it in the weak table of them. */
static bool prepare(struct wr_stream *s, struct wr_stream *up, int slot)
{
    struct wr_bind *b = bind_of(s);
    lua_State *co = wr_enter(b, WR_CALL_BURST);
    if (!co)
        return false;
    wr_luastream_push_self(co, b, s);
    if (up)
        wr_luastream_push_self(co, b, up);
    else
        lua_pushnil(co);
    if (!wr_enter_run(b, co, 2))
        return false;
    struct burst room = {b, slot};
    bool fine = lua_istable(co, -1) && wr_enter_guard(b, b->L, make_room, &room) == 0;
    if (fine) {
        lua_rawgeti(co, -1, 1);
        lua_xmove(co, b->anchor, 2);
        lua_rawseti(b->anchor, WR_SLOT_BURSTS, slot);
        lua_rawseti(b->anchor, WR_SLOT_BURSTS, slot + 1);
    }
    wr_enter_end(b, co);
    return fine;
}

static bool prepared(struct wr_stream *s, struct wr_stream *up, int slot)
{
    struct wr_lua_stream *ls = (struct wr_lua_stream *)(void *)s;
    if (!up) {
        ls->from = ls->from || prepare(s, NULL, slot);
        return ls->from;
    }
    uint64_t serial = ((struct wr_lua_stream *)(void *)up)->serial;
    if (ls->into != serial && prepare(s, up, slot))
        ls->into = serial;
    return ls->into == serial;
}

static int push_traceback(lua_State *L, void *arg)
{
    luaL_traceback(L, arg, NULL, 0);
    return 1;
}

static void burst_failed(struct wr_stream *s, lua_State *dead, bool writes)
{
    struct wr_bind *b = bind_of(s);
    lua_State *co = wr_enter(b, WR_CALL_BURST_FAILED);
    if (!co) {
        wr_life_fail_code(s, wr_enter_refusal(bind_of(s)), true);
        return;
    }
    wr_luastream_push_self(co, b, s);
    lua_pushvalue(dead, -1);
    lua_xmove(dead, co, 1);
    if (wr_enter_guard(b, co, push_traceback, dead) < 0) {
        wr_enter_end(b, co);
        return;
    }
    lua_pushboolean(co, writes);
    wr_enter_call(b, co, 4);
}

/* Where what bursts into S need is kept (READ: bursts of its `read`): its driver, and behind that the table. */
static int slot_of(const struct wr_stream *s, bool read)
{
    return (int)(s->id * 4 + (read ? 0 : 2));
}

static bool prepare_all(struct wr_stream *const *stages, uint32_t count, bool reads)
{
    if (reads && !prepared(stages[0], NULL, slot_of(stages[0], true)))
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (!prepared(stages[i], stages[i - 1], slot_of(stages[i], false)))
            return false;
    return true;
}

static void push_burst(struct wr_bind *b, lua_State *co, int slot)
{
    lua_rawgeti(b->anchor, WR_SLOT_BURSTS, slot);
    lua_xmove(b->anchor, co, 1);
}

/* Sets what comes at place I of the relay to the value on top of the anchor. */
static void set_place(struct wr_bind *b, uint32_t i)
{
    lua_rawseti(b->anchor, WR_SLOT_RELAY, (int)i);
}

/* The stages by their places; behind the last one, if READS, the first again. */
static void push_relay(struct wr_bind *b, lua_State *co, struct wr_stream *const *stages, uint32_t count, bool reads)
{
    lua_State *A = b->anchor;
    for (uint32_t i = 1; i < count; i++) {
        lua_rawgeti(A, WR_SLOT_BURSTS, slot_of(stages[i], false) + 1);
        set_place(b, i);
    }
    if (reads)
        lua_rawgeti(A, WR_SLOT_BURSTS, slot_of(stages[0], true) + 1);
    else
        lua_pushboolean(A, false);
    set_place(b, count);
    lua_pushvalue(A, WR_SLOT_RELAY);
    lua_xmove(A, co, 1);
}

/* The driver that comes first, and its arguments; how many. */
static int push_first(struct wr_bind *b, lua_State *co, struct wr_stream *const *stages, uint32_t count, bool reads)
{
    int slot = slot_of(stages[!reads], reads);
    push_burst(b, co, slot);
    push_burst(b, co, slot + 1);
    lua_pushinteger(co, !reads);
    if (count + reads == 2)
        return 2;
    push_relay(b, co, stages, count, reads);
    return 3;
}

/* The stage whose handler was called last, by what Lua says of it. */
static struct wr_stream *called_last(struct wr_stream *const *stages, uint32_t count)
{
    uint32_t at = (uint32_t)stages[0]->flow->relay->at;
    return stages[at < count ? at : 0];
}

/* The loops run in a coroutine that no trampoline protects: entering one costs as much as a burst. A handler that waits takes
 * the relay with it: whoever runs it finds `run` changed, and touches nothing more. */
void wr_handlers_burst(struct wr_stream *const *stages, uint32_t count, bool reads)
{
    struct wr_bind *b = bind_of(stages[0]);
    lua_State *co = prepare_all(stages, count, reads) ? wr_enter_bare(b) : NULL;
    if (!co) {
        wr_life_fail_code(stages[count > 1], wr_enter_refusal(b), true);
        return;
    }
    int status = wr_enter_burst(b, co, push_first(b, co, stages, count, reads));
    if (status == 0)
        return;
    struct wr_stream *s = called_last(stages, count);
    s->sh->run = (int32_t)((uint32_t)s->sh->run + 1);
    if (status != LUA_YIELD)
        burst_failed(s, co, s != stages[0]);
}

const struct wr_stream_ops wr_handlers_ops = {
    .construct = construct, .read = run_read, .write = run_write, .final = final, .flush = flush, .destroy = destroy};

/* ---- how handlers complete: core functions (self, err) */

typedef void complete_fn(struct wr_stream *s, struct wr_error *err);

static int complete(lua_State *L, complete_fn *fn)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_stream *s = wr_luastream_left(L, b, 1);
    if (!s)
        return 0;
    struct wr_error *e = wr_errors_take(b, L, 2);
    fn(s, e);
    wr_error_unref(e);
    return 0;
}

/* A write handler has raised ERR. */
static void write_raised(struct wr_stream *s, struct wr_error *err)
{
    bool called_back = s->buffering && (s->sh->go & 3) == WR_GO_DONE;
    s->sh->go |= s->buffering ? WR_GO_STOP : 0;
    if (s->w_out && !called_back)
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
    return complete(L, wr_pump_completed);
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
    return complete(L, wr_finish_finaled);
}
static int on_flushed(lua_State *L)
{
    return complete(L, wr_transform_flushed);
}
static int on_destroyed(lua_State *L)
{
    return complete(L, wr_life_destroyed);
}

/* core.relay(cdata): what the drivers and the core tell each other lives in CDATA from now on. */
static int set_relay(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_argcheck(L, lua_type(L, 1) == 10 /* cdata */, 1, "cdata expected");
    lua_settop(L, 1);
    struct wr_relay *relay = (struct wr_relay *)(intptr_t)lua_topointer(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, b->relay);
    b->relay = luaL_ref(L, LUA_REGISTRYINDEX);
    b->flow.relay = relay;
    return 0;
}

void wr_handlers_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {
        {"constructed", on_constructed}, {"done", on_done},       {"writeRaised", on_write_raised},
        {"failed", on_failed},           {"finaled", on_finaled}, {"flushed", on_flushed},
        {"destroyed", on_destroyed},     {"relay", set_relay},    {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
