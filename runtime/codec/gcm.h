/* SPDX-License-Identifier: MIT */
/* AES-GCM of a stream: any number of bytes in gives as many out, as in OpenSSL, on mbedTLS 2.28 and 3. The tag is the
 * caller's to compare.
 */
#ifndef WR_CODEC_GCM_H
#define WR_CODEC_GCM_H

#include <mbedtls/gcm.h>
#include <stdbool.h>
#include <stddef.h>

enum { WR_GCM_TAG = 16 };

struct wr_gcm {
    mbedtls_gcm_context ctx;
    unsigned char part[16]; /* what came of the block under way (2.28 only) */
    unsigned char pad[16];  /* and what is added to it */
    size_t part_len;
};

/* Sets G up with a KEY of KEY_LEN (16, 24, 32) bytes. All functions here: 0, or mbedTLS's negative number. G must not be
 * moved, and is cleared in the end also after a failure. */
int wr_gcm_init(struct wr_gcm *g, const unsigned char *key, size_t key_len);

/* Begins a message with its IV (1 byte at least) and additional data. */
int wr_gcm_start(struct wr_gcm *g, bool decrypt, const unsigned char *iv, size_t iv_len, const unsigned char *aad,
                 size_t aad_len);

/* Writes N bytes to OUT for the N at IN, which do not overlap. */
int wr_gcm_update(struct wr_gcm *g, const unsigned char *in, size_t n, unsigned char *out);

/* Ends the message: its whole tag. */
int wr_gcm_finish(struct wr_gcm *g, unsigned char tag[WR_GCM_TAG]);

/* Wipes G and gives back what mbedTLS holds for it. */
void wr_gcm_clear(struct wr_gcm *g);

#endif
