/* SPDX-License-Identifier: MIT */
/* The command: a Lua state with weir open in it, and lua/weir/command.lua, which reads the arguments and does the rest. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "open.h"
#include "repl.h"

static void push_arguments(lua_State *L, int argc, char **argv)
{
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
}

/* Calls command.lua with what it needs of C; the exit status is its result. */
static int run(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    luaL_openlibs(L);
    wr_open_preload(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "weir.command");
    lua_call(L, 1, 1);
    push_arguments(L, argc, argv);
    wr_repl_push(L);
    lua_call(L, 2, 1);
    return 1;
}

int main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    if (!L) {
        fputs("weir: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, run);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int status = EXIT_FAILURE;
    if (lua_pcall(L, 2, 1, 0))
        fprintf(stderr, "weir: %s\n", lua_tostring(L, -1));
    else
        status = (int)lua_tointeger(L, -1);
    wr_open_leave(L);
    return wr_open_status(status);
}
