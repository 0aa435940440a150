/* SPDX-License-Identifier: MIT */
/* The methods and properties of streams. */
#ifndef WR_BIND_METHODS_H
#define WR_BIND_METHODS_H

#include "bind.h"

/* Registers core.push, core.read, core.write ... (each takes `self` first), core.new, and core.properties. */
void wr_methods_open(lua_State *L, struct wr_bind *b);

/* Registers core.pipe, core.unpipe, core.pipeline, core.finished, core.cleanup. */
void wr_pipes_open(lua_State *L, struct wr_bind *b);

/* Registers core.properties: a function of `self` for each of Node's properties. */
void wr_properties_open(lua_State *L, struct wr_bind *b);

/* The callback at INDEX (a function, else nobody waits) of S, kept in S's environment until it is called once. */
struct wr_done wr_methods_callback(lua_State *L, struct wr_bind *b, struct wr_stream *s, int index);

#endif
