/* SPDX-License-Identifier: MIT */
/* Error values: our own codes, errno's symbols and texts, and the counted error object.
 *
 * The texts of errno are a table and not strerror's: they are the ones that Node prints, they do not follow the locale,
 * and they live for ever.
 *
 * There is one writable global in weir, and it is here: the error that wr_error_new answers when there is no memory for
 * a real one. It is counted like any other, atomically since two runtimes may meet in it, and forgets what the host hung
 * on it when its last reference goes.
 */
#include <errno.h>
#include <stddef.h>

#include "error.h"

/* X(symbol, text) */
#define ERRNOS(X)                                                                                                      \
    X(E2BIG, "argument list too long")                                                                                 \
    X(EACCES, "permission denied")                                                                                     \
    X(EADDRINUSE, "address already in use")                                                                            \
    X(EADDRNOTAVAIL, "address not available")                                                                          \
    X(EAFNOSUPPORT, "address family not supported")                                                                    \
    X(EAGAIN, "resource temporarily unavailable")                                                                      \
    X(EALREADY, "connection already in progress")                                                                      \
    X(EBADF, "bad file descriptor")                                                                                    \
    X(EBUSY, "resource busy or locked")                                                                                \
    X(ECANCELED, "operation canceled")                                                                                 \
    X(ECHILD, "no child processes")                                                                                    \
    X(ECONNABORTED, "software caused connection abort")                                                                \
    X(ECONNREFUSED, "connection refused")                                                                              \
    X(ECONNRESET, "connection reset by peer")                                                                          \
    X(EDEADLK, "resource deadlock avoided")                                                                            \
    X(EDESTADDRREQ, "destination address required")                                                                    \
    X(EDOM, "argument out of domain")                                                                                  \
    X(EDQUOT, "disk quota exceeded")                                                                                   \
    X(EEXIST, "file already exists")                                                                                   \
    X(EFAULT, "bad address in system call argument")                                                                   \
    X(EFBIG, "file too large")                                                                                         \
    X(EHOSTUNREACH, "host is unreachable")                                                                             \
    X(EILSEQ, "illegal byte sequence")                                                                                 \
    X(EINPROGRESS, "operation in progress")                                                                            \
    X(EINTR, "interrupted system call")                                                                                \
    X(EINVAL, "invalid argument")                                                                                      \
    X(EIO, "i/o error")                                                                                                \
    X(EISCONN, "socket is already connected")                                                                          \
    X(EISDIR, "illegal operation on a directory")                                                                      \
    X(ELOOP, "too many symbolic links encountered")                                                                    \
    X(EMFILE, "too many open files")                                                                                   \
    X(EMLINK, "too many links")                                                                                        \
    X(EMSGSIZE, "message too long")                                                                                    \
    X(ENAMETOOLONG, "name too long")                                                                                   \
    X(ENETDOWN, "network is down")                                                                                     \
    X(ENETRESET, "connection aborted by network")                                                                      \
    X(ENETUNREACH, "network is unreachable")                                                                           \
    X(ENFILE, "file table overflow")                                                                                   \
    X(ENOBUFS, "no buffer space available")                                                                            \
    X(ENODEV, "no such device")                                                                                        \
    X(ENOENT, "no such file or directory")                                                                             \
    X(ENOEXEC, "exec format error")                                                                                    \
    X(ENOLCK, "no locks available")                                                                                    \
    X(ENOMEM, "not enough memory")                                                                                     \
    X(ENOPROTOOPT, "protocol not available")                                                                           \
    X(ENOSPC, "no space left on device")                                                                               \
    X(ENOSYS, "function not implemented")                                                                              \
    X(ENOTBLK, "block device required")                                                                                \
    X(ENOTCONN, "socket is not connected")                                                                             \
    X(ENOTDIR, "not a directory")                                                                                      \
    X(ENOTEMPTY, "directory not empty")                                                                                \
    X(ENOTSOCK, "socket operation on non-socket")                                                                      \
    X(ENOTSUP, "operation not supported on socket")                                                                    \
    X(ENOTTY, "inappropriate ioctl for device")                                                                        \
    X(ENXIO, "no such device or address")                                                                              \
    X(EOVERFLOW, "value too large for defined data type")                                                              \
    X(EPERM, "operation not permitted")                                                                                \
    X(EPIPE, "broken pipe")                                                                                            \
    X(EPROTO, "protocol error")                                                                                        \
    X(EPROTONOSUPPORT, "protocol not supported")                                                                       \
    X(EPROTOTYPE, "protocol wrong type for socket")                                                                    \
    X(ERANGE, "result too large")                                                                                      \
    X(EROFS, "read-only file system")                                                                                  \
    X(ESPIPE, "invalid seek")                                                                                          \
    X(ESRCH, "no such process")                                                                                        \
    X(ESTALE, "stale file handle")                                                                                     \
    X(ETIMEDOUT, "connection timed out")                                                                               \
    X(ETXTBSY, "text file is busy")                                                                                    \
    X(EXDEV, "cross-device link not permitted")

/* The symbols that not every Unix has. */
#ifdef __linux__
#define MORE_ERRNOS(X)                                                                                                 \
    X(EHOSTDOWN, "host is down")                                                                                       \
    X(ENODATA, "no data available")                                                                                    \
    X(ENOMEDIUM, "no medium found")                                                                                    \
    X(ENONET, "machine is not on the network")                                                                         \
    X(EREMOTEIO, "remote I/O error")                                                                                   \
    X(ESHUTDOWN, "cannot send after transport endpoint shutdown")                                                      \
    X(ESOCKTNOSUPPORT, "socket type not supported")                                                                    \
    X(EUNATCH, "protocol driver not attached")
#else
#define MORE_ERRNOS(X)
#endif

struct row {
    int number;
    const char *code, *text;
};

static const struct row errnos[] = {
#define X(symbol, words) {symbol, #symbol, words},
    ERRNOS(X) MORE_ERRNOS(X)
#undef X
};

static const struct row codes[] = {
#define X(name, symbol, words) {WR_E_##name, symbol, words},
    WR_CODES(X)
#undef X
};

static struct wr_error no_memory = {
    .fault = {WR_DOMAIN_WEIR, WR_E_NO_MEMORY, "ENOMEM", "out of memory"},
};

/* The error without memory of its own loses its last reference: nothing of this use may be seen by the next. */
static void forget(struct wr_error *e)
{
    if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    struct wr_error *cause = e->cause;
    if (e->drop)
        e->drop(e);
    e->cause = NULL;
    e->drop = NULL;
    e->host_user = NULL;
    e->host = 0;
    wr_error_unref(cause);
}

struct wr_fault wr_error_fault(enum wr_code code)
{
    const struct row *r = &codes[code];
    return (struct wr_fault){WR_DOMAIN_WEIR, r->number, r->code, r->text};
}

struct wr_fault wr_error_errno(int number)
{
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
        if (errnos[i].number == number)
            return (struct wr_fault){WR_DOMAIN_ERRNO, number, errnos[i].code, errnos[i].text};
    return (struct wr_fault){WR_DOMAIN_ERRNO, number, "UNKNOWN", "unknown error"};
}

struct wr_error *wr_error_new(struct wr_alloc *a, struct wr_fault fault)
{
    struct wr_error *e = wr_alloc_zero(a, sizeof *e);
    if (!e)
        return wr_error_ref(&no_memory);
    e->refs = 1;
    e->fault = fault;
    e->alloc = a;
    return e;
}

struct wr_error *wr_error_ref(struct wr_error *e)
{
    if (!e)
        return NULL;
    if (e->alloc)
        e->refs++;
    else
        __atomic_add_fetch(&e->refs, 1, __ATOMIC_ACQ_REL);
    return e;
}

void wr_error_unref(struct wr_error *e)
{
    /* A chain of causes is walked, not recursed into: its length is the user's. */
    while (e) {
        if (!e->alloc) {
            forget(e);
            return;
        }
        if (--e->refs > 0)
            return;
        struct wr_error *cause = e->cause;
        if (e->drop)
            e->drop(e);
        wr_alloc_free(e->alloc, e, sizeof *e);
        e = cause;
    }
}

int wr_error_is(const struct wr_error *e, enum wr_code code)
{
    return e && e->fault.domain == WR_DOMAIN_WEIR && e->fault.number == (int)code;
}
