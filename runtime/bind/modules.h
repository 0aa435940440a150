/* SPDX-License-Identifier: MIT */
/* The Lua modules of lua/weir/, compiled into every product: LuaJIT bytecode with debug information.
 *
 * The build makes the table from the files (scripts/embed.lua), so a start reads no file and parses nothing, and command and
 * library need no installed Lua files. What requires a module by name finds it here first: bind/ puts a loader for each
 * into package.preload. The bytecode fits the LuaJIT that the build found; luaL_loadbuffer takes it as it is. Its chunk name
 * is the path below lua/, so a traceback says weir/stream/readable.lua:12.
 */
#ifndef WR_BIND_MODULES_H
#define WR_BIND_MODULES_H

#include <stddef.h>

struct wr_lua_module {
    const char *name; /* as in require: "weir", "weir.fs", "weir.stream.readable"; NULL: the end of the table */
    const unsigned char *code;
    size_t size;
};

/* All modules, sorted by path, ended by an entry whose name is NULL. */
extern const struct wr_lua_module wr_lua_modules[];

#endif
