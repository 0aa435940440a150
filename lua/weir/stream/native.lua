-- SPDX-License-Identifier: MIT
-- Streams whose handlers are in C: how the options of a stream become one, whatever it is that makes it.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'

local type, error = type, error
local flags = core.flags
local bor = require('bit').bor

local M = {}

---Makes `self` a transform of the core: `make(self, has, readableMark, writableMark)` calls the core function that does it,
---and raises if that fails. `objects`: its readable side is in object mode; `marks`: defaults for its high-water marks.
---@param self weir.Transform
---@param options? table of the stream: marks, readable, writable, autoDestroy, emitClose, signal, name
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
  local has = base.duplexFlags(options)
  if objects then has = bor(has, flags.OBJECTS_READ) end
  if options.name ~= nil then self.name = options.name end
  make(self, has, readMark, writeMark)
  base.share(self)
  base.start(self, options)
end

return M
