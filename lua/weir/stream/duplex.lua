-- SPDX-License-Identifier: MIT
-- Streams with both sides: Duplex, Transform, PassThrough.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local class = require 'weir.class'
local Readable = require 'weir.stream.readable'
local Writable = require 'weir.stream.writable'

local bor = require('bit').bor
local flags = core.flags

---@class weir.Duplex: weir.Readable, weir.Writable
---@field allowHalfOpen boolean
local Duplex = class.new('Duplex', Readable, Writable)

Duplex.getters.allowHalfOpen = core.properties.allowHalfOpen

local DUPLEX = { 'read', 'write', 'writev', 'final', 'construct', 'destroy' }

---`Duplex(options)`: the handlers of Readable and Writable; `readableObjectMode`, `writableObjectMode`,
---`readableHighWaterMark`, `writableHighWaterMark`, `allowHalfOpen` (true), `readable` and `writable` (false: that side is
---closed from the start).
---@param options? table
function Duplex:init(options)
  base.init(self, options or {}, bor(flags.IS_READABLE, flags.IS_WRITABLE), DUPLEX)
end

---@class weir.Transform: weir.Duplex
local Transform = class.new('Transform', Duplex)

local TRANSFORM = { 'read', 'transform', 'writev', 'final', 'flush', 'construct', 'destroy' }

---`Transform(options)`: handlers `transform(self, chunk, callback)`, which pushes what it makes, or gives it as
---`callback(nil, value)`, and `flush(self, callback)`, before the end.
---@param options? table
function Transform:init(options)
  base.init(self, options or {}, bor(flags.IS_READABLE, flags.IS_WRITABLE, flags.IS_TRANSFORM), TRANSFORM)
end

---@class weir.PassThrough: weir.Transform
local PassThrough = class.new('PassThrough', Transform)

function PassThrough:_transform(chunk, callback)
  callback(nil, chunk)
end

return { Duplex = Duplex, Transform = Transform, PassThrough = PassThrough }
