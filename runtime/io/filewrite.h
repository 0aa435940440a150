/* SPDX-License-Identifier: MIT */
/* A descriptor, or the file at a path, as the writable side of a stream. */
#ifndef WR_IO_FILEWRITE_H
#define WR_IO_FILEWRITE_H

#include "atomic.h"
#include "file.h"

struct wr_filewrite {
    struct wr_file file;
    struct wr_atomic whole;  /* in use where `atomic` */
    bool atomic, flush;      /* flush: fsync before it is closed */
    off_t at;                /* where the next byte goes; -1: where the descriptor stands */
    uint64_t bytes;          /* that were written */
    struct wr_queue waiting; /* slices that no job has */
    struct wr_queue batch;   /* those that one has, or that wait for the descriptor */
    size_t offset;           /* of the batch's first slice, what is written */
    uint64_t wrote;          /* by the job */
    bool answered;           /* the chunks that came last were, though they may still be here */
    bool piped;              /* they came through a pipe, and nobody waits for their callbacks */
    bool direct;             /* the process ends: all is written at once */
    bool ending;             /* the handler `final` waits */
};

struct wr_filewrite_options {
    const char *path; /* copied; NULL: a descriptor is given */
    int fd;           /* -1: none */
    int flags;        /* of open(2) */
    mode_t mode;
    int64_t start; /* the first byte; -1: where the descriptor stands */
    bool flush, atomic;
};

/* Readies W (cleared) as wr_file_init does. */
int wr_filewrite_init(struct wr_filewrite *w, struct wr_stream *s, const struct wr_file_host *host,
                      const struct wr_filewrite_options *o);

/* Gives back what W holds. */
void wr_filewrite_clear(struct wr_filewrite *w);

/* For the handlers of the stream. */
void wr_filewrite_construct(struct wr_filewrite *w);
void wr_filewrite_write(struct wr_filewrite *w, uint32_t n);
void wr_filewrite_final(struct wr_filewrite *w);
void wr_filewrite_destroy(struct wr_filewrite *w, struct wr_error *err);

/* Writes all that the stream holds, blocking, and from now on whatever comes: for a process that is about to end. An error ends it
 * silently. */
void wr_filewrite_drain(struct wr_filewrite *w);

#endif
