-- SPDX-License-Identifier: MIT
-- The readable side as Lua sees it: Node's Readable, without encodings.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local class = require 'weir.class'
local errors = require 'weir.errors'

local pairs, type = pairs, type
local band = require('bit').band
local core_push, core_pipe, core_unpipe = core.push, core.pipe, core.unpipe

---@class weir.Readable: weir.Stream
---@field readable boolean may still be read
---@field readableLength integer bytes or objects that wait
---@field readableFlowing boolean? nil: nobody has asked yet
---@field readableEnded boolean `'end'` was emitted
---@field readableDidRead boolean
---@field readableAborted boolean
---@field readableHighWaterMark integer
---@field readableObjectMode boolean
local Readable = class.new('Readable', base.Stream)

for _, name in pairs {
  'readable', 'readableLength', 'readableFlowing', 'readableEnded', 'readableDidRead', 'readableAborted',
  'readableHighWaterMark', 'readableObjectMode',
} do
  Readable.getters[name] = core.properties[name]
end

local WANTED = { 'read', 'construct', 'destroy' }

---`Readable(options)`: handlers `read(self, size)`, `construct(self, callback)`, `destroy(self, err, callback)`; `objectMode`
---(false), `highWaterMark` (16 KiB, or 16 objects), `autoDestroy` (true), `emitClose` (true), `signal`, `name`.
---@param options? table
function Readable:init(options)
  base.init(self, options or {}, core.flags.IS_READABLE, WANTED)
end

---`push(chunk)`: gives a chunk to whoever reads; `push(nil)` ends it. In byte mode a chunk is a string.
---@param chunk any
---@return boolean more false: wait until `read` is called again
function Readable:push(chunk)
  local s = self._s
  if chunk ~= nil and s and (s.go == 1 or s.go == 3) and s.exact == 0 then -- inside a handler whose pushes may wait in the ring
    local tail = s.rtail
    if tail - s.rhead <= s.rmask then
      self._r[band(tail, s.rmask)] = chunk
      s.rtail = tail + 1
      return tail + 1 - s.rhead < s.rmark
    end
  end
  return core_push(self, chunk)
end

---`unshift(chunk)`: puts a chunk back in front.
---@param chunk any
---@return boolean more
Readable.unshift = core.unshift

---`read(n)`: a chunk, or nil if there is none yet. In byte mode `n` bytes, or all there are; objects come one at a time.
---@param n? integer
---@return any
Readable.read = core.read

---Stops the flow; `'pause'`.
---@return weir.Readable self
Readable.pause = core.pause

---Lets `'data'` flow, or drops it if nobody listens; `'resume'` in a later tick.
---@return weir.Readable self
Readable.resume = core.resume

---@return boolean
Readable.isPaused = core.properties.isPaused

---`pipe(dest, { finish = false })`: writes all of it to `dest`, which is finished at the end unless said otherwise. Errors are
---not passed on: see `weir.pipeline`. A destroyed stream at either end raises ERR_STREAM_DESTROYED, what cannot be written to
---ERR_INVALID_ARG_TYPE.
---@generic T: weir.Writable
---@param dest T
---@param options? { finish?: boolean }
---@return T dest
function Readable:pipe(dest, options)
  if not base.isStream(dest) or dest.writable == nil then error(errors.argType('dest', 'Writable', dest), 2) end
  local finish = true
  if options ~= nil then
    if type(options) ~= 'table' then error(errors.argType('options', 'table', options), 2) end
    if options.finish == false or options['end'] == false then finish = false end
  end
  if dest._isStdio then finish = false end
  core_pipe(self, dest, finish)
  return dest
end

---`unpipe(dest)`: ends that pipe; without an argument all of them.
---@param dest? weir.Writable
---@return weir.Readable self
function Readable:unpipe(dest)
  if dest ~= nil and not base.isStream(dest) then error(errors.argType('dest', 'Writable', dest), 2) end
  core_unpipe(self, dest)
  return self
end

return Readable
