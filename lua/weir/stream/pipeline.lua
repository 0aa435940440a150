-- SPDX-License-Identifier: MIT
-- pipeline and finished, each by callback or by waiting. The work is the core's (runtime/flow); here are the arguments.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local abort = require 'weir.abort'
local class = require 'weir.class'
local errors = require 'weir.errors'
local wait = require 'weir.wait'

local type, select, error = type, select, error

local M = {}

local function isStream(x)
  return class.is(x, base.Stream)
end

local function checkSignal(signal)
  if signal ~= nil and not class.is(signal, abort.AbortSignal) then error(errors.argType('options.signal', 'AbortSignal', signal), 4) end
end

local function checkStages(stages)
  if #stages < 2 then error(errors.new('The "streams" argument must be specified', 'ERR_MISSING_ARGS'), 4) end
  for i = 1, #stages do
    local stage = stages[i]
    if not isStream(stage) then error(errors.argType('streams[' .. i .. ']', 'Stream', stage), 4) end
    if i < #stages and stage.readable == nil then error(errors.argType('streams[' .. i .. ']', 'Readable', stage), 4) end
    if i > 1 and stage.writable == nil then error(errors.argType('streams[' .. i .. ']', 'Writable', stage), 4) end
  end
end

-- The arguments of pipeline: stages, options, callback.
local function sortOut(...)
  local args, count = { ... }, select('#', ...)
  local callback, options
  if type(args[count]) == 'function' then
    callback = args[count]
    args[count] = nil
    count = count - 1
  end
  local last = args[count]
  if type(last) == 'table' and not isStream(last) and (count > 1 or last[1] == nil) then
    options = last
    args[count] = nil
    count = count - 1
  end
  if count == 1 and type(args[1]) == 'table' and not isStream(args[1]) then args = args[1] end
  return args, options or {}, callback
end

-- Wires it; DONE is called once. `signal` is listened to meanwhile.
local function start(stages, options, done)
  local signal = options.signal
  local handle, onAbort
  local finish = options.finish
  if finish == nil then finish = options['end'] end
  local last = stages[#stages]
  if last._isStdio and finish ~= false then -- is not finished, but all must be written
    local told = done
    finish = false
    done = function(err)
      if err then told(err) else last:write('', told) end
    end
  end
  handle = core.pipeline(stages, finish ~= false, function(err)
    handle = nil
    if onAbort then signal:off('abort', onAbort) end
    done(err)
  end)
  if signal == nil then return end
  onAbort = function()
    if handle then core.pipelineAbort(handle, errors.abort(signal.reason)) end
  end
  if signal.aborted then onAbort() else signal:on('abort', onAbort) end
end

---Wires STAGES, at least two streams that were looked at, for `compose`; DONE is called once, when all are over.
---@param stages weir.Stream[]
---@param done fun(err: weir.Error?)
function M.join(stages, done)
  core.pipeline(stages, true, done)
end

---`pipeline(a, b, c, options, callback)`: pipes streams into one another; when one fails, all are destroyed with its error.
---The callback is called once, when all are over. Without a callback it waits, in code that may wait, and raises the error.
---`options`: `signal` (an AbortSignal), `finish = false` (the last one is left open). The stages may be one array. A stage that
---is over before it began is an error (decided difference 2). Node's `stream.pipeline`.
---@param ... any
---@return weir.Stream? last with a callback
function M.pipeline(...)
  local stages, options, callback = sortOut(...)
  checkSignal(options.signal)
  checkStages(stages)
  if callback then
    start(stages, options, callback)
    return stages[#stages]
  end
  local wake, here = wait.prepare()
  start(stages, options, wake)
  local err = here()
  if err then error(err, 0) end
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
  if not isStream(stream) then error(errors.argType('stream', 'Stream', stream), 2) end
  if options ~= nil and type(options) ~= 'table' then error(errors.argType('options', 'table', options), 2) end
  options = options or {}
  checkSignal(options.signal)
  if callback then return follow(stream, options, callback) end
  local wake, here = wait.prepare()
  follow(stream, options, wake)
  local err = here()
  if err then error(err, 0) end
end

return M
