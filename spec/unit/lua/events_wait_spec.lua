-- SPDX-License-Identifier: MIT
-- The part of weir.events that waits: events.once and events.on.
local core = dofile 'spec/unit/lua/stand_in.lua'
local events = require 'weir.events'
local abort = require 'weir.abort'

local EventEmitter = events.EventEmitter

local function raised(fn, ...)
  local good, err = pcall(fn, ...)
  assert.is_false(good)
  return err
end

describe('weir.events', function()
  local e, log
  before_each(function()
    e, log = EventEmitter(), {}
  end)

  describe('events.once', function()
    it('waits and returns the arguments', function()
      core.go(function() log = { events.once(e, 'x') } end)
      e:emit('x', 1, 2)
      e:emit('x', 3)
      core.settle()
      assert.are.same({ 1, 2 }, log)
      assert.are.same({}, e:eventNames())
    end)

    it('raises on error', function()
      local err
      core.go(function() err = raised(events.once, e, 'x') end)
      e:emit('error', 'bad')
      core.settle()
      assert.are.equal('bad', err.message)
      assert.are.same({}, e:eventNames())
    end)

    it('returns the error when that is waited for', function()
      local got
      core.go(function() got = events.once(e, 'error') end)
      e:emit('error', 'bad')
      core.settle()
      assert.are.equal('bad', got)
    end)

    it('raises when its signal aborts', function()
      local ac, err = abort.AbortController(), nil
      core.go(function() err = raised(events.once, e, 'x', { signal = ac.signal }) end)
      ac:abort 'why'
      core.settle()
      assert.are.equal('ABORT_ERR', err.code)
      assert.are.equal('AbortError', err.name)
      assert.are.equal('why', err.cause)
      assert.are.same({}, e:eventNames())
      core.go(function() err = raised(events.once, e, 'y', { signal = ac.signal }) end)
      assert.are.equal('ABORT_ERR', err.code)
      assert.are.same({}, e:eventNames())
    end)

    it('takes its listener off the signal', function()
      local ac = abort.AbortController()
      core.go(function() events.once(e, 'x', { signal = ac.signal }) end)
      assert.are.equal(1, ac.signal:listenerCount 'abort')
      e:emit 'x'
      assert.are.equal(0, ac.signal:listenerCount 'abort')
    end)

    it('waits for signals too', function()
      local ac, reason = abort.AbortController(), nil
      core.go(function() reason = events.once(ac.signal, 'abort') end)
      ac:abort 'why'
      core.settle()
      assert.are.equal('why', reason)
    end)

    it('refuses what is no signal', function()
      assert.are.equal('The "options.signal" property must be an instance of AbortSignal. Received type number (5)',
        raised(events.once, e, 'x', { signal = 5 }).message)
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(events.on, e, 'x', { signal = {} }).code)
    end)

    it('adds nothing where it cannot wait', function()
      local err
      coroutine.wrap(function() err = raised(events.once, e, 'x') end)()
      assert.are.equal('ERR_CANNOT_WAIT', err.code)
      assert.are.same({}, e:eventNames())
    end)
  end)

  describe('events.on', function()
    it('gives each event as a table of its arguments, kept or waited for', function()
      local it = events.on(e, 'x', { close = { 'end' } })
      e:emit('x', 1)
      e:emit 'x'
      core.go(function()
        for args in it do log[#log + 1] = args.n .. ' ' .. tostring(args[1]) .. ' ' .. tostring(args[2]) end
        log[#log + 1] = 'over'
      end)
      assert.are.same({ '1 1 nil', '0 nil nil' }, log)
      e:emit('x', 2, 3)
      e:emit('x', nil, 4)
      core.settle()
      e:emit 'end'
      core.settle()
      assert.are.same({ '1 1 nil', '0 nil nil', '2 2 3', '2 nil 4', 'over' }, log)
      assert.are.same({}, e:eventNames())
    end)

    it('gives what came before it raises an error, once', function()
      local it = events.on(e, 'x')
      e:emit('x', 1)
      e:emit('error', 'bad')
      core.go(function()
        log[1] = it()[1]
        log[2] = raised(it.next, it).message
        log[3] = tostring(it())
      end)
      assert.are.same({ 1, 'bad', 'nil' }, log)
      assert.are.same({}, e:eventNames())
    end)

    it('raises in the one who waits', function()
      core.go(function() log[1] = raised(events.on(e, 'x')).message end)
      e:emit('error', 'bad')
      core.settle()
      assert.are.same({ 'bad' }, log)
    end)

    it('ends for all who wait when it is closed', function()
      local it = events.on(e, 'x')
      for i = 1, 2 do
        core.go(function() log[i] = tostring(it()) end)
      end
      it:close()
      it:close()
      core.settle()
      assert.are.same({ 'nil', 'nil' }, log)
      assert.are.same({}, e:eventNames())
    end)

    it('serves those who wait in their order', function()
      local it = events.on(e, 'x')
      for i = 1, 2 do
        core.go(function()
          local got = it()[1]
          log[#log + 1] = i .. ' ' .. got
        end)
      end
      e:emit('x', 'a')
      e:emit('x', 'b')
      core.settle()
      assert.are.same({ '1 a', '2 b' }, log)
      it:close()
    end)

    it('raises an AbortError when its signal aborts', function()
      local ac = abort.AbortController()
      local it = events.on(e, 'x', { signal = ac.signal })
      ac:abort 'why'
      core.go(function() log[1] = raised(it).cause end)
      assert.are.same({ 'why' }, log)
      assert.are.equal('ABORT_ERR', raised(events.on, e, 'x', { signal = ac.signal }).code)
      assert.are.same({}, e:eventNames())
    end)

    it('forgets what was taken', function()
      local it, weak = events.on(e, 'x'), setmetatable({}, { __mode = 'v' })
      for i = 1, 3 do
        weak[i] = {}
        e:emit('x', weak[i])
      end
      core.go(function() return it() and nil end)
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
      assert.is_truthy(weak[2])
      it:close()
    end)

    it('gives error events where they are asked for', function()
      local it = events.on(e, 'error')
      e:emit('error', 'bad')
      core.go(function() log[1] = it()[1] end)
      assert.are.same({ 'bad' }, log)
      it:close()
    end)

    it('pauses and resumes the emitter by its marks', function()
      function e.pause() log[#log + 1] = 'pause' end
      function e.resume() log[#log + 1] = 'resume' end
      local it = events.on(e, 'x', { highWaterMark = 2, lowWaterMark = 2 })
      e:emit('x', 1)
      e:emit('x', 2)
      assert.are.same({}, log)
      e:emit('x', 3)
      e:emit('x', 4)
      assert.are.same({ 'pause' }, log)
      core.go(function()
        it()
        it()
        assert.are.same({ 'pause' }, log)
        it()
      end)
      assert.are.same({ 'pause', 'resume' }, log)
      e:emit('x', 5)
      assert.are.same({ 'pause', 'resume' }, log)
      e:emit('x', 6)
      assert.are.same({ 'pause', 'resume', 'pause' }, log)
      it:close()
      events.on(e, 'x', { highWaterMark = 1, lowWaterMark = 1 }):close()
      assert.are.equal('ERR_OUT_OF_RANGE', raised(events.on, e, 'x', { highWaterMark = 0 }).code)
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(events.on, e, 'x', { lowWaterMark = 'a' }).code)
      assert.are.same({}, e:eventNames())
    end)
  end)
end)
