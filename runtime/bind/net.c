/* SPDX-License-Identifier: MIT */
/* What all sockets of a state share is one userdata in its registry, `struct net`; its collection at the state's end closes what is
 * still open. A server's userdata is anchored while it listens, and holds the server's table in its environment. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "enter.h"
#include "errors.h"
#include "hard.h"
#include "life.h"
#include "listen.h"
#include "luastream.h"
#include "netaddress.h"
#include "socket.h"

#include "net.h"

#define KEY "weir net"
#define LISTENER "weir listener"

struct net {
    struct wr_bind *b;
    struct wr_socket_host host;
    struct wr_list listeners;
    int accepted, closed; /* registry references: functions of lua/weir/net.lua */
};

struct net_socket {
    struct wr_lua_stream ls;
    struct wr_socket so;
};

struct net_listener {
    struct wr_listen l;
    struct net *net;
    int anchor; /* registry reference while it listens */
};

static struct net *net_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, KEY);
    struct net *net = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return net;
}

static struct net_socket *of_stream(struct wr_stream *s)
{
    return (struct net_socket *)(void *)s;
}

/* ---- what a socket tells */

static struct wr_bind *bind_of(struct wr_socket *so)
{
    return of_stream(so->s)->ls.b;
}

struct happening {
    const struct wr_fault *fault;
    const char *syscall;
    const struct wr_address *address; /* or NULL */
};

/* Pushes what becomes the error object: Node's message and fields. */
static int push_error(lua_State *L, void *arg)
{
    const struct happening *h = arg;
    const struct wr_fault *fault = h->fault;
    const char *syscall = h->syscall;
    const struct wr_address *a = h->address;
    lua_createtable(L, 0, 6);
    int table = lua_gettop(L);
    lua_pushstring(L, fault->code);
    lua_setfield(L, table, "code");
    lua_pushinteger(L, -fault->number);
    lua_setfield(L, table, "errno");
    lua_pushstring(L, syscall);
    lua_setfield(L, table, "syscall");
    int n = a ? wr_netaddress_push(L, a) : 0;
    if (n == 3)
        lua_pushfstring(L, "%s %s %s:%d", syscall, fault->code, lua_tostring(L, table + 1),
                        (int)lua_tointeger(L, table + 2));
    else if (n == 1)
        lua_pushfstring(L, "%s %s %s", syscall, fault->code, lua_tostring(L, table + 1));
    else
        lua_pushfstring(L, "%s %s", syscall, fault->code);
    lua_setfield(L, table, "message");
    if (n == 3) {
        lua_pop(L, 1);
        lua_setfield(L, table, "port");
    }
    if (n)
        lua_setfield(L, table, "address");
    return 1;
}

static struct wr_error *make_error(struct wr_socket *so, int number, const char *syscall, const struct wr_address *a)
{
    struct wr_fault fault = wr_error_errno(number);
    struct happening h = {&fault, syscall, a};
    return wr_errors_build(bind_of(so), push_error, &h, 0);
}

static int push_name(lua_State *L, void *arg)
{
    lua_pushstring(L, arg);
    return 1;
}

static void tell(struct wr_socket *so, const char *event)
{
    struct wr_bind *b = bind_of(so);
    lua_State *co = of_stream(so->s)->ls.gone || b->closing ? NULL : wr_enter(b, WR_CALL_EVENT);
    if (!co)
        return;
    wr_luastream_push_self(co, b, so->s);
    if (wr_enter_guard(b, co, push_name, (void *)(uintptr_t)event) == 1)
        wr_enter_call(b, co, 2);
    else
        wr_enter_end(b, co);
}

static void connected(struct wr_socket *so)
{
    tell(so, "connect");
    tell(so, "ready");
}

static void idle(struct wr_socket *so)
{
    tell(so, "timeout");
}

static void closed(struct wr_socket *so, bool error, bool emit)
{
    struct wr_bind *b = bind_of(so);
    struct net *net = (struct net *)(void *)((char *)so->host - offsetof(struct net, host));
    if (b->closing || of_stream(so->s)->ls.gone || net->closed == LUA_NOREF)
        return;
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (!co)
        return;
    lua_rawgeti(co, LUA_REGISTRYINDEX, net->closed);
    wr_luastream_push_self(co, b, so->s);
    lua_pushboolean(co, error);
    lua_pushboolean(co, emit);
    wr_enter_call(b, co, 4);
}

/* ---- the operations of the stream */

static void on_read(struct wr_stream *s)
{
    wr_socket_read(&of_stream(s)->so);
}

static void on_write(struct wr_stream *s, uint32_t n)
{
    wr_socket_write(&of_stream(s)->so, n);
}

static void on_final(struct wr_stream *s)
{
    wr_socket_final(&of_stream(s)->so);
}

static void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_socket_destroy(&of_stream(s)->so, err);
}

static const struct wr_stream_ops ops = {.read = on_read, .write = on_write, .final = on_final, .destroy = on_destroy};

static void clear(struct wr_lua_stream *ls)
{
    wr_socket_clear(&of_stream(&ls->s)->so);
}

/* ---- sockets */

/* core.socketNew(self, handlers, has, readMark, writeMark) */
static int socket_new(lua_State *L)
{
    const uint32_t fixed =
        WR_HAS_READ | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FINAL | WR_HAS_DESTROY | WR_IS_READABLE | WR_IS_WRITABLE;
    struct wr_bind *b = wr_bind_self(L);
    uint32_t has = (uint32_t)luaL_checknumber(L, 3) | fixed;
    int32_t r_mark = (int32_t)luaL_checkinteger(L, 4), w_mark = (int32_t)luaL_checkinteger(L, 5);
    struct net_socket *ns = (struct net_socket *)(void *)wr_luastream_make(L, b, sizeof *ns, &ops, has, r_mark, w_mark);
    ns->ls.clear = clear;
    wr_socket_init(&ns->so, &ns->ls.s, &net_of(L)->host);
    return 0;
}

static struct wr_socket *arg(lua_State *L)
{
    struct net_socket *ns = of_stream(wr_luastream_arg(L, wr_bind_self(L), 1));
    if (ns->ls.clear != clear)
        luaL_argerror(L, 1, "a stream of another kind");
    return &ns->so;
}

/* core.socketAdopt(self, fd) */
static int adopt(lua_State *L)
{
    wr_socket_adopt(arg(L), (int)luaL_checkinteger(L, 2));
    return 0;
}

/* core.socketBegin(self): whether it may connect */
static int begin(lua_State *L)
{
    struct wr_socket *so = arg(L);
    bool may = so->state == WR_SOCKET_IDLE;
    if (may)
        wr_socket_begin(so);
    lua_pushboolean(L, may);
    return 1;
}

static uint32_t addresses_arg(lua_State *L, struct wr_address *out)
{
    uint32_t n = 0;
    int port = (int)luaL_checkinteger(L, 3);
    luaL_checktype(L, 2, LUA_TTABLE);
    for (int i = 1; n < WR_NETADDRESS_MAX; i++) {
        lua_rawgeti(L, 2, i);
        if (!lua_isstring(L, -1))
            return n;
        n += wr_netaddress_parse(lua_tostring(L, -1), port, &out[n]);
        lua_pop(L, 1);
    }
    return n;
}

/* core.socketConnect(self, { address... }, port) or (self, path); whether there was an address that can be tried */
static int start(lua_State *L)
{
    struct wr_socket *so = arg(L);
    struct wr_address list[WR_NETADDRESS_MAX];
    size_t len;
    const char *path = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
    uint32_t n = path ? wr_netaddress_local(path, len, &list[0]) : addresses_arg(L, list);
    if (n && so->state == WR_SOCKET_LOOKUP && wr_socket_connect(so, list, n))
        return luaL_error(L, "out of memory");
    lua_pushboolean(L, n > 0);
    return 1;
}

/* core.socketAddress(self, peer) -> host, port, family; or path; or nothing */
static int address(lua_State *L)
{
    const struct wr_socket *so = arg(L);
    struct wr_address a = {.len = sizeof a - offsetof(struct wr_address, any)};
    if (so->state != WR_SOCKET_OPEN || so->fd < 0)
        return 0;
    const struct wr_sys *sys = so->host->sys;
    int rc = (lua_toboolean(L, 2) ? sys->getpeername : sys->getsockname)(so->fd, &a.any, &a.len);
    return rc < 0 ? 0 : wr_netaddress_push(L, &a);
}

/* core.socketState(self) -> 'idle', 'connecting', 'open', 'closed' */
static int state(lua_State *L)
{
    static const char *const names[] = {"idle", "connecting", "connecting", "open", "closed"};
    lua_pushstring(L, names[arg(L)->state]);
    return 1;
}

static int bytes_read(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)arg(L)->received);
    return 1;
}

static int bytes_written(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)wr_socket_written(arg(L)));
    return 1;
}

static int set_timeout(lua_State *L)
{
    wr_socket_timeout(arg(L), luaL_checknumber(L, 2));
    return 0;
}

static int get_timeout(lua_State *L)
{
    lua_pushnumber(L, arg(L)->timeout);
    return 1;
}

static int no_delay(lua_State *L)
{
    wr_socket_no_delay(arg(L), lua_toboolean(L, 2));
    return 0;
}

/* core.socketKeepAlive(self, on, seconds) */
static int keep_alive(lua_State *L)
{
    wr_socket_keep_alive(arg(L), lua_toboolean(L, 2), (int)luaL_optinteger(L, 3, 0));
    return 0;
}

/* core.socketWeak(self, weak) */
static int weak(lua_State *L)
{
    wr_socket_weaken(arg(L), lua_toboolean(L, 2));
    return 0;
}

/* ---- servers */

static void on_accepted(struct wr_listen *l, int fd)
{
    struct net_listener *nl = (struct net_listener *)(void *)l;
    struct wr_bind *b = nl->net->b;
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (!co) {
        l->sys->close(fd);
        return;
    }
    lua_rawgeti(co, LUA_REGISTRYINDEX, nl->net->accepted);
    lua_rawgeti(co, LUA_REGISTRYINDEX, nl->anchor);
    lua_getfenv(co, -1);
    lua_rawgeti(co, -1, 1);
    lua_replace(co, -3);
    lua_pop(co, 1);
    lua_pushinteger(co, fd);
    wr_enter_call(b, co, 3);
}

static void on_released(struct wr_listen *l)
{
    struct net_listener *nl = (struct net_listener *)(void *)l;
    int anchor = nl->anchor;
    nl->anchor = LUA_NOREF;
    if (nl->net->b->L)
        luaL_unref(nl->net->b->L, LUA_REGISTRYINDEX, anchor);
}

static struct net_listener *new_listener(lua_State *L, struct net *net)
{
    struct net_listener *nl = lua_newuserdata(L, sizeof *nl);
    memset(nl, 0, sizeof *nl);
    nl->net = net;
    nl->anchor = LUA_NOREF;
    nl->l.accepted = on_accepted;
    nl->l.released = on_released;
    wr_listen_init(&nl->l, net->host.loop, net->host.sys);
    luaL_getmetatable(L, LISTENER);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    return nl;
}

static int push_fault(lua_State *L, int number)
{
    struct wr_fault fault = wr_error_errno(-number);
    lua_pushnil(L);
    lua_pushstring(L, fault.code);
    lua_pushstring(L, fault.text);
    lua_pushinteger(L, number);
    return 4;
}

/* core.listenOpen(server, address, port, backlog, ipv6Only) or (server, path, nil, backlog) -> listener, or nil, code, text, number */
static int listen_open(lua_State *L)
{
    struct wr_address a;
    size_t len;
    const char *where = luaL_checklstring(L, 2, &len);
    bool local = lua_isnil(L, 3);
    int backlog = (int)luaL_checkinteger(L, 4);
    bool v6_only = lua_toboolean(L, 5);
    if (local ? !wr_netaddress_local(where, len, &a) : !wr_netaddress_parse(where, (int)luaL_checkinteger(L, 3), &a))
        return push_fault(L, local ? -ENAMETOOLONG : -EINVAL);
    struct net *net = net_of(L);
    struct net_listener *nl = new_listener(L, net);
    lua_pushvalue(L, -1);
    nl->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    int rc = wr_listen_open(&nl->l, &a, backlog, v6_only);
    if (rc < 0) {
        on_released(&nl->l);
        return push_fault(L, rc);
    }
    wr_list_append(&net->listeners, &nl->l.link);
    return 1;
}

static struct wr_listen *listener_arg(lua_State *L)
{
    return luaL_checkudata(L, 1, LISTENER);
}

static int listen_close(lua_State *L)
{
    wr_listen_close(listener_arg(L));
    return 0;
}

/* core.listenAddress(listener) -> as core.socketAddress */
static int listen_address(lua_State *L)
{
    const struct wr_listen *l = listener_arg(L);
    struct wr_address a = {.len = sizeof a - offsetof(struct wr_address, any)};
    if (l->fd < 0 || l->sys->getsockname(l->fd, &a.any, &a.len) < 0)
        return 0;
    return wr_netaddress_push(L, &a);
}

/* core.listenWeak(listener, weak) */
static int listen_weak(lua_State *L)
{
    wr_listen_weaken(listener_arg(L), lua_toboolean(L, 2));
    return 0;
}

/* core.closeFd(fd): of a connection that is not wanted */
static int close_fd(lua_State *L)
{
    net_of(L)->host.sys->close((int)luaL_checkinteger(L, 1));
    return 0;
}

/* ---- opening and closing */

/* core.netHandlers(accepted, closed): accepted(server, fd), closed(socket, hadError, emits) */
static int handlers(lua_State *L)
{
    struct net *net = net_of(L);
    lua_settop(L, 2);
    net->closed = luaL_ref(L, LUA_REGISTRYINDEX);
    net->accepted = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void close_all(struct net *net)
{
    while (!wr_list_empty(&net->host.sockets))
        wr_socket_stop((struct wr_socket *)(void *)((char *)net->host.sockets.next - offsetof(struct wr_socket, link)));
    while (!wr_list_empty(&net->listeners))
        wr_listen_close((struct wr_listen *)(void *)((char *)net->listeners.next - offsetof(struct wr_listen, link)));
}

static int collect(lua_State *L)
{
    close_all(lua_touserdata(L, 1));
    return 0;
}

void wr_net_close(struct wr_bind *b)
{
    struct net *net = net_of(b->L);
    if (!net)
        return;
    close_all(net);
    if (!b->closing)
        return;
    luaL_unref(b->L, LUA_REGISTRYINDEX, net->accepted);
    luaL_unref(b->L, LUA_REGISTRYINDEX, net->closed);
    net->accepted = net->closed = LUA_NOREF;
}

static void make_net(lua_State *L, struct wr_bind *b)
{
    struct net *net = lua_newuserdata(L, sizeof *net);
    *net = (struct net){.b = b, .accepted = LUA_NOREF, .closed = LUA_NOREF};
    net->host = (struct wr_socket_host){.loop = b->loop,
                                        .sys = wr_hard_sys(wr_loop_sys(b->loop)),
                                        .error = make_error,
                                        .connected = connected,
                                        .idle = idle,
                                        .closed = closed};
    wr_list_init(&net->host.sockets);
    wr_list_init(&net->listeners);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, KEY);
}

void wr_net_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"netHandlers", handlers},
                                         {"socketNew", socket_new},
                                         {"socketAdopt", adopt},
                                         {"socketBegin", begin},
                                         {"socketConnect", start},
                                         {"socketAddress", address},
                                         {"socketState", state},
                                         {"socketBytesRead", bytes_read},
                                         {"socketBytesWritten", bytes_written},
                                         {"socketTimeout", set_timeout},
                                         {"socketGetTimeout", get_timeout},
                                         {"socketNoDelay", no_delay},
                                         {"socketKeepAlive", keep_alive},
                                         {"socketWeak", weak},
                                         {"listenOpen", listen_open},
                                         {"listenClose", listen_close},
                                         {"listenAddress", listen_address},
                                         {"listenWeak", listen_weak},
                                         {"closeFd", close_fd},
                                         {NULL, NULL}};
    make_net(L, b);
    luaL_newmetatable(L, LISTENER);
    lua_pushcfunction(L, listen_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    wr_bind_register(L, b, functions);
    wr_netaddress_open(L, b);
}
