-- SPDX-License-Identifier: MIT
-- What all streams share: how options become a stream of the core, the trampolines by which the core calls into Lua, and the
-- bits that tell it who listens.
--
-- A stream is a table: `_u`, the userdata; `_s`, the struct that Lua and C share; `_r` and `_w`, the rings of its objects.
-- Handlers are read once, when the stream is made (decided difference 12), from the options or from the class.

local core = require 'weir.core'
local abort = require 'weir.abort'
local class = require 'weir.class'
local errors = require 'weir.errors'
local events = require 'weir.events'
local driver = require 'weir.stream.driver'
local ffi = require 'ffi'

local type, xpcall, pairs, rawget, tostring, getmetatable = type, xpcall, pairs, rawget, tostring, getmetatable
local flags, eventNumbers, core_listener = core.flags, core.events, core.listener
local bit = require 'bit'
local bor, band = bit.bor, bit.band
local traceback = debug.traceback

local Shared = ffi.typeof 'struct wr_shared'
assert(ffi.sizeof(Shared) == core.sharedSize, 'the shared struct differs between C and Lua')

local M = {}

-- ---- Trampolines ------------------------------------------------------------------------------------------------------

local function caught(err)
  return errors.caught(err, traceback(2))
end

---For xpcall: what was raised, as an error object with the traceback of where.
M.caught = caught

local uncaught -- set by weir.process

---Sets what is done with an error that nobody took care of.
---@param fn fun(err: weir.Error)
function M.onUncaught(fn)
  uncaught = fn
end

local function report(err)
  local ok, failure = xpcall(uncaught, caught, err)
  if not ok then
    io.stderr:write(tostring(failure), '\n')
    core.fail()
  end
end

---Reports an error as uncaught: by default the script ends with it.
---@param err weir.Error
M.report = report

---What a stream is called: its option `name`, else its class.
---@param stream weir.Stream?
---@return string?
function M.nameOf(stream)
  if not stream then return nil end
  local name = rawget(stream, 'name')
  if name ~= nil then return tostring(name) end
  local meta = getmetatable(stream)
  return type(meta) == 'table' and rawget(meta, '__name') or 'a stream'
end

-- An error of the core's own. Of a stream that closed too early: the error says which one, and which side of it (decided
-- difference 10). By name: the error of a stream must not keep others.
local function ownError(message, code, stream, side)
  local err = errors.unplaced(message, code)
  if not side then return err end
  err.stage, err.side = M.nameOf(stream) or 'a stream', side
  err.message = ('%s of %s (%s)'):format(message, err.stage, side == 'both' and 'both sides' or 'its ' .. side .. ' side')
  return err
end

local constructed, failed, writeRaised = core.constructed, core.failed, core.writeRaised
local finaled, flushed, destroyed, done = core.finaled, core.flushed, core.destroyed, core.done
local emit = events.EventEmitter.emit

core.trampolines {
  construct = function(self, handler)
    local ok, err = xpcall(handler, caught, self, function(e) constructed(self, e) end)
    if not ok then constructed(self, err) end
  end,
  read = function(self, handler, size)
    local ok, err = xpcall(handler, caught, self, size)
    if not ok then failed(self, err) end
  end,
  write = function(self, handler, chunk, callback)
    local ok, err = xpcall(handler, caught, self, chunk, callback)
    if not ok then writeRaised(self, err) end
  end,
  writev = function(self, handler, chunks, callback)
    local ok, err = xpcall(handler, caught, self, chunks, callback)
    if not ok then writeRaised(self, err) end
  end,
  final = function(self, handler)
    local ok, err = xpcall(handler, caught, self, function(e) finaled(self, e) end)
    if not ok then finaled(self, err) end
  end,
  flush = function(self, handler)
    local ok, err = xpcall(handler, caught, self, function(e, v)
      if not e and v ~= nil then self:push(v) end
      flushed(self, e)
    end)
    if not ok then flushed(self, err) end
  end,
  destroy = function(self, handler, e)
    local ok, err = xpcall(handler, caught, self, e, function(e2) destroyed(self, e2) end)
    if not ok then destroyed(self, err) end
  end,
  event = function(self, name, value)
    local ok, err
    if value == nil then ok, err = xpcall(emit, caught, self, name) else ok, err = xpcall(emit, caught, self, name, value) end
    if not ok then report(err) end
  end,
  run = function(fn, ...)
    local ok, err = xpcall(fn, caught, ...)
    if not ok then report(err) end
  end,
  burst = driver.prepare,
  burstFailed = function(self, err, stack, writes)
    if writes then writeRaised(self, errors.caught(err, stack)) else failed(self, errors.caught(err, stack)) end
  end,
  uncaught = function(err) report(errors.caught(err, '')) end,
  error = function(value, code, stream, side)
    if code or type(value) == 'string' then return ownError(value, code, stream, side) end
    return errors.from(value)
  end,
}

-- ---- The class --------------------------------------------------------------------------------------------------------

---@class weir.Stream: weir.EventEmitter
---@field destroyed boolean
---@field closed boolean
---@field errored weir.Error?
---@field name string? the option `name`, for messages
local Stream = class.new('Stream', events.EventEmitter)
M.Stream = Stream

---Is `x` a stream, of any class?
---@param x any
---@return boolean
function M.isStream(x)
  return class.is(x, Stream)
end

for _, name in pairs { 'destroyed', 'closed', 'errored' } do Stream.getters[name] = core.properties[name] end

-- Tells the core who listens. `_counts` remembers how many did, to tell a listener that came from one that went.
function Stream:_listening(name, count)
  local number = eventNumbers[name]
  if not number then return end
  local counts = self._counts
  if not counts then
    counts = {}
    self._counts = counts
  end
  local before = counts[name] or 0
  counts[name] = count
  if rawget(self, '_u') then core_listener(self, number, count > 0, count > before) end
end

local FOLLOWED = { error = true, ['end'] = true, finish = true, drain = true, close = true }

---Emits by hand. Of `'error'`, `'end'`, `'finish'`, `'drain'` and `'close'` pipes, pipelines and `finished` hear too, as in Node, where
---they are listeners like others; the state of the stream is not changed by it. Whether anybody listened.
---@param name any
---@param ... any
---@return boolean
function Stream:emit(name, ...)
  if not FOLLOWED[name] or not rawget(self, '_u') then return emit(self, name, ...) end
  local number = eventNumbers[name]
  local unheard = core.tell(self, number, (...), true)
  local heard = name == 'error' and not unheard and self:listenerCount 'error' == 0 or emit(self, name, ...)
  core.tell(self, number, (...), false)
  return heard
end

-- Listeners that came before init (a subclass may add some).
local function tellListeners(self)
  for name, count in pairs(self._counts or {}) do
    if count > 0 then core_listener(self, eventNumbers[name], true, true) end
  end
end

local HANDLERS = { -- option -> { place in the core's table, flag }
  construct = { 1, flags.HAS_CONSTRUCT },
  read = { 2, flags.HAS_READ },
  write = { 3, flags.HAS_WRITE },
  transform = { 3, flags.HAS_WRITE },
  writev = { 4, flags.HAS_WRITEV },
  final = { 5, flags.HAS_FINAL },
  flush = { 6, flags.HAS_FLUSH },
  destroy = { 7, flags.HAS_DESTROY },
}

local function collectHandlers(self, options, wanted)
  local handlers, has = {}, 0
  for i = 1, #wanted do
    local name = wanted[i]
    local fn = options[name]
    if type(fn) ~= 'function' then fn = self['_' .. name] end
    if fn ~= nil then
      if type(fn) ~= 'function' then error(errors.argType('options.' .. name, 'function', fn), 4) end
      handlers[HANDLERS[name][1]] = fn
      has = bor(has, HANDLERS[name][2])
    end
  end
  return handlers, has
end

local MARK_MAX = 0x40000000
local defaultMark = { [false] = 16384, [true] = 16 }

---The mark of streams that are given none: bytes, or objects.
---@param objectMode boolean
---@return integer
function M.getDefaultHighWaterMark(objectMode)
  return defaultMark[objectMode and true or false]
end

---Sets it, for streams made from now on. Raises ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE.
---@param objectMode boolean
---@param value integer
function M.setDefaultHighWaterMark(objectMode, value)
  if type(value) ~= 'number' then error(errors.argType('value', 'number', value), 2) end
  if value % 1 ~= 0 then error(errors.outOfRange('value', 'an integer', value), 2) end
  if value < 0 then error(errors.outOfRange('value', '>= 0', value), 2) end
  defaultMark[objectMode and true or false] = value < MARK_MAX and value or MARK_MAX
end

local function markFrom(value, name, objectMode)
  if value == nil then return defaultMark[objectMode] end
  if type(value) ~= 'number' or value < 0 or value % 1 ~= 0 then error(errors.argValue('options.' .. name, value), 5) end
  return value < MARK_MAX and value or MARK_MAX
end

---The marks that `options` ask for, readable and writable.
---@param options table
---@param isDuplex boolean
---@param r boolean readable side in object mode
---@param w boolean
local function marks(options, isDuplex, r, w)
  local common = options.highWaterMark
  if not isDuplex then
    local mark = markFrom(common, 'highWaterMark', r or w)
    return mark, mark
  end
  local readable, writable = common, common
  if common == nil then readable, writable = options.readableHighWaterMark, options.writableHighWaterMark end
  return markFrom(readable, 'readableHighWaterMark', r), markFrom(writable, 'writableHighWaterMark', w)
end
M.marks = marks

---The flags that every kind of stream takes from its options.
---@param options table
---@return integer
function M.lifeFlags(options)
  local has = 0
  if options.autoDestroy ~= false then has = bor(has, flags.AUTO_DESTROY) end
  if options.emitClose ~= false then has = bor(has, flags.EMIT_CLOSE) end
  if options.allowHalfOpen ~= false then has = bor(has, flags.HALF_OPEN) end
  return has
end

---The same, of a stream that has both sides: `readable = false` and `writable = false` make it with that side closed.
---@param options table
---@return integer
function M.duplexFlags(options)
  local has = M.lifeFlags(options)
  if options.readable == false then has = bor(has, flags.CLOSED_READ) end
  if options.writable == false then has = bor(has, flags.CLOSED_WRITE) end
  return has
end

-- The callback of `_write` or `_transform`, made once a stream. While a handler runs that may push into the ring, a success
-- needs no crossing (`go` from IN to DONE); whatever is not that is the core's to decide. It holds `self`, and so whatever its
-- struct lives in.
local function makeCallback(self, isTransform)
  local s, ring = self._s, self._r
  if not isTransform then
    return function(err)
      if err == nil and s.go == 1 then
        s.go = 2
        return
      end
      done(self, err)
    end
  end
  if not ring then
    return function(err, value)
      if not err and value ~= nil then self:push(value) end
      if not err and s.go == 1 then
        s.go = 2
        return
      end
      done(self, err)
    end
  end
  return function(err, value)
    if err == nil and s.go == 1 and s.exact == 0 then
      if value == nil then
        s.go = 2
        return
      end
      local tail = s.rtail
      if tail - s.rhead <= s.rmask then
        ring[band(tail, s.rmask)] = value
        s.rtail = tail + 1
        s.go = 2
        return
      end
    end
    if not err and value ~= nil then self:push(value) end
    done(self, err)
  end
end

---The struct that the core shares with Lua, once the core has made `self`.
---@param self weir.Stream
function M.share(self)
  local shared = Shared()
  core.share(self, shared)
  self._s = shared
end

---Starts `self`, which is made and shared: its listeners are told of, its option `signal` is followed.
---@param self weir.Stream
---@param options table
function M.start(self, options)
  tellListeners(self)
  if options.signal ~= nil then M.addAbortSignal(options.signal, self) end
  core.start(self)
end

---Makes `self` a stream of the core. For the classes here.
---@param self weir.Stream
---@param options table
---@param kind integer flags of the sides
---@param wanted string[] names of the handlers that it may have
function M.init(self, options, kind, wanted)
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), 4) end
  local isDuplex = kind == bor(kind, flags.IS_READABLE, flags.IS_WRITABLE)
  local isTransform = kind == bor(kind, flags.IS_TRANSFORM)
  local r = (options.objectMode or isDuplex and options.readableObjectMode) and true or false
  local w = (options.objectMode or isDuplex and options.writableObjectMode) and true or false
  local handlers, has = collectHandlers(self, options, wanted)
  if r and kind == bor(kind, flags.IS_READABLE) then has = bor(has, flags.OBJECTS_READ) end
  if w and kind == bor(kind, flags.IS_WRITABLE) then has = bor(has, flags.OBJECTS_WRITE) end
  local readMark, writeMark = marks(options, isDuplex, r, w)
  if isTransform and options.readableHighWaterMark == 0 then readMark, writeMark = 0, options.writableHighWaterMark or 0 end
  if options.name ~= nil then self.name = options.name end
  has = bor(has, kind, flags.BURSTS, isDuplex and M.duplexFlags(options) or bor(M.lifeFlags(options), flags.HALF_OPEN))
  core.new(self, handlers, has, readMark, writeMark)
  M.share(self)
  local callback
  if isTransform or kind == bor(kind, flags.IS_WRITABLE) then
    callback = makeCallback(self, isTransform)
    core.callback(self, callback)
  end
  self._burst = { read = handlers[2], write = handlers[3], callback = callback, isTransform = isTransform }
  M.start(self, options)
end

---`stream:destroy(err)`: ends it at once. What is buffered is dropped, `'error'` (if `err` is given) and `'close'` come in a
---later tick, `'close'` last. A second call is ignored. A string becomes an error with that message. Node's `destroy`.
---@param err? weir.Error|string
---@return weir.Stream self
Stream.destroy = core.destroy

---`stream:stats()`: what passed and where it was held back, to see which stage is the bottleneck: `taken` (chunks its writable
---side has taken), `given` (chunks its readable side has given), `stops` (how often a pipe had to stop for it), `waited` (how
---long, in milliseconds), `bursts` (how often the core let more than one chunk into it at once), `longestBurst` (how many at most).
---@return { taken: integer, given: integer, stops: integer, waited: number, bursts: integer, longestBurst: integer }
Stream.stats = core.stats

---Follows `signal`: when it aborts, `stream` is destroyed with an AbortError. Raises ERR_INVALID_ARG_TYPE. Node's
---`addAbortSignal`.
---@generic T: weir.Stream
---@param signal weir.AbortSignal
---@param stream T
---@return T stream
function M.addAbortSignal(signal, stream)
  if not class.is(signal, abort.AbortSignal) then error(errors.argType('signal', 'AbortSignal', signal), 2) end
  if not M.isStream(stream) then error(errors.argType('stream', 'Stream', stream), 2) end
  local function onAbort() stream:destroy(errors.abort(signal.reason)) end
  if signal.aborted then
    onAbort()
  else
    signal:on('abort', onAbort)
    core.finished(stream, nil, nil, true, function() signal:off('abort', onAbort) end)
  end
  return stream
end

return M
