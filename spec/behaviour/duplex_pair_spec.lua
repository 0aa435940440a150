-- SPDX-License-Identifier: MIT
-- duplexPair: what one end writes the other reads, with backpressure; the end; that each has its own life, as in Node 20.

local weir = require 'weir'
local support = require 'support'
local within, settle = support.within, support.settle
local failure_of = support.failure_of

describe('duplexPair', function()
  it('gives each end what the other writes', within(function()
    local a, b = weir.duplexPair()
    a:write 'to b'
    b:write 'to a'
    settle()
    assert.equal('to b', b:read())
    assert.equal('to a', a:read())
    a:destroy()
    b:destroy()
  end))

  it('carries objects, with the marks that it is given', within(function()
    local a, b = weir.duplexPair{ objectMode = true, highWaterMark = 2 }
    assert.equal(2, a.writableHighWaterMark)
    assert.equal(2, b.readableHighWaterMark)
    a:write { 1 }
    a:write(false)
    settle()
    assert.same({ 1 }, b:read())
    assert.is_false(b:read())
    a:destroy()
    b:destroy()
  end))

  it('writes no more than the other end has room for', within(function()
    local a, b = weir.duplexPair{ objectMode = true, highWaterMark = 2 }
    local calls = 0
    for i = 1, 6 do a:write(i, function() calls = calls + 1 end) end
    settle()
    assert.equal(2, b.readableLength)
    assert.equal(1, calls)
    assert.equal(1, b:read())
    settle()
    assert.equal(2, calls)
    assert.equal(2, b.readableLength)
    a:destroy()
    b:destroy()
  end))

  it('an empty string is written at once', within(function()
    local a, b = weir.duplexPair()
    local done = false
    a:write('', function() done = true end)
    settle()
    assert.is_true(done)
    assert.equal(0, b.readableLength)
    a:destroy()
    b:destroy()
  end))

  it('finish is the end of the other, and has finished when that has come', within(function()
    local a, b = weir.duplexPair()
    local finished = false
    a:finish('last', function() finished = true end)
    settle()
    assert.is_false(finished)
    assert.same({ 'last' }, support.all_of(b, { destroyOnReturn = false }))
    settle()
    assert.is_true(finished)
    assert.is_true(b.writable)
    assert.is_false(b.destroyed)
    b:finish()
    a:resume()
    weir.finished(a)
    weir.finished(b)
  end))

  it('without half-open ends one that has ended finishes', within(function()
    local a, b = weir.duplexPair{ allowHalfOpen = false }
    a:resume()
    b:resume()
    a:finish()
    weir.finished(a)
    weir.finished(b)
    assert.is_true(b.writableFinished)
  end))

  it('passes long data both ways at once', within(function()
    local a, b = weir.duplexPair()
    local data, back = ('0123456789'):rep(50000), nil
    weir.wrap(function() weir.pipeline(b, weir.PassThrough(), b) end)()
    weir.wrap(function() back = table.concat(support.all_of(a, { destroyOnReturn = false })) end)()
    for i = 1, #data, 7777 do
      if not a:write(data:sub(i, i + 7776)) then weir.events.once(a, 'drain') end
    end
    a:finish()
    weir.finished(a)
    assert.equal(#data, #back)
    assert.is_true(back == data)
  end))

  it('to destroy one end leaves the other alone', within(function()
    local a, b = weir.duplexPair()
    a:destroy(weir.Error 'gone')
    assert.equal('gone', failure_of(a).message)
    settle()
    assert.is_false(b.destroyed)
    assert.is_false(b.readableEnded)
    b:destroy()
  end))
end)
