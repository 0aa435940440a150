-- SPDX-License-Identifier: MIT
-- Files: Node's `fs`, the streams and the most used functions. Each function takes a callback as last argument, or waits, or
-- blocks under its name with `Sync` behind it.
--
-- A stream opens its file by itself; what is wrong with it comes as `'error'`. The work is done on other threads and crosses
-- into Lua for nothing but what a script listens to.

local core = require 'weir.core'
local errors = require 'weir.errors'
local class = require 'weir.class'
local wait = require 'weir.wait'
local timers = require 'weir.timers'
local Readable = require 'weir.stream.readable'
local Writable = require 'weir.stream.writable'
local native = require 'weir.stream.native'
local pipeline = require 'weir.stream.pipeline'
local process = require 'weir.process'

local type, error, pairs, ipairs = type, error, pairs, ipairs
local bor, band = require('bit').bor, require('bit').band
local O = core.openFlags

local M = {}

-- ---- Arguments --------------------------------------------------------------------------------------------------------

local MOST = 2 ^ 53 - 1
local DEFAULT_MODE = 438 -- 0666
local DEFAULT_MARK = 65536

local FLAGS = {
  r = O.RDONLY, rs = bor(O.RDONLY, O.SYNC), ['r+'] = O.RDWR, ['rs+'] = bor(O.RDWR, O.SYNC),
  w = bor(O.WRONLY, O.CREAT, O.TRUNC), wx = bor(O.WRONLY, O.CREAT, O.TRUNC, O.EXCL),
  ['w+'] = bor(O.RDWR, O.CREAT, O.TRUNC), ['wx+'] = bor(O.RDWR, O.CREAT, O.TRUNC, O.EXCL),
  a = bor(O.WRONLY, O.CREAT, O.APPEND), ax = bor(O.WRONLY, O.CREAT, O.APPEND, O.EXCL),
  as = bor(O.WRONLY, O.CREAT, O.APPEND, O.SYNC),
  ['a+'] = bor(O.RDWR, O.CREAT, O.APPEND), ['ax+'] = bor(O.RDWR, O.CREAT, O.APPEND, O.EXCL),
  ['as+'] = bor(O.RDWR, O.CREAT, O.APPEND, O.SYNC),
}
for _, name in pairs { 'rs', 'rs+', 'wx', 'wx+', 'ax', 'ax+', 'as', 'as+' } do
  FLAGS[name:sub(2, 2) .. name:sub(1, 1) .. name:sub(3)] = FLAGS[name]
end

local function checkPath(path, name, level)
  if type(path) ~= 'string' then error(errors.argType(name, 'string', path), level + 1) end
  if path:find('\0', 1, true) then error(errors.argValue(name, path, 'must be a string without null bytes'), level + 1) end
end

local function integer(value, name, low, high, level)
  if type(value) ~= 'number' then error(errors.argType(name, 'number', value), level + 1) end
  if value % 1 ~= 0 then error(errors.outOfRange(name, 'an integer', value), level + 1) end
  if value < low or value > high then
    error(errors.outOfRange(name, ('>= %d && <= %.0f'):format(low, high), value), level + 1)
  end
  return value
end

local function openFlags(flags, default, level)
  if flags == nil then flags = default end
  if type(flags) == 'number' then return integer(flags, 'flags', 0, 2 ^ 31 - 1, level + 1) end
  local number = type(flags) == 'string' and FLAGS[flags]
  if not number then error(errors.argValue('flags', flags), level + 1) end
  return number
end

local function checkOptions(options, level)
  if options == nil then return {} end
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), level + 1) end
  return options
end

local function mode(value, default, level)
  if value == nil then return default end
  if type(value) == 'string' then
    local number = value:find '^[0-7]+$' and tonumber(value, 8)
    if not number then error(errors.argValue('mode', value, 'must be a 32-bit unsigned integer or an octal string'), level + 1) end
    return number
  end
  return integer(value, 'mode', 0, 2 ^ 32 - 1, level + 1)
end

local function descriptor(options, path, level)
  if options.fd == nil then
    checkPath(path, 'path', level + 1)
    return nil
  end
  return integer(options.fd, 'fd', 0, 2 ^ 31 - 1, level + 1)
end

-- The options of the stream itself.
local function streamOptions(options)
  return {
    autoDestroy = options.autoClose,
    emitClose = options.emitClose,
    highWaterMark = options.highWaterMark,
    signal = options.signal,
    name = options.name,
  }
end

-- ---- Streams ----------------------------------------------------------------------------------------------------------

---@class weir.ReadStream: weir.Readable
---@field path string?
---@field fd integer? while it is open
---@field bytesRead integer
---@field pending boolean not open yet, or no more
local ReadStream = Readable:extend 'ReadStream'
M.ReadStream = ReadStream

---@class weir.WriteStream: weir.Writable
---@field path string?
---@field fd integer? while it is open
---@field bytesWritten integer
---@field pending boolean not open yet, or no more
local WriteStream = Writable:extend 'WriteStream'
M.WriteStream = WriteStream

for _, Class in pairs { ReadStream, WriteStream } do
  Class.getters.fd = core.fileFd
  Class.getters.pending = core.filePending
end
ReadStream.getters.bytesRead = core.fileBytes
WriteStream.getters.bytesWritten = core.fileBytes

local function range(options, level)
  local start, last = options.start, options.finish
  if last == nil then last = options['end'] end
  if start ~= nil then integer(start, 'start', 0, MOST, level + 1) end
  if last == math.huge then last = nil end
  if last ~= nil then integer(last, 'end', 0, MOST, level + 1) end
  if start and last and start > last then
    error(errors.outOfRange('start', ('<= "end" (here: %.0f)'):format(last), start), level + 1)
  end
  return start, last
end

---`ReadStream(path, options)`: `start` and `finish` (the first and the last byte; both inclusive), `flags` (`'r'`), `fd` (of a
---file that is open already; `path` is not needed then), `highWaterMark` (64 KiB, also what is read at once), `autoClose`
---(true), `emitClose`, `signal`. Events: those of Readable, `'open'(fd)`, `'ready'`.
---@param path string?
---@param options? table
function ReadStream:init(path, options)
  options = checkOptions(options, 3)
  local fd = descriptor(options, path, 3)
  local start, last = range(options, 3)
  local flags = openFlags(options.flags, 'r', 3)
  if options.highWaterMark ~= nil then integer(options.highWaterMark, 'options.highWaterMark', 0, MOST, 3) end
  self.path = path
  native.init(self, streamOptions(options), function(stream, has, mark)
    core.fileReader(stream, {}, has, mark, fd, flags, start, last)
  end, false, { readable = DEFAULT_MARK })
end

---Destroys it; `callback` is called when it is closed.
---@param callback? fun(err: weir.Error?)
function ReadStream:close(callback)
  if callback then pipeline.finished(self, callback) end
  self:destroy()
end

local TRUNCATES = O.TRUNC
local cleansAtExit = false

-- A process that ends in the middle leaves no half-written file, under whatever name.
local function cleanAtExit()
  if cleansAtExit then return end
  cleansAtExit = true
  process:on('exit', core.fileAbandon)
end

local function checkAtomic(options, flags, level)
  if options.fd ~= nil then error(errors.argValue('options.fd', options.fd, 'cannot be used with atomic'), level + 1) end
  if options.start ~= nil then error(errors.argValue('options.start', options.start, 'cannot be used with atomic'), level + 1) end
  if flags ~= FLAGS.w then error(errors.argValue('options.flags', options.flags, "must be 'w' with atomic"), level + 1) end
end

---`WriteStream(path, options)`: `flags` (`'w'`; `'a'`, `'wx'`, `'r+'` ...), `mode` (0666, and the umask), `start` (the first byte to
---be written; not with flags that truncate), `fd`, `flush` (synced before it is closed), `atomic` (written beside the file, synced,
---and given its name before `'finish'`; removed if that does not come), `highWaterMark` (16 KiB), `autoClose`, `emitClose`,
---`signal`. Events: those of Writable, `'open'(fd)`, `'ready'`.
---@param path string?
---@param options? table
function WriteStream:init(path, options)
  options = checkOptions(options, 3)
  local fd = descriptor(options, path, 3)
  local start = options.start
  if start ~= nil then integer(start, 'start', 0, MOST, 3) end
  local flags = openFlags(options.flags, 'w', 3)
  if options.atomic then
    checkAtomic(options, flags, 3)
    cleanAtExit()
  end
  if start and start > 0 and not fd and band(flags, TRUNCATES) ~= 0 then
    error(errors.argValue('options.start', start, "would leave a hole in a file that is truncated; use flags = 'r+'"), 3)
  end
  local bits = mode(options.mode, DEFAULT_MODE, 3)
  self.path = path
  native.init(self, streamOptions(options), function(stream, has, _, mark)
    core.fileWriter(stream, {}, has, mark, fd, flags, bits, start, options.flush, options.atomic)
  end)
  self._closesItself = options.autoClose ~= false
end

---Finishes it; `callback` is called when it is closed.
---@param callback? fun(err: weir.Error?)
function WriteStream:close(callback)
  if callback then
    if self.closed then
      timers.nextTick(callback)
      return
    end
    self:on('close', callback)
  end
  if not self._closesItself then self:on('finish', self.destroy) end
  self:finish()
end

---@param path string?
---@param options? table see `ReadStream`
---@return weir.ReadStream
function M.createReadStream(path, options) return ReadStream(path, options) end

---@param path string?
---@param options? table see `WriteStream`
---@return weir.WriteStream
function M.createWriteStream(path, options) return WriteStream(path, options) end

-- ---- What is known of a file ------------------------------------------------------------------------------------------

---@class weir.Stats
---@field size integer
---@field mode integer
---@field mtimeMs number
local Stats = class.new 'Stats'
M.Stats = Stats

local KIND = { -- of the bits of the mode
  isFile = 0x8000, isDirectory = 0x4000, isSymbolicLink = 0xa000, isFIFO = 0x1000, isSocket = 0xc000,
  isCharacterDevice = 0x2000, isBlockDevice = 0x6000,
}
for name, bits in pairs(KIND) do
  Stats[name] = function(self) return band(self.mode, 0xf000) == bits end
end

local function makeStats(fields)
  local self = Stats()
  for key, value in pairs(fields) do self[key] = value end
  return self
end

-- ---- Whole files ------------------------------------------------------------------------------------------------------

local CALLS = { readFile = 'open', writeFile = 'open', readdir = 'scandir' }

-- The error of an operation: Node's message and fields.
local function failure(op, code, text, number, syscall)
  if code == 'ERR_FS_FILE_TOO_LARGE' then
    return errors.new(('The file is larger than the limit of %.0f bytes'):format(op.limit or 2 ^ 30), code, { path = op.path })
  end
  local message = ('%s: %s, %s'):format(code, text, syscall)
  local fields = { errno = number, syscall = syscall }
  if syscall ~= 'read' and syscall ~= 'write' then
    message = ("%s '%s'"):format(message, op.path)
    fields.path = op.path
  end
  if op.to then
    message = ("%s -> '%s'"):format(message, op.to)
    fields.dest = op.to
  end
  return errors.new(message, code, fields)
end

local function value(name, result)
  if name == 'stat' or name == 'lstat' then return makeStats(result) end
  if name == 'readdir' then table.sort(result) end
  return result
end

local function runNow(name, op, level)
  local ok, result, text, number, syscall = core.fsNow(name, op)
  if not ok then error(failure(op, result, text, number, syscall or CALLS[name]), level + 1) end
  return value(name, result)
end

local function runLater(name, op, callback, level)
  local wake, here
  if callback == nil then
    wake, here = wait.prepare()
  elseif type(callback) ~= 'function' then
    error(errors.argType('callback', 'function', callback), level + 1)
  end
  core.fsLater(name, op, function(ok, result, text, number, syscall)
    local err
    if ok then result = value(name, result) else err, result = failure(op, result, text, number, syscall or CALLS[name]), nil end
    if wake then wake(err, result) elseif err then callback(err) else callback(nil, result) end
  end)
  if not wake then return end
  local err, result = here()
  if err then error(err, level + 1) end
  return result
end

local DESCRIBE = {} -- name -> function(level, ...): the operation, checked

function DESCRIBE.readFile(level, path, options)
  checkPath(path, 'path', level + 1)
  options = checkOptions(options, level + 1)
  if options.limit ~= nil then integer(options.limit, 'options.limit', 0, MOST, level + 1) end
  return { path = path, flags = openFlags(options.flags, 'r', level + 1), limit = options.limit }
end

function DESCRIBE.writeFile(level, path, data, options)
  checkPath(path, 'path', level + 1)
  if type(data) ~= 'string' then error(errors.argType('data', 'string', data), level + 1) end
  options = checkOptions(options, level + 1)
  local flags = openFlags(options.flags, 'w', level + 1)
  if options.atomic then checkAtomic(options, flags, level + 1) end
  return {
    path = path, data = data, flags = flags, mode = mode(options.mode, DEFAULT_MODE, level + 1),
    atomic = options.atomic, flush = options.flush,
  }
end

for _, name in ipairs { 'stat', 'lstat', 'unlink', 'rmdir', 'readdir' } do
  DESCRIBE[name] = function(level, path)
    checkPath(path, 'path', level + 1)
    return { path = path }
  end
end

function DESCRIBE.rename(level, path, to)
  checkPath(path, 'oldPath', level + 1)
  checkPath(to, 'newPath', level + 1)
  return { path = path, to = to }
end

function DESCRIBE.mkdir(level, path, options)
  checkPath(path, 'path', level + 1)
  if type(options) ~= 'table' then options = { mode = options } end
  return { path = path, mode = mode(options.mode, 511, level + 1), recursive = options.recursive }
end

local function add(name, arguments)
  local describe = DESCRIBE[name]
  M[name .. 'Sync'] = function(...)
    return (runNow(name, describe(2, ...), 2))
  end
  -- What comes last may be the callback, at whatever place.
  M[name] = function(a, b, c, d)
    local given = { a, b, c, d }
    local callback
    for i = 2, arguments + 1 do
      if type(given[i]) == 'function' then
        callback = given[i]
        given[i] = nil
        break
      end
    end
    if callback == nil then callback = given[arguments + 1] end
    return runLater(name, describe(2, given[1], given[2], given[3]), callback, 2)
  end
end

---`readFile(path, { limit, flags }, callback)`: all of it, as a string; `limit` (1 GiB): a larger one is ERR_FS_FILE_TOO_LARGE.
add('readFile', 2)
---`writeFile(path, data, { flags, mode, atomic, flush }, callback)`
add('writeFile', 3)
---`stat(path, callback)`: a `weir.Stats`.
add('stat', 1)
---`lstat(path, callback)`: of a symbolic link itself.
add('lstat', 1)
---`unlink(path, callback)`
add('unlink', 1)
---`rename(oldPath, newPath, callback)`
add('rename', 2)
---`mkdir(path, { recursive, mode }, callback)`: with `recursive` gives the first directory that was made.
add('mkdir', 2)
---`rmdir(path, callback)`
add('rmdir', 1)
---`readdir(path, callback)`: an array of names, sorted by their bytes.
add('readdir', 1)

---The flags of open(2), for `flags` as a number.
M.constants = {}
for name, number in pairs(O) do M.constants['O_' .. name] = number end

return M
