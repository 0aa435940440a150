/* SPDX-License-Identifier: MIT */
/* Sockets and servers in Lua, for lua/weir/net.lua. */
#ifndef WR_BIND_NET_H
#define WR_BIND_NET_H

#include "bind.h"

/* Registers this file's core functions. */
void wr_net_open(lua_State *L, struct wr_bind *b);

/* B is being closed: closes all sockets and servers and stops their watchers. For wr_bind_close; harmless when repeated. */
void wr_net_close(struct wr_bind *b);

#endif
