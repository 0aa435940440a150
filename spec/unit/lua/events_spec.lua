-- SPDX-License-Identifier: MIT
-- All of weir.events but what waits, which is in events_wait_spec.
dofile 'spec/unit/lua/stand_in.lua'
local events = require 'weir.events'
local errors = require 'weir.errors'

local EventEmitter = events.EventEmitter

local function raised(fn, ...)
  local good, err = pcall(fn, ...)
  assert.is_false(good)
  return err
end

local function some() end
local function second() end
local function third() end

-- A listener that writes down its name and arguments.
local function logger(log, name)
  return function(...) log[#log + 1] = table.concat({ name, ... }, ' ') end
end

describe('weir.events', function()
  local e, log
  before_each(function()
    e, log = EventEmitter(), {}
  end)

  describe('emit', function()
    it('calls listeners in the order of adding, with the arguments only', function()
      e:on('x', logger(log, 'a')):on('x', logger(log, 'b')):prependListener('x', logger(log, 'c'))
      assert.is_true(e:emit('x', 1, 2))
      assert.are.same({ 'c 1 2', 'a 1 2', 'b 1 2' }, log)
    end)

    it('says whether somebody listened', function()
      assert.is_false(e:emit 'x')
      e:on('y', some)
      assert.is_false(e:emit 'x')
      e:on('x', logger(log, 'x'))
      assert.is_true(e:emit 'x')
      e:on('x', logger(log, 'x'))
      assert.is_true(e:emit 'x')
    end)

    it('hands over exactly as many arguments as it was given, to one listener and to several', function()
      local counts = {}
      local function count(...) counts[#counts + 1] = select('#', ...) end
      for _ = 1, 2 do
        e:on('x', count)
        e:emit 'x'
        e:emit('x', nil)
        e:emit('x', nil, nil)
        e:emit('x', 1, nil, 3, nil)
      end
      assert.are.same({ 0, 1, 2, 4, 0, 0, 1, 1, 2, 2, 4, 4 }, counts)
    end)

    it('calls those who listened when it began', function()
      local function late() log[#log + 1] = 'late' end
      local later = logger(log, 'second')
      e:on('x', function()
        log[#log + 1] = 'first'
        e:off('x', later)
        e:on('x', late)
      end)
      e:on('x', later)
      e:emit 'x'
      assert.are.same({ 'first', 'second' }, log)
      e:emit 'x'
      assert.are.same({ 'first', 'second', 'first', 'late' }, log)
    end)

    it('keeps what is added during it for the next one', function()
      e:on('x', function()
        log[#log + 1] = 'first'
        if #log > 1 then return end
        e:prependListener('x', logger(log, 'before'))
        e:on('x', logger(log, 'after'))
      end)
      e:on('x', logger(log, 'second'))
      e:emit 'x'
      assert.are.same({ 'first', 'second' }, log)
      e:emit 'x'
      assert.are.same({ 'first', 'second', 'before', 'first', 'second', 'after' }, log)
    end)

    it('calls all of them although removeAllListeners comes in between, and nested emits see the change', function()
      e:on('x', function()
        e:removeAllListeners 'x'
        log[#log + 1] = tostring(e:emit 'x')
      end)
      e:on('x', logger(log, 'second'))
      e:emit 'x'
      assert.are.same({ 'false', 'second' }, log)
    end)

    it('calls again for a nested emit', function()
      local depth = 0
      e:on('x', function()
        depth = depth + 1
        log[#log + 1] = 'a' .. depth
        if depth < 2 then e:emit 'x' end
      end)
      e:on('x', logger(log, 'b'))
      e:emit 'x'
      assert.are.same({ 'a1', 'a2', 'b', 'b' }, log)
    end)

    it('raises what a listener raises, and works as before afterwards', function()
      e:on('x', logger(log, 'a'))
      local function bad() error 'bad' end
      e:on('x', bad)
      e:on('x', logger(log, 'c'))
      assert.is_truthy(raised(e.emit, e, 'x'):find 'bad$')
      e:off('x', bad)
      e:emit 'x'
      e:on('x', logger(log, 'd'))
      e:emit 'x'
      assert.are.same({ 'a', 'a', 'c', 'a', 'c', 'd' }, log)
    end)

    it('copies a list only when it is changed during an emit', function()
      e:on('x', some):on('x', second)
      local list = e._events.x
      e:emit 'x'
      e:emit('x', 1)
      e:on('x', third):off('x', some)
      assert.are.equal(list, e._events.x)
      e:once('x', third)
      e:emit 'x'
      assert.are_not.equal(list, e._events.x)
      assert.are.same({ second, third }, e:listeners 'x')
    end)

    it('takes any value but nil as a name', function()
      local key = {}
      e:on(key, logger(log, 'table'))
      e:on(1, logger(log, 'one'))
      e:emit(key)
      e:emit(1)
      assert.are.same({ 'table', 'one' }, log)
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(e.on, e, nil, some).code)
    end)
  end)

  describe('error', function()
    it('raises an error object as it is if nobody listens', function()
      local err = errors.new 'boom'
      assert.are.equal(err, raised(e.emit, e, 'error', err))
      e:on('x', some)
      assert.are.equal(err, raised(e.emit, e, 'error', err))
    end)

    it('wraps anything else', function()
      for _, case in ipairs { { 'bad', "'bad'" }, { { a = 1 }, '{ a = 1 }' }, { nil, 'nil' } } do
        local err = raised(e.emit, e, 'error', case[1])
        assert.are.equal('ERR_UNHANDLED_ERROR', err.code)
        assert.are.equal('Unhandled error. (' .. case[2] .. ')', err.message)
        assert.are.equal(case[1], err.context)
      end
    end)

    it('goes to its listeners if there are any', function()
      e:on('error', logger(log, 'error'))
      assert.is_true(e:emit('error', 'bad'))
      assert.are.same({ 'error bad' }, log)
    end)

    it('goes to the monitor first, which is no listener', function()
      e:on(events.errorMonitor, logger(log, 'monitor'))
      assert.are.equal('ERR_UNHANDLED_ERROR', raised(e.emit, e, 'error', 'bad').code)
      e:on('error', logger(log, 'error'))
      e:emit('error', 'again')
      assert.are.same({ 'monitor bad', 'monitor again', 'error again' }, log)
    end)

    it('raises again when its listener was removed', function()
      e:once('error', logger(log, 'error'))
      e:emit('error', 'bad')
      assert.are.equal('ERR_UNHANDLED_ERROR', raised(e.emit, e, 'error', 'bad').code)
    end)
  end)

  describe('once', function()
    it('calls a listener once, removed before it is called', function()
      e:once('x', function(v) log[#log + 1] = v .. ' ' .. e:listenerCount 'x' end)
      e:emit('x', 'a')
      e:emit('x', 'b')
      assert.are.same({ 'a 0' }, log)
    end)

    it('does not call it again in a nested emit', function()
      e:once('x', function()
        log[#log + 1] = 'once'
        e:emit 'x'
      end)
      e:on('x', logger(log, 'on'))
      e:emit 'x'
      assert.are.same({ 'once', 'on', 'on' }, log)
    end)

    it('is removed by its listener', function()
      local listener = logger(log, 'x')
      e:once('x', listener)
      e:off('x', listener)
      assert.is_false(e:emit 'x')
      e:once('x', listener):once('x', listener)
      e:off('x', listener)
      e:emit 'x'
      assert.are.same({ 'x' }, log)
    end)

    it('may be prepended', function()
      e:on('x', logger(log, 'a'))
      e:prependOnceListener('x', logger(log, 'b'))
      e:emit 'x'
      e:emit 'x'
      assert.are.same({ 'b', 'a', 'a' }, log)
    end)

    it('goes through an overridden on', function()
      local Sub = EventEmitter:extend 'Sub'
      function Sub:on(name, listener)
        log[#log + 1] = 'on ' .. name
        return EventEmitter.on(self, name, listener)
      end
      Sub():once('data', some)
      assert.are.same({ 'on data' }, log)
    end)

    it('leaves nothing behind', function()
      local weak = setmetatable({}, { __mode = 'v' })
      for i = 1, 3 do
        local listener = function() log[i] = e end
        weak[i] = listener
        e:once('x', listener)
      end
      e:emit 'x'
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end)

    it('is called once although its wrapper is called again', function()
      e:once('x', logger(log, 'x'))
      local wrapper = e:rawListeners 'x'[1]
      wrapper(1)
      wrapper(2)
      assert.are.same({ 'x 1' }, log)
    end)

    it('leaves nothing behind after removeAllListeners', function()
      local weak = setmetatable({}, { __mode = 'v' })
      for i, name in ipairs { 'one', 'two', 'two' } do
        local listener = function() log[i] = e end
        weak[i] = listener
        e:once(name, listener)
      end
      e:removeAllListeners 'one'
      e:removeAllListeners 'two'
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end)

    it('keeps no emitter alive', function()
      local weak = setmetatable({}, { __mode = 'k' })
      do
        local other = EventEmitter()
        weak[other] = true
        other:once('x', function() return other end)
      end
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end)
  end)

  describe('off', function()
    it('removes the one that was added last', function()
      local a, b = logger(log, 'a'), logger(log, 'b')
      e:on('x', a):on('x', b):on('x', a)
      e:off('x', a)
      e:emit 'x'
      assert.are.same({ 'a', 'b' }, log)
    end)

    it('ignores listeners that are not there', function()
      assert.are.equal(e, e:off('x', some))
      e:on('x', logger(log, 'x'))
      e:off('x', some):off('y', some)
      e:on('x', logger(log, 'y'))
      e:off('x', some)
      e:emit 'x'
      assert.are.same({ 'x', 'y' }, log)
    end)

    it('takes functions only, as on and once do', function()
      for _, method in ipairs { 'on', 'once', 'off', 'prependListener', 'prependOnceListener' } do
        local err = raised(e[method], e, 'x', {})
        assert.are.equal('ERR_INVALID_ARG_TYPE', err.code)
        assert.are.equal('The "listener" argument must be of type function. Received a table', err.message)
      end
      assert.are.same({}, e:eventNames())
    end)

    it('has the names addListener and removeListener', function()
      assert.are.equal(EventEmitter.on, EventEmitter.addListener)
      assert.are.equal(EventEmitter.off, EventEmitter.removeListener)
    end)
  end)

  describe('newListener and removeListener', function()
    it('come before adding and after removing, with the listener as it was given', function()
      local function note(what)
        return function(name, fn)
          log[#log + 1] = ('%s %s %s %d'):format(what, name, tostring(fn == some), e:listenerCount(name))
        end
      end
      e:on('newListener', note 'new')
      e:on('removeListener', note 'gone')
      e:on('x', some)
      e:once('x', some)
      e:off('x', some)
      e:off('x', some)
      assert.are.same({ 'new removeListener false 0', 'new x true 0', 'new x true 1', 'gone x true 1', 'gone x true 0' }, log)
    end)

    it('comes when a once listener is called, before it', function()
      local function listener() log[#log + 1] = 'called' end
      e:on('removeListener', function(_, fn) log[#log + 1] = 'gone ' .. tostring(fn == listener) end)
      e:once('x', listener)
      e:on('x', logger(log, 'other'))
      e:emit 'x'
      assert.are.same({ 'gone true', 'called', 'other' }, log)
    end)

    it('lets newListener add in front', function()
      e:once('newListener', function(name)
        if name == 'x' then e:on('x', logger(log, 'before')) end
      end)
      e:on('x', logger(log, 'after'))
      e:emit 'x'
      assert.are.same({ 'before', 'after' }, log)
    end)
  end)

  describe('removeAllListeners', function()
    it('removes those of one event', function()
      e:on('x', some):on('x', some):once('y', some)
      assert.are.equal(e, e:removeAllListeners 'x')
      assert.are.same({ 'y' }, e:eventNames())
      e:removeAllListeners 'y'
      e:removeAllListeners 'y'
      assert.are.same({}, e:eventNames())
    end)

    it('removes all', function()
      e:on('x', some):on('y', some):on('y', some)
      e:removeAllListeners()
      assert.are.same({}, e:eventNames())
      assert.is_false(e:emit 'y')
      EventEmitter():removeAllListeners()
    end)

    it('tells removeListener of each, the last one first, its own at the end', function()
      local names = {}
      local function a() end
      local function b() end
      names[a], names[b] = 'a', 'b'
      e:on('removeListener', function(name, fn) log[#log + 1] = name .. ' ' .. (names[fn] or '?') end)
      e:on('x', a):once('x', b):on('y', a)
      e:removeAllListeners 'x'
      assert.are.same({ 'x b', 'x a' }, log)
      e:removeAllListeners()
      assert.are.same({ 'x b', 'x a', 'y a' }, log)
      assert.are.same({}, e:eventNames())
    end)
  end)

  describe('asking', function()
    it('counts', function()
      assert.are.equal(0, e:listenerCount 'x')
      e:on('x', some)
      assert.are.equal(1, e:listenerCount 'x')
      e:once('x', second):on('x', some)
      assert.are.equal(3, e:listenerCount 'x')
      assert.are.equal(2, e:listenerCount('x', some))
      assert.are.equal(1, e:listenerCount('x', second))
      assert.are.equal(0, e:listenerCount('x', third))
      assert.are.equal(0, e:listenerCount('y', third))
      e:once('y', second)
      assert.are.equal(1, e:listenerCount('y', second))
      assert.are.equal(0, e:listenerCount('y', some))
    end)

    it('lists', function()
      e:once('y', some)
      assert.are.same({ some }, e:listeners 'y')
      e:removeAllListeners 'y'
      e:on('x', some):once('x', second)
      assert.are.same({ some, second }, e:listeners 'x')
      local raw = e:rawListeners 'x'
      assert.are.equal(some, raw[1])
      assert.are_not.equal(second, raw[2])
      raw[1] = nil
      assert.are.same({ some, second }, e:listeners 'x')
      e:rawListeners 'x'[2]()
      assert.are.same({ some }, e:listeners 'x')
      assert.are.same({}, e:listeners 'y')
    end)

    it('names events in the order of their first listeners', function()
      assert.are.same({}, e:eventNames())
      for _, name in ipairs { 'c', 'a', 'b', 'a', 'd' } do e:on(name, some) end
      assert.are.same({ 'c', 'a', 'b', 'd' }, e:eventNames())
      e:off('a', some):off('c', some)
      assert.are.same({ 'a', 'b', 'd' }, e:eventNames())
      e:on('c', some)
      assert.are.same({ 'a', 'b', 'd', 'c' }, e:eventNames())
    end)
  end)

  describe('the functions of the module', function()
    local signal
    before_each(function() signal = require('weir.abort').AbortController().signal end)

    it('list the listeners of emitters and signals', function()
      e:on('x', some):once('x', third)
      assert.are.same({ some, third }, events.getEventListeners(e, 'x'))
      assert.are.same({}, events.getEventListeners(e, 'y'))
      assert.are.same({}, events.getEventListeners(signal, 'abort'))
      signal:on('abort', some):on('abort', third):on('abort', print):off('abort', third)
      assert.are.same({ some, print }, events.getEventListeners(signal, 'abort'))
      assert.are.same({}, events.getEventListeners(signal, 'error'))
      events.getEventListeners(signal, 'abort')[1] = nil
      assert.are.equal(2, signal:listenerCount 'abort')
    end)

    it('set the maximum of some, or of all', function()
      local other = EventEmitter()
      events.setMaxListeners(3, e, signal)
      assert.are.same({ 3, 10, 0 }, { events.getMaxListeners(e), events.getMaxListeners(other), events.getMaxListeners(signal) })
      events.setMaxListeners(7)
      local max = { events.getMaxListeners(e), events.getMaxListeners(other) }
      events.setMaxListeners(10)
      assert.are.same({ 3, 7 }, max)
    end)

    it('check their arguments, and then change nothing', function()
      for _, bad in ipairs { {}, 5, 'x' } do
        assert.are.equal('ERR_INVALID_ARG_TYPE', raised(events.getEventListeners, bad, 'x').code)
        assert.are.equal('ERR_INVALID_ARG_TYPE', raised(events.getMaxListeners, bad).code)
        assert.are.equal('ERR_INVALID_ARG_TYPE', raised(events.setMaxListeners, 3, e, bad).code)
      end
      assert.are.equal(10, e:getMaxListeners())
      assert.are.equal('ERR_OUT_OF_RANGE', raised(events.setMaxListeners, -1).code)
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(events.setMaxListeners, 'a', e).code)
    end)
  end)

  describe('the warning of leaks', function()
    local warnings
    before_each(function()
      warnings = {}
      events.setWarningHook(function(warning) warnings[#warnings + 1] = warning end)
    end)
    after_each(function() events.setWarningHook() end)

    it('comes once an emitter and event, at the eleventh listener', function()
      for _ = 1, 10 do e:on('foo', some) end
      assert.are.equal(0, #warnings)
      for _ = 1, 5 do e:on('foo', some) end
      assert.are.equal(1, #warnings)
      assert.are.equal('MaxListenersExceededWarning', warnings[1].name)
      assert.are.equal('Possible EventEmitter memory leak detected. 11 foo listeners added to [EventEmitter]. MaxListeners is 10. '
        .. 'Use emitter.setMaxListeners() to increase limit', warnings[1].message)
      assert.are.equal(e, warnings[1].emitter)
      assert.are.equal('foo', warnings[1].type)
      assert.are.equal(11, warnings[1].count)
      for _ = 1, 11 do e:on('bar', some) end
      assert.are.equal(2, #warnings)
    end)

    it('says the name of a stream', function()
      e.name = 'upload'
      for _ = 1, 11 do e:on('foo', some) end
      assert.is_truthy(warnings[1].message:find('added to [EventEmitter upload].', 1, true))
    end)

    it('comes once although the list is copied during an emit', function()
      for _ = 1, 11 do e:on('foo', some) end
      e:removeAllListeners 'foo'
      warnings = {}
      e:on('foo', function() e:on('foo', third) end)
      for _ = 1, 9 do e:on('foo', third) end
      e:emit 'foo'
      e:emit 'foo'
      e:emit 'foo'
      assert.are.equal(1, #warnings)
    end)

    it('follows setMaxListeners and the default', function()
      e:setMaxListeners(1)
      e:on('foo', some):on('foo', some)
      assert.are.equal(1, #warnings)
      local free = EventEmitter():setMaxListeners(0)
      for _ = 1, 20 do free:on('foo', some) end
      assert.are.equal(1, #warnings)
      assert.are.equal(10, EventEmitter():getMaxListeners())
      assert.are.equal(0, free:getMaxListeners())
      events.defaultMaxListeners = 2
      local other = EventEmitter()
      for _ = 1, 3 do other:on('foo', some) end
      events.defaultMaxListeners = 10
      assert.are.equal(2, #warnings)
    end)

    it('checks the number', function()
      assert.are.equal('The value of "setMaxListeners" is out of range. It must be >= 0. Received -1',
        raised(e.setMaxListeners, e, -1).message)
      assert.are.equal('ERR_OUT_OF_RANGE', raised(e.setMaxListeners, e, 0 / 0).code)
      assert.are.equal('ERR_INVALID_ARG_TYPE', raised(e.setMaxListeners, e, 'a').code)
    end)

    it('is printed without a hook', function()
      events.setWarningHook()
      local real, text = io.stderr, {}
      rawset(io, 'stderr', { write = function(_, ...) text[#text + 1] = table.concat { ... } end })
      local good = pcall(function()
        for _ = 1, 11 do e:on('foo', some) end
      end)
      rawset(io, 'stderr', real)
      assert.is_true(good)
      assert.is_truthy(text[1]:find('^%(weir%) MaxListenersExceededWarning: Possible EventEmitter memory leak detected'))
      assert.are.equal('\n', text[1]:sub(-1))
    end)
  end)

  it('tells a subclass how many listen, whenever that changes', function()
    local Sub = EventEmitter:extend 'Sub'
    function Sub:_listening(name, count)
      assert.are.equal(count, self:listenerCount(name))
      log[#log + 1] = name .. ' ' .. count
    end
    local s = Sub()
    s:on('x', some):once('x', second):prependListener('x', some)
    s:emit 'x'
    s:off('x', some):off('x', some):off('x', some)
    s:on('y', some):on('y', some):on('z', some)
    s:removeAllListeners 'y'
    s:removeAllListeners()
    assert.are.same({ 'x 1', 'x 2', 'x 3', 'x 2', 'x 1', 'x 0', 'y 1', 'y 2', 'z 1', 'y 0', 'z 0' }, log)
  end)

  it('may call its init', function()
    local Sub = EventEmitter:extend 'Sub'
    function Sub:init()
      EventEmitter.init(self)
      self.ready = true
    end
    assert.is_true(Sub().ready)
    assert.is_true(Sub():on('x', some):emit 'x')
  end)
end)
