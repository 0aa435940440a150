/* SPDX-License-Identifier: MIT */
/* Two runtimes on the program's own libev loop, side by side: each moves objects through a pipeline that never ends, until the
 * program has seen enough of both and closes them as they are.
 *
 *     cc two.c $(pkg-config --cflags --libs weir luajit) -lev -o two
 *     ./two        closes the first one first
 *     ./two back   closes the second one first
 */
#include <ev.h>
#include <lua.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <weir.h>

enum { ENOUGH = 1000 };

static const char script[] =
    "local weir = require 'weir'\n"
    "local n = 0\n"
    "local source = weir.Readable{ objectMode = true, read = function(self) n = n + 1; self:push(n) end }\n"
    "local sink = weir.Writable{ objectMode = true, write = function(_, _, callback)\n"
    "  moved(); weir.setImmediate(callback)\n"
    "end }\n"
    "weir.pipeline(source, weir.PassThrough{ objectMode = true }, sink)\n"; /* waits here, for ever */

struct side {
    struct weir *w;
    struct side *other;
    int moved;
};

/* What the script calls for each object: the loop ends when both sides have moved enough. */
static int moved(lua_State *L)
{
    struct side *side = lua_touserdata(L, lua_upvalueindex(1));
    struct ev_loop *loop = lua_touserdata(L, lua_upvalueindex(2));
    side->moved++;
    if (side->moved >= ENOUGH && side->other->moved >= ENOUGH)
        ev_break(loop, EVBREAK_ALL);
    return 0;
}

static int start(struct side *side, struct ev_loop *loop)
{
    struct weir_options options = {.size = sizeof options, .loop = loop};
    if (weir_open(&side->w, &options) != WEIR_OK)
        return -1;
    lua_State *L = weir_lua(side->w);
    lua_pushlightuserdata(L, side);
    lua_pushlightuserdata(L, loop);
    lua_pushcclosure(L, moved, 2);
    lua_setglobal(L, "moved");
    if (weir_run_string(side->w, script, "=two") == WEIR_OK)
        return 0;
    fprintf(stderr, "%s\n", weir_last_error(side->w));
    return -1;
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    struct side a = {0}, b = {.other = &a};
    a.other = &b;
    signal(SIGPIPE, SIG_IGN);
    if (start(&a, loop) || start(&b, loop))
        return 1;
    ev_run(loop, 0);
    printf("%d and %d\n", a.moved >= ENOUGH, b.moved >= ENOUGH);
    int backwards = argc > 1 && !strcmp(argv[1], "back");
    weir_close(backwards ? b.w : a.w);
    weir_close(backwards ? a.w : b.w);
    ev_loop_destroy(loop);
    return 0;
}
