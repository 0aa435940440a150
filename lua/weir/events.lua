-- SPDX-License-Identifier: MIT
-- The event emitter: Node's `EventEmitter`, with its order, its `'error'` rule and its warning of leaks.
--
-- Most events have no listener or one, so `_events[name]` is nil, the function itself, or an array. An array is changed
-- in place unless an emit is walking along it (slot 0 counts these), in which case it is replaced: an emit calls those who
-- listened when it began. If a listener raises, slot 0 stays up, which costs one copy more and nothing else.
--
-- `once` stores a wrapper; `_once` remembers whose it is. That map is a field of the emitter and not one weak table of
-- the module: a listener mostly refers to its emitter, and LuaJIT's weak tables would then keep both for ever.
--
-- Streams want to know in C whether somebody listens. They override `_listening(self, name, count)`.

local class = require 'weir.class'
local errors = require 'weir.errors'
local show = require 'weir.show'
local wait = require 'weir.wait'
local EventIterator = require 'weir.eventiterator'

local type, select, tostring, ipairs = type, select, tostring, ipairs
local insert, remove = table.insert, table.remove

local M = {}

---How many listeners of one event an emitter may have before a warning, unless its own `setMaxListeners` says otherwise;
---0 is any number. Node's `events.defaultMaxListeners`.
M.defaultMaxListeners = 10

---The name of an event that comes before each `'error'`, also where nobody listens to `'error'` itself; it does not count
---as a listener of it. Node's `events.errorMonitor`.
M.errorMonitor = setmetatable({}, { __tostring = function() return 'errorMonitor' end })
local errorMonitor = M.errorMonitor

---@class weir.EventEmitter: weir.Class
local EventEmitter = class.new('EventEmitter')
M.EventEmitter = EventEmitter

EventEmitter._events = false -- name -> function or array; made with the first listener
EventEmitter._names = false -- names in the order of their first listener
EventEmitter._once = false -- wrapper -> listener
EventEmitter._maxListeners = false

---Does nothing and need not be called; it is here for subclasses that call it as they call any parent's.
function EventEmitter.init() end

-- ---- The warning ----------------------------------------------------------------------------------------------------

local function printWarning(warning)
  io.stderr:write('(weir) ', warning.name, ': ', warning.message, '\n')
end

local warn = printWarning

---Says where warnings go (Node's `process.emitWarning`): a function that is given an error object with `name`
---`MaxListenersExceededWarning`, `message`, `emitter`, `type` (the event) and `count`. Nil: to stderr again.
---@param hook? fun(warning: weir.Error)
function M.setWarningHook(hook)
  warn = hook or printWarning
end

-- The class, and a stream's name if it has one.
local function nameOf(self)
  local class_name, own = tostring(self.__name), self.name
  return type(own) == 'string' and class_name .. ' ' .. own or class_name
end

local function warnOfLeak(self, name, list, max)
  list.warned = true
  local count = #list
  warn(errors.new(
    ('Possible EventEmitter memory leak detected. %d %s listeners added to [%s]. MaxListeners is %d. '
      .. 'Use emitter.setMaxListeners() to increase limit'):format(count, tostring(name), nameOf(self), max),
    nil, { name = 'MaxListenersExceededWarning', emitter = self, type = name, count = count }))
end

-- ---- Adding and removing --------------------------------------------------------------------------------------------

local function checkListener(name, listener)
  if name == nil or name ~= name then error(errors.argType('eventName', 'string', name)) end
  if type(listener) ~= 'function' then error(errors.argType('listener', 'function', listener)) end
end

local function original(self, listener)
  local once = self._once
  return once and once[listener] or listener
end

local function copied(list)
  local new = { [0] = 0, warned = list.warned }
  for i = 1, #list do new[i] = list[i] end
  return new
end

-- The array of `name`, safe to change.
local function writable(events, name, list)
  if list[0] == 0 then return list end
  list = copied(list)
  events[name] = list
  return list
end

local function addTo(self, events, name, listener, first)
  local list = events[name]
  if list == nil then
    events[name] = listener
    local names = self._names
    names[#names + 1] = name
    return 1
  end
  if type(list) == 'function' then
    list = { [0] = 0, list }
    events[name] = list
  else
    list = writable(events, name, list)
  end
  if first then insert(list, 1, listener) else list[#list + 1] = listener end
  local max = self._maxListeners or M.defaultMaxListeners
  if max > 0 and #list > max and not list.warned then warnOfLeak(self, name, list, max) end
  return #list
end

local function add(self, name, listener, first)
  checkListener(name, listener)
  local events = self._events
  if events and events.newListener ~= nil then
    self:emit('newListener', name, original(self, listener))
  end
  if not events then
    events = {}
    self._events, self._names = events, {}
  end
  self:_listening(name, addTo(self, events, name, listener, first))
  return self
end

local function forgetName(self, name)
  local names = self._names
  for i = 1, #names do
    if names[i] == name then return remove(names, i) end
  end
end

-- Where `listener` is in the array, the last one first, as in Node.
local function position(self, list, listener)
  local once = self._once
  for i = #list, 1, -1 do
    if list[i] == listener or once and once[list[i]] == listener then return i end
  end
end

-- Takes one listener away; returns it as it was stored, and how many are left.
local function takeFrom(self, events, name, listener)
  local list = events[name]
  if list == nil then return nil end
  if type(list) == 'function' then
    if list ~= listener and original(self, list) ~= listener then return nil end
    events[name] = nil
    forgetName(self, name)
    return list, 0
  end
  local at = position(self, list, listener)
  if not at then return nil end
  list = writable(events, name, list)
  local taken = remove(list, at)
  if #list == 1 then events[name] = list[1] end
  return taken, #list
end

local function wrapOnce(self, name, listener)
  local fired, wrapper = false, nil
  wrapper = function(...)
    if fired then return end
    self:removeListener(name, wrapper)
    fired = true
    return listener(...)
  end
  local once = self._once
  if not once then
    once = {}
    self._once = once
  end
  once[wrapper] = listener
  return wrapper
end

---Adds a listener, last in order. It is called with the event's arguments only, without the emitter. The same function
---may be added more than once.
---
---Raises `ERR_INVALID_ARG_TYPE` if the listener is no function. `'newListener'` (name, listener) is emitted before it is
---added.
---@param name any the event; mostly a string
---@param listener fun(...: any)
---@return weir.EventEmitter self
function EventEmitter:on(name, listener)
  return add(self, name, listener, false)
end

EventEmitter.addListener = EventEmitter.on

---As `on`, but first in order.
---@param name any
---@param listener fun(...: any)
---@return weir.EventEmitter self
function EventEmitter:prependListener(name, listener)
  return add(self, name, listener, true)
end

---As `on`, for one time: the listener is removed before it is called.
---@param name any
---@param listener fun(...: any)
---@return weir.EventEmitter self
function EventEmitter:once(name, listener)
  checkListener(name, listener)
  return self:on(name, wrapOnce(self, name, listener))
end

---As `once`, but first in order.
---@param name any
---@param listener fun(...: any)
---@return weir.EventEmitter self
function EventEmitter:prependOnceListener(name, listener)
  checkListener(name, listener)
  return self:prependListener(name, wrapOnce(self, name, listener))
end

---Removes a listener once: the one that was added last, if it is there several times. One that is removed while its event
---is being emitted is still called by that emit. `'removeListener'` (name, listener) is emitted afterwards, with the
---listener that was given to `once`, never its wrapper.
---@param name any
---@param listener fun(...: any)
---@return weir.EventEmitter self
function EventEmitter:removeListener(name, listener)
  checkListener(name, listener)
  local events = self._events
  if not events then return self end
  local taken, left = takeFrom(self, events, name, listener)
  if taken then
    local whose = original(self, taken)
    if self._once then self._once[taken] = nil end
    self:_listening(name, left)
    if events.removeListener ~= nil then self:emit('removeListener', name, whose) end
  end
  return self
end

EventEmitter.off = EventEmitter.removeListener

-- All listeners of one event, the last one first if somebody wants to hear of each.
local function removeName(self, name)
  local events = self._events
  local list = events[name]
  if list == nil then return end
  if events.removeListener ~= nil then
    if type(list) == 'function' then return self:removeListener(name, list) end
    local all = copied(list)
    for i = #all, 1, -1 do self:removeListener(name, all[i]) end
    return
  end
  events[name] = nil
  forgetName(self, name)
  local once = self._once
  if once then
    if type(list) == 'function' then once[list] = nil end
    for i = 1, type(list) == 'table' and #list or 0 do once[list[i]] = nil end
  end
  self:_listening(name, 0)
end

---Removes all listeners of an event, or without an argument of all events.
---@param name? any
---@return weir.EventEmitter self
function EventEmitter:removeAllListeners(name)
  if not self._events then return self end
  if name ~= nil then
    removeName(self, name)
    return self
  end
  for _, each in ipairs(self:eventNames()) do
    if each ~= 'removeListener' then removeName(self, each) end
  end
  removeName(self, 'removeListener')
  return self
end

---Called after the number of listeners of an event has changed, before `'removeListener'` is emitted. Does nothing here:
---subclasses override it.
---@param name any
---@param count integer listeners that it has now
function EventEmitter._listening() end

-- ---- Emitting -------------------------------------------------------------------------------------------------------

local function callEach(list, count, ...)
  if count == 0 then
    for i = 1, #list do list[i]() end
  elseif count == 1 then
    local a = ...
    for i = 1, #list do list[i](a) end
  elseif count == 2 then
    local a, b = ...
    for i = 1, #list do list[i](a, b) end
  else
    for i = 1, #list do list[i](...) end
  end
end

local function unheard(err)
  if errors.isError(err) then error(err, 0) end
  error(errors.new('Unhandled error. (' .. show.show(err) .. ')', 'ERR_UNHANDLED_ERROR', { context = err }), 0)
end

---Calls the listeners of an event, in order, with the arguments; at once, before it returns. What they return is dropped,
---what they raise reaches the caller and leaves the rest uncalled.
---
---`'error'` without a listener raises its argument: an error object as it is, anything else as the `context` of an
---`ERR_UNHANDLED_ERROR`.
---@param name any
---@param ... any
---@return boolean heard were there listeners?
function EventEmitter:emit(name, ...)
  local events = self._events
  if name == 'error' then
    if events and events[errorMonitor] ~= nil then self:emit(errorMonitor, ...) end
    if not events or events.error == nil then unheard((...)) end
  elseif not events then
    return false
  end
  local list = events[name]
  if list == nil then return false end
  if type(list) == 'function' then
    list(...)
    return true
  end
  list[0] = list[0] + 1
  callEach(list, select('#', ...), ...)
  list[0] = list[0] - 1
  return true
end

-- ---- Asking ---------------------------------------------------------------------------------------------------------

---How many listeners an event has; with `listener`, how often that one is among them.
---@param name any
---@param listener? function
---@return integer
function EventEmitter:listenerCount(name, listener)
  local list = self._events and self._events[name]
  if not list then return 0 end
  local single = type(list) == 'function'
  if listener == nil then return single and 1 or #list end
  if single then return (list == listener or original(self, list) == listener) and 1 or 0 end
  local count = 0
  for i = 1, #list do
    if list[i] == listener or original(self, list[i]) == listener then count = count + 1 end
  end
  return count
end

---A copy of the list of an event's listeners, those of `once` by the wrappers that are stored: calling one removes it and
---calls the listener.
---@param name any
---@return function[]
function EventEmitter:rawListeners(name)
  local list = self._events and self._events[name]
  if not list then return {} end
  if type(list) == 'function' then return { list } end
  local out = {}
  for i = 1, #list do out[i] = list[i] end
  return out
end

---A copy of the list of an event's listeners, as they were given.
---@param name any
---@return function[]
function EventEmitter:listeners(name)
  local out = self:rawListeners(name)
  for i = 1, #out do out[i] = original(self, out[i]) end
  return out
end

---The names of the events that have listeners, in the order of their first ones.
---@return any[]
function EventEmitter:eventNames()
  local names, out = self._names or {}, {}
  for i = 1, #names do out[i] = names[i] end
  return out
end

local function checkMax(count, name)
  if type(count) ~= 'number' then error(errors.argType(name, 'number', count)) end
  if count ~= count or count < 0 then error(errors.outOfRange(name, '>= 0', count)) end
end

---Sets how many listeners of one event there may be before the warning; 0 is any number. Raises `ERR_INVALID_ARG_TYPE`,
---`ERR_OUT_OF_RANGE`.
---@param count number
---@return weir.EventEmitter self
function EventEmitter:setMaxListeners(count)
  checkMax(count, 'setMaxListeners')
  self._maxListeners = count
  return self
end

---@return number
function EventEmitter:getMaxListeners()
  return self._maxListeners or M.defaultMaxListeners
end

local function isListenedTo(x)
  return type(x) == 'table' and type(x.listeners) == 'function'
end

local function checkEmitter(emitter, level)
  if not isListenedTo(emitter) then error(errors.argType('emitter', { 'EventEmitter', 'AbortSignal' }, emitter), level) end
end

---A copy of the list of an event's listeners, as they were given, also of an AbortSignal. Raises `ERR_INVALID_ARG_TYPE`.
---Node's `events.getEventListeners`.
---@param emitter weir.EventEmitter|weir.AbortSignal
---@param name any
---@return function[]
function M.getEventListeners(emitter, name)
  checkEmitter(emitter, 3)
  return emitter:listeners(name)
end

---How many listeners of one event there may be before the warning; an AbortSignal never warns, which is 0. Raises
---`ERR_INVALID_ARG_TYPE`. Node's `events.getMaxListeners`.
---@param emitter weir.EventEmitter|weir.AbortSignal
---@return number
function M.getMaxListeners(emitter)
  checkEmitter(emitter, 3)
  return emitter.getMaxListeners and emitter:getMaxListeners() or 0
end

---Sets that for some emitters, or without any the default of all. An AbortSignal never warns, and is passed over. Raises
---`ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. Node's `events.setMaxListeners`.
---@param count number
---@param ... weir.EventEmitter|weir.AbortSignal
function M.setMaxListeners(count, ...)
  checkMax(count, 'setMaxListeners')
  if select('#', ...) == 0 then M.defaultMaxListeners = count end
  for i = 1, select('#', ...) do checkEmitter((select(i, ...)), 3) end
  for i = 1, select('#', ...) do
    local emitter = select(i, ...)
    if emitter.setMaxListeners then emitter:setMaxListeners(count) end
  end
end

-- ---- Waiting --------------------------------------------------------------------------------------------------------

-- The signal of the options of `once` and `on`; checks all that they are given.
local function signalOf(emitter, options)
  if type(emitter) ~= 'table' or type(emitter.on) ~= 'function' then
    error(errors.argType('emitter', 'EventEmitter', emitter), 3)
  end
  if options ~= nil and type(options) ~= 'table' then error(errors.argType('options', 'table', options), 3) end
  local signal = options and options.signal
  if signal == nil then return nil end
  if type(signal) ~= 'table' or type(signal.aborted) ~= 'boolean' then
    error(errors.argType('options.signal', 'AbortSignal', signal), 3)
  end
  if signal.aborted then error(errors.abort(signal.reason), 0) end
  return signal
end

local function outcome(good, ...)
  if good then return ... end
  error((...), 0)
end

---Waits in the running coroutine until the emitter emits `name`, and returns the event's arguments. Node's `events.once`.
---
---Raises the error if `'error'` comes first (unless that is what is waited for), an `AbortError` if `options.signal`
---aborts or has aborted, `ERR_INVALID_ARG_TYPE`, `ERR_CANNOT_WAIT` where waiting is impossible. No listener stays behind.
---@param emitter weir.EventEmitter
---@param name any
---@param options? { signal?: weir.AbortSignal }
---@return any ...
function M.once(emitter, name, options)
  local signal = signalOf(emitter, options)
  local wake, here = wait.prepare()
  local onEvent, onError, onAbort
  local function settle(...)
    emitter:removeListener(name, onEvent)
    emitter:removeListener('error', onError)
    if signal then signal:removeListener('abort', onAbort) end
    wake(...)
  end
  function onEvent(...) settle(true, ...) end
  function onError(err) settle(false, errors.from(err)) end
  function onAbort() settle(false, errors.abort(signal.reason)) end
  emitter:on(name, onEvent)
  if name ~= 'error' then emitter:on('error', onError) end
  if signal then signal:on('abort', onAbort) end
  return outcome(here())
end

local function pack(...)
  return { n = select('#', ...), ... }
end

---An iterator over the events of one name: `for args in events.on(emitter, 'row') do print(args[1]) end`. Node's
---`events.on`. It listens from now on, keeps what comes in between, and gives each event's arguments as a table with `n`
---(as Node gives an array), so that an event without arguments does not end the loop.
---
---It ends at one of the events in `options.close`, raises the error at `'error'` and an `AbortError` when `options.signal`
---aborts, in both cases after what came before. A loop that is left by `break` must call `close()`, or go on to its end:
---until then it listens.
---
---With `highWaterMark` the emitter is paused (`emitter:pause()`) while more events than that are kept, and resumed
---when fewer than `lowWaterMark` (default 1) are. Raises `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
---@param emitter weir.EventEmitter
---@param name any
---@param options? { signal?: weir.AbortSignal, close?: any[], highWaterMark?: integer, lowWaterMark?: integer }
---@return weir.EventIterator
function M.on(emitter, name, options)
  local signal = signalOf(emitter, options)
  local close = options and options.close
  if close ~= nil and type(close) ~= 'table' then error(errors.argType('options.close', 'table', close), 2) end
  local self = EventIterator(emitter, options)
  self:_listen(emitter, name, function(...) self:_put(pack(...)) end)
  if name ~= 'error' then self:_listen(emitter, 'error', function(err) self:_fail(errors.from(err)) end) end
  for _, last in ipairs(close or {}) do
    self:_listen(emitter, last, function() self:close() end)
  end
  if signal then self:_listen(signal, 'abort', function() self:_fail(errors.abort(signal.reason)) end) end
  return self
end

return M
