/* SPDX-License-Identifier: MIT */
/* The pairing heap: two trees become one by putting the greater top among the children of the lesser; the children of a
 * top that goes are paired off from the left and the pairs then put together from the right (the "two passes" on which
 * the amortised bound rests). A binary heap in an array, libev's way, was rejected because it must allocate; a timing
 * wheel, because it wakes the process before a timer is due, to sort its slots.
 */
#include "heap.h"

static bool less(const struct wr_heap_node *a, const struct wr_heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->number < b->number;
}

/* Puts the tree N in at LINK, before what is there. */
static void hang(struct wr_heap_node **link, struct wr_heap_node *n)
{
    n->next = *link;
    n->link = link;
    if (n->next)
        n->next->link = &n->next;
    *link = n;
}

/* One tree of two, neither of which hangs anywhere. */
static struct wr_heap_node *meld(struct wr_heap_node *a, struct wr_heap_node *b)
{
    if (less(b, a)) {
        struct wr_heap_node *t = a;
        a = b;
        b = t;
    }
    hang(&a->child, b);
    return a;
}

/* Melds the siblings from N on in pairs; the list of the pairs, last pair first, linked by next. */
static struct wr_heap_node *pair_off(struct wr_heap_node *n)
{
    struct wr_heap_node *pairs = NULL;
    while (n) {
        struct wr_heap_node *a = n, *b = n->next;
        n = b ? b->next : NULL;
        if (b)
            a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    return pairs;
}

/* One tree of the siblings from N on, which hang nowhere any more; NULL if there are none. */
static struct wr_heap_node *gather(struct wr_heap_node *n)
{
    struct wr_heap_node *pairs = pair_off(n);
    if (!pairs)
        return NULL;
    struct wr_heap_node *all = pairs;
    pairs = pairs->next;
    while (pairs) {
        struct wr_heap_node *next = pairs->next;
        all = meld(all, pairs);
        pairs = next;
    }
    return all;
}

/* Makes N the top of H. */
static void crown(struct wr_heap *h, struct wr_heap_node *n)
{
    h->top = n;
    n->next = NULL;
    n->link = &h->top;
}

static void detach(struct wr_heap_node *n)
{
    *n->link = n->next;
    if (n->next)
        n->next->link = n->link;
    n->next = NULL;
    n->link = NULL;
}

void wr_heap_init(struct wr_heap *h)
{
    h->top = NULL;
    h->number = 0;
}

void wr_heap_node_init(struct wr_heap_node *n)
{
    n->child = n->next = NULL;
    n->link = NULL;
}

void wr_heap_insert(struct wr_heap *h, struct wr_heap_node *n, uint64_t key)
{
    n->key = key;
    n->number = h->number++;
    crown(h, h->top ? meld(h->top, n) : n);
}

void wr_heap_remove(struct wr_heap *h, struct wr_heap_node *n)
{
    detach(n);
    struct wr_heap_node *orphans = gather(n->child);
    n->child = NULL;
    if (!orphans)
        return;
    crown(h, h->top ? meld(h->top, orphans) : orphans);
}
