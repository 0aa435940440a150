/* SPDX-License-Identifier: MIT */
/* Node's properties of streams: one core function each, found by name in core.properties. */
#include "errors.h"
#include "readable.h"
#include "luastream.h"
#include "writable.h"

#include "methods.h"

static bool has_read(const struct wr_stream *s)
{
    return (s->has & WR_IS_READABLE) != 0;
}
static bool has_write(const struct wr_stream *s)
{
    return (s->has & WR_IS_WRITABLE) != 0;
}

/* Each pushes one value. */
typedef void property_fn(lua_State *L, struct wr_bind *b, struct wr_stream *s);

#define BOOLEAN(name, expr)                                                                                            \
    static void name(lua_State *L, struct wr_bind *b, struct wr_stream *s)                                             \
    {                                                                                                                  \
        (void)b;                                                                                                       \
        lua_pushboolean(L, (expr));                                                                                    \
    }
#define NUMBER(name, expr)                                                                                             \
    static void name(lua_State *L, struct wr_bind *b, struct wr_stream *s)                                             \
    {                                                                                                                  \
        (void)b;                                                                                                       \
        lua_pushnumber(L, (lua_Number)(expr));                                                                         \
    }

BOOLEAN(destroyed, wr_stream_destroyed(s))
BOOLEAN(closed, wr_stream_closed(s))
BOOLEAN(error_emitted, s->error_emitted)
BOOLEAN(readable, has_read(s) && !(s->has & WR_CLOSED_READ) && !wr_stream_destroyed(s) && !s->error_emitted &&
                      s->read != WR_READ_DONE)
BOOLEAN(readable_ended, s->read == WR_READ_DONE)
BOOLEAN(readable_did_read, (s->r & WR_R_DATA_EMITTED) != 0)
BOOLEAN(readable_aborted,
        has_read(s) && !(s->has & WR_CLOSED_READ) && (wr_stream_destroyed(s) || s->errored) && s->read != WR_READ_DONE)
BOOLEAN(readable_object_mode, (s->has & WR_OBJECTS_READ) != 0)
BOOLEAN(writable, has_write(s) && s->write == WR_WRITE_OPEN && !wr_stream_destroyed(s) && !s->errored)
BOOLEAN(writable_ended, s->write >= WR_WRITE_ENDING)
BOOLEAN(writable_finished, s->write == WR_WRITE_FINISHED)
BOOLEAN(writable_need_drain, wr_writable_needs_drain(s))
BOOLEAN(writable_aborted, has_write(s) && !(s->has & WR_CLOSED_WRITE) && (wr_stream_destroyed(s) || s->errored) &&
                              s->write != WR_WRITE_FINISHED)
BOOLEAN(writable_object_mode, (s->has & WR_OBJECTS_WRITE) != 0)
BOOLEAN(is_paused, wr_readable_is_paused(s))
BOOLEAN(auto_destroy, (s->has & WR_AUTO_DESTROY) != 0)
BOOLEAN(allow_half_open, (s->has & WR_HALF_OPEN) != 0)
NUMBER(readable_length, wr_readable_length(s))
NUMBER(readable_mark, s->sh->r.mark)
NUMBER(writable_length, wr_writable_length(s))
NUMBER(writable_mark, s->sh->w.mark)
NUMBER(writable_corked, s->corked)

static void readable_flowing(lua_State *L, struct wr_bind *b, struct wr_stream *s)
{
    (void)b;
    if (s->r & WR_R_HAS_FLOWING)
        lua_pushboolean(L, (s->r & WR_R_FLOWING) != 0);
    else
        lua_pushnil(L);
}

static void errored(lua_State *L, struct wr_bind *b, struct wr_stream *s)
{
    wr_errors_push(b, L, s->errored);
}

enum { ANY = 0, READ = WR_IS_READABLE, WRITE = WR_IS_WRITABLE };

static const struct {
    const char *name;
    property_fn *fn;
    uint32_t side; /* without that side it is nil */
} properties[] = {
    {"destroyed", destroyed, ANY},
    {"closed", closed, ANY},
    {"errored", errored, ANY},
    {"errorEmitted", error_emitted, ANY}, /* for isErrored; streams do not have it */
    {"readable", readable, READ},
    {"readableLength", readable_length, READ},
    {"readableFlowing", readable_flowing, READ},
    {"readableEnded", readable_ended, READ},
    {"readableDidRead", readable_did_read, READ},
    {"readableAborted", readable_aborted, READ},
    {"readableHighWaterMark", readable_mark, READ},
    {"readableObjectMode", readable_object_mode, READ},
    {"isPaused", is_paused, READ},
    {"writable", writable, WRITE},
    {"writableLength", writable_length, WRITE},
    {"writableEnded", writable_ended, WRITE},
    {"writableFinished", writable_finished, WRITE},
    {"writableNeedDrain", writable_need_drain, WRITE},
    {"writableCorked", writable_corked, WRITE},
    {"writableAborted", writable_aborted, WRITE},
    {"writableHighWaterMark", writable_mark, WRITE},
    {"writableObjectMode", writable_object_mode, WRITE},
    {"autoDestroy", auto_destroy, ANY},
    {"allowHalfOpen", allow_half_open, WRITE},
};

static int get(lua_State *L)
{
    WR_LUASTREAM_SELF;
    int i = (int)lua_tointeger(L, lua_upvalueindex(2));
    if (properties[i].side && !(s->has & properties[i].side))
        lua_pushnil(L);
    else
        properties[i].fn(L, b, s);
    return 1;
}

static void set_number(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

/* core.stats(self) -> what passed, and how long it was held back */
static int stats(lua_State *L)
{
    WR_LUASTREAM_SELF;
    const struct wr_stats *t = &s->stats;
    uint64_t waited = t->waited_ns;
    if (t->stopped_at && s->flow->now)
        waited += s->flow->now(s->flow->user) - t->stopped_at;
    lua_createtable(L, 0, 6);
    set_number(L, "taken", (double)t->in);
    set_number(L, "given", (double)t->out);
    set_number(L, "stops", (double)t->stops);
    set_number(L, "waited", (double)waited / 1e6);
    set_number(L, "bursts", s->sh->bursts);
    set_number(L, "longestBurst", s->sh->longest);
    return 1;
}

void wr_properties_open(lua_State *L, struct wr_bind *b)
{
    lua_newtable(L);
    for (int i = 0; i < (int)(sizeof properties / sizeof *properties); i++) {
        lua_pushlightuserdata(L, b);
        lua_pushinteger(L, i);
        lua_pushcclosure(L, get, 2);
        lua_setfield(L, -2, properties[i].name);
    }
    lua_setfield(L, -2, "properties");
    static const luaL_Reg functions[] = {{"stats", stats}, {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
