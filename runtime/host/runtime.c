/* SPDX-License-Identifier: MIT */
/* weir.h: a runtime is a Lua state with weir open in it, and a loop; either may be the host's.
 *
 * Everything in Lua is done in a protected call. What Lua has to say (errors, exit codes) it says by `note`, a closure over a
 * box, a userdata that outlives the runtime in a borrowed state and is then empty.
 *
 * On a borrowed loop nobody returns to us when nothing is left. So a run holds a reference on the loop, and a prepare watcher
 * looks, once a turn, whether that is the last one.
 */
#include "weir.h"

#include <ev.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "modules.h"
#include "net.h"
#include "open.h"
#include "time.h"

/* The size of struct weir_options in the first version that had it. */
#define FIRST_SIZE (offsetof(struct weir_options, threads) + sizeof(unsigned))

struct weir {
    struct wr_alloc alloc;
    struct weir_options options;
    lua_State *L;
    struct wr_loop *loop; /* on the borrowed one; NULL: the bind's own */
    struct wr_bind *b;
    struct weir **box;
    int box_ref, run_ref, settle_ref; /* registry references */
    char *error;                      /* or NULL */
    size_t error_size;
    ev_prepare watch; /* on the borrowed loop */
    bool going;       /* a run on the borrowed loop is not over, and holds a reference on it */
    bool failed;
    bool cut; /* the run was ended, by an error or by process.exit */
    int exit_code;
};

/* ---- errors */

static void set_error(struct weir *w, const char *text)
{
    wr_alloc_free(&w->alloc, w->error, w->error_size);
    w->error_size = strlen(text) + 1;
    w->error = wr_alloc_get(&w->alloc, w->error_size);
    if (w->error)
        memcpy(w->error, text, w->error_size);
}

static int fail_with(struct weir *w, const char *text)
{
    set_error(w, text);
    w->failed = true;
    return WEIR_ERROR;
}

/* note(text or nil, code): the first error of a run is kept. */
static int note(lua_State *L)
{
    struct weir **box = lua_touserdata(L, lua_upvalueindex(1));
    struct weir *w = *box;
    if (!w)
        return 0;
    if (lua_isstring(L, 1) && !w->failed)
        fail_with(w, lua_tostring(L, 1));
    if (!lua_isnoneornil(L, 2))
        w->exit_code = (int)lua_tointeger(L, 2);
    w->cut = true;
    return 0;
}

/* The error on top of the stack becomes W's, and is popped. */
static int fail_from_stack(struct weir *w)
{
    lua_State *L = w->L;
    bool memory = lua_isstring(L, -1) && !strcmp(lua_tostring(L, -1), "not enough memory");
    fail_with(w, lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error that is no text");
    lua_pop(L, 1);
    return memory ? WEIR_NO_MEMORY : WEIR_ERROR;
}

/* ---- the end of a run on a borrowed loop */

static bool is_dry(const struct weir *w)
{
    wr_loop_unref(w->loop);
    bool alive = wr_loop_alive(w->loop);
    wr_loop_ref(w->loop);
    return !alive;
}

static void begin_run(struct weir *w)
{
    w->cut = false;
    if (!w->loop || w->going)
        return;
    w->going = true;
    wr_loop_ref(w->loop);
}

static void end_run(struct weir *w)
{
    if (!w->going)
        return;
    w->going = false;
    wr_loop_unref(w->loop);
}

/* Lets Lua see that nothing is left. Whether that has changed something. */
static bool settle(struct weir *w)
{
    lua_State *L = w->b->L;
    wr_loop_enter(w->loop);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->settle_ref);
    bool again = !lua_pcall(L, 0, 1, 0) && lua_toboolean(L, -1);
    lua_pop(L, 1);
    wr_loop_leave(w->loop);
    return again;
}

static bool is_closing(const struct weir *w)
{
    const struct wr_stream *s = w->b->flow.streams;
    while (s && (!wr_stream_destroyed(s) || wr_stream_closed(s)))
        s = s->next;
    return s != NULL;
}

/* Ends the run if nothing is left. One that was cut leaves timers and servers, which are stopped when all streams are closed. */
static void look(struct weir *w)
{
    if (!w->going || wr_loop_inside(w->loop))
        return;
    if (w->cut && !is_closing(w)) {
        wr_time_close(w->b);
        wr_net_close(w->b);
    }
    while (is_dry(w))
        if (!settle(w) && is_dry(w)) {
            end_run(w);
            return;
        }
}

static void on_turn(struct ev_loop *ev, ev_prepare *watch, int events)
{
    (void)ev;
    (void)events;
    look(watch->data);
}

static void watch_loop(struct weir *w)
{
    ev_prepare_init(&w->watch, on_turn);
    ev_set_priority(&w->watch, EV_MINPRI); /* behind weir's own, which drains what waits */
    w->watch.data = w;
    ev_prepare_start(w->options.loop, &w->watch);
    ev_unref(w->options.loop);
}

static void leave_loop(struct weir *w)
{
    if (!w->loop)
        return;
    end_run(w);
    ev_ref(w->options.loop);
    ev_prepare_stop(w->options.loop, &w->watch);
    wr_loop_free(w->loop);
}

/* ---- opening */

static bool is_open(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "weir core");
    bool open = lua_istable(L, -1);
    lua_pop(L, 1);
    return open;
}

static void make_box(lua_State *L, struct weir *w)
{
    w->box = lua_newuserdata(L, sizeof *w->box);
    *w->box = w;
    lua_pushvalue(L, -1);
    w->box_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* In a protected call, with W as argument. */
static int open_in_lua(lua_State *L)
{
    struct weir *w = lua_touserdata(L, 1);
    if (!w->options.lua)
        luaL_openlibs(L);
    wr_open_preload(L);
    w->b = wr_bind_open(L, w->loop, w->options.alloc, w->options.alloc_user);
    if (w->options.threads)
        w->b->pool = wr_pool_new(w->b->loop, w->options.threads);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "weir.host");
    lua_call(L, 1, 1);
    make_box(L, w);
    lua_pushcclosure(L, note, 1);
    lua_pushboolean(L, !w->loop);
    lua_pushboolean(L, !w->options.lua);
    lua_call(L, 3, 2);
    w->settle_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    w->run_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static lua_State *make_state(struct weir *w)
{
    if (w->options.lua)
        return w->options.lua;
    return w->options.alloc ? lua_newstate(w->options.alloc, w->options.alloc_user) : luaL_newstate();
}

static int open_all(struct weir *w)
{
    if (w->options.loop) {
        w->loop = wr_loop_new(&w->alloc, wr_sys_default(), w->options.loop);
        if (!w->loop)
            return WEIR_NO_MEMORY;
        watch_loop(w);
    }
    w->L = make_state(w);
    if (!w->L)
        return WEIR_NO_MEMORY;
    if (w->options.lua && is_open(w->L))
        return WEIR_MISUSE;
    lua_pushcfunction(w->L, open_in_lua);
    lua_pushlightuserdata(w->L, w);
    return lua_pcall(w->L, 1, 0, 0) ? fail_from_stack(w) : WEIR_OK;
}

/* A state that has had a runtime must load weir's modules anew for the next one. */
static int forget_modules(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    for (const struct wr_lua_module *m = wr_lua_modules; m->name; m++) {
        lua_pushnil(L);
        lua_setfield(L, -2, m->name);
    }
    lua_pushnil(L);
    lua_setfield(L, -2, "weir.core");
    return 0;
}

static void leave_state(struct weir *w)
{
    lua_State *L = w->L;
    if (!w->options.lua) {
        lua_close(L);
        return;
    }
    if (w->b && lua_cpcall(L, forget_modules, NULL))
        lua_pop(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, w->run_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, w->settle_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, w->box_ref);
}

static void free_all(struct weir *w)
{
    struct wr_alloc alloc;
    if (w->box)
        *w->box = NULL;
    if (w->b)
        wr_bind_close(w->b);
    if (w->L)
        leave_state(w);
    leave_loop(w);
    wr_alloc_free(&w->alloc, w->error, w->error_size);
    wr_alloc_init(&alloc, w->options.alloc, w->options.alloc_user);
    wr_alloc_free(&alloc, w, sizeof *w);
}

int weir_open(struct weir **w, const struct weir_options *options)
{
    struct weir_options none = {.size = sizeof none};
    struct wr_alloc alloc;
    *w = NULL;
    if (!options)
        options = &none;
    if (options->size < FIRST_SIZE || options->size > sizeof *options)
        return WEIR_MISUSE;
    wr_alloc_init(&alloc, options->alloc, options->alloc_user);
    struct weir *made = wr_alloc_zero(&alloc, sizeof *made);
    if (!made)
        return WEIR_NO_MEMORY;
    memcpy(&made->options, options, options->size);
    made->box_ref = made->run_ref = made->settle_ref = LUA_NOREF;
    wr_alloc_init(&made->alloc, options->alloc, options->alloc_user);
    int status = open_all(made);
    if (status)
        free_all(made);
    else
        *w = made;
    return status;
}

/* ---- running */

static bool inside(const struct weir *w)
{
    return w->b->depth || (wr_loop_inside(w->b->loop) && !w->b->outside);
}

static void set_arguments(lua_State *L, const char *path, int argc, char *const *argv)
{
    lua_createtable(L, argc, 1);
    lua_pushstring(L, path);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
}

struct script {
    struct weir *w;
    const char *path, *code, *name;
    int argc;
    char *const *argv;
};

/* In a protected call: loads and runs. */
static int run_in_lua(lua_State *L)
{
    struct script *s = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->w->run_ref);
    int failed = s->path ? luaL_loadfile(L, s->path) : luaL_loadbuffer(L, s->code, strlen(s->code), s->name);
    if (failed)
        return lua_error(L);
    if (s->path)
        set_arguments(L, s->path, s->argc, s->argv);
    luaL_checkstack(L, s->argc, "too many arguments");
    for (int i = 0; i < s->argc; i++)
        lua_pushstring(L, s->argv[i]);
    lua_call(L, 1 + s->argc, 0);
    return 0;
}

static int run(struct weir *w, struct script *s)
{
    if (!w->loop && inside(w))
        return WEIR_MISUSE;
    w->failed = w->b->failed = false;
    w->exit_code = 0;
    set_error(w, "");
    begin_run(w);
    lua_pushcfunction(w->L, run_in_lua);
    lua_pushlightuserdata(w->L, s);
    int status = lua_pcall(w->L, 1, 0, 0) ? fail_from_stack(w) : WEIR_OK;
    look(w);
    return status == WEIR_OK && w->failed ? WEIR_ERROR : status;
}

int weir_run_file(struct weir *w, const char *path, int argc, char *const *argv)
{
    if (!path || argc < 0 || (argc && !argv))
        return WEIR_MISUSE;
    struct script s = {.w = w, .path = path, .argc = argc, .argv = argv};
    return run(w, &s);
}

int weir_run_string(struct weir *w, const char *code, const char *name)
{
    if (!code)
        return WEIR_MISUSE;
    struct script s = {.w = w, .code = code, .name = name ? name : "=script"};
    return run(w, &s);
}

/* ---- questions */

int weir_running(const struct weir *w)
{
    return wr_loop_alive(w->b->loop);
}

int weir_failed(const struct weir *w)
{
    return w->failed;
}

int weir_exit_code(const struct weir *w)
{
    return w->exit_code;
}

const char *weir_last_error(const struct weir *w)
{
    return w->error ? w->error : w->failed ? "out of memory" : "";
}

struct lua_State *weir_lua(const struct weir *w)
{
    return w->L;
}

int weir_close(struct weir *w)
{
    if (!w)
        return WEIR_OK;
    if (inside(w))
        return WEIR_MISUSE;
    free_all(w);
    return WEIR_OK;
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}
