/* SPDX-License-Identifier: MIT */
/* The streams of weir.zlib. */
#ifndef WR_BIND_ZLIBSTREAM_H
#define WR_BIND_ZLIBSTREAM_H

#include "bind.h"

/* Registers core.zlibStream, core.zlibFlush, core.zlibParams, core.zlibTaken, core.zlibTrailing. */
void wr_zlibstream_open(lua_State *L, struct wr_bind *b);

#endif
