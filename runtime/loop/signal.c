/* SPDX-License-Identifier: MIT */
/* Signals by libev's own handler and table: they have to be found from a signal handler, which takes a global, and weir
 * has none. signalfd was rejected: every thread of the host would have to block the signal.
 */
#include <errno.h>

#include "inside.h"
#include "signal.h"

static void came(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)ev;
    (void)events;
    struct wr_signal *s = (struct wr_signal *)w;
    struct wr_loop *loop = s->loop;
    wr_loop_enter(loop);
    s->fn(s, w->signum);
    wr_loop_leave(loop);
}

/* Is the signal of ACTION left to what the system does with it? */
static bool vacant(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN);
}

void wr_signal_init(struct wr_signal *s, wr_signal_fn *fn)
{
    s->loop = NULL;
    s->fn = fn;
}

int wr_signal_start(struct wr_signal *s, struct wr_loop *loop, int signum)
{
    if (signum == SIGKILL || signum == SIGSTOP)
        return -EINVAL;
    int r = loop->sys->sigaction(signum, NULL, &s->old);
    if (r < 0)
        return r;
    if (!vacant(&s->old))
        return -EBUSY;
    s->loop = loop;
    ev_signal_init(&s->signal, came, signum);
    ev_signal_start(loop->ev, &s->signal);
    wr_loop_started(loop);
    return 0;
}

void wr_signal_stop(struct wr_signal *s)
{
    struct wr_loop *loop = s->loop;
    if (!loop)
        return;
    s->loop = NULL;
    wr_loop_stopping(loop);
    ev_signal_stop(loop->ev, &s->signal);
    loop->sys->sigaction(s->signal.signum, &s->old, NULL);
}

void wr_signal_feed(int signum)
{
    ev_feed_signal(signum);
}
