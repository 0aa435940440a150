-- SPDX-License-Identifier: MIT
-- Wrong arguments: every function of streams says what is wrong with Node's code, and knows the line of the script.

local weir = require 'weir'
local support = require 'support'
local within, idle, sink_into, raised = support.within, support.idle, support.sink_into, support.raised

local Readable, Writable, Duplex = weir.Readable, weir.Writable, weir.Duplex
local events, consumers, AbortSignal = weir.events, weir.consumers, weir.AbortSignal

local function nop() end

local function source()
  return Readable.from { 1, 2, 3 }
end

local function sink()
  return sink_into {}
end

local function hop()
  return weir.PassThrough{ objectMode = true }
end

local function over(stream)
  return stream:destroy()
end

local function bytes()
  return Readable{ read = nop }
end

local TYPE, VALUE, RANGE, MISSING = 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE', 'ERR_OUT_OF_RANGE', 'ERR_MISSING_ARGS'
local THIS = 'ERR_INVALID_THIS'

-- { code, function and its arguments ... }; nil is NIL.
local NIL = {}

local cases = {
  pipeline = {
    { MISSING, weir.pipeline },
    { MISSING, weir.pipeline, nop },
    { MISSING, weir.pipeline, source(), nop },
    { MISSING, weir.pipeline, {} },
    { MISSING, weir.pipeline, { source() } },
    { TYPE, weir.pipeline, NIL, sink() },
    { TYPE, weir.pipeline, source(), NIL },
    { TYPE, weir.pipeline, source(), NIL, sink() },
    { TYPE, weir.pipeline, source(), NIL, nop },
    { TYPE, weir.pipeline, { source(), nil, sink() } },
    { TYPE, weir.pipeline, 5, sink() },
    { TYPE, weir.pipeline, source(), 5 },
    { TYPE, weir.pipeline, source(), 'x' },
    { TYPE, weir.pipeline, source(), {}, sink() },
    { TYPE, weir.pipeline, source(), sink(), 5, nop },
    { TYPE, weir.pipeline, source(), Writable },
    { TYPE, weir.pipeline, Readable, sink() },
    { TYPE, weir.pipeline, source(), sink(), weir.AbortController().signal },
    { TYPE, weir.pipeline, sink(), sink() },
    { TYPE, weir.pipeline, source(), source() },
    { TYPE, weir.pipeline, source(), sink(), { signal = 5 } },
    { TYPE, weir.pipeline, source(), sink(), { signal = {} } },
  },
  finished = {
    { TYPE, weir.finished },
    { TYPE, weir.finished, NIL, nop },
    { TYPE, weir.finished, 5, nop },
    { TYPE, weir.finished, {}, nop },
    { TYPE, weir.finished, idle(), 5, nop },
    { TYPE, weir.finished, idle(), {}, 5 },
    { TYPE, weir.finished, idle(), NIL, 5 },
    { TYPE, weir.finished, idle(), { signal = 5 }, nop },
  },
  compose = {
    { MISSING, weir.compose },
    { TYPE, weir.compose, NIL },
    { TYPE, weir.compose, 5 },
    { TYPE, weir.compose, hop(), NIL },
    { VALUE, weir.compose, sink(), hop() },
    { VALUE, weir.compose, hop(), source() },
    { VALUE, weir.compose, hop(), over(hop()) },
    { TYPE, Readable.compose, source() },
    { TYPE, Readable.compose, source(), 5 },
    { VALUE, Readable.compose, source(), source() },
    { TYPE, Readable.compose, source(), hop(), 5 },
    { TYPE, Readable.compose, source(), hop(), { signal = 5 } },
  },
  from = {
    { TYPE, Readable.from },
    { TYPE, Readable.from, 5 },
    { TYPE, Readable.from, { a = 1 } },
    { TYPE, Readable.from, { nil, 2 } },
    { TYPE, Readable.from, Readable },
    { TYPE, Readable.from, sink() },
    { TYPE, Readable.from, {}, 5 },
    { TYPE, Duplex.from },
    { TYPE, Duplex.from, 5 },
    { TYPE, Duplex.from, true },
    { TYPE, Duplex.from, { readable = 5 } },
    { TYPE, Duplex.from, { writable = 5 } },
    { TYPE, Duplex.from, { readable = { a = 1 } } },
  },
  signals = {
    { TYPE, weir.addAbortSignal },
    { TYPE, weir.addAbortSignal, 5, idle() },
    { TYPE, weir.addAbortSignal, idle(), weir.AbortController().signal },
    { TYPE, weir.addAbortSignal, weir.AbortController().signal },
    { TYPE, weir.addAbortSignal, weir.AbortController().signal, 5 },
    { TYPE, weir.addAbortSignal, weir.AbortController().signal, {} },
    { TYPE, Readable, { signal = 5 } },
    { TYPE, AbortSignal.timeout },
    { TYPE, AbortSignal.timeout, 'x' },
    { RANGE, AbortSignal.timeout, -1 },
    { RANGE, AbortSignal.timeout, 1.5 },
    { RANGE, AbortSignal.timeout, 0 / 0 },
    { TYPE, AbortSignal.any },
    { TYPE, AbortSignal.any, 5 },
    { TYPE, AbortSignal.any, { 5 } },
    { 'ERR_ILLEGAL_CONSTRUCTOR', AbortSignal },
    { THIS, weir.AbortController().abort },
  },
  marks = {
    { TYPE, weir.setDefaultHighWaterMark },
    { TYPE, weir.setDefaultHighWaterMark, true, '5' },
    { RANGE, weir.setDefaultHighWaterMark, true, -1 },
    { RANGE, weir.setDefaultHighWaterMark, true, 1.5 },
    { RANGE, weir.setDefaultHighWaterMark, true, 0 / 0 },
    { VALUE, Readable, { highWaterMark = -1 } },
    { VALUE, Readable, { highWaterMark = 'x' } },
    { VALUE, Writable, { highWaterMark = 1.5 } },
    { VALUE, Duplex, { readableHighWaterMark = -1 } },
    { VALUE, Duplex, { writableHighWaterMark = -1 } },
    { TYPE, Readable, 5 },
  },
  helpers = {
    { TYPE, Readable.map, source() },
    { TYPE, Readable.map, source(), 5 },
    { TYPE, Readable.map, source(), nop, 5 },
    { TYPE, Readable.map, source(), nop, { signal = 5 } },
    { RANGE, Readable.map, source(), nop, { concurrency = 0 } },
    { RANGE, Readable.map, source(), nop, { concurrency = 'x' } },
    { RANGE, Readable.map, source(), nop, { highWaterMark = -1 } },
    { TYPE, Readable.filter, source(), 5 },
    { TYPE, Readable.flatMap, source(), 5 },
    { TYPE, Readable.forEach, source(), 5 },
    { TYPE, Readable.some, source(), 5 },
    { TYPE, Readable.every, source(), 5 },
    { TYPE, Readable.find, source(), 5 },
    { TYPE, Readable.reduce, source(), 5 },
    { TYPE, Readable.reduce, source(), nop, 0, 5 },
    { TYPE, Readable.toArray, source(), 5 },
    { TYPE, Readable.toArray, source(), { signal = 5 } },
    { RANGE, Readable.take, source(), -1 },
    { TYPE, Readable.take, source(), 1, 5 },
    { RANGE, Readable.drop, source(), -1 },
    { TYPE, Readable.drop, source(), 1, { signal = 5 } },
    { TYPE, Readable.iter, source(), 5 },
  },
  consumers = {
    { TYPE, consumers.text },
    { TYPE, consumers.text, 5 },
    { TYPE, consumers.text, sink() },
    { TYPE, consumers.text, bytes(), 5 },
    { TYPE, consumers.text, bytes(), { limit = 'x' } },
    { RANGE, consumers.text, bytes(), { limit = -1 } },
    { TYPE, consumers.buffer, 5 },
    { TYPE, consumers.array, 5 },
    { TYPE, consumers.array, source(), { signal = 5 } },
  },
  ['methods of streams'] = {
    { TYPE, Readable.pipe, source() },
    { TYPE, Readable.pipe, source(), 5 },
    { TYPE, Readable.pipe, source(), {} },
    { TYPE, Readable.pipe, source(), source() },
    { TYPE, Readable.pipe, source(), sink(), 5 },
    { 'ERR_STREAM_DESTROYED', Readable.pipe, source(), over(sink()) },
    { 'ERR_STREAM_DESTROYED', Readable.pipe, over(source()), sink() },
    { TYPE, Readable.unpipe, source(), 5 },
    { TYPE, Readable.read, bytes(), 'x' },
    { TYPE, Readable.read, bytes(), {} },
    { RANGE, Readable.read, bytes(), 2 ^ 31 },
    { 'ERR_STREAM_NULL_VALUES', Writable.write, sink() },
    { TYPE, Writable.write, Writable{ write = nop }, 5 },
    { TYPE, Writable.finish, Writable{ write = nop }, 5 },
    { 'ERR_METHOD_NOT_IMPLEMENTED', Writable.write, source(), 1 },
    { THIS, Readable.read },
    { THIS, Readable.read, {} },
    { THIS, Readable.push, {}, 1 },
    { THIS, Readable.pipe, {}, sink() },
    { THIS, Readable.iter, 5 },
    { THIS, Writable.write, {}, 1 },
    { THIS, Writable.finish },
    { THIS, Writable.destroy, 5 },
  },
  emitters = {
    { TYPE, weir.EventEmitter.on, weir.EventEmitter() },
    { TYPE, weir.EventEmitter.on, weir.EventEmitter(), 'x' },
    { TYPE, weir.EventEmitter.on, weir.EventEmitter(), 0 / 0, nop },
    { TYPE, weir.EventEmitter.once, weir.EventEmitter(), 'x', 5 },
    { TYPE, weir.EventEmitter.off, weir.EventEmitter(), 'x' },
    { TYPE, weir.EventEmitter.setMaxListeners, weir.EventEmitter() },
    { RANGE, weir.EventEmitter.setMaxListeners, weir.EventEmitter(), -1 },
    { 'ERR_UNHANDLED_ERROR', weir.EventEmitter.emit, weir.EventEmitter(), 'error', 5 },
    { TYPE, events.once },
    { TYPE, events.once, 5, 'x' },
    { TYPE, events.once, {}, 'x' },
    { TYPE, events.once, weir.EventEmitter() },
    { TYPE, events.once, weir.EventEmitter(), 'x', 5 },
    { TYPE, events.once, weir.EventEmitter(), 'x', { signal = 5 } },
    { TYPE, events.on },
    { TYPE, events.on, 5, 'x' },
    { TYPE, events.on, {}, 'x' },
    { TYPE, events.on, weir.EventEmitter(), 'x', 5 },
    { TYPE, events.on, weir.EventEmitter(), 'x', { close = 5 } },
    { TYPE, events.on, weir.EventEmitter(), 'x', { highWaterMark = 'x' } },
    { RANGE, events.on, weir.EventEmitter(), 'x', { highWaterMark = 0 } },
    { TYPE, events.getEventListeners, 5, 'x' },
  },
  others = {
    { TYPE, weir.duplexPair, 5 },
    { TYPE, weir.wrap, 5 },
    { TYPE, weir.nextTick, 5 },
    { TYPE, weir.setTimeout, 5 },
    { TYPE, weir.setTimeout, nop, 'x' },
    { TYPE, weir.sleep, 'x' },
  },
}

local function call(case)
  local fn, args, count = case[2], {}, #case - 2
  for i = 1, count do
    local arg = case[i + 2]
    if arg ~= NIL then args[i] = arg end
  end
  fn(unpack(args, 1, count))
end

describe('wrong arguments', function()
  for name, list in pairs(cases) do
    it('of ' .. name, within(function()
      for i, case in ipairs(list) do
        local err = raised(call, case)
        local which = name .. ', case ' .. i .. ': ' .. tostring(err)
        assert.equal('table', type(err), which)
        assert.equal(case[1], err.code, which)
        assert.truthy(err.where and err.where:find 'arguments_spec%.lua:%d+$', which)
      end
    end))
  end

  it('are said before anything has begun', within(function()
    local stream = source()
    raised(weir.pipeline, stream, hop(), 5)
    raised(weir.finished, stream, {}, 5)
    assert.is_nil(stream.readableFlowing)
    assert.same({}, stream:eventNames())
    assert.same({ 1, 2, 3 }, stream:toArray())
  end))

  it('of run', function()
    assert.equal(TYPE, raised(weir.run, 5).code)
  end)

  it('that are left out may be nil', within(function()
    local got = {}
    weir.pipeline(source(), sink_into(got), nil)
    weir.pipeline(source(), sink_into(got), nil, nil)
    local done = 0
    weir.pipeline(source(), sink_into(got), nil, function(err) done = err or 'done' end)
    support.settle()
    assert.equal('done', done)
    assert.equal(9, #got)
  end))
end)

describe('an error', function()
  it('that is given to a callback as a string knows where', within(function()
    local stream = sink_into({}, { write = function(_, _, callback) callback 'bad row' end })
    stream:write(1)
    local err = support.failure_of(stream)
    assert.equal('bad row', err.message)
    assert.truthy(err.where:find 'arguments_spec%.lua')
  end))

  it('that came by itself knows who waited for it, once it is raised', within(function()
    local out = support.output_of([[$WEIR -e 'pipeline(Readable.from{ 1 }, Writable{}:destroy())' 2>&1]])
    assert.truthy(out:find('ERR_STREAM_PREMATURE_CLOSE', 1, true), out)
    assert.truthy(out:find('at (command line):1', 1, true), out)
  end))
end)
