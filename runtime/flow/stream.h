/* SPDX-License-Identifier: MIT */
/* A stream, as all of flow/ and its users see it.
 *
 * A stream is made by whoever supplies its handlers (struct wr_stream_ops) and counted. What it does follows Node's streams
 * rule by rule; readable.h, writable.h, life.h, pipe.h, finished.h and pipeline.h are its doors. flow/ knows no Lua: where
 * objects are kept, who listens and what a tick wakes is the host's business (struct wr_host_ops).
 *
 * Bytes are slices that flow/ holds itself; objects are values of the host, of which flow/ sees counts only.
 */
#ifndef WR_FLOW_STREAM_H
#define WR_FLOW_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "chunk.h"
#include "error.h"
#include "fifo.h"
#include "shared.h"
#include "state.h"

struct wr_flow;
struct wr_pipe;
struct wr_stream;
struct wr_watch;

/* One chunk on its way: bytes (a slice), or an object of the host (its handle, > 0). */
struct wr_item {
    struct wr_chunk bytes;
    int object;
};

enum wr_side { WR_SIDE_READ, WR_SIDE_WRITE };

/* What comes with an event: at most one of them. */
struct wr_event_data {
    const struct wr_item *item; /* DATA: borrowed */
    struct wr_stream *other;    /* PIPE, UNPIPE: the source */
    struct wr_error *error;     /* ERROR: borrowed */
    bool handled;               /* ERROR: somebody inside the core takes care of it */
};

/* What flow/ asks of its host. Objects travel by handles, which live strictly last in, first out. None of them jumps out of
 * flow/: where the host has no memory it says so here, or sets wr_flow.no_memory. */
struct wr_host_ops {
    /* Bytes as an object of the host (a handle, to be dropped), or an object as bytes. WR_E_INVALID_ARG_TYPE if it has none,
     * WR_E_NO_MEMORY. */
    enum wr_code (*convert)(struct wr_flow *f, const struct wr_item *item, struct wr_item *out);
    /* EV happened to S. Called when somebody listens (see wr_shared.listens), and for every 'error'. */
    void (*event)(struct wr_stream *s, enum wr_event ev, const struct wr_event_data *data);
    /* Puts object HANDLE (borrowed) into S's ring at index AT, growing the table as needed. 0, or -1 for no memory. */
    int (*store)(struct wr_stream *s, enum wr_side side, int32_t at, int handle);
    /* Takes the object out of S's ring at index AT; its handle, to be dropped. */
    int (*take)(struct wr_stream *s, enum wr_side side, int32_t at);
    /* The handle taken last is no longer needed. */
    void (*drop)(struct wr_flow *f, int handle);
    /* While HELD, S may be called by the core, so that the host must not collect it. */
    void (*hold)(struct wr_stream *s, bool held);
};

/* The handlers of a stream. Each is called only where the stream says so in `has`; each completes by the function named,
 * at once (before it returns) or later, once. Raising is done by completing with an error. */
struct wr_stream_ops {
    void (*construct)(struct wr_stream *s); /* wr_life_constructed */
    void (*read)(struct wr_stream *s);      /* pushes by wr_readable_push, at once or later */
    /* N chunks are out: take them by wr_writable_out. Completes by wr_writable_done, in a transform by wr_transform_done. */
    void (*write)(struct wr_stream *s, uint32_t n);
    void (*final)(struct wr_stream *s); /* wr_finish_finaled */
    void (*flush)(struct wr_stream *s); /* wr_transform_flushed */
    /* ERR is borrowed, NULL if none. Completes by wr_life_destroyed. */
    void (*destroy)(struct wr_stream *s, struct wr_error *err);
};

/* What a stream has and is; options and handlers, fixed when it is made. */
enum {
    WR_HAS_CONSTRUCT = 1 << 0,
    WR_HAS_READ = 1 << 1,
    WR_HAS_WRITE = 1 << 2,
    WR_HAS_WRITEV = 1 << 3,
    WR_HAS_FINAL = 1 << 4,
    WR_HAS_FLUSH = 1 << 5,
    WR_HAS_DESTROY = 1 << 6,
    WR_IS_READABLE = 1 << 7, /* has a readable side, perhaps closed from the start */
    WR_IS_WRITABLE = 1 << 8,
    WR_IS_TRANSFORM = 1 << 9,   /* write is a transform: what goes in comes out */
    WR_OBJECTS_READ = 1 << 10,  /* readableObjectMode */
    WR_OBJECTS_WRITE = 1 << 11, /* writableObjectMode */
    WR_AUTO_DESTROY = 1 << 12,
    WR_EMIT_CLOSE = 1 << 13,
    WR_HALF_OPEN = 1 << 14,    /* allowHalfOpen */
    WR_CLOSED_READ = 1 << 15,  /* option readable = false */
    WR_CLOSED_WRITE = 1 << 16, /* option writable = false */
    WR_BURSTS = 1 << 17,       /* its handlers can be called in bursts by the host */
    WR_BULK = 1 << 18          /* pushes many objects in a row: they wait in the ring for a burst */
};

/* Notes of the readable side beside its state. */
enum {
    WR_R_SYNC = 1 << 0,          /* inside the handler `read` */
    WR_R_NEED_READABLE = 1 << 1, /* somebody was told that there is nothing */
    WR_R_EMITTED_READABLE = 1 << 2,
    WR_R_READABLE_LISTENING = 1 << 3,
    WR_R_RESUME_SCHEDULED = 1 << 4,
    WR_R_READING_MORE = 1 << 5,
    WR_R_DATA_EMITTED = 1 << 6,
    WR_R_HAS_FLOWING = 1 << 7, /* flowing is not null */
    WR_R_FLOWING = 1 << 8,
    WR_R_HAS_PAUSED = 1 << 9,
    WR_R_PAUSED = 1 << 10,
    WR_R_FLOW_SCHEDULED = 1 << 11, /* a tick will move what is buffered into the pipes */
    WR_R_MULTI_PIPE = 1 << 12,
    WR_R_RESUME_WAITS = 1 << 13 /* ... with chunks in the buffer, which wait for its tick */
};

/* Notes of the writable side beside its state. */
enum {
    WR_W_SYNC = 1 << 0, /* inside the handler `write` or `final` */
    WR_W_NEED_DRAIN = 1 << 1,
    WR_W_PROCESSING = 1 << 2,    /* the buffer is being written */
    WR_W_AFTER_PENDING = 1 << 3, /* a tick without callbacks will look after the last write */
    WR_W_HOLDING = 1 << 4,       /* a transform keeps the callback of its last chunk until its readable side has room */
    WR_W_FINAL_OUT = 1 << 5,     /* the handler `final` (or `flush`, for it) has not completed */
    WR_W_FINISHING = 1 << 6      /* it has, and 'finish' comes with a tick, whatever else happens until then */
};

/* A callback of a write or an end: FN(S, ARG, ERR) once, ERR NULL for success, borrowed. FN NULL: nobody waits. */
struct wr_done {
    void (*fn)(struct wr_stream *s, intptr_t arg, struct wr_error *err);
    intptr_t arg;
};

/* Somebody inside the core who follows a stream's events: pipes, finished, pipelines. */
struct wr_watch {
    struct wr_watch *next, *prev;
    uint32_t mask; /* a bit for each enum wr_event */
    bool early;    /* before the host's listeners, not after */
    bool handles;  /* counts as a listener of 'error' */
    void (*fn)(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err);
};

/* A place in the row of watches that stays right when watches come and go. */
struct wr_cursor {
    struct wr_cursor *outer;
    struct wr_watch *next;
};

struct wr_stats {
    uint64_t in, out;    /* chunks taken by the writable side, given by the readable side */
    uint64_t stops;      /* how often a pipe had to stop for this destination */
    uint64_t waited_ns;  /* how long, in all */
    uint64_t stopped_at; /* since when it is stopped; 0: it is not */
};

struct wr_stream {
    struct wr_shared *sh; /* seen by Lua, where its owner keeps it (wr_stream_share); else `own` */
    struct wr_shared own;
    struct wr_flow *flow;
    const struct wr_stream_ops *ops;
    uint32_t refs, pins, id;
    bool held, idling; /* the host keeps it; it is in the row of those that it may let go */
    uint32_t has;
    uint8_t life, read, write; /* enum wr_life, wr_read, wr_write: changed by wr_stream_step only */
    bool error_emitted, quiet; /* quiet: its reader has left it, which is no 'error' to be emitted */
    uint32_t r, w;             /* notes */
    struct wr_error *errored;

    struct wr_queue r_bytes;
    uint32_t singly;             /* objects that came out of the ring one by one, not in bursts, less those put back */
    struct wr_stream *flow_next; /* in the flow's row of those */
    struct wr_pipe *pipes;       /* out of this stream */
    uint32_t pipe_count;

    struct wr_queue w_bytes, w_batch; /* waiting; out with the handler */
    struct wr_fifo w_dones;           /* struct wr_done of all that waits or is out */
    struct wr_fifo w_settled;         /* struct wr_settled: written, callback still to come */
    struct wr_fifo w_ends;            /* struct wr_done of end() */
    uint32_t w_out;                   /* chunks that the handler `write` has */
    uint32_t w_late;                  /* of w_settled, those that no tick of their own will call */
    int32_t corked, pending;          /* cork() calls; callbacks still to come (Node's pendingcb) */
    int32_t t_length;                 /* a transform: readable length when the chunk went in */
    bool buffering;                   /* inside a handler that pushes into the ring (pump.h) */
    bool left_full;                   /* the last burst into it ended with its ring full, its last callback given */
    int32_t before;                   /* the ring's tail when that began */
    struct wr_pipe *feeding;          /* the edge whose source waits until this stream has room */

    struct wr_watch watches; /* head of the ring */
    struct wr_cursor *cursors;
    struct wr_stats stats;
    struct wr_stream *next, *prev; /* all streams of the flow */
};

/* Readies S, which the caller allocated (cleared) as part of a larger struct, with one reference, the caller's. HAS says
 * what it is; R_MARK and W_MARK are its high-water marks. Called once; the handler `construct`, if any, is called in a
 * later tick. */
void wr_stream_init(struct wr_stream *s, struct wr_flow *f, const struct wr_stream_ops *ops, uint32_t has,
                    int32_t r_mark, int32_t w_mark);

/* From now on S's shared struct is at SH (cleared by this call to what it is now), the caller's memory; NULL: S's own again. */
void wr_stream_share(struct wr_stream *s, struct wr_shared *sh);

/* One more reference. Returns S. */
struct wr_stream *wr_stream_ref(struct wr_stream *s);

/* One reference less; the last gives all that S holds back and calls the flow's `free` for the memory itself. */
void wr_stream_unref(struct wr_stream *s);

/* From now on (until the same number of unpins) the core may call S: the host must keep it. Holds a reference too. */
void wr_stream_pin(struct wr_stream *s);

/* Ends a pin. The host is told at the end of the drain. */
void wr_stream_unpin(struct wr_stream *s);

/* Takes the step EVENT of MACHINE: the one function that assigns a state. */
void wr_stream_step(struct wr_stream *s, enum wr_machine machine, int event);

/* Does all that is known about S fit together? Asserts in debug builds; called at every public door. */
void wr_stream_check(const struct wr_stream *s);

/* EV happened: tells early watches, the host's listeners (where there are any), then the other watches. ERR and OTHER as
 * struct wr_event_data says. S stays alive meanwhile. */
void wr_stream_emit(struct wr_stream *s, enum wr_event ev, const struct wr_item *item, struct wr_stream *other,
                    struct wr_error *err);

/* Tells those inside the core who follow S, EARLY ones or the others, of an event that somebody has emitted by hand. */
void wr_stream_tell(struct wr_stream *s, enum wr_event ev, struct wr_error *err, bool early);

/* Would an 'error' of S be uncaught: does nobody listen, nor look after it inside the core? */
bool wr_stream_unheard(const struct wr_stream *s);

/* Adds W (the caller's memory, fields mask, early, handles and fn set) at the end of the row, or FIRST. */
void wr_watch_add(struct wr_stream *s, struct wr_watch *w, bool first);

/* Takes W out, also from within its own call; not to be called twice. */
void wr_watch_remove(struct wr_stream *s, struct wr_watch *w);

/* Gives the item's bytes back, or the object's handle. */
void wr_item_drop(struct wr_flow *f, struct wr_item *item);

static inline bool wr_stream_destroyed(const struct wr_stream *s)
{
    return s->life >= WR_LIFE_DOOMED;
}

static inline bool wr_stream_constructed(const struct wr_stream *s)
{
    return s->life != WR_LIFE_CONSTRUCTING && s->life != WR_LIFE_DOOMED;
}

static inline bool wr_stream_closed(const struct wr_stream *s)
{
    return s->life >= WR_LIFE_CLOSED;
}

static inline bool wr_stream_listens(const struct wr_stream *s, enum wr_event ev)
{
    return (s->sh->listens & (1 << ev)) != 0;
}

#endif
