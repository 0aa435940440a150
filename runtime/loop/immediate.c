/* SPDX-License-Identifier: MIT */
/* Immediates: a list, run by the loop's check watcher. One that counts is a reason not to block. */
#include <stddef.h>

#include "immediate.h"
#include "inside.h"

static struct wr_immediate *immediate_of(struct wr_list *l)
{
    return (struct wr_immediate *)((char *)l - offsetof(struct wr_immediate, link));
}

/* Calls I, which is in no list any more, back. Afterwards I may be no more. */
static void fire(struct wr_immediate *i)
{
    struct wr_loop *loop = i->loop;
    if (!i->weak)
        wr_loop_unspin(loop);
    wr_loop_enter(loop);
    i->fn(i);
    wr_loop_leave(loop);
}

void wr_immediate_run(struct wr_loop *loop)
{
    struct wr_list now, *l;
    wr_list_init(&now);
    wr_list_splice(&now, &loop->immediates);
    while ((l = wr_list_take(&now)))
        fire(immediate_of(l));
}

void wr_immediate_init(struct wr_immediate *i, struct wr_loop *loop, wr_immediate_fn *fn)
{
    wr_list_init(&i->link);
    i->loop = loop;
    i->fn = fn;
    i->weak = false;
}

void wr_immediate_start(struct wr_immediate *i)
{
    if (wr_immediate_active(i))
        return;
    wr_list_append(&i->loop->immediates, &i->link);
    if (!i->weak)
        wr_loop_spin(i->loop);
}

void wr_immediate_stop(struct wr_immediate *i)
{
    if (!wr_immediate_active(i))
        return;
    wr_list_remove(&i->link);
    if (!i->weak)
        wr_loop_unspin(i->loop);
}

bool wr_immediate_active(const struct wr_immediate *i)
{
    return !wr_list_empty(&i->link);
}

void wr_immediate_ref(struct wr_immediate *i)
{
    if (i->weak && wr_immediate_active(i))
        wr_loop_spin(i->loop);
    i->weak = false;
}

void wr_immediate_unref(struct wr_immediate *i)
{
    if (!i->weak && wr_immediate_active(i))
        wr_loop_unspin(i->loop);
    i->weak = true;
}
