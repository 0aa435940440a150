-- SPDX-License-Identifier: MIT
-- Bytes to lines: `weir.lines()` is a transform whose chunks are the lines of what is written to it, without their ends.

local core = require 'weir.core'
local errors = require 'weir.errors'
local duplex = require 'weir.stream.duplex'
local native = require 'weir.stream.native'

local type, error = type, error

local MAX_LENGTH = 1048576
local MARK = 256

---@class weir.Lines: weir.Transform
local Lines = duplex.Transform:extend 'Lines'

---`lines(options)`: lines end with LF or CR LF; the last one needs no end. `maxLength` (1 MiB): a line with more bytes, its end
---not counted, is an error, ERR_LINE_TOO_LONG. `readableHighWaterMark` (256): lines made in advance, though never many more
---than 256 KiB of them.
---@param options? { maxLength?: integer, readableHighWaterMark?: integer } and those of every transform
function Lines:init(options)
  local max = MAX_LENGTH
  if type(options) == 'table' and options.maxLength ~= nil then
    max = options.maxLength
    if type(max) ~= 'number' then error(errors.argType('options.maxLength', 'number', max), 3) end
    if max % 1 ~= 0 or max < 0 or max > 2 ^ 30 then
      error(errors.outOfRange('options.maxLength', '>= 0 && <= 1073741824', max), 3)
    end
  end
  native.init(self, options, function(stream, has, readMark, writeMark)
    core.linesNew(stream, nil, has, readMark, writeMark, max)
  end, true, { readable = MARK })
end

return setmetatable({ Lines = Lines }, { __call = function(_, options) return Lines(options) end })
