-- SPDX-License-Identifier: MIT
-- Whole streams as one value: what is given, and what ends it early.

local weir = require 'weir'
local support = require 'support'
local within = support.within
local raised = support.raised

local consumers, Readable = weir.consumers, weir.Readable

-- A stream that gives CHUNKS, and then ends; it keeps the errors that it emitted.
local function giving(chunks, objectMode)
  local at = 0
  local stream = Readable{ objectMode = objectMode, read = function(self)
    at = at + 1
    weir.nextTick(function() self:push(chunks[at]) end)
  end }
  stream.heard = {}
  stream:on('error', function(err) table.insert(stream.heard, err.code) end)
  return stream
end

describe('consumers.text', function()
  it('gives all bytes', within(function()
    assert.equal('abcdef', consumers.text(giving { 'ab', 'cd', 'ef' }))
    assert.equal('', consumers.text(giving {}))
    assert.equal('\0\255', consumers.buffer(giving { '\0', '\255' }))
    assert.equal(consumers, require 'weir.consumers')
  end))

  it('joins the strings of an object stream', within(function()
    assert.equal('onetwo', consumers.text(giving({ 'one', 'two' }, true)))
    assert.equal('ab', consumers.text(Readable.from { 'a', 'b' }))
  end))

  it('reads what a duplex gives', within(function()
    local stream = weir.PassThrough()
    stream:finish 'through'
    assert.equal('through', consumers.text(stream))
  end))

  it('takes as much as the limit, and no byte more', within(function()
    assert.equal('abcd', consumers.text(giving { 'ab', 'cd' }, { limit = 4 }))
    assert.equal('', consumers.text(giving {}, { limit = 0 }))
    local stream = giving { 'ab', 'cd', 'ef' }
    local err = raised(consumers.text, stream, { limit = 3 })
    assert.same({ 'ERR_BUFFER_TOO_LARGE', 'RangeError' }, { err.code, err.name })
    assert.is_true(stream.destroyed)
    assert.equal(err, stream.errored)
    assert.same({ 'ERR_BUFFER_TOO_LARGE' }, stream.heard)
  end))

  it('fails at the last chunk, too', within(function()
    local stream = Readable{ read = function(self)
      self:push 'abc'
      self:push(nil)
    end }
    assert.equal('ERR_BUFFER_TOO_LARGE', raised(consumers.text, stream, { limit = 2 }).code)
  end))

  it('reads little more than the limit of a stream without end', within(function()
    local given = 0
    local stream = Readable{ highWaterMark = 1024, read = function(self)
      given = given + 1024
      self:push(('x'):rep(1024))
    end }
    assert.equal('ERR_BUFFER_TOO_LARGE', raised(consumers.text, stream, { limit = 10240 }).code)
    assert.is_true(given <= 10240 + 4096)
  end))

  it('fails at what is no string', within(function()
    local stream = giving({ 'a', 5 }, true)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(consumers.text, stream).code)
    assert.same({ 'ERR_INVALID_ARG_TYPE' }, stream.heard)
  end))

  it('raises the error of the stream', within(function()
    local slow = Readable{ read = function(self) weir.setTimeout(function() self:destroy 'late' end, 2) end }
    assert.equal('late', raised(consumers.text, slow).message)
    local gone = Readable{ read = function() end }
    weir.setTimeout(function() gone:destroy() end, 2)
    assert.equal('ERR_STREAM_PREMATURE_CLOSE', raised(consumers.text, gone).code)
  end))

  it('ends with the signal, at once', within(function()
    local controller = weir.AbortController()
    local stream = Readable{ read = function() end }
    stream:push 'a'
    weir.setTimeout(function() controller:abort 'why' end, 2)
    local err = raised(consumers.text, stream, { signal = controller.signal })
    assert.same({ 'AbortError', 'ABORT_ERR', 'why' }, { err.name, err.code, err.cause })
    assert.is_true(stream.destroyed)
    assert.equal(0, controller.signal:listenerCount 'abort')
    stream = giving { 'a' }
    assert.equal('ABORT_ERR', raised(consumers.text, stream, { signal = weir.AbortSignal.abort() }).code)
    assert.is_true(stream.destroyed)
  end))

  it('leaves no listener with a signal that did not abort', within(function()
    local controller = weir.AbortController()
    assert.equal('ab', consumers.text(giving { 'ab' }, { signal = controller.signal }))
    weir.sleep(1)
    assert.equal(0, controller.signal:listenerCount 'abort')
  end))

  it('checks its arguments, and begins nothing', within(function()
    local stream = giving { 'a' }
    local function code_of(...) return raised(consumers.text, ...).code end
    assert.equal('ERR_INVALID_ARG_TYPE', code_of())
    assert.equal('ERR_INVALID_ARG_TYPE', code_of(weir.Writable()))
    assert.equal('ERR_INVALID_ARG_TYPE', code_of(stream, 5))
    assert.equal('ERR_INVALID_ARG_TYPE', code_of(stream, { signal = 5 }))
    assert.equal('ERR_INVALID_ARG_TYPE', code_of(stream, { limit = '5' }))
    assert.equal('ERR_OUT_OF_RANGE', code_of(stream, { limit = -1 }))
    assert.equal('ERR_OUT_OF_RANGE', code_of(stream, { limit = 0 / 0 }))
    assert.equal('a', consumers.text(stream))
  end))

  it('says where waiting is impossible', function()
    assert.equal('ERR_CANNOT_WAIT', raised(consumers.text, giving { 'a' }).code)
  end)
end)

describe('consumers.array', function()
  it('gives all chunks', within(function()
    assert.same({ 1, false, 'x' }, consumers.array(giving({ 1, false, 'x' }, true)))
    assert.same({}, consumers.array(giving({}, true)))
  end))

  it('counts chunks for the limit', within(function()
    assert.same({ 1, 2 }, consumers.array(giving({ 1, 2 }, true), { limit = 2 }))
    local stream = giving({ 1, 2, 3 }, true)
    assert.equal('ERR_BUFFER_TOO_LARGE', raised(consumers.array, stream, { limit = 2 }).code)
    assert.is_true(stream.destroyed)
  end))

  it('fails the stage of a pipeline that it reads', within(function()
    local sink = weir.PassThrough{ objectMode = true }
    local endless = Readable{ objectMode = true, read = function(self) self:push(1) end }
    local failure
    weir.pipeline(endless, sink, function(err) failure = err end)
    local err = raised(consumers.array, sink, { limit = 1 })
    weir.sleep(1)
    assert.equal(err, failure)
    assert.is_true(endless.destroyed)
  end))
end)
