-- SPDX-License-Identifier: MIT
-- Writing JSON.
--
-- Two writers. `encode` takes any value and walks it. `encoder` takes the keys of a row once and generates the code for
-- rows of them: one concatenation, which LuaJIT compiles to one buffer and one string, so that a row costs little more than
-- making its text. The generated code must stay free of calls that LuaJIT cannot compile. That is why strings are
-- searched by C's `strcspn` through the FFI: `string.find` with a character class makes a row of six fields five times
-- slower.
--
-- The order of keys never depends on the hash table: given keys first, then the others sorted. Nothing is dropped in
-- silence: what JSON cannot say (NaN, a function, a table that is neither list nor object) raises.
--
-- Strings are written as they are, apart from the escapes that JSON demands; bytes that are not UTF-8 stay in the output,
-- which then is not valid JSON: checking would cost every row what few need.

local core = require 'weir.core'
local errors = require 'weir.errors'

local type, tostring, tonumber, pairs, ipairs = type, tostring, tonumber, pairs, ipairs
local getmetatable, setmetatable, rawget = getmetatable, setmetatable, rawget
local format, find, gsub, byte = string.format, string.find, string.gsub, string.byte
local concat, sort = table.concat, table.sort

local hasFfi, ffi = pcall(require, 'ffi')

local M = {}

local function newNull()
  local value = newproxy(true)
  getmetatable(value).__tostring = function() return 'null' end
  return value
end

---JSON's `null` where nil would be no value: an item of a list, a field that is to be written. The same as `weir.null`.
M.null = core.null or newNull()
local null = M.null

-- ---- Marks ----------------------------------------------------------------------------------------------------------

-- Nothing but identities: an error or the REPL shows such a table as what it is.
local Array, Object = {}, {}

local function marked(value, mark)
  if value == nil then value = {} end
  if type(value) ~= 'table' then error(errors.argType('value', 'table', value), 0) end
  local meta = getmetatable(value)
  if meta ~= nil and meta ~= Array and meta ~= Object then
    error(errors.argValue('value', value, 'has a metatable of its own'), 0)
  end
  return setmetatable(value, mark)
end

---Marks a table as a list, also when it is empty (unmarked, `{}` is written as an object). Raises if the table has another
---metatable.
---@generic T
---@param value? T default a new table
---@return T value the same table
function M.array(value)
  return marked(value, Array)
end

---Marks a table as an object: number keys are then written as strings (unmarked, a table with number keys raises unless
---they are 1 to n and all that there is).
---@generic T
---@param value? T default a new table
---@return T value the same table
function M.object(value)
  return marked(value, Object)
end

---@param value any
---@return boolean # is it marked by `json.array`?
function M.isArray(value)
  return getmetatable(value) == Array
end

-- ---- Strings --------------------------------------------------------------------------------------------------------

local ESCAPES = {
  ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t',
}
local function escape(char)
  return ESCAPES[char] or format('\\u%04x', byte(char))
end

local function escaped(text)
  return (gsub(text, '[%z\1-\31"\\]', escape))
end

-- isClean(text): no byte of it needs an escape. A NUL ends C's search early, which is the right answer too.
local isClean
if hasFfi then
  local dirty = '"\\'
  for code = 1, 31 do dirty = dirty .. string.char(code) end
  ffi.cdef 'size_t strcspn(const char *text, const char *reject);'
  local C = ffi.C
  function isClean(text) return C.strcspn(text, dirty) == #text end
else
  function isClean(text) return not find(text, '[%z\1-\31"\\]') end
end

-- ---- Numbers --------------------------------------------------------------------------------------------------------

local function unwritable(what, path)
  local message = 'JSON cannot say ' .. what .. (path ~= '' and ' (at ' .. path .. ')' or '')
  return errors.new(message, 'ERR_INVALID_ARG_VALUE', { name = 'TypeError' })
end

-- A number as text; integers without exponent up to 2^53, else the fewest of 15 to 17 digits that are exact. Nil for what
-- is no number of JSON.
local function numberText(value)
  if value % 1 == 0 and value >= -2 ^ 53 and value <= 2 ^ 53 then return format('%.0f', value) end
  if value - value ~= 0 then return nil end
  local text = format('%.15g', value)
  if tonumber(text) == value then return text end
  text = format('%.16g', value)
  if tonumber(text) == value then return text end
  return format('%.17g', value)
end

-- 64-bit integers stay exact.
local function int64Text(value)
  if hasFfi and (ffi.istype('int64_t', value) or ffi.istype('uint64_t', value)) then
    return (gsub(tostring(value), 'U?LL$', ''))
  end
end

-- ---- Any value ------------------------------------------------------------------------------------------------------

-- A run of `encode`: { out (the buffer), path (keys down to here), rank ({ [key] = true } of the given keys, or false),
-- keys (the given ones), limit (of depth), sorted ({ [depth] = array to sort keys in }) }.

local function pathText(run, depth)
  local out = {}
  for i = 1, depth do
    local key = run.path[i]
    if type(key) == 'number' then
      out[i] = '[' .. key .. ']'
    else
      out[i] = (i > 1 and '.' or '') .. key
    end
  end
  return concat(out)
end

local function refuse(what, run, depth)
  error(unwritable(what, pathText(run, depth)), 0)
end

-- '"key":' of each key that was met; emptied when it has grown, since keys may come from data.
local heads, headCount = {}, 0

local function headOf(key)
  local head = heads[key]
  if head then return head end
  if headCount >= 1000 then heads, headCount = {}, 0 end
  head = '"' .. escaped(key) .. '":'
  heads[key], headCount = head, headCount + 1
  return head
end

local put

local function putArray(value, n, run, depth)
  local out, path = run.out, run.path
  out:put '['
  for i = 1, n do
    if i > 1 then out:put ',' end
    path[depth + 1] = i
    put(value[i], run, depth + 1)
  end
  out:put ']'
end

-- Puts a key in its place among the n that are sorted already. Objects have few keys: this is compiled, a sort is not.
local function insertKey(list, n, key)
  local at = n
  while at > 0 and key < list[at] do
    list[at + 1] = list[at]
    at = at - 1
  end
  list[at + 1] = key
end

-- An object whose keys are not all strings, as a table where they are.
local function withStringKeys(value, run, depth)
  local object = {}
  for key, item in pairs(value) do
    local text = type(key) == 'string' and key or type(key) == 'number' and numberText(key)
    if not text then refuse('a key that is a ' .. type(key), run, depth) end
    if object[text] ~= nil then refuse('two keys ' .. text, run, depth) end
    object[text] = item
  end
  return setmetatable(object, Object)
end

local function putField(key, item, first, run, depth)
  run.out:put(first and '{' or ',', headOf(key))
  run.path[depth + 1] = key
  put(item, run, depth + 1)
end

local function putObject(value, keys, n, run, depth)
  local given, first = run.keys, true
  for i = 1, given and #given or 0 do
    local item = value[given[i]]
    if item ~= nil then
      putField(given[i], item, first, run, depth)
      first = false
    end
  end
  for i = 1, n do
    putField(keys[i], value[keys[i]], first, run, depth)
    first = false
  end
  run.out:put(first and '{}' or '}')
end

-- The string keys that are not given ones, sorted, into `keys`; how many, and how many keys are no strings.
local function gather(value, keys, rank)
  local n, others = 0, 0
  for key in pairs(value) do
    if type(key) ~= 'string' then
      others = others + 1
    elseif not rank or not rank[key] then
      if n < 32 then insertKey(keys, n, key) else keys[n + 1] = key end
      n = n + 1
    end
  end
  if n > 32 then
    for i = #keys, n + 1, -1 do keys[i] = nil end
    sort(keys)
  end
  return n, others
end

-- Are the keys 1 to n and no others? (The length alone says nothing about a table with holes.)
local function isList(value)
  local n, count = #value, 0
  for key in pairs(value) do
    if type(key) ~= 'number' or key % 1 ~= 0 or key < 1 or key > n then return false end
    count = count + 1
  end
  return count == n
end

local function putTable(value, run, depth)
  if depth >= run.limit then
    error(unwritable('tables nested deeper than ' .. run.limit .. ' levels, or in a circle', ''), 0)
  end
  local meta = getmetatable(value)
  if meta == Array then
    if not isList(value) then refuse('a list with holes, or with other keys (json.null fills a hole)', run, depth) end
    return putArray(value, #value, run, depth)
  end
  local hook = type(meta) == 'table' and rawget(meta, '__tojson')
  if hook then return put(hook(value), run, depth + 1) end
  local keys = run.sorted[depth]
  if not keys then
    keys = {}
    run.sorted[depth] = keys
  end
  local n, others = gather(value, keys, run.rank)
  if others == 0 then return putObject(value, keys, n, run, depth) end
  if meta == Object then return putTable(withStringKeys(value, run, depth), run, depth) end
  if not isList(value) then
    refuse('a table with keys that are neither 1 to n nor all strings (json.array and json.object mark it)', run, depth)
  end
  return putArray(value, #value, run, depth)
end

function put(value, run, depth)
  local kind = type(value)
  if kind == 'string' then
    if isClean(value) then run.out:put('"', value, '"') else run.out:put('"', escaped(value), '"') end
  elseif kind == 'number' then
    if value % 1 == 0 and value > -1e14 and value < 1e14 then return run.out:put(value) end
    run.out:put(numberText(value) or refuse(tostring(value), run, depth))
  elseif kind == 'table' then
    putTable(value, run, depth)
  elseif kind == 'boolean' then
    run.out:put(value and 'true' or 'false')
  elseif value == nil or value == null then
    run.out:put 'null'
  else
    run.out:put(int64Text(value) or refuse('a ' .. kind, run, depth))
  end
end

-- What stands in for LuaJIT's string.buffer where there is none.
local Pieces = {}
Pieces.__index = Pieces
function Pieces:put(...)
  for i = 1, select('#', ...) do self[#self + 1] = (select(i, ...)) end
end
function Pieces:get() return concat(self) end

local hasBuffer, buffer = pcall(require, 'string.buffer')

local function newRun()
  local out = hasBuffer and buffer.new() or setmetatable({}, Pieces)
  return { out = out, path = {}, sorted = {}, rank = false, keys = false, limit = 1000 }
end

-- A run to be used again; false while it is used (a `__tojson` may call `encode`) and after it failed half way.
local spare = false

local function order(run, keys)
  run.keys, run.rank = keys, {}
  for _, key in ipairs(keys) do run.rank[key] = true end
end

local function finish(run)
  local text = run.out:get()
  if hasBuffer and #text < 65536 then
    run.rank, run.keys, run.limit = false, false, 1000
    spare = run
  end
  return text
end

---@class weir.JsonOptions
---@field keys? string[] the order of keys: these come first, in objects of every level, the others follow sorted
---@field depth? integer how deep tables may be nested (default 1000); beyond it raises, which also ends circles

---Any value as JSON text, on one line.
---
---Tables with the keys 1 to n and no others, and those marked by `json.array`, are lists; others are objects, with their
---keys sorted. A metatable's `__tojson(value)` says what to write instead. Numbers are read back the
---same: integers without a point, others with up to 17 digits; 64-bit integers of the FFI stay exact. Nil is `null`.
---
---Raises `ERR_INVALID_ARG_VALUE`, naming the place, for NaN and infinities, functions, threads, userdata but `json.null`,
---and tables that are neither list nor object: a list with holes (`json.null` fills them), or with string keys beside.
---@param value any
---@param options? weir.JsonOptions
---@return string
function M.encode(value, options)
  local run = spare or newRun()
  spare = false
  if options then
    if options.keys then order(run, options.keys) end
    if options.depth then run.limit = options.depth end
  end
  put(value, run, 0)
  return finish(run)
end

-- ---- Rows of fixed keys ---------------------------------------------------------------------------------------------

-- A value that the generated code does not write by itself, as text.
local function otherText(value, key)
  local kind = type(value)
  if kind == 'boolean' then return value and 'true' or 'false' end
  if kind == 'number' then return numberText(value) or error(unwritable(tostring(value), key), 0) end
  if value == null then return 'null' end
  local good, text = pcall(M.encode, value)
  if good then return text end
  if errors.isError(text) then text.message = text.message .. ' (in ' .. key .. ')' end
  error(text, 0)
end

local function quoted(text)
  return '"' .. (isClean(text) and text or escaped(text)) .. '"'
end

-- Rows with many keys, and those that lack the first one, whose comma is not to be written.
local function plainEncoder(keys, suffix)
  local names = {}
  for i, key in ipairs(keys) do names[i] = quoted(key) .. ':' end
  return function(row)
    local parts, n = {}, 0
    for i = 1, #keys do
      local value = row[keys[i]]
      if value ~= nil then
        n = n + 1
        parts[n] = names[i] .. (type(value) == 'string' and quoted(value) or otherText(value, keys[i]))
      end
    end
    return '{' .. concat(parts, ',') .. '}' .. suffix
  end
end

-- For each key three strings, all empty if the row has no such field: its head with the comma before, its text, its end.
-- $i is the number, $K the key as a Lua literal, $H the head, $Q the head and a quote.
local FIELD = [[
  local a$i, z$i = $H, ''
  if type(v$i) == 'string' then
    if isClean(v$i) then a$i, z$i = $Q, '"' else v$i = '"' .. escaped(v$i) .. '"' end
  elseif type(v$i) ~= 'number' or v$i % 1 ~= 0 or v$i <= -1e14 or v$i >= 1e14 then
    if v$i ~= nil then v$i = otherText(v$i, $K) else a$i, v$i = '', '' end
  end
]]

-- LuaJIT allows 250 slots a function, of which a key takes six.
local MOST_KEYS = 36

local function generated(keys, suffix)
  local code = { 'local isClean, escaped, otherText, withoutFirst, type = ...\nreturn function(row)\n' }
  local sum = {}
  for i, key in ipairs(keys) do
    code[#code + 1] = format('  local v%d = row[%q]\n', i, key)
    if i == 1 then code[#code + 1] = '  if v1 == nil then return withoutFirst(row) end\n' end
  end
  for i, key in ipairs(keys) do
    local head = (i == 1 and '{' or ',') .. quoted(key) .. ':'
    local fill = { i = tostring(i), K = format('%q', key), H = format('%q', head), Q = format('%q', head .. '"') }
    code[#code + 1] = gsub(FIELD, '%$(%a)', fill)
    sum[i] = gsub('a$ .. v$ .. z$', '%$', tostring(i))
  end
  code[#code + 1] = '  return ' .. concat(sum, ' .. ') .. format(' .. %q\nend\n', '}' .. suffix)
  local chunk = assert(loadstring(concat(code), '=weir.json'))
  return chunk(isClean, escaped, otherText, plainEncoder(keys, suffix), type)
end

local function checkKeys(keys)
  if type(keys) ~= 'table' then error(errors.argType('keys', 'table', keys), 0) end
  local seen = {}
  for i, key in ipairs(keys) do
    local name = 'keys[' .. i .. ']'
    if type(key) ~= 'string' then error(errors.argType(name, 'string', key), 0) end
    if seen[key] then error(errors.argValue(name, key, 'is there twice'), 0) end
    seen[key] = true
  end
end

---Makes a fast writer for rows that have the same keys: `json.encoder { 'ip', 'path', 'status', suffix = '\n' }`.
---
---The function it returns writes a row (any table) as an object with those keys, in that order, and then the suffix. A
---field that is nil is left out (`json.null` is written); fields of other names are not written. Fields may hold anything
---that `encode` writes; strings, integers and missing fields are fast. It raises as `encode` does, naming the key.
---
---Make one for a kind of rows, not one a row: code is generated.
---@param keys string[]|{ suffix?: string } the keys, in order, and what follows each row (default nothing)
---@return fun(row: table): string
function M.encoder(keys)
  checkKeys(keys)
  local suffix = keys.suffix or ''
  local list = {}
  for i, key in ipairs(keys) do list[i] = key end
  if #list == 0 or #list > MOST_KEYS then return plainEncoder(list, suffix) end
  return generated(list, suffix)
end

return M
