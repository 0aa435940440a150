/* SPDX-License-Identifier: MIT */
/* The handlers that users write in Lua, as the operations of a stream. */
#ifndef WR_BIND_HANDLERS_H
#define WR_BIND_HANDLERS_H

#include "bind.h"

/* Each finds its function in the stream's table of handlers and runs it in a coroutine. */
extern const struct wr_stream_ops wr_handlers_ops;

/* A relay of handlers (wr_flow.burst). */
void wr_handlers_burst(struct wr_stream *const *stages, uint32_t count, bool reads);

/* Registers the core functions by which handlers complete. */
void wr_handlers_open(lua_State *L, struct wr_bind *b);

#endif
