/* SPDX-License-Identifier: MIT */
/* Streams over descriptors, for Lua: files (lua/weir/fs.lua) and the process's own (lua/weir/stdio.lua). */
#ifndef WR_BIND_FSSTREAM_H
#define WR_BIND_FSSTREAM_H

#include "bind.h"

/* Registers core.fileReader, core.fileWriter, core.fileFd, core.fileBytes, core.filePending, core.fileAgain, core.fileDrain, core.fileAbandon, core.isTerminal,
 * core.openFlags. */
void wr_fsstream_open(lua_State *L, struct wr_bind *b);

/* Ends what files wait for, and removes what was to be complete and is not; part of wr_bind_close, when the pool is gone. */
void wr_fsstream_close(struct wr_bind *b);

#endif
