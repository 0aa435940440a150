-- SPDX-License-Identifier: MIT
-- JSON for the conformance kit: small, strict, and with the few kinds of values that programs and logs have.
--
-- Reading: objects and arrays become tables, numbers numbers, and strings stay bytes (\u escapes become UTF-8). A null
-- inside an object or array is refused: a table cannot hold it, and no program has one.
-- Writing: a table is an array if `#t > 0` or it is empty, else an object with its keys sorted; integers are written with
-- %d, because LuaJIT's numbers are doubles.

local byte, char, find, format, sub = string.byte, string.char, string.find, string.format, string.sub
local concat = table.concat

local json = {}

-- ---- writing -------------------------------------------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t' }

local function escape(c)
  return ESCAPES[c] or format('\\u%04x', byte(c))
end

local function quote(s)
  return '"' .. s:gsub('[%z\1-\31"\\]', escape) .. '"'
end

local encode -- for the tables in tables

local function array(t)
  local parts = {}
  for i = 1, #t do parts[i] = encode(t[i]) end
  return '[' .. concat(parts, ',') .. ']'
end

local function object(t)
  local keys, parts = {}, {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = quote(key) .. ':' .. encode(t[key]) end
  return '{' .. concat(parts, ',') .. '}'
end

local function number(n)
  if n == math.floor(n) and n > -2 ^ 53 and n < 2 ^ 53 then return format('%d', n) end
  return format('%.17g', n)
end

local WRITE = {
  ['nil'] = function() return 'null' end,
  boolean = tostring,
  number = number,
  string = quote,
  table = function(t) return (#t > 0 or next(t) == nil) and array(t) or object(t) end,
}

-- The compact text of a value.
---@param v any
---@return string
function json.encode(v)
  local write = WRITE[type(v)]
  if not write then error('no JSON for a ' .. type(v), 2) end
  return write(v)
end
encode = json.encode

-- ---- reading -------------------------------------------------------------------------------------------------------

local UNESCAPES = { ['"'] = '"', ['\\'] = '\\', ['/'] = '/', b = '\b', f = '\f', n = '\n', r = '\r', t = '\t' }

local function fail(at, what)
  error(format('JSON, byte %d: %s', at, what), 0)
end

local function utf8(c)
  if c < 0x80 then return char(c) end
  if c < 0x800 then return char(0xC0 + math.floor(c / 64), 0x80 + c % 64) end
  if c < 0x10000 then return char(0xE0 + math.floor(c / 4096), 0x80 + math.floor(c / 64) % 64, 0x80 + c % 64) end
  return char(0xF0 + math.floor(c / 262144), 0x80 + math.floor(c / 4096) % 64, 0x80 + math.floor(c / 64) % 64, 0x80 + c % 64)
end

local function unit(text, at) -- the four digits of a \u
  local digits = text:match('^%x%x%x%x', at) or fail(at, 'four hexadecimal digits expected')
  return tonumber(digits, 16)
end

-- One escape, at its backslash: what it stands for, and where the text goes on.
local function unescape(text, at)
  local c = sub(text, at + 1, at + 1)
  if UNESCAPES[c] then return UNESCAPES[c], at + 2 end
  if c ~= 'u' then fail(at, 'no such escape') end
  local high = unit(text, at + 2)
  if high < 0xD800 or high > 0xDBFF or sub(text, at + 6, at + 7) ~= '\\u' then return utf8(high), at + 6 end
  local low = unit(text, at + 8)
  if low < 0xDC00 or low > 0xDFFF then return utf8(high), at + 6 end
  return utf8(0x10000 + (high - 0xD800) * 1024 + low - 0xDC00), at + 12
end

local function string_at(text, at) -- at its opening quote
  local parts = {}
  at = at + 1
  while true do
    local stop = find(text, '[%z\1-\31"\\]', at) or fail(at, 'a string without an end')
    parts[#parts + 1] = sub(text, at, stop - 1)
    local c = sub(text, stop, stop)
    if c == '"' then return concat(parts), stop + 1 end
    if c ~= '\\' then fail(stop, 'a control character in a string') end
    parts[#parts + 1], at = unescape(text, stop)
  end
end

local function number_at(text, at)
  local digits = text:match('^-?%d+%.?%d*[eE]?[+-]?%d*', at)
  local n = digits and not digits:find('^-?0%d') and not digits:find('%.$') and tonumber(digits)
  if not n then fail(at, 'a value expected') end
  return n, at + #digits
end

local function skip(text, at)
  return find(text, '[^ \t\r\n]', at) or #text + 1
end

local value_at

-- The members from `at`, each read by member(at) which says where it ended, up to the closing bracket.
local function members(text, at, close, member)
  at = skip(text, at + 1)
  if sub(text, at, at) == close then return at + 1 end
  while true do
    at = skip(text, member(at))
    local c = sub(text, at, at)
    if c == close then return at + 1 end
    if c ~= ',' then fail(at, 'a comma or ' .. close .. ' expected') end
    at = skip(text, at + 1)
  end
end

local function array_at(text, at)
  local list = {}
  local stop = members(text, at, ']', function(i)
    local v, after = value_at(text, i)
    if v == nil then fail(i, 'null in an array') end
    list[#list + 1] = v
    return after
  end)
  return list, stop
end

local function object_at(text, at)
  local map = {}
  local stop = members(text, at, '}', function(i)
    if sub(text, i, i) ~= '"' then fail(i, 'a key expected') end
    local key, after = string_at(text, i)
    after = skip(text, after)
    if sub(text, after, after) ~= ':' then fail(after, 'a colon expected') end
    local v
    v, after = value_at(text, skip(text, after + 1))
    if v == nil then fail(i, 'null in an object') end
    map[key] = v
    return after
  end)
  return map, stop
end

local READ = { ['{'] = object_at, ['['] = array_at, ['"'] = string_at }
local WORDS = { t = { 'true', true }, f = { 'false', false }, n = { 'null', nil } }

function value_at(text, at)
  local c = sub(text, at, at)
  if READ[c] then return READ[c](text, at) end
  local word = WORDS[c]
  if not word then return number_at(text, at) end
  if sub(text, at, at + #word[1] - 1) ~= word[1] then fail(at, 'a value expected') end
  return word[2], at + #word[1]
end

-- The value that a text holds; raises a string that says what is wrong, and at which byte.
---@param text string
---@return any
function json.decode(text)
  local v, at = value_at(text, skip(text, 1))
  at = skip(text, at)
  if at <= #text then fail(at, 'something after the value') end
  return v
end

-- The values of a text that has one a line; empty lines are passed over.
---@param text string
---@param where string  what the text is, for the message
---@return any[]
function json.lines(text, where)
  local records, n = {}, 0
  for line in text:gmatch('([^\n]*)\n?') do
    n = n + 1
    if line:find('%S') then
      local ok, v = pcall(json.decode, line)
      if not ok then error(format('%s, line %d: %s', where, n, v), 0) end
      records[#records + 1] = v
    end
  end
  return records
end

return json
