/* SPDX-License-Identifier: MIT */
/* What belongs to the process as a whole: signals, and the streams that are open in it. */
#ifndef WR_BIND_PROCESS_H
#define WR_BIND_PROCESS_H

#include "bind.h"

/* Registers core.signal, core.signalStop, core.signals, core.destroyAll, core.unclosed, core.origin,
 * core.awaited. */
void wr_process_open(lua_State *L, struct wr_bind *b);

/* Stops all signals; part of wr_bind_close. */
void wr_process_close(struct wr_bind *b);

#endif
