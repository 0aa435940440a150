-- SPDX-License-Identifier: MIT
-- Where pipes and pipelines differ from Node on purpose (docs/node-differences.md), which the programs of spec/conformance
-- count apart.

local weir = require 'weir'

local function sink(write, options)
  options = options or {}
  options.objectMode, options.write = true, write
  return weir.Writable(options)
end

local function source()
  return weir.Readable{ objectMode = true, read = function() end }
end

describe('a destination that fails', function()
  it('inside a write does not starve the others', function()
    for _, healthy_first in ipairs { true, false } do
      local got = {}
      local healthy = sink(function(_, v, callback)
        got[#got + 1] = v
        callback()
      end)
      local failing = sink(function(_, _, callback) callback 'boom' end)
      failing:on('error', function() end)
      weir.run(function()
        local from = source()
        from:pipe(healthy_first and healthy or failing)
        from:pipe(healthy_first and failing or healthy)
        weir.sleep(0)
        for i = 1, 5 do from:push(i) end
        from:push(nil)
        weir.sleep(1)
      end)
      assert.same({ 1, 2, 3, 4, 5 }, got)
      assert.is_true(healthy.writableFinished)
    end
  end)

  it('does not release a source that another still keeps waiting', function()
    local kept
    local slow = sink(function(_, _, callback) kept = callback end, { highWaterMark = 1 })
    local failing = sink(function(_, _, callback) callback 'boom' end)
    failing:on('error', function() end)
    weir.run(function()
      local from = source()
      from:pipe(slow)
      from:pipe(failing)
      weir.sleep(0)
      from:push(1)
      from:push(2)
      weir.sleep(1)
      assert.equal(1, slow.writableLength)
      assert.equal(1, from.readableLength)
      kept()
      weir.sleep(1)
      assert.equal(0, from.readableLength)
      from:destroy()
    end)
  end)
end)

describe('a pipeline', function()
  it('fails when a stage is destroyed whose end and chunks are in its buffer', function()
    weir.run(function()
      local from = source()
      local slow = sink(function() end, { highWaterMark = 1 })
      local err
      weir.pipeline(from, slow, function(e) err = e end)
      for i = 1, 3 do from:push(i) end
      from:push(nil)
      weir.sleep(1)
      from:destroy()
      weir.sleep(1)
      assert.equal('ERR_STREAM_PREMATURE_CLOSE', err.code)
      assert.is_true(slow.destroyed)
    end)
  end)
end)

describe('finished', function()
  it('is no success where the stream is destroyed between its end and its finish', function()
    weir.run(function()
      local code
      local writable = weir.Writable{ objectMode = true, write = function() end, final = function() end }
      weir.finished(writable, function(err) code = err and err.code end)
      writable:finish()
      weir.sleep(1)
      writable:destroy()
      weir.sleep(1)
      assert.equal('ERR_STREAM_PREMATURE_CLOSE', code)
    end)
  end)
end)

describe('a source that always has more', function()
  local function endless(over)
    return weir.Readable{ objectMode = true, read = function(self)
      if over.stop then self:push(nil) else self:push(1) end
    end }
  end

  for name, consume in pairs {
    listener = function(from) from:on('data', function() end) end,
    resume = function(from) from:resume() end,
    pipe = function(from) from:pipe(sink(function(_, _, callback) callback() end)) end,
    ['pipe and listener'] = function(from)
      from:pipe(sink(function(_, _, callback) callback() end)):on('drain', function() end)
      from:on('data', function() end)
    end,
  } do
    it('does not starve timers: ' .. name, function()
      weir.run(function()
        local over = {}
        local from = endless(over)
        weir.setTimeout(function() over.stop = true end, 1)
        consume(from)
        weir.finished(from)
        assert.is_true(over.stop)
      end)
    end)
  end
end)

describe('a premature close', function()
  local function over(stream)
    return stream:destroy()
  end

  local function failure(...)
    return select(2, pcall(...))
  end

  it('says which stage closed, and which side of it', function()
    weir.run(function()
      for _, which in ipairs { 1, 2, 3 } do
        local stages = { source(), weir.PassThrough{ objectMode = true }, sink(function(_, _, callback) callback() end) }
        stages[which].name = 'guilty'
        weir.setTimeout(function() stages[which]:destroy() end, 1)
        local err = failure(weir.pipeline, stages)
        assert.equal('ERR_STREAM_PREMATURE_CLOSE', err.code)
        assert.equal('guilty', err.stage)
        assert.equal(which == 1 and 'readable' or 'writable', err.side)
        assert.truthy(err.message:find('^Premature close of guilty'))
        for i, stage in ipairs(stages) do assert.equal(i ~= which and err or nil, stage.errored) end
      end
    end)
  end)

  it('... also where it was closed before', function()
    weir.run(function()
      local done = sink(function(_, _, callback) callback() end)
      done:finish()
      weir.finished(done)
      for _, stages in ipairs { { over(source()), sink() }, { source(), over(sink()) }, { source(), done } } do
        local err = failure(weir.pipeline, stages)
        assert.equal(stages[1].destroyed and stages[1].errored == nil and 'Readable' or 'Writable', err.stage)
      end
    end)
  end)

  it('... and to finished, an iteration, and what was composed', function()
    weir.run(function()
      local both = weir.Duplex{ read = function() end, write = function() end, name = 'both' }
      assert.equal('both', failure(weir.finished, over(both)).side)
      assert.equal('readable', failure(weir.finished, both, { writable = false }).side)
      assert.equal('writable', failure(weir.finished, both, { readable = false }).side)
      assert.equal('Readable', failure(source().toArray, over(source())).stage)
    end)
  end)
end)

describe('an iteration that is left early', function()
  it('is no error, but what its stream fails with when it closes is one', function()
    local message
    local readable = weir.Readable{
      objectMode = true, read = function(self) self:push(1) end, destroy = function(_, _, callback) callback 'boom' end,
    }
    readable:on('error', function(err) message = err.message end)
    weir.run(function()
      local each = readable:iter()
      each()
      each:close()
      weir.sleep(1)
    end)
    assert.equal('boom', message)
  end)
end)

describe('a write to a stream that has failed and is not destroyed', function()
  it('calls back with its error', function()
    local writable = sink(function(_, _, callback) callback 'boom' end, { autoDestroy = false })
    writable:on('error', function() end)
    local errors = {}
    weir.run(function()
      for i = 1, 3 do writable:write(i, function(err) errors[#errors + 1] = err.message end) end
      weir.sleep(1)
      assert.is_false(writable:write(4, function(err) errors[#errors + 1] = err.message end))
      weir.sleep(1)
    end)
    assert.same({ 'boom', 'boom', 'boom', 'boom' }, errors)
    assert.equal(0, writable.writableLength)
    assert.is_false(writable.destroyed)
  end)

  it('calls back a finish() that cannot come to its end any more', function()
    local kept, code
    local writable = sink(function(_, _, callback) kept = callback end, { autoDestroy = false })
    writable:on('error', function() end)
    weir.run(function()
      writable:write(1)
      writable:finish(function(err) code = err.code end)
      writable:write(2)
      weir.sleep(1)
      assert.is_nil(code)
      kept()
      weir.sleep(1)
    end)
    assert.equal('ERR_STREAM_WRITE_AFTER_END', code)
  end)

  it('calls back behind a construct that has failed', function()
    local message
    local writable = weir.Writable{
      objectMode = true, autoDestroy = false, write = function(_, _, callback) callback() end,
      construct = function(_, callback) callback 'boom' end,
    }
    writable:on('error', function() end)
    weir.run(function()
      writable:write(1, function(err) message = err.message end)
      weir.sleep(1)
    end)
    assert.equal('boom', message)
  end)
end)
