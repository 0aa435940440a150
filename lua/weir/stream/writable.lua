-- SPDX-License-Identifier: MIT
-- The writable side as Lua sees it: Node's Writable, without encodings. Node's `end` is `finish` here.

local core = require 'weir.core'
local base = require 'weir.stream.base'
local class = require 'weir.class'

local pairs = pairs

---@class weir.Writable: weir.Stream
---@field writable boolean may still be written
---@field writableLength integer bytes or objects that are not written yet
---@field writableEnded boolean finish() was called
---@field writableFinished boolean all is written: `'finish'`
---@field writableNeedDrain boolean write() has said false, and `'drain'` will come
---@field writableCorked integer
---@field writableAborted boolean
---@field writableHighWaterMark integer
---@field writableObjectMode boolean
local Writable = class.new('Writable', base.Stream)

for _, name in pairs {
  'writable', 'writableLength', 'writableEnded', 'writableFinished', 'writableNeedDrain', 'writableCorked', 'writableAborted',
  'writableHighWaterMark', 'writableObjectMode',
} do
  Writable.getters[name] = core.properties[name]
end

local WANTED = { 'write', 'writev', 'final', 'construct', 'destroy' }

---`Writable(options)`: handlers `write(self, chunk, callback)`, `writev(self, chunks, callback)` (an array, at most 1,024),
---`final(self, callback)`, `construct`, `destroy`; options as of Readable.
---@param options? table
function Writable:init(options)
  base.init(self, options or {}, core.flags.IS_WRITABLE, WANTED)
end

---`write(chunk, callback)`: in byte mode a string. The callback comes once, in the order of the writes, with the error if it
---was never written. nil, or a wrong type, raises.
---@param chunk any
---@param callback? fun(err: weir.Error?)
---@return boolean more false: better wait for `'drain'`
Writable.write = core.write

---`finish(chunk, callback)`, Node's `end`: nothing more will be written. Both arguments may be left out.
---@param chunk? any
---@param callback? fun(err: weir.Error?)
---@return weir.Writable self
Writable.finish = core.finish
Writable['end'] = core.finish

---Keeps what is written in the buffer until `uncork` was called as often.
Writable.cork = core.cork
Writable.uncork = core.uncork

---A writable cannot be piped: an error of the stream, ERR_STREAM_CANNOT_PIPE.
function Writable:pipe()
  core.pipe(self, self, true)
end

return Writable
