/* SPDX-License-Identifier: MIT */
/* Lines from a person or a pipe, while the loop is alive: the terminal by libedit's callback interface, which takes what is
 * there and returns; anything else by the same reads without it. Both wait in the loop like any descriptor.
 *
 * libedit's callback gets no argument of ours and its state is the process's, so the one reader of a process is found through
 * libedit itself: rl_readline_name, the name that ~/.editrc knows a program by, points to the reader, which begins with it.
 * What is taken from a pipe is kept until lines are wanted again.
 */
#include <editline/readline.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind.h"
#include "enter.h"
#include "io.h"

#include "repl.h"

#define META "weir repl"
#define BLOCK 4096
#define HISTORY_MAX 1000

struct reader {
    char name[8]; /* "weir" */
    struct wr_io io;
    struct wr_bind *b;
    int fn, self; /* registry references */
    bool terminal, started, wanted, ended;
    char *held; /* what was read of a pipe, and no line yet */
    size_t length;
    char *history; /* file, or NULL */
    int added;     /* lines for it */
};

struct text {
    const char *line; /* or NULL */
    size_t length;
};

static int push_text(lua_State *L, void *arg)
{
    const struct text *t = arg;
    if (t->line)
        lua_pushlstring(L, t->line, t->length);
    else
        lua_pushnil(L);
    return 1;
}

/* Gives LINE (LENGTH bytes; NULL: the end) to the function. No line is wanted until it says so. */
static void give(struct reader *r, const char *line, size_t length)
{
    r->wanted = false;
    lua_State *co = wr_enter(r->b, WR_CALL_RUN);
    if (!co)
        return;
    lua_rawgeti(co, LUA_REGISTRYINDEX, r->fn);
    struct text text = {line, length};
    if (wr_enter_guard(r->b, co, push_text, &text) == 1)
        wr_enter_call(r->b, co, 2);
    else
        wr_enter_end(r->b, co);
}

/* ---- a terminal */

static struct reader *reader_of_process(void)
{
    return (struct reader *)(void *)(uintptr_t)rl_readline_name;
}

static void add_line(struct reader *r, const char *line)
{
    if (!*line || *line == ' ')
        return;
    add_history(line);
    r->added++;
}

static void open_history(struct reader *r, const char *path)
{
    using_history();
    stifle_history(HISTORY_MAX);
    if (!path || !(r->history = strdup(path)))
        return;
    history_truncate_file(path, HISTORY_MAX);
    read_history(path);
}

/* Only what was typed here is added: others may have written to the file meanwhile. It is nobody else's to read. */
static void save_history(struct reader *r)
{
    mode_t before = umask(S_IRWXG | S_IRWXO);
    if (r->history && r->added)
        append_history(r->added, r->history);
    umask(before);
    r->added = 0;
}

static void on_line(char *line)
{
    struct reader *r = reader_of_process();
    rl_callback_handler_remove();
    wr_io_want(&r->io, 0);
    if (line)
        add_line(r, line);
    give(r, line, line ? strlen(line) : 0);
    free(line);
}

/* ---- a pipe or a file */

/* Gives the first line that is held. Whether there was one. */
static bool give_line(struct reader *r)
{
    char *end = r->length ? memchr(r->held, '\n', r->length) : NULL;
    if (!end && !(r->ended && r->length))
        return false;
    size_t length = end ? (size_t)(end - r->held) : r->length, used = end ? length + 1 : length;
    char *line = malloc(length + 1);
    if (!line) {
        wr_enter_starve(r->b);
        return true;
    }
    memcpy(line, r->held, length);
    r->length -= used;
    memmove(r->held, r->held + used, r->length);
    give(r, line, length);
    free(line);
    return true;
}

/* Gives the next line, or the end, if it is asked for: the line before may still wait for something. */
static void serve(struct reader *r)
{
    if (r->wanted && !give_line(r) && r->ended)
        give(r, NULL, 0);
    if (r->started && !r->wanted)
        wr_io_want(&r->io, 0);
}

static void take_block(struct reader *r)
{
    char *more = realloc(r->held, r->length + BLOCK);
    if (!more) {
        wr_enter_starve(r->b);
        return;
    }
    r->held = more;
    ssize_t n = read(STDIN_FILENO, more + r->length, BLOCK);
    if (n > 0)
        r->length += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        r->ended = true;
}

static void on_ready(struct wr_io *w, int events)
{
    (void)events;
    struct reader *r = (struct reader *)(void *)((char *)w - offsetof(struct reader, io));
    if (r->terminal) {
        rl_callback_read_char();
        return;
    }
    take_block(r);
    serve(r);
}

/* ---- for Lua */

static struct reader *self(lua_State *L)
{
    return luaL_checkudata(L, lua_upvalueindex(1), META);
}

static int interactive(lua_State *L)
{
    lua_pushboolean(L, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
    return 1;
}

static int columns(lua_State *L)
{
    struct winsize size = {0};
    int r = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    lua_pushinteger(L, r == 0 && size.ws_col > 0 ? size.ws_col : 80);
    return 1;
}

static int start(lua_State *L)
{
    struct reader *r = self(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (r->started)
        return luaL_error(L, "the terminal is being read already");
    r->b = wr_bind_of(L);
    r->started = true;
    r->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    lua_pushvalue(L, 1);
    r->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, lua_upvalueindex(1));
    r->self = luaL_ref(L, LUA_REGISTRYINDEX);
    wr_io_init(&r->io, r->b->loop, STDIN_FILENO, on_ready);
    if (r->terminal) {
        rl_readline_name = r->name;
        rl_catch_signals = 0;
        open_history(r, lua_tostring(L, 2));
    }
    return 0;
}

/* A file is always ready, and epoll does not take it: what is there is read at once, and given in a later turn. */
static void serve_held(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct reader *r = (struct reader *)t->done.arg;
    if (r->started)
        serve(r);
}

static int prompt(lua_State *L)
{
    struct reader *r = self(L);
    const char *text = luaL_checkstring(L, 1);
    if (!r->started || r->wanted)
        return 0;
    r->wanted = true;
    if (r->terminal)
        rl_callback_handler_install(text, on_line);
    else if (r->ended || (r->length && memchr(r->held, '\n', r->length))) {
        wr_tick_add(&r->b->flow, serve_held, NULL, NULL, (struct wr_done){.arg = (intptr_t)r});
        return 0;
    }
    wr_io_want(&r->io, WR_IO_READ);
    return 0;
}

static int interrupt(lua_State *L)
{
    struct reader *r = self(L);
    if (!r->started || !r->terminal || !r->wanted)
        return 0;
    rl_callback_handler_remove();
    r->wanted = false;
    return 0;
}

static void finish(struct reader *r)
{
    if (!r->started)
        return;
    r->started = false;
    if (!r->b->closing)
        wr_io_want(&r->io, 0);
    if (r->terminal && r->wanted)
        rl_callback_handler_remove();
    if (r->terminal) {
        rl_readline_name = "weir";
        save_history(r);
    }
    luaL_unref(r->b->L, LUA_REGISTRYINDEX, r->fn);
    luaL_unref(r->b->L, LUA_REGISTRYINDEX, r->self);
}

static int stop(lua_State *L)
{
    finish(self(L));
    return 0;
}

static int collect(lua_State *L)
{
    struct reader *r = luaL_checkudata(L, 1, META);
    finish(r);
    free(r->held);
    free(r->history);
    r->held = r->history = NULL;
    return 0;
}

void wr_repl_push(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"interactive", interactive}, {"columns", columns}, {"start", start}, {"prompt", prompt},
        {"interrupt", interrupt},     {"stop", stop},       {NULL, NULL}};
    lua_newtable(L);
    struct reader *r = lua_newuserdata(L, sizeof *r);
    *r = (struct reader){.name = "weir"};
    luaL_newmetatable(L, META);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushvalue(L, -1);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -3, f->name);
    }
    lua_pop(L, 1);
}
