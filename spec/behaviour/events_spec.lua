-- SPDX-License-Identifier: MIT
-- Events, waited for while timers run, and the warning of leaks as a script's user sees it.

local weir = require 'weir'
local support = require 'support'
local within = support.within
local output_of, raised = support.output_of, support.raised

local command = os.getenv 'WEIR'
local events = weir.events

local function after(ms, fn)
  weir.setTimeout(fn, ms)
end

describe('events.once', function()
  it('waits for an event of a stream', within(function()
    local stream = weir.Readable{ read = function() end }
    after(2, function() stream:destroy() end)
    events.once(stream, 'close')
    assert.is_true(stream.closed)
    assert.same({}, stream:eventNames())
  end))

  it('raises the error that comes first', within(function()
    local stream = weir.Readable{ read = function() end }
    after(2, function() stream:destroy 'broken' end)
    assert.equal('broken', raised(events.once, stream, 'end').message)
  end))
end)

describe('events.on', function()
  it('gives events as they come, until one that closes it', within(function()
    local emitter, got = weir.EventEmitter(), {}
    after(2, function()
      emitter:emit('row', 1, nil)
      emitter:emit('row')
      after(2, function()
        emitter:emit('row', 3)
        emitter:emit('end')
        emitter:emit('row', 4)
      end)
    end)
    for args in events.on(emitter, 'row', { close = { 'end' } }) do got[#got + 1] = { args.n, args[1] } end
    assert.same({ { 2, 1 }, { 0 }, { 1, 3 } }, got)
    assert.same({}, emitter:eventNames())
  end))

  it('is left by close', within(function()
    local emitter = weir.EventEmitter()
    local iterator = events.on(emitter, 'row')
    after(2, function() emitter:emit 'row' end)
    assert.equal(0, iterator().n)
    iterator:close()
    assert.same({}, emitter:eventNames())
    assert.is_nil(iterator())
  end))

  it('ends with its signal', within(function()
    local emitter, controller = weir.EventEmitter(), weir.AbortController()
    local iterator = events.on(emitter, 'row', { signal = controller.signal })
    after(2, function() controller:abort 'why' end)
    local err = raised(iterator)
    assert.same({ 'ABORT_ERR', 'why' }, { err.code, err.cause })
    assert.same({}, emitter:eventNames())
    assert.equal('ABORT_ERR', raised(events.on, emitter, 'row', { signal = controller.signal }).code)
  end))
end)

describe('the warning of leaks', function()
  it('is written once an emitter and event, with their names', function()
    local script = "local weir = require 'weir' "
      .. "local s = weir.Readable{ name = 'upload', read = function() end } "
      .. "for _ = 1, 30 do s:on('foo', print) end for _ = 1, 10 do s:on('bar', print) end"
    local text = output_of('%s -e "%s" 2>&1', command, script)
    assert.equal('(weir) MaxListenersExceededWarning: Possible EventEmitter memory leak detected. 11 foo listeners added to '
      .. '[Readable upload]. MaxListeners is 10. Use emitter.setMaxListeners() to increase limit\n', text)
  end)
end)
