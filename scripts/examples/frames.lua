-- SPDX-License-Identifier: MIT
-- A parser of frames, [length: 4 bytes, big-endian][payload], from input that is cut anywhere: bytes go in, objects with
-- timestamp, length and data come out. It shows a good input in pieces of three sizes, one that ends inside a frame, and one
-- with a frame that is too large.
--   scripts/weir scripts/examples/frames.lua

local weir = require 'weir'

local byte, sub, concat, time = string.byte, string.sub, table.concat, os.time

local HEADER = 4

local FrameParser = weir.Transform:extend 'FrameParser'

---@param largest? integer the longest payload that is accepted (default 1 MiB)
function FrameParser:init(largest)
  weir.Transform.init(self, { readableObjectMode = true })
  self.largest = largest or 1048576
  -- The beginning of a frame: its pieces, which are joined only once there are `need` bytes of them. So a byte is copied a
  -- few times, however many pieces its frame came in.
  self.pieces, self.count, self.have, self.need = {}, 0, 0, HEADER
end

function FrameParser:keep(piece)
  self.count = self.count + 1
  self.pieces[self.count] = piece
  self.have = self.have + #piece
end

-- All that was kept, in one string.
function FrameParser:take()
  local bytes = self.count == 1 and self.pieces[1] or concat(self.pieces, '', 1, self.count)
  if self.count > 64 then self.pieces = {} end
  self.count, self.have, self.need = 0, 0, HEADER
  return bytes
end

-- Pushes the frames that BYTES holds and keeps what is left. Returns the length of a frame that is too large.
function FrameParser:parse(bytes)
  local at, size, now = 1, #bytes, time() * 1000
  while size - at + 1 >= HEADER do
    local a, b, c, d = byte(bytes, at, at + 3)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    if length > self.largest then return length end
    local last = at + HEADER + length - 1
    if last > size then
      self.need = HEADER + length
      break
    end
    self:push{ timestamp = now, length = length, data = sub(bytes, at + HEADER, last) }
    at = last + 1
  end
  if at <= size then self:keep(at == 1 and bytes or sub(bytes, at)) end
end

function FrameParser:_transform(chunk, callback)
  if self.have > 0 then
    self:keep(chunk)
    if self.have < self.need then return callback() end
    chunk = self:take()
  end
  local length = self:parse(chunk)
  if length then return callback(weir.Error('Frame too large', { length = length, largest = self.largest })) end
  callback()
end

function FrameParser:_flush(callback)
  if self.have == 0 then return callback() end
  callback(('Incomplete frame: %d leftover bytes'):format(self.have))
end

-- ---- Showing it ---------------------------------------------------------------------------------------------------------

local function frame(data)
  local n = #data
  return string.char(math.floor(n / 2 ^ 24), math.floor(n / 2 ^ 16) % 256, math.floor(n / 256) % 256, n % 256) .. data
end

-- A stream of INPUT in pieces of SIZE bytes.
local function cut(input, size)
  local at = 1
  return weir.Readable{
    read = function(self)
      self:push(at <= #input and sub(input, at, at + size - 1) or nil)
      at = at + size
    end,
  }
end

local function show(title, input, size, largest)
  print(title)
  local printer = weir.Writable{
    objectMode = true,
    write = function(_, f, callback)
      print(('  %d bytes: "%s"'):format(f.length, f.length <= 20 and f.data or sub(f.data, 1, 17) .. '...'))
      callback()
    end,
  }
  local parser = FrameParser(largest)
  local ok, err = pcall(weir.pipeline, cut(input, size), parser, printer)
  if not ok then print(('  failed: %s'):format(err.message)) end
end

local input = frame 'hello' .. frame '' .. frame(('0123456789'):rep(30)) .. frame 'goodbye'

for _, size in ipairs { 1, 7, 65536 } do show(('pieces of %d'):format(size), input, size) end
show('an end inside a frame', input .. sub(frame 'never complete', 1, 10), 7)
show('a frame that is too large', frame 'small' .. frame(('x'):rep(101)), 7, 100)

return FrameParser
