/* SPDX-License-Identifier: MIT */
/* The checksums of gzip and zlib. */
#ifndef WR_CODEC_CHECKSUM_H
#define WR_CODEC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what CHECK (at first 0; adler32: 1) is of, and LEN bytes at DATA behind it. */
uint32_t wr_checksum_crc32(uint32_t check, const void *data, size_t len);
uint32_t wr_checksum_adler32(uint32_t check, const void *data, size_t len);

/* The checksum of what A is of, and behind it LEN bytes whose own checksum is B. */
uint32_t wr_checksum_crc32_join(uint32_t a, uint32_t b, uint64_t len);
uint32_t wr_checksum_adler32_join(uint32_t a, uint32_t b, uint64_t len);

#endif
