/* SPDX-License-Identifier: MIT */
/* Errors between C and Lua: a struct wr_error carries the Lua object that stands for it, so that every callback and listener
 * sees the same one. */
#ifndef WR_BIND_ERRORS_H
#define WR_BIND_ERRORS_H

#include "bind.h"

/* The error that the value at INDEX of L stands for, counted; NULL for nil and false. A string becomes an error object with
 * that message. */
struct wr_error *wr_errors_take(struct wr_bind *b, lua_State *L, int index);

/* A new error whose object the trampoline of errors makes of what PUSH(L, ARG) pushes (how many: a value, and perhaps a code), with
 * that `errno` (0: none of its own). Does not raise; NULL for no memory (see wr_enter_starve), or nested too deeply. */
struct wr_error *wr_errors_build(struct wr_bind *b, int (*push)(lua_State *L, void *arg), void *arg, int number);

/* Pushes the Lua object of E (nil for NULL), made when first asked for. Does not raise. */
void wr_errors_push(struct wr_bind *b, lua_State *L, struct wr_error *e);

/* A new error of our own CODE with MESSAGE in place of the code's, counted. Its Lua object is made at once; where Lua cannot be
 * entered, it is the plain error of CODE. */
struct wr_error *wr_errors_new(struct wr_bind *b, lua_State *L, enum wr_code code, const char *message);

/* Raises an error object with CODE and MESSAGE, which knows where L was. */
int wr_errors_raise(struct wr_bind *b, lua_State *L, const char *code, const char *message);

#endif
