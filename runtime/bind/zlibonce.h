/* SPDX-License-Identifier: MIT */
/* Compression and decompression of strings in one go, and checksums. */
#ifndef WR_BIND_ZLIBONCE_H
#define WR_BIND_ZLIBONCE_H

#include "bind.h"

/* Registers core.zlibRun, core.zlibTask, core.crc32, core.adler32. */
void wr_zlibonce_open(lua_State *L, struct wr_bind *b);

#endif
