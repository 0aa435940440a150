-- SPDX-License-Identifier: MIT
-- Running scripts inside a program of somebody else's: what runtime/host/runtime.c does in Lua.
--
-- An error that nobody catches ends the run, not the process, and so does process.exit.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local weir = require 'weir'

local process = weir.process
local machinery = process._machinery

---@param note fun(text: string?, code: integer?) keeps the first error's text; or the code of process.exit
---@param ownLoop boolean
---@return fun(chunk: function, ...: any) run
return function(note, ownLoop)
  local exited = false

  local function fail(err)
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
    exited = true
    note(nil, code)
    core.destroyAll()
    if ownLoop then core.fail() end
    wait.pause()
  end

  local function main(chunk, ...)
    local ok, err = xpcall(chunk, errors.caught, ...)
    if not ok then base.report(err) end
  end

  return function(chunk, ...)
    exited = false
    if not ownLoop then return core.run(main, chunk, ...) end
    local ok, err = pcall(weir.run, main, chunk, ...)
    if not ok then fail(err) end
    if not exited and process.exitCode then note(nil, process.exitCode) end
  end
end
