-- SPDX-License-Identifier: MIT
-- Handlers and listeners that use their own stream while it is using them. Each of these was found by the model test.

local weir = require 'weir'

describe('a read handler', function()
  it('may read itself: the outer read gets what is left', function()
    local inner, outer
    local source
    source = weir.Readable{ highWaterMark = 4, read = function(self)
      if outer then return end
      outer = 'none yet'
      inner = self:read(2)
    end }
    source:push 'abc'
    source:push 'def'
    outer = source:read()
    assert.same({ 'ab', 'cdef', 0 }, { inner, outer, source.readableLength })
  end)

  it('of a duplex may complete a write that was held', function()
    local called, got, held = 0, 0, nil
    local both = weir.Duplex{ objectMode = true,
      write = function(_, _, callback) held = callback end,
      read = function(self)
        if not held then return end
        local callback = held
        held = nil
        callback()
        self:push 'answer'
      end }
    local sink = weir.Writable{ objectMode = true, write = function(_, _, callback)
      got = got + 1
      callback()
    end }
    weir.run(function()
      both:pipe(sink)
      for _ = 1, 10 do
        both:write('question', function(err)
          assert.is_nil(err)
          called = called + 1
        end)
      end
      weir.sleep(5)
      both:destroy()
      sink:destroy()
    end)
    assert.same({ 10, 10 }, { called, got })
  end)
end)

describe('the callback of a write', function()
  it('may complete a later one, whose callback comes behind those before it', function()
    local held, called = nil, {}
    local sink = weir.Writable{ objectMode = true, write = function(_, v, callback)
      if v == 0 then callback() else held = callback end
    end }
    weir.run(function()
      for v = 0, 3 do
        sink:write(v, function()
          called[#called + 1] = v
          if v == 1 then held() end -- 3 is out
        end)
      end
      for _ = 1, 2 do held() end
    end)
    assert.same({ 0, 1, 2, 3 }, called)
  end)
end)

describe("a listener of 'unpipe'", function()
  it('may unpipe what is left, and hears of each edge once', function()
    local source = weir.Readable{ objectMode = true, read = function() end }
    local heard, second = {}, nil
    for i = 1, 3 do
      local sink = weir.Writable{ objectMode = true, write = function(_, _, callback) callback() end }
      sink:on('unpipe', function()
        heard[#heard + 1] = i
        source:unpipe()
      end)
      source:pipe(sink)
      if i == 2 then second = sink end
    end
    source:unpipe(second)
    assert.same({ 2, 1, 3 }, heard)
    source:destroy()
  end)
end)
