/* SPDX-License-Identifier: MIT */
/* Keys and secrets. scrypt is libsodium's (mbedTLS has none); the checks are OpenSSL's, so that what Node refuses is
 * refused, with the same limit of memory.
 */
#include <errno.h>
#include <sodium.h>
#include <sys/random.h>

#include "kdf.h"

static const struct wr_kdf_scrypt defaults = {.n = 16384, .r = 8, .p = 1, .maxmem = 32u << 20};

static int invalid(struct wr_fault *fault, const char *text)
{
    *fault = wr_error_fault(WR_E_CRYPTO_SCRYPT);
    if (text)
        fault->text = text;
    return -1;
}

/* P with its zeros replaced by the defaults. */
static struct wr_kdf_scrypt fill(const struct wr_kdf_scrypt *p)
{
    return (struct wr_kdf_scrypt){
        .n = p->n ? p->n : defaults.n,
        .r = p->r ? p->r : defaults.r,
        .p = p->p ? p->p : defaults.p,
        .maxmem = p->maxmem ? p->maxmem : defaults.maxmem,
    };
}

/* Is 128 * r * (n + 2 + p) more than the limit? Divided, since the product may not fit. */
static bool over_memory(const struct wr_kdf_scrypt *p)
{
    uint64_t blocks = p->maxmem / (128 * (uint64_t)p->r);
    return p->n > blocks || 2 + (uint64_t)p->p > blocks - p->n;
}

struct wr_kdf_scrypt wr_kdf_scrypt_defaults(void)
{
    return defaults;
}

int wr_kdf_scrypt_check(const struct wr_kdf_scrypt *params, struct wr_fault *fault)
{
    struct wr_kdf_scrypt p = fill(params);
    if (p.n < 2 || (p.n & (p.n - 1)) != 0)
        return invalid(fault, NULL);
    bool wide = (uint64_t)p.p * p.r >= 1u << 30;
    bool deep = p.r < 4 && p.n >= UINT64_C(1) << 16 * p.r; /* n < 2^(128 * r / 8) */
    if (wide || deep || p.n > UINT32_MAX || over_memory(&p))
        return invalid(fault, "Invalid scrypt params: memory limit exceeded");
    return 0;
}

int wr_kdf_scrypt(const struct wr_kdf_scrypt *params, const void *password, size_t password_len, const void *salt,
                  size_t salt_len, void *out, size_t out_len, struct wr_fault *fault)
{
    if (wr_kdf_scrypt_check(params, fault) < 0)
        return -1;
    if (out_len > INT32_MAX) {
        *fault = wr_error_fault(WR_E_OUT_OF_RANGE);
        return -1;
    }
    if (out_len == 0)
        return 0;
    if (sodium_init() < 0) { /* it finds out what the processor can; more than once is no harm */
        *fault = wr_error_errno(EIO);
        return -1;
    }
    struct wr_kdf_scrypt p = fill(params);
    int r = crypto_pwhash_scryptsalsa208sha256_ll(password_len ? password : "", password_len,
                                                  salt_len ? salt : (void *)"", salt_len, p.n, p.r, p.p, out, out_len);
    if (r == 0)
        return 0;
    *fault = errno == ENOMEM ? wr_error_fault(WR_E_NO_MEMORY) : wr_error_fault(WR_E_CRYPTO_SCRYPT);
    return -1;
}

int wr_kdf_random(void *out, size_t len, struct wr_fault *fault)
{
    unsigned char *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *fault = wr_error_errno(errno);
            return -1;
        }
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

bool wr_kdf_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void wr_kdf_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}
