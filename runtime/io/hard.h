/* SPDX-License-Identifier: MIT */
/* System calls at their most miserly, for the hard build: reads of one byte, writes that come back short. */
#ifndef WR_IO_HARD_H
#define WR_IO_HARD_H

#include "sys.h"

/* SYS; or, in the hard build with `io1` in WEIR_HARD, a table that calls the default one so. */
const struct wr_sys *wr_hard_sys(const struct wr_sys *sys);

#endif
