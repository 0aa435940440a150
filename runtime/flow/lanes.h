/* SPDX-License-Identifier: MIT */
/* The lanes of a worn codec: which input goes through which codec, and whose output is next. For worn.c.
 *
 *     put --> in --hand_out--> pending of the newest lane --load--> its job --results--> ready of each lane --> next
 *
 * The lanes are a ring in the order of their sections; the first is the one whose output is next. With one codec there is
 * one lane, which takes everything. This file knows no stream: when what happens is worn.c's to decide.
 */
#ifndef WR_FLOW_LANES_H
#define WR_FLOW_LANES_H

#include "lane.h"
#include "worn.h"

enum { WR_LANES_SPARE = 16 };

struct wr_lanes {
    struct wr_worn *w; /* for the operations of its user */
    struct wr_alloc *alloc;
    const struct wr_worn_params *p;
    size_t small, large; /* bytes of the two kinds of rooms; whole chunks */
    struct wr_lane lanes[WR_WORN_LANES];
    unsigned first, active; /* lanes in use */
    unsigned outs;          /* jobs out */
    struct wr_queue in;     /* put, for a lane that does not exist yet */
    uint64_t held;          /* bytes put and not consumed */
    uint64_t taken;         /* bytes consumed */
    uint32_t marks;         /* put and not reached */
    intptr_t tuned;         /* the argument of the last mark handed out */
    unsigned char *window;  /* the end of the section that is being filled, for the next one */
    size_t window_len;
    struct wr_buffer *spare[WR_LANES_SPARE]; /* rooms: free if nobody else refers to them */
    struct wr_fault fault;
    bool failed; /* of `fault`, behind what is ready of the first lane */
    bool begun;  /* there has been a section */
    bool ending; /* nothing more is put */
    bool done;   /* all was made and taken from the first lane */
    bool moved;  /* something has changed; its user clears it */
};

/* P must outlive LS, and be complete. The codec in it is LS's from now on. */
void wr_lanes_init(struct wr_lanes *ls, struct wr_worn *w, struct wr_alloc *a, const struct wr_worn_params *p);

/* Frees codecs and everything else. No job may be out. */
void wr_lanes_clear(struct wr_lanes *ls);

/* The Ith lane in use. */
struct wr_lane *wr_lanes_at(struct wr_lanes *ls, unsigned i);

/* A slice that is a mark: without bytes, but with this in its buffer. */
int wr_lanes_mark(struct wr_alloc *a, struct wr_chunk *out, enum wr_flush flush, intptr_t arg);

/* Takes C, bytes or a mark. */
void wr_lanes_put(struct wr_lanes *ls, struct wr_chunk c);

/* Hands out what was put, as far as there are lanes. */
void wr_lanes_hand_out(struct wr_lanes *ls);

/* Is there a job for L that is not out? */
bool wr_lanes_has_work(const struct wr_lane *l);

/* Readies the job of L; with all the room there is, or, not LARGE, with one small room. 0, or -1: no memory, and L has
 * failed. */
int wr_lanes_load(struct wr_lanes *ls, struct wr_lane *l, bool large);

/* On any thread: works the job of lane number INDEX. */
void wr_lanes_work(struct wr_lanes *ls, unsigned index);

/* L was worked: its output becomes ready. */
void wr_lanes_results(struct wr_lanes *ls, struct wr_lane *l);

/* Is output of the first lane ready? If not: there is none now, or all was taken (`done`). Behind what is ready comes the
 * failure (`failed`), if there is one. */
bool wr_lanes_ready(struct wr_lanes *ls);

/* The next slice of output, of which there is some; the caller's. */
struct wr_chunk wr_lanes_take(struct wr_lanes *ls);

/* Is nothing under way: neither input nor output nor jobs? */
bool wr_lanes_idle(struct wr_lanes *ls);

/* Gives back all rooms that are free but KEEP. */
void wr_lanes_tidy(struct wr_lanes *ls, unsigned keep);

/* Fails behind what is ready of the first lane. */
void wr_lanes_fail(struct wr_lanes *ls, struct wr_fault fault);

#endif
