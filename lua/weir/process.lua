-- SPDX-License-Identifier: MIT
-- The process: Node's `process`, as far as it makes sense here. An emitter of 'uncaughtException', 'exit' and signals.
--
-- A signal is watched while somebody listens to it. In the command, SIGINT, SIGTERM and SIGHUP are watched from the start: the
-- first destroys all open streams, so that nothing half-written stays under a final name, and the process ends with 128 + n when
-- they are closed; a second one ends it at once, even in compiled Lua (runtime/bind/process.c). So does SIGPIPE when nobody reads
-- what is printed any more.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local events = require 'weir.events'

local tostring, type, rawget, pcall = tostring, type, rawget, pcall

---@class weir.Process: weir.EventEmitter
---@field argv string[] the command, the script, and its arguments
---@field env table<string, string> the environment
---@field exitCode integer? what the process ends with when nothing is left
local process = events.EventEmitter()

local M = { process = process }

process.argv = {}

-- ---- Uncaught errors --------------------------------------------------------------------------------------------------

M.nameOf = base.nameOf

-- The causes of an error, each in a line.
local function causes(err)
  local text, depth = '', 0
  local cause = errors.isError(err) and rawget(err, 'cause')
  while errors.isError(cause) and depth < 8 do
    text = text .. '\n    caused by: ' .. tostring(cause)
    cause, depth = rawget(cause, 'cause'), depth + 1
  end
  return text
end

-- Where a stream reads or writes, if it is a file's and the message does not say so.
local function placeOf(stream, err)
  local path = stream and rawget(stream, 'path')
  if type(path) ~= 'string' or tostring(err):find(path, 1, true) then return '' end
  return " of '" .. path .. "'"
end

---The message, the stream that failed, and the traceback in the user's own files.
---@param err any
---@return string text for a person
function M.describe(err)
  if not errors.isError(err) then err = errors.caught(err, '') end
  local text = 'Uncaught ' .. tostring(err)
  local stream = core.origin(err)
  local name = M.nameOf(stream)
  if name then text = text .. '\n    in the stream ' .. name .. placeOf(stream, err) end
  text = text .. causes(err)
  local own = errors.ownLines(err.traceback or '')
  if own ~= '' then return text .. '\n    at ' .. own:gsub('\n', '\n    at ') end
  return err.where and text .. '\n    at ' .. err.where or text
end
process.describe = M.describe

---What is to be said when nothing is left that could wake what still waits, a script or a pipeline: the stage that a
---pipeline waits for is named.
---@param co? thread of the script; nil: it does not wait
---@return weir.Error? err nil: nothing waits
function M.unsettled(co)
  local stage = M.nameOf(core.awaited())
  if not co and not stage then return nil end
  local text = ('%s still waits%s, and nothing is left that could wake it'):format(co and 'the script' or 'a pipeline',
    stage and ' for the stage ' .. stage or '')
  local err = errors.new(text, 'ERR_UNSETTLED_WAIT')
  err._stack = co and debug.traceback(co) or ''
  return err
end

local interrupted -- the number of the signal that ends the process
local commands = false -- the process is the command's, and ends with the script

base.onUncaught(function(err)
  if interrupted then return end -- what the end of the streams brings about is no news
  if process:listenerCount('uncaughtException') > 0 then
    process:emit('uncaughtException', err)
    return
  end
  io.stderr:write('weir: ', M.describe(err), '\n')
  if commands then core.exit(M.leave(1)) end
  process.exitCode = 1
  core.fail()
end)

-- ---- The end ------------------------------------------------------------------------------------------------------------

local leaving = false

---Tells the listeners of 'exit', once; the code to end with.
---@param code integer
---@return integer code
function M.leave(code)
  if leaving then return code end
  leaving = true
  process.exitCode = code
  local ok, err = pcall(process.emit, process, 'exit', code)
  if not ok then
    io.stderr:write('weir: ', M.describe(err), '\n')
    return 1
  end
  return process.exitCode or code
end

local function isCode(code)
  return type(code) == 'number' and code % 1 == 0
end

---Ends the process now with `code` (default: `process.exitCode`, else 0); 'exit' is emitted first. Nothing waits for streams
---that are under way: they are dropped.
---@param code? integer
function process.exit(code)
  if code == nil then code = process.exitCode or 0 end
  if not isCode(code) then error(errors.argType('code', 'integer', code), 2) end
  core.exit(M.leave(code))
end

-- ---- Signals ------------------------------------------------------------------------------------------------------------

local names = {}
for name, number in pairs(core.signals) do names[number] = name end

local watched = {} -- name -> handle
local defaults = {} -- name -> true: what the command handles itself
local instead = {} -- name -> function: what it does instead of ending

local function exitWhenClosed()
  if core.unclosed() > 0 then
    core.timer(1, false, exitWhenClosed)
  else
    core.exit(128 + interrupted)
  end
end

local arrived

local function watch(name, once)
  if watched[name] then core.signalStop(watched[name]) end
  local handle, code = core.signal(core.signals[name], arrived, once)
  watched[name] = handle or nil
  return code
end

-- What the script prints while its streams are closed must not end it before they are.
local function interrupt(number)
  interrupted = number
  if defaults.SIGPIPE then watch('SIGPIPE', false) end
  process.exitCode = 128 + number
  core.destroyAll()
  core.immediate(exitWhenClosed)
end

-- A stream of the standard output says itself that nobody reads it, and its listeners may want to know.
local function streamsOutput()
  local stdio = package.loaded['weir.stdio']
  return stdio and rawget(stdio, 'stdout') ~= nil
end

function arrived(number)
  local name = names[number]
  if process:listenerCount(name) > 0 then
    process:emit(name, name, number)
  elseif instead[name] then
    instead[name]()
    watch(name, true)
  elseif name == 'SIGPIPE' and streamsOutput() then
    watch(name, true)
  elseif not interrupted then
    interrupt(number)
  end
end

local function unwatch(name)
  if watched[name] then core.signalStop(watched[name]) end
  watched[name] = nil
end

function process._listening(_, name, count)
  if not core.signals[name] then return end
  if count == 1 then
    local code = watch(name, false)
    if code then error(errors.new('cannot watch ' .. name .. ': ' .. code, code, { syscall = 'sigaction' }), 3) end
  elseif count == 0 then
    unwatch(name)
    if defaults[name] then watch(name, true) end
  end
end

---From now on the process ends with the script, for the command: signals do what the head of this file says, an uncaught error
---ends it at once, and `os.exit` is `process.exit`, since that leaves nothing half done.
function M.takeOver()
  commands = true
  for _, name in ipairs { 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE' } do
    defaults[name] = true
    watch(name, true)
  end
  rawset(os, 'exit', function(code)
    if code == nil or type(code) == 'boolean' then code = code == false and 1 or 0 end
    process.exit(code)
  end)
end

---Calls `fn` for a signal that would end the process, for the REPL. If it comes again before that could be called, as in
---compiled Lua, it ends the process.
---@param name string
---@param fn fun()
function M.instead(name, fn)
  instead[name] = fn
end

---The number of the signal that is ending the process.
---@return integer?
function M.interrupted()
  return interrupted
end

-- ---- The rest -------------------------------------------------------------------------------------------------------------

---Monotonic nanoseconds.
---@return number
process.hrtime = core.hrtime

process.env = setmetatable({}, {
  __index = function(_, name) return os.getenv(name) end,
})

process._machinery = M

return process
