/* SPDX-License-Identifier: MIT */
/* Addresses of sockets as Lua writes them, and the names behind them. */
#ifndef WR_BIND_NETADDRESS_H
#define WR_BIND_NETADDRESS_H

#include <stdbool.h>

#include "bind.h"
#include "socket.h"

#define WR_NETADDRESS_MAX 16 /* addresses of one name */

/* The numeric address HOST, of either family, with PORT. Whether it is one; it does not block. */
bool wr_netaddress_parse(const char *host, int port, struct wr_address *out);

/* The address of the Unix socket PATH, which with a zero in front is an abstract name. Whether it fits. */
bool wr_netaddress_local(const char *path, size_t len, struct wr_address *out);

/* Pushes host, port and family; or the path of a Unix socket. How many values. */
int wr_netaddress_push(lua_State *L, const struct wr_address *a);

/* Registers this file's core functions. */
void wr_netaddress_open(lua_State *L, struct wr_bind *b);

#endif
