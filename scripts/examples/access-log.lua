-- SPDX-License-Identifier: MIT
-- The lines of a compressed access log with a status of 500 and above, as compressed JSON lines: gunzip, lines, a filter in
-- Lua, JSON, gzip. Without arguments it prints the rows of the sample beside it.
--   scripts/weir scripts/examples/access-log.lua [IN.gz OUT.gz]

local weir = require 'weir'

local byte, find, match, sub = string.byte, string.find, string.match, string.sub
local here = arg[0]:match '^(.*/)' or ''

-- ---- A line -----------------------------------------------------------------------------------------------------------

-- The rule. Patterns are not compiled, so this is only for lines that the functions below find odd.
local function oddRow(line)
  local ip, time, method, path, status, bytes =
    match(line, '^(%S+) %- %- %[([^%]]+)%] "(%S+) (%S+) [^"]+" (%d+) (%d+)$')
  if not ip or tonumber(status) < 500 then return nil end
  return { ip = ip, time = time, method = method, path = path, status = tonumber(status), bytes = tonumber(bytes) }
end

-- The status, if the line ends with `" ddd d...d`, and where it begins. Reading bytes from the end is cheap, and most lines
-- need no more.
local function statusOf(line)
  local at = #line
  while at > 6 and byte(line, at) >= 48 and byte(line, at) <= 57 do at = at - 1 end
  if at < 7 or at == #line or byte(line, at) ~= 32 then return nil end
  local quote, space, x, y, z = byte(line, at - 5, at - 1)
  if quote ~= 34 or space ~= 32 or x < 48 or x > 57 or y < 48 or y > 57 or z < 48 or z > 57 then return nil end
  return x * 100 + y * 10 + z - 5328, at - 3
end

-- White space that a pattern's %S refuses, and that is no blank.
local function hasOddSpace(line)
  return find(line, '\t', 1, true) or find(line, '\r', 1, true) or find(line, '\v', 1, true) or find(line, '\f', 1, true)
end

-- `ip - - [time] "METHOD path HTTP/1.1" status bytes` as a table; nil if it is none, or if its status is below 500.
local function row(line)
  local status, s = statusOf(line)
  if not status then return oddRow(line) end
  if status < 500 then return nil end
  local a = find(line, ' - - [', 1, true)
  local b = a and find(line, '] "', a, true)
  local c = b and find(line, ' ', b + 3, true)
  local d = c and find(line, ' ', c + 1, true)
  local quote = d and find(line, '"', d + 1, true)
  if quote ~= s - 2 or a == 1 or b == a + 6 or c == b + 3 or d == c + 1 or quote == d + 1
    or find(line, ' ', 1, true) ~= a or find(line, ']', a + 6, true) ~= b or hasOddSpace(line) then
    return oddRow(line)
  end
  return {
    ip = sub(line, 1, a - 1),
    time = sub(line, a + 6, b - 1),
    method = sub(line, b + 3, c - 1),
    path = sub(line, c + 1, d - 1),
    status = status,
    bytes = tonumber(sub(line, s + 4)),
  }
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

-- Objects to text, a line each, with the keys always in this order.
local encode = weir.json.encoder { 'ip', 'time', 'method', 'path', 'status', 'bytes', suffix = '\n' }

local JsonLines = weir.Transform:extend 'JsonLines'

function JsonLines:init()
  weir.Transform.init(self, { writableObjectMode = true })
end

function JsonLines:_transform(value, callback)
  callback(nil, encode(value))
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
