/* SPDX-License-Identifier: MIT */
/* A stream as Lua sees it: a table `self` with a userdata `_u`, whose environment table holds all that belongs to the stream.
 *
 * The userdata is the stream's only strong root on this side: the core reaches it by number through a weak table, and holds
 * it (pins) only while it may call it. Everything else, rings, handlers, pipes, is in the environment, so that a stream that
 * nobody knows any more is collected with all that hangs on it.
 */
#ifndef WR_BIND_LUASTREAM_H
#define WR_BIND_LUASTREAM_H

#include "bind.h"

/* Slots of the environment table. */
enum {
    WR_ENV_SELF = 1,
    WR_ENV_USERDATA,
    WR_ENV_READ_RING,
    WR_ENV_WRITE_RING,
    WR_ENV_HANDLERS, /* [enum wr_call + 1] = function */
    WR_ENV_WRITE_CALLBACK,
    WR_ENV_CALLBACKS, /* of writes, by number */
    WR_ENV_SHARED,    /* the cdata that the shared struct lives in */
    WR_ENV_EDGES,     /* streams that this one is piped into, or from, by number */
    WR_ENV_NATIVE     /* whatever a native stream keeps alive */
};

/* What a Lua stream is in C. A native stream (files, codecs) begins with it and sets `ops` and `free` of its own. */
struct wr_lua_stream {
    struct wr_stream s;
    struct wr_bind *b;
    size_t size; /* of the whole struct */
    /* Called when the last reference goes, before the memory does; may be NULL. */
    void (*clear)(struct wr_lua_stream *ls);
    bool gone; /* its userdata was collected: nobody listens */
    intptr_t next_callback;
    uint64_t serial, into; /* its own number, and that of the source that bursts into it were prepared for */
    bool from;             /* bursts of its `read` were prepared */
};

/* The stream that is argument INDEX (the table `self`); raises if it is none, or was not initialised, or was collected (a
 * finalizer that leaves a stream may bring its table back, but not the stream). */
struct wr_stream *wr_luastream_arg(lua_State *L, struct wr_bind *b, int index);

/* The same, for what comes too late then and matters to nobody: NULL if it was collected. */
struct wr_stream *wr_luastream_left(lua_State *L, struct wr_bind *b, int index);

/* Declares B and S of a method, which is called as (self, ...); raises as wr_luastream_arg. */
#define WR_LUASTREAM_SELF                                                                                              \
    struct wr_bind *b = wr_bind_self(L);                                                                               \
    struct wr_stream *s = wr_luastream_arg(L, b, 1)

/* Pushes the table in SLOT of the anchor's (WR_SLOT_...): what may raise must not be done on the anchor itself. */
void wr_luastream_push_slot(lua_State *L, struct wr_bind *b, int slot);

/* The environment table of S pushed on L (nil if S is gone). */
void wr_luastream_push_env(lua_State *L, struct wr_bind *b, struct wr_stream *s);

/* Pushes S's `self` (nil if S is gone). */
void wr_luastream_push_self(lua_State *L, struct wr_bind *b, struct wr_stream *s);

/* A new stream of SIZE bytes in C for the table at INDEX 1 of L, which gets its fields _u, _s, _r and _w; handlers from the
 * table at index 2 (or nil). OPS NULL: the handlers of Lua. Raises on failure. The caller calls wr_life_start. */
struct wr_lua_stream *wr_luastream_make(lua_State *L, struct wr_bind *b, size_t size, const struct wr_stream_ops *ops,
                                        uint32_t has, int32_t r_mark, int32_t w_mark);

/* The host operations of every flow of this room. */
extern const struct wr_host_ops wr_luastream_host;

/* Mirrors an edge in both environments (wr_flow.edge): either end keeps the other. */
void wr_luastream_edge(struct wr_stream *source, struct wr_stream *dest, bool made);

/* Joins COUNT streams under the number KEY (> 0), or ends that: while any of them is known, all are kept. */
void wr_luastream_company(struct wr_bind *b, struct wr_stream *const *streams, uint32_t count, int key, bool made);

/* Gives a stream's memory back (wr_flow.free_stream). */
void wr_luastream_release(struct wr_stream *s);

/* The value at INDEX of L as an item for a stream's side: an object's handle, or a copy of a string's bytes. 0; or -1, and
 * nothing is on its way: the value is of the wrong type, or (NO_MEMORY set) there was no memory. */
int wr_luastream_item(lua_State *L, struct wr_bind *b, bool objects, int index, struct wr_item *out, bool *no_memory);

/* Pushes ITEM's value on L: the object, or a string of the bytes; false, and nothing is pushed, if there is no memory for that,
 * of which the run will end (wr_enter_starve). Does not raise. */
bool wr_luastream_push_item(lua_State *L, struct wr_bind *b, const struct wr_item *item);

/* Registers this file's core functions. */
void wr_luastream_open(lua_State *L, struct wr_bind *b);

#endif
