/* SPDX-License-Identifier: MIT */
/* The carry: a record that is spread over several slices is put together here. It lies in a counted buffer, so that
 * whoever got the record may keep it by a reference; what is kept is never written again.
 */
#ifndef WR_CODEC_CARRY_H
#define WR_CODEC_CARRY_H

#include "chunk.h"

struct wr_carry {
    struct wr_alloc *alloc;
    struct wr_buffer *buffer; /* NULL: none yet */
    size_t len;               /* of the record so far */
};

/* An empty carry; allocates nothing yet. */
void wr_carry_init(struct wr_carry *c, struct wr_alloc *a);

/* Gives its buffer back. */
void wr_carry_clear(struct wr_carry *c);

/* Appends LEN bytes at DATA. The room doubles, but is never made larger than MOST, which the record with these bytes does
 * not exceed. 0, or -1 for no memory. */
int wr_carry_append(struct wr_carry *c, const void *data, size_t len, size_t most);

/* Begins a new record. The buffer is used again if nobody else holds it. */
void wr_carry_restart(struct wr_carry *c);

#endif
