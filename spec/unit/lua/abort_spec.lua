-- SPDX-License-Identifier: MIT
-- Signals: order, removal, what they keep alive, timeouts and combinations.
local abort = require 'weir.abort'
local errors = require 'weir.errors'

local AbortController, AbortSignal = abort.AbortController, abort.AbortSignal

local function raised(fn, ...)
  local good, err = pcall(fn, ...)
  assert.is_false(good)
  return err
end

local function collected(weak)
  collectgarbage()
  collectgarbage()
  return next(weak) == nil
end

describe('weir.abort', function()
  local ac, signal, log
  local function logger(name)
    return function(reason) log[#log + 1] = name .. ' ' .. tostring(reason) end
  end
  before_each(function()
    ac, log = AbortController(), {}
    signal = ac.signal
  end)

  it('aborts once, with the first reason', function()
    assert.is_false(signal.aborted)
    assert.is_nil(signal.reason)
    signal:throwIfAborted()
    signal:on('abort', logger 'a')
    ac:abort 'why'
    ac:abort 'other'
    assert.is_true(signal.aborted)
    assert.are.equal('why', signal.reason)
    assert.are.same({ 'a why' }, log)
    assert.are.equal('why', raised(signal.throwIfAborted, signal))
  end)

  it('has a reason of its own', function()
    ac:abort()
    assert.are.equal('AbortError', signal.reason.name)
    assert.are.equal('ABORT_ERR', signal.reason.code)
    assert.are.equal('This operation was aborted', signal.reason.message)
    local other = AbortController()
    other:abort(false)
    assert.is_false(other.signal.reason)
  end)

  it('is aborted when its listeners are called', function()
    signal:on('abort', function() log[1] = signal.aborted end)
    ac:abort()
    assert.are.same({ true }, log)
  end)

  it('calls in the order of adding, onabort in its place, each function once', function()
    local a = logger 'a'
    signal:on('abort', a)
    signal.onabort = logger 'lost'
    signal:once('abort', logger 'c')
    signal:addEventListener('abort', a)
    signal.onabort = logger 'b'
    ac:abort 'x'
    assert.are.same({ 'a x', 'b x', 'c x' }, log)
  end)

  it('gives back onabort, and forgets it', function()
    local listener = logger 'a'
    assert.is_nil(signal.onabort)
    signal.onabort = listener
    assert.are.equal(listener, signal.onabort)
    assert.are.equal(1, signal:listenerCount 'abort')
    signal.onabort = nil
    assert.is_nil(signal.onabort)
    assert.are.equal(0, signal:listenerCount 'abort')
    ac:abort()
    assert.are.same({}, log)
  end)

  it('does not call who listens afterwards', function()
    ac:abort()
    signal:on('abort', logger 'late')
    ac:abort()
    assert.are.same({}, log)
    assert.are.equal(0, signal:listenerCount 'abort')
  end)

  it('does not call who was removed, also during the abort', function()
    local a, c = logger 'a', logger 'c'
    signal:on('abort', a)
    signal:on('abort', function() signal:removeListener('abort', c) end)
    signal:on('abort', c)
    signal:on('abort', logger 'd')
    signal:off('abort', a):off('abort', print)
    ac:abort 'x'
    assert.are.same({ 'd x' }, log)
  end)

  it('keeps its place when many are removed during the abort', function()
    local fns = {}
    signal:on('abort', function()
      for i = 1, 40 do
        if i ~= 20 and i ~= 40 then signal:off('abort', fns[i]) end
      end
    end)
    for i = 1, 40 do
      fns[i] = logger(tostring(i))
      signal:on('abort', fns[i])
    end
    ac:abort 'x'
    assert.are.same({ '20 x', '40 x' }, log)
  end)

  it('skips nobody when those who were called are removed', function()
    local fns, expected = {}, {}
    for i = 1, 40 do
      fns[i] = function()
        log[#log + 1] = i
        for k = 1, i == 30 and 29 or 0 do signal:off('abort', fns[k]) end
      end
      expected[i] = i
      signal:on('abort', fns[i])
    end
    ac:abort()
    assert.are.same(expected, log)
  end)

  it('does not begin again when a listener aborts', function()
    signal:on('abort', function()
      log[#log + 1] = 'a'
      if #log < 5 then ac:abort() end
    end)
    ac:abort()
    assert.are.same({ 'a' }, log)
  end)

  it('forgets its listeners after it', function()
    local weak = setmetatable({}, { __mode = 'k' })
    local function add()
      local function listener() log[#log + 1] = ac end
      weak[listener] = true
      signal:on('abort', listener)
    end
    add()
    assert.is_false(collected(weak))
    ac:abort()
    assert.is_true(collected(weak))
  end)

  it('does not call who is added during the abort', function()
    signal:on('abort', function() signal:on('abort', logger 'late') end)
    ac:abort()
    assert.are.same({}, log)
  end)

  it('calls the rest although one raises, and raises the first error then', function()
    local first = errors.new 'first'
    signal:on('abort', logger 'a')
    signal:on('abort', function() error(first) end)
    signal:on('abort', function() error 'second' end)
    signal:on('abort', logger 'b')
    assert.are.equal(first, raised(ac.abort, ac, 'x'))
    assert.are.same({ 'a x', 'b x' }, log)
  end)

  it('keeps order and numbers through many removals', function()
    local fns, expected = {}, {}
    for i = 1, 1000 do
      fns[i] = function() log[#log + 1] = i end
      signal:on('abort', fns[i])
    end
    for i = 1, 1000 do
      if i % 7 == 0 then expected[#expected + 1] = i else signal:off('abort', fns[i]) end
    end
    assert.are.equal(#expected, signal:listenerCount 'abort')
    ac:abort()
    assert.are.same(expected, log)
  end)

  it('does not grow with listeners that come and go', function()
    for _ = 1, 10000 do
      local fn = function() end
      signal:on('abort', fn)
      signal:off('abort', fn)
    end
    assert.is_true(signal._listeners.top < 100)
  end)

  it('takes functions only, and ignores other events', function()
    assert.are.equal('ERR_INVALID_ARG_TYPE', raised(signal.on, signal, 'abort', {}).code)
    signal:off('abort', print)
    signal:on('error', print)
    assert.are.equal(0, signal:listenerCount 'error')
    signal:off('error', print)
    signal:on('abort', print)
    assert.are.equal(0, signal:listenerCount 'error')
    assert.are.equal(1, signal:listenerCount 'abort')
    signal:off('error', print)
    assert.are.equal(1, signal:listenerCount 'abort')
  end)

  it('cannot be made by hand', function()
    assert.are.equal('ERR_ILLEGAL_CONSTRUCTOR', raised(AbortSignal).code)
    assert.are.equal('ERR_ILLEGAL_CONSTRUCTOR', raised(AbortSignal, {}).code)
  end)

  it('shows itself', function()
    local show = require 'weir.show'
    assert.are.equal('AbortSignal { aborted = false }', show.show(signal))
  end)

  describe('AbortSignal.abort', function()
    it('has aborted', function()
      assert.is_true(AbortSignal.abort().aborted)
      assert.are.equal('AbortError', AbortSignal.abort().reason.name)
      assert.are.equal('why', AbortSignal.abort('why').reason)
    end)

    it('is not the way to abort a signal', function()
      assert.are.equal('ERR_INVALID_ARG_VALUE', raised(signal.abort, signal).code)
      assert.is_false(signal.aborted)
    end)
  end)

  describe('AbortSignal.timeout', function()
    local timers
    before_each(function()
      timers = {}
      abort.setTimers(function(callback, ms)
        local timer = { ms = ms, fire = callback }
        timers[#timers + 1] = timer
        return timer
      end, function(timer) timer.unreferenced = true end)
    end)

    it('aborts when the time is over, by a timer that keeps nothing alive', function()
      local timed = AbortSignal.timeout(50)
      timed:on('abort', logger 'a')
      assert.are.equal(50, timers[1].ms)
      assert.is_true(timers[1].unreferenced)
      assert.is_false(timed.aborted)
      timers[1].fire()
      assert.is_true(timed.aborted)
      assert.are.equal('TimeoutError', timed.reason.name)
      assert.are.equal('TIMEOUT_ERR', timed.reason.code)
      assert.are.equal('The operation was aborted due to timeout', timed.reason.message)
      assert.are.equal(1, #log)
    end)

    it('aborts also if nobody listens', function()
      local timed = AbortSignal.timeout(1)
      timers[1].fire()
      assert.is_true(timed.aborted)
    end)

    it('holds a signal only while somebody listens', function()
      local weak = setmetatable({}, { __mode = 'k' })
      local listener = logger 'a'
      local function make(listened) -- a function of its own: no stack slot refers to the signal afterwards
        local made = AbortSignal.timeout(1)
        weak[made] = true
        if listened then made:on('abort', listener) end
      end
      local function leave() next(weak):off('abort', listener) end
      make(false)
      assert.is_true(collected(weak))
      timers[1].fire()
      make(true)
      assert.is_false(collected(weak))
      leave()
      assert.is_true(collected(weak))
      make(true)
      assert.is_false(collected(weak))
      timers[3].fire()
      assert.are.equal(1, #log)
      assert.is_true(collected(weak))
    end)

    it('checks the time', function()
      assert.are.equal('The "delay" argument must be of type number. Received type string (\'a\')',
        raised(AbortSignal.timeout, 'a').message)
      assert.are.equal('The value of "delay" is out of range. It must be >= 0 && <= 4294967295. Received -1',
        raised(AbortSignal.timeout, -1).message)
      assert.are.equal('ERR_OUT_OF_RANGE', raised(AbortSignal.timeout, 0 / 0).code)
      assert.are.equal('ERR_OUT_OF_RANGE', raised(AbortSignal.timeout, 2 ^ 32).code)
      assert.are.equal(0, #timers)
      AbortSignal.timeout(0)
      AbortSignal.timeout(2 ^ 32 - 1)
      assert.are.equal(2, #timers)
    end)

    it('says that there are no timers', function()
      abort.setTimers(nil)
      assert.are.equal('ERR_INVALID_STATE', raised(AbortSignal.timeout, 1).code)
    end)
  end)

  describe('AbortSignal.any', function()
    local other, any
    before_each(function()
      other = AbortController()
      any = AbortSignal.any { signal, other.signal }
    end)

    it('aborts with the first of them and its reason', function()
      any:on('abort', logger 'any')
      assert.is_false(any.aborted)
      other:abort 'other'
      ac:abort 'first'
      assert.is_true(any.aborted)
      assert.are.equal('other', any.reason)
      assert.are.same({ 'any other' }, log)
    end)

    it('knows the first one also if nobody listened', function()
      other:abort 'other'
      ac:abort 'first'
      assert.are.equal('other', any.reason)
      assert.is_true(any.aborted)
      any:on('abort', logger 'late')
      assert.are.same({}, log)
    end)

    it('has aborted if one of them has', function()
      other:abort 'other'
      assert.are.equal('other', AbortSignal.any({ signal, other.signal }).reason)
      assert.is_false(AbortSignal.any({}).aborted)
    end)

    it('calls its listeners after those of the source, which see it aborted', function()
      any:on('abort', logger 'any')
      signal:on('abort', function() log[#log + 1] = tostring(any.aborted) end)
      ac:abort 'x'
      assert.are.same({ 'true', 'any x' }, log)
    end)

    it('works over several levels', function()
      local third = AbortController()
      local top = AbortSignal.any { any, third.signal }
      top:on('abort', logger 'top')
      top.onabort = logger 'handler'
      ac:abort 'x'
      third:abort 'y'
      assert.are.same({ 'top x', 'handler x' }, log)
      local unheard = AbortSignal.any { any, third.signal }
      assert.are.equal('x', unheard.reason)
    end)

    it('leaves nothing at its sources when nobody listens', function()
      local weak = setmetatable({}, { __mode = 'k' })
      local listener = logger 'a'
      local function make()
        local mine = AbortSignal.any { signal }
        weak[mine] = true
        mine:on('abort', listener)
      end
      local function leave() next(weak):off('abort', listener) end
      make()
      assert.are.equal(1, signal._dependents.count)
      assert.is_false(collected(weak))
      leave()
      assert.are.equal(0, signal._dependents.count)
      assert.is_true(collected(weak))
    end)

    it('stays alive while somebody listens', function()
      local function make() AbortSignal.any({ signal }):on('abort', logger 'a') end
      make()
      collectgarbage()
      collectgarbage()
      ac:abort 'x'
      assert.are.same({ 'a x' }, log)
    end)

    it('leaves the other sources when one has aborted', function()
      any:on('abort', logger 'a')
      assert.are.equal(1, other.signal._dependents.count)
      ac:abort 'x'
      assert.are.equal(0, other.signal._dependents.count)
    end)

    it('takes a list of signals only', function()
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(AbortSignal.any, 5).code)
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(AbortSignal.any, signal).code)
      assert.are.equal('The "signals[2]" argument must be an instance of AbortSignal. Received type number (5)',
        raised(AbortSignal.any, { signal, 5 }).message)
    end)
  end)
end)
