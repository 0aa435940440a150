/* SPDX-License-Identifier: MIT */
/* Files by name, in one piece, for lua/weir/fs.lua. */
#ifndef WR_BIND_FSONCE_H
#define WR_BIND_FSONCE_H

#include "bind.h"

/* Registers core.fsNow and core.fsLater. */
void wr_fsonce_open(lua_State *L, struct wr_bind *b);

#endif
