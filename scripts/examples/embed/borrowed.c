/* SPDX-License-Identifier: MIT */
/* A program that has a Lua state and a libev loop already, and an allocator that counts: it lends them to weir, takes them
 * back, and goes on with the state. Its own timer and weir's streams are served by the same ev_run.
 *
 *     cc borrowed.c $(pkg-config --cflags --libs weir luajit) -lev -o borrowed
 */
#include <ev.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir.h>

static const char script[] = "local weir = require 'weir'\n"
                             "count = 0\n"
                             "kept = weir.Readable{ objectMode = true, read = function(self) "
                             "weir.setTimeout(function() self:push {} end, 1) end }\n"
                             "local sink = weir.Writable{ objectMode = true, write = function(_, _, callback) count = "
                             "count + 1; callback() end }\n"
                             "weir.setInterval(function() end, 5)\n"
                             "weir.pipeline(kept, weir.PassThrough{ objectMode = true }, sink)\n";

/* Counts what is out; called from several threads. */
static void *count(void *user, void *ptr, size_t old_size, size_t new_size)
{
    atomic_size_t *out = user;
    void *fresh = NULL;
    if (new_size == 0)
        free(ptr);
    else if (!(fresh = realloc(ptr, new_size)))
        return NULL;
    *out += new_size - (ptr ? old_size : 0);
    return fresh;
}

/* Looks now and then whether objects have come; then it is enough. */
static void look(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    lua_State *L = timer->data;
    lua_getglobal(L, "count");
    if (lua_tointeger(L, -1) > 0)
        ev_break(loop, EVBREAK_ALL);
    lua_pop(L, 1);
}

static int run(struct ev_loop *loop, lua_State *L, atomic_size_t *out)
{
    struct weir *w;
    struct weir_options options = {.size = sizeof options, .alloc = count, .alloc_user = out, .loop = loop, .lua = L};
    if (weir_open(&w, &options) != WEIR_OK)
        return -1;
    int status = weir_run_string(w, script, "=borrowed");
    ev_timer timer;
    ev_timer_init(&timer, look, 0.05, 0.05);
    timer.data = L;
    ev_timer_start(loop, &timer);
    ev_run(loop, 0);
    ev_timer_stop(loop, &timer);
    if (status || weir_failed(w))
        fprintf(stderr, "%s\n", weir_last_error(w));
    weir_close(w); /* in mid-pipeline */
    return status;
}

int main(void)
{
    atomic_size_t out = 0;
    struct ev_loop *loop = ev_default_loop(0);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    for (int i = 0; i < 3; i++)
        if (run(loop, L, &out) ||
            luaL_dostring(L, "assert(count > 0); assert(not pcall(kept.push, kept, {})); kept = nil"))
            return 1;
    lua_gc(L, LUA_GCCOLLECT, 0); /* what is left of the streams */
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_close(L);
    ev_loop_destroy(loop);
    printf("%zu bytes out\n", (size_t)out);
    return 0;
}
