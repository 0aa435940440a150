/* SPDX-License-Identifier: MIT */
/* Ticks, timers, immediates, and the waking of coroutines. */
#ifndef WR_BIND_TIME_H
#define WR_BIND_TIME_H

#include "bind.h"

/* Registers core.nextTick, core.wake, core.canWait, core.timer, core.timerStop, core.immediate, core.now, core.hrtime. */
void wr_time_open(lua_State *L, struct wr_bind *b);

/* Stops all timers and immediates; part of wr_bind_close. */
void wr_time_close(struct wr_bind *b);

#endif
