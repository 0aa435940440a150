/* SPDX-License-Identifier: MIT */
/* weir.lines: a transform of bytes into lines. */
#ifndef WR_BIND_LINESTREAM_H
#define WR_BIND_LINESTREAM_H

#include "bind.h"

/* Registers core.linesNew. */
void wr_linestream_open(lua_State *L, struct wr_bind *b);

#endif
