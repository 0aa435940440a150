-- SPDX-License-Identifier: MIT
-- The forms of finish(): with a chunk, a callback, both, or neither.

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
end)
