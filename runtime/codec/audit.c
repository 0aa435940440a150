/* SPDX-License-Identifier: MIT */
/* A row of notes in the order of the output: where a part begins that is to be checked, and where it ends. */
#include "checksum.h"
#include "zbase.h"

#include "audit.h"

void wr_audit_init(struct wr_audit *a, struct wr_alloc *alloc)
{
    *a = (struct wr_audit){0};
    wr_fifo_init(&a->notes, alloc, sizeof(struct wr_inflate_note));
}

void wr_audit_clear(struct wr_audit *a)
{
    wr_fifo_clear(&a->notes);
}

int wr_audit_note(struct wr_audit *a, struct wr_codec *c)
{
    struct wr_inflate_note notes[WR_INFLATE_NOTES];
    unsigned n = wr_inflate_notes(c, notes);
    if (n > 0 && wr_fifo_reserve(&a->notes, n) < 0)
        return -1;
    for (unsigned i = 0; i < n; i++)
        wr_fifo_push(&a->notes, &notes[i]);
    return 0;
}

static void add(struct wr_audit *a, const unsigned char *data, size_t len)
{
    a->at += len;
    if (!a->under_way || len == 0)
        return;
    a->check = a->gzip ? wr_checksum_crc32(a->check, data, len) : wr_checksum_adler32(a->check, data, len);
}

/* The output is where NOTE is. */
static int reach(struct wr_audit *a, const struct wr_inflate_note *note, struct wr_fault *fault)
{
    a->under_way = !note->end;
    if (!note->end) {
        a->check = note->check;
        a->gzip = note->gzip;
        return 0;
    }
    bool wrong = note->check != a->check;
    if (wrong || note->wrong_len)
        *fault = wr_zbase_fault(Z_DATA_ERROR, wrong ? "incorrect data check" : "incorrect length check");
    return wrong || note->wrong_len ? -1 : 0;
}

int wr_audit_look(struct wr_audit *a, const unsigned char *data, size_t len, size_t *good, struct wr_fault *fault)
{
    size_t seen = 0;
    while (a->notes.count) {
        const struct wr_inflate_note *next = wr_fifo_peek(&a->notes, 0);
        if (next->at - a->at > len - seen)
            break;
        size_t n = (size_t)(next->at - a->at);
        add(a, data + seen, n);
        seen += n;
        struct wr_inflate_note note;
        wr_fifo_take(&a->notes, &note);
        if (reach(a, &note, fault) < 0) {
            *good = seen;
            return -1;
        }
    }
    if (seen < len)
        add(a, data + seen, len - seen);
    *good = len;
    return 0;
}
