/* SPDX-License-Identifier: MIT */
/* The allocator door: counts what is out and hands on to malloc's family or the embedder's function. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hardmode.h"

#include "alloc.h"

static void *system_alloc(void *user, void *ptr, size_t old_size, size_t new_size)
{
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

/* Is this the allocation that the hard build lets fail? */
static bool refuses(struct wr_alloc *a, size_t size)
{
#ifdef WR_HARD
    if (atomic_load(&a->left) <= 0 || atomic_fetch_sub(&a->left, 1) != 1)
        return false;
    wr_hardmode_tell(a->word, size);
    return true;
#else
    (void)a;
    (void)size;
    return false;
#endif
}

void wr_alloc_init(struct wr_alloc *a, wr_alloc_fn *fn, void *user)
{
    a->fn = fn ? fn : system_alloc;
    a->user = user;
    atomic_init(&a->balance, 0);
    wr_alloc_harden(a, "alloc");
}

void wr_alloc_harden(struct wr_alloc *a, const char *word)
{
#ifdef WR_HARD
    a->word = word;
    wr_alloc_fail(a, wr_hardmode_get(word));
#else
    (void)a;
    (void)word;
#endif
}

void wr_alloc_fail(struct wr_alloc *a, long n)
{
#ifdef WR_HARD
    atomic_store(&a->left, n);
#else
    (void)a;
    (void)n;
#endif
}

void *wr_alloc_get(struct wr_alloc *a, size_t size)
{
    void *p = refuses(a, size) ? NULL : a->fn(a->user, NULL, 0, size);
    if (p)
        atomic_fetch_add_explicit(&a->balance, size, memory_order_relaxed);
    return p;
}

void *wr_alloc_zero(struct wr_alloc *a, size_t size)
{
    void *p = wr_alloc_get(a, size);
    return p ? memset(p, 0, size) : NULL;
}

void *wr_alloc_resize(struct wr_alloc *a, void *ptr, size_t old_size, size_t new_size)
{
    if (!ptr)
        return wr_alloc_get(a, new_size);
    void *p = new_size > old_size && refuses(a, new_size) ? NULL : a->fn(a->user, ptr, old_size, new_size);
    if (p) {
        atomic_fetch_add_explicit(&a->balance, new_size, memory_order_relaxed);
        atomic_fetch_sub_explicit(&a->balance, old_size, memory_order_relaxed);
    }
    return p;
}

void wr_alloc_free(struct wr_alloc *a, void *ptr, size_t size)
{
    if (!ptr)
        return;
    a->fn(a->user, ptr, size, 0);
    atomic_fetch_sub_explicit(&a->balance, size, memory_order_relaxed);
}

size_t wr_alloc_balance(const struct wr_alloc *a)
{
    return atomic_load_explicit(&a->balance, memory_order_relaxed);
}
