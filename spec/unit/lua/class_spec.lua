-- SPDX-License-Identifier: MIT
-- Look-ups, inheritance, late additions, and that look-ups compile.
local class = require 'weir.class'
local traces = dofile 'spec/unit/lua/traces.lua'

describe('weir.class', function()
  it('makes an instance and calls init with the arguments', function()
    local Point = class.new('Point')
    function Point:init(x, y) self.x, self.y = x, y end
    local p = Point(3, nil)
    assert.are.equal(3, p.x)
    assert.is_nil(p.y)
    assert.is_true(class.is(p, Point))
  end)

  it('makes an instance without init', function()
    assert.are.equal('Bare', class.new('Bare')().__name)
  end)

  it('inherits methods over two levels, and overrides them', function()
    local A = class.new('A')
    function A.who() return 'a' end
    function A.only() return 'only a' end
    local B = A:extend('B')
    function B.who() return 'b' end
    local C = B:extend('C')
    local c = C()
    assert.are.equal('b', c:who())
    assert.are.equal('only a', c:only())
    assert.are.equal('a', A():who())
    assert.are.equal('b', C.who())
  end)

  it('inherits init, which a subclass may call by name', function()
    local A = class.new('A')
    function A:init(n) self.n = n end
    local B = A:extend()
    local C = B:extend()
    function C:init(n)
      B.init(self, n * 2)
      self.c = true
    end
    assert.are.equal(5, B(5).n)
    assert.are.equal(10, C(5).n)
    assert.is_true(C(5).c)
  end)

  it('shows methods that were added to an ancestor after subclasses and instances were made', function()
    local A = class.new('A')
    local B = A:extend('B')
    local C = B:extend('C')
    local c = C()
    assert.is_nil(c.late)
    function A.late() return 1 end
    assert.are.equal(1, c:late())
    function B.late() return 2 end
    assert.are.equal(2, c:late())
    assert.are.equal(1, A():late())
    function A.late() return 3 end
    assert.are.equal(2, c:late())
    B.late = nil
    assert.are.equal(3, c:late())
    A.late = nil
    assert.is_nil(c.late)
    assert.is_nil(C.late)
  end)

  it('keeps false apart from nil', function()
    local A = class.new('A')
    A.flag = true
    local B = A:extend()
    B.flag = false
    assert.is_false(B().flag)
    assert.is_true(A().flag)
  end)

  it('looks for fields, then methods, then properties, then gives nil', function()
    local A = class.new('A')
    function A.getters:a() return 'getter of ' .. self.id end
    function A.getters.b() return 'getter' end
    A.b = 'method'
    A.c = 'method'
    local a = A()
    a.id, a.c = 7, 'field'
    assert.are.equal('getter of 7', a.a)
    assert.are.equal('method', a.b)
    assert.are.equal('field', a.c)
    assert.is_nil(a.d)
  end)

  it('gives a property the instance of the subclass, and inherits and overrides it', function()
    local A = class.new('A')
    function A.getters:size() return self.n end
    local B = A:extend()
    local b = B()
    b.n = 4
    assert.are.equal(4, b.size)
    function A.getters:size() return self.n + 1 end
    assert.are.equal(5, b.size)
    function B.getters:size() return self.n + 2 end
    assert.are.equal(6, b.size)
    assert.are.equal(b.size, B.getters.size(b))
    B.getters.size = nil
    assert.are.equal(5, b.size)
    function A.getters.__tostring() return 'a property' end
    assert.is_truthy(tostring(b):find '^A: 0x')
  end)

  it('lets a field hide a property', function()
    local A = class.new('A')
    function A.getters.size() return 1 end
    local a = A()
    a.size = 9
    assert.are.equal(9, a.size)
    rawset(a, 'size', nil)
    assert.are.equal(1, a.size)
  end)

  it('names classes and instances', function()
    local A = class.new('A')
    local B = A:extend('B')
    assert.are.equal('A', A.__name)
    assert.are.equal('B', B().__name)
    assert.are.equal('B', B:extend().__name)
    assert.are.equal(A, B.__parent)
    assert.are.equal(B, B().__class)
    assert.is_false(A.__parent)
    assert.are.equal('class B', tostring(B))
    assert.is_truthy(tostring(B()):find '^B: 0x%x+$')
  end)

  it('inherits metamethods, also later ones', function()
    local A = class.new('A')
    local B = A:extend('B')
    local b = B()
    function A:__tostring() return 'an ' .. self.__name end
    function A.__call(_, x) return x * 2 end
    assert.are.equal('an B', tostring(b))
    function A.plain() end
    assert.is_nil(getmetatable(b).plain)
    assert.are.equal(8, b(4))
    assert.has_error(function() A.__index = {} end, 'class A: __index is taken; use getters')
  end)

  it('does not show extend and getters to instances', function()
    local A = class.new('A')
    assert.is_nil(A().extend)
    assert.is_nil(A().getters)
  end)

  it('prefers the first of several parents', function()
    local Root = class.new('Root')
    local R = class.new('R', Root)
    local W = class.new('W', Root)
    function R.both() return 'r' end
    function W.both() return 'w' end
    function W.write() return 'w' end
    function W.getters.length() return 3 end
    local D = class.new('D', R, W)
    local d = D()
    assert.are.equal('r', d:both())
    assert.are.equal('w', d:write())
    assert.are.equal(3, d.length)
    assert.is_true(class.is(d, W))
    assert.is_true(class.is(d, R))
    assert.is_true(class.is(d, Root))
    function W.late() return 'late' end
    assert.are.equal('late', d:late())
  end)

  it('tells what is an instance of what', function()
    local A = class.new('A')
    local B = A:extend('B')
    local other = class.new('A')
    assert.is_true(class.is(B(), A))
    assert.is_false(class.is(A(), B))
    assert.is_false(class.is(other(), A))
    for _, value in ipairs { 1, 'x', A, {}, setmetatable({}, { __class = A }) } do
      assert.is_false(class.is(value, A))
      assert.is_nil(class.of(value))
    end
    assert.is_false(class.is(nil, A))
    assert.are.equal(B, class.of(B()))
  end)

  it('refuses wrong use', function()
    assert.has_error(function() class.new() end, 'class.new: the name must be a string')
    assert.has_error(function() class.new('A', {}) end, 'class.new: parent 1 is not a class')
    assert.has_error(function() class.new('A').extend 'B' end, 'extend: call it with a colon on a class')
    assert.has_error(function() class.new('A'):extend(5) end, 'extend: the name must be a string')
  end)

  it('lets unused subclasses be collected', function()
    local A = class.new('A')
    local seen = setmetatable({}, { __mode = 'k' })
    for _ = 1, 10 do seen[A:extend()] = true end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it('compiles look-ups of methods and properties without an abort', function()
    local stops, aborts, result = traces [[
      local A = require 'weir.class'.new 'A'
      function A:push(v)
        self.n = self.n + v
        return self.n < 16
      end
      function A.getters:size() return self.n end
      local c = A:extend('B'):extend('C')()
      c.n = 0
      local sum = 0
      for i = 1, 1000 do
        c:push(i)
        sum = sum + c.size
      end
      return sum
    ]]
    assert.are.equal('167167000', result)
    assert.are.equal(0, aborts)
    assert.is_true(stops > 0)
  end)
end)
