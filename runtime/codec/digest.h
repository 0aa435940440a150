/* SPDX-License-Identifier: MIT */
/* Hashes: by update and final, and as a codec that swallows its input and gives the digest at the end. */
#ifndef WR_CODEC_DIGEST_H
#define WR_CODEC_DIGEST_H

#include "codec.h"

enum { WR_DIGEST_MOST = 64 }; /* the longest digest */

/* A new hash, the caller's to free by its ops. NAME is Node's, in any case: md5, sha1, sha224, sha256, sha384, sha512.
 * NULL with FAULT set: ERR_CRYPTO_INVALID_DIGEST, ENOMEM. (mbedTLS keeps about 200 bytes of it in memory of its own.) */
struct wr_codec *wr_digest_new(struct wr_alloc *a, const char *name, struct wr_fault *fault);

/* Adds LEN bytes. 0, or -1 with FAULT set: ERR_CRYPTO_HASH_FINALIZED. */
int wr_digest_update(struct wr_codec *c, const void *data, size_t len, struct wr_fault *fault);

/* Ends the hash and writes the digest, wr_digest_size(C) bytes, to OUT. 0, or -1 with FAULT set:
 * ERR_CRYPTO_HASH_FINALIZED. */
int wr_digest_final(struct wr_codec *c, unsigned char *out, struct wr_fault *fault);

/* A second hash that has got the same bytes, the caller's to free. NULL with FAULT set: ERR_CRYPTO_HASH_FINALIZED,
 * ENOMEM. */
struct wr_codec *wr_digest_copy(const struct wr_codec *c, struct wr_fault *fault);

/* The bytes of the digest. */
size_t wr_digest_size(const struct wr_codec *c);

#endif
