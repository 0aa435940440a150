/* SPDX-License-Identifier: MIT */
/* The ring of lanes. A section is closed when its bytes were handed out, and begins with the end of the one before it, which
 * is remembered while it is handed out: that may be long before it is worked. */
#include <string.h>

#include "lanes.h"

/* zlib decodes 7 % faster into 512 KiB at once than into 64. */
enum { SMALL = 1 << 16, LARGE = 1 << 19, MOST = 1 << 20 };

struct mark {
    enum wr_flush flush;
    intptr_t arg;
};

struct wr_lane *wr_lanes_at(struct wr_lanes *ls, unsigned i)
{
    return &ls->lanes[(ls->first + i) % ls->p->lanes];
}

void wr_lanes_fail(struct wr_lanes *ls, struct wr_fault fault)
{
    if (!ls->failed)
        ls->fault = fault;
    ls->failed = true;
}

static void no_memory(struct wr_lanes *ls)
{
    wr_lanes_fail(ls, wr_error_fault(WR_E_NO_MEMORY));
}

static bool in_sections(const struct wr_lanes *ls)
{
    return ls->p->section != 0;
}

/* ---- rooms for output */

void wr_lanes_tidy(struct wr_lanes *ls, unsigned keep)
{
    for (unsigned i = 0; i < WR_LANES_SPARE; i++) {
        if (!ls->spare[i] || (ls->spare[i]->refs == 1 && keep && keep--))
            continue;
        wr_buffer_unref(ls->spare[i]);
        ls->spare[i] = NULL;
    }
}

/* A buffer of SIZE bytes that nobody but us knows. */
static struct wr_buffer *new_room(struct wr_lanes *ls, size_t size)
{
    unsigned slot = 0;
    for (unsigned i = 0; i < WR_LANES_SPARE; i++) {
        if (ls->spare[i] && ls->spare[i]->refs == 1 && ls->spare[i]->size == size)
            return wr_buffer_ref(ls->spare[i]);
        if (!ls->spare[i] || (ls->spare[slot] && ls->spare[i]->refs == 1))
            slot = i;
    }
    struct wr_buffer *b = wr_buffer_new(ls->alloc, size);
    if (!b)
        return NULL;
    wr_buffer_unref(ls->spare[slot]);
    ls->spare[slot] = b;
    return wr_buffer_ref(b);
}

static int give_rooms(struct wr_lanes *ls, struct wr_lane *l, bool large)
{
    size_t size = large ? ls->large : ls->small, all = large ? ls->p->room : size;
    for (l->room_count = 0; l->room_count == 0 || l->room_count * size < all; l->room_count++) {
        struct wr_buffer *b = l->room_count < WR_LANE_ROOMS ? new_room(ls, size) : NULL;
        if (!b)
            return l->room_count ? 0 : -1; /* one will do */
        l->rooms[l->room_count] = (struct wr_room){.buffer = b};
    }
    return 0;
}

/* ---- input */

static const struct mark *mark_of(const struct wr_chunk *c)
{
    return c->len == 0 && c->buffer ? (const struct mark *)(const void *)c->buffer->data : NULL;
}

int wr_lanes_mark(struct wr_alloc *a, struct wr_chunk *out, enum wr_flush flush, intptr_t arg)
{
    struct mark m = {flush, arg};
    int r = wr_chunk_copy(a, out, &m, sizeof m);
    out->len = 0;
    return r;
}

void wr_lanes_put(struct wr_lanes *ls, struct wr_chunk c)
{
    size_t len = c.len;
    bool is_mark = mark_of(&c) != NULL;
    if (ls->done && len && ls->p->ops->rest)
        ls->p->ops->rest(ls->w, &c);
    if (ls->failed || ls->done || (!is_mark && len == 0)) {
        wr_chunk_clear(&c);
    } else if (wr_queue_push(&ls->in, c)) {
        no_memory(ls);
    } else {
        ls->held += len;
        ls->marks += is_mark;
    }
}

/* The lane that takes what is put next; NULL: all are busy. */
static struct wr_lane *newest(struct wr_lanes *ls)
{
    struct wr_lane *old = ls->active ? wr_lanes_at(ls, ls->active - 1) : NULL;
    if (old && (old->left || old->last))
        return old;
    if (ls->active == ls->p->lanes || ls->done)
        return NULL;
    struct wr_lane *l = wr_lanes_at(ls, ls->active++);
    unsigned char *used = l->before;
    wr_lane_clear(l);
    wr_lane_init(l, ls->alloc);
    l->left = ls->p->section;
    l->tuned = ls->tuned;
    l->first = !ls->begun;
    l->before = ls->window;
    l->before_len = ls->window_len;
    ls->window = used;
    ls->window_len = 0;
    ls->begun = true;
    return l;
}

/* Remembers the end of L's section for the next one. */
static int remember(struct wr_lanes *ls, const struct wr_lane *l, const struct wr_chunk *c)
{
    size_t window = ls->p->window;
    if (l->left >= window + c->len)
        return 0;
    if (!ls->window)
        ls->window = wr_alloc_get(ls->alloc, window);
    if (!ls->window)
        return -1;
    size_t skip = l->left > window ? (size_t)(l->left - window) : 0;
    memcpy(ls->window + ls->window_len, c->data + skip, c->len - skip);
    ls->window_len += c->len - skip;
    return 0;
}

/* After a full flush nothing may refer to what was before it. */
static void hand_out_mark(struct wr_lanes *ls, const struct mark *m)
{
    if (m->arg)
        ls->tuned = m->arg;
    if (m->flush == WR_FLUSH_FULL)
        ls->window_len = 0;
}

/* Gives L what it takes of the first slice that waits. */
static int hand_out_one(struct wr_lanes *ls, struct wr_lane *l)
{
    const struct wr_chunk *first = wr_queue_peek(&ls->in, 0);
    struct wr_chunk c;
    if (first->len <= l->left) {
        c = wr_queue_take(&ls->in);
    } else {
        c = wr_chunk_part(first, 0, (size_t)l->left);
        wr_queue_drop(&ls->in, c.len);
    }
    if (mark_of(&c)) {
        hand_out_mark(ls, mark_of(&c));
    } else if (in_sections(ls) && remember(ls, l, &c)) {
        wr_chunk_clear(&c);
        return -1;
    }
    if (in_sections(ls))
        l->left -= c.len;
    return wr_queue_push(&l->pending, c);
}

void wr_lanes_hand_out(struct wr_lanes *ls)
{
    struct wr_lane *l = NULL;
    while (ls->in.count && !ls->failed && (l = newest(ls)) != NULL) {
        if (hand_out_one(ls, l))
            no_memory(ls);
    }
    if (ls->ending && !ls->in.count && (l = newest(ls)) != NULL)
        l->last = true;
}

/* ---- jobs */

bool wr_lanes_has_work(const struct wr_lane *l)
{
    return !l->out && !l->over && (l->loaded || l->pending.count || l->last || !l->left);
}

/* All that L was handed goes into the job, up to the first mark; also into one that goes on. */
static int load(struct wr_lanes *ls, struct wr_lane *l)
{
    if (!l->loaded) {
        l->flush = ls->p->each;
        l->arg = 0;
        l->loaded = true;
    }
    while (l->pending.count && !l->marked) {
        struct wr_chunk c = wr_queue_take(&l->pending);
        const struct mark *m = mark_of(&c);
        if (m) {
            l->flush = m->flush;
            l->arg = m->arg;
            l->marked = true;
            wr_chunk_clear(&c);
        } else if (wr_queue_push(&l->in, c)) {
            return -1;
        }
    }
    if (!l->pending.count && !l->marked && (l->last || !l->left)) {
        l->flush = l->last ? WR_FLUSH_FINISH : WR_FLUSH_SYNC;
        l->closing = true;
    }
    return 0;
}

static void drop_input(struct wr_lanes *ls, const struct wr_lane *l, struct wr_queue *q)
{
    ls->held -= q->bytes;
    while (q->count) {
        struct wr_chunk c = wr_queue_take(q);
        if (mark_of(&c))
            ls->marks--;
        else if (!l->failed && ls->p->ops->rest)
            ls->p->ops->rest(ls->w, &c);
        wr_chunk_clear(&c);
    }
}

/* Nothing more comes out of L: what it did not consume is of no use to it. */
static void end_lane(struct wr_lanes *ls, struct wr_lane *l, bool failed)
{
    l->over = true;
    l->failed = failed;
    if (l->marked)
        ls->marks--;
    drop_input(ls, l, &l->in);
    drop_input(ls, l, &l->pending);
    if (!l->closing)
        drop_input(ls, l, &ls->in);
}

int wr_lanes_load(struct wr_lanes *ls, struct wr_lane *l, bool large)
{
    if (load(ls, l) == 0 && give_rooms(ls, l, large) == 0)
        return 0;
    l->fault = wr_error_fault(WR_E_NO_MEMORY);
    end_lane(ls, l, true);
    return -1;
}

static void begin_section(struct wr_lanes *ls, struct wr_lane *l)
{
    struct wr_fault fault = {0};
    l->codec = ls->p->ops->section(ls->w, l->first, l->tuned, l->before, l->before_len, &fault);
    if (l->codec)
        return;
    l->step = WR_STEP_FAIL;
    l->fault = fault;
    l->consumed = 0;
}

void wr_lanes_work(struct wr_lanes *ls, unsigned index)
{
    struct wr_lane *l = &ls->lanes[index];
    if (!l->codec)
        begin_section(ls, l);
    if (!l->codec)
        return;
    wr_lane_work(l);
    if (l->step == WR_STEP_MORE && l->arg && ls->p->ops->tune(ls->w, l->codec, l->arg, &l->fault))
        l->step = WR_STEP_FAIL;
}

/* The job has come to its end. */
static void end_job(struct wr_lanes *ls, struct wr_lane *l)
{
    l->loaded = false;
    l->over = l->closing;
    if (l->marked)
        ls->marks--;
    l->marked = false;
}

void wr_lanes_results(struct wr_lanes *ls, struct wr_lane *l)
{
    ls->moved = true;
    ls->held -= l->consumed;
    ls->taken += l->consumed;
    wr_queue_drop(&l->in, l->consumed);
    if (ls->p->ops->turn && !in_sections(ls))
        ls->p->ops->turn(ls->w, l->codec, WR_WORN_JOB, NULL);
    if (wr_lane_collect(l, ls->alloc, ls->p->chunk)) {
        l->fault = wr_error_fault(WR_E_NO_MEMORY);
        l->step = WR_STEP_FAIL;
    }
    if (l->step == WR_STEP_FAIL)
        end_lane(ls, l, true);
    else if (l->step == WR_STEP_DONE)
        end_lane(ls, l, false);
    else if (l->step == WR_STEP_MORE)
        end_job(ls, l);
}

/* ---- output */

static void retire(struct wr_lanes *ls, struct wr_lane *l)
{
    unsigned char tail[WR_WORN_TAIL_MOST];
    size_t n = 0;
    l->retired = true;
    if (l->failed)
        wr_lanes_fail(ls, l->fault);
    else if (ls->p->ops->turn && l->codec)
        n = ls->p->ops->turn(ls->w, l->codec, l->last || !in_sections(ls) ? WR_WORN_END : WR_WORN_SECTION, tail);
    if (n && wr_lane_append(l, ls->alloc, tail, n, ls->p->chunk))
        no_memory(ls);
    if (l->codec)
        l->codec->ops->free(l->codec);
    l->codec = NULL;
}

/* All of the first lane was taken, and there will be no more. */
static void leave(struct wr_lanes *ls, const struct wr_lane *l)
{
    ls->moved = true;
    if (l->last || !in_sections(ls)) {
        ls->done = true;
        ls->active = 0;
    } else {
        ls->first = (ls->first + 1) % ls->p->lanes;
        ls->active--;
    }
}

bool wr_lanes_ready(struct wr_lanes *ls)
{
    while (ls->active) {
        struct wr_lane *l = wr_lanes_at(ls, 0);
        if (l->over && !l->retired)
            retire(ls, l);
        if (l->ready.count)
            return true;
        if (!l->over || ls->failed)
            return false;
        leave(ls, l);
    }
    return false;
}

struct wr_chunk wr_lanes_take(struct wr_lanes *ls)
{
    return wr_queue_take(&wr_lanes_at(ls, 0)->ready);
}

bool wr_lanes_idle(struct wr_lanes *ls)
{
    if (ls->held || ls->marks || ls->outs || ls->in.count)
        return false;
    for (unsigned i = 0; i < ls->active; i++)
        if (wr_lanes_at(ls, i)->ready.count)
            return false;
    return !(ls->active && wr_lanes_at(ls, 0)->loaded);
}

/* ---- its life */

/* About SIZE bytes, but whole chunks. */
static size_t room_size(size_t size, size_t chunk)
{
    if (chunk < size)
        return size / chunk * chunk;
    return chunk < MOST ? chunk : MOST;
}

void wr_lanes_init(struct wr_lanes *ls, struct wr_worn *w, struct wr_alloc *a, const struct wr_worn_params *p)
{
    *ls = (struct wr_lanes){.w = w, .alloc = a, .p = p, .tuned = p->first};
    ls->small = room_size(SMALL, p->chunk);
    ls->large = room_size(p->room < LARGE ? p->room : LARGE, p->chunk);
    for (unsigned i = 0; i < WR_WORN_LANES; i++)
        wr_lane_init(&ls->lanes[i], a);
    wr_queue_init(&ls->in, a);
    if (in_sections(ls))
        return;
    ls->active = 1;
    ls->lanes[0].codec = p->codec;
    ls->lanes[0].left = UINT64_MAX;
}

void wr_lanes_clear(struct wr_lanes *ls)
{
    for (unsigned i = 0; i < WR_WORN_LANES; i++) {
        struct wr_lane *l = &ls->lanes[i];
        wr_lane_clear(l);
        wr_alloc_free(ls->alloc, l->before, ls->p->window);
        l->before = NULL;
    }
    wr_alloc_free(ls->alloc, ls->window, ls->p->window);
    ls->window = NULL;
    wr_queue_clear(&ls->in);
    wr_lanes_tidy(ls, 0);
    ls->active = 0;
    ls->done = true;
}
