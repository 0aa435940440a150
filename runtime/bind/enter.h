/* SPDX-License-Identifier: MIT */
/* The one way into Lua: a resume of a coroutine from a pool.
 *
 * Whatever the core calls may wait (a handler that yields simply holds its callback), so each call runs in a coroutine of
 * its own; one that comes back is used again. The functions called are the trampolines of enum wr_call, which let nothing
 * escape. A coroutine that waits belongs to whoever will wake it.
 */
#ifndef WR_BIND_ENTER_H
#define WR_BIND_ENTER_H

#include "bind.h"

#define WR_DEPTH_MAX 190 /* nested entries; each takes C stack */

/* A coroutine with the trampoline CALL on its stack; push the arguments (what allocates by wr_enter_guard), then wr_enter_run.
 * NULL: no memory (see wr_enter_starve), or nested too deeply (B's `depth`), and the caller must fail whatever it was about. */
lua_State *wr_enter(struct wr_bind *b, enum wr_call call);

/* Runs what was prepared on CO with ARGS arguments. True when it came back: its results are on CO, until the next wr_enter_end
 * gives it back to the pool. False when it waits, or died: CO is no longer the caller's. */
bool wr_enter_run(struct wr_bind *b, lua_State *co, int args);

/* Gives CO, which came back, to the pool. */
void wr_enter_end(struct wr_bind *b, lua_State *co);

/* A coroutine with nothing on its stack; else as wr_enter. */
lua_State *wr_enter_bare(struct wr_bind *b);

/* Runs the function and its ARGS arguments that are on CO. 0: it came back, and CO is in the pool again. LUA_YIELD: it waits.
 * Else it died of the error on top of CO, which is the collector's. */
int wr_enter_burst(struct wr_bind *b, lua_State *co, int args);

/* Run and end, for calls whose results nobody wants. Whether it came back. */
bool wr_enter_call(struct wr_bind *b, lua_State *co, int args);

/* Goes on with CO, which waits, with ARGS values on its stack. */
void wr_enter_resume(struct wr_bind *b, lua_State *co, int args);

/* The error value on top of CO's stack is reported as uncaught, and popped. */
void wr_enter_uncaught(struct wr_bind *b, lua_State *co);

/* Calls FN(L, ARG) so that it may raise: most functions of Lua's may, for want of memory, and nothing may jump over frames of
 * flow/, io/ or libev. FN sees an empty stack, so that L is not the anchor if FN reaches for its slots; what it does to another
 * stack than L is not undone. How many values it has left on L; or -1, and nothing is left, and the run will end as
 * wr_enter_starve says. */
int wr_enter_guard(struct wr_bind *b, lua_State *L, int (*fn)(lua_State *L, void *arg), void *arg);

/* Something was lost for want of memory: the run ends with an out-of-memory error, before the next tick. */
void wr_enter_starve(struct wr_bind *b);

/* Why wr_enter gave NULL: WR_E_NO_MEMORY or WR_E_NESTING. */
enum wr_code wr_enter_refusal(const struct wr_bind *b);

/* Makes what wr_enter_guard needs. Raises on failure. */
void wr_enter_open(lua_State *L, struct wr_bind *b);

/* Is the running coroutine one that may wait? */
bool wr_enter_may_wait(struct wr_bind *b, lua_State *L);

#endif
