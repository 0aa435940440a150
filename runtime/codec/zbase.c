/* SPDX-License-Identifier: MIT */
/* zlib's memory and errors.
 *
 * zlib's free function is not told the size, which the door wants to know: each block begins with a head that holds it.
 */
#include <stdalign.h>
#include <string.h>

#include "zbase.h"

struct head {
    alignas(max_align_t) size_t size;
};

static const struct {
    int number;
    const char *code, *text;
} names[] = {
    {Z_NEED_DICT, "Z_NEED_DICT", "Missing dictionary"},
    {Z_STREAM_ERROR, "Z_STREAM_ERROR", "stream error"},
    {Z_DATA_ERROR, "Z_DATA_ERROR", "data error"},
    {Z_BUF_ERROR, "Z_BUF_ERROR", "unexpected end of file"},
    {Z_VERSION_ERROR, "Z_VERSION_ERROR", "incompatible version"},
};

static voidpf get(voidpf user, uInt items, uInt size)
{
    if (size > 0 && items > (SIZE_MAX - sizeof(struct head)) / size)
        return Z_NULL;
    size_t total = sizeof(struct head) + (size_t)items * size;
    struct head *h = wr_alloc_get(user, total);
    if (!h)
        return Z_NULL;
    h->size = total;
    return h + 1;
}

static void put(voidpf user, voidpf ptr)
{
    struct head *h = (struct head *)ptr - 1;
    wr_alloc_free(user, h, h->size);
}

void wr_zbase_init(z_stream *z, struct wr_alloc *a)
{
    memset(z, 0, sizeof *z);
    z->zalloc = get;
    z->zfree = put;
    z->opaque = a;
}

struct wr_fault wr_zbase_fault(int number, const char *text)
{
    if (number == Z_MEM_ERROR)
        return wr_error_fault(WR_E_NO_MEMORY);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return (struct wr_fault){WR_DOMAIN_ZLIB, number, names[i].code, text ? text : names[i].text};
    return (struct wr_fault){WR_DOMAIN_ZLIB, number, "Z_ERRNO", text ? text : "unknown error"};
}
