-- SPDX-License-Identifier: MIT
-- The process: Node's `process`, as far as it makes sense here. An emitter of 'uncaughtException', 'exit' and signals.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local events = require 'weir.events'

local tostring, type = tostring, type

---@class weir.Process: weir.EventEmitter
---@field argv string[]
---@field exitCode integer? what the process ends with when nothing is left
local process = events.EventEmitter()

process.argv = {}

-- The message, where it arose, and the traceback in the user's own files.
local function describe(err)
  local text = 'Uncaught ' .. tostring(err)
  local own = errors.ownLines(err.traceback or '')
  if own ~= '' then text = text .. '\n' .. own end
  return text
end

---@param err any
---@return string text for a person
process.describe = describe

base.onUncaught(function(err)
  if process:listenerCount('uncaughtException') > 0 then
    process:emit('uncaughtException', err)
    return
  end
  io.stderr:write('weir: ', describe(err), '\n')
  process.exitCode = 1
  core.fail()
end)

---Ends the process now with `code` (default: `process.exitCode`, else 0).
---@param code? integer
function process.exit(code)
  if type(code) ~= 'number' then code = process.exitCode or 0 end
  process.exitCode = code
  core.exit(code)
end

---Monotonic nanoseconds.
---@return number
process.hrtime = core.hrtime

---The environment: `process.env.HOME`.
process.env = setmetatable({}, {
  __index = function(_, name) return os.getenv(name) end,
})

return process
