-- SPDX-License-Identifier: MIT
-- Streams made with a side closed, by the options `readable = false` and `writable = false`: what is in C takes them as what is
-- in Lua does.

local weir = require 'weir'
local zlib, crypto = weir.zlib, weir.crypto

local key = ('k'):rep(16)
local kinds = {
  { 'createGzip', zlib.createGzip },
  { 'createCipheriv', function(options) return crypto.createCipheriv('aes-128-ctr', key, key, options) end },
  { 'createHash', function(options) return crypto.createHash('sha256', options) end },
  { 'lines', weir.lines },
  { 'PassThrough', weir.PassThrough },
  { 'Duplex', function(options)
    options.read = function(self)
      self:push 'x'
      self:push(nil)
    end
    options.write = function(_, _, callback) callback() end
    return weir.Duplex(options)
  end },
}

local function sides(stream)
  return { stream.readable, stream.readableEnded, stream.writable, stream.writableEnded, stream.writableFinished }
end

-- Writes to the stream, finishes it and reads it; its events, and what it ends with.
local function used(stream)
  local events, failure = {}, nil
  for _, name in ipairs { 'finish', 'end', 'close' } do
    stream:on(name, function() events[#events + 1] = name end)
  end
  stream:on('error', function(err) failure = err end)
  stream:write('a line\n')
  stream:finish()
  stream:resume()
  weir.sleep(20)
  return table.concat(events, ' '), failure and failure.code
end

for _, kind in ipairs(kinds) do
  local name, make = kind[1], kind[2]
  describe(name, function()
    it('has both sides unless it is told otherwise', function()
      weir.run(function()
        assert.same({ true, false, true, false, false }, sides(make {}))
        assert.same({ true, false, true, false, false }, sides(make { readable = true, writable = 0 }))
      end)
    end)

    it('with readable = false is read no more', function()
      weir.run(function()
        local stream = make { readable = false }
        assert.same({ false, true, true, false, false }, sides(stream))
        assert.is_nil(stream:read())
        if name == 'Duplex' then
          assert.same({ 'finish close' }, { used(stream) })
        else -- what comes out has nowhere to go
          assert.same({ 'close', 'ERR_STREAM_PUSH_AFTER_EOF' }, { used(stream) })
        end
        assert.is_true(stream.destroyed)
      end)
    end)

    it('with writable = false takes nothing', function()
      weir.run(function()
        local stream = make { writable = false }
        assert.same({ true, false, false, true, true }, sides(stream))
        assert.same({ 'close', 'ERR_STREAM_WRITE_AFTER_END' }, { used(stream) })
      end)
    end)

    it('with both has neither', function()
      weir.run(function()
        assert.same({ false, true, false, true, true }, sides(make { readable = false, writable = false }))
      end)
    end)
  end)
end

describe('a stream of one side', function()
  it('knows no such option, as in Node', function()
    assert.is_true(weir.Readable { readable = false }.readable)
    assert.is_true(weir.Writable { writable = false }.writable)
  end)
end)
