/* SPDX-License-Identifier: MIT */
/* Lines are made where they are needed: as strings in the ring of the stream, as many in a row as fit, without a push each
 * (making a string costs 125 ns, a push as much again). What is left of a slice waits, and its write with it, until the ring
 * is read. Since a mark counts lines, however long they are, there is a limit in bytes beside it: once so many were made, the
 * ring is emptied first.
 */
#include <stdio.h>

#include "enter.h"
#include "errors.h"
#include "life.h"
#include "lines.h"
#include "luastream.h"
#include "readable.h"
#include "tick.h"
#include "worn.h"
#include "writable.h"

#include "linestream.h"

enum { BYTES_MOST = 1 << 18 };

struct line_stream {
    struct wr_lua_stream ls;
    struct wr_lines *lines;
    uint32_t next, out;     /* of the slices that are out, the one to come; how many there are */
    uint64_t number;        /* lines made */
    size_t max;             /* the longest line */
    size_t unread;          /* bytes made since the ring was empty */
    bool asked;             /* by the readable side, and not answered yet */
    bool flushing;          /* all was written */
    bool faulty, no_memory; /* no more lines can be made, because of that or of what `lines` says */
    bool running, again;
};

enum outcome { USED_UP, FULL, FAILED };

static struct line_stream *of(struct wr_stream *s)
{
    return (struct line_stream *)(void *)s;
}

static void clear(struct wr_lua_stream *ls)
{
    struct line_stream *l = (struct line_stream *)(void *)ls;
    wr_lines_free(l->lines);
    l->lines = NULL;
}

/* ---- room */

/* How many lines the readable side takes now. */
static int32_t room(struct line_stream *l)
{
    const struct wr_stream *s = &l->ls.s;
    int32_t length = wr_readable_length(s), left = s->sh->r.mark - length;
    if (length == 0)
        l->unread = 0;
    if (l->unread >= BYTES_MOST)
        return 0;
    return left > 0 ? left : l->asked || length == 0 ? 1 : 0;
}

/* The read that asked is answered: it may be asked again. */
static void answered(struct line_stream *l)
{
    struct wr_stream *s = &l->ls.s;
    l->asked = false;
    if (s->read == WR_READ_READING)
        wr_stream_step(s, WR_MACHINE_READ, WR_READ_ON_PUSH);
}

/* ---- many lines at once */

struct batch {
    struct line_stream *l;
    int32_t room, made;
    enum outcome outcome;
};

/* The next line, or the last one. */
static int next_line(struct line_stream *l, const unsigned char **p, size_t *len)
{
    int r = l->flushing ? wr_lines_finish(l->lines, p, len) : wr_lines_next(l->lines, p, len);
    if (r > 0) {
        l->number++;
        l->unread += *len;
    }
    return r;
}

/* Puts the string on top of L into the ring, whose table is below it. */
static bool put(lua_State *L, struct line_stream *l)
{
    struct wr_stream *s = &l->ls.s;
    struct wr_ring *r = &s->sh->r;
    lua_State *A = l->ls.b->anchor;
    int32_t count = (int32_t)((uint32_t)r->tail - (uint32_t)r->head);
    bool kept = true;
    if (count >= 0 && count <= r->mask) {
        lua_rawseti(L, -2, (int)((uint32_t)r->tail & (uint32_t)r->mask));
    } else { /* the table must grow */
        lua_xmove(L, A, 1);
        kept = s->flow->host->store(s, WR_SIDE_READ, r->tail, lua_gettop(A)) == 0;
        lua_pop(A, 1);
    }
    r->tail += kept;
    return kept;
}

/* Makes lines until the ring is full or the slice used up. In protected mode: memory may run out. */
static int make_lines(lua_State *L)
{
    struct batch *batch = lua_touserdata(L, 1);
    struct line_stream *l = batch->l;
    wr_luastream_push_env(L, l->ls.b, &l->ls.s);
    lua_rawgeti(L, -1, WR_ENV_READ_RING);
    batch->outcome = FULL;
    while (batch->made < batch->room && l->unread < BYTES_MOST) {
        const unsigned char *p;
        size_t len;
        int r = next_line(l, &p, &len);
        if (r <= 0) {
            batch->outcome = r < 0 ? FAILED : USED_UP;
            break;
        }
        lua_pushlstring(L, (const char *)p, len);
        if (!put(L, l)) {
            batch->outcome = FAILED;
            break;
        }
        batch->made++;
    }
    return 0;
}

static enum outcome make_many(struct line_stream *l, int32_t most)
{
    struct batch batch = {.l = l, .room = most};
    lua_State *L = l->ls.b->L, *A = l->ls.b->anchor;
    int top = lua_gettop(A);
    l->no_memory = l->ls.gone || lua_cpcall(L, make_lines, &batch) != 0;
    if (l->no_memory) {
        lua_settop(A, top);
        lua_pop(L, l->ls.gone ? 0 : 1);
        return FAILED;
    }
    if (batch.made) {
        answered(l);
        wr_readable_arrived(&l->ls.s);
    }
    return batch.outcome;
}

/* ---- one line at a time: what a burst of one is */

static enum outcome make_one(struct line_stream *l)
{
    struct wr_bind *b = l->ls.b;
    const unsigned char *p;
    size_t len;
    int r = next_line(l, &p, &len);
    if (r <= 0)
        return r < 0 ? FAILED : USED_UP;
    struct wr_item bytes = {.bytes = {.data = (unsigned char *)(uintptr_t)p, .len = len}};
    l->no_memory = !wr_luastream_push_item(b->anchor, b, &bytes);
    if (l->no_memory)
        return FAILED;
    struct wr_item item = {.object = lua_gettop(b->anchor)};
    l->asked = false;
    wr_readable_push(&l->ls.s, item);
    b->flow.host->drop(&b->flow, item.object);
    return FULL;
}

/* ---- errors */

static int push_too_long(lua_State *L, void *arg)
{
    lua_pushstring(L, arg);
    lua_pushliteral(L, "ERR_LINE_TOO_LONG");
    return 2;
}

/* The error object for a line that is too long, which says which one. */
static struct wr_error *too_long(struct line_stream *l)
{
    char text[128];
    snprintf(text, sizeof text, "Line %llu is longer than %zu bytes", (unsigned long long)l->number + 1, l->max);
    return wr_errors_build(l->ls.b, push_too_long, text, 0);
}

static void report(struct line_stream *l)
{
    struct wr_stream *s = &l->ls.s;
    struct wr_fault fault = l->no_memory ? wr_error_fault(WR_E_NO_MEMORY) : wr_lines_fault(l->lines);
    struct wr_error *e = fault.number == WR_E_LINE_TOO_LONG ? too_long(l) : NULL;
    if (!e)
        e = wr_error_new(s->flow->alloc, fault);
    l->next = l->out = 0;
    wr_transform_release(s);
    if (s->w_out)
        wr_transform_done(s, e);
    else if (l->flushing)
        wr_transform_flushed(s, e);
    else
        wr_life_fail(s, e, false);
    wr_error_unref(e);
}

/* Is something left to be read, and has anybody begun to? */
static bool is_unread(const struct wr_stream *s)
{
    const uint32_t begun = WR_R_HAS_FLOWING | WR_R_HAS_PAUSED | WR_R_DATA_EMITTED | WR_R_READABLE_LISTENING;
    return wr_readable_length(s) && (wr_readable_consumed(s) || s->r & begun);
}

/* The lines made before the fault come before the error: it waits until they are read. */
static void fail(struct line_stream *l)
{
    l->faulty = true;
    answered(l);
    if (!is_unread(&l->ls.s))
        report(l);
}

/* ---- going on */

/* Lines of what was fed. */
static enum outcome make(struct line_stream *l)
{
    int32_t most = room(l);
    if (most == 0) {
        answered(l); /* so that it is asked when the ring is empty */
        return FULL;
    }
    bool closed = l->ls.s.read >= WR_READ_ENDED; /* then a push refuses the line */
    return l->ls.b->flow.one || closed ? make_one(l) : make_many(l, most);
}

/* The slice is used up: the next one, or everything is. Whether there is one. */
static bool feed(struct line_stream *l)
{
    if (l->next == l->out)
        return false;
    struct wr_item item = wr_writable_out(&l->ls.s, l->next++);
    wr_lines_feed(l->lines, &item.bytes);
    return true;
}

static void complete(struct line_stream *l)
{
    struct wr_stream *s = &l->ls.s;
    if (l->flushing) {
        wr_transform_flushed(s, NULL);
        return;
    }
    bool some = l->out > 0;
    l->next = l->out = 0;
    if (!some)
        return;
    wr_transform_done(s, NULL);
    if (s->read == WR_READ_READING) /* it has been asked already */
        wr_transform_release(s);
}

/* Whether to go on. */
static bool step(struct line_stream *l)
{
    if (l->faulty) {
        fail(l);
        return false;
    }
    if (l->next == 0 && !l->flushing && !feed(l))
        return false;
    enum outcome outcome = make(l);
    if (outcome == FAILED)
        fail(l);
    else if (outcome == USED_UP && (l->flushing || !feed(l)))
        complete(l);
    else
        return outcome == USED_UP || room(l) > 0;
    return false;
}

static void go_on(struct line_stream *l)
{
    struct wr_stream *s = &l->ls.s;
    l->again = true;
    if (l->running)
        return;
    l->running = true;
    wr_stream_ref(s);
    while (l->again && !wr_stream_destroyed(s)) {
        l->again = false;
        while (!wr_stream_destroyed(s) && step(l)) {
        }
    }
    l->running = false;
    wr_stream_unref(s);
}

/* ---- the operations of the stream */

static void on_read(struct wr_stream *s)
{
    of(s)->asked = true;
    wr_transform_release(s);
    go_on(of(s));
}

static void on_write(struct wr_stream *s, uint32_t n)
{
    of(s)->out = n;
    of(s)->next = 0;
    go_on(of(s));
}

static void on_flush(struct wr_stream *s)
{
    of(s)->flushing = true;
    go_on(of(s));
}

/* Slices that are out are answered, before 'error' and 'close'. */
static void answer_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    wr_worn_abandon(t->stream, t->error);
}

static void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    clear(&of(s)->ls);
    of(s)->next = of(s)->out = 0;
    if (s->w_out)
        wr_tick_add(s->flow, answer_tick, s, err, (struct wr_done){0});
    wr_life_destroyed(s, err);
}

static const struct wr_stream_ops ops = {.read = on_read, .write = on_write, .flush = on_flush, .destroy = on_destroy};

/* ---- */

/* core.linesNew(self, nil, has, readableMark, writableMark, maxLength) */
static int new_lines(lua_State *L)
{
    const uint32_t fixed = WR_HAS_READ | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FLUSH | WR_HAS_DESTROY | WR_IS_READABLE |
                           WR_IS_WRITABLE | WR_IS_TRANSFORM | WR_OBJECTS_READ | WR_BULK;
    struct wr_bind *b = wr_bind_self(L);
    uint32_t has = (uint32_t)luaL_checkinteger(L, 3) | fixed;
    int32_t r_mark = (int32_t)luaL_checkinteger(L, 4), w_mark = (int32_t)luaL_checkinteger(L, 5);
    size_t max = (size_t)luaL_checknumber(L, 6);
    struct wr_lua_stream *ls = wr_luastream_make(L, b, sizeof(struct line_stream), &ops, has, r_mark, w_mark);
    struct line_stream *l = (struct line_stream *)(void *)ls;
    ls->clear = clear;
    l->max = max;
    l->lines = wr_lines_new(&b->alloc, max);
    if (l->lines)
        return 0;
    wr_life_destroy(&ls->s, NULL);
    return luaL_error(L, "out of memory");
}

void wr_linestream_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"linesNew", new_lines}, {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
