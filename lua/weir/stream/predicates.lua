-- SPDX-License-Identifier: MIT
-- Questions about any value: is it a stream that may be read, may be written, has failed ...? They raise nothing, whatever they
-- are given, and answer as Node's, nil for Node's null.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local Readable = require 'weir.stream.readable'

local type, rawget = type, rawget
local errorEmitted = core.properties.errorEmitted

local M = {}

-- An instance whose `init` has not called its parent's: a stream to be, whose properties cannot be asked for.
local function isUnmade(x)
  return base.isStream(x) and rawget(x, '_u') == nil
end

local function isStream(x)
  return base.isStream(x) and not isUnmade(x)
end

-- A property of anything, if it is a boolean.
local function isSet(x, name)
  if type(x) ~= 'table' or isUnmade(x) then return nil end
  local value = x[name]
  if type(value) == 'boolean' then return value end
end

local function isOpen(x, side)
  local open = isSet(x, side)
  if open == nil then return nil end
  return open and isStream(x) and not x.destroyed
end

---Whether a stream may still be read: nil for what has no readable side. Node's `stream.isReadable`.
---@param stream any
---@return boolean?
function M.isReadable(stream)
  return isOpen(stream, 'readable')
end

---Whether a stream may still be written: nil for what has no writable side. Node's `stream.isWritable`.
---@param stream any
---@return boolean?
function M.isWritable(stream)
  return isOpen(stream, 'writable')
end

---Whether a stream has failed, and said so: true from its `'error'` on, false for all else. Node's `stream.isErrored`.
---@param stream any
---@return boolean
function M.isErrored(stream)
  return isStream(stream) and errorEmitted(stream)
end

---Whether a stream was read from, or destroyed before its end; false for what has no readable side. Also
---`Readable.isDisturbed`. Node's `stream.Readable.isDisturbed`.
---@param stream any
---@return boolean
function M.isDisturbed(stream)
  return isSet(stream, 'readableDidRead') or isSet(stream, 'readableAborted') or false
end

---Whether a stream was destroyed; nil for what is no stream. Node's `stream.isDestroyed`.
---@param stream any
---@return boolean?
function M.isDestroyed(stream)
  if not isStream(stream) then return nil end
  return stream.destroyed
end

Readable.isDisturbed = M.isDisturbed

return M
