/* SPDX-License-Identifier: MIT */
/* A pairing heap of nodes that live in their owners' structs, least first: by key, then by the order of insertion.
 *
 * It allocates nothing, so nothing can fail. Insertion, and removal of a node that was never at the top of others, take
 * constant time; removal of the least takes logarithmic time, amortised. No recursion.
 */
#ifndef WR_LOOP_HEAP_H
#define WR_LOOP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wr_heap_node {
    uint64_t key, number;
    struct wr_heap_node *child; /* the first */
    struct wr_heap_node *next;  /* sibling */
    struct wr_heap_node **link; /* what points to this node; NULL: it is in no heap */
};

struct wr_heap {
    struct wr_heap_node *top;
    uint64_t number; /* of insertions */
};

/* An empty heap. */
void wr_heap_init(struct wr_heap *h);

/* A node in no heap. */
void wr_heap_node_init(struct wr_heap_node *n);

/* Is N in a heap? */
static inline bool wr_heap_has(const struct wr_heap_node *n)
{
    return n->link != NULL;
}

/* The least node, or NULL. */
static inline struct wr_heap_node *wr_heap_peek(const struct wr_heap *h)
{
    return h->top;
}

/* Puts N, which is in no heap, in with KEY. H must not move in memory as long as it holds nodes. */
void wr_heap_insert(struct wr_heap *h, struct wr_heap_node *n, uint64_t key);

/* Takes N, which is in H, out. */
void wr_heap_remove(struct wr_heap *h, struct wr_heap_node *n);

#endif
