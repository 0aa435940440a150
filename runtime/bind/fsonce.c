/* SPDX-License-Identifier: MIT */
/* One operation is described by a table: `path`, `to`, `data`, `flags`, `mode`, `recursive`, `atomic`, `flush`, `limit`. Its strings
 * are borrowed, and the table is kept while a job uses them. */
#include <math.h>

#include "fsop.h"
#include "hard.h"
#include "task.h"

#include "fsonce.h"

static const char *const kinds[] = {"readFile", "writeFile", "stat",  "lstat",   "unlink",
                                    "rename",   "mkdir",     "rmdir", "readdir", NULL};

static const char *text_field(lua_State *L, int index, const char *name, size_t *len)
{
    lua_getfield(L, index, name);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static double number_field(lua_State *L, int index, const char *name, double otherwise)
{
    lua_getfield(L, index, name);
    double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return n;
}

static bool true_field(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* The operation of the arguments 1 (its name) and 2 (the table). */
static struct wr_fsop describe(lua_State *L, struct wr_bind *b)
{
    int kind = luaL_checkoption(L, 1, NULL, kinds);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct wr_fsop op = {.sys = wr_hard_sys(wr_loop_sys(b->loop)), .alloc = &b->alloc, .kind = (enum wr_fsop_kind)kind};
    op.path = text_field(L, 2, "path", NULL);
    op.to = text_field(L, 2, "to", NULL);
    op.data = text_field(L, 2, "data", &op.len);
    if (!op.path || (op.kind == WR_FSOP_RENAME && !op.to) || (op.kind == WR_FSOP_WRITE && !op.data))
        luaL_error(L, "an operation on a file lacks a string");
    op.flags = (int)number_field(L, 2, "flags", 0);
    op.mode = (mode_t)number_field(L, 2, "mode", 0666);
    op.recursive = true_field(L, 2, "recursive");
    op.atomic = true_field(L, 2, "atomic");
    op.flush = true_field(L, 2, "flush");
    op.limit = (uint64_t)number_field(L, 2, "limit", 1 << 30);
    return op;
}

/* ---- results */

static double milliseconds(const struct timespec *t)
{
    return (double)t->tv_sec * 1e3 + floor((double)t->tv_nsec / 1e3) / 1e3;
}

static void push_stat(lua_State *L, const struct stat *st)
{
    lua_createtable(L, 0, 14);
#define FIELD(name, value) (lua_pushnumber(L, (lua_Number)(value)), lua_setfield(L, -2, name))
    FIELD("dev", st->st_dev);
    FIELD("mode", st->st_mode);
    FIELD("nlink", st->st_nlink);
    FIELD("uid", st->st_uid);
    FIELD("gid", st->st_gid);
    FIELD("rdev", st->st_rdev);
    FIELD("blksize", st->st_blksize);
    FIELD("ino", st->st_ino);
    FIELD("size", st->st_size);
    FIELD("blocks", st->st_blocks);
    FIELD("atimeMs", milliseconds(&st->st_atim));
    FIELD("mtimeMs", milliseconds(&st->st_mtim));
    FIELD("ctimeMs", milliseconds(&st->st_ctim));
#undef FIELD
}

static void push_names(lua_State *L, const struct wr_fsop *op)
{
    lua_newtable(L);
    int n = 0;
    for (size_t at = 0; at < op->out_len; at += lua_objlen(L, -1) + 1, lua_rawseti(L, -2, ++n))
        lua_pushstring(L, op->out + at);
}

static int push_fault(lua_State *L, const struct wr_fsop *op)
{
    struct wr_fault fault = wr_error_errno(-op->result);
    lua_pushnil(L);
    lua_pushstring(L, op->too_large ? "ERR_FS_FILE_TOO_LARGE" : fault.code);
    lua_pushstring(L, fault.text);
    lua_pushinteger(L, op->result);
    lua_pushstring(L, op->syscall);
    return 5;
}

/* Pushes true and the value; or nil, code, text, number, system call. How many. */
static int push_result(lua_State *L, const struct wr_fsop *op)
{
    if (op->result < 0)
        return push_fault(L, op);
    lua_pushboolean(L, 1);
    switch (op->kind) {
    case WR_FSOP_READ:
        lua_pushlstring(L, op->out_len ? op->out : "", op->out_len);
        return 2;
    case WR_FSOP_STAT:
    case WR_FSOP_LSTAT:
        push_stat(L, &op->st);
        return 2;
    case WR_FSOP_READDIR:
        push_names(L, op);
        return 2;
    case WR_FSOP_MKDIR:
        if (op->out)
            lua_pushstring(L, op->out);
        return op->out ? 2 : 1;
    default:
        return 1;
    }
}

/* The same in protected mode: what came out must be freed also where Lua has no memory. */
static int push_protected(lua_State *L)
{
    const struct wr_fsop *op = lua_touserdata(L, 1);
    lua_settop(L, 0);
    return push_result(L, op);
}

/* core.fsNow(name, operation) */
static int now(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_fsop op = describe(L, b);
    wr_fsop_run(&op);
    int top = lua_gettop(L);
    lua_pushcfunction(L, push_protected);
    lua_pushlightuserdata(L, &op);
    int failed = lua_pcall(L, 1, LUA_MULTRET, 0);
    wr_fsop_clear(&op);
    return failed ? lua_error(L) : lua_gettop(L) - top;
}

/* ---- the same on the pool */

struct fs_task {
    struct wr_task task;
    struct wr_fsop op;
};

static void work(struct wr_task *t)
{
    wr_fsop_run(&((struct fs_task *)(void *)t)->op);
}

static int results(struct wr_task *t, lua_State *L)
{
    return push_result(L, &((struct fs_task *)(void *)t)->op);
}

static void clear(struct wr_task *t)
{
    wr_fsop_clear(&((struct fs_task *)(void *)t)->op);
}

/* core.fsLater(name, operation, callback): the callback gets what fsNow gives. */
static int later(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_fsop op = describe(L, b);
    struct fs_task *t = (struct fs_task *)(void *)wr_task_new(L, b, sizeof *t, 3, 2);
    t->task.work = work;
    t->task.results = results;
    t->task.clear = clear;
    t->op = op;
    wr_task_start(&t->task);
    return 0;
}

void wr_fsonce_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"fsNow", now}, {"fsLater", later}, {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
