/* SPDX-License-Identifier: MIT */
/* The command: a Lua state with weir open in it, and lua/weir/command.lua, which reads the arguments and does the rest. */
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "hardmode.h"
#include "open.h"
#include "repl.h"

#ifdef WR_HARD
/* In the hard build Lua's memory comes through a door of its own. The state and its libraries are made first: LuaJIT does not
 * survive that their allocations fail (the ffi: it is closed as if it were whole). */
static void *door(void *user, void *ptr, size_t old_size, size_t new_size)
{
    if (new_size)
        return wr_alloc_resize(user, ptr, old_size, new_size);
    wr_alloc_free(user, ptr, old_size);
    return NULL;
}

static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "ffi");
    lua_call(L, 1, 0);
    return 0;
}

static lua_State *new_state(struct wr_alloc *memory)
{
    wr_alloc_init(memory, NULL, NULL);
    wr_alloc_harden(memory, "none");
    lua_State *L = lua_newstate(door, memory);
    if (L)
        lua_cpcall(L, open_libraries, NULL);
    wr_alloc_harden(memory, "lua");
    return L;
}

/* fail(word, n): the Nth allocation from now on fails, of C code (`alloc`) or of Lua (`lua`); n 0: none. */
static int fail(lua_State *L)
{
    static const char *const words[] = {"alloc", "lua", NULL};
    int word = luaL_checkoption(L, 1, NULL, words);
    void *memory;
    lua_getallocf(L, &memory);
    wr_alloc_fail(word ? memory : &wr_bind_of(L)->alloc, (long)luaL_checkinteger(L, 2));
    return 0;
}

/* close(): closes weir; the bytes that C code has not given back then. The process must end without returning to it. */
static int close_all(lua_State *L)
{
    struct wr_bind *b = wr_bind_of(L);
    wr_bind_close(b);
    lua_pushinteger(L, (lua_Integer)wr_alloc_balance(&b->alloc));
    return 1;
}

static int open_hard(lua_State *L)
{
    static const luaL_Reg functions[] = {{"fail", fail}, {"close", close_all}, {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}

/* In this build alone there is a module `weir.hard`, with which a script says for itself from where on allocations count. Where
 * Lua's own fail, nothing is compiled: about once in a thousand runs LuaJIT itself did not survive that while it compiled. */
static void prepare(lua_State *L)
{
    if (wr_hardmode_get("lua") > 0)
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, open_hard);
    lua_setfield(L, -2, "weir.hard");
    lua_pop(L, 2);
}
#else
static lua_State *new_state(struct wr_alloc *memory)
{
    (void)memory;
    return luaL_newstate();
}

static void prepare(lua_State *L)
{
    luaL_openlibs(L);
}
#endif

static void push_arguments(lua_State *L, int argc, char **argv)
{
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
}

struct call {
    int argc;
    char **argv;
    int status;
};

/* Calls command.lua with what it needs of C; the exit status is its result. */
static int run(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    prepare(L);
    wr_open_preload(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "weir.command");
    lua_call(L, 1, 1);
    push_arguments(L, call->argc, call->argv);
    wr_repl_push(L);
    lua_call(L, 2, 1);
    call->status = (int)lua_tointeger(L, -1);
    return 0;
}

int main(int argc, char **argv)
{
    struct wr_alloc memory;
    lua_State *L = new_state(&memory);
    if (!L) {
        fputs("weir: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    struct call call = {argc, argv, EXIT_FAILURE};
    if (lua_cpcall(L, run, &call))
        fprintf(stderr, "weir: %s\n", lua_tostring(L, -1));
    wr_open_leave(L);
    return wr_open_status(call.status);
}
