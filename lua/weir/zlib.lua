-- SPDX-License-Identifier: MIT
-- Compression: Node's `zlib`, without brotli. Streams, functions for whole strings, and checksums.
--
-- A stream works on other threads, with what is written to it and in large pieces; small ones are done between two ticks. Its
-- options are Node's, and those of every transform. What differs from Node, always for the better: `'finish'` comes only when
-- all was checked; what was decoded before an error is delivered before it; `maxOutputLength` and `maxRatio` hold for streams
-- too; and `trailing` says what is done with bytes behind the end. `chunkSize` is the longest chunk that comes out; left out it
-- is 64 KiB.

local core = require 'weir.core'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local duplex = require 'weir.stream.duplex'
local native = require 'weir.stream.native'
local pipeline = require 'weir.stream.pipeline'
local timers = require 'weir.timers'

local type, error, pairs, setmetatable = type, error, pairs, setmetatable
local huge = math.huge

local M = {}

---zlib's constants, by Node's names.
M.constants = setmetatable({}, {
  __index = {
    Z_NO_FLUSH = 0, Z_PARTIAL_FLUSH = 1, Z_SYNC_FLUSH = 2, Z_FULL_FLUSH = 3, Z_FINISH = 4, Z_BLOCK = 5,
    Z_OK = 0, Z_STREAM_END = 1, Z_NEED_DICT = 2, Z_ERRNO = -1, Z_STREAM_ERROR = -2, Z_DATA_ERROR = -3, Z_MEM_ERROR = -4,
    Z_BUF_ERROR = -5, Z_VERSION_ERROR = -6,
    Z_NO_COMPRESSION = 0, Z_BEST_SPEED = 1, Z_BEST_COMPRESSION = 9, Z_DEFAULT_COMPRESSION = -1,
    Z_FILTERED = 1, Z_HUFFMAN_ONLY = 2, Z_RLE = 3, Z_FIXED = 4, Z_DEFAULT_STRATEGY = 0,
    Z_MIN_WINDOWBITS = 8, Z_MAX_WINDOWBITS = 15, Z_DEFAULT_WINDOWBITS = 15,
    Z_MIN_CHUNK = 64, Z_MAX_CHUNK = huge, Z_DEFAULT_CHUNK = 16384,
    Z_MIN_MEMLEVEL = 1, Z_MAX_MEMLEVEL = 9, Z_DEFAULT_MEMLEVEL = 8,
    Z_MIN_LEVEL = -1, Z_MAX_LEVEL = 9, Z_DEFAULT_LEVEL = -1,
  },
  __newindex = function() error('zlib.constants cannot be changed', 2) end,
})

-- ---- Options ----------------------------------------------------------------------------------------------------------

local KINDS = { gzip = 0, deflate = 1, deflateRaw = 2, gunzip = 3, inflate = 4, inflateRaw = 5, unzip = 6 }
local COMPRESSES = { gzip = true, deflate = true, deflateRaw = true }
local TRAILING = { error = 0, ignore = 1, keep = 2 }
local STRATEGIES = { default = 0, filtered = 1, huffman = 2, rle = 3, fixed = 4 }
local FLUSHES = { none = 0, partial = 1, sync = 2, full = 3, finish = 4, block = 5 }

-- A number of Node's options: nil and NaN are the default.
local function number(options, name, low, high, level)
  local value = options[name]
  if value == nil or value ~= value then return nil end
  local full = 'options.' .. name
  if type(value) ~= 'number' then error(errors.argType(full, 'number', value), level) end
  if value == huge or value == -huge then error(errors.outOfRange(full, 'a finite number', value), level) end
  if value < low or value > high then
    error(errors.outOfRange(full, high == huge and '>= ' .. low or ('>= %s and <= %s'):format(low, high), value), level)
  end
  return value - value % 1
end

-- A number, or a name for one.
local function named(options, name, names, high, level)
  local value = options[name]
  if type(value) ~= 'string' then return number(options, name, 0, high, level) end
  if not names[value] then error(errors.argValue('options.' .. name, value), level) end
  return names[value]
end

local function dictionary(options, level)
  local value = options.dictionary
  if value ~= nil and type(value) ~= 'string' then error(errors.argType('options.dictionary', 'string', value), level) end
  return value
end

local function compressor(name, options, level)
  return {
    level = number(options, 'level', -1, 9, level),
    windowBits = number(options, 'windowBits', name == 'gzip' and 9 or 8, 15, level),
    memLevel = number(options, 'memLevel', 1, 9, level),
    strategy = named(options, 'strategy', STRATEGIES, 4, level),
  }
end

local function decompressor(name, options, level)
  local bits = options.windowBits
  if name == 'inflateRaw' or bits ~= 0 then bits = number(options, 'windowBits', 8, 15, level) end
  local trailing = options.trailing or 'error'
  if not TRAILING[trailing] then
    error(errors.argValue('options.trailing', trailing, "must be one of: 'error', 'ignore', 'keep'"), level)
  end
  return {
    windowBits = bits,
    trailing = TRAILING[trailing],
    maxRatio = number(options, 'maxRatio', 1, 0xffffffff, level),
    truncated = named(options, 'finishFlush', FLUSHES, 5, level) == 2,
  }
end

-- What the core is told, checked. `level`: where what is wrong was said.
local function specify(name, options, level)
  if options == nil then options = {} end
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), level) end
  level = level + 1
  local spec = (COMPRESSES[name] and compressor or decompressor)(name, options, level)
  spec.chunkSize = number(options, 'chunkSize', 64, huge, level)
  spec.maxOutputLength = number(options, 'maxOutputLength', 1, 2 ^ 53, level)
  spec.dictionary = dictionary(options, level)
  local flush = named(options, 'flush', FLUSHES, 5, level)
  spec.flush = COMPRESSES[name] and flush ~= 4 and (flush == 5 and 1 or flush) or nil
  return spec
end

local function failure(code, message, number_)
  return errors.new(message, code, code:find '^Z_' and { errno = number_ } or nil)
end

-- ---- Streams ----------------------------------------------------------------------------------------------------------

---@class weir.Zlib: weir.Transform
---@field bytesWritten integer bytes of input that were used; what follows the end does not count
---@field trailing string? with the option `trailing = 'keep'`, once it has ended: what followed (at most 1 MiB)
local Zlib = duplex.Transform:extend 'Zlib'
M.Zlib = Zlib

Zlib.getters.bytesWritten = core.zlibTaken
Zlib.getters.trailing = core.zlibTrailing

---Brings out all that was written so far, behind the writes that are under way, and calls `callback`. `kind`: `'full'` (the
---default), `'sync'`, `'partial'`, `'none'` (calls back only), or one of Node's numbers.
---@param kind? string|integer
---@param callback? fun(err: weir.Error?)
function Zlib:flush(kind, callback)
  if type(kind) == 'function' then kind, callback = nil, kind end
  local flush = kind == nil and 3 or FLUSHES[kind] or kind
  if type(flush) ~= 'number' or flush < 0 or flush > 5 or flush == 4 or flush % 1 ~= 0 then
    error(errors.argValue('kind', kind, "must be one of: 'none', 'partial', 'sync', 'full'"), 2)
  end
  if self.writableFinished then
    if callback then timers.nextTick(callback) end
  elseif self.writableEnded then
    if callback then self:once('end', callback) end
  elseif flush == 0 then
    self:write('', callback)
  else
    core.zlibFlush(self, flush == 5 and 1 or flush, callback)
  end
end

---Changes level and strategy for what is written from now on.
---@param level integer
---@param strategy? integer|string
---@param callback? fun(err: weir.Error?)
function Zlib:params(level, strategy, callback)
  local options = { level = level, strategy = strategy or 0 }
  local asked = compressor('deflate', options, 3)
  if not core.zlibParams(self, asked.level or -1, asked.strategy or 0, callback) and callback then timers.nextTick(callback) end
end

---Destroys it; `callback` gets ERR_STREAM_PREMATURE_CLOSE if it was not done.
---@param callback? fun(err: weir.Error?)
function Zlib:close(callback)
  if callback then pipeline.finished(self, callback) end
  self:destroy()
end

local function class(title, name)
  local Class = Zlib:extend(title)
  function Class:init(options)
    local spec = specify(name, options, 3)
    native.init(self, options, function(stream, has, readMark, writeMark)
      local ok, code, message, errno = core.zlibStream(stream, has, readMark, writeMark, KINDS[name], spec)
      if not ok then error(failure(code, message, errno), 5) end
    end)
  end
  M[title] = Class
  M['create' .. title] = function(options) return Class(options) end
end

class('Gzip', 'gzip')
class('Gunzip', 'gunzip')
class('Deflate', 'deflate')
class('Inflate', 'inflate')
class('DeflateRaw', 'deflateRaw')
class('InflateRaw', 'inflateRaw')
class('Unzip', 'unzip')

-- ---- Whole strings ----------------------------------------------------------------------------------------------------

local MOST = 2 ^ 30 -- what comes out of a whole string, unless it is said otherwise

local function specifyWhole(name, data, options)
  if type(data) ~= 'string' then error(errors.argType('buffer', 'string', data), 4) end
  local spec = specify(name, options, 4)
  if not spec.maxOutputLength then spec.maxOutputLength = MOST end
  return spec
end

local function runNow(name)
  return function(data, options)
    local spec = specifyWhole(name, data, options)
    local result, code, message, errno = core.zlibRun(KINDS[name], spec, data)
    if not result then error(failure(code, message, errno), 2) end
    return result
  end
end

-- On the pool: with a callback, or waiting.
local function run(name)
  return function(data, options, callback)
    if type(options) == 'function' then options, callback = nil, options end
    local spec = specifyWhole(name, data, options)
    local wake, here
    if callback == nil then
      wake, here = wait.prepare()
    elseif type(callback) ~= 'function' then
      error(errors.argType('callback', 'function', callback), 2)
    end
    local function done(result, code, message, errno)
      local err
      if not result then err = failure(code, message, errno) end
      if wake then wake(err, result) else callback(err, result) end
    end
    local ok, code, message, errno = core.zlibTask(KINDS[name], spec, data, done)
    if not ok then error(failure(code, message, errno), 2) end
    if not wake then return end
    local err, result = here()
    if err then error(err, 2) end
    return result
  end
end

for name in pairs(KINDS) do
  M[name] = run(name)
  M[name .. 'Sync'] = runNow(name)
end

-- ---- Checksums --------------------------------------------------------------------------------------------------------

local function checksum(name, first)
  return function(data, before)
    if type(data) ~= 'string' then error(errors.argType('data', 'string', data), 2) end
    if before == nil then before = first end
    if type(before) ~= 'number' then error(errors.argType('value', 'number', before), 2) end
    if before % 1 ~= 0 then error(errors.outOfRange('value', 'an integer', before), 2) end
    if before < 0 or before > 0xffffffff then error(errors.outOfRange('value', '>= 0 && <= 4294967295', before), 2) end
    return core[name](data, before)
  end
end

---`crc32(data, value)`: the CRC-32 of `data`; `value`: that of what is before it.
M.crc32 = checksum('crc32', 0)
---`adler32(data, value)`
M.adler32 = checksum('adler32', 1)

return M
