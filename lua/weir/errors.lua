-- SPDX-License-Identifier: MIT
-- The error object: what weir raises, emits and hands to callbacks.
--
-- An error is a table with `message`, mostly a `code`, and where it helps `path`, `syscall`, `errno`, `cause`; codes and
-- messages are Node's where Node has them, so that its documentation helps. It is a plain table with one metatable and no
-- class: a stream of bad records makes one per record. The stack is taken when the error is made (later it is gone), but
-- cut into shape only when somebody reads `.traceback` or `.where`.
--
-- Nothing here raises: functions return the error and the caller raises it, so that the caller's line is in the stack.

local show = require 'weir.show'

local getmetatable, setmetatable, rawget, rawset = getmetatable, setmetatable, rawget, rawset
local type, tostring, pairs = type, tostring, pairs
local format, find, match, sub = string.format, string.find, string.match, string.sub
local concat = table.concat
local stack = debug.traceback

local M = {}

---@class weir.Error
---@field message string what happened, for a person
---@field code? string what happened, for a program: Node's code where it has one (`ERR_STREAM_DESTROYED`, `ENOENT`)
---@field name string `Error`, `TypeError`, `RangeError`, `AbortError`, `TimeoutError` ... (default `Error`)
---@field cause? any what brought it about
---@field path? string the file it is about
---@field syscall? string the system call that failed
---@field errno? integer the system's number, negative as in Node
---@field traceback string where it was made: one line a function, innermost first; empty if nobody knows
---@field where? string `file:line` in the user's own code: where a string was raised, else the innermost line that is not weir's
local Error = { __name = 'Error' }

-- ---- Stacks ---------------------------------------------------------------------------------------------------------

-- Where weir's modules are: `/usr/share/lua/5.1/`, `lua/`, nothing inside the command, or, since Lua cuts long paths at
-- their beginning, something that begins with dots.
local HOME = match(debug.getinfo(1, 'S').short_src, '^(.*)weir/errors%.lua$')
local CUT = HOME ~= nil and sub(HOME, 1, 3) == '...'

-- Is it a file of weir's own? That is one in this place whose module has been loaded: a user's folder may be called weir,
-- too. Generated code is named `weir.something`.
local function isOurs(file)
  if HOME then
    local path = match(file, CUT and '.*weir/([%w_/]+)%.lua$' or 'weir/([%w_/]+)%.lua$', CUT and 1 or #HOME + 1)
    if path and (CUT or file == HOME .. 'weir/' .. path .. '.lua') then
      local name = path == 'init' and 'weir' or 'weir.' .. path:gsub('/', '.')
      return package.loaded[name] ~= nil or package.preload[name] ~= nil
    end
  end
  return find(file, '^weir%.[%w_.]+$') ~= nil and not find(file, '%.lua$')
end

-- The lines of a raw traceback, without its head.
local function tidied(raw)
  if not raw then return '' end
  local _, head = find(raw, 'stack traceback:\n', 1, true)
  raw = head and sub(raw, head + 1) or raw
  return (raw:gsub('^\t', ''):gsub('\n\t', '\n'))
end

local function firstOwnLine(traceback)
  for line in traceback:gmatch '[^\n]+' do
    local file, number = match(line, '^(.-):(%d+): in ')
    if file and not isOurs(file) then return file .. ':' .. number end
  end
end

---Only those lines of a traceback that are in the user's own files: what an uncaught error prints.
---@param traceback string as `err.traceback`
---@return string
function M.ownLines(traceback)
  local lines = {}
  for line in traceback:gmatch '[^\n]+' do
    local file = match(line, '^(.-):%d+: in ')
    if file and not isOurs(file) then lines[#lines + 1] = line end
  end
  return concat(lines, '\n')
end

-- ---- The object -----------------------------------------------------------------------------------------------------

function Error.__index(self, key)
  if key == 'name' then return 'Error' end
  if key == 'traceback' then
    local text = tidied(rawget(self, '_stack'))
    rawset(self, 'traceback', text)
    return text
  end
  if key == 'where' then return firstOwnLine(self.traceback) end
end

---`CODE: message`, or the message alone where there is no code or the message begins with it (`ENOENT: no such file`).
function Error.__tostring(self)
  local message, code = tostring(rawget(self, 'message')), rawget(self, 'code')
  if code == nil then return message end
  code = tostring(code)
  if sub(message, 1, #code) == code then return message end
  return code .. ': ' .. message
end

local PLAIN = { message = true, code = true, name = true, traceback = true, _stack = true }

-- For the REPL: `[CODE: message]`, and in braces what else it has.
function Error.__show(self, nested)
  local rest, any = {}, false
  for key, value in pairs(self) do
    if not PLAIN[key] then rest[key], any = value, true end
  end
  local text = tostring(self)
  if not rawget(self, 'code') and self.name ~= 'Error' then text = self.name .. ': ' .. text end
  return '[' .. text .. (any and ' ' .. nested(rest) or '') .. ']'
end

-- Called as the last thing of a function of this module, whose frame has then gone: level 2 is that function's caller.
local function make(message, code, name, fields)
  local self = { message = message, code = code, name = name, _stack = stack('', 2) }
  if fields then
    for key, value in pairs(fields) do self[key] = value end
  end
  return setmetatable(self, Error)
end

---Makes an error object; it does not raise it (`error(errors.new(...))` does).
---@param message string
---@param code? string
---@param fields? table copied into the error: `name`, `cause`, `path`, whatever helps
---@return weir.Error
function M.new(message, code, fields)
  return make(message, code, nil, fields)
end

---An error that does not know where it arose: who made it does, or who raises it will (`caught`).
---@param message string
---@param code? string
---@return weir.Error
function M.unplaced(message, code)
  return setmetatable({ message = message, code = code }, Error)
end

---`weir.Error(message, fields)`: an error of the user's own. `fields.code` is its code.
---@param message string
---@param fields? table copied into the error
---@return weir.Error
function M.Error(message, fields)
  return make(message, nil, nil, fields)
end

---@param value any
---@return boolean
function M.isError(value)
  return getmetatable(value) == Error
end

-- A table that a user raised or gave to a callback. One without a metatable and with a message is meant as an error: it
-- becomes one and stays itself, so that comparing it still works. Anything else is wrapped.
local function fromTable(value)
  if getmetatable(value) == nil and type(rawget(value, 'message')) == 'string' then return setmetatable(value, Error) end
  return make(show.show(value), nil, nil, { cause = value })
end

---Any value as an error object, for what is given to `callback(err)` or `destroy(err)`. An error object is returned as it
---is; a string becomes the message, unchanged; a plain table with a `message` becomes an error itself; of anything else
---the text is the message and the value the `cause`.
---@param value any
---@return weir.Error
function M.from(value)
  if type(value) == 'string' then return make(value) end
  if type(value) ~= 'table' then return make(show.show(value), nil, nil, { cause = value }) end
  if getmetatable(value) == Error then return value end
  return fromTable(value)
end

-- Splits 'file:line: message', which `error 'message'` makes. A message may look like that by itself ('10.0.0.1:80:
-- refused'): where the stack is known, the position must be in it.
local function splitPosition(text, traceback)
  local where, message = match(text, '^(%[string ".-"%]:%d+): (.*)$')
  if not where then where, message = match(text, '^([^:\n]+:%d+): (.*)$') end
  if where and traceback and not find(traceback, where .. ':', 1, true) then return text end
  return message or text, where
end

---Any raised value as an error object, for what a protected call caught. As `from`, but from a string the position that
---`error` put in front of it goes into `.where`.
---@param value any
---@param traceback? string the stack of what raised (`debug.traceback`'s text); default the running one. An error object keeps its own
---@return weir.Error
function M.caught(value, traceback)
  if type(value) == 'string' then
    local message, where = splitPosition(value, traceback)
    local err = make(message)
    err.where, err._stack = where, traceback or err._stack
    return err
  end
  local err = M.from(value)
  if err ~= value and traceback then
    err._stack = traceback
  elseif not rawget(err, '_stack') then
    err._stack = traceback or stack('', 2)
  end
  return err
end

-- ---- Errors with Node's codes ---------------------------------------------------------------------------------------

---Node's `AbortError`: what an operation fails with when its signal aborts.
---@param reason? any the signal's `reason`; it becomes the `cause`
---@return weir.Error
function M.abort(reason)
  return make('The operation was aborted', 'ABORT_ERR', 'AbortError', reason ~= nil and { cause = reason } or nil)
end

local TYPES = {}
for name in ('string number integer boolean function table nil thread userdata'):gmatch '%a+' do TYPES[name] = true end

-- 'a', 'a or b', 'a, b, or c'
local function anyOf(list)
  if #list < 3 then return concat(list, ' or ') end
  return concat(list, ', ', 1, #list - 1) .. ', or ' .. list[#list]
end

local function shortened(text, length, keep)
  if #text <= length then return text end
  return sub(text, 1, keep) .. '...'
end

---What was given instead, as Node words it: `type number (5)`, `an instance of Readable`, `nil`.
---@param value any
---@return string
local function received(value)
  local kind = type(value)
  if kind == 'nil' or kind == 'function' then return kind end
  if kind == 'string' then return "type string (" .. show.quote(shortened(value, 28, 25)) .. ')' end
  if kind == 'number' or kind == 'boolean' then return 'type ' .. kind .. ' (' .. show.show(value) .. ')' end
  local meta = getmetatable(value)
  if type(meta) == 'table' and rawget(meta, 'weirClass') then return tostring(value) end
  local name = type(meta) == 'table' and rawget(meta, '__name')
  if type(name) == 'string' then return 'an instance of ' .. name end
  return 'a ' .. kind
end

M.received = received

local function wanted(expected)
  if type(expected) == 'string' then expected = { expected } end
  local types, classes, parts = {}, {}, {}
  for _, name in ipairs(expected) do
    local list = TYPES[name] and types or classes
    list[#list + 1] = name
  end
  if #types > 0 then parts[1] = (#types > 1 and 'one of type ' or 'of type ') .. anyOf(types) end
  if #classes > 0 then parts[#parts + 1] = 'an instance of ' .. anyOf(classes) end
  return concat(parts, ' or ')
end

---`ERR_INVALID_ARG_TYPE`, with Node's words: `The "path" argument must be of type string. Received type number (5)`.
---@param name string the argument; with a dot it is a property (`options.fd`); `first argument` and the like are kept as they are
---@param expected string|string[] types (`string`, `number`, `integer`, `boolean`, `function`, `table` ...) and names of classes
---@param got any the value that was given
---@return weir.Error
function M.argType(name, expected, got)
  local what
  if find(name, ' argument$') then
    what = 'The ' .. name
  else
    what = format('The "%s" %s', name, find(name, '.', 1, true) and 'property' or 'argument')
  end
  return make(what .. ' must be ' .. wanted(expected) .. '. Received ' .. received(got), 'ERR_INVALID_ARG_TYPE', 'TypeError')
end

---`ERR_INVALID_ARG_VALUE`: `The argument 'level' must be one of: 1, 2. Received 3`.
---@param name string the argument; with a dot it is a property
---@param got any
---@param reason? string default `is invalid`
---@return weir.Error
function M.argValue(name, got, reason)
  local kind = find(name, '.', 1, true) and 'property' or 'argument'
  local value = shortened(show.show(got, { depth = 0, width = math.huge }), 128, 128)
  return make(format("The %s '%s' %s. Received %s", kind, name, reason or 'is invalid', value), 'ERR_INVALID_ARG_VALUE', 'TypeError')
end

-- 4294967297 as 4_294_967_297, as Node does for integers beyond 2^32.
local function grouped(value)
  local text = show.show(value)
  if type(value) ~= 'number' or value % 1 ~= 0 or math.abs(value) <= 2 ^ 32 then return text end
  local sign, digits = match(text, '^(-?)(%d+)$')
  if not digits then return text end
  return sign .. digits:reverse():gsub('(%d%d%d)', '%1_'):reverse():gsub('^_', '')
end

---`ERR_OUT_OF_RANGE`: `The value of "start" is out of range. It must be >= 0. Received -5`.
---@param name string
---@param range string what it must be: `>= 0 && <= 9`, `an integer`
---@param got any
---@return weir.Error
function M.outOfRange(name, range, got)
  return make(format('The value of "%s" is out of range. It must be %s. Received %s', name, range, grouped(got)),
    'ERR_OUT_OF_RANGE', 'RangeError')
end

return M
