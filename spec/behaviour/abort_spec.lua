-- SPDX-License-Identifier: MIT
-- Signals with the timers, waits and streams that they are for. (What they are by themselves is in spec/unit/lua.)

local weir = require 'weir'
local support = require 'support'
local within = support.within
local output_of, raised = support.output_of, support.raised

local command = os.getenv 'WEIR'
local AbortSignal = weir.AbortSignal

describe('AbortSignal.timeout', function()
  it('aborts after its time', within(function()
    local signal = AbortSignal.timeout(5)
    assert.is_false(signal.aborted)
    weir.sleep(20)
    assert.is_true(signal.aborted)
    assert.same({ 'TimeoutError', 'TIMEOUT_ERR' }, { signal.reason.name, signal.reason.code })
    assert.equal(signal.reason, raised(signal.throwIfAborted, signal))
  end))

  it('is far away where its time is', within(function()
    local signal = AbortSignal.timeout(2 ^ 32 - 1)
    weir.sleep(10)
    assert.is_false(signal.aborted)
  end))

  it('keeps no script alive', function()
    local code = "local signal = require 'weir'.AbortSignal.timeout(60000) signal:on('abort', print)"
    assert.equal('status 0\n', output_of('timeout 20 %s -e "%s" 2>&1; echo status $?', command, code))
  end)

  it('ends what waits, with the timeout as the cause', within(function()
    local stream = weir.Readable{ read = function() end }
    local sink = weir.Writable{ write = function(_, _, callback) callback() end }
    local keep = weir.setTimeout(function() end, 1000)
    local err = raised(weir.pipeline, stream, sink, { signal = AbortSignal.timeout(5) })
    assert.same({ 'ABORT_ERR', 'TIMEOUT_ERR' }, { err.code, err.cause.code })
    err = raised(weir.events.once, weir.EventEmitter(), 'never', { signal = AbortSignal.timeout(5) })
    assert.same({ 'ABORT_ERR', 'TIMEOUT_ERR' }, { err.code, err.cause.code })
    weir.clearTimeout(keep)
  end))
end)

describe('AbortSignal.any', function()
  it('aborts with the first of several, for good', within(function()
    local controller = weir.AbortController()
    local both = AbortSignal.any { controller.signal, AbortSignal.timeout(5) }
    local reasons = {}
    both:on('abort', function(reason) reasons[#reasons + 1] = reason end)
    weir.sleep(20)
    controller:abort 'later'
    assert.equal(1, #reasons)
    assert.equal('TIMEOUT_ERR', both.reason.code)
    assert.equal(0, controller.signal:listenerCount 'abort')
  end))

  it('may be waited for, and given to streams', within(function()
    local controller = weir.AbortController()
    local both = AbortSignal.any { AbortSignal.timeout(60000), controller.signal }
    local stream = weir.Readable{ signal = both, read = function() end }
    stream:on('error', function() end)
    weir.setTimeout(function() controller:abort 'enough' end, 2)
    assert.equal('enough', weir.events.once(both, 'abort'))
    assert.is_true(stream.destroyed)
    assert.equal('enough', stream.errored.cause)
  end))
end)
