-- SPDX-License-Identifier: MIT
-- Whole streams as one value: Node's `stream/consumers`, with what Node lacks: a limit, and a signal.
--
-- Whatever ends the collecting early destroys the stream, with the error that is raised: nobody could go on reading where it
-- stopped. Nothing is ever cut off in silence.

local abort = require 'weir.abort'
local base = require 'weir.stream.base'
local class = require 'weir.class'
local errors = require 'weir.errors'
local Readable = require 'weir.stream.readable'

local type, error, pcall = type, error, pcall
local concat = table.concat

local M = {}

local function checkLimit(limit)
  if limit == nil then return math.huge end
  if type(limit) ~= 'number' then error(errors.argType('options.limit', 'number', limit), 4) end
  if limit ~= limit or limit < 0 then error(errors.outOfRange('options.limit', '>= 0', limit), 4) end
  return limit
end

-- The limit and the signal of OPTIONS.
local function check(stream, options)
  if not class.is(stream, Readable) then error(errors.argType('stream', 'Readable', stream), 4) end
  if options == nil then return math.huge, nil end
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), 4) end
  abort.checkOption(options.signal)
  return checkLimit(options.limit), options.signal
end

local function tooLarge(limit, unit)
  return errors.new(('Cannot collect more than %s %s'):format(limit, unit), 'ERR_BUFFER_TOO_LARGE', { name = 'RangeError' })
end

-- Destroys the stream, and waits until it has told its error to the iterator.
local function giveUp(stream, iterator, err)
  stream:destroy(err)
  pcall(iterator)
  error(err, 0)
end

-- All chunks of STREAM. `sizeOf(chunk)` is what one counts, or nil and the error that it is.
local function collect(stream, options, unit, sizeOf)
  local limit, signal = check(stream, options)
  local iterator = stream:iter()
  if signal then base.addAbortSignal(signal, stream) end
  local chunks, count, total = {}, 0, 0
  for chunk in iterator do
    local size, err = sizeOf(chunk)
    if err then giveUp(stream, iterator, err) end
    total, count = total + size, count + 1
    if total > limit then giveUp(stream, iterator, tooLarge(limit, unit)) end
    chunks[count] = chunk
  end
  return chunks
end

local function lengthOf(chunk)
  if type(chunk) ~= 'string' then return nil, errors.argType('chunk', 'string', chunk) end
  return #chunk
end

local function one()
  return 1
end

---@class weir.ConsumerOptions
---@field limit? number how much may come: bytes for `text`, items for `array`; default any amount
---@field signal? weir.AbortSignal ends it, and the stream, at once

---`consumers.text(stream, options)`: all that a stream gives, as one string, waiting for its end; in object mode its strings, joined.
---
---With more than `options.limit` bytes the stream is destroyed, and the error raised: ERR_BUFFER_TOO_LARGE. So it is with an
---AbortError when `options.signal` aborts, and with ERR_INVALID_ARG_TYPE when a chunk is no string. Raises the stream's error,
---ERR_STREAM_PREMATURE_CLOSE if it was destroyed without one, ERR_CANNOT_WAIT; of the arguments, ERR_INVALID_ARG_TYPE and
---ERR_OUT_OF_RANGE. Node's `text` of `stream/consumers`.
---@param stream weir.Readable
---@param options? weir.ConsumerOptions
---@return string
function M.text(stream, options)
  return concat(collect(stream, options, 'bytes', lengthOf))
end

---The same as `text`: strings are bytes. Node's `buffer`.
M.buffer = M.text

---`consumers.array(stream, options)`: all chunks, in an array, waiting for the end. `options.limit` counts chunks; otherwise as
---`text`. Node has `readable.toArray`, without a limit.
---@param stream weir.Readable
---@param options? weir.ConsumerOptions
---@return any[]
function M.array(stream, options)
  return collect(stream, options, 'items', one)
end

return M
