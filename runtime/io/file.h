/* SPDX-License-Identifier: MIT */
/* What streams over a descriptor share: how it is opened, how it waits, how it is closed.
 *
 * A descriptor is served in one of two ways. What always is ready (regular files, devices) goes to the worker pool, one job at
 * a time; its descriptor may be given to a job only. What may have to wait for somebody else (pipes, sockets, terminals) is
 * tried on the loop's thread without blocking, and waited for by a watcher. One that we opened ourselves is made non-blocking;
 * one that was given is shared with other processes, who would be surprised, so each call on it asks not to block.
 *
 * The owner of an operation that is out finishes it, also after destroy: destroy waits for the job, then closes.
 */
#ifndef WR_IO_FILE_H
#define WR_IO_FILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io.h"
#include "pool.h"
#include "stream.h"
#include "timer.h"

struct wr_file;

/* What a file asks of its host. */
struct wr_file_host {
    struct wr_loop *loop;
    struct wr_pool *pool;
    const struct wr_sys *sys;
    const bool *closing; /* set when the host is being closed: nothing is reported then */
    /* The error for NUMBER (errno) of the call SYSCALL on PATH (NULL: none), counted; NULL: an error with the fault alone. */
    struct wr_error *(*error)(struct wr_file *f, int number, const char *syscall, const char *path);
    void (*opened)(struct wr_file *f); /* F's descriptor is there; may be NULL */
};

struct wr_file {
    struct wr_stream *s;
    const struct wr_file_host *host;
    char *path; /* NULL: none */
    int fd;     /* -1: none */
    int flags;
    mode_t mode;
    bool regular;  /* of those that always are ready, one that preadv2 may be tried on */
    bool polled;   /* waits by the watcher */
    bool blocking; /* a shared descriptor: calls say that they may not block */
    bool socket;
    bool keep;  /* never closed: it is the process's own */
    bool unmet; /* a FIFO that we opened, at whose other end perhaps nobody has been yet */

    struct wr_job job;
    void (*work)(struct wr_file *f);  /* on the pool */
    void (*after)(struct wr_file *f); /* on the loop's thread */
    bool out;
    bool settled; /* the job was waited for: its `done` has nothing to do */
    _Atomic bool worked;
    int result;          /* of the job: 0, or a negative errno number */
    const char *syscall; /* that it is about */

    struct wr_io io;
    void (*ready)(struct wr_file *f);
    struct wr_timer timer; /* a FIFO without a reader is tried again */

    bool doomed; /* destroy waits for the job */
    bool closed;
    struct wr_error *reason;                 /* of destroy, counted */
    void (*abandoned)(struct wr_file *f);    /* the job is over that destroy waited for; may be NULL */
    void (*before_close)(struct wr_file *f); /* on the pool, before the descriptor is closed; may be NULL */
};

/* Readies F (cleared) for S. PATH is copied; NULL with a descriptor FD that is given. 0, or -1 for no memory. */
int wr_file_init(struct wr_file *f, struct wr_stream *s, const struct wr_file_host *host, const char *path, int fd,
                 int flags, mode_t mode);

/* Gives back what F holds; a descriptor that is still open is closed, unless it was given. No job may be out. */
void wr_file_clear(struct wr_file *f);

/* The host is being closed: F waits no more and its descriptor, unless it was given, is closed, without a word. Its job must be over. */
void wr_file_stop(struct wr_file *f);

/* For the handler `construct`: opens the path. OPEN: what is done on the pool instead of opening it; NULL: just that. */
void wr_file_construct(struct wr_file *f, void (*open)(struct wr_file *f));

/* What `construct` does on the pool by itself: opens PATH and looks at it. Sets result and syscall. */
void wr_file_open(struct wr_file *f, const char *path, int flags);

/* Finds out of which kind the descriptor is. On any thread. */
void wr_file_look(struct wr_file *f);

/* For the handler `destroy`: waits for the job, closes, completes. */
void wr_file_destroy(struct wr_file *f, struct wr_error *err);

/* Gives WORK to the pool; AFTER is called on the loop's thread when it is done, unless F is doomed: then it is closed. */
void wr_file_submit(struct wr_file *f, void (*work)(struct wr_file *f), void (*after)(struct wr_file *f));

/* Waits for the job that is out, if there is one, or takes it back (false) if it has not begun. AFTER will not be called. Only for
 * a process that is about to end: F gets no further job. */
bool wr_file_settle(struct wr_file *f);

/* Calls READY once F's descriptor is ready for EVENTS (enum wr_io_events), in a later turn. 0, or a negative errno number. */
int wr_file_wait(struct wr_file *f, int events, void (*ready)(struct wr_file *f));

/* Waits no more. */
void wr_file_unwait(struct wr_file *f);

/* Reads what is there without waiting: into BUF, at AT, or where the descriptor stands (-1). Bytes, 0 at the end; -EAGAIN:
 * nothing is there yet; -EOPNOTSUPP: cannot be asked so. On the loop's thread. */
ssize_t wr_file_try_read(struct wr_file *f, void *buf, size_t len, off_t at);

/* Writes what fits without waiting; answers likewise. */
ssize_t wr_file_try_write(struct wr_file *f, const struct iovec *iov, int count);

/* The error for NUMBER (negative, or positive) of SYSCALL; counted, the caller's. */
struct wr_error *wr_file_error(struct wr_file *f, int number, const char *syscall);

#endif
