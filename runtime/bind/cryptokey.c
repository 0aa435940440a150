/* SPDX-License-Identifier: MIT */
/* A key object is a userdata with the bytes in it. It is wiped when it is collected, which a Lua string cannot be: strings
 * are shared and freed as they are. So a key that scrypt makes, and that goes into a cipher as an object, is never left
 * behind in memory.
 */
#include <string.h>

#include "kdf.h"
#include "task.h"
#include "wornstream.h"

#include "cryptokey.h"

#define META "weir key"

struct key {
    size_t len;
    unsigned char bytes[];
};

static struct key *to_key(lua_State *L, int index)
{
    struct key *k = lua_touserdata(L, index);
    if (!k || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, META);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is ? k : NULL;
}

static struct key *push_key(lua_State *L, size_t len)
{
    struct key *k = lua_newuserdata(L, sizeof *k + len);
    k->len = len;
    luaL_getmetatable(L, META);
    lua_setmetatable(L, -2);
    return k;
}

const unsigned char *wr_cryptokey_bytes(lua_State *L, int index, size_t *len)
{
    struct key *k = to_key(L, index);
    if (!k)
        return (const unsigned char *)luaL_checklstring(L, index, len);
    *len = k->len;
    return k->bytes;
}

static int collect(lua_State *L)
{
    struct key *k = lua_touserdata(L, 1);
    wr_kdf_wipe(k->bytes, k->len);
    return 0;
}

/* core.key(string) -> key */
static int new_key(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    memcpy(push_key(L, len)->bytes, bytes, len);
    return 1;
}

static int is_key(lua_State *L)
{
    lua_pushboolean(L, to_key(L, 1) != NULL);
    return 1;
}

static int key_bytes(lua_State *L)
{
    struct key *k = to_key(L, 1);
    luaL_argcheck(L, k != NULL, 1, "key expected");
    lua_pushlstring(L, (const char *)k->bytes, k->len);
    return 1;
}

static int key_size(lua_State *L)
{
    struct key *k = to_key(L, 1);
    luaL_argcheck(L, k != NULL, 1, "key expected");
    lua_pushnumber(L, (lua_Number)k->len);
    return 1;
}

/* ---- scrypt */

struct scrypt {
    struct wr_task task;
    struct wr_kdf_scrypt params;
    const unsigned char *password, *salt;
    size_t password_len, salt_len;
    unsigned char *out;
    size_t len;
    bool as_key;
    int status;
    struct wr_fault fault;
};

/* A count, which Lua has as a double; what is too large for T is refused by the check. */
static uint64_t count(lua_State *L, int index)
{
    lua_Number n = luaL_optnumber(L, index, 0);
    return n < 0 ? 0 : n > 9e15 ? (uint64_t)9e15 : (uint64_t)n;
}

static uint32_t count32(lua_State *L, int index)
{
    uint64_t n = count(L, index);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* N, r, p and maxmem, from FIRST on. */
static struct wr_kdf_scrypt params(lua_State *L, int first)
{
    return (struct wr_kdf_scrypt){
        .n = count(L, first), .r = count32(L, first + 1), .p = count32(L, first + 2), .maxmem = count(L, first + 3)};
}

/* core.scryptCheck(N, r, p, maxmem) -> true, or nil, code, message, number */
static int check(lua_State *L)
{
    struct wr_kdf_scrypt p = params(L, 1);
    struct wr_fault fault;
    if (wr_kdf_scrypt_check(&p, &fault))
        return wr_wornstream_fault(L, &fault);
    lua_pushboolean(L, 1);
    return 1;
}

/* Password, salt, length, whether a key is wanted, and the parameters: arguments 1 to 8. */
static void read_arguments(lua_State *L, struct scrypt *s)
{
    s->password = wr_cryptokey_bytes(L, 1, &s->password_len);
    s->salt = wr_cryptokey_bytes(L, 2, &s->salt_len);
    s->len = (size_t)count(L, 3);
    s->as_key = lua_toboolean(L, 4);
    s->params = params(L, 5);
}

static void run(struct scrypt *s)
{
    s->status =
        wr_kdf_scrypt(&s->params, s->password, s->password_len, s->salt, s->salt_len, s->out, s->len, &s->fault);
}

/* core.scryptRun(password, salt, length, asKey, N, r, p, maxmem) -> string or key, or nil, code, message, number */
static int scrypt_now(lua_State *L)
{
    struct scrypt s = {0};
    read_arguments(L, &s);
    struct key *k = push_key(L, s.len); /* collected, and wiped, where a string is wanted */
    s.out = k->bytes;
    run(&s);
    if (s.status)
        return wr_wornstream_fault(L, &s.fault);
    if (!s.as_key)
        lua_pushlstring(L, (const char *)k->bytes, k->len);
    return 1;
}

static void work(struct wr_task *task)
{
    run((struct scrypt *)(void *)task);
}

static int results(struct wr_task *task, lua_State *L)
{
    struct scrypt *s = (struct scrypt *)(void *)task;
    if (s->status)
        return wr_wornstream_fault(L, &s->fault);
    if (s->as_key)
        memcpy(push_key(L, s->len)->bytes, s->out, s->len);
    else
        lua_pushlstring(L, (const char *)s->out, s->len);
    return 1;
}

static void clear(struct wr_task *task)
{
    struct scrypt *s = (struct scrypt *)(void *)task;
    if (!s->out)
        return;
    wr_kdf_wipe(s->out, s->len);
    wr_alloc_free(&task->b->alloc, s->out, s->len + 1);
}

/* core.scryptTask(password, salt, length, asKey, N, r, p, maxmem, callback): the callback gets what scryptRun gives */
static int scrypt_later(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    lua_createtable(L, 2, 0); /* keeps password and salt */
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 2);
    struct scrypt arguments = {0};
    read_arguments(L, &arguments);
    struct scrypt *s = (struct scrypt *)(void *)wr_task_new(L, b, sizeof *s, 9, lua_gettop(L));
    arguments.task = s->task;
    *s = arguments;
    s->task.work = work;
    s->task.results = results;
    s->task.clear = clear;
    s->out = wr_alloc_get(&b->alloc, s->len + 1);
    if (!s->out) {
        wr_task_free(&s->task);
        return luaL_error(L, "out of memory");
    }
    wr_task_start(&s->task);
    return 0;
}

/* ---- random bytes */

/* core.randomBytes(length, asKey) -> string or key */
static int random_bytes(lua_State *L)
{
    size_t len = (size_t)count(L, 1);
    bool as_key = lua_toboolean(L, 2);
    struct wr_fault fault;
    struct key *k = push_key(L, len); /* collected, and wiped, where a string is wanted */
    if (wr_kdf_random(k->bytes, len, &fault))
        return wr_wornstream_fault(L, &fault);
    if (!as_key)
        lua_pushlstring(L, (const char *)k->bytes, len);
    return 1;
}

/* core.equal(a, b): of the same length */
static int equal(lua_State *L)
{
    size_t a_len, b_len;
    const unsigned char *a = wr_cryptokey_bytes(L, 1, &a_len), *b = wr_cryptokey_bytes(L, 2, &b_len);
    lua_pushboolean(L, a_len == b_len && wr_kdf_equal(a, b, a_len));
    return 1;
}

/* core.keyClass(index, tostring): what key objects have in Lua. */
static int key_class(lua_State *L)
{
    luaL_getmetatable(L, META);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "__tostring");
    return 0;
}

static void make_meta(lua_State *L)
{
    luaL_newmetatable(L, META);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, META);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void wr_cryptokey_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"key", new_key},
                                         {"isKey", is_key},
                                         {"keyBytes", key_bytes},
                                         {"keySize", key_size},
                                         {"keyClass", key_class},
                                         {"scryptCheck", check},
                                         {"scryptRun", scrypt_now},
                                         {"scryptTask", scrypt_later},
                                         {"randomBytes", random_bytes},
                                         {"equal", equal},
                                         {NULL, NULL}};
    make_meta(L);
    wr_bind_register(L, b, functions);
}
