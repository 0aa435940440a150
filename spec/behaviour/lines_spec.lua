-- SPDX-License-Identifier: MIT
-- Bytes to lines: what an end of line is, however the bytes are cut; lines that are too long; how far it reads ahead; and the
-- same in bursts as they come and in bursts of one.

local weir = require 'weir'
local support = require 'support'
local within = support.within
local output_of, raised = support.output_of, support.raised

local command = os.getenv 'WEIR'

-- The lines of INPUT, written in pieces of CUT bytes; the error.
local function lines_of(input, cut, options)
  local stream, lines, failure = weir.lines(options), {}, nil
  local sink = weir.Writable{ objectMode = true, write = function(_, line, callback)
    lines[#lines + 1] = line
    callback()
  end }
  local at = 1
  local source = weir.Readable{ read = function(self)
    self:push(at <= #input and input:sub(at, at + cut - 1) or nil)
    at = at + cut
  end }
  local ok, err = pcall(weir.pipeline, source, stream, sink)
  if not ok then failure = err end
  return lines, failure
end

describe('lines', function()
  local cases = {
    { '', {} },
    { '\n', { '' } },
    { 'a', { 'a' } },
    { 'a\n', { 'a' } },
    { 'a\nb', { 'a', 'b' } },
    { 'a\r\nb\r\n', { 'a', 'b' } },
    { '\n\n\r\n', { '', '', '' } },
    { 'a\rb\nc\r', { 'a\rb', 'c\r' } },
    { 'a\r\r\nb', { 'a\r', 'b' } },
    { ('x'):rep(100) .. '\n' .. ('y'):rep(200), { ('x'):rep(100), ('y'):rep(200) } },
    { 'a\0b\n\255\n', { 'a\0b', '\255' } },
  }
  for i, case in ipairs(cases) do
    it(('case %d, cut anyhow'):format(i), within(function()
      for _, cut in ipairs { 1000, 7, 3, 2, 1 } do
        local lines, err = lines_of(case[1], cut)
        assert.is_nil(err)
        assert.same(case[2], lines)
      end
    end))
  end

  it('come in order, many of them', within(function()
    local input = {}
    for i = 1, support.amount(30000, 2000) do input[i] = ('line %d %s'):format(i, ('.'):rep(i % 97)) end
    local text = table.concat(input, '\n')
    for _, cut in ipairs { #text, 65536, 999 } do
      for _, mark in ipairs { 256, 1, 16, 100000 } do
        local lines, err = lines_of(text, cut, { readableHighWaterMark = mark })
        assert.is_nil(err)
        assert.equal(#input, #lines)
        for i = 1, #input, 101 do assert.equal(input[i], lines[i]) end
        assert.equal(text, table.concat(lines, '\n'))
      end
    end
  end))

  it('can be listened to, and read', within(function()
    local stream, lines = weir.lines(), {}
    stream:on('data', function(line) lines[#lines + 1] = line end)
    stream:write 'a\nb\nc'
    stream:finish 'd\n'
    weir.finished(stream)
    assert.same({ 'a', 'b', 'cd' }, lines)
    stream, lines = weir.lines(), {}
    stream:write('one\ntwo\nthree')
    stream:finish()
    for line in stream:iter() do lines[#lines + 1] = line end
    assert.same({ 'one', 'two', 'three' }, lines)
    assert.is_true(stream.readableObjectMode)
    assert.is_false(stream.writableObjectMode)
  end))

  it('end and finish once all was read', within(function()
    local stream, log = weir.lines(), {}
    for _, name in ipairs { 'end', 'finish', 'close' } do stream:on(name, function() log[#log + 1] = name end) end
    stream:on('data', function(line) log[#log + 1] = line end)
    stream:write('a\nb', function() log[#log + 1] = 'written' end)
    stream:finish(nil, function() log[#log + 1] = 'finished' end)
    weir.finished(stream)
    weir.sleep(1)
    table.sort(log)
    assert.same({ 'a', 'b', 'close', 'end', 'finish', 'finished', 'written' }, log)
  end))

  describe('that are too long', function()
    it('are an error that says which one, behind those before it', within(function()
      for _, cut in ipairs { 1000, 3, 1 } do
        local lines, err = lines_of('abc\nde\r\nabcd\nx\n', cut, { maxLength = 3 })
        assert.equal('ERR_LINE_TOO_LONG', err.code)
        assert.equal('Line 3 is longer than 3 bytes', err.message)
        assert.same({ 'abc', 'de' }, lines)
        lines, err = lines_of('abc\r\nabcd', cut, { maxLength = 3 })
        assert.equal('Line 2 is longer than 3 bytes', err.message)
        assert.same({ 'abc' }, lines)
        assert.is_nil(select(2, lines_of('abc\r\nabc', cut, { maxLength = 3 })))
      end
    end))

    it('are known before their end comes', within(function()
      local stream = weir.lines{ maxLength = 1000 }
      local err
      stream:on('error', function(e) err = e end)
      for _ = 1, 20 do
        if not stream.destroyed then stream:write(('x'):rep(100)) end
      end
      weir.sleep(1)
      assert.equal('ERR_LINE_TOO_LONG', err.code)
      assert.is_true(stream.destroyed)
    end))

    it('are those of more than 1 MiB, unless it is said otherwise', within(function()
      local lines, err = lines_of(('x'):rep(2 ^ 20) .. '\nshort\n', 65536)
      assert.is_nil(err)
      assert.same({ 2 ^ 20, 5 }, { #lines[1], #lines[2] })
      lines, err = lines_of('short\n' .. ('x'):rep(2 ^ 20 + 1), 65536)
      assert.equal('Line 2 is longer than 1048576 bytes', err.message)
      assert.same({ 'short' }, lines)
      assert.is_nil(select(2, lines_of(('x'):rep(2 ^ 20 + 1), 65536, { maxLength = 2 ^ 21 })))
    end))
  end)

  describe('made in advance', function()
    it('are as many as the mark says', within(function()
      local stream, written = weir.lines{ readableHighWaterMark = 5 }, false
      stream:write(('a\n'):rep(100), function() written = true end)
      weir.sleep(1)
      stream:read(0)
      weir.sleep(1)
      assert.equal(5, stream.readableLength)
      assert.is_false(written)
      local n = 0
      while stream:read() do n = n + 1 end
      assert.equal(100, n)
      weir.sleep(1)
      assert.is_true(written)
      stream:destroy()
    end))

    it('are fewer where they are long', within(function()
      local stream = weir.lines()
      stream:write((('x'):rep(99999) .. '\n'):rep(100))
      stream:read(0)
      weir.sleep(1)
      assert.is_true(stream.readableLength <= 4)
      local n = 0
      while stream:read() do n = n + 1 end
      assert.equal(100, n)
      stream:destroy()
    end))
  end)

  it('that are left over when it is destroyed are forgotten, and their writes told', within(function()
    local stream, log = weir.lines{ readableHighWaterMark = 2 }, {}
    stream:write(('a\n'):rep(100), function(err) log[#log + 1] = err.code end)
    stream:write('b\n', function(err) log[#log + 1] = err.code end)
    stream:on('close', function() log[#log + 1] = 'close' end)
    weir.sleep(1)
    stream:destroy()
    weir.sleep(1)
    assert.same({ 'ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED', 'close' }, log)
  end))

  it('cross into Lua in bursts', within(function()
    local sink = weir.Writable{ objectMode = true, write = function(_, _, callback) callback() end }
    weir.pipeline(weir.Readable.from { ('a line\n'):rep(5000) }, weir.lines(), sink)
    if os.getenv 'WEIR_BURST' ~= '1' then assert.is_true(sink._s.longest > 100) end
  end))

  it('are the same in bursts of one', function()
    local script = [[
      local weir = require 'weir'
      local out = {}
      local upper = weir.Transform{ objectMode = true, transform = function(_, line, callback) callback(nil, line:upper() .. ';') end }
      local sink = weir.Writable{ objectMode = true, write = function(_, line, callback)
        out[#out + 1] = line
        if #out % 7 == 0 then weir.nextTick(callback) else callback() end
      end }
      local text = ('one\ntwo\r\nthree three three\n\n'):rep(400) .. 'last'
      weir.pipeline(weir.Readable.from { text:sub(1, 777), text:sub(778) }, weir.lines(), upper, sink)
      print(#out, table.concat(out))
    ]]
    local path = os.tmpname()
    local file = io.open(path, 'w')
    file:write(script)
    file:close()
    local many, one = output_of('env -u WEIR_BURST %s %s', command, path), output_of('WEIR_BURST=1 %s %s', command, path)
    os.remove(path)
    assert.equal('1601', many:match '^%d+')
    assert.equal(many, one)
  end)

  it('refuse bad options', within(function()
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.lines, { maxLength = 'x' }).code)
    assert.equal('ERR_OUT_OF_RANGE', raised(weir.lines, { maxLength = -1 }).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.lines, 5).code)
  end))
end)
