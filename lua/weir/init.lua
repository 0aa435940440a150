-- SPDX-License-Identifier: MIT
-- The public module. Requires run downwards in this list only, and never from inside a function:
--   core (C), class, show, errors, wait, eventiterator, events, abort, json, stream.base, timers, stream.readable,
--   stream.writable, stream.duplex, stream.from, stream.iter, stream.stage, stream.segments, stream.pipeline, process, and what is
--   loaded when first touched: stream.front, stream.duplex_from, stream.compose, stream.duplex_pair, stream.operators,
--   stream.predicates, fs, zlib, crypto, net, lines, consumers. (All of it at once costs a start most of a millisecond.)

local core = require 'weir.core'
local class = require 'weir.class'
local show = require 'weir.show'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local events = require 'weir.events'
local abort = require 'weir.abort'
local base = require 'weir.stream.base'
local timers = require 'weir.timers'
local Readable = require 'weir.stream.readable'
local Writable = require 'weir.stream.writable'
local duplex = require 'weir.stream.duplex'
require 'weir.stream.from'
local iter = require 'weir.stream.iter'
local pipeline = require 'weir.stream.pipeline'
local process = require 'weir.process'

abort.setTimers(timers.setTimeout, timers.unref)

local weir = {
  _VERSION = core.version,
  Stream = base.Stream,
  Readable = Readable,
  Writable = Writable,
  Duplex = duplex.Duplex,
  Transform = duplex.Transform,
  PassThrough = duplex.PassThrough,
  pipeline = pipeline.pipeline,
  finished = pipeline.finished,
  addAbortSignal = base.addAbortSignal,
  getDefaultHighWaterMark = base.getDefaultHighWaterMark,
  setDefaultHighWaterMark = base.setDefaultHighWaterMark,
  AbortController = abort.AbortController,
  AbortSignal = abort.AbortSignal,
  EventEmitter = events.EventEmitter,
  Error = errors.Error,
  class = class,
  errors = errors,
  events = events,
  show = show,
  wait = wait,
  process = process,
  nextTick = timers.nextTick,
  setTimeout = timers.setTimeout,
  setInterval = timers.setInterval,
  setImmediate = timers.setImmediate,
  clearTimeout = timers.clearTimeout,
  clearInterval = timers.clearInterval,
  clearImmediate = timers.clearImmediate,
  sleep = timers.sleep,
  wrap = timers.wrap,
}

local function runMain(state, fn, ...)
  state.co = coroutine.running()
  local ok, err = xpcall(fn, errors.caught, ...)
  state.over = true
  if ok then return end
  state.failure = { err }
  if state.loops then core.stop() end -- else it would stop the next one
end

---Runs `fn(...)` where it may wait, and the loop until nothing is left. What a script of the command runs in; in a stock
---luajit, call it around everything. Raises what `fn` raised, and `ERR_UNSETTLED_WAIT` if `fn` waits when nothing is left.
---In code that may wait already, such as a script of the command, it only calls `fn`. Raises ERR_INVALID_ARG_TYPE if `fn` is no
---function.
---@param fn function
---@param ... any
function weir.run(fn, ...)
  if type(fn) ~= 'function' then error(errors.argType('fn', 'function', fn), 2) end
  if core.canWait() then return fn(...) end
  local state = {}
  core.run(runMain, state, fn, ...)
  state.loops = true
  local dry
  repeat
    dry = not state.failure and core.loop()
    local again = dry and not state.failure and iter.closeAll()
  until not again
  if state.failure then error(state.failure[1], 0) end
  if dry and not state.over then error(process._machinery.unsettled(state.co), 0) end
end

local lazy = {}
for _, name in ipairs { 'fs', 'zlib', 'crypto', 'net', 'json', 'lines', 'consumers' } do lazy[name] = 'weir.' .. name end
-- name -> the module that it is a field of
local fields = {
  stdin = 'stdio', stdout = 'stdio', stderr = 'stdio', null = 'json',
  compose = 'stream.compose', duplexPair = 'stream.duplex_pair',
}
for _, name in ipairs { 'isReadable', 'isWritable', 'isErrored', 'isDisturbed', 'isDestroyed' } do fields[name] = 'stream.predicates' end

-- Functions of the class `of` that `module` brings when one of them is called for the first time.
local function later(of, module, names)
  for _, name in ipairs(names) do
    of[name] = function(...)
      require(module)
      return of[name](...)
    end
  end
end

later(Readable, 'weir.stream.operators',
  { 'map', 'filter', 'forEach', 'some', 'every', 'find', 'toArray', 'reduce', 'flatMap', 'take', 'drop' })
later(Readable, 'weir.stream.compose', { 'compose' })
later(Readable, 'weir.stream.predicates', { 'isDisturbed' })
later(duplex.Duplex, 'weir.stream.duplex_from', { 'from' })

return setmetatable(weir, {
  __index = function(_, key)
    local name = fields[key] and 'weir.' .. fields[key] or lazy[key]
    if not name then return nil end
    local module = require(name)
    if fields[key] then module = module[key] end
    rawset(weir, key, module)
    return module
  end,
})
