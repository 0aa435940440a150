-- SPDX-License-Identifier: MIT
-- Readable.from: anything that gives one value after the other, as a stream of objects. Node's rules; what gives values may
-- wait, since a handler may.

local core = require 'weir.core'
local class = require 'weir.class'
local errors = require 'weir.errors'
local Readable = require 'weir.stream.readable'

local type, pcall, error, pairs, rawget, getmetatable = type, pcall, error, pairs, rawget, getmetatable
local resume, status = coroutine.resume, coroutine.status

local function fromArray(items)
  local i = 0
  return function()
    i = i + 1
    return items[i]
  end
end

local function fromCoroutine(co)
  return function()
    if status(co) == 'dead' then return nil end
    local ok, value = resume(co)
    if not ok then error(errors.caught(value, debug.traceback(co)), 0) end
    return value
  end
end

local function fromStream(stream)
  local iterator
  local function ask()
    iterator = iterator or stream:iter()
    return iterator()
  end
  return ask, function()
    if iterator then iterator:close() end
  end
end

local function isCallable(x)
  local meta = getmetatable(x)
  return type(meta) == 'table' and type(rawget(meta, '__call')) == 'function'
end

-- Items from 1 on, or nothing at all (`n` may say so).
local function isArray(x)
  if x[1] ~= nil then return true end
  for key in pairs(x) do
    if key ~= 'n' then return false end
  end
  return true
end

-- What gives the items of a table that is no stream: how the next one is asked for, or nil.
local function asker(x)
  if class.isClass(x) then return nil end
  local next = x.next
  if type(next) == 'function' then return function() return next(x) end end
  if isCallable(x) then return x end
  if not class.of(x) and isArray(x) then return fromArray(x) end
end

---Whether `Readable.from` takes the table `x`.
---@param x table
---@return boolean
local function isSource(x)
  return asker(x) ~= nil
end

---What gives the items of `x`, anything that `Readable.from` takes: a function for the next one, nil at the end, and perhaps one
---to be called when it is left before that. A string is one item.
---@param x any
---@return fun(): any next
---@return (fun(err?: weir.Error): any)? close
local function itemsOf(x)
  local kind = type(x)
  if kind == 'function' then return x end
  if kind == 'thread' then return fromCoroutine(x) end
  if kind == 'string' then return fromArray { x } end
  if class.is(x, Readable) then return fromStream(x) end
  local ask = kind == 'table' and asker(x)
  if not ask then error(errors.argType('iterable', { 'table', 'string', 'function', 'coroutine' }, x), 3) end
  local close = x.close
  return ask, type(close) == 'function' and function(err) return close(x, err) end or nil
end

local From = class.new('Readable', Readable)

function From:init(next, close, options)
  self._next, self._close = next, close
  Readable.init(self, options)
end

-- Tells the source that it is left, once, and not while an item is being waited for.
local function leave(self, err)
  local close = self._close
  self._close = nil
  if self._exhausted or not close then return true end
  self._isLeft = true
  return pcall(close, err)
end

local function finishDestroy(self, err, callback)
  local ok, failure = leave(self, err)
  if not ok and not err then err = errors.caught(failure) end
  core.afterTicks(core.nextTick, callback, err) -- as behind Node's promise: what fails in the same turn comes first
end

function From:_read()
  if self._busy then return end
  self._busy = true
  local next = self._next
  repeat
    self._asking = true
    local ok, value = true, nil -- a source that was left has come to its end
    if not self._isLeft then ok, value = pcall(next) end
    self._asking = false
    if not ok or value == nil then self._exhausted = true end
    if self._onIdle then
      self._onIdle()
      return
    end
    if not ok then
      self:destroy(errors.caught(value))
      return
    end
    if value == nil then
      self:push(nil)
      return
    end
  until not self:push(value)
  self._busy = false
end

function From:_destroy(err, callback)
  if not self._asking then return finishDestroy(self, err, callback) end
  self._onIdle = function() finishDestroy(self, err, callback) end
end

local function withDefaults(options, mark)
  local all = { objectMode = true, highWaterMark = mark }
  if options ~= nil and type(options) ~= 'table' then error(errors.argType('options', 'table', options), 3) end
  for key, value in pairs(options or {}) do all[key] = value end
  return all
end

---`Readable.from(x, options)`: a stream of the values that `x` gives: an array, an iterator function (called until it gives
---nil), a coroutine (resumed until it is dead or yields nil), another Readable, a table with `next(self)` (or that can be called) and
---perhaps `close(self, err)`, which is called when the stream is left before the end. A string is one chunk. Object mode with a mark
---of 1, unless `options` say otherwise. Raises ERR_INVALID_ARG_TYPE for anything else: a table whose keys are names, an array that
---does not begin at 1, an object of a class without `next`. Node's `Readable.from`.
---@param x any
---@param options? table
---@return weir.Readable
function Readable.from(x, options)
  if type(x) == 'string' then
    local all = withDefaults(options, nil)
    all.read = function(self)
      self:push(x)
      self:push(nil)
    end
    return Readable(all)
  end
  local next, close = itemsOf(x)
  return From(next, close, withDefaults(options, 1))
end

return { From = From, itemsOf = itemsOf, isSource = isSource }
