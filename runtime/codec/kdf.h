/* SPDX-License-Identifier: MIT */
/* Keys and secrets: scrypt, random bytes, comparing and wiping. */
#ifndef WR_CODEC_KDF_H
#define WR_CODEC_KDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct wr_kdf_scrypt {
    uint64_t n; /* cost: a power of two > 1 */
    uint32_t r; /* block size */
    uint32_t p; /* parallelization */
    uint64_t maxmem;
};

/* Node's defaults: 16384, 8, 1, and 32 MiB. */
struct wr_kdf_scrypt wr_kdf_scrypt_defaults(void);

/* Is P possible within its memory limit? A zero stands for its default, as in Node. 0, or -1 with FAULT set:
 * ERR_CRYPTO_INVALID_SCRYPT_PARAMS, "... memory limit exceeded" where OpenSSL says so: 128 * (n * r + 2 * r + p * r) bytes
 * and no more than maxmem. */
int wr_kdf_scrypt_check(const struct wr_kdf_scrypt *p, struct wr_fault *fault);

/* Fills OUT with OUT_LEN (at most INT32_MAX) bytes of scrypt of PASSWORD and SALT: about 30 ms with the defaults, so on a
 * thread of the pool; any thread will do. The memory it works in is the system's, wiped and given back before it returns,
 * and not counted. 0, or -1 with FAULT set: as wr_kdf_scrypt_check, ERR_OUT_OF_RANGE, ENOMEM. */
int wr_kdf_scrypt(const struct wr_kdf_scrypt *p, const void *password, size_t password_len, const void *salt,
                  size_t salt_len, void *out, size_t out_len, struct wr_fault *fault);

/* Fills OUT with LEN random bytes of the system's. 0, or -1 with FAULT set (errno). */
int wr_kdf_random(void *out, size_t len, struct wr_fault *fault);

/* Are LEN bytes at A and B the same? The time it takes does not tell where they differ. */
bool wr_kdf_equal(const void *a, const void *b, size_t len);

/* Overwrites LEN bytes at P; no compiler leaves it out. */
void wr_kdf_wipe(void *p, size_t len);

#endif
