-- SPDX-License-Identifier: MIT
-- Runs busted inside LuaJIT; scripts/test starts it. Debian's `busted` runs PUC Lua, and its --lua option starts a
-- second interpreter behind a first, which a preloaded sanitizer would watch too.

-- The sanitizer is preloaded for this process only, not for what the specs start.
local ffi = require 'ffi'
ffi.cdef 'int unsetenv(const char *name);'
ffi.C.unsetenv 'LD_PRELOAD'

require 'busted.runner' { standalone = false }
