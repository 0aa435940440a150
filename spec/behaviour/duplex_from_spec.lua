-- SPDX-License-Identifier: MIT
-- Duplex.from: streams, pairs, functions and what gives values, as one Duplex.

local weir = require 'weir'
local support = require 'support'
local within, settle, idle, all_of, sink_into = support.within, support.settle, support.idle, support.all_of, support.sink_into
local raised, failure_of = support.raised, support.failure_of

local function source_of(items)
  local i = 0
  return weir.Readable{ objectMode = true, read = function(self)
    i = i + 1
    self:push(items[i])
  end }
end

-- What `stream` emits from now on, in order.
local function events_of(stream)
  local log = {}
  for _, event in ipairs { 'end', 'finish', 'error', 'close' } do
    stream:on(event, function(err) log[#log + 1] = err and event .. ' ' .. (err.code or err.message) or event end)
  end
  return log
end

describe('Duplex.from', function()
  it('gives a duplex back', within(function()
    local stream = weir.PassThrough()
    assert.equal(stream, weir.Duplex.from(stream))
    stream:destroy()
  end))

  it('of a readable can be read only', within(function()
    local duplex = weir.Duplex.from(source_of { 1, 2 })
    local log = events_of(duplex)
    assert.is_true(duplex.readable)
    assert.is_false(duplex.writable)
    assert.is_true(duplex.readableObjectMode)
    assert.same({ 1, 2 }, all_of(duplex))
    settle()
    assert.same({ 'end', 'close' }, log)
  end))

  it('of a writable can be written only', within(function()
    local got = {}
    local duplex = weir.Duplex.from(sink_into(got))
    local log = events_of(duplex)
    assert.is_false(duplex.readable)
    duplex:write(1)
    duplex:finish(2)
    weir.finished(duplex)
    assert.same({ 1, 2 }, got)
    settle()
    assert.same({ 'finish', 'close' }, log)
  end))

  it('holds writes back as the writable does', within(function()
    local held, calls = nil, 0
    local sink = weir.Writable{ objectMode = true, highWaterMark = 2, write = function(_, _, callback) held = callback end }
    local duplex = weir.Duplex.from(sink)
    for _ = 1, 5 do duplex:write(1, function() calls = calls + 1 end) end
    settle()
    assert.equal(1, calls)
    held()
    settle()
    assert.equal(1, calls)
    held()
    settle()
    assert.equal(3, calls)
    duplex:destroy(weir.Error 'over')
    failure_of(duplex)
    settle()
    assert.equal(5, calls)
    assert.is_true(sink.destroyed)
  end))
end)

describe('Duplex.from a pair', function()
  it('reads from one and writes into the other', within(function()
    local got = {}
    local duplex = weir.Duplex.from{ readable = source_of { 1, 2 }, writable = sink_into(got) }
    local log = events_of(duplex)
    duplex:finish(7)
    assert.same({ 1, 2 }, all_of(duplex))
    settle()
    assert.same({ 7 }, got)
    table.sort(log)
    assert.same({ 'close', 'end', 'finish' }, log)
  end))

  it('takes halves of any kind', within(function()
    local got = {}
    local duplex = weir.Duplex.from{
      readable = { 1, 2 },
      writable = function(source)
        for v in source do got[#got + 1] = v end
      end,
    }
    local read = {}
    duplex:on('data', function(v) read[#read + 1] = v end) -- an iteration would destroy it at its end
    duplex:finish(7)
    weir.finished(duplex)
    assert.same({ 1, 2 }, read)
    assert.same({ 7 }, got)
  end))

  it('is closed where a half is left out', within(function()
    local duplex = weir.Duplex.from{ readable = false, writable = sink_into {} }
    assert.is_false(duplex.readable)
    assert.is_true(duplex.writable)
    duplex:finish()
    weir.finished(duplex)
  end))

  it('an error of one half destroys it and the other', within(function()
    for _, failing in ipairs { 'readable', 'writable' } do
      local pair = { readable = idle(), writable = sink_into {} }
      local duplex = weir.Duplex.from(pair)
      pair[failing]:destroy(weir.Error 'broken')
      assert.equal('broken', failure_of(duplex).message)
      settle()
      assert.is_true(pair.readable.destroyed)
      assert.is_true(pair.writable.destroyed)
    end
  end))

  it('a half closed too early is an error', within(function()
    local pair = { readable = idle(), writable = sink_into {} }
    local duplex = weir.Duplex.from(pair)
    pair.readable:destroy()
    assert.equal('ERR_STREAM_PREMATURE_CLOSE', failure_of(duplex).code)
    settle()
    assert.is_true(pair.writable.destroyed)
  end))

  it('to destroy it destroys both, also when one is done', within(function()
    for _, ended in ipairs { false, true } do
      local pair = { readable = idle(), writable = sink_into {} }
      local duplex = weir.Duplex.from(pair)
      if ended then
        duplex:finish()
        settle()
      end
      duplex:destroy(weir.Error 'enough')
      assert.equal('enough', failure_of(duplex).message)
      settle()
      assert.is_true(pair.readable.destroyed)
      assert.is_true(pair.writable.destroyed)
    end
  end))
end)

describe('Duplex.from a function', function()
  it('takes what is written and gives what is read; both may wait', within(function()
    local duplex = weir.Duplex.from(function(source, emit)
      for v in source do
        weir.sleep(1)
        emit(v)
        emit(-v)
      end
      emit 'end'
    end)
    duplex:write(1)
    duplex:finish(2)
    assert.same({ 1, -1, 2, -2, 'end' }, all_of(duplex))
    weir.finished(duplex)
  end))

  it('is in object mode with a mark of 1, and begins when it is read', within(function()
    local begun, taken, calls = false, 0, 0
    local duplex = weir.Duplex.from(function(source, emit)
      begun = true
      for v in source do
        taken = taken + 1
        emit(v)
      end
    end)
    assert.equal(1, duplex.readableHighWaterMark)
    assert.equal(1, duplex.writableHighWaterMark)
    assert.is_true(duplex.readableObjectMode)
    for i = 1, 4 do duplex:write(i, function() calls = calls + 1 end) end
    settle()
    assert.is_false(begun)
    assert.equal(0, calls)
    assert.equal(1, duplex:read())
    settle()
    assert.equal(2, taken)
    assert.equal(2, calls)
    assert.equal(1, duplex.readableLength)
    assert.equal(2, duplex:read())
    settle()
    assert.equal(3, taken)
    duplex:destroy()
    settle()
    assert.equal(4, calls)
  end))

  it('that only takes has no readable side, begins at once and finishes when it returns', within(function()
    local got, gate, finished = {}, nil, false
    local duplex = weir.Duplex.from(function(source)
      for v in source do got[#got + 1] = v end
      local wake, here = weir.wait.prepare()
      gate = wake
      here()
    end)
    duplex:on('finish', function() finished = true end)
    assert.is_false(duplex.readable)
    duplex:write(1)
    duplex:finish(2)
    settle()
    assert.same({ 1, 2 }, got)
    assert.is_false(finished)
    gate()
    weir.finished(duplex)
    assert.is_true(finished)
  end))

  it('drops what is written when it has returned', within(function()
    local duplex, results = weir.Duplex.from(function(source, emit) emit(source()) end), {}
    for i = 1, 3 do duplex:write(i, function(err) results[i] = err or 'ok' end) end
    duplex:finish()
    assert.same({ 1 }, all_of(duplex))
    weir.finished(duplex)
    assert.same({ 'ok', 'ok', 'ok' }, results)
  end))

  it('fails with what it raises', within(function()
    local duplex = weir.Duplex.from(function(source)
      source()
      error 'bad'
    end)
    duplex:write(1)
    local err = failure_of(duplex)
    assert.equal('bad', err.message)
    assert.matches('duplex_from_spec%.lua:%d+', err.where)

    duplex = weir.Duplex.from(function(_, _) error 'worse' end)
    duplex:resume()
    assert.equal('worse', failure_of(duplex).message)
  end))

  it('has a signal, which aborts when its stream is destroyed', within(function()
    local signals = {}
    local giving = weir.Duplex.from(function(source, emit, given)
      assert.equal(source.signal, given.signal)
      signals[1] = given.signal
      for v in source do emit(v) end
    end)
    local taking = weir.Duplex.from(function(source)
      signals[2] = source.signal
      for _ in source do end -- luacheck: ignore 542
    end)
    giving:resume()
    settle()
    assert.is_false(signals[1].aborted or signals[2].aborted)
    giving:destroy()
    taking:finish()
    settle()
    assert.is_true(signals[1].aborted and signals[2].aborted)
  end))

  it('learns by an error that its stream was destroyed', within(function()
    local seen = {}
    local function remember(fn, ...)
      local ok, err = pcall(fn, ...)
      seen[#seen + 1] = ok or err.code or err.message
    end
    local taking = weir.Duplex.from(function(source) remember(source) end)
    taking:destroy(weir.Error 'enough')
    failure_of(taking)
    local giving = weir.Duplex.from(function(_, emit)
      remember(emit, 1)
      remember(emit, 2)
    end)
    giving:read()
    settle()
    giving:destroy()
    settle()
    assert.same({ 'enough', true, 'ABORT_ERR' }, seen)
  end))

  it('refuses nil as a value, and a value as a return', within(function()
    local duplex = weir.Duplex.from(function(_, emit) emit(nil) end)
    duplex:resume()
    assert.equal('ERR_STREAM_NULL_VALUES', failure_of(duplex).code)

    duplex = weir.Duplex.from(function(source)
      source()
      return 4
    end)
    duplex:finish(1)
    local err = failure_of(duplex)
    assert.equal('ERR_INVALID_RETURN_VALUE', err.code)
    assert.matches('type number %(4%)', err.message)
  end))

  it('that emits after its return is told so', within(function()
    local late
    local duplex = weir.Duplex.from(function(_, emit) late = emit end)
    duplex:read()
    assert.equal('ERR_STREAM_PUSH_AFTER_EOF', raised(late, 1).code)
    duplex:destroy()
  end))
end)

describe('Duplex.from what gives values', function()
  it('can be read only, in object mode, and reads one ahead', within(function()
    local asked = 0
    local duplex = weir.Duplex.from(function()
      asked = asked + 1
      return asked <= 3 and asked or nil
    end)
    assert.is_false(duplex.writable)
    assert.equal(1, duplex.readableHighWaterMark)
    assert.equal(1, duplex:read())
    settle()
    assert.equal(2, asked)
    assert.same({ 2, 3 }, all_of(duplex))
  end))

  it('takes arrays, strings, coroutines, iterators in C and tables with next', within(function()
    assert.same({ 1, false }, all_of(weir.Duplex.from { 1, false }))
    assert.same({ 'abc' }, all_of(weir.Duplex.from 'abc'))
    assert.same({ 'a', 'b' }, all_of(weir.Duplex.from(('a b'):gmatch '%a')))
    assert.same({ 1 }, all_of(weir.Duplex.from(coroutine.create(function() coroutine.yield(1) end))))
    local left = false
    local duplex = weir.Duplex.from{ next = function() return 1 end, close = function() left = true end }
    assert.equal(1, duplex:iter()())
    duplex:destroy()
    settle()
    assert.is_true(left)
  end))

  it('refuses anything else', function()
    for _, x in ipairs { 5, true } do
      local err = raised(weir.Duplex.from, x)
      assert.equal('ERR_INVALID_ARG_TYPE', err.code)
      assert.matches('^The "body" argument', err.message)
    end
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.Duplex.from, nil).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.Duplex.from, { readable = {}, writable = 5 }).code)
  end)
end)
