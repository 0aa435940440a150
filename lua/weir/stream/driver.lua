-- SPDX-License-Identifier: MIT
-- Drivers: the loops that run a burst of handlers inside compiled Lua. The core's half is runtime/flow/pump.c.
--
-- There is one driver for each handler prototype: one for all would be compiled for the first few handlers only (ten times
-- slower with 64 of them), one a stream costs 150 microseconds a stream and flushes every trace of the process. All that
-- belongs to the stream comes in as an argument, nothing as an upvalue. head and tail are stored per chunk, so the counts are
-- right whenever a handler looks, and a burst can stop anywhere.

local util = require 'jit.util'

local loadstring, setmetatable, pairs, assert = loadstring, setmetatable, pairs, assert
local funcinfo = util.funcinfo

local M = {}

-- `go` is IN (1) while a handler runs and DONE (2) once its callback came; anything else ends the burst.
local WRITE = [[
local band = require('bit').band
return function(st)
  local self, fn, cb, s, up, ring, run = st.self, st.fn, st.cb, st.s, st.up, st.ring, st.s.run
  for _ = 1, up.rtail - up.rhead do
    local head = up.rhead
    if head == up.rtail then return end
    local k = band(head, up.rmask)
    local v = ring[k]
    ring[k] = false
    up.rhead = head + 1
    s.go = 1
    $AT
    fn(self, v, cb)
    if s.run ~= run then return end
    if s.go ~= 2 $FULL then return end
  end
end]]

local READ = [[
return function(st)
  local self, fn, s, run = st.self, st.fn, st.s, st.s.run
  local mark = s.rmark
  for _ = 1, mark - (s.rtail - s.rhead) do
    local tail = s.rtail
    s.at = tail
    s.go = 1
    fn(self, mark)
    if s.run ~= run then return end
    if s.go ~= 1 or s.rtail == tail or s.rtail - s.rhead >= mark then return end
  end
end]]

local SOURCES = {
  read = READ,
  sink = WRITE:gsub('%$AT', ''):gsub('%$FULL', ''),
  bytes = WRITE:gsub('%$AT', ''):gsub('%$FULL', 'or s.rsize >= s.rmark'),
  objects = WRITE:gsub('%$AT', 's.at = s.rtail'):gsub('%$FULL', 'or s.rtail - s.rhead >= s.rmark'),
}

local caches, common = {}, {}
for kind in pairs(SOURCES) do caches[kind] = setmetatable({}, { __mode = 'k' }) end

local function make(kind)
  return assert(loadstring(SOURCES[kind], '=weir.burst'))()
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
    st = {
      driverFor(kind, burst.write),
      self = self, fn = burst.write, cb = burst.callback, s = self._s, up = source._s, ring = source._r,
    }
    burst.into = st
  else
    st = { driverFor('read', burst.read), self = self, fn = burst.read, s = self._s }
    burst.from = st
  end
  return st
end

return M
