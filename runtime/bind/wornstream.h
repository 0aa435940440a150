/* SPDX-License-Identifier: MIT */
/* Native transforms: a Lua stream that wears a codec (flow/worn), whose jobs go to the runtime's pool. */
#ifndef WR_BIND_WORNSTREAM_H
#define WR_BIND_WORNSTREAM_H

#include "luastream.h"
#include "worn.h"

/* A stream that wears a codec; the struct of each kind begins with it. */
struct wr_wornstream {
    struct wr_lua_stream ls;
    struct wr_worn *worn; /* NULL: not yet */
    struct wr_wornstream_job {
        struct wr_job job;
        struct wr_wornstream *of;
        unsigned lane;
    } jobs[WR_WORN_LANES];
};

/* A new stream of SIZE bytes in C for the table at index 1 of L, which wears P's codec, or sections. HAS (options of the
 * stream) and the two marks are arguments FIRST and the two behind it. P->user is set here; P->ops->submit must be
 * wr_wornstream_submit. The codec is taken in any case. CLEAR: called when the memory is about to go; it must call
 * wr_worn_free. NULL on failure, with the error on top of L. */
struct wr_wornstream *wr_wornstream_make(lua_State *L, struct wr_bind *b, int first, size_t size,
                                         void (*clear)(struct wr_lua_stream *ls), struct wr_worn_params *p);

/* The stream that wears W. */
struct wr_wornstream *wr_wornstream_of(const struct wr_worn *w);

/* For struct wr_worn_ops. */
void wr_wornstream_submit(struct wr_worn *w, unsigned lane);

/* The stream that is argument INDEX, made here with CLEAR; raises if it is none. */
struct wr_wornstream *wr_wornstream_arg(lua_State *L, struct wr_bind *b, int index,
                                        void (*clear)(struct wr_lua_stream *ls));

/* Pushes nil and what FAULT says: code, message, number. Returns 4. */
int wr_wornstream_fault(lua_State *L, const struct wr_fault *fault);

#endif
