-- SPDX-License-Identifier: MIT
-- Writes any Lua value as text for a person to read: the REPL's answers, the `Received ...` of error messages, the
-- context of an unhandled error.
--
-- The output is for eyes, not for a parser: long things are cut, cycles named, private fields of objects left out. It
-- knows no class and no error: what an object looks like is its own business, told by its metatable (`__show`, `__name`,
-- `__tostring`), so that this module can stand below all others. Nothing here calls an `__index` or `__pairs` of a value:
-- showing a stream must not read from it.

local next, type, tostring, rawget, pcall = next, type, tostring, rawget, pcall
local getmetatable = getmetatable
local concat, sort = table.concat, table.sort
local format, rep, byte = string.format, string.rep, string.byte

local M = {}

---@class weir.ShowOptions
---@field depth? integer levels of nested tables that are opened (default 2, as in Node's `util.inspect`)
---@field width? integer columns of a line before a table is broken over several (default 80)
---@field color? boolean paint with ANSI colours (default false)
---@field maxArrayLength? integer items of a list, and keys of a table, before the rest is only counted (default 100)
---@field maxStringLength? integer bytes of a string before the rest is only counted (default 10000)

local COLORS = { string = '32', number = '33', boolean = '33', ['nil'] = '90', special = '36' }

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch '%a+' do
  KEYWORDS[word] = true
end

local ESCAPES = { ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t', ['\\'] = '\\\\' }

local function escapeByte(char)
  return ESCAPES[char] or format('\\x%02x', byte(char))
end

-- How many bytes the well-formed UTF-8 character at `at` has, or nil. A terminal gets no half characters.
local function utf8Length(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  local function tail(x) return x ~= nil and x >= 0x80 and x <= 0xbf end
  if a >= 0xc2 and a <= 0xdf then
    return tail(b) and 2 or nil
  elseif a >= 0xe0 and a <= 0xef then
    local good = tail(b) and tail(c) and not (a == 0xe0 and b < 0xa0) and not (a == 0xed and b > 0x9f)
    return good and 3 or nil
  elseif a >= 0xf0 and a <= 0xf4 then
    local good = tail(b) and tail(c) and tail(d) and not (a == 0xf0 and b < 0x90) and not (a == 0xf4 and b > 0x8f)
    return good and 4 or nil
  end
end

local function escapeHigh(run)
  local out, at = {}, 1
  while at <= #run do
    local length = utf8Length(run, at)
    out[#out + 1] = length and run:sub(at, at + length - 1) or escapeByte(run:sub(at, at))
    at = at + (length or 1)
  end
  return concat(out)
end

---A string as a Lua literal on one line: in single quotes, or in double ones where that saves escapes. Control
---characters are escaped, well-formed UTF-8 is left as it is, other bytes become `\xNN`.
---@param text string
---@return string
function M.quote(text)
  local mark = "'"
  if text:find("'", 1, true) and not text:find('"', 1, true) then mark = '"' end
  text = text:gsub('[%c\\' .. mark .. ']', function(char)
    return char == mark and '\\' .. mark or escapeByte(char)
  end)
  return mark .. text:gsub('[\128-\255]+', escapeHigh) .. mark
end

---A number as Lua would read it back, the same: integers without exponent up to 2^53, else the fewest of 15 to 17 digits
---that are exact.
---@param value number
---@return string
function M.number(value)
  if value ~= value then return 'nan' end
  if value % 1 == 0 and value >= -2 ^ 53 and value <= 2 ^ 53 then return format('%.0f', value) end
  for digits = 15, 16 do
    local text = format('%.' .. digits .. 'g', value)
    if tonumber(text) == value then return text end
  end
  return format('%.17g', value)
end

-- State of one call: st = { depth, width, paint, maxArrayLength, maxStringLength, open = { [table] = true } }

local function plain(text) return text end

local function painted(text, kind)
  return '\27[' .. COLORS[kind] .. 'm' .. text .. '\27[0m'
end

local function columns(text)
  return #(text:gsub('\27%[%d+m', ''))
end

local function stringText(value, st)
  local cut = #value - st.maxStringLength
  if cut <= 0 then return st.paint(M.quote(value), 'string') end
  local rest = format('... %d more byte%s', cut, cut == 1 and '' or 's')
  return st.paint(M.quote(value:sub(1, st.maxStringLength)), 'string') .. rest
end

local function functionText(value)
  local info = debug.getinfo(value, 'S')
  if info.what == 'C' then return '[function builtin]' end
  return format('[function %s:%d]', info.short_src, info.linedefined)
end

local function atomText(value, st)
  local kind = type(value)
  if kind == 'string' then return stringText(value, st) end
  if kind == 'number' then return st.paint(M.number(value), kind) end
  if kind == 'boolean' or kind == 'nil' then return st.paint(tostring(value), kind) end
  if kind == 'function' then return st.paint(functionText(value), 'special') end
  if kind == 'thread' then return st.paint('[thread ' .. coroutine.status(value) .. ']', 'special') end
  local ok, text = pcall(tostring, value)
  return st.paint(ok and text or '[' .. kind .. ']', 'special')
end

local RANK = { number = 1, string = 2 }

local function keyLess(a, b)
  local ra, rb = RANK[type(a)] or 3, RANK[type(b)] or 3
  if ra ~= rb then return ra < rb end
  if ra < 3 then return a < b end
  return tostring(a) < tostring(b)
end

local showValue

local function keyText(key, st)
  if type(key) == 'string' and key:find '^[%a_][%w_]*$' and not KEYWORDS[key] then return key end
  if type(key) == 'table' then return '[' .. st.paint('[table]', 'special') .. ']' end
  return '[' .. atomText(key, st) .. ']'
end

-- The length of the list part: 1 to n without a hole, by raw access.
local function listLength(value)
  local n = 0
  while rawget(value, n + 1) ~= nil do n = n + 1 end
  return n
end

local function more(count)
  return format('... %d more item%s', count, count == 1 and '' or 's')
end

local function listItems(value, n, st, indent)
  local items, simple = {}, true
  for i = 1, math.min(n, st.maxArrayLength) do
    local item = rawget(value, i)
    items[i] = showValue(item, st, indent)
    if type(item) == 'table' then simple = false end
  end
  if n > st.maxArrayLength then items[#items + 1] = more(n - st.maxArrayLength) end
  return items, simple
end

-- Is `key` to be left out: part of the list, or a private field of an object?
local function hidden(key, n, private)
  if type(key) == 'number' then return key >= 1 and key <= n and key % 1 == 0 end
  return private and type(key) == 'string' and byte(key) == 95
end

local function fieldItems(value, n, private, st, indent)
  local keys = {}
  for key in next, value do
    if not hidden(key, n, private) then keys[#keys + 1] = key end
  end
  sort(keys, keyLess)
  local items = {}
  for i = 1, math.min(#keys, st.maxArrayLength) do
    items[i] = keyText(keys[i], st) .. ' = ' .. showValue(rawget(value, keys[i]), st, indent)
  end
  if #keys > st.maxArrayLength then items[#items + 1] = more(#keys - st.maxArrayLength) end
  return items
end

-- Items side by side as far as they fit: lists of numbers and short strings.
local function filled(items, st, indent)
  local lines, line = {}, ''
  for i = 1, #items do
    local item = items[i] .. (i < #items and ',' or '')
    if line == '' then
      line = item
    elseif columns(line) + columns(item) + 1 + indent <= st.width then
      line = line .. ' ' .. item
    else
      lines[#lines + 1], line = line, item
    end
  end
  lines[#lines + 1] = line
  return lines
end

local function layout(items, simple, prefix, st, indent)
  if #items == 0 then return prefix .. '{}' end
  local line = prefix .. '{ ' .. concat(items, ', ') .. ' }'
  if columns(line) + indent <= st.width and not line:find('\n', 1, true) then return line end
  local lines
  if simple then
    lines = filled(items, st, indent + 2)
  else
    lines = {}
    for i = 1, #items do lines[i] = items[i] .. (i < #items and ',' or '') end
  end
  local margin = '\n' .. rep(' ', indent + 2)
  return prefix .. '{' .. margin .. concat(lines, margin) .. '\n' .. rep(' ', indent) .. '}'
end

local function tableText(value, name, st, indent)
  if st.open[value] then return st.paint('[Circular]', 'special') end
  if st.level > st.depth then return st.paint('[' .. (name or 'table') .. ']', 'special') end
  st.open[value], st.level = true, st.level + 1
  local n = listLength(value)
  local items, simple = listItems(value, n, st, indent + 2)
  local fields = fieldItems(value, n, name ~= nil, st, indent + 2)
  for i = 1, #fields do items[#items + 1] = fields[i] end
  st.open[value], st.level = nil, st.level - 1
  return layout(items, simple and #fields == 0, name and name .. ' ' or '', st, indent)
end

-- What the value's own `__show` says: a string as it is, a table of properties under the value's name.
local function hookText(value, hook, name, st, indent)
  local function nested(item) return showValue(item, st, indent) end
  local ok, said = pcall(hook, value, nested)
  if not ok then return st.paint('[' .. (name or type(value)) .. ': __show failed: ' .. tostring(said) .. ']', 'special') end
  if type(said) == 'table' and said ~= value then return tableText(said, name, st, indent) end
  return tostring(said)
end

function showValue(value, st, indent)
  local kind = type(value)
  if kind ~= 'table' and kind ~= 'userdata' then return atomText(value, st) end
  local meta = getmetatable(value)
  if type(meta) ~= 'table' then
    if kind == 'table' then return tableText(value, nil, st, indent) end
    return atomText(value, st)
  end
  local hook, name = rawget(meta, '__show'), rawget(meta, '__name')
  if type(name) ~= 'string' then name = nil end
  if hook ~= nil then
    if st.open[value] then return st.paint('[Circular]', 'special') end
    st.open[value] = true
    local text = hookText(value, hook, name, st, indent)
    st.open[value] = nil
    return text
  end
  if kind == 'userdata' or (not name and rawget(meta, '__tostring')) then return atomText(value, st) end
  return tableText(value, name, st, indent)
end

---Any value as text for a person. Lists come first and in order, other keys sorted (numbers, then strings); strings are
---quoted; cycles are `[Circular]`; tables below `depth` are `[table]`. Never raises because of a value.
---
---An object is shown as `Name { field = ... }` without the fields that begin with `_`, its name being its metatable's
---`__name`. A metatable may have `__show(value, nested)`, which returns a string, or a table of properties to be shown
---under that name; `nested(v)` shows a part. Other tables with a `__tostring` are shown by it.
---
---Names of the options and their defaults are those of Node's `util.inspect`, but for `width` (its `breakLength`) and
---`color` (its `colors`).
---@param value any
---@param options? weir.ShowOptions
---@return string
function M.show(value, options)
  options = options or {}
  local st = {
    depth = options.depth or 2,
    width = options.width or 80,
    maxArrayLength = options.maxArrayLength or 100,
    maxStringLength = options.maxStringLength or 10000,
    paint = options.color and painted or plain,
    level = 0,
    open = {},
  }
  return showValue(value, st, 0)
end

return setmetatable(M, { __call = function(_, value, options) return M.show(value, options) end })
