-- SPDX-License-Identifier: MIT
-- AbortController and AbortSignal: telling many operations at once to stop.
--
-- A signal has one event, `'abort'`, which comes at most once, and often very many listeners: each stream made with the
-- option `signal` adds one and takes it away when it closes. So it is no emitter with arrays to search: adding and removing
-- cost the same however many there are. As in the DOM, a function listens once however often it is added.
--
-- Nothing is kept alive for a signal that nobody listens to. `AbortSignal.any` asks its sources when it is asked, and
-- listens to them only while somebody listens to it; a timer holds its signal only as long, too. So a signal that lives as
-- long as the process may be combined for every request, and nothing adds up.
--
-- What the listeners of one signal raise is kept until all were called: one must not keep the other streams from ending.

local class = require 'weir.class'
local errors = require 'weir.errors'

local type, pcall, ipairs, setmetatable = type, pcall, ipairs, setmetatable
local min = math.min

local M = {}

---@class weir.AbortSignal: weir.Class
---@field aborted boolean
---@field reason any why; nil while it is not aborted
---@field onabort? fun(reason: any) one listener more, set by assignment
local AbortSignal = class.new('AbortSignal')
M.AbortSignal = AbortSignal

---@class weir.AbortController: weir.Class
---@field signal weir.AbortSignal
local AbortController = class.new('AbortController')
M.AbortController = AbortController

-- ---- Sets of functions, in order ------------------------------------------------------------------------------------

-- { list (functions, false where one was removed), index (function -> its place), top, count }
local function newSet()
  return { list = {}, index = {}, top = 0, count = 0 }
end

local function compact(set)
  local list, index, top = {}, {}, 0
  for i = 1, set.top do
    local item = set.list[i]
    if item then
      top = top + 1
      list[top], index[item] = item, top
    end
  end
  set.list, set.index, set.top = list, index, top
end

local function addTo(set, item)
  if set.index[item] then return end
  set.top, set.count = set.top + 1, set.count + 1
  set.list[set.top], set.index[item] = item, set.top
end

local function takeFrom(set, item, walking)
  local at = set.index[item]
  if not at then return end
  set.list[at], set.index[item] = false, nil
  set.count = set.count - 1
  if not walking and set.top > 16 and set.count < set.top / 2 then compact(set) end
end

-- Calls each that is still there when its turn comes; returns the first error.
local function callAll(set, ...)
  local failed, failure = false, nil
  for i = 1, set and set.top or 0 do
    local item = set.list[i]
    if item then
      local good, err = pcall(item, ...)
      if not good and not failed then failed, failure = true, err end
    end
  end
  return failed, failure
end

-- ---- The signal -----------------------------------------------------------------------------------------------------

local PRIVATE = {} -- what tells our own constructor calls from a user's
local stamps = 0 -- aborts so far: which of several sources was first

local function illegal()
  return errors.new('Illegal constructor', 'ERR_ILLEGAL_CONSTRUCTOR', { name = 'TypeError' })
end

-- Fields: _aborted, _reason, _stamp; _told (the listeners are being called or were; a signal of `any` may be known to be
-- aborted before that); _listeners and _dependents (sets or false; signals of `any` are dependents, they come after the
-- listeners, as in Node); _sources (of `any`); _held(self, listened) is told when the first one begins to listen and when
-- the last one has ended; _onabort, _handler.
function AbortSignal:init(private)
  if private ~= PRIVATE then error(illegal()) end
  self._aborted, self._told, self._stamp = false, false, 0
  self._listeners, self._dependents, self._sources, self._held = false, false, false, false
  self._onabort, self._handler = false, false
end

local function listening(self)
  return (self._listeners and self._listeners.count or 0) + (self._dependents and self._dependents.count or 0)
end

local function join(self, which, item)
  if self.aborted then return end
  local before = listening(self)
  if not self[which] then self[which] = newSet() end
  addTo(self[which], item)
  if before == 0 and self._held then self._held(self, true) end
end

local function leave(self, which, item)
  local set = self[which]
  if not set or not set.index[item] then return end
  takeFrom(set, item, self._aborted)
  if listening(self) == 0 and self._held then self._held(self, false) end
end

local function reasonOr(reason)
  if reason ~= nil then return reason end
  return errors.new('This operation was aborted', 'ABORT_ERR', { name = 'AbortError' })
end

local function abort(self, reason)
  if self._told then return end
  self._told = true
  if not self._aborted then
    stamps = stamps + 1
    self._aborted, self._reason, self._stamp = true, reasonOr(reason), stamps
  end
  local listeners, dependents = self._listeners, self._dependents
  local failed, failure = callAll(listeners, self._reason)
  local failedBelow, failureBelow = callAll(dependents, self._reason)
  self._listeners, self._dependents = false, false
  if self._held then self._held(self, false) end
  if failed then error(failure, 0) end
  if failedBelow then error(failureBelow, 0) end
end

-- A signal of `any` to which nobody listens learns what happened when it is asked.
local function catchUp(self)
  if self._aborted or not self._sources then return end
  local first
  for _, source in ipairs(self._sources) do
    if source.aborted and (not first or source._stamp < first._stamp) then first = source end
  end
  if first then self._aborted, self._reason, self._stamp = true, first._reason, first._stamp end
end

function AbortSignal.getters:aborted()
  catchUp(self)
  return self._aborted
end

function AbortSignal.getters:reason()
  catchUp(self)
  return self._reason
end

function AbortSignal.getters:onabort()
  return self._onabort or nil
end

-- The only field that is set from outside; it keeps the place in order that it got first, as in the DOM.
function AbortSignal:__newindex(key, value)
  if key ~= 'onabort' then return rawset(self, key, value) end
  rawset(self, '_onabort', type(value) == 'function' and value or false)
  if not self._handler then
    rawset(self, '_handler', function(reason)
      if self._onabort then self._onabort(reason) end
    end)
  end
  if self._onabort then join(self, '_listeners', self._handler) else leave(self, '_listeners', self._handler) end
end

---Adds a listener for `'abort'`; it is called with the reason, once, in the order of adding. Adding a function again
---changes nothing, and so does adding to a signal that has aborted: ask `aborted` first. Other events never come, and are
---accepted so that `events.once(signal, 'abort')` works. `once` and `addEventListener` are the same.
---@param name string
---@param listener fun(reason: any)
---@return weir.AbortSignal self
function AbortSignal:on(name, listener)
  if type(listener) ~= 'function' then error(errors.argType('listener', 'function', listener)) end
  if name == 'abort' then join(self, '_listeners', listener) end
  return self
end

AbortSignal.once = AbortSignal.on
AbortSignal.addListener = AbortSignal.on
AbortSignal.addEventListener = AbortSignal.on

---Removes a listener. During an abort, one that was not called yet is not called any more. `removeListener` and
---`removeEventListener` are the same.
---@param name string
---@param listener fun(reason: any)
---@return weir.AbortSignal self
function AbortSignal:off(name, listener)
  if name == 'abort' and listener ~= nil then leave(self, '_listeners', listener) end
  return self
end

AbortSignal.removeListener = AbortSignal.off
AbortSignal.removeEventListener = AbortSignal.off

---How many functions listen to `'abort'`; 0 after it, and for other events.
---@param name string
---@return integer
function AbortSignal:listenerCount(name)
  return name == 'abort' and self._listeners and self._listeners.count or 0
end

---A copy of the list of those that listen to `'abort'`, in order; empty after it, and for other events.
---@param name string
---@return function[]
function AbortSignal:listeners(name)
  local set, out = self._listeners, {}
  if name ~= 'abort' or not set then return out end
  for i = 1, set.top do
    if set.list[i] then out[#out + 1] = set.list[i] end
  end
  return out
end

---Raises the reason if the signal has aborted.
function AbortSignal:throwIfAborted()
  if self.aborted then error(self.reason, 0) end
end

function AbortSignal:__show()
  return 'AbortSignal { aborted = ' .. tostring(self.aborted) .. ' }'
end

-- ---- Ways to make one -----------------------------------------------------------------------------------------------

---A signal that has aborted already. (To abort a signal that exists is for its controller: `controller:abort()`.)
---@param reason? any default an `AbortError`; not a signal, which raises `ERR_INVALID_ARG_VALUE`
---@return weir.AbortSignal
function AbortSignal.abort(reason)
  if class.is(reason, AbortSignal) then
    error(errors.argValue('reason', reason, 'must not be a signal (controller:abort() aborts one)'))
  end
  local signal = AbortSignal(PRIVATE)
  abort(signal, reason)
  return signal
end

local setTimeout, unref

---Gives this module its timers: functions like `setTimeout(callback, ms)`, and like `unref(timer)`.
---@param start fun(callback: function, ms: number): any
---@param release fun(timer: any)
function M.setTimers(start, release)
  setTimeout, unref = start, release
end

local function timeoutError()
  return errors.new('The operation was aborted due to timeout', 'TIMEOUT_ERR', { name = 'TimeoutError' })
end

local LONGEST = 2 ^ 31 - 1 -- of a timer: 25 days

---A signal that aborts after `ms` milliseconds with a `TimeoutError`, more than 25 days being 25 days (in Node they are 1 ms). It
---does not keep the process alive. Raises `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
---@param ms integer 0 to 2^32 - 1
---@return weir.AbortSignal
function AbortSignal.timeout(ms)
  if type(ms) ~= 'number' then error(errors.argType('delay', 'number', ms)) end
  if ms % 1 ~= 0 then error(errors.outOfRange('delay', 'an integer', ms)) end
  if ms < 0 or ms > 2 ^ 32 - 1 then error(errors.outOfRange('delay', '>= 0 && <= 4294967295', ms)) end
  if not setTimeout then error(errors.new('There are no timers yet', 'ERR_INVALID_STATE')) end
  local signal = AbortSignal(PRIVATE)
  local weak, strong = setmetatable({ signal }, { __mode = 'v' }), {}
  signal._held = function(self, listened) strong[1] = listened and self or nil end
  local timer = setTimeout(function()
    local due = strong[1] or weak[1]
    if due then abort(due, timeoutError()) end
  end, min(ms, LONGEST))
  unref(timer)
  return signal
end

local function checkSignals(list)
  if type(list) ~= 'table' or class.of(list) then error(errors.argType('signals', 'table', list), 0) end
  for i, signal in ipairs(list) do
    if not class.is(signal, AbortSignal) then
      error(errors.argType('signals[' .. i .. ']', 'AbortSignal', signal), 0)
    end
  end
end

---A signal that aborts with the first of several, and with its reason; at once if one has aborted.
---@param list weir.AbortSignal[]
---@return weir.AbortSignal
function AbortSignal.any(list)
  checkSignals(list)
  local signal = AbortSignal(PRIVATE)
  local sources = {}
  for i, source in ipairs(list) do sources[i] = source end
  signal._sources = sources
  local function follow(reason) abort(signal, reason) end
  signal._held = function(_, listened)
    for _, source in ipairs(sources) do
      if listened then join(source, '_dependents', follow) else leave(source, '_dependents', follow) end
    end
  end
  return signal
end

function AbortController:init()
  self.signal = AbortSignal(PRIVATE)
end

---Aborts the signal, if it has not aborted: sets its reason and calls its listeners, all of them, before it returns. The
---first error that one of them raised is raised then.
---@param reason? any default an `AbortError` with the code `ABORT_ERR`
function AbortController:abort(reason)
  if not class.is(self, AbortController) then
    error(errors.new('Value of "self" must be of type AbortController', 'ERR_INVALID_THIS', { name = 'TypeError' }))
  end
  abort(self.signal, reason)
end

---Raises ERR_INVALID_ARG_TYPE if `signal`, which was given as the option of that name, is neither nil nor an AbortSignal.
---@param signal any
function M.checkOption(signal)
  if signal ~= nil and not class.is(signal, AbortSignal) then error(errors.argType('options.signal', 'AbortSignal', signal), 3) end
end

return M
