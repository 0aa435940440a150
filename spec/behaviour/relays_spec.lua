-- SPDX-License-Identifier: MIT
-- A burst that goes on from stage to stage, and round after round, looks to whoever is called as if each stage had its bursts
-- for itself: whatever a handler does but push and call back ends all but the burst that it is in.

local weir = require 'weir'

local bursting = os.getenv 'WEIR_BURST' ~= '1'

local function numbers(n, mark)
  local i = 0
  return weir.Readable{
    objectMode = true,
    highWaterMark = mark,
    read = function(self)
      i = i + 1
      self:push(i <= n and i or nil)
    end,
  }
end

local function hop(fn)
  return weir.Transform{ objectMode = true, transform = fn or function(_, v, callback) callback(nil, v) end }
end

-- A sink, and the table of all that it got; `fn` is called with each.
local function collector(fn)
  local got = {}
  return weir.Writable{
    objectMode = true,
    write = function(self, v, callback)
      got[#got + 1] = v
      if fn then fn(v, self) end
      callback()
    end,
  }, got
end

local function in_order(n, got)
  assert.equal(n, #got)
  for i = 1, n do assert.equal(i, got[i]) end
end

describe('a relay', function()
  it('goes through all stages, many rounds in one call of the core', function()
    local first, second = hop(), hop()
    local last, got = collector()
    weir.run(function() weir.pipeline(numbers(1000), first, second, last) end)
    in_order(1000, got)
    for _, stage in ipairs { first, second, last } do
      local stats = stage:stats()
      assert.equal(1000, stats.taken)
      assert.equal(bursting and 256 or 0, stats.longestBurst)
    end
    assert.equal(1000, second:stats().given)
  end)

  it('keeps every ring at its mark', function()
    local most = 0
    local first
    local function look() most = math.max(most, first.readableLength) end
    first = hop(function(_, v, callback)
      look()
      callback(nil, v)
    end)
    local last, got = collector(look)
    weir.run(function() weir.pipeline(numbers(500, 4), first, hop(), last) end)
    in_order(500, got)
    assert.is_true(most <= 16)
  end)

  it('takes chunks that were filtered, and chunks that were multiplied', function()
    local odd = hop(function(_, v, callback) if v % 2 == 1 then callback(nil, v) else callback() end end)
    local thrice = hop(function(self, v, callback)
      for i = 1, 3 do self:push(v * 10 + i) end
      callback()
    end)
    local last, got = collector()
    weir.run(function() weir.pipeline(numbers(300), odd, thrice, last) end)
    assert.equal(450, #got)
    for i = 1, 450 do assert.equal((math.floor((i - 1) / 3) * 2 + 1) * 10 + (i - 1) % 3 + 1, got[i]) end
  end)

  it('runs at once what a handler writes to a stage further down', function()
    local last, got = collector()
    local seen
    local first = hop(function(_, v, callback)
      if v == 20 then
        local before = #got
        assert.equal(0, last.writableLength)
        last:write('by hand')
        seen = #got - before
      end
      callback(nil, v)
    end)
    weir.run(function() weir.pipeline(numbers(100), first, hop(), last) end)
    assert.equal(1, seen)
    assert.equal(101, #got)
  end)

  it('shows a handler the lengths that the other stages have', function()
    local wrong, passed, second = 0, 0, nil
    local first = hop(function(_, v, callback)
      callback(nil, v)
      if second.writableLength ~= 0 then wrong = wrong + 1 end
    end)
    second = hop(function(_, v, callback)
      passed = passed + 1
      if second.writableLength ~= 1 then wrong = wrong + 1 end
      callback(nil, v)
    end)
    local last, got = collector()
    weir.run(function() weir.pipeline(numbers(200), first, second, last) end)
    in_order(200, got)
    assert.equal(200, passed)
    assert.equal(0, wrong)
  end)

  it('gives what comes next to a listener that a handler adds', function()
    local second = hop()
    local heard = {}
    local last, got = collector(function(v)
      if v == 40 then second:on('data', function(chunk) heard[#heard + 1] = chunk end) end
    end)
    weir.run(function() weir.pipeline(numbers(100), hop(), second, last) end)
    in_order(100, got)
    assert.is_true(#heard >= 100 - 40 - 16 and heard[#heard] == 100)
    for i = 2, #heard do assert.equal(heard[i - 1] + 1, heard[i]) end
  end)

  it('lets ticks and timers of its handlers come in time', function()
    local ticked, seen
    local first = hop(function(_, v, callback)
      if v == 10 then weir.nextTick(function() ticked = true end) end
      callback(nil, v)
    end)
    local last = collector(function(v)
      if ticked and not seen then seen = v end
    end)
    weir.run(function() weir.pipeline(numbers(20000), first, hop(), last) end)
    assert.is_true(not bursting or seen < 10000)
  end)

  it('waits in any of its stages, and loses nothing', function()
    local function waiting(n)
      return hop(function(_, v, callback)
        if v % n == 0 then weir.sleep(0) end
        callback(nil, v)
      end)
    end
    local last, got = collector(function(v) if v % 17 == 0 then weir.sleep(0) end end)
    weir.run(function() weir.pipeline(numbers(400), waiting(7), waiting(11), waiting(13), last) end)
    in_order(400, got)
  end)

  it('fails the stage whose handler raises, in a later round', function()
    local second = hop(function(_, v, callback)
      if v == 150 then error 'bad row' end
      callback(nil, v)
    end)
    local source, first = numbers(1000), hop()
    local last, got = collector()
    weir.run(function()
      source:pipe(first):pipe(second):pipe(last)
      second:on('error', function() end)
      weir.sleep(1)
    end)
    assert.equal('bad row', second.errored.message)
    for _, stage in ipairs { source, first, last } do assert.is_nil(stage.errored) end
    for i, v in ipairs(got) do assert.equal(i, v) end
    assert.is_true(#got < 150)
  end)

  it('ends with the stage that a handler destroys', function()
    for _, at in ipairs { 'before', 'behind' } do
      local stages = { hop(), nil, hop() }
      stages[2] = hop(function(_, v, callback)
        if v == 30 then stages[at == 'before' and 1 or 3]:destroy() end
        callback(nil, v)
      end)
      local last, got = collector()
      weir.run(function()
        local ok, err = pcall(weir.pipeline, numbers(100), stages[1], stages[2], stages[3], last)
        assert.is_false(ok)
        assert.equal('ERR_STREAM_PREMATURE_CLOSE', err.code)
      end)
      assert.is_true(#got <= 30)
      for i, v in ipairs(got) do assert.equal(i, v) end
    end
  end)

  it('stops where a handler takes an edge away, and goes on where it is made again', function()
    local second = hop()
    local last, got = collector(function(v, self)
      if v ~= 50 then return end
      second:unpipe(self)
      weir.setTimeout(function() second:pipe(self) end, 1)
    end)
    weir.run(function()
      numbers(200):pipe(hop()):pipe(second):pipe(last)
      weir.finished(last)
    end)
    in_order(200, got)
  end)

  it('keeps all stages behind a slow one near their marks', function()
    local stages = { numbers(300), hop(), hop(), hop() }
    local most = 0
    stages[5] = hop(function(_, v, callback)
      for i = 1, 4 do
        local stage = stages[i]
        most = math.max(most, stage.readableLength, i > 1 and stage.writableLength or 0)
      end
      weir.setTimeout(callback, v % 20 == 0 and 1 or 0, nil, v)
    end)
    local last, got = collector()
    stages[6] = last
    weir.run(function() weir.pipeline(stages) end)
    in_order(300, got)
    assert.is_true(most <= 27) -- as in Node, where a transform goes on before what makes room is taken
  end)

  it('asks a source that will push later only once', function()
    local asked, given = 0, 0
    local source = weir.Readable{
      objectMode = true,
      read = function(self)
        asked = asked + 1
        local function give()
          given = given + 1
          self:push(given <= 400 and given or nil)
        end
        if asked % 40 < 30 then give() else weir.setImmediate(give) end
      end,
    }
    local last, got = collector()
    weir.run(function() weir.pipeline(source, hop(), last) end)
    in_order(400, got)
    assert.equal(401, asked)
  end)
end)
