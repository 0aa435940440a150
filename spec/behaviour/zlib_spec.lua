-- SPDX-License-Identifier: MIT
-- Compression: every format and level decodes to what went in, the table of what follows the end of a
-- stream, cuts it short or spoils it, with what weir does better than Node; limits; flushes; and that nothing is left behind.

local weir = require 'weir'
local support = require 'support'
local zlib = weir.zlib
local raised, descriptors = support.raised, support.descriptors
local log_like, through = support.log_like, support.through
local FORMATS, create = support.zlib_formats, support.zlib_create

local noise = {}
do
  local seed = 11
  for i = 1, 60000 do
    seed = (seed * 1103515245 + 12345) % 2147483648
    noise[i] = string.char(math.floor(seed / 65536) % 256)
  end
  noise = table.concat(noise)
end

local text = log_like(3000)

describe('zlib', function()
  local before

  -- Runs FN in weir, then looks whether a descriptor was left open.
  local function within(fn)
    return function()
      weir.run(fn)
      assert.equal(before, descriptors())
    end
  end

  setup(function()
    weir.run(function() zlib.gzip 'loop and pool have their descriptors from now on' end)
  end)
  before_each(function() before = descriptors() end)

  describe('decodes what it encoded', function()
    for _, pair in ipairs(FORMATS) do
      it(pair[1] .. ', ' .. pair[2], within(function()
        for _, input in ipairs { '', 'a', 'hello world', text, noise, ('\0'):rep(300000) } do
          local packed = zlib[pair[1] .. 'Sync'](input)
          assert.equal(input, zlib[pair[2] .. 'Sync'](packed))
          assert.equal(input, zlib[pair[2]](zlib[pair[1]](input)))
          for _, cut in ipairs { #input + 1, 70000, 1000 } do
            local streamed, err, events = through(create(pair[1]), input, cut)
            assert.is_nil(err)
            assert.equal('end finish close', events)
            local back, err2 = through(create(pair[2]), streamed, 997)
            assert.is_nil(err2)
            assert.is_true(back == input)
          end
        end
      end))
    end

    it('at every level, memLevel, windowBits and strategy', within(function()
      for level = -1, 9 do assert.equal(text, zlib.gunzipSync(through(zlib.createGzip{ level = level }, text, 50000))) end
      for level = 1, 9 do assert.equal(text, zlib.gunzipSync(through(zlib.createGzip{ memLevel = level }, text))) end
      for bits = 9, 15 do assert.equal(text, zlib.gunzipSync(through(zlib.createGzip{ windowBits = bits }, text))) end
      for strategy = 0, 4 do assert.equal(text, zlib.gunzipSync(through(zlib.createGzip{ strategy = strategy }, text))) end
      assert.equal(text, zlib.inflateSync(zlib.deflateSync(text, { windowBits = 8 })))
      assert.equal(text, zlib.inflateRawSync(zlib.deflateRawSync(text, { windowBits = 8, strategy = 'rle' })))
      assert.is_true(#zlib.gzipSync(text, { level = 9 }) < #zlib.gzipSync(text, { level = 1 }))
      assert.is_true(#through(zlib.createGzip{ level = 9 }, text) < #through(zlib.createGzip{ level = 1 }, text))
    end))

    it('the same bytes however the input is cut', within(function()
      local input = log_like(8000)
      assert.is_true(#input > 3 * 131072)
      local whole = through(zlib.createGzip(), input)
      for _, cut in ipairs { 65536, 131072, 100001, 9999 } do
        assert.is_true(whole == through(zlib.createGzip(), input, cut))
      end
      assert.is_true(#whole < #zlib.gzipSync(input) * 1.005)
      assert.is_true(zlib.gzipSync(text:sub(1, 100000)) == through(zlib.createGzip(), text:sub(1, 100000), 7777))
    end))

    it('with a dictionary', within(function()
      local dictionary = text:sub(1, 20000)
      local options = { dictionary = dictionary }
      for _, pair in ipairs { { 'deflate', 'inflate' }, { 'deflateRaw', 'inflateRaw' } } do
        local packed = through(create(pair[1], options), text)
        assert.is_true(#packed < #zlib[pair[1] .. 'Sync'](text))
        assert.equal(text, (through(create(pair[2], options), packed, 1000)))
      end
      local packed = zlib.deflateSync(text, options)
      local missing = raised(zlib.inflateSync, packed)
      assert.equal('Z_NEED_DICT', missing.code)
      assert.equal('Missing dictionary', missing.message)
      assert.equal('Bad dictionary', raised(zlib.inflateSync, packed, { dictionary = 'x' }).message)
    end))

    it('in a file that says nothing of when or where', within(function()
      for _, packed in ipairs { zlib.gzipSync 'x', (through(zlib.createGzip(), 'x')) } do
        assert.equal('\31\139\8\0\0\0\0\0\0\3', packed:sub(1, 10))
      end
      assert.equal(20, #zlib.gzipSync '')
      assert.equal(20, #through(zlib.createGzip(), ''))
    end))
  end)

  describe('members of gzip', function()
    local members = zlib.gzipSync 'one ' .. zlib.gzipSync '' .. zlib.gzipSync(text)

    it('are decoded one after the other, cut anywhere', within(function()
      for _, cut in ipairs { #members, 1000, 7 } do
        local out, err, events = through(zlib.createGunzip(), members, cut)
        assert.is_nil(err)
        assert.is_true(out == 'one ' .. text)
        assert.equal('end finish close', events)
      end
      local short = zlib.gzipSync 'one ' .. zlib.gzipSync 'two'
      assert.equal('one two', (through(zlib.createGunzip(), short, 1)))
      assert.equal('one two', zlib.gunzipSync(short))
      assert.equal('one two', (through(zlib.createUnzip(), short, 1)))
    end))

    it('that are long, with a wrong checksum in one of them', within(function()
      local long = log_like(12000)
      local good, bad = zlib.gzipSync(long), zlib.gzipSync(long)
      bad = bad:sub(1, -9) .. string.char((bad:byte(-8) + 1) % 256) .. bad:sub(-7)
      local out, err = through(zlib.createGunzip(), good .. bad .. good, 60000)
      assert.equal('incorrect data check', err.message)
      assert.is_true(out == long .. long)
    end))
  end)

  describe('input that is not whole', function()
    -- name, stream, input, output before the error (nil: all of it), code, message
    local packed = zlib.gzipSync(text)
    local cases = {
      { 'cut in the header', 'gunzip', packed:sub(1, 5), '' },
      { 'cut in the body', 'gunzip', packed:sub(1, 5000), false },
      { 'cut before the trailer', 'gunzip', packed:sub(1, -9), text },
      { 'cut in the trailer', 'gunzip', packed:sub(1, -2), text },
      { 'cut in the second member', 'gunzip', packed .. packed:sub(1, 3), text },
      { 'cut in the body of the second member', 'gunzip', zlib.gzipSync 'one' .. packed:sub(1, -9), 'one' .. text },
      { 'empty', 'gunzip', '', '' },
      { 'empty', 'inflate', '', '' },
      { 'cut', 'inflate', zlib.deflateSync(text):sub(1, -2), text },
      { 'cut', 'inflateRaw', zlib.deflateRawSync(text):sub(1, -3), false },
      { 'cut after one byte', 'unzip', packed:sub(1, 1), '' },
    }
    for _, case in ipairs(cases) do
      it(case[2] .. ': ' .. case[1], within(function()
        for _, cut in ipairs { #case[3] + 1, 999 } do
          local out, err, events = through(create(case[2]), case[3], cut)
          assert.equal('Z_BUF_ERROR', err.code)
          assert.equal('unexpected end of file', err.message)
          assert.equal(-5, err.errno)
          assert.equal('error close', events) -- and never 'finish'
          if case[4] then assert.is_true(out == case[4]) end
        end
        assert.equal('Z_BUF_ERROR', raised(zlib[case[2] .. 'Sync'], case[3]).code)
      end))
    end

    it('is taken as far as it goes with finishFlush = sync', within(function()
      local out, err, events = through(zlib.createGunzip{ finishFlush = 'sync' }, packed:sub(1, -5), 1000)
      assert.is_nil(err)
      assert.is_true(out == text)
      assert.equal('end finish close', events)
      assert.is_true(zlib.gunzipSync(packed:sub(1, -9), { finishFlush = zlib.constants.Z_SYNC_FLUSH }) == text)
    end))
  end)

  describe('input that is wrong', function()
    local packed = zlib.gzipSync(text)
    local function spoiled(at)
      at = at < 0 and #packed + at + 1 or at
      return packed:sub(1, at - 1) .. string.char((packed:byte(at) + 1) % 256) .. packed:sub(at + 1)
    end
    local cases = {
      { 'no gzip', 'gunzip', 'this is no gzip', 'incorrect header check', '' },
      { 'another method', 'gunzip', '\31\139\7' .. packed:sub(4), 'unknown compression method', '' },
      { 'no zlib', 'inflate', 'this is no zlib', 'incorrect header check', '' },
      { 'a wrong checksum', 'gunzip', spoiled(-8), 'incorrect data check', text },
      { 'a wrong length', 'gunzip', spoiled(-4), 'incorrect length check', text },
      { 'a wrong checksum', 'inflate', (zlib.deflateSync(text):sub(1, -2) .. '\0'), 'incorrect data check', text },
      { 'a block that is none', 'inflateRaw', '\255\255', 'invalid block type', '' },
      { 'neither of both', 'unzip', 'neither', 'incorrect header check', '' },
    }
    for _, case in ipairs(cases) do
      it(case[2] .. ': ' .. case[1], within(function()
        for _, cut in ipairs { #case[3], 1000 } do
          local out, err, events = through(create(case[2]), case[3], cut)
          assert.equal('Z_DATA_ERROR', err.code)
          assert.equal(case[4], err.message)
          assert.equal(-3, err.errno)
          assert.equal('error close', events)
          assert.is_true(out == case[5])
        end
        local err = raised(zlib[case[2] .. 'Sync'], case[3])
        assert.equal('Z_DATA_ERROR', err.code)
        assert.equal(-3, err.errno)
        assert.equal(case[4], raised(zlib[case[2]], case[3]).message)
      end))
    end

    it('comes after all that was read, however late', within(function()
      local stream, parts = zlib.createGunzip(), {}
      local failed
      stream:on('error', function(err) failed = err end)
      stream:finish(spoiled(-8))
      repeat
        weir.sleep(1)
        local chunk = stream:read()
        assert.is_true(chunk == nil or failed == nil)
        parts[#parts + 1] = chunk
      until failed
      assert.is_true(table.concat(parts) == text)
    end))

    it('is told where nobody reads', within(function()
      local err = raised(weir.finished, zlib.createGunzip():finish 'no gzip')
      assert.equal('Z_DATA_ERROR', err.code)
    end))

    it('fails the write that brought it, and those behind it', within(function()
      local stream, log = zlib.createGunzip(), {}
      stream:on('error', function(err) log[#log + 1] = 'error ' .. err.code end)
      stream:write('no gzip', function(err) log[#log + 1] = 'first ' .. err.code end)
      stream:write('more', function(err) log[#log + 1] = 'second ' .. err.code end)
      pcall(weir.finished, stream)
      assert.same({ 'first Z_DATA_ERROR', 'second Z_DATA_ERROR', 'error Z_DATA_ERROR' }, log)
    end))
  end)

  describe('what follows the end', function()
    local packed = zlib.gzipSync 'hello'

    it('is padding where it is zeros only', within(function()
      for _, cut in ipairs { 1000, 1 } do
        local out, err = through(zlib.createGunzip(), packed .. ('\0'):rep(100), cut)
        assert.is_nil(err)
        assert.equal('hello', out)
      end
    end))

    it('is an error behind zeros, also a member', within(function()
      for _, rest in ipairs { 'x', packed } do
        local out, err = through(zlib.createGunzip(), packed .. '\0\0' .. rest, 5)
        assert.equal('ERR_TRAILING_DATA', err.code)
        assert.equal('hello', out)
      end
    end))

    it('is an error, and what was decoded is delivered', within(function()
      for _, rest in ipairs { 'garbage', '\31x', '\31' } do
        local out, err, events = through(zlib.createGunzip(), packed .. rest)
        assert.equal(rest == '\31' and 'Z_BUF_ERROR' or 'Z_DATA_ERROR', err.code)
        assert.equal('hello', out)
        assert.equal('error close', events)
      end
      local out, err = through(zlib.createInflate(), zlib.deflateSync 'hello' .. 'garbage')
      assert.equal('ERR_TRAILING_DATA', err.code)
      assert.equal('hello', out)
      assert.equal('ERR_TRAILING_DATA', raised(zlib.inflateRawSync, zlib.deflateRawSync 'hello' .. 'x').code)
    end))

    it('is swallowed with trailing = ignore', within(function()
      for _, cut in ipairs { 1000, 1 } do
        local stream = zlib.createGunzip{ trailing = 'ignore' }
        local out, err = through(stream, packed .. 'garbage', cut)
        assert.is_nil(err)
        assert.equal('hello', out)
        assert.equal(#packed, stream.bytesWritten)
        assert.is_nil(stream.trailing)
      end
      assert.equal('hello', zlib.inflateSync(zlib.deflateSync 'hello' .. 'garbage', { trailing = 'ignore' }))
    end))

    it('can be read with trailing = keep', within(function()
      for _, rest in ipairs { 'the rest of it', '\31', '\31\140', '' } do
        for _, cut in ipairs { 1000, 1, 7 } do
          local stream = zlib.createGunzip{ trailing = 'keep' }
          assert.is_nil(stream.trailing)
          local out, err = through(stream, packed .. rest, cut)
          assert.is_nil(err)
          assert.equal('hello', out)
          assert.equal(rest, stream.trailing)
          assert.equal(#packed, stream.bytesWritten)
        end
      end
    end))

    it('is kept up to a limit', within(function()
      local stream = zlib.createInflate{ trailing = 'keep' }
      local _, err = through(stream, zlib.deflateSync 'x' .. ('y'):rep(2 ^ 20 + 1))
      assert.equal('ERR_BUFFER_TOO_LARGE', err.code)
    end))
  end)

  describe('limits', function()
    local bomb = zlib.gzipSync(('\0'):rep(5000000))

    it('of the output hold for streams too', within(function()
      for _, limit in ipairs { 1000, 65536, 4999999 } do
        local out, err = through(zlib.createGunzip{ maxOutputLength = limit }, bomb, 100)
        assert.equal('ERR_BUFFER_TOO_LARGE', err.code)
        assert.equal(limit, #out)
      end
      local out, err = through(zlib.createGunzip{ maxOutputLength = 5000000 }, bomb)
      assert.is_nil(err)
      assert.equal(5000000, #out)
      local _, failure = through(zlib.createGzip{ maxOutputLength = 100 }, noise)
      assert.equal('ERR_BUFFER_TOO_LARGE', failure.code)
    end))

    it('of the output, for whole strings', within(function()
      assert.equal('ERR_BUFFER_TOO_LARGE', raised(zlib.gunzipSync, bomb, { maxOutputLength = 4999999 }).code)
      assert.equal(5000000, #zlib.gunzipSync(bomb, { maxOutputLength = 5000000 }))
      assert.equal('ERR_BUFFER_TOO_LARGE', raised(zlib.gunzip, bomb, { maxOutputLength = 1000 }).code)
      assert.equal('ERR_BUFFER_TOO_LARGE', raised(zlib.gzipSync, noise, { maxOutputLength = 1000 }).code)
      assert.equal(#zlib.gzipSync(noise), #zlib.gzipSync(noise, { maxOutputLength = #zlib.gzipSync(noise) }))
      assert.equal('ERR_BUFFER_TOO_LARGE', raised(zlib.gzipSync, noise, { maxOutputLength = #zlib.gzipSync(noise) - 1 }).code)
    end))

    it('of the ratio', within(function()
      local _, err = through(zlib.createGunzip{ maxRatio = 100 }, bomb)
      assert.equal('ERR_COMPRESSION_RATIO', err.code)
      local out, err2 = through(zlib.createGunzip{ maxRatio = 100 }, zlib.gzipSync(text))
      assert.is_nil(err2)
      assert.is_true(out == text)
    end))

    it('of the memory: a bomb stops where nobody reads', within(function()
      local huge = zlib.gzipSync(('\0'):rep(50000000))
      local stream, written = zlib.createGunzip(), false
      stream:write(huge, function() written = true end)
      weir.sleep(50)
      assert.is_true(stream.readableLength >= stream.readableHighWaterMark)
      assert.is_true(stream.readableLength <= 65536)
      assert.is_true(stream.bytesWritten < 1000)
      assert.is_false(written)
      stream:destroy()
    end))
  end)

  describe('chunks', function()
    it('are no longer than chunkSize', within(function()
      for _, size in ipairs { 64, 1000, 16384, 200000 } do
        local out, _, _, parts = through(zlib.createGunzip{ chunkSize = size }, zlib.gzipSync(text))
        assert.is_true(out == text)
        for i, part in ipairs(parts) do assert.is_true(#part <= size, i) end
        assert.is_true(#parts >= #text / size)
      end
    end))
  end)

  describe('flush', function()
    it('brings out what was written before it, and calls back in order', within(function()
      for _, kind in ipairs { 'sync', 'full', 'partial', zlib.constants.Z_SYNC_FLUSH, zlib.constants.Z_BLOCK } do
        local stream, out, log = zlib.createGzip(), '', {}
        stream:on('data', function(chunk) out = out .. chunk end)
        stream:write('hello', function() log[#log + 1] = 'written' end)
        stream:flush(kind, function()
          log[#log + 1] = 'flushed'
          assert.equal('hello', zlib.gunzipSync(out, { finishFlush = 'sync' }))
        end)
        stream:write(' world', function() log[#log + 1] = 'written too' end)
        stream:finish()
        weir.finished(stream)
        assert.same({ 'written', 'flushed', 'written too' }, log)
        assert.equal('hello world', zlib.gunzipSync(out))
      end
    end))

    it('costs what it costs in Node', within(function()
      local function size(kind)
        local stream, n = zlib.createGzip(), 0
        stream:on('data', function(chunk) n = n + #chunk end)
        stream:write 'hello'
        local wake, here = weir.wait.prepare()
        stream:flush(kind, wake)
        here()
        stream:destroy()
        return n - 10
      end
      assert.same({ 0, 7, 11, 11 }, { size 'none', size 'partial', size 'sync', size() })
    end))

    it('of a stream that has ended calls back', within(function()
      local stream, log = zlib.createGzip(), {}
      stream:resume()
      stream:finish 'x'
      stream:flush(function() log[#log + 1] = 'while it ends' end)
      weir.finished(stream)
      stream:flush(function() log[#log + 1] = 'after it ended' end)
      weir.sleep(1)
      assert.same({ 'while it ends', 'after it ended' }, log)
    end))

    it('after every write, with the option flush', within(function()
      local stream, out = zlib.createGzip{ flush = 'sync' }, ''
      stream:on('data', function(chunk) out = out .. chunk end)
      for _, word in ipairs { 'one ', 'two ', 'three' } do
        local wake, here = weir.wait.prepare()
        stream:write(word, wake)
        here()
        assert.equal(word, zlib.gunzipSync(out, { finishFlush = 'sync' }):sub(-#word))
      end
      stream:destroy()
    end))

    it('refuses what is no flush', within(function()
      assert.equal('ERR_INVALID_ARG_VALUE', raised(function() zlib.createGzip():flush 'now' end).code)
      assert.equal('ERR_INVALID_ARG_VALUE', raised(function() zlib.createGzip():flush(9) end).code)
    end))
  end)

  it('params changes level and strategy on the way', within(function()
    local function size(level)
      local stream, out, called = zlib.createGzip{ level = 0, chunkSize = 65536 }, {}, false
      stream:on('data', function(chunk) out[#out + 1] = chunk end)
      stream:write(text)
      stream:params(level, 0, function() called = true end)
      stream:finish(text)
      weir.finished(stream)
      assert.is_true(called)
      local packed = table.concat(out)
      assert.is_true(zlib.gunzipSync(packed) == text .. text)
      return #packed
    end
    assert.is_true(size(9) < size(0) - 100000)
    local stream, called = zlib.createGzip(), false
    stream:params(-1, 0, function() called = true end)
    weir.sleep(1)
    assert.is_true(called)
    assert.equal('ERR_OUT_OF_RANGE', raised(stream.params, stream, 10, 0).code)
  end))

  describe('destroy', function()
    it('while jobs are out, and close', within(function()
      local stream, log = zlib.createGzip(), {}
      stream:on('close', function() log[#log + 1] = 'close' end)
      stream:on('error', function() log[#log + 1] = 'error' end)
      for _ = 1, 5 do stream:write(text, function(err) log[#log + 1] = err and err.code or 'written' end) end
      stream:close(function(err) log[#log + 1] = 'closed ' .. tostring(err and err.code) end)
      assert.is_true(stream.destroyed)
      weir.sleep(50)
      assert.equal('ERR_STREAM_DESTROYED', log[1])
      assert.equal(7, #log)
      assert.is_true(log[6] == 'close' or log[7] == 'close')
      assert.is_true(log[6] == 'closed ERR_STREAM_PREMATURE_CLOSE' or log[7] == 'closed ERR_STREAM_PREMATURE_CLOSE')
    end))

    it('is not needed for streams that nobody knows any more', within(function()
      for _ = 1, 50 do
        zlib.createGzip():write(text)
        zlib.createGunzip():write(zlib.gzipSync(text))
      end
      weir.sleep(20)
      collectgarbage()
      collectgarbage()
    end))
  end)

  describe('in a pipeline', function()
    it('decodes what the stage before it encodes', within(function()
      local input, out = log_like(20000), {}
      weir.pipeline(weir.Readable.from { input }, zlib.createGzip(), zlib.createGunzip(), zlib.createDeflate(), zlib.createInflate(),
        weir.Writable{ write = function(_, chunk, callback)
          out[#out + 1] = chunk
          callback()
        end })
      assert.is_true(table.concat(out) == input)
    end))

    it('reports its error, and destroys all stages', within(function()
      local source, sink = weir.Readable.from { 'no gzip' }, weir.Writable{ write = function(_, _, callback) callback() end }
      local err = raised(weir.pipeline, source, zlib.createGunzip(), sink)
      assert.equal('Z_DATA_ERROR', err.code)
      assert.is_true(source.destroyed and sink.destroyed)
    end))

    it('waits for a slow reader', within(function()
      local stream = zlib.createGunzip()
      local out, most = {}, 0
      local slow = weir.Writable{ highWaterMark = 1000, write = function(_, chunk, callback)
        out[#out + 1] = chunk
        most = math.max(most, stream.readableLength)
        weir.setTimeout(callback, 1)
      end }
      weir.pipeline(weir.Readable.from { zlib.gzipSync(text) }, stream, slow)
      assert.is_true(table.concat(out) == text)
      assert.is_true(most <= 65536)
    end))
  end)

  it('counts the bytes that it used', within(function()
    local stream = zlib.createGzip()
    through(stream, text, 1000)
    assert.equal(#text, stream.bytesWritten)
    local packed = zlib.gzipSync(text)
    stream = zlib.createGunzip()
    through(stream, packed, 1000)
    assert.equal(#packed, stream.bytesWritten)
  end))

  it('takes whole strings with a callback, or waits', within(function()
    local log = {}
    zlib.gzip('abc', function(err, packed) log[#log + 1] = err or zlib.gunzipSync(packed) end)
    zlib.gunzip('abc', { windowBits = 15 }, function(err, packed) log[#log + 1] = err.code .. tostring(packed) end)
    assert.equal(0, #log)
    assert.equal('abc', zlib.gunzip(zlib.gzip('abc', { level = 9 })))
    weir.sleep(10)
    table.sort(log)
    assert.same({ 'Z_DATA_ERRORnil', 'abc' }, log)
    assert.equal('ERR_CANNOT_WAIT', raised(coroutine.wrap(function() return zlib.gzip 'abc' end)).code)
  end))

  it('refuses bad arguments at the caller\'s line, with Node\'s words', within(function()
    local cases = {
      { { level = 10 }, 'ERR_OUT_OF_RANGE', 'The value of "options.level" is out of range. It must be >= -1 and <= 9. Received 10' },
      { { level = 'a' }, 'ERR_INVALID_ARG_TYPE', 'The "options.level" property must be of type number. Received type string (\'a\')' },
      { { level = math.huge }, 'ERR_OUT_OF_RANGE',
        'The value of "options.level" is out of range. It must be a finite number. Received inf' },
      { { windowBits = 8 }, 'ERR_OUT_OF_RANGE',
        'The value of "options.windowBits" is out of range. It must be >= 9 and <= 15. Received 8' },
      { { chunkSize = 1 }, 'ERR_OUT_OF_RANGE', 'The value of "options.chunkSize" is out of range. It must be >= 64. Received 1' },
      { { memLevel = 0 }, 'ERR_OUT_OF_RANGE', 'The value of "options.memLevel" is out of range. It must be >= 1 and <= 9. Received 0' },
      { { strategy = 9 }, 'ERR_OUT_OF_RANGE', 'The value of "options.strategy" is out of range. It must be >= 0 and <= 4. Received 9' },
      { { dictionary = 5 }, 'ERR_INVALID_ARG_TYPE', 'The "options.dictionary" property must be of type string. Received type number (5)' },
      { 5, 'ERR_INVALID_ARG_TYPE', 'The "options" argument must be of type table. Received type number (5)' },
    }
    for _, case in ipairs(cases) do
      local err = raised(function() zlib.createGzip(case[1]) end)
      assert.equal(case[2], err.code)
      assert.equal(case[3], err.message)
      assert.is_truthy(tostring(err.where):find('zlib_spec', 1, true), tostring(err.where))
      err = raised(function() zlib.gzipSync('x', case[1]) end)
      assert.equal(case[3], err.message)
      assert.is_truthy(tostring(err.where):find('zlib_spec', 1, true), tostring(err.where))
    end
    assert.equal('ERR_INVALID_ARG_TYPE', raised(zlib.gzipSync, 5).code)
    assert.equal('ERR_INVALID_ARG_VALUE', raised(zlib.createGunzip, { trailing = 'x' }).code)
    zlib.createGunzip{ windowBits = 0 }
    zlib.createGzip{ level = 0 / 0 }
    assert.equal('ERR_OUT_OF_RANGE', raised(zlib.createInflateRaw, { windowBits = 0 }).code)
    assert.is_false(pcall(function() zlib.constants.Z_OK = 1 end))
  end))

  it('has checksums', within(function()
    assert.equal(0xcbf43926, zlib.crc32 '123456789')
    assert.equal(0xcbf43926, zlib.crc32('6789', zlib.crc32 '12345'))
    assert.equal(0x11e60398, zlib.adler32 'Wikipedia')
    assert.equal(0, zlib.crc32 '')
    assert.equal('ERR_INVALID_ARG_TYPE', raised(zlib.crc32, 5).code)
    assert.equal('ERR_OUT_OF_RANGE', raised(zlib.crc32, 'x', -1).code)
  end))
end)
