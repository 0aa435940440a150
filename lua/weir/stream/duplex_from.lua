-- SPDX-License-Identifier: MIT
-- Duplex.from: whatever can be read, written or both, as one Duplex.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local class = require 'weir.class'
local errors = require 'weir.errors'
local from = require 'weir.stream.from'
local stage = require 'weir.stream.stage'
local Front = require 'weir.stream.front'
local Duplex = require('weir.stream.duplex').Duplex

local isStream = base.isStream
local type, error = type, error

-- ---- A pair of streams ----------------------------------------------------------------------------------------------------

local Pair = class.new('Duplex', Front)

-- A stream that is over by itself is not destroyed with the pair; its error destroys the other one.
local function follow(self, stream, other)
  self._live[stream] = true
  core.finished(stream, nil, nil, true, function(err)
    if not err then self._live[stream] = nil end
    if err and other then core.abort(other, err) end
    self:_over(err)
  end)
end

function Pair:init(into, outOf)
  self._live = {}
  Front.init(self, into, outOf)
  if self.writable then
    into:on('finish', function() self:_release('_finishing') end)
    follow(self, into, outOf)
  end
  if self.readable then follow(self, outOf, into) end
end

function Pair:_destroyStages(err)
  local into, outOf, live = self._into, self._outOf, self._live
  if live[into] then core.abort(into, err) end
  if live[outOf] then core.abort(outOf, err) end
end

-- ---- What gives values ----------------------------------------------------------------------------------------------------

local Source = class.new('Duplex', Duplex)
Source._read, Source._destroy = from.From._read, from.From._destroy

function Source:init(x)
  self._next, self._close = from.itemsOf(x)
  Duplex.init(self, { objectMode = true, highWaterMark = 1, writable = false })
end

-- ---- Which it is ----------------------------------------------------------------------------------------------------------

local EXPECTED = { 'function', 'table', 'string', 'thread', 'Stream' }

local function fromStream(stream)
  local reads, writes = stream.readable ~= nil, stream.writable ~= nil
  if reads and writes then return stream end
  return reads and Pair(nil, stream) or Pair(stream, nil)
end

local function fromFunction(fn)
  local takes = stage.takes(fn)
  if takes == 0 then return Source(fn) end
  return stage.Stage(fn, takes == 2)
end

local duplexFrom

-- One half of a pair, as a stream with that side.
local function half(x, side)
  if not x then return nil end
  if isStream(x) and x[side] ~= nil then return x end
  return duplexFrom(x)
end

local function fromTable(x)
  if type(x.readable) ~= 'table' and type(x.writable) ~= 'table' then
    if not from.isSource(x) then error(errors.argType('body', EXPECTED, x), 4) end
    return Source(x)
  end
  return Pair(half(x.writable, 'writable'), half(x.readable, 'readable'))
end

function duplexFrom(x)
  local kind = type(x)
  if isStream(x) then return fromStream(x) end
  if kind == 'function' then return fromFunction(x) end
  if kind == 'string' or kind == 'thread' then return Source(x) end
  if kind == 'table' then return fromTable(x) end
  error(errors.argType('body', EXPECTED, x), 3)
end

---`Duplex.from(x)`: a Duplex of
---- a stream: one with both sides is given back; one that is readable or writable only becomes a Duplex whose other side is
---  closed;
---- a pair `{ readable = , writable = }`, either of which may be left out, or be anything else that is said here: both are
---  destroyed with it, and an error of one destroys it and the other;
---- `function(source, emit)`: runs in a coroutine of its own. `source()` is the next chunk that was written, nil at the end
---  (`for chunk in source do`), `emit(value)` gives a value to whoever reads; both wait, and raise once the stream was
---  destroyed. It begins when it is read first. It ends the stream by returning; what is written afterwards is dropped;
---- `function(source)`: the same with the readable side closed. It begins at once; its return is `'finish'`, and must be nothing;
---- what `Readable.from` takes (an iterator is a function without parameters, or in C): the writable side is closed.
---
---A function is given `{ signal = }` as its last argument, which is `source.signal` too, and aborts when the Duplex is destroyed.
---Functions and sources are in object mode, with a mark of 1. Raises ERR_INVALID_ARG_TYPE for anything else; a
---`function(source)` that returns something fails with ERR_INVALID_RETURN_VALUE. Node's `Duplex.from`.
---@param x any
---@return weir.Duplex
function Duplex.from(x)
  return duplexFrom(x)
end

return Duplex.from
