-- SPDX-License-Identifier: MIT
-- Streams whose handlers are in C: how the options of a stream become one, whatever it is that makes it.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local ffi = require 'ffi'

local type, pairs, error = type, pairs, error
local flags, eventNumbers = core.flags, core.events
local bor = require('bit').bor
local Shared = ffi.typeof 'struct wr_shared'

local M = {}

local function optionFlags(options)
  local has = 0
  if options.autoDestroy ~= false then has = bor(has, flags.AUTO_DESTROY) end
  if options.emitClose ~= false then has = bor(has, flags.EMIT_CLOSE) end
  if options.allowHalfOpen ~= false then has = bor(has, flags.HALF_OPEN) end
  return has
end

-- Listeners that came before init (a subclass may add some).
local function tellListeners(self)
  for name, count in pairs(self._counts or {}) do
    if count > 0 then core.listener(self, eventNumbers[name], true, true) end
  end
end

---Makes `self` a transform of the core: `make(self, has, readableMark, writableMark)` calls the core function that does it,
---and raises if that fails. `objects`: its readable side is in object mode; `marks`: defaults for its high-water marks.
---@param self weir.Transform
---@param options? table of the stream: marks, autoDestroy, emitClose, signal, name
---@param make fun(self: table, has: integer, readableMark: integer, writableMark: integer)
---@param objects? boolean
---@param marks? { readable?: integer, writable?: integer }
function M.init(self, options, make, objects, marks)
  if options == nil then options = {} end
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), 4) end
  local readMark, writeMark = base.marks(options, true, objects and true or false, false)
  if marks and options.highWaterMark == nil then
    if options.readableHighWaterMark == nil then readMark = marks.readable or readMark end
    if options.writableHighWaterMark == nil then writeMark = marks.writable or writeMark end
  end
  local has = optionFlags(options)
  if objects then has = bor(has, flags.OBJECTS_READ) end
  if options.name ~= nil then self.name = options.name end
  make(self, has, readMark, writeMark)
  local shared = Shared()
  core.share(self, shared)
  self._s = shared
  tellListeners(self)
  if options.signal ~= nil then base.addAbortSignal(options.signal, self) end
  core.start(self)
end

return M
