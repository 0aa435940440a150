-- SPDX-License-Identifier: MIT
-- What several specs need.

local assert = require 'luassert'
local weir = require 'weir'

local M = {}

---How much data a spec takes: in the hard build with one-byte reads, where a byte costs what a block does else, less.
---@param usual integer
---@param few integer
---@return integer
function M.amount(usual, few)
  return (os.getenv 'WEIR_HARD' or ''):find 'io1' and few or usual
end

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
