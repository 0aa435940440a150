/* SPDX-License-Identifier: MIT */
/* A file that comes into being whole or not at all: written beside its target under another name, synced, and renamed
 * over it.
 *
 * The target's directory always shows the old file or the new one, also after a crash. A target that exists keeps its
 * mode, and its owner where that is permitted; links are followed, so that the file is replaced and not the link. What
 * does not stay: other hard links of the old file (they keep the old content), ACLs and extended attributes.
 *
 * The other name has a dot in front and is open to nobody else until the end. O_TMPFILE was rejected: to be renamed over
 * a file it needs a name first all the same, and not every file system has it.
 *
 * Everything here may block: for the worker pool.
 */
#ifndef WR_IO_ATOMIC_H
#define WR_IO_ATOMIC_H

#include <stdbool.h>

#include "alloc.h"
#include "sys.h"

struct wr_atomic {
    const struct wr_sys *sys;
    struct wr_alloc *alloc;
    char *target; /* links followed */
    char *temp;   /* NULL: there is none to be removed */
    bool replaces;
    struct stat old;     /* of the target that is replaced */
    mode_t mode;         /* of a new one */
    const char *syscall; /* that has failed */
};

/* No file yet. */
void wr_atomic_init(struct wr_atomic *a, const struct wr_sys *sys, struct wr_alloc *alloc);

/* Makes the file that will become PATH, with MODE (and the umask) if there is none of that name yet. Its descriptor, for
 * writing, which is the caller's to close; or a negative errno number. */
int wr_atomic_open(struct wr_atomic *a, const char *path, mode_t mode);

/* All is written to FD: syncs it, gives it its mode and its name. 0, or a negative errno number, and then the target is
 * what it was (save where the sync of the directory alone has failed). */
int wr_atomic_commit(struct wr_atomic *a, int fd);

/* Removes the file if it was not committed, and frees what A holds. May be called twice. */
void wr_atomic_discard(struct wr_atomic *a);

#endif
