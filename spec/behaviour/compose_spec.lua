-- SPDX-License-Identifier: MIT
-- compose: which sides it has, what goes in and comes out, backpressure, and that nobody outlives an error. What Node does
-- step by step is held by conformance_spec (its family `compose`).

local weir = require 'weir'
local support = require 'support'
local within, settle, all_of, sink_into = support.within, support.settle, support.all_of, support.sink_into
local raised, failure_of = support.raised, support.failure_of

local function numbers(n)
  local i = 0
  return weir.Readable{ objectMode = true, read = function(self)
    i = i + 1
    self:push(i <= n and i or nil)
  end }
end

local function map(fn)
  return weir.Transform{ objectMode = true, transform = function(_, v, callback) callback(nil, fn(v)) end }
end

local function twice()
  return map(function(v) return v * 2 end)
end

local function plusOne()
  return map(function(v) return v + 1 end)
end

local function all_destroyed(...)
  for i = 1, select('#', ...) do assert.is_true((select(i, ...)).destroyed, 'stage ' .. i) end
end

describe('compose', function()
  it('writes into the first stage and reads from the last', within(function()
    local composed, got = weir.compose(twice(), plusOne()), {}
    weir.pipeline(numbers(100), composed, sink_into(got))
    assert.equal(100, #got)
    for i = 1, 100 do assert.equal(2 * i + 1, got[i]) end
    assert.is_true(composed.destroyed)
  end))

  it('carries bytes as bytes', within(function()
    local composed = weir.compose(weir.zlib.createGzip(), weir.zlib.createGunzip())
    assert.is_false(composed.writableObjectMode)
    assert.is_false(composed.readableObjectMode)
    composed:finish(('x'):rep(100000))
    assert.equal(('x'):rep(100000), table.concat(all_of(composed)))
  end))

  it('takes the object mode of each side from its end', within(function()
    local composed = weir.compose(weir.PassThrough(), map(function(v) return v end))
    assert.is_false(composed.writableObjectMode)
    assert.is_true(composed.readableObjectMode)
    composed:destroy()
    failure_of(composed)
  end))

  it('is readable only behind a source', within(function()
    local composed = weir.compose(numbers(3), twice())
    assert.is_false(composed.writable)
    assert.same({ 2, 4, 6 }, all_of(composed))
  end))

  it('is writable only before a sink, and finishes when that has', within(function()
    local release
    local sink = weir.Writable{ objectMode = true, write = function(_, _, callback) callback() end,
      final = function(_, callback) release = callback end }
    local composed, finished = weir.compose(twice(), sink), false
    composed:on('finish', function() finished = true end)
    assert.is_false(composed.readable)
    composed:finish(1)
    settle()
    assert.is_false(finished)
    release()
    weir.finished(composed)
    assert.is_true(finished)
  end))

  it('of a source and a sink runs by itself, and closes', within(function()
    local got = {}
    local composed = weir.compose(numbers(3), plusOne(), sink_into(got))
    assert.is_false(composed.readable)
    assert.is_false(composed.writable)
    settle()
    assert.same({ 2, 3, 4 }, got)
    assert.is_true(composed.closed)
    assert.is_nil(composed.errored)
  end))

  it('holds writes back as the first stage does', within(function()
    local held, calls = nil, 0
    local first = weir.Transform{ objectMode = true, highWaterMark = 1, transform = function(_, _, callback) held = callback end }
    local composed = weir.compose(first, twice())
    for _ = 1, 4 do
      composed:write(1, function() calls = calls + 1 end)
    end
    settle()
    assert.equal(0, calls)
    assert.equal(1, first.writableLength)
    for n = 1, 3 do
      held()
      settle()
      assert.equal(n, calls)
    end
    composed:destroy(weir.Error 'over')
    assert.equal('over', failure_of(composed).message)
    settle()
    assert.equal(4, calls)
  end))

  it('an error of any stage destroys it and every other one', within(function()
    for at = 1, 3 do
      local stages = { twice(), twice(), twice() }
      local composed = weir.compose(unpack(stages))
      stages[at]:destroy(weir.Error 'broken')
      assert.equal('broken', failure_of(composed).message)
      settle()
      all_destroyed(composed, unpack(stages))
    end
  end))

  it('a stage closed too early is an error too', within(function()
    local stages = { twice(), twice() }
    local composed = weir.compose(unpack(stages))
    stages[1]:destroy()
    assert.equal('ERR_STREAM_PREMATURE_CLOSE', failure_of(composed).code)
    settle()
    all_destroyed(stages[1], stages[2])
  end))

  it('to destroy it destroys every stage', within(function()
    local first, second, third = numbers(10), twice(), twice()
    local composed = weir.compose(first, second, third)
    composed:destroy()
    assert.equal('ABORT_ERR', failure_of(composed).code)
    settle()
    all_destroyed(first, second, third)

    local a, b = twice(), twice()
    composed = weir.compose(a, b)
    composed:destroy(weir.Error 'enough')
    assert.equal('enough', failure_of(composed).message)
    settle()
    all_destroyed(a, b)
    assert.equal('enough', b.errored.message)
  end))

  it('a write that was held back is called back when it is destroyed', within(function()
    local first = weir.Transform{ objectMode = true, highWaterMark = 1, transform = function() end }
    local composed, result = weir.compose(first, twice()), nil
    composed:write(1, function(err) result = err end)
    composed:destroy(weir.Error 'gone')
    assert.equal('gone', failure_of(composed).message)
    settle()
    assert.equal('gone', result.message)
  end))

  it('takes functions and what gives values', within(function()
    local composed = weir.compose({ 1, 2, 3 }, function(source, emit)
      for v in source do emit(v * 10) end
    end)
    assert.is_false(composed.writable)
    assert.same({ 10, 20, 30 }, all_of(composed))

    local got = {}
    composed = weir.compose(twice(), function(source)
      for v in source do
        weir.sleep(1)
        got[#got + 1] = v
      end
    end)
    composed:write(1)
    composed:finish(2)
    weir.finished(composed)
    assert.same({ 2, 4 }, got)
  end))

  it('of one stage is Duplex.from', within(function()
    local one = weir.PassThrough()
    assert.equal(one, weir.compose(one))
    assert.same({ 1, 2 }, all_of(weir.compose { 1, 2 }))
    one:destroy()
  end))

  it('refuses what cannot be a stage', within(function()
    local sink, source = sink_into {}, numbers(1)
    assert.equal('ERR_MISSING_ARGS', raised(weir.compose).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.compose, 5).code)
    assert.equal('ERR_INVALID_ARG_VALUE', raised(weir.compose, sink, twice()).code)
    local err = raised(weir.compose, twice(), source)
    assert.equal('ERR_INVALID_ARG_VALUE', err.code)
    assert.matches("'streams%[2%]' must be writable", err.message)
    sink:destroy()
    source:destroy()
  end))
end)

describe('readable:compose', function()
  it('is compose with itself in front', within(function()
    assert.same({ 2, 4 }, all_of(numbers(2):compose(twice())))
    assert.same({ 2, 3 }, all_of(numbers(2):compose(function(source, emit)
      for v in source do emit(v + 1) end
    end)))
  end))

  it('ends with its signal', within(function()
    local controller = weir.AbortController()
    local source = weir.Readable{ objectMode = true, read = function() end }
    local composed = source:compose(twice(), { signal = controller.signal })
    controller:abort()
    assert.equal('ABORT_ERR', failure_of(composed).code)
    settle()
    assert.is_true(source.destroyed)
  end))

  it('looks at its arguments', within(function()
    local source, other = numbers(1), numbers(1)
    assert.equal('ERR_INVALID_ARG_VALUE', raised(source.compose, source, other).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(source.compose, source, 5).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(source.compose, source, twice(), 5).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(source.compose, source, twice(), { signal = 5 }).code)
    source:destroy()
    other:destroy()
  end))
end)
