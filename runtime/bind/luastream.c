/* SPDX-License-Identifier: MIT */
/* Making streams, their life in Lua's collector, and the host operations: rings of objects, events, holds. */
#include <assert.h>
#include <string.h>

#include "enter.h"
#include "errors.h"
#include "life.h"
#include "pipeline.h"

#include "luastream.h"

#define RING_MAX (1 << 26)

static struct wr_lua_stream *of(struct wr_stream *s)
{
    return (struct wr_lua_stream *)(void *)s;
}

/* ---- the environment */

void wr_luastream_push_slot(lua_State *L, struct wr_bind *b, int slot)
{
    lua_pushvalue(b->anchor, slot);
    lua_xmove(b->anchor, L, 1);
}

void wr_luastream_push_env(lua_State *L, struct wr_bind *b, struct wr_stream *s)
{
    if (of(s)->gone) {
        lua_pushnil(L);
        return;
    }
    lua_rawgeti(b->anchor, WR_SLOT_ENVS, (int)s->id);
    lua_xmove(b->anchor, L, 1);
}

static void push_field(lua_State *L, struct wr_bind *b, struct wr_stream *s, int slot)
{
    wr_luastream_push_env(L, b, s);
    if (!lua_istable(L, -1))
        return;
    lua_rawgeti(L, -1, slot);
    lua_remove(L, -2);
}

void wr_luastream_push_self(lua_State *L, struct wr_bind *b, struct wr_stream *s)
{
    push_field(L, b, s, WR_ENV_SELF);
}

struct wr_stream *wr_luastream_left(lua_State *L, struct wr_bind *b, int index)
{
    if (lua_istable(L, index)) {
        lua_pushliteral(L, "_u");
        lua_rawget(L, index);
    } else {
        lua_pushnil(L);
    }
    struct wr_stream **u = lua_touserdata(L, -1);
    if (!u || !lua_getmetatable(L, -1))
        wr_errors_raise(b, L, "ERR_INVALID_THIS",
                        "a method of a stream was called before its init, or on what is no stream");
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->stream_meta);
    if (!lua_rawequal(L, -1, -2))
        wr_errors_raise(b, L, "ERR_INVALID_THIS", "a method of a stream was called on what is no stream");
    lua_pop(L, 3);
    return *u;
}

struct wr_stream *wr_luastream_arg(lua_State *L, struct wr_bind *b, int index)
{
    struct wr_stream *s = wr_luastream_left(L, b, index);
    if (!s)
        wr_errors_raise(b, L, "ERR_INVALID_THIS", "a method of a stream was called after it was collected");
    return s;
}

/* ---- making one */

static uint32_t take_id(struct wr_bind *b)
{
    uint32_t id;
    if (b->free_ids.count) {
        wr_fifo_take(&b->free_ids, &id);
        return id;
    }
    return b->next_id++;
}

static struct wr_lua_stream *allocate(lua_State *L, struct wr_bind *b, size_t size)
{
    struct wr_stream **u = lua_newuserdata(L, sizeof *u);
    *u = NULL;
    struct wr_lua_stream *ls = wr_alloc_zero(&b->alloc, size);
    if (!ls)
        luaL_error(L, "out of memory");
    *u = &ls->s;
    ls->b = b;
    ls->size = size;
    return ls;
}

/* A ring's table: 2^4 slots filled, so that they are an array. */
static void new_ring(lua_State *L)
{
    lua_createtable(L, 16, 0);
    for (int i = 0; i < 16; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, i);
    }
}

static void set_ring(lua_State *L, int env, int slot, const char *name)
{
    new_ring(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, env, slot);
    lua_setfield(L, 1, name);
}

static void fill_env(lua_State *L, struct wr_bind *b, struct wr_lua_stream *ls, int userdata, uint32_t has)
{
    lua_createtable(L, 10, 0);
    int env = lua_gettop(L);
    lua_pushvalue(L, 1);
    lua_rawseti(L, env, WR_ENV_SELF);
    lua_pushvalue(L, userdata);
    lua_rawseti(L, env, WR_ENV_USERDATA);
    if (has & WR_OBJECTS_READ)
        set_ring(L, env, WR_ENV_READ_RING, "_r");
    if (has & WR_OBJECTS_WRITE)
        set_ring(L, env, WR_ENV_WRITE_RING, "_w");
    lua_pushvalue(L, 2);
    lua_rawseti(L, env, WR_ENV_HANDLERS);
    lua_pushvalue(L, env);
    lua_setfenv(L, userdata);
    wr_luastream_push_slot(L, b, WR_SLOT_ENVS);
    lua_pushvalue(L, env);
    lua_rawseti(L, -2, (int)ls->s.id);
    wr_luastream_push_slot(L, b, WR_SLOT_PINS);
    lua_pushboolean(L, 0); /* so that there is room when it is held */
    lua_rawseti(L, -2, (int)ls->s.id);
}

struct wr_lua_stream *wr_luastream_make(lua_State *L, struct wr_bind *b, size_t size, const struct wr_stream_ops *ops,
                                        uint32_t has, int32_t r_mark, int32_t w_mark)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    struct wr_lua_stream *ls = allocate(L, b, size);
    int userdata = lua_gettop(L);
    ls->s.id = take_id(b);
    ls->serial = ++b->serials;
    wr_stream_init(&ls->s, &b->flow, ops, has, r_mark, w_mark);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->stream_meta);
    lua_setmetatable(L, userdata);
    lua_createtable(L, 10, 0);
    fill_env(L, b, ls, userdata, has);
    lua_pushvalue(L, userdata);
    lua_setfield(L, 1, "_u");
    lua_settop(L, userdata);
    return ls;
}

/* ---- the collector */

static int collect(lua_State *L)
{
    struct wr_stream **u = lua_touserdata(L, 1);
    if (!u || !*u)
        return 0;
    struct wr_stream *s = *u;
    *u = NULL;
    wr_stream_share(s, NULL);
    of(s)->gone = true;
    wr_pipeline_forget(s);
    wr_stream_unref(s);
    return 0;
}

void wr_luastream_release(struct wr_stream *s)
{
    struct wr_lua_stream *ls = of(s);
    struct wr_bind *b = ls->b;
    if (ls->clear)
        ls->clear(ls);
    if (!b->closing)
        wr_fifo_push(&b->free_ids, &s->id);
    wr_alloc_free(&b->alloc, ls, ls->size);
}

/* ---- host operations */

static void hold(struct wr_stream *s, bool held)
{
    struct wr_bind *b = of(s)->b;
    if (of(s)->gone || b->closing)
        return;
    if (held)
        push_field(b->anchor, b, s, WR_ENV_USERDATA);
    else
        lua_pushboolean(b->anchor, 0);
    lua_rawseti(b->anchor, WR_SLOT_PINS, (int)s->id);
}

/* Sets what S's table of edges has at KEY to the value on top of L, which is popped. */
static void note(lua_State *L, struct wr_stream *s, int key)
{
    wr_luastream_push_env(L, of(s)->b, s);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 2);
        return;
    }
    lua_rawgeti(L, -1, WR_ENV_EDGES);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, WR_ENV_EDGES);
    }
    lua_pushvalue(L, -3);
    lua_rawseti(L, -2, key);
    lua_pop(L, 3);
}

static void note_edge(lua_State *L, struct wr_stream *s, struct wr_stream *other, bool made)
{
    if (made)
        push_field(L, of(s)->b, other, WR_ENV_USERDATA);
    else
        lua_pushnil(L);
    note(L, s, (int)other->id);
}

struct edge {
    struct wr_stream *source, *dest;
    bool made;
};

static int note_both(lua_State *L, void *arg)
{
    const struct edge *e = arg;
    note_edge(L, e->source, e->dest, e->made);
    note_edge(L, e->dest, e->source, e->made);
    return 0;
}

void wr_luastream_edge(struct wr_stream *source, struct wr_stream *dest, bool made)
{
    struct wr_bind *b = of(source)->b;
    struct edge e = {source, dest, made};
    if (!of(source)->gone && !of(dest)->gone && !b->closing)
        wr_enter_guard(b, b->L, note_both, &e);
}

struct company {
    struct wr_stream *const *streams;
    uint32_t count;
    int key;
    bool made;
};

static int note_company(lua_State *L, void *arg)
{
    const struct company *c = arg;
    if (c->made)
        lua_createtable(L, (int)c->count, 0);
    else
        lua_pushnil(L);
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->made) {
            push_field(L, of(c->streams[i])->b, c->streams[i], WR_ENV_USERDATA);
            lua_rawseti(L, -2, (int)i + 1);
        }
        lua_pushvalue(L, -1);
        note(L, c->streams[i], -c->key);
    }
    return 0;
}

void wr_luastream_company(struct wr_bind *b, struct wr_stream *const *streams, uint32_t count, int key, bool made)
{
    struct company c = {streams, count, key, made};
    if (!b->closing)
        wr_enter_guard(b, b->L, note_company, &c);
}

static struct wr_ring *ring_of(struct wr_stream *s, enum wr_side side)
{
    return side == WR_SIDE_READ ? &s->sh->r : &s->sh->w;
}

static void push_ring(lua_State *L, struct wr_bind *b, struct wr_stream *s, enum wr_side side)
{
    push_field(L, b, s, side == WR_SIDE_READ ? WR_ENV_READ_RING : WR_ENV_WRITE_RING);
}

struct growth {
    struct wr_stream *s;
    enum wr_side side;
};

/* Doubles the table of a ring; without memory for that it stays as it was. Indices are the script's to spoil,
 * never C's to follow. */
static int grow_guarded(lua_State *L, void *arg)
{
    const struct growth *g = arg;
    struct wr_ring *r = ring_of(g->s, g->side);
    push_ring(L, of(g->s)->b, g->s, g->side);
    int32_t mask = r->mask;
    int32_t bigger = mask * 2 + 1, count = (int32_t)((uint32_t)r->tail - (uint32_t)r->head);
    lua_createtable(L, bigger + 1, 0);
    for (int32_t i = 0; i <= bigger; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, i);
    }
    for (int32_t i = 0; i < count && i <= mask; i++) {
        lua_rawgeti(L, -2, (int)((uint32_t)(r->head + i) & (uint32_t)mask));
        lua_rawseti(L, -2, (int)((uint32_t)(r->head + i) & (uint32_t)bigger));
    }
    for (int32_t n = 0, i = mask + 1; n <= bigger; n++, i = (i + 1) & bigger) { /* first what makes the table grow */
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -3, i);
    }
    r->mask = bigger;
    return 0;
}

static int grow(struct wr_stream *s, enum wr_side side)
{
    struct wr_bind *b = of(s)->b;
    struct growth g = {s, side};
    int32_t mask = ring_of(s, side)->mask;
    return mask < 0 || mask >= RING_MAX || wr_enter_guard(b, b->L, grow_guarded, &g) < 0 ? -1 : 0;
}

static int store(struct wr_stream *s, enum wr_side side, int32_t at, int handle)
{
    struct wr_bind *b = of(s)->b;
    lua_State *A = b->anchor;
    struct wr_ring *r = ring_of(s, side);
    push_ring(A, b, s, side);
    if (!lua_istable(A, -1) || ((int32_t)((uint32_t)r->tail - (uint32_t)r->head) > r->mask && grow(s, side))) {
        lua_pop(A, 1);
        return -1;
    }
    lua_pushvalue(A, handle);
    lua_rawseti(A, -2, (int)((uint32_t)at & (uint32_t)r->mask));
    lua_pop(A, 1);
    return 0;
}

static int take(struct wr_stream *s, enum wr_side side, int32_t at)
{
    struct wr_bind *b = of(s)->b;
    lua_State *A = b->anchor;
    int slot = (int)((uint32_t)at & (uint32_t)ring_of(s, side)->mask);
    luaL_checkstack(A, 8, "objects on their way");
    push_ring(A, b, s, side);
    if (lua_istable(A, -1)) {
        lua_rawgeti(A, -1, slot);
        lua_pushboolean(A, 0);
        lua_rawseti(A, -3, slot);
        lua_remove(A, -2);
    }
    return lua_gettop(A);
}

static void drop(struct wr_flow *f, int handle)
{
    struct wr_bind *b = f->user;
    assert(handle == lua_gettop(b->anchor) && "objects are not dropped last in, first out");
    lua_settop(b->anchor, handle - 1);
}

static enum wr_code convert(struct wr_flow *f, const struct wr_item *item, struct wr_item *out)
{
    struct wr_bind *b = f->user;
    luaL_checkstack(b->anchor, 8, "objects on their way");
    *out = (struct wr_item){0};
    if (!item->object) {
        if (!wr_luastream_push_item(b->anchor, b, item))
            return WR_E_NO_MEMORY;
        out->object = lua_gettop(b->anchor);
        return WR_E_OK;
    }
    if (lua_type(b->anchor, item->object) != LUA_TSTRING)
        return WR_E_INVALID_ARG_TYPE;
    size_t len;
    const char *bytes = lua_tolstring(b->anchor, item->object, &len);
    return wr_chunk_copy(&b->alloc, &out->bytes, bytes, len) ? WR_E_NO_MEMORY : WR_E_OK;
}

/* Whether there was memory. */
static bool push_data(lua_State *co, struct wr_bind *b, enum wr_event ev, const struct wr_event_data *data)
{
    if (ev == WR_EV_DATA)
        return wr_luastream_push_item(co, b, data->item);
    if (ev == WR_EV_ERROR)
        wr_errors_push(b, co, data->error);
    else if (data->other)
        wr_luastream_push_self(co, b, data->other);
    else
        lua_pushnil(co);
    return true;
}

/* An 'error' that nobody listens to, and nobody in the core looks after, goes to the emitter all the same, which raises. */
static void event(struct wr_stream *s, enum wr_event ev, const struct wr_event_data *data)
{
    struct wr_bind *b = of(s)->b;
    if (of(s)->gone || (ev == WR_EV_ERROR && data->handled && !wr_stream_listens(s, ev)))
        return;
    lua_State *co = wr_enter(b, WR_CALL_EVENT);
    if (!co) {
        wr_life_fail_code(s, wr_enter_refusal(b), true);
        return;
    }
    wr_luastream_push_self(co, b, s);
    lua_rawgeti(b->anchor, WR_SLOT_EVENTS, (int)ev + 1);
    lua_xmove(b->anchor, co, 1);
    if (push_data(co, b, ev, data))
        wr_enter_call(b, co, 3);
    else
        wr_enter_end(b, co);
}

const struct wr_host_ops wr_luastream_host = {
    .convert = convert, .event = event, .store = store, .take = take, .drop = drop, .hold = hold};

/* ---- items */

int wr_luastream_item(lua_State *L, struct wr_bind *b, bool objects, int index, struct wr_item *out, bool *no_memory)
{
    *out = (struct wr_item){0};
    *no_memory = false;
    if (objects) {
        luaL_checkstack(b->anchor, 8, "objects on their way");
        lua_pushvalue(L, index);
        lua_xmove(L, b->anchor, 1);
        out->object = lua_gettop(b->anchor);
        return 0;
    }
    if (lua_type(L, index) != LUA_TSTRING)
        return -1;
    size_t len;
    const char *bytes = lua_tolstring(L, index, &len);
    *no_memory = wr_chunk_copy(&b->alloc, &out->bytes, bytes, len) != 0;
    return *no_memory ? -1 : 0;
}

static int push_bytes(lua_State *L, void *arg)
{
    const struct wr_chunk *bytes = arg;
    lua_pushlstring(L, bytes->len ? (const char *)bytes->data : "", bytes->len);
    return 1;
}

bool wr_luastream_push_item(lua_State *L, struct wr_bind *b, const struct wr_item *item)
{
    if (!item->object) {
        struct wr_chunk bytes = item->bytes;
        return wr_enter_guard(b, L, push_bytes, &bytes) == 1;
    }
    lua_pushvalue(b->anchor, item->object);
    lua_xmove(b->anchor, L, 1);
    return true;
}

/* ---- core functions */

/* core.share(self, cdata): the shared struct lives in CDATA from now on. */
static int share(lua_State *L)
{
    WR_LUASTREAM_SELF;
    luaL_argcheck(L, lua_type(L, 2) == 10 /* cdata */, 2, "cdata expected");
    wr_luastream_push_env(L, b, s);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, WR_ENV_SHARED);
    wr_stream_share(s, (struct wr_shared *)(intptr_t)lua_topointer(L, 2));
    return 0;
}

/* core.callback(self, fn): the callback of `write`, made once a stream. */
static int set_callback(lua_State *L)
{
    WR_LUASTREAM_SELF;
    wr_luastream_push_env(L, b, s);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, WR_ENV_WRITE_CALLBACK);
    return 0;
}

static void make_meta(lua_State *L, struct wr_bind *b)
{
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "weir stream");
    lua_setfield(L, -2, "__metatable");
    b->stream_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}

void wr_luastream_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"share", share}, {"callback", set_callback}, {NULL, NULL}};
    make_meta(L, b);
    wr_bind_register(L, b, functions);
}
