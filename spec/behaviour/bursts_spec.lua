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
      assert.equal(bursting, stats.longestBurst > 1)
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

  -- Only weir's own waits resume these coroutines, in a tick, when no burst is under way; unless somebody does it by hand.
  it('that was taken away goes no further, even inside the handler of another', function()
    local log, parked = {}, nil
    local function say(what) log[#log + 1] = what end
    local last = sink(function(_, v, callback)
      callback()
      if v == 3 then
        parked = coroutine.running()
        weir.wait.pause()
        say 'on'
      elseif v == 4 then
        say '4'
        assert(coroutine.resume(parked))
        say '/4'
      else
        say(tostring(v))
      end
    end)
    weir.run(function()
      numbers(8, {}):pipe(last)
      weir.sleep(5)
    end)
    assert.equal('1 2 4 on /4 5 6 7 8', table.concat(log, ' '))
  end)

  it('of a read handler that was taken away asks no further, even inside another', function()
    local log, calls, parked = {}, 0, nil
    local source = weir.Readable{ objectMode = true, highWaterMark = 4, read = function(self)
      calls = calls + 1
      local call = calls
      log[#log + 1] = call
      if call == 2 then
        parked = coroutine.running()
        weir.wait.pause()
      elseif call < 10 then
        self:push(call)
        if call == 8 then assert(coroutine.resume(parked)) end
      end
      log[#log + 1] = '/' .. call
    end }
    weir.run(function()
      source:pipe(sink(function(_, _, callback) callback() end))
      weir.sleep(1)
      source:push 'goes on'
      weir.sleep(1)
      source:destroy()
    end)
    assert.equal('1 /1 2 3 /3 4 /4 5 /5 6 /6 7 /7 8 /2 /8 9 /9 10 /10', table.concat(log, ' '))
  end)

  for _, later in ipairs { false, true } do
    it('into a transform that was full before goes on, where nothing comes out' .. (later and ', later' or ''), function()
      local taken = 0
      local filter = weir.Transform{ objectMode = true, readableHighWaterMark = 2, transform = function(_, _, callback)
        taken = taken + 1
        if later and taken > 2 then weir.setImmediate(callback) else callback() end
      end }
      filter:push 'one'
      filter:push 'two' -- nobody reads them
      weir.run(function()
        local source = numbers(40, {})
        source:pipe(filter)
        weir.sleep(later and 30 or 5)
        source:destroy()
        filter:destroy()
      end)
      assert.equal(40, taken)
    end)
  end

  it('that has filled a transform is forgotten when there was room again', function()
    local taken, seen = 0, {}
    local source = weir.Readable{ objectMode = true, read = function() end }
    local hop = weir.Transform{ objectMode = true, highWaterMark = 1, transform = function(self, v, callback)
      taken = taken + 1
      self:push(v)
      callback(nil, v)
    end }
    local last = sink(function() end, { highWaterMark = 4 })
    local function see()
      weir.sleep(1)
      seen[#seen + 1] = table.concat({ taken, hop.writableLength, hop.readableLength, last.writableLength }, ' ')
    end
    weir.run(function()
      source:pipe(hop):pipe(last)
      for i = 1, 2 do source:push(i) end
      see() -- all went on: last is full, hop is empty
      for i = 1, 3 do hop:push(i) end
      see()
      source:push(3)
      see()
      for _, stream in ipairs { source, hop, last } do stream:destroy() end
    end)
    assert.same({ '2 0 0 4', '2 0 3 4', '3 1 5 4' }, seen)
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

  it('counts what its handlers push into its source, or put back', function()
    local source = weir.Readable{ objectMode = true, read = function() end }
    local last = sink(function(_, v, callback)
      if v <= 3 then source:push(v + 100) end
      if v == 2 then source:unshift(200) end
      callback()
    end)
    weir.run(function()
      source:pipe(last)
      for i = 1, 3 do source:push(i) end
      weir.sleep(1)
      source:destroy()
    end)
    assert.same({ 7, 7 }, { source:stats().given, last:stats().taken })
  end)

  it('grows its ring where the value of a callback is the one too many', function()
    local hop = through [[
      return function(self, v, callback)
        for i = 1, 2 ^ v do self:push(i) end
        callback(nil, 'last of ' .. v)
      end]]
    local at, wrong = 0, 0
    local number = 1
    local last = sink(function(_, v, callback)
      at = at + 1
      if at > 2 ^ number then
        if v ~= 'last of ' .. number then wrong = wrong + 1 end
        at, number = 0, number + 1
      elseif v ~= at then
        wrong = wrong + 1
      end
      callback()
    end)
    weir.run(function() weir.pipeline(numbers(9, {}), hop, last) end)
    assert.same({ 10, 0, 0 }, { number, at, wrong })
  end)

  for _, objects in ipairs { true, false } do
    it('stops where its destination is full of ' .. (objects and 'objects' or 'bytes'), function()
      local source = numbers(100, {})
      local hop = weir.Transform{
        readableObjectMode = objects, writableObjectMode = true, readableHighWaterMark = 4, writableHighWaterMark = 2,
        transform = function(_, _, callback) callback(nil, 'x') end,
      }
      local lengths
      weir.run(function()
        source:pipe(hop)
        weir.sleep(1)
        lengths = { hop.readableLength, hop.writableLength, source.readableLength }
        source:destroy()
        hop:destroy()
      end)
      assert.same({ 4, 2, 16 }, lengths)
    end)
  end

  it('asks no more where nothing was pushed', function()
    local calls = 0
    local source = weir.Readable{ objectMode = true, read = function(self)
      calls = calls + 1
      if calls < 4 then self:push(calls) end
    end }
    weir.run(function()
      source:pipe(sink(function(_, _, callback) callback() end))
      weir.sleep(1)
      source:destroy()
    end)
    assert.equal(4, calls)
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

  for name, act in pairs {
    ['is paused'] = function(_, middle) middle:pause() end,
    ['is unpiped'] = function(_, middle, last) middle:unpipe(last) end,
    ['is destroyed'] = function(_, middle) middle:destroy() end,
    ['and its source are unpiped, and the destination is finished'] = function(source, middle, last)
      source:unpipe()
      middle:unpipe()
      last:finish()
    end,
  } do
    it('has taken what was pushed before its stream ' .. name .. ', in no handler', function()
      local got = {}
      local source = weir.Readable{ objectMode = true, read = function() end }
      local middle = through 'return function(_, v, callback) callback(nil, v) end'
      local last = sink(function(_, v, callback)
        got[#got + 1] = v
        callback()
      end)
      source:pipe(middle):pipe(last)
      weir.run(function()
        weir.sleep(1)
        for i = 1, 3 do source:push(i) end
        act(source, middle, last)
        assert.same({ 1, 2, 3 }, got)
        weir.sleep(1)
        assert.same({ 1, 2, 3 }, got)
      end)
    end)
  end

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
