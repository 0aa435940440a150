/* SPDX-License-Identifier: MIT */
/* Ciphers and hashes of weir.crypto: streams that can be used piece by piece too. */
#ifndef WR_BIND_CRYPTOSTREAM_H
#define WR_BIND_CRYPTOSTREAM_H

#include "bind.h"

/* Registers core.cipherNew, core.cipherUpdate, core.cipherFinal, core.cipherAad, core.cipherTag, core.cipherSetTag,
 * core.cipherPadding, core.hashNew, core.hashUpdate, core.hashDigest. */
void wr_cryptostream_open(lua_State *L, struct wr_bind *b);

#endif
