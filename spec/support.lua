-- SPDX-License-Identifier: MIT
-- What several specs need.

local assert = require 'luassert'
local weir = require 'weir'

local M = {}

---What the command (a format and its values) writes.
---@param ... any
---@return string
function M.output_of(...)
  local pipe = assert(io.popen((...):format(select(2, ...))))
  local text = pipe:read '*a'
  pipe:close()
  return text
end

---The error that a call raises.
---@param ... any the function and its arguments
---@return any
function M.raised(...)
  local ok, err = pcall(...)
  assert.is_false(ok)
  return err
end

---The error that `stream` ends with.
---@param stream weir.Stream
---@return weir.Error
function M.failure_of(stream)
  return M.raised(weir.finished, stream)
end

---How many descriptors are open.
---@return integer
function M.descriptors()
  return #weir.fs.readdirSync '/proc/self/fd'
end

return M
