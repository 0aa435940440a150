/* SPDX-License-Identifier: MIT */
/* zlib's checksums, behind a name that may be seen by rooms that must not see zlib. */
#include <zlib.h>

#include "checksum.h"

uint32_t wr_checksum_crc32(uint32_t check, const void *data, size_t len)
{
    return len ? (uint32_t)crc32_z(check, data, len) : check;
}

uint32_t wr_checksum_adler32(uint32_t check, const void *data, size_t len)
{
    return len ? (uint32_t)adler32_z(check, data, len) : check;
}

uint32_t wr_checksum_crc32_join(uint32_t a, uint32_t b, uint64_t len)
{
    return (uint32_t)crc32_combine(a, b, (z_off_t)len);
}

uint32_t wr_checksum_adler32_join(uint32_t a, uint32_t b, uint64_t len)
{
    return (uint32_t)adler32_combine(a, b, (z_off_t)len);
}
