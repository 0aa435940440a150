/* SPDX-License-Identifier: MIT */
/* A watched signal is a userdata, anchored in the registry while it is started. What to do about a signal is Lua's decision
 * (lua/weir/process.lua); but no handler can interrupt compiled Lua, so a signal may be watched so that it is handled once,
 * and ends the process when it comes again before anybody has said otherwise (SA_RESETHAND). That needs no handler of ours,
 * which could do nothing without a global variable. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "enter.h"
#include "life.h"
#include "list.h"
#include "luastream.h"
#include "pipeline.h"
#include "signal.h"

#include "process.h"

#define META "weir signal"

struct lua_signal {
    struct wr_signal signal;
    struct wr_list link; /* in wr_bind.signals while it is started */
    struct wr_bind *b;
    int fn, self; /* registry references */
};

/* ---- signals */

static void on_signal(struct wr_signal *s, int signum)
{
    struct lua_signal *u = (struct lua_signal *)(void *)s;
    struct wr_bind *b = u->b;
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (!co)
        return;
    lua_rawgeti(co, LUA_REGISTRYINDEX, u->fn);
    lua_pushinteger(co, signum);
    wr_enter_call(b, co, 2);
}

static void stop(struct lua_signal *u)
{
    if (wr_list_empty(&u->link))
        return;
    wr_list_remove(&u->link);
    wr_signal_stop(&u->signal);
    luaL_unref(u->b->L, LUA_REGISTRYINDEX, u->fn);
    luaL_unref(u->b->L, LUA_REGISTRYINDEX, u->self);
}

static bool ignored(int signum)
{
    struct sigaction now;
    return sigaction(signum, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN;
}

static bool nobody_reads(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

/* A write to some pipe has failed, and says so itself. But print and io.write are not listened to: a script that prints to
 * nobody must not go on for ever. */
static void on_broken_pipe(int signum)
{
    int kept = errno;
    if (nobody_reads(STDOUT_FILENO)) {
        signal(signum, SIG_DFL);
        wr_signal_feed(signum);
    }
    errno = kept;
}

static void handle_once(int signum, bool once)
{
    struct sigaction now;
    if (sigaction(signum, NULL, &now))
        return;
    now.sa_flags = once ? now.sa_flags | (int)SA_RESETHAND : now.sa_flags & ~(int)SA_RESETHAND;
    if (once && signum == SIGPIPE) {
        now.sa_handler = on_broken_pipe;
        now.sa_flags = SA_RESTART;
    }
    sigaction(signum, &now, NULL);
}

static struct lua_signal *new_signal(lua_State *L, struct wr_bind *b)
{
    struct lua_signal *u = lua_newuserdata(L, sizeof *u);
    wr_list_init(&u->link);
    u->b = b;
    u->fn = u->self = LUA_NOREF;
    wr_signal_init(&u->signal, on_signal);
    luaL_getmetatable(L, META);
    lua_setmetatable(L, -2);
    return u;
}

/* core.signal(number, fn, once) -> a handle; or nil and the code of an error. FN(number) is called each time. ONCE: nothing is
 * done if the signal is ignored, and the second one ends the process, in whatever it is. Of SIGPIPE those count, ignored or
 * not, that come when nobody reads the standard output any more. */
static int start_signal(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    int signum = luaL_checkint(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    bool once = lua_toboolean(L, 3);
    if (once && signum != SIGPIPE && ignored(signum)) {
        lua_pushnil(L);
        return 1;
    }
    struct lua_signal *u = new_signal(L, b);
    int r = wr_signal_start(&u->signal, b->loop, signum);
    if (r) {
        lua_pushnil(L);
        lua_pushstring(L, wr_error_errno(-r).code);
        return 2;
    }
    wr_list_append(&b->signals, &u->link);
    handle_once(signum, once);
    lua_pushvalue(L, 2);
    u->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    u->self = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

/* core.signalStop(handle) */
static int stop_signal(lua_State *L)
{
    stop(luaL_checkudata(L, 1, META));
    return 0;
}

static void push_signals(lua_State *L)
{
    static const struct {
        const char *name;
        int number;
    } all[] = {{"SIGINT", SIGINT},   {"SIGTERM", SIGTERM}, {"SIGHUP", SIGHUP},     {"SIGQUIT", SIGQUIT},
               {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}, {"SIGWINCH", SIGWINCH}, {"SIGCHLD", SIGCHLD},
               {"SIGCONT", SIGCONT}, {"SIGTSTP", SIGTSTP}, {"SIGALRM", SIGALRM},   {"SIGPIPE", SIGPIPE}};
    lua_newtable(L);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        lua_pushinteger(L, all[i].number);
        lua_setfield(L, -2, all[i].name);
    }
    lua_setfield(L, -2, "signals");
}

/* ---- streams */

/* core.destroyAll(): destroys every open stream, without an 'error' of its own. */
static int destroy_all(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_stream *s, *next;
    for (s = b->flow.streams; s; s = s->next)
        wr_stream_ref(s);
    for (s = b->flow.streams; s; s = next) {
        wr_life_leave(s);
        next = s->next;
        wr_stream_unref(s);
    }
    return 0;
}

/* core.unclosed() -> how many streams are being destroyed, but not closed yet */
static int unclosed(lua_State *L)
{
    int n = 0;
    for (struct wr_stream *s = wr_bind_self(L)->flow.streams; s; s = s->next)
        n += wr_stream_destroyed(s) && !wr_stream_closed(s);
    lua_pushinteger(L, n);
    return 1;
}

static bool same_object(lua_State *L, const struct wr_error *e, int index)
{
    if (!e || !e->host)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)e->host);
    bool same = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    return same;
}

/* core.origin(err) -> the stream that failed with ERR first; nil if nobody knows */
static int origin(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    luaL_checkany(L, 1);
    for (struct wr_stream *s = b->flow.streams; s; s = s->next) {
        if (!s->errored || s->errored->origin != s->id || !same_object(L, s->errored, 1))
            continue;
        wr_luastream_push_self(L, b, s);
        return 1;
    }
    return 0;
}

/* core.awaited() -> the stage that a pipeline under way waits for; nil if there is none */
static int awaited(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_stream *s = wr_pipeline_stage_awaited(&b->flow);
    if (s)
        wr_luastream_push_self(L, b, s);
    else
        lua_pushnil(L);
    return 1;
}

void wr_process_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"signal", start_signal},
                                         {"signalStop", stop_signal},
                                         {"destroyAll", destroy_all},
                                         {"unclosed", unclosed},
                                         {"origin", origin},
                                         {"awaited", awaited},
                                         {NULL, NULL}};
    wr_list_init(&b->signals);
    luaL_newmetatable(L, META);
    lua_pushcfunction(L, stop_signal);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    push_signals(L);
    wr_bind_register(L, b, functions);
}

void wr_process_close(struct wr_bind *b)
{
    while (!wr_list_empty(&b->signals))
        stop((struct lua_signal *)(void *)((char *)b->signals.next - offsetof(struct lua_signal, link)));
}
