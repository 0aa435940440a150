/* SPDX-License-Identifier: MIT */
/* One codec and its job: what is to go through it, and the rooms for what comes out. For lanes.c.
 *
 * While a job is out, wr_lane_work may run on another thread: it reads the slices in `in`, which the loop's thread holds
 * for it, and writes into the rooms, which nobody else knows yet. Everything else is done on the loop's thread, when none
 * is out.
 */
#ifndef WR_FLOW_LANE_H
#define WR_FLOW_LANE_H

#include <stdbool.h>

#include "chunk.h"
#include "codec.h"

enum { WR_LANE_ROOMS = 4 };

struct wr_room {
    struct wr_buffer *buffer;
    size_t len; /* bytes in it */
};

struct wr_lane {
    struct wr_codec *codec;             /* NULL: a section that has not begun, or is over */
    struct wr_queue pending, in, ready; /* not yet in a job; of the job; made, not handed on */
    enum wr_flush flush;                /* what follows `in` */
    intptr_t arg;                       /* of the mark that follows; 0: none */
    struct wr_room rooms[WR_LANE_ROOMS];
    unsigned room_count;

    enum wr_step step; /* what the job has come to */
    struct wr_fault fault;
    size_t consumed; /* bytes of `in`, by the job */

    unsigned char *before; /* sections: the last bytes of the one before */
    size_t before_len;
    intptr_t tuned;   /* sections: the argument that their codec is made with */
    uint64_t left;    /* bytes that still belong to it, before `pending` is full */
    bool out;         /* the job is out */
    bool loaded;      /* `in`, `flush` and `arg` are of a job that has not come to its end */
    bool marked;      /* a mark is the end of that job */
    bool first, last; /* nothing is before, nothing follows it */
    bool closing;     /* the job brings it to its end */
    bool over;        /* nothing more will be made */
    bool failed;      /* because of `fault` */
    bool retired;
};

/* An empty lane. */
void wr_lane_init(struct wr_lane *l, struct wr_alloc *a);

/* Frees the codec and gives everything back, but for `before`. */
void wr_lane_clear(struct wr_lane *l);

/* On any thread: takes `in` through the codec until it is used up, the rooms are full, or the codec ends. */
void wr_lane_work(struct wr_lane *l);

/* Puts what is in the rooms behind `ready`, in slices of at most CHUNK bytes, and gives the rooms back. A room that is hardly
 * used is copied. 0, or -1 for no memory. */
int wr_lane_collect(struct wr_lane *l, struct wr_alloc *a, size_t chunk);

/* Puts a copy of LEN (small) bytes behind `ready`, in one slice with what is there if that is small too. 0, or -1 for no
 * memory. */
int wr_lane_append(struct wr_lane *l, struct wr_alloc *a, const void *data, size_t len, size_t chunk);

#endif
