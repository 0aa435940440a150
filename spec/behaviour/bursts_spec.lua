-- SPDX-License-Identifier: MIT
-- Bursts change nothing but how often a pipe stops. What the programs of spec/conformance cannot see is here: handlers that
-- wait, what they see of the counts, rings that grow, and what ends a burst in its middle.

local weir = require 'weir'

local bursting = os.getenv 'WEIR_BURST' ~= '1'

-- A source of 1 to n, `each` at a call; it counts what it has pushed.
local function numbers(n, options, each)
  local source
  options.objectMode = true
  options.read = function(self)
    for _ = 1, each or 1 do
      if source.pushed == n then
        self:push(nil)
        return
      end
      source.pushed = source.pushed + 1
      self:push(source.pushed)
    end
  end
  source = weir.Readable(options)
  source.pushed = 0
  return source
end

local function sink(write, options)
  options = options or {}
  options.objectMode, options.write = true, write
  return weir.Writable(options)
end

-- A transform in object mode with a handler of its own (bursts are compiled for each).
local function through(text)
  return weir.Transform{ objectMode = true, transform = assert(loadstring('local weir = ... ' .. text))(weir) }
end

describe('a burst', function()
  it('is longer than one chunk, unless it was asked not to be', function()
    local hop = through 'return function(self, v, callback) callback(nil, v) end'
    local last = sink(function(_, _, callback) callback() end)
    weir.run(function() weir.pipeline(numbers(1000, {}), hop, last) end)
    for _, stage in ipairs { hop, last } do
      local stats = stage:stats()
      assert.equal(1000, stats.taken)
      assert.equal(bursting and 16 or 0, stats.longestBurst)
    end
  end)

  it('gives on what a source has pushed in the calls before the one that fails', function()
    local n, got = 0, {}
    local source = weir.Readable{
      objectMode = true,
      read = function(self)
        n = n + 1
        if n == 4 then self:destroy 'boom' else self:push(n) end
      end,
    }
    source:on('error', function() end)
    weir.run(function()
      source:pipe(sink(function(_, v, callback)
        got[#got + 1] = v
        callback()
      end))
      weir.sleep(1)
    end)
    assert.same({ 1, 2, 3 }, got)
  end)

  it('shows its handlers the right lengths', function()
    local source = numbers(50, {})
    local taken, wrong = 0, 0
    local last = sink(function(_, _, callback)
      taken = taken + 1
      if source.readableLength ~= source.pushed - taken then wrong = wrong + 1 end
      callback()
    end)
    weir.run(function() weir.pipeline(source, last) end)
    assert.equal(50, taken)
    assert.equal(0, wrong)
  end)

  it('keeps no chunk alive that was taken', function()
    local weak = setmetatable({}, { __mode = 'k' })
    local source = weir.Readable{ objectMode = true, read = function() end }
    local last = sink(function(_, _, callback) callback() end)
    weir.run(function()
      source:pipe(last)
      for i = 1, 10 do
        local chunk = { i }
        weak[chunk] = true
        source:push(chunk)
      end
      weir.sleep(1)
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
      source:destroy()
    end)
  end)

  it('goes on in order behind handlers that wait, or call back later', function()
    local hop = through [[
      return function(self, v, callback)
        if v % 7 == 0 then weir.sleep(0) end
        if v % 11 == 0 then
          weir.setImmediate(callback, nil, v)
          return
        end
        callback(nil, v)
      end]]
    local got = {}
    local last = sink(function(_, v, callback)
      if v % 13 == 0 then weir.sleep(0) end
      got[#got + 1] = v
      callback()
    end)
    weir.run(function() weir.pipeline(numbers(500, {}), hop, last) end)
    assert.equal(500, #got)
    for i = 1, 500 do assert.equal(i, got[i]) end
  end)

  it('lets a handler that has waited finish without touching the next burst', function()
    local hop = through [[
      return function(self, v, callback)
        callback(nil, v)
        if v % 5 == 0 then weir.sleep(1) end
      end]]
    local got = {}
    local last = sink(function(_, v, callback)
      got[#got + 1] = v
      callback()
      if v % 3 == 0 then weir.sleep(1) end
    end)
    weir.run(function() weir.pipeline(numbers(100, {}), hop, last) end)
    assert.equal(100, #got)
    for i = 1, 100 do assert.equal(i, got[i]) end
  end)

  it('grows its ring where a handler pushes more than the mark', function()
    local hop = through [[
      return function(self, v, callback)
        for i = 1, 40 do self:push(v * 100 + i) end
        callback(nil, v * 100 + 41)
      end]]
    local got = {}
    local last = sink(function(_, v, callback)
      got[#got + 1] = v
      callback()
    end)
    weir.run(function() weir.pipeline(numbers(20, {}), hop, last) end)
    assert.equal(20 * 41, #got)
    for i = 1, #got do assert.equal(math.floor((i - 1) / 41 + 1) * 100 + (i - 1) % 41 + 1, got[i]) end
  end)

  it('does not read far past the mark', function()
    local source = numbers(100, { highWaterMark = 4 }, 3)
    local most = 0
    local last = sink(function(_, _, callback)
      most = math.max(most, source.readableLength)
      callback()
    end)
    weir.run(function() weir.pipeline(source, last) end)
    assert.is_true(most <= 6)
  end)

  local function interrupted(what)
    local source, count = numbers(100, {}), 0
    local last
    last = sink(function(_, v, callback)
      count = count + 1
      if v == 3 then what(source, last) end
      callback()
    end)
    weir.run(function()
      source:pipe(last)
      weir.sleep(5)
    end)
    return count, source, last
  end

  it('ends where its source is paused', function()
    local count, source = interrupted(function(source) source:pause() end)
    assert.equal(3, count)
    assert.is_true(source:isPaused())
  end)

  it('ends where its source is unpiped', function()
    assert.equal(3, (interrupted(function(source, last) source:unpipe(last) end)))
  end)

  it('ends where its source is destroyed', function()
    assert.equal(3, (interrupted(function(source) source:destroy() end)))
  end)

  it('ends where its destination is destroyed', function()
    assert.equal(3, (interrupted(function(_, last) last:destroy() end)))
  end)

  it('ends where its destination is corked, and goes on when it is not', function()
    local count, _, last = interrupted(function(_, last)
      last:cork()
      weir.setTimeout(function() last:uncork() end, 1)
    end)
    assert.equal(100, count)
    assert.is_true(last.writableFinished)
  end)

  it('fails the stream whose handler raises, with the chunk before it delivered', function()
    local got = {}
    local hop = through [[
      return function(self, v, callback)
        if v == 4 then error 'bad row' end
        callback(nil, v)
      end]]
    local last = sink(function(_, v, callback)
      got[#got + 1] = v
      callback()
    end)
    local failure
    weir.run(function()
      local ok, err = pcall(weir.pipeline, numbers(10, { highWaterMark = 3 }), hop, last)
      assert.is_false(ok)
      failure = err
    end)
    assert.equal('bad row', failure.message)
    assert.is_true(hop.destroyed and last.destroyed)
    for i, v in ipairs(got) do assert.equal(i, v) end
  end)

  it('takes a second callback for an error', function()
    local hop = through [[
      return function(self, v, callback)
        callback(nil, v)
        callback(nil, v)
      end]]
    weir.run(function()
      local ok, err = pcall(weir.pipeline, numbers(10, {}), hop, sink(function(_, _, callback) callback() end))
      assert.is_false(ok)
      assert.equal('ERR_MULTIPLE_CALLBACK', err.code)
    end)
  end)

  it('takes a push after the end for an error', function()
    local hop = through [[
      return function(self, v, callback)
        if v == 5 then self:push(nil) end
        callback(nil, v)
      end]]
    weir.run(function()
      local ok, err = pcall(weir.pipeline, numbers(10, {}), hop, sink(function(_, _, callback) callback() end))
      assert.is_false(ok)
      assert.equal('ERR_STREAM_PUSH_AFTER_EOF', err.code)
    end)
  end)
end)
