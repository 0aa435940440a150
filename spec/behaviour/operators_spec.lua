-- SPDX-License-Identifier: MIT
-- The iterator helpers: what they give, how far they read, and when a source is left. The numbers were seen in Node 20; chains
-- of helpers over all kinds of sources are held against Node in conformance.

local weir = require 'weir'
local support = require 'support'
local within = support.within
local raised = support.raised

local Readable, sleep = weir.Readable, weir.sleep

-- A source of the numbers to COUNT, which counts how often it was asked, and a record of its events.
local function numbers(count)
  local source
  source = Readable{ objectMode = true, highWaterMark = 1, read = function(self)
    source.asked = source.asked + 1
    if source.asked > count then self:push(nil) else self:push(source.asked) end
  end }
  source.asked, source.heard = 0, {}
  source:on('error', function(err) table.insert(source.heard, err.message) end)
  return source
end

local function same(x) return x end
local function double(x) return x * 2 end
local function isEven(x) return x % 2 == 0 end
local function never() return false end
local function always() return true end

describe('map', function()
  it('gives what the function gives, in an object stream', within(function()
    local stream = numbers(4):map(double)
    assert.is_true(weir.class.is(stream, Readable))
    assert.is_true(stream.readableObjectMode)
    assert.same({ 2, 4, 6, 8 }, stream:toArray())
  end))

  it('is there for duplexes, and takes bytes', within(function()
    local upper = weir.PassThrough()
    upper:finish 'abc'
    assert.same({ 'ABC' }, upper:map(string.upper):toArray())
  end))

  it('keeps false', within(function()
    assert.same({ false, true, false }, numbers(3):map(isEven):toArray())
  end))

  it('reads nothing before it is read', within(function()
    local source = numbers(4)
    local stream = source:map(error)
    sleep(2)
    assert.equal(0, source.asked)
    stream:destroy()
    sleep(2)
    assert.is_false(source.destroyed)
  end))

  it('does not call the function before its caller goes on', within(function()
    local called = false
    weir.wrap(function() numbers(1):forEach(function() called = true end) end)()
    assert.is_false(called)
    sleep(2)
    assert.is_true(called)
  end))

  it('fails with what the function raises, and leaves the source', within(function()
    local source = numbers(9)
    local stream = source:map(function(x)
      if x == 3 then error 'no three' end
      return x
    end)
    local got = {}
    local err = raised(function() for x in stream:iter() do got[#got + 1] = x end end)
    assert.equal('no three', err.message)
    assert.matches('operators_spec', err.where)
    assert.same({ 1, 2 }, got)
    assert.equal(err, stream.errored)
    sleep(2)
    assert.is_true(source.destroyed)
    assert.same({}, source.heard)
  end))

  it('fails with the error of the source', within(function()
    local source = Readable{ objectMode = true, read = function(self) self:destroy 'broken' end }
    local stream = source:map(same)
    assert.equal('broken', raised(stream.toArray, stream).message)
  end))

  it('fails if the function gives nil', within(function()
    local err = raised(function() numbers(2):map(function() end):toArray() end)
    assert.equal('ERR_STREAM_NULL_VALUES', err.code)
  end))

  it('checks its arguments', within(function()
    local source = numbers(1)
    local function code_of(...) return raised(...).code end
    for _, name in ipairs { 'map', 'filter', 'flatMap', 'forEach', 'some', 'every', 'find', 'reduce' } do
      local method = source[name]
      assert.equal('ERR_INVALID_ARG_TYPE', code_of(method, source))
      assert.equal('ERR_INVALID_ARG_TYPE', code_of(method, source, 'x'))
      if name ~= 'reduce' then
        assert.equal('ERR_INVALID_ARG_TYPE', code_of(method, source, same, 5))
        assert.equal('ERR_INVALID_ARG_TYPE', code_of(method, source, same, { signal = 5 }))
        assert.equal('ERR_OUT_OF_RANGE', code_of(method, source, same, { concurrency = 0 }))
        assert.equal('ERR_OUT_OF_RANGE', code_of(method, source, same, { concurrency = 'many' }))
        assert.equal('ERR_OUT_OF_RANGE', code_of(method, source, same, { concurrency = math.huge }))
        assert.equal('ERR_OUT_OF_RANGE', code_of(method, source, same, { highWaterMark = -1 }))
      end
    end
    assert.equal('ERR_INVALID_ARG_TYPE', code_of(source.reduce, source, same, 0, 5))
    assert.equal('ERR_INVALID_ARG_TYPE', code_of(source.toArray, source, 5))
    for _, name in ipairs { 'take', 'drop' } do
      assert.equal('ERR_OUT_OF_RANGE', code_of(source[name], source, -1))
      assert.equal('ERR_INVALID_ARG_TYPE', code_of(source[name], source, 1, 5))
      assert.equal('ERR_INVALID_ARG_TYPE', code_of(source[name], source, 1, { signal = 5 }))
    end
    assert.is_false(source.destroyed)
    assert.equal(0, source.asked)
  end))
end)

describe('concurrency', function()
  it('runs as many functions at once, and keeps the order', within(function()
    local running, most, finished = 0, 0, {}
    local got = numbers(6):map(function(x)
      running = running + 1
      most = math.max(most, running)
      sleep(({ 20, 2, 2, 2, 2, 2 })[x])
      running = running - 1
      finished[#finished + 1] = x
      return x * 10
    end, { concurrency = 3 }):toArray()
    assert.same({ 10, 20, 30, 40, 50, 60 }, got)
    assert.equal(3, most)
    assert.is_true(finished[1] ~= 1)
  end))

  it('waits for each by default', within(function()
    local running, most = 0, 0
    numbers(4):forEach(function()
      running = running + 1
      most = math.max(most, running)
      sleep(1)
      running = running - 1
    end)
    assert.equal(1, most)
  end))

  -- { concurrency, highWaterMark, calls after the first item, after the second, how often the source was asked }
  local cases = { { 1, 0, 2, 3, 4 }, { 1, 2, 4, 5, 6 }, { 2, nil, 4, 5, 6 }, { 2, 0, 3, 4, 5 }, { 3, nil, 6, 7, 8 }, { 3, 4, 8, 9, 10 } }
  for _, case in ipairs(cases) do
    it(('of %s reads ahead as far as a highWaterMark of %s allows'):format(case[1], case[2]), within(function()
      local source, calls = numbers(100), 0
      local stream = source:map(function(x)
        calls = calls + 1
        return x
      end, { concurrency = case[1], highWaterMark = case[2] })
      local iterator = stream:iter()
      iterator()
      sleep(5)
      assert.equal(case[3], calls)
      iterator()
      sleep(5)
      assert.same({ case[4], case[5] }, { calls, source.asked })
      iterator:close()
      sleep(5)
      assert.same({ case[4], case[5] + 1, true }, { calls, source.asked, source.destroyed })
      assert.same({}, source.heard)
    end))
  end

  it('fails with the first error in order, and calls no more', within(function()
    local source, calls, got = numbers(10), 0, {}
    local err = raised(source.forEach, source, function(x)
      calls = calls + 1
      sleep(x == 2 and 2 or 10)
      if x == 2 then error 'two' end
      got[#got + 1] = x
    end, { concurrency = 2 })
    assert.equal('two', err.message)
    assert.same({ 2, { 1 } }, { calls, got })
    sleep(20)
    assert.same({ 2, { 1 } }, { calls, got })
    assert.is_true(source.destroyed)
  end))

  it('leaves the source when the one that failed has its turn', within(function()
    local source = numbers(99)
    local failure
    weir.wrap(function()
      failure = raised(source.forEach, source, function(x)
        if x == 2 then error 'two' end
        sleep(20)
      end, { concurrency = 2 })
    end)()
    sleep(5)
    assert.same({ false, 3 }, { source.destroyed, source.asked })
    while not failure do sleep(5) end
    sleep(2)
    assert.same({ 'two', true, 4 }, { failure.message, source.destroyed, source.asked })
  end))

  it('keeps nothing of what it has given', within(function()
    local alive, count, most = setmetatable({}, { __mode = 'k' }), 0, 0
    local stream = numbers(400):map(function(x)
      local item = { x }
      alive[item] = true
      return item
    end, { concurrency = 4 })
    stream:forEach(function()
      count = count + 1
      if count % 100 ~= 0 then return end
      collectgarbage()
      collectgarbage()
      local left = 0
      for _ in pairs(alive) do left = left + 1 end
      most = math.max(most, left)
    end)
    assert.equal(400, count)
    assert.is_true(most < 30, most .. ' items are alive')
  end))
end)

describe('filter', function()
  it('gives the items for which the function says so', within(function()
    assert.same({ 2, 4 }, numbers(5):filter(isEven):toArray())
    assert.same({}, numbers(5):filter(never):toArray())
  end))

  it('keeps an item that is false', within(function()
    assert.same({ false }, Readable.from { true, false }:filter(function(x) return not x end):toArray())
  end))

  it('may wait', within(function()
    assert.same({ 2, 4 }, numbers(5):filter(function(x)
      sleep(1)
      return isEven(x)
    end):toArray())
  end))
end)

describe('flatMap', function()
  it('gives the items of arrays, streams, iterators, coroutines, sources and strings', within(function()
    local kinds = {
      function(x) return { x, x } end,
      function(x) return Readable.from { x } end,
      function(x) return 'item ' .. x end,
      function() return coroutine.create(function() coroutine.yield 'yielded' end) end,
      function() return {} end,
      function(x)
        local given = false
        return function()
          if given then return nil end
          given = true
          return -x
        end
      end,
    }
    local got = numbers(6):flatMap(function(x) return kinds[x](x) end):toArray()
    assert.same({ 1, 1, 2, 'item 3', 'yielded', -6 }, got)
  end))

  it('fails if the function gives what has no items', within(function()
    local source = numbers(3)
    local stream = source:flatMap(double)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(stream.toArray, stream).code)
    sleep(2)
    assert.is_true(source.destroyed)
  end))

  it('closes what it is left in', within(function()
    local source, inner, closed = numbers(9), numbers(9), 0
    assert.same({ 1 }, source:flatMap(function() return inner end):take(1):toArray())
    local own = { next = function() return 7 end, close = function() closed = closed + 1 end }
    assert.same({ 7, 7 }, numbers(9):flatMap(function() return own end):take(2):toArray())
    sleep(2)
    assert.same({ true, true, 1 }, { source.destroyed, inner.destroyed, closed })
    assert.same({}, source.heard)
  end))

  it('fails with the error of what it flattens', within(function()
    local source = numbers(9)
    local stream = source:flatMap(function() return function() error 'inner' end end)
    assert.equal('inner', raised(stream.toArray, stream).message)
    sleep(2)
    assert.is_true(source.destroyed)
  end))
end)

describe('forEach', function()
  it('calls the function for each, and waits', within(function()
    local got = {}
    assert.is_nil(numbers(3):forEach(function(x)
      sleep(1)
      got[#got + 1] = x
    end))
    assert.same({ 1, 2, 3 }, got)
  end))

  it('says where waiting is impossible, and begins nothing', function()
    local source = numbers(3)
    assert.equal('ERR_CANNOT_WAIT', raised(source.forEach, source, same).code)
    assert.equal('ERR_CANNOT_WAIT', raised(source.forEach, source, same, { concurrency = 2 }).code)
    assert.equal('ERR_CANNOT_WAIT', raised(source.toArray, source).code)
    assert.equal('ERR_CANNOT_WAIT', raised(source.reduce, source, same).code)
    assert.equal(0, source.asked)
  end)
end)

describe('some, every, find', function()
  it('answer', within(function()
    assert.is_true(numbers(3):some(isEven))
    assert.is_false(numbers(3):some(never))
    assert.is_true(numbers(3):every(always))
    assert.is_false(numbers(3):every(isEven))
    assert.is_true(numbers(0):every(never))
    assert.is_false(numbers(0):some(always))
    assert.equal(2, numbers(3):find(isEven))
    assert.is_nil(numbers(3):find(never))
    assert.is_false(Readable.from { true, false }:find(function(x) return not x end))
  end))

  it('call the function no more than they must, and leave the source without an error', within(function()
    for name, wants in pairs { some = isEven, find = isEven, every = function(x) return not isEven(x) end } do
      local source, calls = numbers(99), 0
      source[name](source, function(x)
        calls = calls + 1
        return wants(x)
      end)
      sleep(2)
      assert.equal(2, calls)
      assert.is_true(source.destroyed)
      assert.same({}, source.heard)
    end
  end))

  it('answer at once, and leave a slow source with its next item', within(function()
    local source = Readable{ objectMode = true, read = function() end }
    source:push(1)
    assert.is_true(source:some(always))
    sleep(2)
    assert.is_false(source.destroyed)
    source:push(2)
    sleep(2)
    assert.is_true(source.destroyed)
  end))
end)

describe('reduce', function()
  it('folds from the first value, or the first item', within(function()
    local function add(a, b) return a + b end
    assert.equal(110, numbers(4):reduce(add, 100))
    assert.equal(10, numbers(4):reduce(add))
    assert.equal(7, numbers(0):reduce(add, 7))
    assert.equal(0, numbers(4):reduce(function(a) return a or 0 end, nil))
  end))

  it('of nothing without a value raises', within(function()
    local source = numbers(0)
    local err = raised(source.reduce, source, same)
    assert.same({ 'ERR_MISSING_ARGS', 'TypeError' }, { err.code, err.name })
  end))

  it('raises what the function raises, and leaves the source', within(function()
    local source = numbers(9)
    assert.equal('enough', raised(source.reduce, source, function() error 'enough' end, 0).message)
    assert.is_true(source.destroyed)
    sleep(2)
    assert.same({}, source.heard)
  end))

  it('aborts the signal of the function when all is over', within(function()
    local signal
    numbers(2):reduce(function(_, _, given) signal = given.signal end, 0)
    assert.is_true(signal.aborted)
  end))

  it('aborts it with the option signal, and listens to that no longer than it must', within(function()
    local controller, during = weir.AbortController(), nil
    local source = numbers(9)
    local err = raised(source.reduce, source, function(_, x, given)
      if x == 2 then controller:abort() end
      during = given.signal.aborted
    end, 0, { signal = controller.signal })
    assert.is_true(during)
    assert.equal('ABORT_ERR', err.code)
    local other = weir.AbortController()
    numbers(3):reduce(same, 0, { signal = other.signal })
    assert.equal(0, other.signal:listenerCount 'abort')
  end))

  it('destroys the source if the signal has aborted before', within(function()
    local source = numbers(9)
    local err = raised(source.reduce, source, same, 0, { signal = weir.AbortSignal.abort 'why' })
    assert.same({ 'ABORT_ERR', 'why' }, { err.code, err.cause })
    assert.equal(err, source.errored)
    assert.equal(0, source.asked)
    local unheard = Readable.from { 1 }
    assert.equal('ABORT_ERR', raised(unheard.reduce, unheard, same, 0, { signal = weir.AbortSignal.abort() }).code)
    sleep(2)
  end))
end)

describe('take and drop', function()
  it('divide a stream', within(function()
    assert.same({ 1, 2 }, numbers(5):take(2):toArray())
    assert.same({ 3, 4, 5 }, numbers(5):drop(2):toArray())
    assert.same({ 1, 2 }, numbers(2):take(5):toArray())
    assert.same({}, numbers(2):drop(5):toArray())
    assert.same({}, numbers(2):take(0):toArray())
    assert.same({ 1, 2 }, numbers(2):drop(0):toArray())
    assert.same({ 2, 3 }, numbers(9):drop(1):take(2):toArray())
    assert.same({ 1, 2 }, numbers(2):take(math.huge):toArray())
  end))

  it('count what is no number as 0', within(function()
    assert.same({}, numbers(2):take 'x':toArray())
    assert.same({ 1 }, numbers(2):take '1':toArray())
    assert.same({ 1, 2 }, numbers(2):drop():toArray())
  end))

  it('leave the source without an error', within(function()
    local source = numbers(9)
    source:take(2):toArray()
    pcall(weir.finished, source)
    assert.same({ true, 3, 'ABORT_ERR' }, { source.destroyed, source.asked, source.errored.code })
    assert.same({}, source.heard)
  end))

  it('let a source that is at its end end', within(function()
    local source = numbers(2)
    source:take(2):toArray()
    weir.finished(source)
    assert.is_true(source.readableEnded)
    source = Readable.from { 1, 2, 3, 4 }
    source:take(4):toArray()
    weir.finished(source)
    assert.is_true(source.readableEnded)
  end))
end)

describe('the option signal', function()
  it('is given to the function', within(function()
    local controller, seen = weir.AbortController(), {}
    numbers(1):forEach(function(_, given) seen[1] = given.signal end, { signal = controller.signal })
    numbers(1):forEach(function(_, given) seen[2] = given.signal.aborted end)
    assert.equal(controller.signal, seen[1])
    assert.is_false(seen[2])
  end))

  for _, options in ipairs { {}, { concurrency = 2 } } do
    it('ends it when the next item comes, concurrency ' .. (options.concurrency or 1), within(function()
      local controller, source, calls = weir.AbortController(), numbers(99), 0
      local stream = source:map(function(x)
        calls = calls + 1
        if x == 3 then controller:abort 'why' end
        return x
      end, { signal = controller.signal, concurrency = options.concurrency })
      local err = raised(stream.toArray, stream)
      assert.same({ 'AbortError', 'ABORT_ERR', 'why' }, { err.name, err.code, err.cause })
      assert.is_true(calls < 6)
      sleep(2)
      assert.is_true(source.destroyed)
      assert.same({}, source.heard)
    end))
  end

  it('that has aborted ends all of them', within(function()
    local options = { signal = weir.AbortSignal.abort 'why' }
    for _, name in ipairs { 'map', 'filter', 'flatMap' } do
      local source, calls = numbers(3), 0
      local stream = source[name](source, function() calls = calls + 1 end, options)
      assert.equal('why', raised(stream.toArray, stream).cause)
      assert.equal(0, calls)
    end
    for _, name in ipairs { 'take', 'drop' } do
      local source = numbers(3)
      local stream = source[name](source, 1, options)
      assert.equal('why', raised(stream.toArray, stream).cause)
      assert.equal(0, source.asked)
    end
    local source = numbers(3)
    assert.equal('ABORT_ERR', raised(source.toArray, source, options).code)
    assert.is_true(source.destroyed)
    for _, name in ipairs { 'forEach', 'some', 'every', 'find' } do
      source = numbers(3)
      assert.equal('ABORT_ERR', raised(source[name], source, error, options).code)
    end
  end))
end)
