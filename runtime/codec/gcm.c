/* SPDX-License-Identifier: MIT */
/* AES-GCM over mbedTLS.
 *
 * mbedTLS 3 takes any lengths. 2.28 wants whole blocks until the last call, so a block that is under way is kept in
 * `part`, while its bytes go out at once: they are XORed here with the encrypted counter, which is taken from mbedTLS's own
 * state. When the block is complete it goes through mbedTLS too, whose output for it, the same bytes, is dropped.
 */
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <string.h>

#include "gcm.h"

static int mode(bool decrypt)
{
    return decrypt ? MBEDTLS_GCM_DECRYPT : MBEDTLS_GCM_ENCRYPT;
}

int wr_gcm_init(struct wr_gcm *g, const unsigned char *key, size_t key_len)
{
    memset(g, 0, sizeof *g);
    mbedtls_gcm_init(&g->ctx);
    return mbedtls_gcm_setkey(&g->ctx, MBEDTLS_CIPHER_ID_AES, key, (unsigned)key_len * 8);
}

#if MBEDTLS_VERSION_MAJOR < 3

/* What will be added to the next block: mbedTLS counts up before it encrypts the counter, in the last four bytes. */
static int next_pad(struct wr_gcm *g)
{
    unsigned char counter[16];
    size_t n = 0;
    memcpy(counter, g->ctx.y, sizeof counter);
    for (int i = 15; i > 11; i--)
        if (++counter[i] != 0)
            break;
    return mbedtls_cipher_update(&g->ctx.cipher_ctx, counter, sizeof counter, g->pad, &n);
}

/* Hands the block under way, whole or the last, to mbedTLS. */
static int flush_part(struct wr_gcm *g)
{
    unsigned char again[16];
    size_t n = g->part_len;
    g->part_len = 0;
    int r = n > 0 ? mbedtls_gcm_update(&g->ctx, n, g->part, again) : 0;
    mbedtls_platform_zeroize(again, sizeof again);
    return r;
}

/* Up to N bytes of the block under way. Returns how many, or mbedTLS's error. */
static int add_part(struct wr_gcm *g, const unsigned char *in, size_t n, unsigned char *out)
{
    int r = g->part_len == 0 ? next_pad(g) : 0;
    if (r != 0)
        return r;
    size_t have = g->part_len;
    if (n > sizeof g->part - have)
        n = sizeof g->part - have;
    for (size_t i = 0; i < n; i++) {
        g->part[have + i] = in[i];
        out[i] = in[i] ^ g->pad[have + i];
    }
    g->part_len += n;
    r = g->part_len == sizeof g->part ? flush_part(g) : 0;
    return r != 0 ? r : (int)n;
}

int wr_gcm_start(struct wr_gcm *g, bool decrypt, const unsigned char *iv, size_t iv_len, const unsigned char *aad,
                 size_t aad_len)
{
    return mbedtls_gcm_starts(&g->ctx, mode(decrypt), iv, iv_len, aad, aad_len);
}

int wr_gcm_update(struct wr_gcm *g, const unsigned char *in, size_t n, unsigned char *out)
{
    while (n > 0) {
        size_t whole = g->part_len == 0 ? n & ~(size_t)15 : 0;
        int r = whole > 0 ? mbedtls_gcm_update(&g->ctx, whole, in, out) : add_part(g, in, n, out);
        if (r < 0)
            return r;
        size_t done = whole > 0 ? whole : (size_t)r;
        in += done;
        out += done;
        n -= done;
    }
    return 0;
}

int wr_gcm_finish(struct wr_gcm *g, unsigned char tag[WR_GCM_TAG])
{
    int r = flush_part(g);
    return r != 0 ? r : mbedtls_gcm_finish(&g->ctx, tag, WR_GCM_TAG);
}

#else

int wr_gcm_start(struct wr_gcm *g, bool decrypt, const unsigned char *iv, size_t iv_len, const unsigned char *aad,
                 size_t aad_len)
{
    int r = mbedtls_gcm_starts(&g->ctx, mode(decrypt), iv, iv_len);
    return r != 0 || aad_len == 0 ? r : mbedtls_gcm_update_ad(&g->ctx, aad, aad_len);
}

int wr_gcm_update(struct wr_gcm *g, const unsigned char *in, size_t n, unsigned char *out)
{
    size_t made = 0;
    return n == 0 ? 0 : mbedtls_gcm_update(&g->ctx, in, n, out, n, &made);
}

int wr_gcm_finish(struct wr_gcm *g, unsigned char tag[WR_GCM_TAG])
{
    size_t made = 0;
    return mbedtls_gcm_finish(&g->ctx, NULL, 0, &made, tag, WR_GCM_TAG);
}

#endif

void wr_gcm_clear(struct wr_gcm *g)
{
    mbedtls_gcm_free(&g->ctx);
    mbedtls_platform_zeroize(g, sizeof *g);
}
