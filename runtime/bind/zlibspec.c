/* SPDX-License-Identifier: MIT */
/* Options of zlib's codecs, from a table. A field that is missing keeps its default; ranges are the codecs' to check. */
#include "zlibspec.h"

static lua_Number number(lua_State *L, int table, const char *name, lua_Number otherwise)
{
    lua_getfield(L, table, name);
    lua_Number n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return n;
}

static bool flag(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* A number from 0 to MOST; what is larger or no number counts as MOST. */
static uint64_t count(lua_State *L, int table, const char *name, uint64_t most)
{
    lua_Number n = number(L, table, name, 0);
    if (!(n > 0))
        return 0;
    return n < (lua_Number)most ? (uint64_t)n : most;
}

bool wr_zlibspec_compresses(const struct wr_zlibspec *spec)
{
    return spec->kind <= WR_ZLIB_DEFLATE_RAW;
}

static void read_deflate(lua_State *L, int table, struct wr_deflate_params *p)
{
    p->level = (int)number(L, table, "level", p->level);
    p->window_bits = (int)number(L, table, "windowBits", p->window_bits);
    p->mem_level = (int)number(L, table, "memLevel", p->mem_level);
    p->strategy = (int)number(L, table, "strategy", p->strategy);
}

static void read_inflate(lua_State *L, int table, struct wr_inflate_params *p)
{
    p->window_bits = (int)number(L, table, "windowBits", p->window_bits);
    p->trailing = (enum wr_inflate_trailing)count(L, table, "trailing", WR_TRAILING_KEEP);
    p->max_output = count(L, table, "maxOutputLength", UINT64_C(1) << 52);
    p->max_ratio = (uint32_t)count(L, table, "maxRatio", UINT32_MAX);
    p->truncated_ok = flag(L, table, "truncated");
}

void wr_zlibspec_read(lua_State *L, int index, struct wr_zlibspec *spec)
{
    int kind = (int)luaL_checkinteger(L, index), table = index + 1;
    luaL_argcheck(L, kind >= 0 && kind < WR_ZLIB_KINDS, index, "no such codec");
    luaL_checktype(L, table, LUA_TTABLE);
    *spec = (struct wr_zlibspec){.kind = (enum wr_zlib_kind)kind};
    lua_getfield(L, table, "dictionary");
    size_t len = 0;
    const unsigned char *dictionary = (const unsigned char *)lua_tolstring(L, -1, &len); /* the table holds it */
    lua_pop(L, 1);
    spec->chunk = (size_t)count(L, table, "chunkSize", 1 << 30);
    spec->most = count(L, table, "maxOutputLength", UINT64_C(1) << 52);
    spec->each = (enum wr_flush)count(L, table, "flush", WR_FLUSH_FULL);
    if (wr_zlibspec_compresses(spec)) {
        spec->deflate = wr_deflate_defaults((enum wr_deflate_format)kind);
        spec->deflate.dictionary = dictionary;
        spec->deflate.dictionary_len = len;
        read_deflate(L, table, &spec->deflate);
    } else {
        spec->inflate = wr_inflate_defaults((enum wr_inflate_format)(kind - WR_ZLIB_GUNZIP));
        spec->inflate.dictionary = dictionary;
        spec->inflate.dictionary_len = len;
        read_inflate(L, table, &spec->inflate);
    }
}

_Static_assert((int)WR_ZLIB_DEFLATE == (int)WR_DEFLATE_ZLIB && (int)WR_ZLIB_DEFLATE_RAW == (int)WR_DEFLATE_RAW,
               "the kinds follow the formats of deflate");
_Static_assert(WR_ZLIB_INFLATE - WR_ZLIB_GUNZIP == (int)WR_INFLATE_ZLIB &&
                   WR_ZLIB_UNZIP - WR_ZLIB_GUNZIP == (int)WR_INFLATE_UNZIP,
               "and those of inflate");

struct wr_codec *wr_zlibspec_codec(struct wr_alloc *a, const struct wr_zlibspec *spec, struct wr_fault *fault)
{
    if (wr_zlibspec_compresses(spec))
        return wr_deflate_new(a, &spec->deflate, fault);
    return wr_inflate_new(a, &spec->inflate, fault);
}
