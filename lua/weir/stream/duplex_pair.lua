-- SPDX-License-Identifier: MIT
-- duplexPair: two Duplexes, back to back.

local core = require 'weir.core'
local class = require 'weir.class'
local Duplex = require('weir.stream.duplex').Duplex

local M = {}

local End = class.new('Duplex', Duplex)

function End:init(options)
  Duplex.init(self, options or {})
end

-- Whoever wrote at the other end may go on.
function End:_read()
  local callback = self._waiting
  self._waiting = nil
  if callback then callback() end
end

function End:_write(chunk, callback)
  if chunk == '' then return core.nextTick(callback) end
  local other = self._other
  other._waiting = callback
  other:push(chunk)
end

function End:_final(callback)
  self._other:on('end', callback)
  self._other:push(nil)
end

---`duplexPair(options)`: two streams, each of which reads what the other writes, as the two ends of a connection: for tests, and
---for protocols in one process. A write calls back when the other end reads on; `finish()` is the other's `'end'`, and has finished
---when that has come. Each has its own life: to destroy one end does nothing to the other, as in Node 20. `options` are those of
---Duplex, for both. Node's `stream.duplexPair`.
---@param options? table
---@return weir.Duplex a
---@return weir.Duplex b
function M.duplexPair(options)
  local a, b = End(options), End(options)
  a._other, b._other = b, a
  return a, b
end

return M
