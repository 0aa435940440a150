-- SPDX-License-Identifier: MIT
-- Functions as streams. Node's are generators and async functions; in Lua one function that runs in a coroutine is both: it asks
-- a `source` for chunks and gives `emit` values, and either may wait.
--
-- What a function is, is said by the parameters that it has: `function()` is an iterator, as `Readable.from` takes it;
-- `function(source)` only takes; `function(source, emit)` takes and gives. (Node sees it by what a call returns; a call here
-- has nothing to return before the work is done.) A function in C is an iterator, one with `...` takes and gives.
--
-- Each is told by a signal when it may stop, as in Node: by `{ signal = }` as its last argument, and by `source.signal`, since
-- one that only takes has no other parameter.

local core = require 'weir.core'
local abort = require 'weir.abort'
local base = require 'weir.stream.base'
local class = require 'weir.class'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local Readable = require 'weir.stream.readable'
local Duplex = require('weir.stream.duplex').Duplex

local error, xpcall, setmetatable = error, xpcall, setmetatable
local getinfo = debug.getinfo
local caught, waitAt, wakeAt = base.caught, wait.at, wait.wakeAt

local M = {}

---How many of `source` and `emit` a function takes: 0, 1 or 2.
---@param fn function
---@return integer
function M.takes(fn)
  local info = getinfo(fn, 'uS')
  if info.what == 'C' then return 0 end
  return info.isvararg and 2 or math.min(info.nparams, 2)
end

---What a function asks for chunks: `source()`, which gives nil at the end.
---@class weir.Source
---@field signal weir.AbortSignal aborts when nobody needs the function any more
---@operator call: any
local Source = {}
Source.__index = Source

function Source:__call()
  return self._ask()
end

local function newSource(ask, signal)
  return setmetatable({ _ask = ask, signal = signal }, Source)
end

-- Where the function learns that its stream was destroyed.
local function check(self)
  if self.destroyed then error(self.errored or errors.abort(), 0) end
end

local function nullValue()
  return errors.new('May not write null values to stream', 'ERR_STREAM_NULL_VALUES')
end

-- What the function gives its values to; waits while nobody asks for more.
local function makeEmit(self)
  return function(value)
    if value == nil then error(nullValue(), 2) end
    check(self)
    if self._returned then error(errors.new('stream.push() after EOF', 'ERR_STREAM_PUSH_AFTER_EOF'), 2) end
    self._asked = false
    if self:push(value) or self._asked then return end
    waitAt(self, '_wakeEmit')
    check(self)
  end
end

-- Runs the function on its source. Then nobody asks that any more.
local function work(self)
  local signal = self._signal
  local function call() return self._fn(newSource(self:_open(), signal), self._emit, { signal = signal }) end
  local ok, value = xpcall(call, caught)
  self._returned = true
  self:_leave()
  if ok then self:_done(value) else self:destroy(value) end
end

-- A function that gives begins when it is asked first.
local function ask(self)
  self._asked = true
  if self._begun then return wakeAt(self, '_wakeEmit') end
  self._begun = true
  core.run(work, self)
end

-- ---- Between two streams of a pipeline ------------------------------------------------------------------------------------

---What a function gives, as a stream. Its source is the iterator of another stream, which is left when the function is done.
---@class weir.Outlet: weir.Readable
---@field left? boolean it has left its stream, which was not over
local Outlet = class.new('Readable', Readable)
M.Outlet = Outlet

local function nothing() end

-- Without a stream the source is empty.
function Outlet:init(fn, signal, stream)
  self._fn, self._signal, self._stream = fn, signal, stream
  self._emit = makeEmit(self)
  Readable.init(self, { objectMode = true, highWaterMark = 1 })
end

function Outlet:_open()
  if not self._stream then return nothing end
  local source = self._stream:iter()
  self._source = source
  return function()
    local value = source()
    check(self)
    return value
  end
end

-- Its stream is left: by the function, or by whoever has left this one. `left`: it was not over before.
function Outlet:_leave()
  local stream, source = self._stream, self._source
  if not stream or self.left ~= nil then return end
  self.left = not stream.destroyed
  if source then source:close() else core.leave(stream) end
end

Outlet._read = ask

function Outlet:_done()
  self:push(nil)
end

function Outlet:_destroy(err, callback)
  self:_leave()
  wakeAt(self, '_wakeEmit')
  callback(err)
end

---Runs `fn(source)` on the chunks of STREAM, which is left after DONE, which gets its error, or what it returned.
---@param fn function
---@param signal weir.AbortSignal
---@param stream weir.Readable
---@param done fun(err: weir.Error?, value: any)
function M.consume(fn, signal, stream, done)
  core.run(function()
    local source
    local ok, value = xpcall(function()
      source = stream:iter()
      source.signal = signal
      return fn(source)
    end, caught)
    if ok then done(nil, value) else done(value) end
    if source then source:close() end
  end)
end

-- ---- On its own -----------------------------------------------------------------------------------------------------------

---A function as a Duplex: its source is what is written. Once it has returned, what is written is dropped.
---@class weir.Stage: weir.Duplex
---@field package _chunk? any what was written and not taken; its callback:
---@field package _callback? fun(err: weir.Error?)
---@field package _ends? boolean what was not taken is the end
---@field package _controller weir.AbortController of its signal, which aborts when it is destroyed
local Stage = class.new('Duplex', Duplex)
M.Stage = Stage

-- Its source: takes what was written, waiting for it; the write is called back in a tick, as in Node.
local function makeTake(self)
  return function()
    if self._ended then return nil end
    check(self)
    if not self._callback then waitAt(self, '_wakeTake') end
    check(self)
    local chunk, callback = self._chunk, self._callback
    self._ended = self._ends
    if self._ends and not self._emit then return nil end
    self._chunk, self._callback = nil, nil
    core.nextTick(callback)
    return chunk
  end
end

function Stage:init(fn, gives)
  self._fn, self._controller = fn, abort.AbortController()
  self._signal = self._controller.signal
  if gives then self._emit = makeEmit(self) end
  Duplex.init(self, { objectMode = true, highWaterMark = gives and 1 or nil, readable = gives })
  if not gives then ask(self) end
end

function Stage:_open()
  return makeTake(self)
end

function Stage:_leave() end

Stage._read = ask

function Stage:_write(chunk, callback)
  if self._returned then return callback() end
  self._chunk, self._callback = chunk, callback
  wakeAt(self, '_wakeTake')
end

-- One that only takes has finished when it has returned.
function Stage:_final(callback)
  if self._returned then return callback() end
  self._callback, self._ends = callback, true
  wakeAt(self, '_wakeTake')
end

local function release(self, err)
  local callback = self._callback
  self._chunk, self._callback = nil, nil
  if callback then callback(err) end
end

local function wrongReturn(value)
  return errors.new('Expected nil to be returned from the "body" function but got ' .. errors.received(value) .. '.',
    'ERR_INVALID_RETURN_VALUE', { name = 'TypeError' })
end

function Stage:_done(value)
  if self._emit then
    self:push(nil)
  elseif value ~= nil then
    self:destroy(wrongReturn(value))
    return
  end
  release(self)
end

function Stage:_destroy(err, callback)
  self._controller:abort()
  wakeAt(self, '_wakeTake')
  wakeAt(self, '_wakeEmit')
  release(self, err or errors.new('Cannot call write after a stream was destroyed', 'ERR_STREAM_DESTROYED'))
  callback(err)
end

return M
