/* SPDX-License-Identifier: MIT */
/* Opening and closing weir in a Lua state.
 *
 * A state has at most one struct wr_bind, in its registry. Its own thread is made at once and anchored: the coroutine that
 * happened to load the module may die. Where nobody runs the loop yet (a stock luajit), the state counts as inside the
 * loop's code, so that ticks wait for weir.run.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cryptokey.h"
#include "cryptostream.h"
#include "enter.h"
#include "fsonce.h"
#include "fsstream.h"
#include "handlers.h"
#include "life.h"
#include "methods.h"
#include "modules.h"
#include "net.h"
#include "open.h"
#include "linestream.h"
#include "luastream.h"
#include "pipe.h"
#include "process.h"
#include "pipeline.h"
#include "time.h"
#include "zlibonce.h"
#include "zlibstream.h"

static const char KEY[] = "weir bind";
#define CORE_KEY "weir core"
#define CDEF_KEY "weir cdef"

struct wr_bind *wr_bind_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, KEY);
    struct wr_bind *b = lua_touserdata(L, -1);
    if (!b || b->closing)
        luaL_error(L, "weir is not open in this state");
    lua_pop(L, 1);
    return b;
}

int wr_bind_closed(lua_State *L)
{
    return luaL_error(L, "weir was closed in this state");
}

void wr_bind_register(lua_State *L, struct wr_bind *b, const luaL_Reg *functions)
{
    (void)b;
    for (; functions->name; functions++) {
        lua_getfield(L, LUA_REGISTRYINDEX, KEY);
        lua_pushcclosure(L, functions->func, 1);
        lua_setfield(L, -2, functions->name);
    }
}

struct wr_pool *wr_bind_pool(lua_State *L, struct wr_bind *b)
{
    if (!b->pool)
        b->pool = wr_pool_new(b->loop, 0);
    if (!b->pool)
        luaL_error(L, "out of memory");
    return b->pool;
}

bool wr_open_closes(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(WR_HARD) || !defined(__OPTIMIZE__)
    return true;
#else
    return getenv("WEIR_CLOSE") != NULL;
#endif
}

/* ---- the loop */

#define TICKS_A_DRAIN 20000 /* then descriptors and timers get their turn */

#define PACE_EVERY 64           /* drains */
#define STEP_MULTIPLE 400       /* how much faster than memory is taken it is looked through, in percent */
#define HEADROOM_KIB (3 * 1024) /* garbage that may pile up before the collector begins a new round */

/* The pace of the collector, in a state of weir's own: a small heap is let grow by HEADROOM_KIB before it is marked again,
 * which costs bounded memory and saves a third of the work on streams of small objects; a large one doubles, as usual. */
static void pace(struct wr_bind *b)
{
    if (!b->paced || b->drains++ % PACE_EVERY)
        return;
    int live = lua_gc(b->L, LUA_GCCOUNT, 0) + 1;
    int pause = 100 + HEADROOM_KIB * 100 / live;
    lua_gc(b->L, LUA_GCSETPAUSE, pause < 200 ? 200 : pause > 1000 ? 1000 : pause);
}

/* core.pace(): weir sets the collector's pace from now on. */
static int pace_on(lua_State *L)
{
    wr_bind_self(L)->paced = true;
    lua_gc(L, LUA_GCSETSTEPMUL, STEP_MULTIPLE);
    return 0;
}

static int push_no_memory(lua_State *L, void *arg)
{
    struct wr_bind *b = arg;
    if (b->no_memory == LUA_NOREF)
        lua_pushliteral(L, "out of memory");
    else
        lua_rawgeti(L, LUA_REGISTRYINDEX, b->no_memory);
    return 1;
}

/* Something was lost for want of memory. The error is uncaught; if somebody listens to those, the run ends all the same. */
static void starve(struct wr_bind *b)
{
    b->flow.no_memory = false;
    b->failed = b->starved = true;
    if (wr_enter_guard(b, b->L, push_no_memory, b) > 0)
        wr_enter_uncaught(b, b->L);
    b->flow.no_memory = false;
}

static bool drain(void *user)
{
    struct wr_bind *b = user;
    pace(b);
    bool more = !b->flow.no_memory && wr_tick_drain(&b->flow, TICKS_A_DRAIN);
    if (b->flow.no_memory)
        starve(b);
    if (b->failed)
        wr_loop_stop(b->loop);
    return more && !b->failed;
}

static void wake(struct wr_flow *f)
{
    struct wr_bind *b = f->user;
    wr_loop_wake(b->loop);
}

static uint64_t clock_of(void *user)
{
    struct wr_bind *b = user;
    return wr_loop_hrtime(b->loop);
}

/* core.loop(): runs the loop until nothing is left. Whether it ran dry (false: it was stopped). */
static int run_loop(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    if (b->depth || (wr_loop_inside(b->loop) && !b->outside))
        return luaL_error(L, "the loop is running already");
    bool outside = b->outside;
    b->outside = false;
    if (outside)
        wr_loop_leave(b->loop);
    if (b->failed)
        wr_loop_stop(b->loop);
    bool dry = wr_loop_run(b->loop);
    if (outside)
        wr_loop_enter(b->loop);
    b->outside = outside;
    if (b->starved) {
        b->starved = false;
        return luaL_error(L, "out of memory");
    }
    lua_pushboolean(L, dry);
    return 1;
}

/* core.stop(): the loop returns at the end of its turn. */
static int stop_loop(lua_State *L)
{
    wr_loop_stop(wr_bind_self(L)->loop);
    return 0;
}

/* core.fail(): an uncaught error ends the run. */
static int fail(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    b->failed = true;
    wr_loop_stop(b->loop);
    return 0;
}

/* What the process must not leave as it is: a stream may have a file to remove. */
static bool unfinished(const struct wr_bind *b)
{
    const struct wr_stream *s = b->flow.streams;
    while (s && wr_stream_closed(s))
        s = s->next;
    return s != NULL;
}

static void leave(struct wr_bind *b)
{
    if (wr_open_closes() || unfinished(b))
        wr_bind_close(b);
}

void wr_open_leave(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, KEY);
    struct wr_bind *b = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (b && b->loop && !b->closing)
        leave(b);
    if (wr_open_closes())
        lua_close(L);
}

int wr_open_status(int status)
{
    bool before = ferror(stdout) != 0;
    errno = 0;
    if (!fflush(stdout) && !before)
        return status;
    if (errno == EPIPE || status == 128 + SIGPIPE)
        return 128 + SIGPIPE;
    fprintf(stderr, "weir: standard output cannot be written: %s\n", errno ? strerror(errno) : "a write has failed");
    return status ? status : EXIT_FAILURE;
}

/* core.exit(code): ends the process now. No frame below is returned to. */
static int exit_process(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    int code = (int)luaL_optinteger(L, 1, 0);
    leave(b);
    exit(wr_open_status(code));
}

/* core.trampolines{ name = function } */
static int trampolines(lua_State *L)
{
    static const char *const names[] = {"construct", "read", "write",    "writev", "final",       "flush", "destroy",
                                        "event",     "run",  "uncaught", "burst",  "burstFailed", "error"};
    struct wr_bind *b = wr_bind_self(L);
    for (int i = 0; i < WR_CALL_COUNT; i++) {
        lua_getfield(L, 1, names[i]);
        luaL_argcheck(L, lua_isfunction(L, -1), 1, names[i]);
        b->calls[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->calls[WR_CALL_ERROR]);
    lua_pushliteral(L, "out of memory");
    lua_pushliteral(L, "ENOMEM");
    lua_call(L, 2, 1);
    b->no_memory = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* ---- the text that Lua's FFI declares: flat, since a nested struct would cost an object each time it is reached */

/* A state keeps what was declared in it: for a second opening the text on top of L becomes empty. */
static void declare_once(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, CDEF_KEY);
    bool first = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!first) {
        lua_pop(L, 1);
        lua_pushliteral(L, "");
    }
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, CDEF_KEY);
}

static void push_cdef(lua_State *L)
{
#define R(name) "int32_t r" #name "; "
#define W(name) "int32_t w" #name "; "
#define X(name) "int32_t " #name "; "
    lua_pushliteral(L, "struct wr_shared { " WR_RING_FIELDS(R) WR_RING_FIELDS(W)
                           WR_SHARED_FIELDS(X) "};"
                                               "struct wr_relay { " WR_RELAY_FIELDS(X) "};");
#undef X
#undef W
#undef R
    declare_once(L);
    lua_setfield(L, -2, "cdef");
    lua_newtable(L);
#define X(name, text) (lua_pushinteger(L, WR_EV_##name), lua_setfield(L, -2, text));
    WR_EVENTS(X)
#undef X
    lua_setfield(L, -2, "events");
    lua_pushinteger(L, sizeof(struct wr_shared));
    lua_setfield(L, -2, "sharedSize");
}

#define FLAGS(X)                                                                                                       \
    X(HAS_CONSTRUCT)                                                                                                   \
    X(HAS_READ)                                                                                                        \
    X(HAS_WRITE)                                                                                                       \
    X(HAS_WRITEV)                                                                                                      \
    X(HAS_FINAL)                                                                                                       \
    X(HAS_FLUSH)                                                                                                       \
    X(HAS_DESTROY)                                                                                                     \
    X(IS_READABLE)                                                                                                     \
    X(IS_WRITABLE)                                                                                                     \
    X(IS_TRANSFORM)                                                                                                    \
    X(OBJECTS_READ)                                                                                                    \
    X(OBJECTS_WRITE)                                                                                                   \
    X(AUTO_DESTROY)                                                                                                    \
    X(EMIT_CLOSE)                                                                                                      \
    X(HALF_OPEN)                                                                                                       \
    X(CLOSED_READ)                                                                                                     \
    X(CLOSED_WRITE)                                                                                                    \
    X(BURSTS)                                                                                                          \
    X(BULK)

static void push_flags(lua_State *L)
{
    lua_newtable(L);
#define X(name) (lua_pushinteger(L, WR_##name), lua_setfield(L, -2, #name));
    FLAGS(X)
#undef X
    lua_setfield(L, -2, "flags");
    lua_pushliteral(L, WEIR_VERSION);
    lua_setfield(L, -2, "version");
}

/* ---- opening */

static int weak_table(lua_State *L, const char *mode)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    return lua_gettop(L);
}

static int close_bind(lua_State *L)
{
    struct wr_bind *b = lua_touserdata(L, 1);
    if (b->loop && !b->closing)
        wr_bind_close(b);
    return 0;
}

/* The bind lives in a userdata, which every core function has as its upvalue: whatever of Lua outlives the closing finds it. */
static struct wr_bind *new_bind(lua_State *L)
{
    struct wr_bind *b = lua_newuserdata(L, sizeof *b);
    memset(b, 0, sizeof *b);
    for (int i = 0; i < WR_CALL_COUNT; i++)
        b->calls[i] = LUA_NOREF;
    b->stream_meta = b->guard = b->no_memory = b->relay = LUA_NOREF;
    wr_list_init(&b->timers);
    wr_list_init(&b->signals);
    lua_newtable(L);
    lua_pushcfunction(L, close_bind);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, KEY);
    return b;
}

/* The collector cuts a stack to half of its size when less than a quarter of it is in use: so much is in use that the room which
 * is made here, for objects on their way, stays. */
enum { ANCHOR_HELD = 300, ANCHOR_ROOM = 800 };

static void make_threads(lua_State *L, struct wr_bind *b)
{
    b->L = lua_newthread(L);
    b->own_thread = luaL_ref(L, LUA_REGISTRYINDEX);
    b->anchor = lua_newthread(L);
    b->own_anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    weak_table(b->anchor, "v");
    lua_newtable(b->anchor);
    weak_table(b->anchor, "v");
    weak_table(b->anchor, "v");
    for (int i = 1; i <= WR_STAGES_MAX + 1; i++) { /* an array from the start */
        lua_pushboolean(b->anchor, false);
        lua_rawseti(b->anchor, WR_SLOT_RELAY, i);
    }
    lua_newtable(b->anchor);
#define X(name, text) (lua_pushliteral(b->anchor, text), lua_rawseti(b->anchor, -2, WR_EV_##name + 1));
    WR_EVENTS(X)
#undef X
    lua_settop(b->anchor, lua_gettop(b->anchor) + ANCHOR_HELD);
    luaL_checkstack(b->anchor, ANCHOR_ROOM, "objects on their way");
    weak_table(L, "k");
    b->ours = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "token");
    b->token = luaL_ref(L, LUA_REGISTRYINDEX);
    wr_enter_open(L, b);
}

static void open_files(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"loop", run_loop}, {"stop", stop_loop},    {"fail", fail},
                                         {"pace", pace_on},  {"exit", exit_process}, {"trampolines", trampolines},
                                         {NULL, NULL}};
    wr_bind_register(L, b, functions);
    wr_luastream_open(L, b);
    wr_handlers_open(L, b);
    wr_methods_open(L, b);
    wr_properties_open(L, b);
    wr_pipes_open(L, b);
    wr_time_open(L, b);
    wr_zlibstream_open(L, b);
    wr_zlibonce_open(L, b);
    wr_net_open(L, b);
    wr_cryptostream_open(L, b);
    wr_cryptokey_open(L, b);
    wr_linestream_open(L, b);
    wr_process_open(L, b);
    wr_fsstream_open(L, b);
    wr_fsonce_open(L, b);
    push_cdef(L);
    push_flags(L);
}

struct wr_bind *wr_bind_open(lua_State *L, struct wr_loop *loop, wr_alloc_fn *fn, void *user)
{
    struct wr_bind *b = new_bind(L);
    lua_newtable(L);
    make_threads(L, b); /* first: what is opened from here on is closed in them */
    wr_alloc_init(&b->alloc, fn, user);
    const char *one = getenv("WEIR_BURST");
    wr_flow_init(&b->flow, &b->alloc, &wr_luastream_host, wr_luastream_release, wake, one && !strcmp(one, "1"));
    b->flow.user = b;
    b->flow.now = clock_of;
    b->flow.burst = wr_handlers_burst;
    b->flow.edge = wr_luastream_edge;
    wr_fifo_init(&b->free_ids, &b->alloc, sizeof(uint32_t));
    b->next_id = 1;
    b->loop = loop ? loop : wr_loop_new(&b->alloc, wr_sys_default(), NULL);
    if (!b->loop)
        luaL_error(L, "out of memory");
    b->owns_loop = b->outside = !loop;
    if (b->outside)
        wr_loop_enter(b->loop);
    wr_loop_on_drain(b->loop, drain, b);
    open_files(L, b);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, CORE_KEY);
    return b;
}

/* ---- closing */

static void close_value(lua_State *L)
{
    if (luaL_callmeta(L, -1, "__gc"))
        lua_pop(L, 1);
}

/* What follows S on behalf of a Lua function: its handles are among the callbacks of S. With S's environment on top. */
static void close_followers(lua_State *L)
{
    lua_rawgeti(L, -1, WR_ENV_CALLBACKS);
    for (lua_pushnil(L); lua_istable(L, -2) && lua_next(L, -2); lua_pop(L, 1))
        if (lua_type(L, -1) == LUA_TUSERDATA)
            close_value(L);
    lua_settop(L, 1);
}

/* Takes S from its userdata, as the collector would. */
static void close_stream(struct wr_bind *b, struct wr_stream *s)
{
    lua_State *L = b->L;
    lua_settop(L, 0);
    wr_luastream_push_env(L, b, s);
    if (lua_istable(L, 1)) {
        close_followers(L);
        lua_rawgeti(L, 1, WR_ENV_USERDATA);
        close_value(L);
    }
    lua_settop(L, 0);
}

/* All streams are held meanwhile: each may be the last to hold others. Pipes may join them to rings. */
static void close_streams(struct wr_bind *b)
{
    struct wr_stream *s, *next;
    for (s = b->flow.streams; s; s = s->next)
        wr_stream_ref(s);
    for (s = b->flow.streams; s; s = s->next) {
        close_stream(b, s);
        wr_pipe_drop_all(s);
    }
    for (s = b->flow.streams; s; s = next) {
        next = s->next;
        wr_stream_unref(s);
    }
}

static void close_loop(struct wr_bind *b)
{
    if (b->owns_loop) {
        while (wr_loop_inside(b->loop)) /* outside of weir.run; or the process ends, and no callback is returned to */
            wr_loop_leave(b->loop);
        wr_loop_free(b->loop);
    }
    b->loop = NULL;
}

/* Coroutines, idle or running, are in the registry under their addresses. */
static void forget_coroutines(struct wr_bind *b)
{
    lua_State *L = b->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->ours);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_pushlightuserdata(L, lua_tothread(L, -2));
        lua_pushnil(L);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_settop(L, 0);
}

/* The state may live on, and must not keep what was weir's. */
static void leave_registry(struct wr_bind *b)
{
    const int refs[] = {b->ours,      b->token, b->stream_meta, b->guard,
                        b->no_memory, b->relay, b->own_anchor,  b->own_thread};
    forget_coroutines(b);
    for (int i = 0; i < WR_CALL_COUNT; i++)
        luaL_unref(b->L, LUA_REGISTRYINDEX, b->calls[i]);
    lua_pushnil(b->L);
    lua_setfield(b->L, LUA_REGISTRYINDEX, CORE_KEY);
    lua_pushnil(b->L);
    lua_setfield(b->L, LUA_REGISTRYINDEX, KEY);
    for (unsigned i = 0; i < sizeof refs / sizeof *refs; i++) /* the thread that this is done in goes last */
        luaL_unref(b->L, LUA_REGISTRYINDEX, refs[i]);
    b->flow.relay = &b->flow.own_relay;
    b->L = b->anchor = NULL;
}

void wr_bind_close(struct wr_bind *b)
{
    b->closing = true;
    wr_loop_on_drain(b->loop, NULL, NULL);
    wr_process_close(b);
    wr_pool_free(b->pool);
    b->pool = NULL;
    wr_fsstream_close(b);
    wr_pipeline_drop_all(&b->flow);
    wr_flow_clear(&b->flow);
    wr_net_close(b);
    wr_time_close(b);
    close_streams(b);
    wr_flow_clear(&b->flow);
    wr_fifo_clear(&b->free_ids);
    close_loop(b);
    leave_registry(b);
}

int luaopen_weir_core(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, CORE_KEY);
    if (lua_istable(L, -1))
        return 1;
    wr_open_preload(L);
    wr_bind_open(L, NULL, NULL, NULL);
    return 1;
}

static int load_module(lua_State *L)
{
    const struct wr_lua_module *m = &wr_lua_modules[lua_tointeger(L, lua_upvalueindex(1))];
    if (luaL_loadbuffer(L, (const char *)m->code, m->size, m->name))
        return lua_error(L);
    lua_pushstring(L, m->name);
    lua_call(L, 1, 1);
    return 1;
}

void wr_open_preload(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    for (int i = 0; wr_lua_modules[i].name; i++) {
        lua_pushinteger(L, i);
        lua_pushcclosure(L, load_module, 1);
        lua_setfield(L, -2, wr_lua_modules[i].name);
    }
    lua_pushcfunction(L, luaopen_weir_core);
    lua_setfield(L, -2, "weir.core");
    lua_pop(L, 2);
}
