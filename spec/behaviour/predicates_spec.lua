-- SPDX-License-Identifier: MIT
-- isReadable, isWritable, isErrored, isDisturbed, isDestroyed: the answers of Node 20, for streams in all states and for what is
-- no stream.

local weir = require 'weir'

local sleep = weir.sleep

local function quiet(stream)
  return stream:on('error', function() end)
end

local function make(class, default)
  return function(options)
    local all = {}
    for key, value in pairs(default) do all[key] = value end
    for key, value in pairs(options or {}) do all[key] = value end
    return quiet(class(all))
  end
end

local function nothing() end
local function written(_, _, callback) callback() end
local R = make(weir.Readable, { objectMode = true, read = nothing })
local W = make(weir.Writable, { write = written })
local D = make(weir.Duplex, { read = nothing, write = written })

-- A state of a stream: how it is made, whether ticks pass, and the five answers.
local later = true
local cases = {
  { 'a readable', function() return R() end, false, true, nil, false, false, false },
  { 'one with data', function() local s = R() s:push(1) return s end, false, true, nil, false, false, false },
  { 'one that was read', function() local s = R() s:push(1) s:read() return s end, false, true, nil, false, true, false },
  { 'one that flows', function() local s = R() s:push(1) return s:resume() end, later, true, nil, false, true, false },
  { 'one at its end, unread', function() local s = R() s:push(nil) return s end, false, true, nil, false, false, false },
  { 'one that has ended', function() local s = R() s:push(nil) return s:resume() end, later, false, nil, false, false, true },
  { 'one that has ended, kept', function() local s = R{ autoDestroy = false } s:push(nil) return s:resume() end, later,
    false, nil, false, false, false },
  { 'one destroyed', function() return R():destroy() end, false, false, nil, false, true, true },
  { 'one closed', function() return R():destroy() end, later, false, nil, false, true, true },
  { 'one that fails', function() return R():destroy 'x' end, false, false, nil, false, true, true },
  { 'one that has failed', function() return R():destroy 'x' end, later, false, nil, true, true, true },
  { 'one that has failed, kept', function()
    local s = R{ autoDestroy = false, read = function() error 'x' end }
    s:read()
    return s
  end, later, false, nil, true, true, false },
  { 'one paused', function() return R():pause() end, false, true, nil, false, false, false },
  { 'a writable', function() return W() end, false, nil, true, false, false, false },
  { 'one written', function() local s = W() s:write 'x' return s end, false, nil, true, false, false, false },
  { 'one ended', function() local s = W{ final = nothing } s:finish() return s end, later, nil, false, false, false, false },
  { 'one finished', function() local s = W() s:finish() return s end, later, nil, false, false, false, true },
  { 'one finished, kept', function() local s = W{ autoDestroy = false } s:finish() return s end, later, nil, false, false, false, false },
  { 'a writable destroyed', function() return W():destroy() end, false, nil, false, false, false, true },
  { 'a writable that fails', function() return W():destroy 'x' end, false, nil, false, false, false, true },
  { 'a writable that has failed, kept', function()
    local s = W{ autoDestroy = false, write = function(_, _, callback) callback 'x' end }
    s:write 'x'
    return s
  end, later, nil, false, true, false, false },
  { 'a duplex', function() return D() end, false, true, true, false, false, false },
  { 'a duplex ended', function() local s = D() s:finish() return s end, false, true, false, false, false, false },
  { 'a duplex finished', function() local s = D() s:finish() return s end, later, true, false, false, false, false },
  { 'a duplex, read to its end', function() local s = D() s:push(nil) return s:resume() end, later, false, true, false, false, false },
  { 'a duplex, not readable', function() return D{ readable = false } end, false, false, true, false, false, false },
  { 'a duplex, not writable', function() return D{ writable = false } end, false, true, false, false, false, false },
  { 'a duplex that is over', function() local s = D() s:push(nil) s:resume() s:finish() return s end, later,
    false, false, false, false, true },
  { 'a duplex that fails', function() return D():destroy 'x' end, false, false, false, false, true, true },
  { 'a transform', function() return weir.PassThrough() end, false, true, true, false, false, false },
  { 'a transform ended', function() local s = weir.PassThrough() s:finish 'x' return s end, false, true, false, false, false, false },
  { 'a native transform', function() return weir.zlib.createGzip() end, false, true, true, false, false, false },
  { 'one from an array', function() return weir.Readable.from { 1 } end, false, true, nil, false, false, false },
  { 'one that was left', function()
    local s = R()
    s:push(1)
    local iterator = s:iter()
    iterator()
    iterator:close()
    return s
  end, later, false, nil, true, true, true },
  { 'nil', nothing, false, nil, nil, false, false, nil },
  { 'a number', function() return 5 end, false, nil, nil, false, false, nil },
  { 'a string', function() return 'x' end, false, nil, nil, false, false, nil },
  { 'a table', function() return {} end, false, nil, nil, false, false, nil },
  { 'a function', function() return nothing end, false, nil, nil, false, false, nil },
  { 'an emitter', function() return weir.EventEmitter() end, false, nil, nil, false, false, nil },
  { 'a signal', function() return weir.AbortSignal.abort() end, false, nil, nil, false, false, nil },
  { 'a class', function() return weir.Readable end, false, nil, nil, false, false, nil },
  { 'what looks readable', function() return { readable = true } end, false, false, nil, false, false, nil },
  { 'what looks writable', function() return { writable = true } end, false, nil, false, false, false, nil },
  { 'what looks read', function() return { readableDidRead = true } end, false, nil, nil, false, true, nil },
}

local NAMES = { 'isReadable', 'isWritable', 'isErrored', 'isDisturbed', 'isDestroyed' }

describe('predicates', function()
  for _, case in ipairs(cases) do
    it('of ' .. case[1], function()
      weir.run(function()
        local value = case[2]()
        if case[3] then sleep(2) end
        for i, name in ipairs(NAMES) do
          assert.equal(tostring(case[3 + i]), tostring(weir[name](value)), name)
        end
      end)
    end)
  end

  it('do not fail at a stream that was not made yet', function()
    local Early = weir.Readable:extend 'Early'
    local answers = {}
    function Early:init()
      for _, name in ipairs(NAMES) do answers[name] = weir[name](self) end
    end
    Early()
    assert.same({ isErrored = false, isDisturbed = false }, answers)
  end)

  it('isDisturbed is a function of Readable, too', function()
    assert.equal(weir.isDisturbed, weir.Readable.isDisturbed)
    assert.is_nil(weir.Readable.isReadable)
  end)
end)
