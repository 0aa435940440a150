/* SPDX-License-Identifier: MIT */
/* Signals, delivered as numbers on the loop's thread. What to do about one is the host's decision.
 *
 * A process has one handler for a signal. weir takes it only where nobody has: if a host, or another loop of weir's,
 * handles the signal, start answers -EBUSY (libev would abort, and the host's handler would be lost). What was in
 * place, SIG_IGN too, is put back at stop. Two threads that start the same signal on two loops at the same moment are
 * not kept apart.
 *
 * A watched signal does not keep the loop alive, as in Node. SIGPIPE is never touched by the library: see sys.h.
 */
#ifndef WR_LOOP_SIGNAL_H
#define WR_LOOP_SIGNAL_H

#include <ev.h>
#include <signal.h>

#include "loop.h"

struct wr_signal;

/* The signal of S has come, at least once since the last call. May stop S and free the memory around it. */
typedef void wr_signal_fn(struct wr_signal *s, int signum);

struct wr_signal {
    ev_signal signal;
    struct wr_loop *loop; /* NULL: stopped */
    wr_signal_fn *fn;
    struct sigaction old;
};

/* Sets S up, stopped. */
void wr_signal_init(struct wr_signal *s, wr_signal_fn *fn);

/* Watches SIGNUM with S, which is stopped. 0; -EINVAL: not a signal that can be caught; -EBUSY: handled already. */
int wr_signal_start(struct wr_signal *s, struct wr_loop *loop, int signum);

/* Stops S and puts back what was in place before; nothing if it was stopped. */
void wr_signal_stop(struct wr_signal *s);

/* As if SIGNUM had come, for a host that puts a handler of its own over ours after the start. Async-signal-safe, and
 * may be called on any thread; nothing if nobody watches. */
void wr_signal_feed(int signum);

#endif
