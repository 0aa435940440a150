/* SPDX-License-Identifier: MIT */
/* A piece of work for the pool that a Lua function is called with at the end: hashing a password, compressing a string. */
#ifndef WR_BIND_TASK_H
#define WR_BIND_TASK_H

#include "bind.h"

/* The struct of each kind begins with it. */
struct wr_task {
    struct wr_job job;
    struct wr_bind *b;
    size_t size;                     /* of the whole struct */
    int callback, kept;              /* registry references: the function; what its work reads */
    void (*work)(struct wr_task *t); /* on a thread of the pool: nothing of Lua's but strings that are kept */
    /* Pushes the arguments of the callback on L; how many. Not called when the runtime is being closed. */
    int (*results)(struct wr_task *t, lua_State *L);
    void (*clear)(struct wr_task *t); /* gives back what the struct holds; may be NULL */
};

/* A cleared task of SIZE bytes whose callback is the function at index CALLBACK of L and which keeps the value at KEPT alive.
 * Raises on failure. The caller sets the functions, then wr_task_start. */
struct wr_task *wr_task_new(lua_State *L, struct wr_bind *b, size_t size, int callback, int kept);

/* Gives T to the pool; it is freed after its callback. */
void wr_task_start(struct wr_task *t);

/* Frees T, which was not started. */
void wr_task_free(struct wr_task *t);

#endif
