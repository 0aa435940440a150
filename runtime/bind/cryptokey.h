/* SPDX-License-Identifier: MIT */
/* Keys, passwords and random bytes of weir.crypto. */
#ifndef WR_BIND_CRYPTOKEY_H
#define WR_BIND_CRYPTOKEY_H

#include "bind.h"

/* The bytes of the key at INDEX of L, a string or a key object; borrowed from it. Raises if it is neither. */
const unsigned char *wr_cryptokey_bytes(lua_State *L, int index, size_t *len);

/* Registers core.key, core.isKey, core.keyBytes, core.keySize, core.keyClass, core.scryptCheck, core.scryptRun,
 * core.scryptTask, core.randomBytes, core.equal. */
void wr_cryptokey_open(lua_State *L, struct wr_bind *b);

#endif
