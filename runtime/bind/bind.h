/* SPDX-License-Identifier: MIT */
/* What the files of this room share: one struct wr_bind for each Lua state that weir is open in.
 *
 * bind/ is Lua's door: with host/ the only room that sees lua.h. Everything that the core says to Lua goes through enter.h.
 */
#ifndef WR_BIND_BIND_H
#define WR_BIND_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "list.h"
#include "loop.h"
#include "pool.h"
#include "pump.h"
#include "stream.h"
#include "tick.h"

/* Functions in Lua that the core calls, given once by lua/weir (core.trampolines). Each catches what its callee raises and
 * says so by core.raised or core.uncaught, so that a coroutine of ours never dies of a script's error. */
enum wr_call {
    WR_CALL_CONSTRUCT, /* (self, handler, callback) */
    WR_CALL_READ,      /* (self, handler, size) */
    WR_CALL_WRITE,     /* (self, handler, chunk, callback): also _transform */
    WR_CALL_WRITEV,    /* (self, handler, chunks, callback) */
    WR_CALL_FINAL,
    WR_CALL_FLUSH,
    WR_CALL_DESTROY,  /* (self, handler, err, callback) */
    WR_CALL_EVENT,    /* (self, name, value) */
    WR_CALL_RUN,      /* (fn, ...): a tick, a timer, a callback: errors are uncaught */
    WR_CALL_UNCAUGHT, /* (err) */
    WR_CALL_BURST,    /* (self, source's self or nil) -> what a burst of its handlers needs: a table, [1] its driver */
    WR_CALL_BURST_FAILED, /* (self, err, traceback, was it `write`) */
    WR_CALL_ERROR,        /* (value, code or nil) -> error object */
    WR_CALL_COUNT
};

#define WR_IDLE_MAX 32 /* coroutines kept for the next call */

struct wr_bind {
    lua_State *L; /* a thread of our own, anchored in the registry, for whatever needs one; NULL: weir was closed */
    lua_State *anchor; /* objects on their way, by handle; its first slots are the tables below */
    struct wr_alloc alloc;
    struct wr_flow flow;
    struct wr_loop *loop;
    struct wr_pool *pool;                    /* made when first needed */
    int calls[WR_CALL_COUNT];                /* registry references */
    int ours, token;                         /* registry references: coroutines of ours (weak); what a wait yields */
    int stream_meta, own_thread, own_anchor; /* the last two are of L and `anchor` */
    int guard, no_memory;                    /* registry references: of enter.c; the error object for want of memory */
    int relay;                               /* registry reference: what flow.relay points into */
    int (*guarded)(lua_State *L, void *arg); /* what the guard calls */
    void *guarded_arg;
    lua_State *idle[WR_IDLE_MAX];
    int idle_count;
    bool paced; /* the collector's pace is weir's */
    uint32_t drains;
    int depth; /* nested entries into Lua */
#ifdef WR_HARD
    uint64_t entries, collect_next; /* so far; the one before which is collected */
    long collect_every;
#endif
    uint64_t serials;
    uint32_t company;               /* pipelines so far */
    struct wr_list timers, signals; /* started: of time.c, of process.c */
    uint32_t next_id;
    struct wr_fifo free_ids;
    bool owns_loop, closing;
    bool outside; /* nobody runs the loop: code of the state counts as inside, so that ticks wait */
    bool failed;  /* an uncaught error has ended the run */
    bool starved; /* that was for want of memory */
};

/* Slots of the anchor's stack. */
enum { WR_SLOT_ENVS = 1, WR_SLOT_PINS, WR_SLOT_BURSTS, WR_SLOT_RELAY, WR_SLOT_EVENTS };

/* The bind of L's state; raises if weir is not open there. */
struct wr_bind *wr_bind_of(lua_State *L);

/* Opens weir in L's state: on LOOP, or, with NULL, on a loop of its own. ALLOC_FN as in wr_alloc_init. Leaves the table of
 * core functions on the stack. Raises on failure. */
struct wr_bind *wr_bind_open(lua_State *L, struct wr_loop *loop, wr_alloc_fn *fn, void *user);

/* Ends all that goes on in B, without running any of the user's code: waits for the jobs of the pool, frees all that is not
 * Lua's. Called at the state's end, or before; not from a callback, unless the process ends without returning to it. B itself
 * is Lua's memory, and stays as long as a core function; those raise from now on. Objects collected later do nothing. */
void wr_bind_close(struct wr_bind *b);

/* Registers functions of one file in the table on top of the stack, with B as their first upvalue. */
void wr_bind_register(lua_State *L, struct wr_bind *b, const luaL_Reg *functions);

/* Raises that weir was closed. */
int wr_bind_closed(lua_State *L);

/* B, in a function registered so; raises when it was closed. */
static inline struct wr_bind *wr_bind_self(lua_State *L)
{
    struct wr_bind *b = lua_touserdata(L, lua_upvalueindex(1));
    if (b->closing)
        wr_bind_closed(L);
    if (b->flow.run)
        wr_pump_touch(&b->flow);
    return b;
}

/* The pool, made when first needed; raises on failure. */
struct wr_pool *wr_bind_pool(lua_State *L, struct wr_bind *b);

#endif
