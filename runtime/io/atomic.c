/* SPDX-License-Identifier: MIT */
/* Files that are replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atomic.h"

enum {
    LINKS_MAX = 40,
    TRIES_MAX = 100, /* names that may be taken */
    TAIL = 24,       /* ".weir-", 16 digits, and the end */
    NAME_KEPT = 200  /* bytes of the target's name in the other one */
};

void wr_atomic_init(struct wr_atomic *a, const struct wr_sys *sys, struct wr_alloc *alloc)
{
    *a = (struct wr_atomic){.sys = sys, .alloc = alloc};
}

static int failed(struct wr_atomic *a, int error, const char *syscall)
{
    a->syscall = syscall;
    return error;
}

static void free_text(struct wr_atomic *a, char **text)
{
    if (*text)
        wr_alloc_free(a->alloc, *text, strlen(*text) + 1);
    *text = NULL;
}

/* The first LEN bytes of HEAD, then TAIL. */
static char *joined(struct wr_atomic *a, const char *head, size_t len, const char *tail)
{
    size_t more = strlen(tail);
    char *text = wr_alloc_get(a->alloc, len + more + 1);
    if (!text)
        return NULL;
    memcpy(text, head, len);
    memcpy(text + len, tail, more + 1);
    return text;
}

/* Bytes of PATH before its last name. */
static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* ---- the target */

/* The target is a link: it is what that points to. */
static int follow(struct wr_atomic *a)
{
    char to[PATH_MAX];
    ssize_t n = a->sys->readlink(a->target, to, sizeof to - 1);
    if (n < 0)
        return failed(a, (int)n, "readlink");
    to[n] = '\0';
    char *path = joined(a, a->target, to[0] == '/' ? 0 : directory_length(a->target), to);
    if (!path)
        return -ENOMEM;
    free_text(a, &a->target);
    a->target = path;
    return 0;
}

static int resolve(struct wr_atomic *a, const char *path)
{
    a->target = joined(a, path, strlen(path), "");
    if (!a->target)
        return -ENOMEM;
    for (int links = 0; links < LINKS_MAX; links++) {
        int r = a->sys->lstat(a->target, &a->old);
        if (r == -ENOENT)
            return 0;
        if (r < 0)
            return r;
        if (S_ISDIR(a->old.st_mode))
            return -EISDIR;
        if (S_ISREG(a->old.st_mode)) {
            a->replaces = true;
            return 0;
        }
        if (!S_ISLNK(a->old.st_mode))
            return -EINVAL;
        r = follow(a);
        if (r < 0)
            return r;
    }
    return -ELOOP;
}

/* ---- the file beside it */

static uint64_t scramble(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* O_EXCL makes the name ours; it need not be hard to guess. */
static char *other_name(struct wr_atomic *a, int try)
{
    struct timespec now = {0, 0};
    a->sys->clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)getpid() << 44;
    size_t dir = directory_length(a->target), name = strlen(a->target) - dir;
    char tail[TAIL], end[NAME_KEPT + TAIL + 1];
    snprintf(tail, sizeof tail, ".weir-%016llx",
             (unsigned long long)scramble(seed + (uintptr_t)a + (uint64_t)try * 0x9e3779b97f4a7c15u));
    snprintf(end, sizeof end, ".%.*s%s", (int)(name < NAME_KEPT ? name : NAME_KEPT), a->target + dir, tail);
    return joined(a, a->target, dir, end);
}

static int create(struct wr_atomic *a, mode_t mode)
{
    int fd = -EEXIST;
    for (int try = 0; fd == -EEXIST && try < TRIES_MAX; try++) {
        free_text(a, &a->temp);
        a->temp = other_name(a, try);
        if (!a->temp)
            return -ENOMEM;
        fd = a->sys->open(a->temp, O_WRONLY | O_CREAT | O_EXCL, mode);
    }
    if (fd < 0)
        free_text(a, &a->temp);
    return fd;
}

int wr_atomic_open(struct wr_atomic *a, const char *path, mode_t mode)
{
    failed(a, 0, "open");
    int r = resolve(a, path);
    if (r < 0)
        return r;
    a->mode = mode;
    return create(a, a->replaces ? 0600 : mode);
}

/* ---- the end */

/* The owner as far as it is permitted, and then the mode, which a change of the owner may cut. */
static int inherit(struct wr_atomic *a, int fd)
{
    if (!a->replaces)
        return 0;
    int r = a->sys->fchown(fd, a->old.st_uid, a->old.st_gid);
    if (r < 0 && r != -EPERM && r != -EINVAL)
        return failed(a, r, "fchown");
    return failed(a, a->sys->fchmod(fd, a->old.st_mode & 07777), "fchmod");
}

static int sync_directory(struct wr_atomic *a)
{
    size_t len = directory_length(a->target);
    char *dir = len ? joined(a, a->target, len, "") : joined(a, ".", 1, "");
    if (!dir)
        return failed(a, -ENOMEM, "open");
    int fd = a->sys->open(dir, O_RDONLY | O_DIRECTORY, 0);
    free_text(a, &dir);
    if (fd < 0)
        return fd == -EACCES ? 0 : failed(a, fd, "open"); /* one may write into a directory that one may not read */
    int r = a->sys->fsync(fd);
    a->sys->close(fd);
    return r == -EINVAL ? 0 : failed(a, r, "fsync");
}

int wr_atomic_commit(struct wr_atomic *a, int fd)
{
    int r = inherit(a, fd);
    if (r >= 0)
        r = failed(a, a->sys->fsync(fd), "fsync");
    if (r >= 0)
        r = failed(a, a->sys->rename(a->temp, a->target), "rename");
    if (r < 0)
        return r;
    free_text(a, &a->temp);
    return sync_directory(a);
}

void wr_atomic_discard(struct wr_atomic *a)
{
    if (a->temp)
        a->sys->unlink(a->temp);
    free_text(a, &a->temp);
    free_text(a, &a->target);
}
