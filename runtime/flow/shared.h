/* SPDX-License-Identifier: MIT */
/* What C and Lua both see of a stream.
 *
 * One list of fields makes the C structs below and the text that Lua's FFI declares (wr_shared_cdef), so that the two cannot
 * drift apart; the offsets are asserted when the binding opens. Lua code may write any value into any field: nothing here is
 * an index, a size or an address that C uses unchecked. Counts of objects are compared, never followed; bytes are counted
 * by the queues in C, and mirrored here for reading only.
 *
 * int32_t and not uint32_t, which costs LuaJIT conversions. Indices only ever grow; flow rebases them long before they
 * overflow.
 */
#ifndef WR_FLOW_SHARED_H
#define WR_FLOW_SHARED_H

#include <stdint.h>

/* head: of the next chunk out; tail: of the next chunk in; mask: the table's size - 1 (objects); mark: highWaterMark;
 * size: bytes held (byte mode) */
#define WR_RING_FIELDS(X) X(head) X(tail) X(mask) X(mark) X(size)

/* go: enum wr_go of the driver; run: how often a burst was taken away; ended: the readable side is at its end;
 * out: chunks or bytes of the writable side that its handler has; listens: a bit for each enum wr_event somebody listens to;
 * exact: 0 while pushes may go straight into the ring; bursts, longest: bursts of more than one chunk so far, the longest;
 * at: the ring's tail when the handler was called last; calls: of `read` in the last burst of them */
#define WR_SHARED_FIELDS(X) X(go) X(run) X(ended) X(out) X(listens) X(exact) X(bursts) X(longest) X(at) X(calls)

/* Of a relay (pump.h): touched: it must not go on by itself; at: the place of the stage whose handler is called, or was
 * last; rounds: how many may still begin */
#define WR_RELAY_FIELDS(X) X(touched) X(at) X(rounds)

struct wr_ring {
#define X(name) int32_t name;
    WR_RING_FIELDS(X)
#undef X
};

struct wr_shared {
    struct wr_ring r, w;
#define X(name) int32_t name;
    WR_SHARED_FIELDS(X)
#undef X
};

struct wr_relay {
#define X(name) int32_t name;
    WR_RELAY_FIELDS(X)
#undef X
};

/* The state of a driver, the burst's own little machine:
 * IDLE: no handler runs; IN: `write` runs; DONE: it ran and its callback came; READ: `read` runs, and a callback that comes now
 * is that of a chunk from before.
 * STOP is a bit beside them: leave the burst, C has something to say. */
enum wr_go { WR_GO_IDLE, WR_GO_IN, WR_GO_DONE, WR_GO_READ, WR_GO_STOP = 4 };

/* Events, in the order of their bits in `listens`. X(name, text) */
#define WR_EVENTS(X)                                                                                                   \
    X(DATA, "data")                                                                                                    \
    X(READABLE, "readable")                                                                                            \
    X(END, "end")                                                                                                      \
    X(PAUSE, "pause")                                                                                                  \
    X(RESUME, "resume")                                                                                                \
    X(DRAIN, "drain")                                                                                                  \
    X(PREFINISH, "prefinish")                                                                                          \
    X(FINISH, "finish")                                                                                                \
    X(PIPE, "pipe")                                                                                                    \
    X(UNPIPE, "unpipe")                                                                                                \
    X(ERROR, "error")                                                                                                  \
    X(CLOSE, "close")

enum wr_event {
#define X(name, text) WR_EV_##name,
    WR_EVENTS(X)
#undef X
        WR_EV_COUNT,
    WR_EV_GONE = WR_EV_COUNT /* for watches only: after 'close', or instead of it; nothing follows */
};

#endif
