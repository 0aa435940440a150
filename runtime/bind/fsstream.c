/* SPDX-License-Identifier: MIT */
/* A closed standard output ends the process quietly, as the signal would end cat: unless somebody listens to 'error'. That is
 * decided here, when the error is made, since a pipeline that looks after errors would report it to the script. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "enter.h"
#include "errors.h"
#include "filewrite.h"
#include "fileread.h"
#include "hard.h"
#include "life.h"
#include "luastream.h"

#include "fsstream.h"

enum { STATUS_PIPE = 128 + SIGPIPE };

struct fs_stream {
    struct wr_lua_stream ls;
    struct wr_file_host host;
    bool writes;
    union {
        struct wr_fileread r;
        struct wr_filewrite w;
    };
};

static struct fs_stream *of_stream(struct wr_stream *s)
{
    return (struct fs_stream *)(void *)s;
}

static struct wr_file *file_of(struct fs_stream *fs)
{
    return fs->writes ? &fs->w.file : &fs->r.file;
}

/* ---- the operations of the stream */

static void read_construct(struct wr_stream *s)
{
    wr_fileread_construct(&of_stream(s)->r);
}

static void read_read(struct wr_stream *s)
{
    wr_fileread_read(&of_stream(s)->r);
}

static void read_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_fileread_destroy(&of_stream(s)->r, err);
}

static void write_construct(struct wr_stream *s)
{
    wr_filewrite_construct(&of_stream(s)->w);
}

/* What the script has printed by Lua's own functions comes before what it writes now. */
static void write_write(struct wr_stream *s, uint32_t n)
{
    if (of_stream(s)->w.file.keep && of_stream(s)->w.file.fd == STDOUT_FILENO)
        fflush(stdout);
    wr_filewrite_write(&of_stream(s)->w, n);
}

static void write_final(struct wr_stream *s)
{
    wr_filewrite_final(&of_stream(s)->w);
}

static void write_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_filewrite_destroy(&of_stream(s)->w, err);
}

static const struct wr_stream_ops read_ops = {.construct = read_construct, .read = read_read, .destroy = read_destroy};
static const struct wr_stream_ops write_ops = {
    .construct = write_construct, .write = write_write, .final = write_final, .destroy = write_destroy};

static void clear(struct wr_lua_stream *ls)
{
    struct fs_stream *fs = (struct fs_stream *)(void *)ls;
    if (fs->writes)
        wr_filewrite_clear(&fs->w);
    else
        wr_fileread_clear(&fs->r);
}

/* ---- what a file tells */

/* Calls core.exit. */
static void end_process(struct wr_bind *b)
{
    lua_State *co = wr_enter(b, WR_CALL_RUN);
    if (!co)
        return;
    lua_getfield(co, LUA_REGISTRYINDEX, "weir core"); /* names that there are: nothing is allocated */
    lua_getfield(co, -1, "exit");
    lua_remove(co, -2);
    lua_pushinteger(co, STATUS_PIPE);
    wr_enter_call(b, co, 2);
}

struct happening {
    const struct wr_fault *fault;
    const char *syscall, *path;
};

/* Pushes what becomes the error object: Node's message and fields. */
static int push_fields(lua_State *L, void *arg)
{
    const struct happening *h = arg;
    const struct wr_fault *fault = h->fault;
    const char *syscall = h->syscall, *path = h->path;
    lua_createtable(L, 0, 5);
    if (path)
        lua_pushfstring(L, "%s: %s, %s '%s'", fault->code, fault->text, syscall, path);
    else
        lua_pushfstring(L, "%s: %s, %s", fault->code, fault->text, syscall);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, fault->code);
    lua_setfield(L, -2, "code");
    lua_pushinteger(L, -fault->number);
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, syscall);
    lua_setfield(L, -2, "syscall");
    if (path) {
        lua_pushstring(L, path);
        lua_setfield(L, -2, "path");
    }
    return 1;
}

static struct wr_error *make_error(struct wr_file *f, int number, const char *syscall, const char *path)
{
    struct wr_bind *b = of_stream(f->s)->ls.b;
    struct wr_fault fault = wr_error_errno(number);
    if (f->keep && number == EPIPE && !wr_stream_listens(f->s, WR_EV_ERROR))
        end_process(b);
    struct happening h = {&fault, syscall, path};
    return wr_errors_build(b, push_fields, &h, 0);
}

static int push_name(lua_State *L, void *arg)
{
    lua_pushstring(L, arg);
    return 1;
}

static lua_State *begin_event(struct wr_file *f, const char *name)
{
    struct wr_bind *b = of_stream(f->s)->ls.b;
    lua_State *co = of_stream(f->s)->ls.gone ? NULL : wr_enter(b, WR_CALL_EVENT);
    if (!co)
        return NULL;
    wr_luastream_push_self(co, b, f->s);
    if (wr_enter_guard(b, co, push_name, (void *)(uintptr_t)name) == 1)
        return co;
    wr_enter_end(b, co);
    return NULL;
}

static void opened(struct wr_file *f)
{
    struct wr_bind *b = of_stream(f->s)->ls.b;
    lua_State *co = begin_event(f, "open");
    if (co) {
        lua_pushinteger(co, f->fd);
        wr_enter_call(b, co, 3);
    }
    co = begin_event(f, "ready");
    if (co)
        wr_enter_call(b, co, 2);
}

/* ---- making one */

static struct fs_stream *make(lua_State *L, struct wr_bind *b, const struct wr_stream_ops *ops, uint32_t has,
                              int32_t mark)
{
    wr_bind_pool(L, b);
    struct wr_lua_stream *ls = wr_luastream_make(L, b, sizeof(struct fs_stream), ops, has, mark, mark);
    struct fs_stream *fs = (struct fs_stream *)(void *)ls;
    fs->writes = (has & WR_IS_WRITABLE) != 0;
    fs->host = (struct wr_file_host){.loop = b->loop,
                                     .pool = b->pool,
                                     .sys = wr_hard_sys(wr_loop_sys(b->loop)),
                                     .closing = &b->closing,
                                     .error = make_error,
                                     .opened = opened};
    ls->clear = clear;
    return fs;
}

static int optional_fd(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? -1 : (int)luaL_checkinteger(L, index);
}

static int64_t optional_place(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? -1 : (int64_t)luaL_checknumber(L, index);
}

/* core.fileReader(self, handlers, has, mark, fd, flags, start, last, keep): of the file self.path where FD is nil. */
static int reader(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    uint32_t has = (uint32_t)luaL_checknumber(L, 3) | WR_IS_READABLE | WR_HAS_READ | WR_HAS_DESTROY;
    int32_t mark = (int32_t)luaL_checkinteger(L, 4);
    int fd = optional_fd(L, 5), flags = (int)luaL_optinteger(L, 6, O_RDONLY);
    int64_t start = optional_place(L, 7), last = optional_place(L, 8);
    bool keep = lua_toboolean(L, 9);
    has |= keep ? 0 : WR_HAS_CONSTRUCT;
    struct fs_stream *fs = make(L, b, &read_ops, has, mark);
    lua_getfield(L, 1, "path");
    const char *path = fd < 0 ? luaL_checkstring(L, -1) : NULL;
    if (wr_fileread_init(&fs->r, &fs->ls.s, &fs->host, path, fd, flags, start, last, (uint32_t)mark))
        return luaL_error(L, "out of memory");
    fs->r.file.keep = keep;
    if (keep)
        wr_file_look(&fs->r.file);
    return 0;
}

/* core.fileWriter(self, handlers, has, mark, fd, flags, mode, start, flush, atomic, keep) */
static int writer(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    uint32_t has = (uint32_t)luaL_checknumber(L, 3) | WR_IS_WRITABLE | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FINAL |
                   WR_HAS_DESTROY;
    int32_t mark = (int32_t)luaL_checkinteger(L, 4);
    struct wr_filewrite_options o = {.fd = optional_fd(L, 5),
                                     .flags = (int)luaL_optinteger(L, 6, O_WRONLY),
                                     .mode = (mode_t)luaL_optinteger(L, 7, 0666),
                                     .start = optional_place(L, 8),
                                     .flush = lua_toboolean(L, 9),
                                     .atomic = lua_toboolean(L, 10)};
    bool keep = lua_toboolean(L, 11);
    has |= keep ? 0 : WR_HAS_CONSTRUCT;
    struct fs_stream *fs = make(L, b, &write_ops, has, mark);
    lua_getfield(L, 1, "path");
    o.path = o.fd < 0 ? luaL_checkstring(L, -1) : NULL;
    if (wr_filewrite_init(&fs->w, &fs->ls.s, &fs->host, &o))
        return luaL_error(L, "out of memory");
    fs->w.file.keep = keep;
    if (keep)
        wr_file_look(&fs->w.file);
    return 0;
}

/* ---- properties */

static struct fs_stream *arg(lua_State *L)
{
    struct fs_stream *fs = of_stream(wr_luastream_arg(L, wr_bind_self(L), 1));
    if (fs->ls.clear != clear)
        luaL_argerror(L, 1, "a stream of another kind");
    return fs;
}

static int get_fd(lua_State *L)
{
    const struct wr_file *f = file_of(arg(L));
    if (f->fd < 0 || f->closed || (f->out && !wr_stream_constructed(f->s)))
        lua_pushnil(L);
    else
        lua_pushinteger(L, f->fd);
    return 1;
}

static int get_bytes(lua_State *L)
{
    const struct fs_stream *fs = arg(L);
    lua_pushnumber(L, (lua_Number)(fs->writes ? fs->w.bytes : fs->r.bytes));
    return 1;
}

static int get_pending(lua_State *L)
{
    get_fd(L);
    lua_pushboolean(L, lua_isnil(L, -1));
    return 1;
}

static int again(lua_State *L)
{
    struct fs_stream *fs = arg(L);
    if (!fs->writes)
        wr_fileread_again(&fs->r);
    return 0;
}

/* core.fileDrain(self): the process is about to end. */
static int drain(lua_State *L)
{
    struct fs_stream *fs = arg(L);
    if (fs->writes)
        wr_filewrite_drain(&fs->w);
    return 0;
}

/* core.fileAbandon(): the process is about to end: files that were to be complete, and are not, are removed. */
static int abandon(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    for (struct wr_stream *s = b->flow.streams; s; s = s->next) {
        struct wr_file *f = s->ops == &write_ops ? &of_stream(s)->w.file : NULL;
        if (!f || !f->host || !f->before_close)
            continue;
        wr_file_settle(f);
        f->before_close(f);
    }
    return 0;
}

/* core.isTerminal(fd) */
static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, wr_sys_default()->isatty((int)luaL_checkinteger(L, 1)) == 1);
    return 1;
}

#define OPEN_FLAGS(X) X(RDONLY) X(WRONLY) X(RDWR) X(CREAT) X(EXCL) X(TRUNC) X(APPEND) X(SYNC)

void wr_fsstream_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"fileReader", reader},      {"fileWriter", writer},
                                         {"fileFd", get_fd},          {"fileBytes", get_bytes},
                                         {"fileAgain", again},        {"fileDrain", drain},
                                         {"fileAbandon", abandon},    {"filePending", get_pending},
                                         {"isTerminal", is_terminal}, {NULL, NULL}};
    wr_bind_register(L, b, functions);
    lua_createtable(L, 0, 8);
#define X(name) (lua_pushinteger(L, O_##name), lua_setfield(L, -2, #name));
    OPEN_FLAGS(X)
#undef X
    lua_setfield(L, -2, "openFlags");
}

void wr_fsstream_close(struct wr_bind *b)
{
    for (struct wr_stream *s = b->flow.streams; s; s = s->next) {
        if (s->ops == &read_ops && of_stream(s)->r.file.host)
            wr_fileread_stop(&of_stream(s)->r);
        else if (s->ops == &write_ops && of_stream(s)->w.file.host)
            wr_file_stop(&of_stream(s)->w.file);
    }
}
