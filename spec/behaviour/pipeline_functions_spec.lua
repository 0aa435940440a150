-- SPDX-License-Identifier: MIT
-- pipeline with functions among its stages: in every place, alone and among streams; what they return and raise; leaving early;
-- signals; and that nothing outlives it.

local weir = require 'weir'
local support = require 'support'
local within, settle, idle, sink_into = support.within, support.settle, support.idle, support.sink_into
local raised = support.raised

local function source_of(items)
  local i = 0
  return weir.Readable{ objectMode = true, highWaterMark = 1, read = function(self)
    i = i + 1
    self:push(items[i])
  end }
end

local function endless()
  local i = 0
  return weir.Readable{ objectMode = true, highWaterMark = 1, read = function(self)
    i = i + 1
    self:push(i)
  end }
end

local function hop()
  return weir.PassThrough{ objectMode = true }
end

local function twice(source, emit)
  for v in source do emit(v * 2) end
end

local function sum(source)
  local n = 0
  for v in source do n = n + v end
  return n
end

describe('a pipeline with functions', function()
  it('takes one in between', within(function()
    local got = {}
    weir.pipeline(source_of { 1, 2, 3 }, twice, sink_into(got))
    assert.same({ 2, 4, 6 }, got)
  end))

  it('takes several, next to one another and among streams', within(function()
    local got = {}
    weir.pipeline(source_of { 1, 2, 3 }, hop(), twice, twice, hop(), hop(), twice, sink_into(got))
    assert.same({ 8, 16, 24 }, got)
  end))

  it('gives back what the last one returns', within(function()
    assert.equal(6, weir.pipeline(source_of { 1, 2, 3 }, sum, {}))
    assert.equal(12, weir.pipeline{ source_of { 1, 2, 3 }, hop(), twice, sum })
    local value
    weir.pipeline(source_of { 1, 2 }, sum, function(err, v) value = err or v end)
    settle()
    assert.equal(3, value)
  end))

  it('gives with a callback a stream to be read, of what the last one returns', within(function()
    local last = weir.pipeline(source_of { 1, 2 }, sum, function() end)
    assert.same({ 3 }, last:toArray())
    last = weir.pipeline(source_of { 1, 2 }, function(source) source() end, function() end)
    assert.same({}, last:toArray())
  end))

  it('... or gives', within(function()
    local many, done = {}, false
    for i = 1, 100 do many[i] = i end
    local last = weir.pipeline(many, twice, function(err) done = err or 'done' end)
    settle()
    assert.is_false(done)
    assert.equal(100, #last:toArray())
    settle()
    assert.equal('done', done)
  end))

  it('... which is done without a reader when there is room', within(function()
    weir.pipeline({ 1, 2, 3 }, twice, {})
    local done
    local last = weir.pipeline({ 1, 2, 3 }, sum, function(err, value) done = err or value end)
    settle()
    assert.equal(6, done)
    assert.equal(1, last.readableLength)
  end))

  it('... which fails with the pipeline, and is no error of its own', within(function()
    for _, stages in ipairs {
      { source_of { 1 }, function(source) error(source() and weir.Error 'bad') end },
      { source_of { 1 }, function(source, _) error(source() and weir.Error 'bad') end },
      { source_of { 1 }, function(_, _) error(weir.Error 'bad') end, sum },
      { weir.Readable{ objectMode = true, read = function() error(weir.Error 'bad') end }, function(source) pcall(source) end },
    } do
      local failure
      local last = weir.pipeline(stages[1], stages[2], unpack(stages, 3), function(err) failure = err end)
      settle()
      assert.equal('bad', failure.message)
      assert.equal('bad', last.errored.message)
      assert.is_true(last.closed)
    end
  end))

  it('... and may be destroyed, which stops no function', within(function()
    local value
    local last = weir.pipeline(source_of { 1, 2, 3 }, sum, function(err, v) value = err or v end)
    last:destroy()
    settle()
    assert.equal(6, value)
  end))

  it('takes what gives values as the first stage', within(function()
    local i = 0
    assert.equal(6, weir.pipeline({ 1, 2, 3 }, sum, {}))
    assert.equal(6, weir.pipeline(function()
      i = i + 1
      return i <= 3 and i or nil
    end, sum, {}))
    assert.equal(6, weir.pipeline(coroutine.create(function()
      for n = 1, 3 do coroutine.yield(n) end
    end), sum, {}))
    assert.equal(6, weir.pipeline(function(source, emit)
      assert(source() == nil)
      for n = 1, 3 do
        weir.sleep(1)
        emit(n)
      end
    end, sum, {}))
    local got = {}
    weir.pipeline({ 1, 2 }, sink_into(got))
    assert.same({ 1, 2 }, got)
  end))

  it('lets them wait', within(function()
    assert.equal(12, weir.pipeline(source_of { 1, 2, 3 }, function(source, emit)
      for v in source do
        weir.sleep(1)
        emit(v * 2)
      end
      weir.sleep(1)
    end, function(source)
      local n = 0
      for v in source do
        weir.sleep(1)
        n = n + v
      end
      return n
    end, {}))
  end))

  it('holds the source back while one of them waits', within(function()
    local read, gate = 0, nil
    local source = weir.Readable{ objectMode = true, highWaterMark = 1, read = function(self)
      read = read + 1
      self:push(read <= 100 and read or nil)
    end }
    weir.pipeline(source, twice, function(from)
      local n = 0
      for _ in from do
        n = n + 1
        if n == 1 then
          local wake, here = weir.wait.prepare()
          gate = wake
          here()
        end
      end
      return n
    end, function() end)
    settle()
    assert.is_true(read < 8, 'read ' .. read)
    gate()
    weir.finished(source)
    settle()
    assert.equal(101, read)
  end))

  it('a last function that emits gives a stream that can be read', within(function()
    local result
    local stream = weir.pipeline(source_of { 1, 2 }, twice, function(err) result = err or 'done' end)
    local got = {}
    for v in stream:iter() do got[#got + 1] = v end
    settle()
    assert.same({ 2, 4 }, got)
    assert.equal('done', result)
  end))
end)

describe('a pipeline with functions, in error:', function()
  it('what a function raises fails it and destroys the streams', within(function()
    local first, middle, last = endless(), hop(), sink_into {}
    local err = raised(weir.pipeline, first, middle, function(source, emit)
      emit(source())
      error 'mine'
    end, last)
    assert.equal('mine', err.message)
    assert.matches('pipeline_functions_spec%.lua:%d+', err.where)
    settle()
    assert.is_true(first.destroyed)
    assert.is_true(middle.destroyed)
    assert.equal('mine', last.errored.message)

    first = endless()
    err = raised(weir.pipeline, first, function() error 'last' end, {})
    assert.equal('last', err.message)
    settle()
    assert.is_true(first.destroyed)
  end))

  it('of a stream before is raised in the function, and counts even if that is caught', within(function()
    local caught
    local source = idle()
    weir.nextTick(function() source:destroy(weir.Error 'broken') end)
    local err = raised(weir.pipeline, source, hop(), function(from)
      local ok, e = pcall(from)
      caught = not ok and e.message
      return 1
    end, {})
    assert.equal('broken', err.message)
    assert.equal('broken', caught)
  end))

  it('of a stream behind ends the function at its next emit', within(function()
    local source, seen = endless(), nil
    local last = weir.Writable{ objectMode = true, write = function(_, _, callback) callback(weir.Error 'full') end }
    local err = raised(weir.pipeline, source, function(from, emit)
      local ok, e = pcall(twice, from, emit)
      seen = not ok and e.message
      error(e, 0)
    end, last)
    assert.equal('full', err.message)
    settle()
    assert.equal('full', seen)
    assert.is_true(source.destroyed)
  end))

  it('the first one counts', within(function()
    local err = raised(weir.pipeline, endless(), function(source)
      source()
      error 'first'
    end, {})
    assert.equal('first', err.message)
    err = raised(weir.pipeline, { 1 }, function(_, emit) emit(nil) end, hop())
    assert.equal('ERR_STREAM_NULL_VALUES', err.code)
  end))

  it('a source that closes too early is one', within(function()
    local source = idle()
    weir.nextTick(function() source:destroy() end)
    assert.equal('ERR_STREAM_PREMATURE_CLOSE', raised(weir.pipeline, source, sum, {}).code)
  end))
end)

describe('a function that returns early', function()
  it('leaves what is before it, without an error', within(function()
    local source, middle, got = endless(), hop(), {}
    weir.pipeline(source, middle, function(from, emit)
      emit(from())
      emit(from())
    end, sink_into(got))
    assert.same({ 1, 2 }, got)
    settle()
    assert.is_true(source.destroyed)
    assert.is_true(middle.destroyed)
  end))

  it('as the last stage, too', within(function()
    local source, errors = endless(), 0
    source:on('error', function() errors = errors + 1 end)
    assert.equal(1, weir.pipeline(source, function(from) return from() end, {}))
    settle()
    assert.is_true(source.destroyed)
    assert.equal(0, errors)
    assert.equal(7, weir.pipeline({ 1, 2 }, function() return 7 end, {}))
  end))

  it('leaves all that is before, functions that never began, or that wait, among them', within(function()
    local source = endless()
    assert.equal(7, weir.pipeline(source, twice, twice, function() return 7 end, {}))
    assert.is_true(source.destroyed)

    local seen
    source = idle()
    assert.equal(7, weir.pipeline(source, function(from, emit)
      emit(1)
      local ok, err = pcall(from)
      seen = not ok and err.code
    end, function(from)
      from()
      weir.sleep(1)
      return 7
    end, {}))
    settle()
    assert.is_true(source.destroyed)
    assert.equal('ABORT_ERR', seen)
  end))
end)

describe('options of a pipeline with functions', function()
  it('finish = false leaves the last stream open', within(function()
    local got = {}
    local last = sink_into(got)
    weir.pipeline({ 1, 2 }, twice, last, { finish = false })
    assert.is_false(last.writableEnded)
    weir.pipeline({ 3 }, twice, last)
    assert.same({ 2, 4, 6 }, got)
    assert.is_true(last.writableFinished)
  end))

  it('a signal ends it', within(function()
    for _, stages in ipairs { { idle(), sum }, { idle(), hop(), twice, hop(), twice, sink_into {} } } do
      local controller = weir.AbortController()
      weir.setTimeout(function() controller:abort 'late' end, 2)
      local err = raised(weir.pipeline, stages, { signal = controller.signal })
      assert.equal('ABORT_ERR', err.code)
      assert.equal('late', err.cause)
      settle()
      for _, stage in ipairs(stages) do
        if type(stage) == 'table' then assert.is_true(stage.destroyed) end
      end
      assert.equal(0, controller.signal:listenerCount 'abort')
    end
  end))

  it('a signal that has aborted ends it at once', within(function()
    local controller, source = weir.AbortController(), idle()
    controller:abort()
    assert.equal('ABORT_ERR', raised(weir.pipeline, source, sum, { signal = controller.signal }).code)
    assert.is_true(source.destroyed)
  end))
end)

describe('the signal of functions in a pipeline', function()
  -- Pipelines of functions that put their signals into `signals`.
  local function watched(signals)
    local function see(source, given)
      assert.equal(source.signal, given.signal)
      signals[#signals + 1] = given.signal
      assert.is_false(given.signal.aborted)
    end
    local function first(source, emit, given)
      see(source, given)
      for i = 1, 3 do emit(i) end
    end
    local function middle(source, emit, given)
      see(source, given)
      for v in source do emit(v) end
    end
    local function last(source)
      see(source, source)
      return sum(source)
    end
    return first, middle, last
  end

  it('is one for all, and aborts when all are over', within(function()
    local signals = {}
    local first, middle, last = watched(signals)
    assert.equal(6, weir.pipeline(first, middle, hop(), middle, last, {}))
    assert.equal(4, #signals)
    for _, signal in ipairs(signals) do
      assert.equal(signals[1], signal)
      assert.is_true(signal.aborted)
    end
  end))

  it('aborts when one fails, and when the pipeline is aborted', within(function()
    for _, fails in ipairs { true, false } do
      local signals, controller, reason = {}, weir.AbortController(), nil
      local first, middle = watched(signals)
      local function last(source)
        source.signal:on('abort', function(why) reason = why end)
        source()
        if fails then error(weir.Error 'bad') end
        controller:abort 'enough'
        for _ in source do weir.sleep(1) end
      end
      local err = raised(weir.pipeline, first, middle, last, { signal = controller.signal })
      assert.equal(fails and 'bad' or 'enough', err.cause or err.message)
      assert.equal('ABORT_ERR', reason.code)
      assert.is_true(signals[1].aborted)
    end
  end))

  it('ends what a function waits for', within(function()
    local controller = weir.AbortController()
    weir.setTimeout(function() controller:abort() end, 2)
    local emitter = weir.EventEmitter()
    local own
    local err = raised(weir.pipeline, idle(), function(source)
      own = raised(weir.events.once, emitter, 'never', source)
    end, { signal = controller.signal })
    assert.equal('ABORT_ERR', err.code)
    assert.equal('ABORT_ERR', own.code)
  end))

  it('has a listener that raises: it is uncaught, and the pipeline ends all the same', within(function()
    local seen
    local function hear(err) seen = err.message end
    weir.process:on('uncaughtException', hear)
    weir.pipeline({ 1 }, function(source)
      source.signal:on('abort', function() error(weir.Error 'careless') end)
      return sum(source)
    end, {})
    weir.process:off('uncaughtException', hear)
    assert.equal('careless', seen)
  end))
end)

describe('stages that cannot be', function()
  it('are refused before anything begins', within(function()
    local source = idle()
    assert.equal('ERR_MISSING_ARGS', raised(weir.pipeline, source, function() end).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.pipeline, source, 5, hop()).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.pipeline, 5, hop()).code)
    assert.equal('ERR_INVALID_ARG_VALUE', raised(weir.pipeline, source, sum, hop()).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(weir.pipeline, sink_into {}, twice, hop()).code)
    assert.is_false(source.destroyed)
    source:destroy()
  end))
end)
