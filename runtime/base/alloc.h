/* SPDX-License-Identifier: MIT */
/* The one door for memory.
 *
 * Everything that C code here allocates goes through a struct wr_alloc: the runtime's own, or the one that an embedder
 * gave. Sizes are passed on free and resize, so that an allocator needs no headers of its own, and the balance is exact:
 * tests end with it at zero. Jobs of the worker pool allocate too (zlib does), so the function must be safe to call from
 * several threads at once; the balance is atomic.
 */
#ifndef WR_BASE_ALLOC_H
#define WR_BASE_ALLOC_H

#include <stdatomic.h>
#include <stddef.h>

/* PTR NULL: allocate NEW_SIZE bytes. NEW_SIZE 0: free PTR and return NULL. Else resize PTR of OLD_SIZE bytes; on failure
 * return NULL and leave PTR as it was. Must be safe from several threads. */
typedef void *wr_alloc_fn(void *user, void *ptr, size_t old_size, size_t new_size);

struct wr_alloc {
    wr_alloc_fn *fn;
    void *user;
    _Atomic size_t balance; /* bytes out */
#ifdef WR_HARD
    _Atomic long left; /* the one that is to fail is so many allocations away; 0 or less: none */
    const char *word;  /* by which WEIR_HARD asks for that */
#endif
};

/* Sets A up with FN and USER; FN NULL means malloc's family. */
void wr_alloc_init(struct wr_alloc *a, wr_alloc_fn *fn, void *user);

/* In the hard build, the allocation of A that fails is the one that WORD says in WEIR_HARD, not `alloc`. Counts from now on. */
void wr_alloc_harden(struct wr_alloc *a, const char *word);

/* In the hard build, the Nth allocation of A from now on fails; N 0 or less: none. */
void wr_alloc_fail(struct wr_alloc *a, long n);

/* SIZE (> 0) bytes, not cleared, or NULL for no memory. The caller frees them with wr_alloc_free and the same size. */
void *wr_alloc_get(struct wr_alloc *a, size_t size);

/* The same, cleared to zero. */
void *wr_alloc_zero(struct wr_alloc *a, size_t size);

/* Resizes PTR (NULL: allocates) from OLD_SIZE to NEW_SIZE (> 0) bytes; NULL for no memory, PTR then stays valid. */
void *wr_alloc_resize(struct wr_alloc *a, void *ptr, size_t old_size, size_t new_size);

/* Frees PTR of SIZE bytes; NULL does nothing. */
void wr_alloc_free(struct wr_alloc *a, void *ptr, size_t size);

/* The bytes that are out at this moment. */
size_t wr_alloc_balance(const struct wr_alloc *a);

#endif
