/* SPDX-License-Identifier: MIT */
/* Hashes by mbedTLS's generic layer: its functions bear the same names in 2.28 and 3.6, those of the single hashes do
 * not.
 */
#include <mbedtls/md.h>
#include <string.h>
#include <strings.h>

#include "kdf.h"

#include "digest.h"

struct digest {
    struct wr_codec head;
    struct wr_alloc *alloc;
    mbedtls_md_context_t md;
    const mbedtls_md_info_t *info;
    int final; /* no more input */
    unsigned char stage[WR_DIGEST_MOST];
    size_t stage_at, stage_len; /* as a codec: of the digest, what is not out yet */
};

static const struct {
    const char *name;
    mbedtls_md_type_t type;
} names[] = {
    {"md5", MBEDTLS_MD_MD5},        {"sha1", MBEDTLS_MD_SHA1},      {"sha-1", MBEDTLS_MD_SHA1},
    {"sha224", MBEDTLS_MD_SHA224},  {"sha-224", MBEDTLS_MD_SHA224}, {"sha256", MBEDTLS_MD_SHA256},
    {"sha-256", MBEDTLS_MD_SHA256}, {"sha384", MBEDTLS_MD_SHA384},  {"sha-384", MBEDTLS_MD_SHA384},
    {"sha512", MBEDTLS_MD_SHA512},  {"sha-512", MBEDTLS_MD_SHA512},
};

static const mbedtls_md_info_t *find(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i].name, name) == 0)
            return mbedtls_md_info_from_type(names[i].type);
    return NULL;
}

static int refuse(const struct digest *d, struct wr_fault *fault)
{
    if (!d->final)
        return 0;
    *fault = wr_error_fault(WR_E_CRYPTO_FINALIZED);
    return -1;
}

static enum wr_step step(struct wr_codec *c, struct wr_codec_io *io)
{
    struct digest *d = (struct digest *)c;
    if (io->in_len > 0) {
        if (wr_digest_update(c, io->in, io->in_len, &c->fault) < 0)
            return WR_STEP_FAIL;
        io->in += io->in_len;
        io->in_len = 0;
    }
    if (io->flush != WR_FLUSH_FINISH)
        return WR_STEP_MORE;
    if (!d->final) {
        if (wr_digest_final(c, d->stage, &c->fault) < 0)
            return WR_STEP_FAIL;
        d->stage_len = wr_digest_size(c);
    }
    size_t n = d->stage_len - d->stage_at;
    if (n > io->out_len)
        n = io->out_len;
    if (n > 0) {
        memcpy(io->out, d->stage + d->stage_at, n);
        io->out += n;
        io->out_len -= n;
        d->stage_at += n;
    }
    return d->stage_at == d->stage_len ? WR_STEP_DONE : WR_STEP_FULL;
}

static void destroy(struct wr_codec *c)
{
    struct digest *d = (struct digest *)c;
    mbedtls_md_free(&d->md);
    struct wr_alloc *a = d->alloc;
    wr_kdf_wipe(d, sizeof *d);
    wr_alloc_free(a, d, sizeof *d);
}

static const struct wr_codec_ops ops = {.step = step, .free = destroy};

/* A hash of INFO's kind that has begun. */
static struct digest *make(struct wr_alloc *a, const mbedtls_md_info_t *info, struct wr_fault *fault)
{
    *fault = wr_error_fault(WR_E_NO_MEMORY);
    struct digest *d = wr_alloc_zero(a, sizeof *d);
    if (!d)
        return NULL;
    d->head.ops = &ops;
    d->alloc = a;
    d->info = info;
    mbedtls_md_init(&d->md);
    if (mbedtls_md_setup(&d->md, info, 0) != 0 || mbedtls_md_starts(&d->md) != 0) {
        destroy(&d->head);
        return NULL;
    }
    *fault = wr_error_fault(WR_E_OK);
    return d;
}

struct wr_codec *wr_digest_new(struct wr_alloc *a, const char *name, struct wr_fault *fault)
{
    const mbedtls_md_info_t *info = find(name);
    if (!info) {
        *fault = wr_error_fault(WR_E_CRYPTO_DIGEST);
        return NULL;
    }
    struct digest *d = make(a, info, fault);
    return d ? &d->head : NULL;
}

int wr_digest_update(struct wr_codec *c, const void *data, size_t len, struct wr_fault *fault)
{
    struct digest *d = (struct digest *)c;
    if (refuse(d, fault) < 0)
        return -1;
    if (len > 0)
        mbedtls_md_update(&d->md, data, len);
    return 0;
}

int wr_digest_final(struct wr_codec *c, unsigned char *out, struct wr_fault *fault)
{
    struct digest *d = (struct digest *)c;
    if (refuse(d, fault) < 0)
        return -1;
    d->final = 1;
    mbedtls_md_finish(&d->md, out);
    return 0;
}

struct wr_codec *wr_digest_copy(const struct wr_codec *c, struct wr_fault *fault)
{
    const struct digest *from = (const struct digest *)c;
    if (refuse(from, fault) < 0)
        return NULL;
    struct digest *d = make(from->alloc, from->info, fault);
    if (!d)
        return NULL;
    mbedtls_md_clone(&d->md, &from->md);
    return &d->head;
}

size_t wr_digest_size(const struct wr_codec *c)
{
    return mbedtls_md_get_size(((const struct digest *)c)->info);
}
