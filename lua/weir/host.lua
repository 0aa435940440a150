-- SPDX-License-Identifier: MIT
-- Running scripts inside a program of somebody else's: what runtime/host/runtime.c does in Lua.
--
-- An error that nobody catches ends the run, not the process, and so does process.exit.
--
-- On a loop of weir's own a run is one call (weir.run). On a borrowed one several scripts may be under way; C asks `settle` when
-- it finds that nothing is left, since nobody here sees that.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local iter = require 'weir.stream.iter'
local wait = require 'weir.wait'
local weir = require 'weir'

local process = weir.process
local machinery = process._machinery

local function prepareState()
  jit.opt.start('maxtrace=8000', 'maxmcode=16384')
  core.pace()
end

---@param note fun(text: string?, code: integer?) keeps the first error's text, and the last code to end with
---@param ownLoop boolean
---@param ownState boolean
---@return fun(chunk: function, ...: any) run
---@return fun(): boolean settle nothing is left: true if that has changed
return function(note, ownLoop, ownState)
  local exited = false
  local under = {} -- scripts that are not over: state -> true; on a borrowed loop
  if ownState then prepareState() end

  local function fail(err)
    under = {}
    if exited then return end -- what the end of the streams brings about is no news
    note(machinery.describe(err))
    core.destroyAll()
    if ownLoop then core.fail() end
  end

  base.onUncaught(function(err)
    if process:listenerCount('uncaughtException') > 0 then return process:emit('uncaughtException', err) end
    fail(err)
  end)

  function process.exit(code)
    if code == nil then code = process.exitCode or 0 end
    if type(code) ~= 'number' or code % 1 ~= 0 then error(errors.argType('code', 'integer', code), 2) end
    code = machinery.leave(code)
    exited, under = true, {}
    note(nil, code)
    core.destroyAll()
    if ownLoop then core.fail() end
    wait.pause()
  end

  local function main(chunk, ...)
    local ok, err = xpcall(chunk, errors.caught, ...)
    if not ok then base.report(err) end
  end

  local function follow(state, chunk, ...)
    state.co = coroutine.running()
    under[state] = true
    main(chunk, ...)
    under[state] = nil
  end

  local function settle()
    if iter.closeAll() then return true end
    local state = next(under)
    local err = not exited and machinery.unsettled(state and state.co)
    if err then fail(err) end
    if not exited and process.exitCode then note(nil, process.exitCode) end
    return false
  end

  local function run(chunk, ...)
    exited = false
    process.exitCode = nil
    if not ownLoop then return core.run(follow, {}, chunk, ...) end
    local ok, err = pcall(weir.run, main, chunk, ...)
    if ok and not exited then err = machinery.unsettled() end
    if err then fail(err) end
    if not exited and process.exitCode then note(nil, process.exitCode) end
  end

  return run, settle
end
