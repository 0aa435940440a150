/* SPDX-License-Identifier: MIT */
/* What the hard build is asked to make hard: the environment's WEIR_HARD, words with commas between, some with a number.
 *
 *     io1        reads of one byte, short writes (io/hard.c)
 *     reverse    the pool's answers in reverse order (loop/pool.c)
 *     gc=N       a full collection before each Nth entry into Lua; if not said, 100 or so, and more in a large heap (bind/enter.c)
 *     alloc=N    the Nth allocation of C code fails (base/alloc.c)
 *     lua=N      the Nth allocation of the command's Lua state fails, and nothing is compiled (host/main.c)
 *
 * These two count from the start. A script of the command counts from where it wants: the module `weir.hard` of this build
 * (host/main.c), as in scripts/starve.
 */
#ifndef WR_BASE_HARDMODE_H
#define WR_BASE_HARDMODE_H

#include <stddef.h>

/* The number that WORD has in WEIR_HARD, 0 if it stands there without one; -1 if it does not, and in any other build. */
long wr_hardmode_get(const char *word);

/* Says on the standard error that what WORD asked for happens now, to SIZE bytes. From any thread. */
void wr_hardmode_tell(const char *word, size_t size);

#endif
