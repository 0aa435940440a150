-- SPDX-License-Identifier: MIT
-- Leaving an iteration, and what else may happen meanwhile. (What an iteration gives is held against Node's in conformance.)

local weir = require 'weir'
local support = require 'support'
local within = support.within
local output_of = support.output_of

local command = os.getenv 'WEIR'

-- An object stream that gives 1, 2, 3 ... for ever.
local function numbers(options)
  local n = 0
  options = options or {}
  options.objectMode = true
  options.read = function(self)
    n = n + 1
    self:push(n)
  end
  return weir.Readable(options)
end

describe('an iteration', function()
  it('of a stream that always has more lets timers come', within(function()
    local fired, count = false, 0
    weir.setTimeout(function() fired = true end, 1)
    local iterator = numbers():iter()
    for _ in iterator do
      count = count + 1
      if fired or count == 1e6 then break end
    end
    iterator:close()
    assert.is_true(fired)
  end))

  it('that is left is no error', within(function()
    local heard = {}
    local stream = numbers()
    stream:on('error', function(err) heard[#heard + 1] = err end)
    local iterator = stream:iter()
    assert.equal(1, iterator())
    iterator:close()
    pcall(weir.finished, stream)
    assert.same({}, heard)
    assert.is_true(stream.closed)
    assert.equal('ABORT_ERR', stream.errored.code)
  end))

  it('that is left tells what the destroy handler fails with', within(function()
    local heard = {}
    local stream = numbers{ destroy = function(_, _, callback) callback 'cannot clean up' end }
    stream:on('error', function(err) heard[#heard + 1] = err.message end)
    local iterator = stream:iter()
    iterator()
    iterator:close()
    pcall(weir.finished, stream)
    assert.same({ 'cannot clean up' }, heard)
  end))

  it('takes care of an error that was under way when it was left', function()
    local script = [[
      local weir = require 'weir'
      local calls = 0
      local stream = weir.Readable{ objectMode = true, read = function(self)
        calls = calls + 1
        if calls == 1 then self:push(1) else self:destroy 'too late' end
      end }
      local iterator = stream:iter()
      print(iterator())
      stream:read()
      iterator:close()
      stream:on('close', function() print(stream.errored) end)
    ]]
    local path = os.tmpname()
    local file = assert(io.open(path, 'w'))
    file:write(script)
    file:close()
    local text = output_of('%s %s 2>&1; echo status $?', command, path)
    os.remove(path)
    assert.equal('1\ntoo late\nstatus 0\n', text)
  end)
end)

describe('Readable.from', function()
  it('takes a stream, and leaves it when it is left', within(function()
    local inner = numbers()
    local outer = weir.Readable.from(inner)
    local iterator = outer:iter()
    assert.equal(1, iterator())
    assert.equal(2, iterator())
    iterator:close()
    pcall(weir.finished, inner)
    assert.is_true(inner.destroyed)
    local again = weir.Readable.from(weir.Readable.from { 'a', 'b' }):iter()
    assert.same({ 'a', 'b' }, { again(), again() })
    assert.is_nil(again())
  end))
end)
