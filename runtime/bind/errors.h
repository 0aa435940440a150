/* SPDX-License-Identifier: MIT */
/* Errors between C and Lua: a struct wr_error carries the Lua object that stands for it, so that every callback and listener
 * sees the same one. */
#ifndef WR_BIND_ERRORS_H
#define WR_BIND_ERRORS_H

#include "bind.h"

/* The error that the value at INDEX of L stands for, counted; NULL for nil and false. A string becomes an error object with
 * that message. */
struct wr_error *wr_errors_take(struct wr_bind *b, lua_State *L, int index);

/* The same for the value on top of CO, which stays there, where nothing may be raised; NULL also for no memory (see
 * wr_enter_starve). */
struct wr_error *wr_errors_take_late(struct wr_bind *b, lua_State *co);

/* Pushes the Lua object of E (nil for NULL), made when first asked for. Does not raise. */
void wr_errors_push(struct wr_bind *b, lua_State *L, struct wr_error *e);

/* A new error of our own CODE with MESSAGE in place of the code's, counted. Its Lua object is made at once; where Lua cannot be
 * entered, it is the plain error of CODE. */
struct wr_error *wr_errors_new(struct wr_bind *b, lua_State *L, enum wr_code code, const char *message);

/* Raises an error object with CODE and MESSAGE. */
int wr_errors_raise(struct wr_bind *b, lua_State *L, const char *code, const char *message);

#endif
