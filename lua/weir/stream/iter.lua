-- SPDX-License-Identifier: MIT
-- `for chunk in stream:iter() do`: the stream's chunks, with backpressure. Node's async iterator.
--
-- A `break` closes nothing in Lua. So the iterator is an object with `close()`, and one that is left open is closed when it is
-- collected, or when the loop has run dry. What the stream knows of the iterator is `state`, which does not refer back.

local core = require 'weir.core'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local Readable = require 'weir.stream.readable'

local setmetatable, getmetatable, type, error, next, pcall = setmetatable, getmetatable, type, error, next, pcall

local M = {}

local open = setmetatable({}, { __mode = 'k' }) -- iterators that were not closed

---@class weir.Iterator
---@operator call: any
local Iterator = {}
Iterator.__index = Iterator

local function detach(state)
  local stream = state.stream
  state.stream = nil
  if not stream then return nil end
  stream:off('readable', state.onReadable)
  -- One that has failed, and has not said so yet, says it to this reader, who was here when it failed, and not to nobody.
  if state.over or not stream.destroyed then core.cleanup(state.finished) end
  return stream
end

local function leave(state)
  local stream = detach(state)
  if stream and (state.failed or state.destroyOnReturn) and (not state.over or state.autoDestroy) then
    if state.over or state.failed then core.abort(stream) else core.leave(stream) end
  end
end

-- The end of what is collected: a userdata, since tables have no __gc.
local function newSentinel(state)
  local sentinel = newproxy(true)
  getmetatable(sentinel).__gc = function()
    if state.stream then pcall(leave, state) end
  end
  return sentinel
end

-- A stream that always has a chunk would keep the loop's other work waiting: after so many without a wait, one turn of it.
local MOST = 4096

local function letOthers(state)
  state.run = 0
  local wake, here = wait.prepare()
  core.immediate(wake)
  here()
end

---The next chunk, waiting for it; nil at the end. Raises the stream's error.
---@return any
function Iterator:__call()
  local state = self._state
  state.run = state.run + 1
  if state.run > MOST then letOthers(state) end
  while state.stream do
    local stream = state.stream
    local chunk
    if not stream.destroyed then chunk = stream:read() end
    if chunk ~= nil then return chunk end
    if state.error then
      local err = state.error
      state.failed = true
      self:close()
      error(err, 0)
    end
    if state.over then
      self:close()
      return nil
    end
    state.run = 0
    wait.at(state, 'wake')
  end
  return nil
end

---Ends the iteration: the stream is destroyed, without an error, unless `destroyOnReturn = false`. Who waits for a chunk gets
---nil. Harmless twice.
function Iterator:close()
  open[self] = nil
  leave(self._state)
  wait.wakeAt(self._state, 'wake')
end

---`stream:iter(options)`: an iterator for a generic `for`, in code that may wait. `destroyOnReturn = false`: closing it early
---leaves the stream alone.
---@param options? { destroyOnReturn?: boolean }
---@return weir.Iterator
function Readable:iter(options)
  if options ~= nil and type(options) ~= 'table' then error(errors.argType('options', 'table', options), 2) end
  wait.check()
  local state = { stream = self, run = 0, destroyOnReturn = not options or options.destroyOnReturn ~= false,
    autoDestroy = core.properties.autoDestroy(self) }
  state.onReadable = function() wait.wakeAt(state, 'wake') end
  self:on('readable', state.onReadable)
  state.finished = core.finished(self, nil, false, true, function(err)
    state.error = err
    state.over = true
    wait.wakeAt(state, 'wake')
  end, true) -- an end that was given, with all before it read, is the end
  local iterator = setmetatable({ _state = state, _sentinel = newSentinel(state) }, Iterator)
  open[iterator] = true
  return iterator
end

---Closes what was left open: the loop has run dry. Whether there was anything.
---@return boolean
function M.closeAll()
  local any = false
  for iterator in next, open do
    any = true
    iterator:close()
  end
  return any
end

return M
