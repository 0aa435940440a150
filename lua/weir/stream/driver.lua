-- SPDX-License-Identifier: MIT
-- Drivers: the loops that run a burst of handlers inside compiled Lua. The core's half is runtime/flow/pump.c.
--
-- There is one driver for each handler prototype: one for all would be compiled for the first few handlers only (ten times
-- slower with 64 of them), one a stream costs 150 microseconds a stream and flushes every trace of the process. All that
-- belongs to the stream comes in as an argument, nothing as an upvalue. head and tail are stored per chunk, so the counts are
-- right whenever a handler looks, and a burst can stop anywhere.
--
-- In a relay a driver calls the next one when it is done, as long as all that handlers did was to push and to call back. These
-- are tail calls, which are compiled to jumps from loop to loop. A loop over the drivers is worse either way: compiled, it looks
-- for each in a row of side traces; uncompiled, the drivers' own ways out are not compiled either, which costs two to three times
-- as much.

local core = require 'weir.core'
local ffi = require 'ffi'
local util = require 'jit.util'

local loadstring, setmetatable, pairs, assert = loadstring, setmetatable, pairs, assert
local funcinfo = util.funcinfo

ffi.cdef(core.cdef)
local state = ffi.new 'struct wr_relay'
core.relay(state)

local M = {}

-- `go` is IN (1) while `write` runs and DONE (2) once its callback came, READ (3) while `read` runs; anything else ends the
-- burst. `out`: the handler has a chunk, for as long as the burst goes on. `relay`: what comes next, by its place; at `at`
-- stands this one.
local WRITE = [[
local state = ...
local bit = require 'bit'
local band, bxor = bit.band, bit.bxor
return function(st, at, relay)
  local self, fn, cb, s, up, ring = st[2], st[3], st[4], st[5], st[6], st[7]
  local run = s.run
  state.at = at
  s.out = 1
  for _ = 1, up.rtail - up.rhead do
    local head = up.rhead
    if head == up.rtail then return end
    local k = band(head, up.rmask)
    local v = ring[k]
    ring[k] = false
    up.rhead = head + 1
    s.go = 1
    $NOTE
    fn(self, v, cb)
    if bxor(s.run, run) ~= 0 then return end
    if s.go ~= 2 then return end
    $FULL
  end
  $NEXT
end]]

local READ = [[
local state = ...
local bxor = require('bit').bxor
return function(st, _, relay)
  local self, fn, s = st[2], st[3], st[4]
  local run, mark = s.run, s.rmark
  if state.rounds == 0 then return end
  state.rounds = state.rounds - 1
  state.at = 0
  for i = 1, mark - (s.rtail - s.rhead) do
    local tail = s.rtail
    s.at = tail
    s.calls = i
    s.go = 3
    fn(self, mark)
    if bxor(s.run, run) ~= 0 then return end
    if s.go ~= 3 or s.rtail == tail then return end
    if s.rtail - s.rhead >= mark then break end
  end
  $NEXT
end]]

local NEXT = [[
  local next = relay and state.touched == 0 and relay[$AT + 1]
  if next then return next[1](next, $AT + 1, relay) end]]

local function fill(text, values)
  return (text:gsub('%$(%u+)', values))
end

-- A driver of writes. NOTE: what is done before each call of the handler; FULL: when no more is taken.
local function write(note, full)
  return fill(WRITE, {
    NOTE = note or '',
    FULL = full and 'if ' .. full .. ' then break end' or '',
    NEXT = fill(NEXT, { AT = 'at' }),
  })
end

local SOURCES = {
  read = fill(READ, { NEXT = fill(NEXT, { AT = '0' }) }),
  sink = write(),
  bytes = write(nil, 's.rsize >= s.rmark'),
  objects = write('s.at = s.rtail', 's.rtail - s.rhead >= s.rmark'),
}

local caches, common = {}, {}
for kind in pairs(SOURCES) do caches[kind] = setmetatable({}, { __mode = 'k' }) end

local function make(kind)
  return assert(loadstring(SOURCES[kind], '=weir.burst'))(state)
end

-- The driver of handlers made from the same function as `fn`; handlers in C have no prototype and share one.
local function driverFor(kind, fn)
  local proto = funcinfo(fn).proto
  local cache, key = caches[kind], proto
  if not proto then cache, key = common, kind end
  local driver = cache[key]
  if not driver then
    driver = make(kind)
    cache[key] = driver
  end
  return driver
end

---What a burst into `self` from `source` needs; without `source`, a burst of its own `read`. [1] is the driver. Held by the
---stream, so that the core's table of them can be weak.
---@param self weir.Stream
---@param source? weir.Stream
---@return table
function M.prepare(self, source)
  local burst = self._burst
  local st
  if source then
    local kind = 'sink'
    if burst.isTransform then kind = self._r and 'objects' or 'bytes' end
    st = { driverFor(kind, burst.write), self, burst.write, burst.callback, self._s, source._s, source._r }
    burst.into = st
  else
    st = { driverFor('read', burst.read), self, burst.read, self._s }
    burst.from = st
  end
  return st
end

return M
