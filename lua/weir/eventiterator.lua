-- SPDX-License-Identifier: MIT
-- What `events.on` gives: an iterator over events, which keeps those that come while nobody asks.

local class = require 'weir.class'
local errors = require 'weir.errors'
local wait = require 'weir.wait'

local type, error, ipairs = type, error, ipairs
local remove = table.remove

local function outcome(good, ...)
  if good then return ... end
  error((...), 0)
end

---@class weir.EventIterator: weir.Class
local EventIterator = class.new('EventIterator')

-- Fields: _queue (events not asked for yet, from _head to _tail), _waiters (wakers of those who wait), _failure, _closed,
-- _undo (functions that remove the listeners), and for the marks _emitter, _high, _low, _paused.

local function mark(options, name, default)
  local value = options and options[name]
  if value == nil then return default end
  if type(value) ~= 'number' then error(errors.argType('options.' .. name, 'number', value)) end
  if value ~= value or value < 1 then error(errors.outOfRange('options.' .. name, '>= 1', value)) end
  return value
end

function EventIterator:init(emitter, options)
  self._queue, self._head, self._tail = {}, 1, 0
  self._waiters, self._undo = {}, {}
  self._closed, self._failure, self._paused = false, false, false
  self._emitter = emitter
  self._high, self._low = mark(options, 'highWaterMark', math.huge), mark(options, 'lowWaterMark', 1)
end

function EventIterator:_listen(emitter, name, listener)
  emitter:on(name, listener)
  self._undo[#self._undo + 1] = function() emitter:removeListener(name, listener) end
end

function EventIterator:_put(event)
  local waiter = remove(self._waiters, 1)
  if waiter then
    waiter(true, event)
    return
  end
  self._tail = self._tail + 1
  self._queue[self._tail] = event
  if not self._paused and self._tail - self._head + 1 > self._high then
    self._paused = true
    self._emitter:pause()
  end
end

function EventIterator:_fail(err)
  local waiter = remove(self._waiters, 1)
  if waiter then waiter(false, err) else self._failure = err end
  self:close()
end

function EventIterator:_take()
  local event = self._queue[self._head]
  self._queue[self._head] = nil
  self._head = self._head + 1
  if self._paused and self._tail - self._head + 1 < self._low then
    self._paused = false
    self._emitter:resume()
  end
  return event
end

---The next event's arguments as a table `{ n = count, ... }`, waiting for it if need be; nil when the iteration is over.
---Raises, once, the error that ended it. Calling the iterator is the same.
---@return table?
function EventIterator:next()
  if self._head <= self._tail then return self:_take() end
  if self._failure then
    local err = self._failure
    self._failure = false
    error(err, 0)
  end
  if self._closed then return nil end
  local wake, here = wait.prepare()
  self._waiters[#self._waiters + 1] = wake
  return outcome(here())
end

function EventIterator:__call() return self:next() end

---Stops listening. Whoever waits in `next` gets nil; events that came before can still be taken. May be called again.
function EventIterator:close()
  if self._closed then return end
  self._closed = true
  for _, undo in ipairs(self._undo) do undo() end
  for _, waiter in ipairs(self._waiters) do waiter(true, nil) end
  self._waiters, self._undo = {}, {}
end

return EventIterator
