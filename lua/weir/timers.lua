-- SPDX-License-Identifier: MIT
-- Ticks, timers and immediates: Node's, in milliseconds; and the coroutine forms, sleep and wrap.

local core = require 'weir.core'
local errors = require 'weir.errors'
local wait = require 'weir.wait'

local type, error = type, error

local M = {}

local function checkFunction(fn, name)
  if type(fn) ~= 'function' then error(errors.argType(name, 'function', fn), 3) end
end

local function checkTime(ms)
  if ms ~= nil and type(ms) ~= 'number' then error(errors.argType('ms', 'number', ms), 3) end
end

---Calls `fn(...)` before anything else happens, after the code that runs now: Node's `process.nextTick`.
---@param fn function
---@param ... any
function M.nextTick(fn, ...)
  checkFunction(fn, 'callback')
  core.nextTick(fn, ...)
end

---Calls `fn(...)` once, after `ms` milliseconds (below 1, or above 2^31 - 1: 1).
---@param fn function
---@param ms? number
---@param ... any
---@return userdata timer for clearTimeout
function M.setTimeout(fn, ms, ...)
  checkFunction(fn, 'callback')
  checkTime(ms)
  return core.timer(ms, false, fn, ...)
end

---Calls `fn(...)` every `ms` milliseconds.
---@param fn function
---@param ms? number
---@param ... any
---@return userdata timer for clearInterval
function M.setInterval(fn, ms, ...)
  checkFunction(fn, 'callback')
  checkTime(ms)
  return core.timer(ms, true, fn, ...)
end

---Calls `fn(...)` at the end of this turn of the loop.
---@param fn function
---@param ... any
---@return userdata immediate for clearImmediate
function M.setImmediate(fn, ...)
  checkFunction(fn, 'callback')
  return core.immediate(fn, ...)
end

---Stops a timer; nil, or one that is over, does nothing.
---@param timer userdata?
function M.clearTimeout(timer)
  if timer ~= nil then core.timerStop(timer) end
end
M.clearInterval = M.clearTimeout
M.clearImmediate = M.clearTimeout

---Whether a timer keeps the loop alive: `unref` lets it end without it.
---@param timer userdata
function M.unref(timer)
  core.timerUnref(timer)
end

---@param timer userdata
function M.ref(timer)
  core.timerRef(timer)
end

---Waits `ms` milliseconds, in code that may wait.
---@param ms number
function M.sleep(ms)
  checkTime(ms)
  local wake, here = wait.prepare()
  core.timer(ms, false, wake)
  here()
end

---`wrap(fn)`: a function that, when called, runs `fn` in a coroutine of weir's own, where it may wait; at once, up to its first
---wait. What it raises is uncaught.
---@param fn function
---@return function
function M.wrap(fn)
  checkFunction(fn, 'fn')
  return function(...)
    core.run(fn, ...)
  end
end

return M
