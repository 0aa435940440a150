-- SPDX-License-Identifier: MIT
-- pipeline and finished, each by callback or by waiting. The work is the core's (runtime/flow); here are the arguments.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local abort = require 'weir.abort'
local class = require 'weir.class'
local errors = require 'weir.errors'
local segments = require 'weir.stream.segments'
local wait = require 'weir.wait'

local type, select, error = type, select, error
local isStream = base.isStream

local M = {}

local function checkCount(stages, count)
  for i = 1, count do
    if stages[i] == nil then error(errors.argType('streams[' .. i .. ']', { 'function', 'Stream' }, nil), 5) end
  end
  if count < 2 then error(errors.new('The "streams" argument must be specified', 'ERR_MISSING_ARGS', { name = 'TypeError' }), 5) end
end

-- Raises for what cannot be a stage in its place; whether there are functions among them.
local function checkStages(stages, count)
  checkCount(stages, count)
  local functions = segments.any(stages)
  for i = 1, #stages do
    local stage = stages[i]
    if isStream(stage) then
      if i < #stages and stage.readable == nil then error(errors.argType('streams[' .. i .. ']', 'Readable', stage), 4) end
      if i > 1 and stage.writable == nil then error(errors.argType('streams[' .. i .. ']', 'Writable', stage), 4) end
    end
  end
  return functions
end

-- A table that is neither an object of a class nor a class.
local function isPlain(x)
  return type(x) == 'table' and not class.of(x) and not class.isClass(x)
end

-- The arguments of pipeline: stages, how many, options, callback. A nil behind two stages is an argument that was left out.
local function sortOut(...)
  local args, count = { ... }, select('#', ...)
  local callback, options
  if type(args[count]) == 'function' then
    callback = args[count]
    args[count] = nil
    count = count - 1
  end
  local least = isPlain(args[1]) and 1 or 2
  while count > least and args[count] == nil do count = count - 1 end
  local last = args[count]
  if isPlain(last) and (count > 1 or last[1] == nil) then
    options = last
    args[count] = nil
    count = count - 1
  end
  if count == 1 and isPlain(args[1]) then
    args = args[1]
    count = table.maxn(args)
  end
  return args, count, options or {}, callback
end

-- A stdio stream at the end is not finished, but all must be written. What then is to be finished, and who is told.
local function spareStdio(last, finish, done)
  if not finish or not isStream(last) or not last._isStdio then return finish, done end
  return false, function(err, value)
    if err then done(err) else last:write('', function(failure) done(failure, value) end) end
  end
end

-- Starts streams alone; gives what ends them from outside, and the last one.
local function startStreams(stages, finish, done)
  local handle
  handle = core.pipeline(stages, finish, function(err)
    handle = nil
    done(err)
  end)
  return function(err)
    if handle then core.pipelineAbort(handle, err) end
  end, stages[#stages]
end

-- Wires it; DONE is called once. `signal` is listened to meanwhile. Gives the last stream, if somebody READS it.
local function start(stages, functions, options, done, reads)
  local signal = options.signal
  local fail, last, onAbort, isOver
  local finish = options.finish
  if finish == nil then finish = options['end'] end
  finish, done = spareStdio(stages[#stages], finish ~= false, done)
  fail, last = (functions and segments.start or startStreams)(stages, finish, function(err, value)
    isOver = true
    if onAbort then signal:off('abort', onAbort) end
    done(err, value)
  end, reads)
  if signal == nil or isOver then return last end
  onAbort = function() fail(errors.abort(signal.reason)) end
  if signal.aborted then onAbort() else signal:on('abort', onAbort) end
  return last
end

---Wires STAGES, at least two streams that were looked at, for `compose`; DONE is called once, when all are over.
---@param stages weir.Stream[]
---@param done fun(err: weir.Error?)
---@return userdata handle for core.pipelineAbort
function M.join(stages, done)
  return core.pipeline(stages, true, done)
end

---`pipeline(a, b, c, options, callback)`: pipes streams into one another; when one fails, all are destroyed with its error.
---The callback is called once, when all are over. Without a callback it waits, in code that may wait, and raises the error.
---`options`: `signal` (an AbortSignal), `finish = false` (the last one is left open). The stages may be one array. A stage that
---is over before it began is an error (decided difference 2). Node's `stream.pipeline`.
---
---Stages may be functions, which run in coroutines and may wait:
---- the first one may be whatever `Readable.from` takes (a function without `emit` is an iterator), or `function(source, emit)`,
---  whose source is empty;
---- in between, `function(source, emit)`: `for value in source do ... emit(value) ... end`;
---- the last one may be `function(source)`. What it returns is what `pipeline` returns when it waits, and what the callback gets
---  behind the error; with a callback, a PassThrough is returned which gives it too.
---
---Each function is given, as its last argument, `{ signal = }`, which aborts when one fails and when all are over; it is
---`source.signal` too. What `function(source, emit)` at the end gives is read from the PassThrough that is returned.
---
---A function that returns before its source is at the end leaves it: what is before is destroyed, which is no error. An error
---that a function raises fails the pipeline. Since a function behind all other arguments is the callback, waiting with a function
---as the last stage takes options behind it, `pipeline(a, fn, {})`, or an array, `pipeline { a, fn }`. Raises
---ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for a stage that cannot be where it is.
---@param ... any
---@return any last with a callback the last stream; else what the last function has returned
function M.pipeline(...)
  local stages, count, options, callback = sortOut(...)
  abort.checkOption(options.signal)
  local functions = checkStages(stages, count)
  if callback then return start(stages, functions, options, callback, true) end
  local wake, here = wait.prepare()
  start(stages, functions, options, wake, false)
  local err, value = here()
  if err then error(err, 0) end
  return value
end

local function follow(stream, options, done)
  local handle
  local signal, onAbort = options.signal, nil
  local over = false
  local function finish(err)
    if over then return end
    over = true
    if onAbort then signal:off('abort', onAbort) end
    done(err)
  end
  handle = core.finished(stream, options.readable, options.writable, options.error ~= false, finish)
  if signal ~= nil and not stream.closed then
    onAbort = function()
      if over then return end
      core.cleanup(handle)
      finish(errors.abort(signal.reason))
    end
    if signal.aborted then core.nextTick(onAbort) else signal:on('abort', onAbort) end
  end
  return function()
    over = true
    if onAbort then signal:off('abort', onAbort) end
    core.cleanup(handle)
  end
end

---`finished(stream, options, callback)`: calls back once when the stream is done (nil), failed, or closed too early
---(ERR_STREAM_PREMATURE_CLOSE); leaves nothing behind. `options`: `readable` and `writable` (false: that side does not matter),
---`error` (false: `'error'` is not listened to), `signal`. Without a callback it waits, and raises the error. Node's
---`stream.finished`.
---@param stream weir.Stream
---@param options? table
---@param callback? fun(err: weir.Error?)
---@return fun()? cleanup stops following; with a callback
function M.finished(stream, options, callback)
  if type(options) == 'function' then options, callback = nil, options end
  if callback ~= nil and type(callback) ~= 'function' then error(errors.argType('callback', 'function', callback), 2) end
  if not isStream(stream) then error(errors.argType('stream', 'Stream', stream), 2) end
  if options ~= nil and type(options) ~= 'table' then error(errors.argType('options', 'table', options), 2) end
  options = options or {}
  abort.checkOption(options.signal)
  if callback then return follow(stream, options, callback) end
  local wake, here = wait.prepare()
  follow(stream, options, wake)
  local err = here()
  if err then error(err, 0) end
end

return M
