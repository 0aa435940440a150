/* SPDX-License-Identifier: MIT */
/* AES as a codec, by Node's names: aes-128, -192, -256 in cbc, ctr and gcm.
 *
 * What comes out when follows OpenSSL: ctr and gcm answer each byte at once, cbc whole blocks, and when it decrypts with
 * padding it keeps the last block back. gcm gives plaintext before the tag is checked: it is not to be trusted before
 * WR_STEP_DONE.
 */
#ifndef WR_CODEC_CIPHER_H
#define WR_CODEC_CIPHER_H

#include <stdbool.h>

#include "codec.h"

enum {
    WR_CIPHER_TAG_MOST = 16,      /* the longest tag */
    WR_CIPHER_AAD_MOST = 1 << 20, /* all additional data of a message */
};

struct wr_cipher_params {
    const char *name; /* "aes-256-cbc", "AES256" ..., in any case */
    bool decrypt;
    const unsigned char *key, *iv; /* borrowed during new only */
    size_t key_len, iv_len;
    size_t tag_len; /* Node's authTagLength, gcm only: 4, 8, 12 to 16; 0: 16 */
};

/* A new cipher, the caller's to free by its ops, which wipes the key. NULL with FAULT set: ERR_CRYPTO_UNKNOWN_CIPHER,
 * ERR_CRYPTO_INVALID_KEYLEN, ERR_CRYPTO_INVALID_IV (gcm takes 1 to 128 bytes, the others 16), ERR_CRYPTO_INVALID_AUTH_TAG,
 * ENOMEM.
 *
 * Its step fails at the end with ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH, ERR_OSSL_BAD_DECRYPT (padding) or
 * ERR_CRYPTO_AUTHENTICATION (no tag, or a wrong one); with ERR_CRYPTO_INVALID_STATE for input after the end. */
struct wr_codec *wr_cipher_new(struct wr_alloc *a, const struct wr_cipher_params *p, struct wr_fault *fault);

/* The functions below: 0, or -1 with FAULT set, ERR_CRYPTO_INVALID_STATE where the moment or the cipher is wrong. */

/* cbc: whether the last block is padded (yes, unless said otherwise). The others take it without effect. Before the end. */
int wr_cipher_set_padding(struct wr_codec *c, bool on, struct wr_fault *fault);

/* gcm: more additional data. Before the first byte. At most WR_CIPHER_AAD_MOST in all (ERR_OUT_OF_RANGE); ENOMEM. */
int wr_cipher_set_aad(struct wr_codec *c, const void *aad, size_t len, struct wr_fault *fault);

/* gcm, decrypting: the tag that must come out. Once, before the end. ERR_CRYPTO_INVALID_AUTH_TAG unless LEN is the
 * cipher's tag length. */
int wr_cipher_set_tag(struct wr_codec *c, const unsigned char *tag, size_t len, struct wr_fault *fault);

/* gcm, encrypting: the tag and its length. After the end (WR_STEP_DONE). */
int wr_cipher_tag(const struct wr_codec *c, unsigned char tag[WR_CIPHER_TAG_MOST], size_t *len, struct wr_fault *fault);

#endif
