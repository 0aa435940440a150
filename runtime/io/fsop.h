/* SPDX-License-Identifier: MIT */
/* What is done to a file by its name, in one piece: read, write, stat and the like. All of it blocks, and touches nothing but the
 * struct: for the worker pool, or for whoever does not mind. */
#ifndef WR_IO_FSOP_H
#define WR_IO_FSOP_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"
#include "sys.h"

enum wr_fsop_kind {
    WR_FSOP_READ,
    WR_FSOP_WRITE,
    WR_FSOP_STAT,
    WR_FSOP_LSTAT,
    WR_FSOP_UNLINK,
    WR_FSOP_RENAME,
    WR_FSOP_MKDIR,
    WR_FSOP_RMDIR,
    WR_FSOP_READDIR,
    WR_FSOP_COUNT
};

struct wr_fsop {
    const struct wr_sys *sys;
    struct wr_alloc *alloc;
    enum wr_fsop_kind kind;
    const char *path, *to; /* borrowed; to: of rename */
    const void *data;      /* WRITE: borrowed */
    size_t len;
    int flags; /* of open(2) */
    mode_t mode;
    bool recursive;     /* MKDIR */
    bool atomic, flush; /* WRITE */
    uint64_t limit;     /* READ: more is an error */

    int result;          /* 0, or a negative errno number */
    bool too_large;      /* READ: it is over the limit (the result is -EFBIG) */
    const char *syscall; /* that failed */
    struct stat st;
    char *out; /* READ: the bytes; READDIR: the names, each ended by a zero; MKDIR: the first directory made, or NULL */
    size_t out_len, out_cap;
};

/* Does it. */
void wr_fsop_run(struct wr_fsop *op);

/* Frees what came out. */
void wr_fsop_clear(struct wr_fsop *op);

#endif
