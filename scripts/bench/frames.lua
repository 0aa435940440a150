-- SPDX-License-Identifier: MIT
-- N 64 KiB chunks of [length: 4 big-endian][payload: 100] frames, fragmented off the frame border, parsed into objects in
-- Lua: weir frames.lua CHUNKS.

local weir = require 'weir'
local clock = dofile((arg[0]:match '^(.*/)' or '') .. 'clock.lua')

local chunks = tonumber(arg[1] or 2000)
local byte, sub = string.byte, string.sub

local FrameParser = weir.Transform:extend 'FrameParser'

function FrameParser:init()
  weir.Transform.init(self, { readableObjectMode = true })
  self.rest = ''
end

function FrameParser:_transform(chunk, callback)
  local bytes = self.rest == '' and chunk or self.rest .. chunk
  local at, size = 1, #bytes
  while size - at >= 3 do
    local a, b, c, d = byte(bytes, at, at + 3)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    if size - at - 3 < length then break end
    self:push{ length = length, data = sub(bytes, at + 4, at + 3 + length) }
    at = at + 4 + length
  end
  self.rest = sub(bytes, at)
  callback()
end

local frame = '\0\0\0\100' .. ('x'):rep(100)
local period = frame:rep(8192) -- 13 chunks of 64 KiB hold a whole number of frames
local pieces = {}
for i = 0, 12 do pieces[i] = period:sub(i * 65536 + 1, (i + 1) * 65536) end
local sent, frames, bytes = 0, 0, 0

local source = weir.Readable{
  read = function(self)
    if sent == chunks then
      self:push(nil)
      return
    end
    self:push(pieces[sent % 13])
    sent = sent + 1
  end,
}
local sink = weir.Writable{
  objectMode = true,
  write = function(_, f, callback)
    frames = frames + 1
    bytes = bytes + f.length
    callback()
  end,
}

clock('frames', function() weir.pipeline(source, FrameParser(), sink) end, function(ns)
  return { { 'frames', frames }, { 'bytes', bytes }, { 'nsPerFrame', ns / frames }, { 'MBps', chunks * 65536 / ns * 1e3 } }
end)
