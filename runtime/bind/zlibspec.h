/* SPDX-License-Identifier: MIT */
/* What lua/weir/zlib.lua asks for: a kind of codec and a table of options that it has checked. */
#ifndef WR_BIND_ZLIBSPEC_H
#define WR_BIND_ZLIBSPEC_H

#include "bind.h"
#include "deflate.h"
#include "inflate.h"

/* In the order of the names in lua/weir/zlib.lua. */
enum wr_zlib_kind {
    WR_ZLIB_GZIP,
    WR_ZLIB_DEFLATE,
    WR_ZLIB_DEFLATE_RAW,
    WR_ZLIB_GUNZIP,
    WR_ZLIB_INFLATE,
    WR_ZLIB_INFLATE_RAW,
    WR_ZLIB_UNZIP,
    WR_ZLIB_KINDS
};

struct wr_zlibspec {
    enum wr_zlib_kind kind;
    struct wr_deflate_params deflate; /* the three kinds that compress */
    struct wr_inflate_params inflate; /* the others */
    size_t chunk;                     /* 0: not said */
    uint64_t most;                    /* bytes that may come out; 0: no limit */
    enum wr_flush each;
};

/* The kind at INDEX of L and the table of options behind it, whose dictionary is borrowed. Raises if they are none. */
void wr_zlibspec_read(lua_State *L, int index, struct wr_zlibspec *spec);

/* Does it compress? */
bool wr_zlibspec_compresses(const struct wr_zlibspec *spec);

/* A new codec, the caller's. NULL with FAULT set. */
struct wr_codec *wr_zlibspec_codec(struct wr_alloc *a, const struct wr_zlibspec *spec, struct wr_fault *fault);

#endif
