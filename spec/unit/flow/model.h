/* SPDX-License-Identifier: MIT */
/* What the files of the model test share. model_world.c holds the promises: what streams tell, and whether it may be.
 * model_streams.c is what streams are made of here: their handlers, and the loops of bursts. model_test.c drives them. */
#ifndef WR_SPEC_FLOW_MODEL_H
#define WR_SPEC_FLOW_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "finished.h"
#include "pipeline.h"
#include "state.h"
#include "stream.h"
#include "tick.h"

enum { ROUND = 50, NODES = 6, BUDGET = 60, HANDLES = 4096, RECORDS = 4096, WATCHERS = 64, DEEP = 3 };

/* ---- the world of a round */

/* What is left to be completed of a node's handlers: a bit each. */
enum held { HELD_CONSTRUCT = 1, HELD_WRITE = 2, HELD_FINAL = 4, HELD_FLUSH = 8, HELD_DESTROY = 16 };

struct node {
    struct wr_stream s;
    int id;
    bool wild;      /* is read, paused, resumed and listened to by hand, too */
    bool obstinate; /* its handlers may complete with an error, or twice */
    uint32_t held;
    uint32_t *ring[2];                  /* objects: what is queued */
    uint32_t waiting[2];                /* how many of them, as counted here */
    int budget;                         /* chunks that it may still push by itself */
    uint32_t pushed, accepted, written; /* numbers of its own chunks; those that push took, those that write() took */
    bool unshifted;
    bool reentered; /* gave a chunk from within somebody's handler: others may still be on their way to some */
    bool restarted; /* was piped once more, which lets it flow again, as in Node */
    uint32_t seen[2][2 * NODES]; /* the last number of each producer at its handler `write`, its listener of 'data' */
    uint32_t got[NODES];         /* chunks of each node that came to its handler `write` */
    struct node *only;           /* the one source that it has had, while it has had one only */
    bool crowded;                /* it has had more, or was written to by hand */
    bool clean;                  /* every chunk of `only` must come here */
    bool ended_by_hand;
    struct wr_watch watch;
    uint8_t was_life, was_read, was_write; /* when looked at last */
    bool was_doomed, freed, holds;
    int closes, errors, gones, ends, finishes;
    uint32_t last_success; /* number of its last write that was called back without an error */
};

/* A callback that somebody waits for. */
struct record {
    struct node *n;
    bool end, returned;
    int called;
};

struct watcher {
    struct wr_finished w;
    struct node *n;
    int called;
    bool errors;
};

struct piping {
    struct wr_pipeline *p;
    int called;
    bool sure;
};

struct world {
    struct wr_alloc alloc;
    struct wr_flow flow;
    struct node *nodes[NODES];
    int count;
    uint32_t stack[HANDLES];
    int top;
    struct record records[RECORDS];
    int record_count;
    struct watcher *watchers[WATCHERS];
    int watcher_count;
    struct piping pipings[WATCHERS];
    int piping_count;
    int depth, meddling;
    bool ending, converted, misuse;
    uint64_t random, seed;
    long op;
    long long reached[WR_MACHINE_COUNT][8][8];
    long long bursts, chunks;
    uint32_t longest; /* stages of a relay */
    bool trace;
};

extern struct world world;

/* A random number below BELOW; true in PERCENT of a hundred cases. */
static inline uint32_t rnd(uint32_t below)
{
    world.random ^= world.random << 13;
    world.random ^= world.random >> 7;
    world.random ^= world.random << 17;
    return (uint32_t)((world.random * 0x2545F4914F6CDD1DULL) >> 33) % below;
}

static inline bool chance(uint32_t percent)
{
    return rnd(100) < percent;
}

#define HOLDS(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            model_say_where();                                                                                         \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fail_msg("does not hold: %s", #condition);                                                                 \
        }                                                                                                              \
    } while (0)

#define TRACE(...)                                                                                                     \
    do {                                                                                                               \
        if (world.trace)                                                                                               \
            printf("%*s", 2 * world.depth, ""), printf(__VA_ARGS__), putchar('\n');                                    \
    } while (0)

static inline struct node *of(struct wr_stream *s)
{
    return (struct node *)(void *)s;
}

static inline bool readable(const struct node *n)
{
    return n->s.has & WR_IS_READABLE;
}

static inline bool writable(const struct node *n)
{
    return n->s.has & WR_IS_WRITABLE;
}

/* ---- model_world.c */

extern const struct wr_host_ops model_host;

/* Prints how the round is run again. */
void model_say_where(void);

/* EVENT came to MACHINE in STATE. */
void model_reached(enum wr_machine machine, int state, int event);

/* Counts what has happened to N's machines since the last look. */
void model_look(struct node *n);

/* Chunks are numbers, four bytes each where there are bytes. A producer's numbers go up; 0 has no order. */
enum { SHIFT = 24, UNORDERED = 1 << 23 };

/* Chunk SEQ of PRODUCER. */
uint32_t model_number(int producer, uint32_t seq);

/* A chunk, or the bytes of C, came to N: WHERE 0 to its handler `write`, 1 to its listener. */
void model_arrives(struct node *n, int where, uint32_t tag);
void model_arrives_bytes(struct node *n, int where, const struct wr_chunk *c);

/* A handle for TAG, to be dropped last in, first out. */
int model_hand(uint32_t tag);
void model_drop(struct wr_flow *f, int handle);

/* N chunks in bytes. */
struct wr_item model_bytes_of(const uint32_t *tags, uint32_t n);

/* Any operation, sometimes: what a handler or listener does beside its work. */
void model_meddle(void);

/* The watcher of all events of a node. */
void model_watch(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err);

/* What holds after each operation; what holds of N when it is gone. */
void model_check(void);
void model_check_gone(struct node *n);

/* ---- model_streams.c */

/* World's node ID, a new stream of a random kind. */
void model_new_node(int id, bool tame, bool all_objects);

/* The flow's `free_stream` and `burst`. */
void model_free_stream(struct wr_stream *s);
void model_burst(struct wr_stream *const *stages, uint32_t count, bool reads);

/* The core is called by more than a push into a ring or a callback: what every door of the host's does first. */
void model_touch(void);

/* An error, counted. */
struct wr_error *model_error(void);

/* Pushes up to MOST of N's next chunks; an empty one; the end. */
void model_push_some(struct node *n, uint32_t most);
void model_push_empty(struct node *n);
void model_eof(struct node *n);

/* Completes what is held by N's handler WHICH (enum held), now. */
void model_complete(struct node *n, uint32_t which, bool fails);

/* ---- model_test.c */

/* One random operation on one of world's nodes. */
void model_any_operation(void);

#endif
