/* SPDX-License-Identifier: MIT */
/* Error values.
 *
 * A fault is a plain value, (domain, number) with a code and a text that live for ever: what a step of a codec or a
 * system call answers. An error is a counted object made of a fault where it enters a stream: the stream keeps it, hands
 * it to callbacks and listeners, and the host (Lua) may hang a value of its own on it, so that everybody sees the same
 * error object. Numbers of errno, zlib, mbedTLS and getaddrinfo overlap, hence the domain.
 *
 * Error objects are used on the loop's thread only.
 */
#ifndef WR_BASE_ERROR_H
#define WR_BASE_ERROR_H

#include <stdint.h>

#include "alloc.h"

enum wr_domain {
    WR_DOMAIN_WEIR,    /* number: enum wr_code */
    WR_DOMAIN_ERRNO,   /* number: errno */
    WR_DOMAIN_ZLIB,    /* number: Z_DATA_ERROR ... */
    WR_DOMAIN_MBEDTLS, /* number: mbedTLS's negative number */
    WR_DOMAIN_GAI,     /* number: getaddrinfo's EAI_... */
    WR_DOMAIN_HOST     /* made by the host: its value is in `host` */
};

/* Node's error codes that the core itself reports. X(name, code, message) */
#define WR_CODES(X)                                                                                                    \
    X(OK, "", "")                                                                                                      \
    X(NO_MEMORY, "ENOMEM", "out of memory")                                                                            \
    X(WRITE_AFTER_END, "ERR_STREAM_WRITE_AFTER_END", "write after end")                                                \
    X(DESTROYED, "ERR_STREAM_DESTROYED", "Cannot call a method after a stream was destroyed")                          \
    X(ALREADY_FINISHED, "ERR_STREAM_ALREADY_FINISHED", "Cannot call end after a stream was finished")                  \
    X(PUSH_AFTER_EOF, "ERR_STREAM_PUSH_AFTER_EOF", "stream.push() after EOF")                                          \
    X(UNSHIFT_AFTER_END, "ERR_STREAM_UNSHIFT_AFTER_END_EVENT", "stream.unshift() after end event")                     \
    X(PREMATURE_CLOSE, "ERR_STREAM_PREMATURE_CLOSE", "Premature close")                                                \
    X(NULL_VALUES, "ERR_STREAM_NULL_VALUES", "May not write nil values to stream")                                     \
    X(CANNOT_PIPE, "ERR_STREAM_CANNOT_PIPE", "Cannot pipe, not readable")                                              \
    X(MULTIPLE_CALLBACK, "ERR_MULTIPLE_CALLBACK", "Callback called multiple times")                                    \
    X(NOT_IMPLEMENTED, "ERR_METHOD_NOT_IMPLEMENTED", "The method is not implemented")                                  \
    X(INVALID_ARG_TYPE, "ERR_INVALID_ARG_TYPE", "The \"chunk\" argument must be of type string")                       \
    X(INVALID_ARG_VALUE, "ERR_INVALID_ARG_VALUE", "The argument has a wrong value")                                    \
    X(OUT_OF_RANGE, "ERR_OUT_OF_RANGE", "The value is out of range")                                                   \
    X(INVALID_STATE, "ERR_INVALID_STATE", "Invalid state")                                                             \
    X(BUFFER_TOO_LARGE, "ERR_BUFFER_TOO_LARGE", "Cannot create a larger output than maxOutputLength")                  \
    X(NESTING, "ERR_STREAM_NESTING", "Streams call one another too deeply")                                            \
    X(LINE_TOO_LONG, "ERR_LINE_TOO_LONG", "Line too long")                                                             \
    X(FRAME_TOO_LARGE, "ERR_FRAME_TOO_LARGE", "Frame too large")                                                       \
    X(TRAILING_DATA, "ERR_TRAILING_DATA", "Trailing data after the end of the compressed stream")                      \
    X(RATIO, "ERR_COMPRESSION_RATIO", "The compressed data expands beyond the permitted ratio")                        \
    X(CRYPTO_KEYLEN, "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")                                                \
    X(CRYPTO_IV, "ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")                                             \
    X(CRYPTO_CIPHER, "ERR_CRYPTO_UNKNOWN_CIPHER", "Unknown cipher")                                                    \
    X(CRYPTO_DIGEST, "ERR_CRYPTO_INVALID_DIGEST", "Invalid digest")                                                    \
    X(CRYPTO_STATE, "ERR_CRYPTO_INVALID_STATE", "Invalid state for this operation")                                    \
    X(CRYPTO_TAG, "ERR_CRYPTO_INVALID_AUTH_TAG", "Invalid authentication tag")                                         \
    X(CRYPTO_AUTH, "ERR_CRYPTO_AUTHENTICATION", "Unsupported state or unable to authenticate data")                    \
    X(CRYPTO_FINALIZED, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called")                                          \
    X(CRYPTO_SCRYPT, "ERR_CRYPTO_INVALID_SCRYPT_PARAMS", "Invalid scrypt params")                                      \
    X(CRYPTO_DECRYPT, "ERR_OSSL_BAD_DECRYPT", "bad decrypt")                                                           \
    X(CRYPTO_BLOCK_LENGTH, "ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH", "wrong final block length")                            \
    X(ABORTED, "ABORT_ERR", "The operation was aborted")

enum wr_code {
#define X(name, code, message) WR_E_##name,
    WR_CODES(X)
#undef X
};

/* What went wrong, as a value. CODE and TEXT live for ever (literals, or tables of a library). */
struct wr_fault {
    enum wr_domain domain;
    int number;
    const char *code; /* "EPIPE", "Z_DATA_ERROR", ... */
    const char *text;
};

/* Sides of a stream, as bits. */
enum { WR_SIDE_READABLE = 1, WR_SIDE_WRITABLE = 2 };

struct wr_error {
    uint32_t refs;
    struct wr_fault fault;
    struct wr_error *cause;           /* counted, or NULL */
    void (*drop)(struct wr_error *e); /* the host's, called when the last reference goes; NULL: none */
    void *host_user;
    intptr_t host; /* the host's handle of its own value; 0: none yet */
    struct wr_alloc *alloc;
    uint32_t origin;     /* the number of the stream that failed with it first, or closed too early; 0: none yet */
    uint32_t unfinished; /* of a stream that closed too early: the sides that were not done */
};

/* The fault of one of our own codes. */
struct wr_fault wr_error_fault(enum wr_code code);

/* The fault of an errno number, its code the symbol ("ENOENT"). */
struct wr_fault wr_error_errno(int number);

/* A new error with one reference, the caller's. Never NULL: without memory it is a static out-of-memory error, which
 * counts references like any other and is never freed. */
struct wr_error *wr_error_new(struct wr_alloc *a, struct wr_fault fault);

/* One more reference; E may be NULL. Returns E. */
struct wr_error *wr_error_ref(struct wr_error *e);

/* One reference less; the last frees it. NULL does nothing. */
void wr_error_unref(struct wr_error *e);

/* Is E (or NULL) the error of our own code CODE? */
int wr_error_is(const struct wr_error *e, enum wr_code code);

#endif
