/* SPDX-License-Identifier: MIT */
/* The module `weir.core`, as Lua's require finds it. */
#ifndef WR_BIND_OPEN_H
#define WR_BIND_OPEN_H

#include "bind.h"

/* Opens weir in L on a loop of its own, or gives the core table of what is open already; its one result. */
__attribute__((visibility("default"))) int luaopen_weir_core(lua_State *L);

/* Puts a loader of every Lua module of weir into package.preload of L, and luaopen_weir_core. */
void wr_open_preload(lua_State *L);

/* Does a process that ends give all memory back first? The system does it faster, so only builds for tests do, and others
 * where the environment variable WEIR_CLOSE is set. */
bool wr_open_closes(void);

/* The process ends: L goes, its streams are dropped and clean up after themselves, but memory is given back only where
 * wr_open_closes says so. */
void wr_open_leave(lua_State *L);

/* What a process ends with that wants to end with STATUS: something else if what it printed cannot be written. That is said on
 * standard error, unless it is only that nobody reads any more (141). */
int wr_open_status(int status);

#endif
