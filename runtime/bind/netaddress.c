/* SPDX-License-Identifier: MIT */
/* Names are looked up by getaddrinfo on the pool; whatever is an address already is not. */
#include <netdb.h>
#include <stddef.h>
#include <string.h>

#include "task.h"

#include "netaddress.h"

bool wr_netaddress_parse(const char *host, int port, struct wr_address *out)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found = NULL;
    memset(out, 0, sizeof *out);
    if (getaddrinfo(host, NULL, &hints, &found) || !found)
        return false;
    out->len = found->ai_addrlen;
    memcpy(&out->any, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (out->any.sa_family == AF_INET6)
        out->v6.sin6_port = htons((uint16_t)port);
    else
        out->v4.sin_port = htons((uint16_t)port);
    return true;
}

bool wr_netaddress_local(const char *path, size_t len, struct wr_address *out)
{
    memset(out, 0, sizeof *out);
    if (len >= sizeof out->local.sun_path)
        return false;
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (len && path[0] ? 1 : 0));
    return true;
}

static const char *text_of(const struct wr_address *a, char *buf, size_t size)
{
    if (getnameinfo(&a->any, a->len, buf, (socklen_t)size, NULL, 0, NI_NUMERICHOST))
        buf[0] = '\0';
    return buf;
}

static int port_of(const struct wr_address *a)
{
    return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

int wr_netaddress_push(lua_State *L, const struct wr_address *a)
{
    char buf[NI_MAXHOST];
    if (a->any.sa_family == AF_UNIX) {
        size_t head = offsetof(struct sockaddr_un, sun_path), len = a->len > head ? a->len - head : 0;
        if (len && a->local.sun_path[0])
            len = strnlen(a->local.sun_path, len);
        lua_pushlstring(L, a->local.sun_path, len);
        return 1;
    }
    lua_pushstring(L, text_of(a, buf, sizeof buf));
    lua_pushinteger(L, port_of(a));
    lua_pushstring(L, a->any.sa_family == AF_INET6 ? "IPv6" : "IPv4");
    return 3;
}

/* core.netFamily(host) -> 4, 6, or 0 for what is no address */
static int family(lua_State *L)
{
    struct wr_address a;
    bool is = wr_netaddress_parse(luaL_checkstring(L, 1), 0, &a);
    lua_pushinteger(L, !is ? 0 : a.any.sa_family == AF_INET6 ? 6 : 4);
    return 1;
}

/* ---- looking names up */

struct lookup {
    struct wr_task task;
    const char *name; /* kept */
    int result;
    struct addrinfo *found;
};

static void lookup_work(struct wr_task *t)
{
    struct lookup *l = (struct lookup *)(void *)t;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    l->result = getaddrinfo(l->name, NULL, &hints, &l->found);
    if (l->result == EAI_NONAME || l->result == EAI_ADDRFAMILY ||
        l->result == EAI_NODATA) { /* perhaps only loopback is up */
        hints.ai_flags = 0;
        l->result = getaddrinfo(l->name, NULL, &hints, &l->found);
    }
}

static const char *lookup_code(int result)
{
    switch (result) {
    case EAI_AGAIN:
        return "EAI_AGAIN";
    case EAI_MEMORY:
        return "EAI_MEMORY";
    case EAI_FAIL:
        return "EAI_FAIL";
    default:
        return "ENOTFOUND";
    }
}

/* Nil and the addresses, or a code. */
static int lookup_results(struct wr_task *t, lua_State *L)
{
    struct lookup *l = (struct lookup *)(void *)t;
    char buf[NI_MAXHOST];
    int n = 0;
    if (l->result) {
        lua_pushstring(L, lookup_code(l->result));
        return 1;
    }
    lua_pushnil(L);
    lua_newtable(L);
    for (struct addrinfo *i = l->found; i && n < WR_NETADDRESS_MAX; i = i->ai_next) {
        if (getnameinfo(i->ai_addr, i->ai_addrlen, buf, sizeof buf, NULL, 0, NI_NUMERICHOST))
            continue;
        lua_pushstring(L, buf);
        lua_rawseti(L, -2, ++n);
    }
    return 2;
}

static void lookup_clear(struct wr_task *t)
{
    struct lookup *l = (struct lookup *)(void *)t;
    if (l->found)
        freeaddrinfo(l->found);
}

/* core.netLookup(name, callback): callback(nil, { address... }) or callback(code) */
static int lookup(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct lookup *l = (struct lookup *)(void *)wr_task_new(L, wr_bind_self(L), sizeof *l, 2, 1);
    l->name = name;
    l->task.work = lookup_work;
    l->task.results = lookup_results;
    l->task.clear = lookup_clear;
    wr_task_start(&l->task);
    return 0;
}

void wr_netaddress_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"netFamily", family}, {"netLookup", lookup}, {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
