/* SPDX-License-Identifier: MIT */
/* Each operation ends at its first failure, with the system call that failed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "atomic.h"

#include "fsop.h"

enum { LEAST = 4096, PIECE = 1 << 20 };

static int failed(struct wr_fsop *op, int rc, const char *syscall)
{
    op->result = rc < 0 ? rc : 0;
    if (rc < 0)
        op->syscall = syscall;
    return rc < 0 ? -1 : 0;
}

static int grow(struct wr_fsop *op, size_t cap)
{
    char *out = wr_alloc_resize(op->alloc, op->out, op->out_cap, cap);
    if (!out)
        return failed(op, -ENOMEM, "read");
    op->out = out;
    op->out_cap = cap;
    return 0;
}

/* ---- reading */

static int too_large(struct wr_fsop *op)
{
    op->too_large = true;
    return failed(op, -EFBIG, "read");
}

/* Room for what is still to come: one byte more than the file is said to have, so that its end is seen at once. */
static int make_room(struct wr_fsop *op)
{
    if (op->out_len < op->out_cap)
        return 0;
    uint64_t cap = op->out_cap ? (uint64_t)op->out_cap * 2 : LEAST;
    if (!op->out_cap && op->st.st_size > 0)
        cap = (uint64_t)op->st.st_size + 1;
    if (cap > op->limit + 1)
        cap = op->limit + 1;
    return cap <= op->out_cap ? too_large(op) : grow(op, (size_t)cap);
}

static int read_all(struct wr_fsop *op, int fd)
{
    if (failed(op, op->sys->fstat(fd, &op->st), "fstat"))
        return -1;
    if (S_ISREG(op->st.st_mode) && (uint64_t)op->st.st_size > op->limit)
        return too_large(op);
    for (;;) {
        if (make_room(op))
            return -1;
        size_t room = op->out_cap - op->out_len;
        ssize_t n = op->sys->read(fd, op->out + op->out_len, room < PIECE ? room : PIECE);
        if (n < 0)
            return failed(op, (int)n, "read");
        op->out_len += (size_t)n;
        if (op->out_len > op->limit)
            return too_large(op);
        if (n == 0)
            return 0;
    }
}

static void run_read(struct wr_fsop *op)
{
    int fd = op->sys->open(op->path, op->flags, op->mode);
    if (failed(op, fd, "open"))
        return;
    read_all(op, fd);
    op->sys->close(fd);
}

/* ---- writing */

static int write_all(struct wr_fsop *op, int fd)
{
    const char *at = op->data;
    for (size_t left = op->len; left;) {
        ssize_t n = op->sys->write(fd, at, left);
        if (n <= 0)
            return failed(op, n ? (int)n : -EIO, "write");
        at += n;
        left -= (size_t)n;
    }
    return 0;
}

static void run_atomic(struct wr_fsop *op)
{
    struct wr_atomic a;
    wr_atomic_init(&a, op->sys, op->alloc);
    int fd = wr_atomic_open(&a, op->path, op->mode);
    if (!failed(op, fd, a.syscall ? a.syscall : "open")) {
        if (!write_all(op, fd))
            failed(op, wr_atomic_commit(&a, fd), a.syscall ? a.syscall : "rename");
        op->sys->close(fd);
    }
    wr_atomic_discard(&a);
}

static void run_write(struct wr_fsop *op)
{
    if (op->atomic) {
        run_atomic(op);
        return;
    }
    int fd = op->sys->open(op->path, op->flags, op->mode);
    if (failed(op, fd, "open"))
        return;
    if (!write_all(op, fd) && op->flush)
        failed(op, op->sys->fsync(fd), "fsync");
    int rc = op->sys->close(fd);
    if (op->result == 0)
        failed(op, rc, "close");
}

/* ---- directories */

/* Remembers PATH as the first that was made. */
static int remember(struct wr_fsop *op, const char *path)
{
    size_t size = strlen(path) + 1;
    if (op->out)
        return 0;
    if (grow(op, size))
        return -1;
    memcpy(op->out, path, size);
    op->out_len = size - 1;
    return 0;
}

static int is_directory(struct wr_fsop *op, const char *path)
{
    struct stat st;
    return op->sys->stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_one(struct wr_fsop *op, const char *path)
{
    int rc = op->sys->mkdir(path, op->mode);
    if (rc == -EEXIST && is_directory(op, path))
        return 0;
    return rc < 0 ? failed(op, rc, "mkdir") : remember(op, path);
}

static void run_mkdir(struct wr_fsop *op)
{
    char path[PATH_MAX];
    size_t len = strlen(op->path);
    if (!op->recursive) {
        failed(op, op->sys->mkdir(op->path, op->mode), "mkdir");
        return;
    }
    if (len == 0 || len >= sizeof path) {
        failed(op, len ? -ENAMETOOLONG : -ENOENT, "mkdir");
        return;
    }
    memcpy(path, op->path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/' || path[i - 1] == '/')
            continue;
        path[i] = '\0';
        if (make_one(op, path))
            return;
        path[i] = '/';
    }
    make_one(op, path);
}

static int add_name(struct wr_fsop *op, const char *name)
{
    size_t size = strlen(name) + 1;
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return 0;
    if (op->out_len + size > op->out_cap && grow(op, 2 * op->out_cap + size + LEAST))
        return -1;
    memcpy(op->out + op->out_len, name, size);
    op->out_len += size;
    return 0;
}

static void run_readdir(struct wr_fsop *op)
{
    DIR *dir = NULL;
    struct dirent *entry = NULL;
    if (failed(op, op->sys->opendir(op->path, &dir), "scandir"))
        return;
    int rc;
    while (!(rc = failed(op, op->sys->readdir(dir, &entry), "scandir")) && entry)
        if (add_name(op, entry->d_name))
            break;
    op->sys->closedir(dir);
}

/* ---- */

void wr_fsop_run(struct wr_fsop *op)
{
    const struct wr_sys *sys = op->sys;
    switch (op->kind) {
    case WR_FSOP_READ:
        run_read(op);
        break;
    case WR_FSOP_WRITE:
        run_write(op);
        break;
    case WR_FSOP_STAT:
        failed(op, sys->stat(op->path, &op->st), "stat");
        break;
    case WR_FSOP_LSTAT:
        failed(op, sys->lstat(op->path, &op->st), "lstat");
        break;
    case WR_FSOP_UNLINK:
        failed(op, sys->unlink(op->path), "unlink");
        break;
    case WR_FSOP_RENAME:
        failed(op, sys->rename(op->path, op->to), "rename");
        break;
    case WR_FSOP_MKDIR:
        run_mkdir(op);
        break;
    case WR_FSOP_RMDIR:
        failed(op, sys->rmdir(op->path), "rmdir");
        break;
    case WR_FSOP_READDIR:
        run_readdir(op);
        break;
    case WR_FSOP_COUNT:
        break;
    }
}

void wr_fsop_clear(struct wr_fsop *op)
{
    wr_alloc_free(op->alloc, op->out, op->out_cap);
    op->out = NULL;
    op->out_len = op->out_cap = 0;
}
