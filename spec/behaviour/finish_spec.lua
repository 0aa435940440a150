-- SPDX-License-Identifier: MIT
-- The forms of finish(): with a chunk, a callback, both, or neither; and what its callback hears.

local weir = require 'weir'

describe('finish', function()
  local function finished(...)
    local args, count = { ... }, select('#', ...)
    local written = {}
    weir.run(function()
      local stream = weir.Writable{ write = function(_, chunk, callback)
        written[#written + 1] = chunk
        callback()
      end }
      stream:finish(unpack(args, 1, count))
      weir.finished(stream)
    end)
    return written
  end

  it('takes a callback alone', function()
    local calls = 0
    assert.same({}, finished(function(err)
      assert.is_nil(err)
      calls = calls + 1
    end))
    assert.equal(1, calls)
  end)

  it('takes a chunk and a callback', function()
    local calls = 0
    assert.same({ 'last' }, finished('last', function() calls = calls + 1 end))
    assert.equal(1, calls)
  end)

  it('takes nil and a callback', function()
    local calls = 0
    assert.same({}, finished(nil, function() calls = calls + 1 end))
    assert.equal(1, calls)
  end)

  it('takes nothing', function()
    assert.same({}, finished())
  end)

  it('is a success although a listener of prefinish has written too late', function()
    local log = {}
    local function note(name)
      return function(err) log[#log + 1] = name .. ' ' .. (err and err.code or 'ok') end
    end
    weir.run(function()
      local stream = weir.Writable{
        autoDestroy = false,
        write = function(_, _, callback) callback() end,
        final = function(_, callback) weir.setTimeout(callback, 1) end,
      }
      stream:on('error', note 'error')
      stream:on('finish', note 'finish')
      stream:on('prefinish', function() stream:write('late', note 'write') end)
      stream:finish('all', note 'end')
      weir.sleep(10)
    end)
    assert.same({ 'write ERR_STREAM_WRITE_AFTER_END', 'error ERR_STREAM_WRITE_AFTER_END', 'end ok', 'finish ok' }, log)
  end)
end)
