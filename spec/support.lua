-- SPDX-License-Identifier: MIT
-- What several specs need.

local assert = require 'luassert'
local weir = require 'weir'

local M = {}

---A spec whose body may wait.
---@param fn function
---@return function
function M.within(fn)
  return function() weir.run(fn) end
end

---Waits until it is quiet: all ticks have run, and what they bring about.
function M.settle()
  for _ = 1, 3 do weir.sleep(1) end
end

---Writes a file.
---@param path string
---@param bytes string
function M.write_file(path, bytes)
  local file = assert(io.open(path, 'wb'))
  file:write(bytes)
  file:close()
end

---What a stream gives, in an array, waiting for its end. `options` of `iter`.
---@param stream weir.Readable
---@param options? table
---@return any[]
function M.all_of(stream, options)
  local got = {}
  for v in stream:iter(options) do got[#got + 1] = v end
  return got
end

---A source of objects that never gives any.
---@return weir.Readable
function M.idle()
  return weir.Readable{ objectMode = true, read = function() end }
end

---A sink of objects, which it puts into the array `got`; more options may be given.
---@param got any[]
---@param options? table
---@return weir.Writable
function M.sink_into(got, options)
  local all = { objectMode = true, write = function(_, v, callback)
    got[#got + 1] = v
    callback()
  end }
  for key, value in pairs(options or {}) do all[key] = value end
  return weir.Writable(all)
end

---How much data a spec takes: in the hard build with one-byte reads, where a byte costs what a block does else, less.
---@param usual integer
---@param few integer
---@return integer
function M.amount(usual, few)
  return (os.getenv 'WEIR_HARD' or ''):find 'io1' and few or usual
end

---What the command (a format and its values) writes.
---@param ... any
---@return string
function M.output_of(...)
  local pipe = assert(io.popen((...):format(select(2, ...))))
  local text = pipe:read '*a'
  pipe:close()
  return text
end

---The error that a call raises.
---@param ... any the function and its arguments
---@return any
function M.raised(...)
  local ok, err = pcall(...)
  assert.is_false(ok)
  return err
end

---The error that `stream` ends with.
---@param stream weir.Stream
---@return weir.Error
function M.failure_of(stream)
  return M.raised(weir.finished, stream)
end

---How many descriptors are open.
---@return integer
function M.descriptors()
  return #weir.fs.readdirSync '/proc/self/fd'
end

---Lines that compress about as a log does, the same every time.
---@param lines integer
---@return string
function M.log_like(lines)
  local seed, out = 7, {}
  for i = 1, lines do
    seed = (seed * 1103515245 + 12345) % 2147483648
    out[i] = ('%d.%d.1.1 - - "GET /static/app.js?v=%d HTTP/1.1" %d %d\n'):format(seed % 255, seed % 253, seed % 99991,
      200 + seed % 300, seed % 65536)
  end
  return table.concat(out)
end

---Every format of zlib's, with what decodes it.
M.zlib_formats = {
  { 'gzip', 'gunzip' }, { 'deflate', 'inflate' }, { 'deflateRaw', 'inflateRaw' }, { 'gzip', 'unzip' }, { 'deflate', 'unzip' },
}

---A stream of zlib's by its name.
---@param name string
---@param options? table
---@return weir.Zlib
function M.zlib_create(name, options)
  return weir.zlib['create' .. name:sub(1, 1):upper() .. name:sub(2)](options)
end

---What comes out of `stream` for `input`, written in pieces of `cut` bytes; its error; its events in order: finish, end, error,
---close; and the chunks that came out.
---@param stream weir.Duplex
---@param input string
---@param cut? integer
---@return string, weir.Error?, string, string[]
function M.through(stream, input, cut)
  local parts, events, failure = {}, {}, nil
  stream:on('data', function(chunk) parts[#parts + 1] = chunk end)
  for _, name in ipairs { 'finish', 'end', 'error', 'close' } do
    stream:on(name, function(err)
      events[#events + 1] = name
      if name == 'error' then failure = err end
    end)
  end
  cut = cut or #input
  for at = 1, #input, cut do
    if not stream:write(input:sub(at, at + cut - 1)) and not stream.destroyed then
      local wake, here = weir.wait.prepare()
      weir.finished(stream, function() wake() end)
      stream:once('drain', function() wake() end)
      here()
    end
    if stream.destroyed then break end
  end
  if not stream.destroyed then stream:finish() end
  if events[#events] ~= 'close' then
    local wake, here = weir.wait.prepare()
    stream:on('close', function() wake() end)
    here()
  end
  return table.concat(parts), failure, table.concat(events, ' '), parts
end

return M
