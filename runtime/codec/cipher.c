/* SPDX-License-Identifier: MIT */
/* AES in three modes over mbedTLS.
 *
 * mbedTLS's own generic cipher layer is not used: it allocates behind the door, knows gcm only in whole blocks, and its
 * cbc keeps blocks back in another way than OpenSSL does.
 *
 *     IDLE --the first byte, or the end: begin()--> RUNNING --the end: finish()--> OVER
 *
 * IDLE takes additional data; IDLE and RUNNING take the tag to compare and the padding; OVER gives the tag.
 */
#include <mbedtls/aes.h>
#include <string.h>
#include <strings.h>

#include "gcm.h"
#include "kdf.h"

#include "cipher.h"

enum { BLOCK = 16, IV_MOST = 128 };

enum kind { CBC, CTR, GCM };

enum state { IDLE, RUNNING, OVER };

static const struct row {
    const char *name;
    enum kind kind;
    size_t key_len;
} rows[] = {
    {"aes-128-cbc", CBC, 16},   {"aes-192-cbc", CBC, 24},   {"aes-256-cbc", CBC, 32},   {"aes-128-ctr", CTR, 16},
    {"aes-192-ctr", CTR, 24},   {"aes-256-ctr", CTR, 32},   {"aes-128-gcm", GCM, 16},   {"aes-192-gcm", GCM, 24},
    {"aes-256-gcm", GCM, 32},   {"aes128", CBC, 16},        {"aes192", CBC, 24},        {"aes256", CBC, 32},
    {"id-aes128-gcm", GCM, 16}, {"id-aes192-gcm", GCM, 24}, {"id-aes256-gcm", GCM, 32},
};

struct cipher {
    struct wr_codec head;
    struct wr_alloc *alloc;
    enum kind kind;
    enum state state;
    bool decrypt, padding, has_tag;
    union {
        mbedtls_aes_context aes;
        struct wr_gcm gcm;
    };
    unsigned char iv[IV_MOST]; /* cbc: the last block; ctr: the counter */
    size_t iv_len;
    unsigned char pad[BLOCK]; /* ctr: what is added to the block under way */
    size_t pad_at;
    unsigned char hold[BLOCK]; /* cbc: input that is no block yet, or is kept back */
    size_t hold_len;
    unsigned char stage[BLOCK]; /* cbc: output that had no room yet */
    size_t stage_at, stage_len;
    unsigned char tag[WR_CIPHER_TAG_MOST];
    size_t tag_len;
    unsigned char *aad;
    size_t aad_len, aad_cap;
};

static int refuse(struct wr_fault *fault, enum wr_code code)
{
    *fault = wr_error_fault(code);
    return -1;
}

static enum wr_step fail(struct cipher *c, enum wr_code code)
{
    c->head.fault = wr_error_fault(code);
    return WR_STEP_FAIL;
}

/* mbedTLS refused: too many bytes for one key and IV, or no memory. */
static struct wr_fault library_fault(int number)
{
    if (number == MBEDTLS_ERR_CIPHER_ALLOC_FAILED)
        return wr_error_fault(WR_E_NO_MEMORY);
    return (struct wr_fault){WR_DOMAIN_MBEDTLS, number, "ERR_CRYPTO_OPERATION_FAILED", "Cipher operation failed"};
}

static enum wr_step fail_in_library(struct cipher *c, int number)
{
    c->head.fault = library_fault(number);
    return WR_STEP_FAIL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void advance(struct wr_codec_io *io, size_t in, size_t out)
{
    if (in > 0)
        io->in += in;
    io->in_len -= in;
    if (out > 0)
        io->out += out;
    io->out_len -= out;
}

static int run_cbc(struct cipher *c, const unsigned char *in, size_t n, unsigned char *out)
{
    return mbedtls_aes_crypt_cbc(&c->aes, c->decrypt ? MBEDTLS_AES_DECRYPT : MBEDTLS_AES_ENCRYPT, n, c->iv, in, out);
}

static int run_stream(struct cipher *c, const unsigned char *in, size_t n, unsigned char *out)
{
    if (c->kind == GCM)
        return wr_gcm_update(&c->gcm, in, n, out);
    return mbedtls_aes_crypt_ctr(&c->aes, n, &c->pad_at, c->iv, c->pad, in, out);
}

/* Moves what is staged into the room. Returns whether the stage is empty. */
static bool drain(struct cipher *c, struct wr_codec_io *io)
{
    size_t n = least(c->stage_len - c->stage_at, io->out_len);
    if (n > 0) {
        memcpy(io->out, c->stage + c->stage_at, n);
        advance(io, 0, n);
        c->stage_at += n;
    }
    return c->stage_at == c->stage_len;
}

/* Takes input into the hold, up to a block. */
static void take(struct cipher *c, struct wr_codec_io *io)
{
    size_t n = least(BLOCK - c->hold_len, io->in_len);
    if (n == 0)
        return;
    memcpy(c->hold + c->hold_len, io->in, n);
    c->hold_len += n;
    advance(io, n, 0);
}

/* The block in the hold goes through the stage, for which there may be no room outside. */
static int push_hold(struct cipher *c)
{
    c->hold_len = 0;
    c->stage_at = 0;
    c->stage_len = BLOCK;
    return run_cbc(c, c->hold, BLOCK, c->stage);
}

/* cbc. Whole blocks go straight from input to output; what is over, or finds no room, goes through hold and stage. */
static enum wr_step blocks(struct cipher *c, struct wr_codec_io *io)
{
    size_t lag = c->decrypt && c->padding ? 1 : 0; /* a block is done when so many bytes come after it */
    for (;;) {
        if (c->hold_len > 0)
            take(c, io);
        size_t whole = io->in_len > lag ? (least(io->in_len - lag, io->out_len) & ~(size_t)(BLOCK - 1)) : 0;
        if (c->hold_len == BLOCK && io->in_len >= lag) {
            int r = push_hold(c);
            if (r != 0)
                return fail_in_library(c, r);
            if (!drain(c, io))
                return WR_STEP_FULL;
        } else if (c->hold_len > 0 || io->in_len == 0) {
            return WR_STEP_MORE;
        } else if (whole > 0) {
            int r = run_cbc(c, io->in, whole, io->out);
            if (r != 0)
                return fail_in_library(c, r);
            advance(io, whole, whole);
        } else {
            take(c, io);
        }
    }
}

/* ctr and gcm. */
static enum wr_step bytes(struct cipher *c, struct wr_codec_io *io)
{
    size_t n = least(io->in_len, io->out_len);
    int r = n > 0 ? run_stream(c, io->in, n, io->out) : 0;
    if (r != 0)
        return fail_in_library(c, r);
    advance(io, n, n);
    return io->in_len > 0 ? WR_STEP_FULL : WR_STEP_MORE;
}

/* The additional data is complete. */
static int begin(struct cipher *c)
{
    c->state = RUNNING;
    if (c->kind != GCM)
        return 0;
    int r = wr_gcm_start(&c->gcm, c->decrypt, c->iv, c->iv_len, c->aad, c->aad_len);
    wr_alloc_free(c->alloc, c->aad, c->aad_cap);
    c->aad = NULL;
    return r;
}

/* Takes the padding off the last block, looking at every byte whatever it finds. */
static enum wr_step strip(struct cipher *c)
{
    unsigned n = c->stage[BLOCK - 1];
    unsigned wrong = n == 0 || n > BLOCK;
    for (unsigned i = 0; i < BLOCK; i++)
        wrong |= (i < n) & (c->stage[BLOCK - 1 - i] != n);
    if (!wrong) {
        c->stage_len = BLOCK - n;
        return WR_STEP_MORE;
    }
    c->stage_len = 0;
    return fail(c, WR_E_CRYPTO_DECRYPT);
}

static enum wr_step finish_cbc(struct cipher *c)
{
    if (!c->padding)
        return c->hold_len == 0 ? WR_STEP_MORE : fail(c, WR_E_CRYPTO_BLOCK_LENGTH);
    if (!c->decrypt)
        memset(c->hold + c->hold_len, (int)(BLOCK - c->hold_len), BLOCK - c->hold_len);
    else if (c->hold_len != BLOCK)
        return fail(c, WR_E_CRYPTO_BLOCK_LENGTH);
    int r = push_hold(c);
    if (r != 0)
        return fail_in_library(c, r);
    return c->decrypt ? strip(c) : WR_STEP_MORE;
}

static enum wr_step finish_gcm(struct cipher *c)
{
    unsigned char tag[WR_GCM_TAG];
    int r = wr_gcm_finish(&c->gcm, tag);
    if (r != 0)
        return fail_in_library(c, r);
    if (c->decrypt)
        return c->has_tag && wr_kdf_equal(tag, c->tag, c->tag_len) ? WR_STEP_MORE : fail(c, WR_E_CRYPTO_AUTH);
    memcpy(c->tag, tag, c->tag_len);
    c->has_tag = true;
    return WR_STEP_MORE;
}

/* The end of the input: what is left to come out is in the stage. */
static enum wr_step finish(struct cipher *c)
{
    c->state = OVER;
    switch (c->kind) {
    case CBC:
        return finish_cbc(c);
    case GCM:
        return finish_gcm(c);
    default:
        return WR_STEP_MORE;
    }
}

static enum wr_step step(struct wr_codec *codec, struct wr_codec_io *io)
{
    struct cipher *c = (struct cipher *)codec;
    if (!drain(c, io))
        return WR_STEP_FULL;
    if (c->state == OVER)
        return io->in_len > 0 ? fail(c, WR_E_CRYPTO_STATE) : WR_STEP_DONE;
    if (c->state == IDLE && (io->in_len > 0 || io->flush == WR_FLUSH_FINISH)) {
        int r = begin(c);
        if (r != 0)
            return fail_in_library(c, r);
    }
    enum wr_step r = c->kind == CBC ? blocks(c, io) : bytes(c, io);
    if (r != WR_STEP_MORE || io->flush != WR_FLUSH_FINISH)
        return r;
    r = finish(c);
    if (r == WR_STEP_FAIL)
        return r;
    return drain(c, io) ? WR_STEP_DONE : WR_STEP_FULL;
}

static void destroy(struct wr_codec *codec)
{
    struct cipher *c = (struct cipher *)codec;
    struct wr_alloc *a = c->alloc;
    if (c->kind == GCM)
        wr_gcm_clear(&c->gcm);
    else
        mbedtls_aes_free(&c->aes);
    wr_alloc_free(a, c->aad, c->aad_cap);
    wr_kdf_wipe(c, sizeof *c);
    wr_alloc_free(a, c, sizeof *c);
}

static const struct wr_codec_ops ops = {.step = step, .free = destroy};

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcasecmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static bool tag_length_is_valid(size_t n)
{
    return n == 0 || n == 4 || n == 8 || (n >= 12 && n <= WR_CIPHER_TAG_MOST);
}

/* Everything is checked before any work. */
static int check(const struct row *row, const struct wr_cipher_params *p, struct wr_fault *fault)
{
    if (!row)
        return refuse(fault, WR_E_CRYPTO_CIPHER);
    if (p->key_len != row->key_len)
        return refuse(fault, WR_E_CRYPTO_KEYLEN);
    if (row->kind == GCM ? p->iv_len < 1 || p->iv_len > IV_MOST : p->iv_len != BLOCK)
        return refuse(fault, WR_E_CRYPTO_IV);
    if (row->kind == GCM && !tag_length_is_valid(p->tag_len))
        return refuse(fault, WR_E_CRYPTO_TAG);
    return 0;
}

static int set_key(struct cipher *c, const struct wr_cipher_params *p)
{
    if (c->kind == GCM)
        return wr_gcm_init(&c->gcm, p->key, p->key_len);
    mbedtls_aes_init(&c->aes);
    unsigned bits = (unsigned)p->key_len * 8;
    if (c->kind == CBC && c->decrypt)
        return mbedtls_aes_setkey_dec(&c->aes, p->key, bits);
    return mbedtls_aes_setkey_enc(&c->aes, p->key, bits);
}

struct wr_codec *wr_cipher_new(struct wr_alloc *a, const struct wr_cipher_params *p, struct wr_fault *fault)
{
    const struct row *row = find(p->name);
    if (check(row, p, fault) < 0)
        return NULL;
    struct cipher *c = wr_alloc_zero(a, sizeof *c);
    if (!c) {
        *fault = wr_error_fault(WR_E_NO_MEMORY);
        return NULL;
    }
    c->head.ops = &ops;
    c->alloc = a;
    c->kind = row->kind;
    c->decrypt = p->decrypt;
    c->padding = true;
    c->iv_len = p->iv_len;
    memcpy(c->iv, p->iv, p->iv_len);
    c->tag_len = p->tag_len ? p->tag_len : WR_CIPHER_TAG_MOST;
    int r = set_key(c, p);
    if (r != 0) {
        *fault = library_fault(r);
        destroy(&c->head);
        return NULL;
    }
    *fault = wr_error_fault(WR_E_OK);
    return &c->head;
}

int wr_cipher_set_padding(struct wr_codec *codec, bool on, struct wr_fault *fault)
{
    struct cipher *c = (struct cipher *)codec;
    if (c->state == OVER)
        return refuse(fault, WR_E_CRYPTO_STATE);
    c->padding = on;
    return 0;
}

int wr_cipher_set_aad(struct wr_codec *codec, const void *aad, size_t len, struct wr_fault *fault)
{
    struct cipher *c = (struct cipher *)codec;
    if (c->kind != GCM || c->state != IDLE)
        return refuse(fault, WR_E_CRYPTO_STATE);
    if (len > WR_CIPHER_AAD_MOST - c->aad_len)
        return refuse(fault, WR_E_OUT_OF_RANGE);
    if (len == 0)
        return 0;
    if (len > c->aad_cap - c->aad_len) {
        size_t cap = c->aad_len + len + c->aad_cap;
        unsigned char *room = wr_alloc_resize(c->alloc, c->aad, c->aad_cap, cap);
        if (!room)
            return refuse(fault, WR_E_NO_MEMORY);
        c->aad = room;
        c->aad_cap = cap;
    }
    memcpy(c->aad + c->aad_len, aad, len);
    c->aad_len += len;
    return 0;
}

int wr_cipher_set_tag(struct wr_codec *codec, const unsigned char *tag, size_t len, struct wr_fault *fault)
{
    struct cipher *c = (struct cipher *)codec;
    if (c->kind != GCM || !c->decrypt || c->has_tag || c->state == OVER)
        return refuse(fault, WR_E_CRYPTO_STATE);
    if (len != c->tag_len)
        return refuse(fault, WR_E_CRYPTO_TAG);
    memcpy(c->tag, tag, len);
    c->has_tag = true;
    return 0;
}

int wr_cipher_tag(const struct wr_codec *codec, unsigned char tag[WR_CIPHER_TAG_MOST], size_t *len,
                  struct wr_fault *fault)
{
    const struct cipher *c = (const struct cipher *)codec;
    if (c->kind != GCM || c->decrypt || !c->has_tag)
        return refuse(fault, WR_E_CRYPTO_STATE);
    memcpy(tag, c->tag, c->tag_len);
    *len = c->tag_len;
    return 0;
}
