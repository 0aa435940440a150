/* SPDX-License-Identifier: MIT */
/* Lines of the standard input, for lua/weir/repl.lua. */
#ifndef WR_HOST_REPL_H
#define WR_HOST_REPL_H

#include <lua.h>

/* Pushes a table of functions:
 *   interactive() -> are standard input and output a terminal?
 *   columns() -> the terminal's width
 *   start(fn, history): lines will be given as fn(line), without their newline, and the end as fn(nil); one for each prompt.
 *     What is typed at a terminal is kept in the file `history` (nil: in none), but for lines that begin with a space
 *   prompt(text): takes one line, on a terminal with libedit and the text before it. Nothing while one is awaited.
 *   interrupt(): drops what was typed of the line, which is awaited no more
 *   stop(): leaves the terminal as it was; no more lines. */
void wr_repl_push(lua_State *L);

#endif
