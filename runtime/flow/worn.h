/* SPDX-License-Identifier: MIT */
/* A codec worn as a transform: what is written goes through a byte machine of codec/, what comes out is read.
 *
 * The codec runs in jobs. A job takes all input that is there and produces at most a few rooms of output, which are handed
 * on as slices, without a copy; where it runs is the user's business (struct wr_worn_ops.submit: a pool), small ones run on
 * the loop's thread. While a job's output is delivered the next job is already out, so each stage of a pipeline has a
 * processor of its own.
 *
 * One codec is serial by nature: one job at a time. Where output may be put together of sections that know nothing of one
 * another but the last bytes before them (deflate), the input is cut at fixed places and several sections are worked at
 * once; what comes out does not depend on how many, nor on how the input was cut when it was written.
 *
 * What a chunk is worth: a write counts as done when the codec has consumed it and what came of it was pushed. Where nobody
 * waits for its callback (a pipe), it counts as done as soon as it is taken, up to a bound (`ahead`), so that the codec never
 * waits for the source.
 *
 * An error is reported behind all output that was made before it, when that was read.
 */
#ifndef WR_FLOW_WORN_H
#define WR_FLOW_WORN_H

#include "codec.h"
#include "stream.h"

enum {
    WR_WORN_LANES = 8,     /* the most sections at once */
    WR_WORN_TAIL_MOST = 16 /* bytes that `turn` may add */
};

struct wr_worn;

enum wr_worn_turn {
    WR_WORN_JOB,     /* a job came back; of the one codec only */
    WR_WORN_SECTION, /* the end of a section, in their order; it is about to be freed */
    WR_WORN_END      /* the same, and it is the last one, or the one codec */
};

struct wr_worn_ops {
    /* See to it that wr_worn_work(W, LANE) is called, on any thread, and afterwards, on the loop's thread, but not before
     * this returns, wr_worn_worked(W, LANE). */
    void (*submit)(struct wr_worn *w, unsigned lane);
    /* On any thread: the codec of a section that follows the LEN bytes at BEFORE; FIRST: nothing was before it. ARG is of the
     * last mark before it. NULL with FAULT set. NULL in the table where there is one codec. */
    struct wr_codec *(*section)(struct wr_worn *w, bool first, intptr_t arg, const unsigned char *before, size_t len,
                                struct wr_fault *fault);
    /* On any thread: all that was written before a mark with ARG has been flushed out of C. 0, or -1 with FAULT set. NULL if
     * no mark has an ARG. */
    int (*tune)(struct wr_worn *w, struct wr_codec *c, intptr_t arg, struct wr_fault *fault);
    /* On the loop's thread: TURN is what C has come to. At its end it may write up to WR_WORN_TAIL_MOST bytes that follow its
     * output to TAIL; how many. May be NULL. */
    size_t (*turn)(struct wr_worn *w, struct wr_codec *c, enum wr_worn_turn turn, unsigned char *tail);
    /* The codec ended by itself: REST (borrowed) follows what it consumed. May be NULL: it is dropped. */
    void (*rest)(struct wr_worn *w, const struct wr_chunk *rest);
    /* Looks at LEN bytes of output before they are pushed, while the next job may be out; and after the last ones once more,
     * LEN 0. False with FAULT set if there is something wrong behind the first GOOD of them. May be NULL. */
    bool (*inspect)(struct wr_worn *w, const unsigned char *data, size_t len, size_t *good, struct wr_fault *fault);
};

struct wr_worn_params {
    const struct wr_worn_ops *ops;
    void *user;
    struct wr_codec *codec; /* the one codec; NULL: sections */
    size_t section;         /* bytes of input that make one */
    size_t window;          /* how many of the bytes before it a section is told */
    intptr_t first;         /* what the first of them is told as ARG, if no mark was before it */
    unsigned lanes;         /* sections at once, 2 to WR_WORN_LANES */
    size_t chunk;           /* the longest slice handed on; 0: 64 KiB */
    size_t room;            /* the output of a job where somebody consumes it, at most; 0: 64 KiB */
    size_t small;           /* input of at most so many bytes is worked on the loop's thread */
    bool sync;              /* and that within write() and end(), not in a tick */
    size_t ahead;           /* bytes taken before their turn */
    enum wr_flush each;     /* what follows all input that is there */
    uint64_t most;          /* bytes that may come out; 0: no limit */
    /* Makes the error that FAULT is reported as, counted, the caller's; NULL: wr_error_new does. */
    struct wr_error *(*error)(struct wr_worn *w, const struct wr_fault *fault);
};

/* A codec worn by S, whose operations must call the functions below. The codec is W's from now on, also on failure. NULL for
 * no memory. */
struct wr_worn *wr_worn_new(struct wr_stream *s, const struct wr_worn_params *p);

/* Frees W with its codec and all it holds: S is freed. No job may be out. NULL does nothing. */
void wr_worn_free(struct wr_worn *w);

/* The user of the parameters. */
void *wr_worn_user(const struct wr_worn *w);

/* The operations of S: read, write, flush and destroy. S is WR_IS_TRANSFORM with WR_HAS_READ, _WRITE, _WRITEV, _FLUSH and
 * _DESTROY. */
void wr_worn_read(struct wr_worn *w);
void wr_worn_write(struct wr_worn *w, uint32_t n);
void wr_worn_flush(struct wr_worn *w);
void wr_worn_destroy(struct wr_worn *w, struct wr_error *err);

/* Writes a mark: all that was written before it is flushed as KIND says (not WR_FLUSH_NONE nor _FINISH), then `tune` is
 * called with ARG unless it is 0. DONE as of wr_writable_write. 0, or -1 for no memory (DONE is not called then). */
int wr_worn_mark(struct wr_worn *w, enum wr_flush kind, intptr_t arg, struct wr_done done);

/* S, a transform, was destroyed because of REASON (NULL: none) while its handler `write` had chunks: answers for them. For
 * every native transform, in a tick. */
void wr_worn_abandon(struct wr_stream *s, struct wr_error *reason);

/* On any thread: the job of LANE that was submitted. */
void wr_worn_work(struct wr_worn *w, unsigned lane);

/* On the loop's thread: that job is done. May free W (when S was destroyed meanwhile). */
void wr_worn_worked(struct wr_worn *w, unsigned lane);

/* That job will never be done, nothing else either: the runtime is being closed. */
void wr_worn_lost(struct wr_worn *w, unsigned lane);

/* The one codec, if nothing is under way and it has not ended; else NULL. Borrowed. */
struct wr_codec *wr_worn_codec(struct wr_worn *w);

/* Bytes of input consumed by jobs that are done. */
uint64_t wr_worn_taken(const struct wr_worn *w);

#endif
