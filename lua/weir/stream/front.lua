-- SPDX-License-Identifier: MIT
-- A Duplex in front of other streams: what is written to it goes into one of them, what is read from it comes from another.
-- `compose` and `Duplex.from` say which, and what becomes of it when they are over.
--
-- Its buffers are its own; of what passes it holds only the calls that are under way. It follows the streams by their events
-- and by `finished`, so that an error of theirs always finds a listener.

local class = require 'weir.class'
local errors = require 'weir.errors'
local Duplex = require('weir.stream.duplex').Duplex

---@class weir.Front: weir.Duplex
---@field package _into? weir.Writable what its writes go into
---@field package _outOf? weir.Readable what its reads come from
---@field package _wants? boolean a read found nothing: the next 'readable' goes on with it
---@field package _held? fun(err: weir.Error?) the callback of a write that waits for 'drain'
---@field package _finishing? fun(err: weir.Error?) the callback of `_final`
---@field package _closing? fun(err: weir.Error?) the callback of `_destroy`
---@field package _isOver? boolean the streams behind it are over
---@field protected _destroyStages fun(self: weir.Front, err: weir.Error?) destroys them; in the subclass
local Front = class.new('Duplex', Duplex)

local function followWritable(self, into)
  into:on('drain', function() self:_release('_held') end)
end

local function followReadable(self, outOf)
  outOf:on('readable', function()
    if self._wants then self:_read() end
  end)
  outOf:on('end', function() self:push(nil) end)
end

-- Either stream may be nil; a side that is over already is closed.
function Front:init(into, outOf)
  local writable, readable = into ~= nil and into.writable == true, outOf ~= nil and outOf.readable == true
  self._into, self._outOf = into, outOf
  Duplex.init(self, {
    writableObjectMode = into and into.writableObjectMode,
    readableObjectMode = outOf and outOf.readableObjectMode,
    writable = writable,
    readable = readable,
  })
  if writable then followWritable(self, into) end
  if readable then followReadable(self, outOf) end
end

-- Calls the callback that waits in that field, if any; once.
function Front:_release(field, err)
  local callback = self[field]
  self[field] = nil
  if callback then callback(err) end
end

function Front:_write(chunk, callback)
  if self._into:write(chunk) then callback() else self._held = callback end
end

function Front:_final(callback)
  self._finishing = callback
  self._into:finish()
end

function Front:_read()
  local outOf = self._outOf
  self._wants = false
  repeat
    local chunk = outOf:read()
    if chunk == nil then
      self._wants = true
      return
    end
  until not self:push(chunk)
end

-- The streams behind it are over, with ERR if they failed.
function Front:_over(err)
  self._isOver = true
  if self._closing then
    self:_release('_closing', err)
  elseif err then
    self:destroy(err)
  end
end

-- A write that waits for 'drain' is called back all the same (decided difference 6).
local function letGo(self, err)
  self._wants, self._finishing = false, nil
  self:_release('_held', err or errors.new('Cannot call write after a stream was destroyed', 'ERR_STREAM_DESTROYED'))
end

-- 'close' waits for the streams behind it, unless they are over.
function Front:_destroy(err, callback)
  local isOver = self._isOver
  if not err and not isOver then err = errors.abort() end
  letGo(self, err)
  if not isOver then self._closing = callback end
  self:_destroyStages(err)
  if isOver then callback(err) end
end

return Front
