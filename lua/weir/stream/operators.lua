-- SPDX-License-Identifier: MIT
-- The iterator helpers of Readable: map, filter, flatMap, take, drop, which give streams, and forEach, toArray, some, every,
-- find, reduce, which wait for a value. Node 20's, also in how far a source is read and when it is left.
--
-- Each helper that gives a stream is a source for `Readable.from`: an object with `next` and `close`. The others call `next`
-- themselves. With a concurrency of 1 and nothing ahead, an item is read when one is asked for, and the function is called
-- where it is asked: no coroutine, no queue. Only what was told to work ahead pays for it (`Ahead`).
--
-- One thing here looks odd and is Node's: `map`, and what is made of it, learns that nobody wants more only when the source
-- gives the next item; that one is dropped, and then the source is destroyed. `take`, `drop` leave it at once.

local core = require 'weir.core'
local abort = require 'weir.abort'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local pipeline = require 'weir.stream.pipeline'
local Readable = require 'weir.stream.readable'
local from = require 'weir.stream.from'

local type, error, pcall, xpcall, select, tonumber, setmetatable = type, error, pcall, xpcall, select, tonumber, setmetatable
local ceil, floor = math.ceil, math.floor
local traceback = debug.traceback

local EMPTY = {} -- what a function gives for an item that goes no further

-- ---- Arguments --------------------------------------------------------------------------------------------------------

local function checkFunction(fn, name)
  if type(fn) ~= 'function' then error(errors.argType(name, 'function', fn), 3) end
end

local function checkOptions(options)
  if options == nil then return nil end
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), 3) end
  abort.checkOption(options.signal)
  return options.signal
end

-- A whole number of `options`, rounded down, as in Node.
local function count(options, name, least, default)
  local given = options and options[name]
  if given == nil then return default end
  local value = floor(tonumber(given) or 0 / 0)
  if value % 1 ~= 0 then error(errors.outOfRange('options.' .. name, 'an integer', value), 4) end
  if value < least then error(errors.outOfRange('options.' .. name, '>= ' .. least, value), 4) end
  return value
end

-- How many items `take` and `drop` are about. What is no number is 0, and a part of an item is one, as in Node.
local function amount(number)
  local value = tonumber(number) or 0
  if value ~= value then return 0 end
  if value < 0 then error(errors.outOfRange('number', '>= 0', value), 3) end
  return ceil(value)
end

-- ---- One item after the other -----------------------------------------------------------------------------------------

-- Every source here has `stream`, `signal` or nil, and `iterator`, once it was asked for an item.

local function caught(err)
  return errors.caught(err, traceback('', 2))
end

local function isAborted(self)
  return self.signal and self.signal.aborted
end

local function abortError(self)
  return errors.abort(self.signal.reason)
end

local function begin(self)
  local iterator = self.stream:iter()
  self.iterator = iterator
  return iterator
end

-- Ends the iteration at once; the stream is destroyed.
local function leave(self)
  if self.iterator then self.iterator:close() end
end

-- Lets what runs now go on first, as an `await` does; with `core.nextTick` also the ticks that are waiting.
local function giveWay(row)
  local wake, here = wait.prepare()
  row(wake)
  here()
end

-- The first item is asked for at once, but seen after the code that runs now: a helper never calls a function before
-- whoever began it can say another word.
local function askFirst(self)
  local item = begin(self)()
  giveWay(core.afterTicks)
  return item
end

-- The stream's next item, nil at its end. An abort is seen when an item comes, as in Node, and leaves the stream.
local function ask(self)
  local item
  if self.iterator then item = self.iterator() else item = askFirst(self) end
  if item ~= nil and isAborted(self) then
    leave(self)
    error(abortError(self), 0)
  end
  return item
end

local function dropOne(iterator)
  pcall(iterator)
  iterator:close()
end

-- Leaves the stream when it has given its next item.
local function leaveLater(self)
  local iterator = self.iterator
  self.iterator = nil
  if iterator then core.run(dropOne, iterator) end
end

local function classOf(next, close)
  local methods = { next = next, close = close }
  methods.__index = methods
  return methods
end

-- ---- A function for each item, one at a time --------------------------------------------------------------------------

local function callEach(self)
  while true do
    local item = ask(self)
    if item == nil then return nil end
    local ok, out = xpcall(self.fn, caught, item, self.given)
    if not ok or isAborted(self) then
      leaveLater(self)
      error(ok and abortError(self) or out, 0)
    end
    if out ~= EMPTY then return out end
  end
end

local Each = classOf(callEach, leaveLater)

-- ---- ... and several at a time ----------------------------------------------------------------------------------------

-- A coroutine reads the stream and calls the function, in one more coroutine for each item, so that it may wait. Results
-- stand in a queue in the order of the items: slots { settled, ok, value, last }. `running` functions are under way; `shown`:
-- the first slot has been given, and stands there until more is asked for; `done`: nothing more is to be read. `wake`
-- lets whoever asks go on, `resume` whoever reads.

local function isFull(self)
  return self.running >= self.concurrency or self.tail - self.head >= self.most
end

local function readOn(self)
  if not self.done and not isFull(self) then wait.wakeAt(self, 'resume') end
end

local function put(self, slot)
  self.queue[self.tail] = slot
  self.tail = self.tail + 1
  wait.wakeAt(self, 'wake')
end

local function settle(self, slot)
  slot.settled = true
  self.running = self.running - 1
  if not slot.ok then self.done = true end
  wait.wakeAt(self, 'wake')
  readOn(self)
end

local function work(self, slot, item)
  slot.ok, slot.value = xpcall(self.fn, caught, item, self.given)
  core.afterTicks(settle, self, slot)
end

local function readAll(self)
  while true do
    local item = ask(self)
    if item == nil then return put(self, { settled = true, ok = true, last = true }) end
    if self.done then return leave(self) end
    local slot = { settled = false }
    self.running = self.running + 1
    core.run(work, self, slot, item)
    put(self, slot)
    if not self.done and isFull(self) then wait.at(self, 'resume') end
  end
end

local function readAhead(self)
  local ok, err = xpcall(readAll, caught, self)
  if not ok then put(self, { settled = true, ok = false, value = err }) end
  self.done = true
end

local function stopReading(self)
  self.done = true
  wait.wakeAt(self, 'resume')
end

local function shift(self)
  self.queue[self.head] = nil
  self.head = self.head + 1
  readOn(self)
end

-- The first slot of the queue, settled.
local function firstSlot(self)
  while true do
    local slot = self.queue[self.head]
    if slot and slot.settled then return slot end
    wait.at(self, 'wake')
  end
end

local function startReading(self)
  begin(self)
  core.run(readAhead, self)
end

local function takeResult(self)
  if not self.iterator then startReading(self) end
  if self.shown then shift(self) end
  self.shown = false
  while true do
    local slot = firstSlot(self)
    if slot.last then return nil end
    if not slot.ok or isAborted(self) then
      stopReading(self)
      error(slot.ok and abortError(self) or slot.value, 0)
    end
    if slot.value ~= EMPTY then
      self.shown = true
      return slot.value
    end
    shift(self)
  end
end

local Ahead = classOf(takeResult, stopReading)

-- ---- The helpers ------------------------------------------------------------------------------------------------------

-- A source that calls FN for each item of STREAM.
local function each(stream, fn, options)
  local signal = checkOptions(options)
  local concurrency = count(options, 'concurrency', 1, 1)
  local ahead = count(options, 'highWaterMark', 0, concurrency - 1)
  local self = { stream = stream, fn = fn, signal = signal, given = { signal = signal or abort.AbortController().signal } }
  if concurrency == 1 and ahead == 0 then return setmetatable(self, Each) end
  self.concurrency, self.most = concurrency, ahead + concurrency
  self.queue, self.head, self.tail, self.running = {}, 1, 1, 0
  self.done, self.shown = false, false
  return setmetatable(self, Ahead)
end

local function noValue()
  return errors.new('May not write null values to stream', 'ERR_STREAM_NULL_VALUES', { name = 'TypeError' })
end

local function mapping(fn)
  return function(item, given)
    local value = fn(item, given)
    if value == nil then error(noValue(), 0) end
    return value
  end
end

local function testing(fn)
  return function(item, given)
    if fn(item, given) then return item end
    return EMPTY
  end
end

local function refuting(fn)
  return function(item, given)
    if fn(item, given) then return EMPTY end
    return item
  end
end

---@class weir.HelperOptions
---@field concurrency? integer how many calls of the function may be under way at once (1); the order of the items is kept
---@field highWaterMark? integer how many results may wait to be asked for, beside those under way (`concurrency - 1`)
---@field signal? weir.AbortSignal ends it with an AbortError when the next item comes

---@class weir.HelperGiven
---@field signal weir.AbortSignal the option `signal`, or one that never aborts

---`stream:map(fn, options)`: a stream of what `fn(item, { signal = ... })` gives for each item. `fn` may wait. What it raises is
---the error of the new stream. Nothing is read before the new stream is.
---
---Nil cannot be an item: if `fn` gives nil, the new stream fails with ERR_STREAM_NULL_VALUES, as in Node for `null`; to leave
---items out, use `filter`.
---
---Raises ERR_INVALID_ARG_TYPE (`fn`, `options`, `options.signal`) and ERR_OUT_OF_RANGE (`options.concurrency`,
---`options.highWaterMark`). Node's `readable.map`.
---@param fn fun(item: any, given: weir.HelperGiven): any
---@param options? weir.HelperOptions
---@return weir.Readable
function Readable:map(fn, options)
  checkFunction(fn, 'fn')
  return Readable.from(each(self, mapping(fn), options))
end

---`stream:filter(fn, options)`: a stream of the items for which `fn(item, { signal = ... })` gives something true. Otherwise as
---`map`. Node's `readable.filter`.
---@param fn fun(item: any, given: weir.HelperGiven): any
---@param options? weir.HelperOptions
---@return weir.Readable
function Readable:filter(fn, options)
  checkFunction(fn, 'fn')
  return Readable.from(each(self, testing(fn), options))
end

---`stream:forEach(fn, options)`: calls `fn(item, { signal = ... })` for each item, and waits for the end. `fn` may wait. Raises
---what `fn` or the stream raised, ERR_CANNOT_WAIT where waiting is impossible, and otherwise what `map` raises. Node's
---`readable.forEach`.
---@param fn fun(item: any, given: weir.HelperGiven)
---@param options? weir.HelperOptions
function Readable:forEach(fn, options)
  checkFunction(fn, 'fn')
  each(self, function(item, given)
    fn(item, given)
    return EMPTY
  end, options):next()
end

-- The first item that comes through; what follows is left.
local function first(source)
  local item = source:next()
  if item ~= nil then source:close() end
  return item
end

---`stream:some(fn, options)`: whether `fn(item, { signal = ... })` gives something true for any item, waiting for it. The stream
---is left, and so destroyed, after the first one for which it does. Raises as `forEach`. Node's `readable.some`.
---@param fn fun(item: any, given: weir.HelperGiven): any
---@param options? weir.HelperOptions
---@return boolean
function Readable:some(fn, options)
  checkFunction(fn, 'fn')
  return first(each(self, testing(fn), options)) ~= nil
end

---`stream:every(fn, options)`: whether `fn(item, { signal = ... })` gives something true for all items, waiting for it; true of
---none. The stream is left, and so destroyed, after the first one for which it does not. Raises as `forEach`. Node's
---`readable.every`.
---@param fn fun(item: any, given: weir.HelperGiven): any
---@param options? weir.HelperOptions
---@return boolean
function Readable:every(fn, options)
  checkFunction(fn, 'fn')
  return first(each(self, refuting(fn), options)) == nil
end

---`stream:find(fn, options)`: the first item for which `fn(item, { signal = ... })` gives something true, waiting for it; nil if
---there is none. The stream is left, and so destroyed. Raises as `forEach`. Node's `readable.find`.
---@param fn fun(item: any, given: weir.HelperGiven): any
---@param options? weir.HelperOptions
---@return any
function Readable:find(fn, options)
  checkFunction(fn, 'fn')
  return first(each(self, testing(fn), options))
end

---`stream:toArray({ signal = ... })`: all items, in an array, waiting for the end. Nothing bounds it: for a stream whose length
---others decide, `weir.consumers.array` has a limit. Raises the stream's error, an AbortError, ERR_CANNOT_WAIT. Node's
---`readable.toArray`.
---@param options? { signal?: weir.AbortSignal }
---@return any[]
function Readable:toArray(options)
  local source = { stream = self, signal = checkOptions(options) }
  local items, n = {}, 0
  while true do
    local item = ask(source)
    if item == nil then return items end
    n = n + 1
    items[n] = item
  end
end

-- Aborted before it began: the stream is destroyed with that error, which is told to `finished`.
local function refuse(stream, signal)
  local err = errors.abort(signal.reason)
  stream:destroy(err)
  pcall(pipeline.finished, stream)
  error(err, 0)
end

local function noItems()
  return errors.new('Reduce of an empty stream requires an initial value', 'ERR_MISSING_ARGS', { name = 'TypeError' })
end

local function fold(source, fn, given, has, value)
  for item in ask, source do
    if has then value = fn(value, item, given) else has, value = true, item end
  end
  if not has then error(noItems(), 0) end
  return value
end

-- `fold`, with a signal for the function, which aborts when the source's does, and when all is over.
local function foldWithSignal(source, fn, ...)
  local controller, signal = abort.AbortController(), source.signal
  local function onAbort() controller:abort() end
  if signal then signal:on('abort', onAbort) end
  local ok, value = xpcall(fold, caught, source, fn, { signal = controller.signal }, select('#', ...) > 0, (...))
  if signal then signal:off('abort', onAbort) end
  controller:abort()
  if ok then return value end
  leave(source)
  error(value, 0)
end

---`stream:reduce(fn, initial, options)`: calls `fn(value, item, { signal = ... })` for each item, where `value` is what the call
---before gave, and first `initial`; the last one is returned. `fn` may wait; its signal aborts with `options.signal`, and when
---all is over. Without a second argument (nil is one) the first item is the first value, and of an empty stream ERR_MISSING_ARGS
---is raised. Raises what `fn` or the stream raised, an AbortError, ERR_INVALID_ARG_TYPE, ERR_CANNOT_WAIT. A signal that has
---aborted destroys the stream with the AbortError. Node's `readable.reduce`.
---@param fn fun(value: any, item: any, given: weir.HelperGiven): any
---@param ... any initial, and `{ signal = ... }`
---@return any
function Readable:reduce(fn, ...)
  checkFunction(fn, 'reducer')
  local signal = checkOptions((select(2, ...)))
  if signal and signal.aborted then refuse(self, signal) end
  return foldWithSignal({ stream = self, signal = signal }, fn, ...)
end

local function flatten(self)
  while true do
    if not self.inner then
      local value = self.outer:next()
      if value == nil then return nil end
      self.inner, self.closeInner = self.open(value)
    end
    local item = self.inner()
    if item ~= nil then return item end
    self.inner, self.closeInner = nil, nil
  end
end

local function closeFlat(self)
  local close = self.closeInner
  self.inner, self.closeInner = nil, nil
  if close then close() end
  self.outer:close()
end

local function nextFlat(self)
  local ok, item = xpcall(flatten, caught, self)
  if ok then return item end
  self.closeInner = nil -- it failed itself, or was not open
  closeFlat(self)
  error(item, 0)
end

local Flat = classOf(nextFlat, closeFlat)

---`stream:flatMap(fn, options)`: a stream of the items of what `fn(item, { signal = ... })` gives for each item, one after the
---other: an array, a Readable, whatever `Readable.from` takes; a string is one item. Anything else fails the new stream with
---ERR_INVALID_ARG_TYPE. Otherwise as `map`. Node's `readable.flatMap`.
---@param fn fun(item: any, given: weir.HelperGiven): any
---@param options? weir.HelperOptions
---@return weir.Readable
function Readable:flatMap(fn, options)
  checkFunction(fn, 'fn')
  return Readable.from(setmetatable({ outer = each(self, fn, options), open = from.itemsOf }, Flat))
end

-- Before the first item, which `take` and `drop` do not ask for if the signal has aborted.
local function refuseAborted(self)
  if not self.iterator and isAborted(self) then error(abortError(self), 0) end
end

-- Whoever reads this stream lets others go on between two items, in Node; so the source may have come to its end by itself
-- when it would be left.
local function takeNext(self)
  refuseAborted(self)
  if self.iterator then
    for _ = self.left, 1 do giveWay(core.nextTick) end
  end
  local item
  if self.left > 0 or not self.iterator then item = ask(self) end
  self.left = self.left - 1
  if item ~= nil and self.left >= 0 then return item end
  leave(self)
end

local function dropNext(self)
  refuseAborted(self)
  local item
  repeat
    item = ask(self)
    self.left = self.left - 1
  until item == nil or self.left < 0
  return item
end

local Take, Drop = classOf(takeNext, leave), classOf(dropNext, leave)

-- A stream of the part of STREAM that KIND lets through.
local function part(stream, kind, number, options)
  local signal = checkOptions(options)
  return Readable.from(setmetatable({ stream = stream, signal = signal, left = amount(number) }, kind))
end

---`stream:take(number, { signal = ... })`: a stream of the first `number` items. When more is asked for, `stream` is left, and so
---destroyed, without an `'error'`. Raises ERR_OUT_OF_RANGE below 0, ERR_INVALID_ARG_TYPE. Node's `readable.take`; as there, what
---is no number is 0, and `take(0)` waits for one item.
---@param number number
---@param options? { signal?: weir.AbortSignal }
---@return weir.Readable
function Readable:take(number, options)
  return part(self, Take, number, options)
end

---`stream:drop(number, { signal = ... })`: a stream of what comes behind the first `number` items. Raises as `take`. Node's
---`readable.drop`.
---@param number number
---@param options? { signal?: weir.AbortSignal }
---@return weir.Readable
function Readable:drop(number, options)
  return part(self, Drop, number, options)
end
