-- SPDX-License-Identifier: MIT
-- The lines of a compressed access log with a status of 500 and above, as compressed JSON lines: gunzip, lines, a filter in
-- Lua, JSON, gzip. Without arguments it prints the rows of the sample beside it.
--   scripts/weir scripts/examples/access-log.lua [IN.gz OUT.gz]

local weir = require 'weir'

local byte, find, match, concat = string.byte, string.find, string.match, table.concat
local here = arg[0]:match '^(.*/)' or ''

-- ---- A line -----------------------------------------------------------------------------------------------------------

-- Is what follows the last quote `" dxx ...`, the first d below 5? Then the status is below 500, or it is no row at all. Most lines
-- need no closer look. `find` of plain text and `byte` are compiled, which a pattern is not; and a loop in here would keep the
-- stream's own loop from being compiled.
local function isFine(line)
  local quote = find(line, '" ', 1, true)
  if not quote or find(line, '"', quote + 1, true) then return false end
  local digit, _, _, blank = byte(line, quote + 2, quote + 5)
  return blank == 32 and digit >= 48 and digit < 53
end

-- `ip - - [time] "METHOD path HTTP/1.1" status bytes` as a table; nil if it is none, or if its status is below 500.
local function row(line)
  if isFine(line) then return nil end
  local ip, time, method, path, status, bytes =
    match(line, '^(%S+) %- %- %[([^%]]+)%] "(%S+) (%S+) [^"]+" (%d+) (%d+)$')
  if not ip or tonumber(status) < 500 then return nil end
  return { ip = ip, time = time, method = method, path = path, status = tonumber(status), bytes = tonumber(bytes) }
end

-- ---- The pipeline -------------------------------------------------------------------------------------------------------

local counts = { lines = 0, kept = 0 }

local FailedRequests = weir.Transform:extend 'FailedRequests'

function FailedRequests:init()
  weir.Transform.init(self, { objectMode = true })
end

function FailedRequests:_transform(line, callback)
  counts.lines = counts.lines + 1
  local found = row(line)
  if not found then return callback() end
  counts.kept = counts.kept + 1
  callback(nil, found)
end

-- Objects to text, a line each, with the keys always in this order. A stream of bytes has no use for each line by itself: a
-- hundred at a time cost the next stage less.
local encode = weir.json.encoder { 'ip', 'time', 'method', 'path', 'status', 'bytes', suffix = '\n' }

local JsonLines = weir.Transform:extend 'JsonLines'

function JsonLines:init()
  weir.Transform.init(self, { writableObjectMode = true })
  self.texts, self.count = {}, 0
end

function JsonLines:take()
  local text = concat(self.texts, '', 1, self.count)
  self.count = 0
  return text
end

function JsonLines:_transform(value, callback)
  self.count = self.count + 1
  self.texts[self.count] = encode(value)
  if self.count < 100 then return callback() end
  callback(nil, self:take())
end

function JsonLines:_flush(callback)
  callback(nil, self:take())
end

-- On a terminal, how far it is, four times a second. Returns what ends that.
local function showProgress(source, size)
  if not weir.stderr.isTTY then return function() end end
  local timer = weir.setInterval(function()
    io.stderr:write(('\r%3d %%, %d lines, %d kept'):format(source.bytesRead / size * 100, counts.lines, counts.kept))
  end, 250)
  return function()
    weir.clearInterval(timer)
    io.stderr:write '\r\27[K'
  end
end

local input, output = arg[1], arg[2]
if input and not output then
  io.stderr:write('usage: access-log.lua [IN.gz OUT.gz]\n')
  weir.process.exit(2)
end

local source = weir.fs.createReadStream(input or here .. 'data/access.log.gz')
local stages = { source, weir.zlib.createGunzip(), weir.lines(), FailedRequests(), JsonLines() }
if not input then
  stages[#stages + 1] = weir.stdout
  weir.pipeline(stages)
  return
end

stages[#stages + 1] = weir.zlib.createGzip()
stages[#stages + 1] = weir.fs.createWriteStream(output, { atomic = true })
local endProgress = showProgress(source, math.max(1, weir.fs.stat(input).size))
local ok, err = pcall(weir.pipeline, stages)
endProgress()
if not ok then error(err, 0) end
print(('%d lines, %d kept'):format(counts.lines, counts.kept))
return counts
