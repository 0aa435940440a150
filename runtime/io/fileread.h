/* SPDX-License-Identifier: MIT */
/* A descriptor, or the file at a path, as the readable side of a stream. */
#ifndef WR_IO_FILEREAD_H
#define WR_IO_FILEREAD_H

#include "file.h"
#include "immediate.h"

struct wr_fileread {
    struct wr_file file;
    off_t at;               /* where the next read begins; -1: where the descriptor stands */
    int64_t left;           /* bytes that may still be read; -1: all */
    uint64_t bytes;         /* that were read */
    uint32_t size;          /* of one read */
    struct wr_buffer *room; /* to read into, or NULL */
    size_t want, filled;    /* of it: to be read, read already */
    ssize_t got;
    uint32_t in_a_row;        /* reads on the loop's thread since anybody else had a turn */
    struct wr_immediate turn; /* waits until they had one */
    bool turning;
    bool asked;            /* the handler `read` was not answered yet */
    struct wr_watch watch; /* of one that is kept, and polled: while it is paused, it is not waited for */
    bool watching;
    bool forced; /* read although it is paused */
};

/* Readies R (cleared) as wr_file_init does. START: the first byte, -1: where the descriptor stands. LAST: the last byte
 * (counted from where it stands, without START), -1: all there is. SIZE: of one read. */
int wr_fileread_init(struct wr_fileread *r, struct wr_stream *s, const struct wr_file_host *host, const char *path,
                     int fd, int flags, int64_t start, int64_t last, uint32_t size);

/* Gives back what R holds. */
void wr_fileread_clear(struct wr_fileread *r);

/* As wr_file_stop. */
void wr_fileread_stop(struct wr_fileread *r);

/* For the handlers of the stream. */
void wr_fileread_construct(struct wr_fileread *r);
void wr_fileread_read(struct wr_fileread *r);
void wr_fileread_destroy(struct wr_fileread *r, struct wr_error *err);

/* Somebody reads R although it is paused: what it was asked for is waited for again. */
void wr_fileread_again(struct wr_fileread *r);

#endif
