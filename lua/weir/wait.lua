-- SPDX-License-Identifier: MIT
-- Waiting: the one place where a coroutine of weir's yields to the runtime.
--
-- A wait yields a private token, by which the core tells it from a plain `coroutine.yield()` out of a handler, which is
-- an error of that stream. Going on is always put off to the tick queue (`core.wake`), behind what is queued already, as
-- what follows an `await` is in Node; so whoever wakes is never interrupted by whoever waited.
--
-- Where a wait is impossible it raises before anything was begun, and says why. In a coroutine that the user resumes, a
-- wait would surrender to the wrong resumer; inside `require`, a `gsub` or a `sort` callback Lua cannot yield at all.

local core = require 'weir.core'
local errors = require 'weir.errors'

local running, yield, isyieldable = coroutine.running, coroutine.yield, coroutine.isyieldable
local select, unpack = select, unpack

local M = {}

---What a waiting coroutine yields; the core lets only this leave a handler.
M.token = core.token or {}
local token = M.token

local function refuse(why)
  return errors.new('Cannot wait here: ' .. why, 'ERR_CANNOT_WAIT')
end

---Raises `ERR_CANNOT_WAIT` if the running code cannot wait, else does nothing. For functions that begin something before
---they wait for it.
function M.check()
  local co, isMain = running()
  if not co or isMain then error(refuse 'this is not in a coroutine (use weir.run or weir.wrap)') end
  if not core.canWait() then
    error(refuse 'this coroutine is not one of weir\'s own, and its resumer would get the wait (use weir.wrap)')
  end
  if not isyieldable() then
    error(refuse 'a function in C lies between (require, or the callback of gsub or sort), which Lua cannot leave')
  end
end

---Yields the running coroutine to the runtime until a `waker` of it is called.
---@return any ... what the waker was given
function M.pause()
  M.check()
  return yield(token)
end

---A function that lets the running coroutine go on, in a later tick, once it pauses. One call for each `pause`; where more
---than one may come, `prepare` is the form to use.
---@return fun(...: any)
function M.waker()
  local co = running()
  return function(...) core.wake(co, ...) end
end

---A wait for something that may happen before, while or never: `local wake, here = wait.prepare()`, hand `wake` to whom it
---may concern, then `return here()`.
---
---The first `wake(...)` counts and returns true, later ones do nothing and return false. `here()` returns what it was
---given, at once if it has come already; it is called once, by the coroutine that called `prepare`. Raises
---`ERR_CANNOT_WAIT` at once where waiting is impossible.
---@return fun(...: any): boolean wake
---@return fun(): any here
function M.prepare()
  M.check()
  local co = running()
  local woken, waiting, count, values = false, false, 0, nil

  local function wake(...)
    if woken then return false end
    woken = true
    if waiting then
      core.wake(co, ...)
    else
      count, values = select('#', ...), { ... }
    end
    return true
  end

  local function here()
    if waiting or running() ~= co then error(refuse 'a wait is used once, by the coroutine that prepared it') end
    waiting = true
    if woken then return unpack(values, 1, count) end
    return yield(token)
  end

  return wake, here
end

---Waits until somebody calls `wakeAt` with the same place.
---@param t table
---@param field string
function M.at(t, field)
  local wake, here = M.prepare()
  t[field] = wake
  here()
end

---Lets whoever waits at `t[field]` go on, if anybody does.
---@param t table
---@param field string
function M.wakeAt(t, field)
  local wake = t[field]
  t[field] = nil
  if wake then wake() end
end

return M
