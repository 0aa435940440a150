-- SPDX-License-Identifier: MIT
-- What the REPL prints.
dofile 'spec/unit/lua/stand_in.lua'
local class = require 'weir.class'
local printer = require 'weir.show'

local show = printer.show

describe('weir.show', function()
  it('may be called itself', function()
    assert.are.equal("'x'", printer 'x')
    assert.are.equal('[table]', printer({}, { depth = -1 }))
  end)

  it('shows plain values', function()
    for _, case in ipairs {
      { 'x', "'x'" }, { '', "''" }, { true, 'true' }, { 5, '5' }, { -0.5, '-0.5' }, { 1e15, '1000000000000000' },
      { 2 ^ 53, '9007199254740992' },
      { 1e300, '1e+300' }, { 0.1 + 0.2, '0.30000000000000004' }, { math.huge, 'inf' }, { 0 / 0, 'nan' }, { 5LL, '5LL' },
    } do
      assert.are.equal(case[2], show(case[1]))
    end
    assert.are.equal('nil', show(nil))
  end)

  it('quotes strings on one line', function()
    for _, case in ipairs {
      { "it's", [["it's"]] }, { 'say "x"', [['say "x"']] }, { [["it's"]], [['"it\'s"']] },
      { 'a\nb\tc\rd\\e\0f\127', [['a\nb\tc\rd\\e\x00f\x7f']] },
      { 'zwölf ₤ 𝄞', "'zwölf ₤ 𝄞'" }, { 'a\195', [['a\xc3']] }, { '\195\195\182', [['\xc3ö']] },
      { '\237\160\128', [['\xed\xa0\x80']] },
      { '\192\128', [['\xc0\x80']] }, { '\224\128\128', [['\xe0\x80\x80']] }, { '\244\144\128\128', [['\xf4\x90\x80\x80']] },
      { '\255', [['\xff']] },
    } do
      assert.are.equal(case[2], show(case[1]))
      assert.are.equal(case[2], printer.quote(case[1]))
    end
  end)

  it('knows the borders of UTF-8', function()
    for _, char in ipairs {
      '\194\128', '\223\191', '\224\160\128', '\225\128\128', '\237\159\191', '\238\128\128', '\239\191\191', '\240\144\128\128',
      '\241\128\128\128', '\244\143\191\191',
    } do
      assert.are.equal("'" .. char .. "'", show(char))
      assert.are.equal("'" .. char .. 'x' .. char .. "'", show(char .. 'x' .. char))
    end
    for _, bytes in ipairs {
      '\193\191', '\194\127', '\194\192', '\224\159\191', '\237\160\128', '\240\143\191\191', '\244\144\128\128', '\245\128\128\128',
      '\225\128', '\241\128\128', '\128',
    } do
      assert.is_nil(show(bytes):find('[\128-\255]'))
    end
  end)

  it('cuts long strings', function()
    assert.are.equal("'aaa'... 2 more bytes", show('aaaaa', { maxStringLength = 3 }))
    assert.are.equal("'aaa'... 1 more byte", show('aaaa', { maxStringLength = 3 }))
    assert.are.equal("'aaa'", show('aaa', { maxStringLength = 3 }))
    assert.are.equal(10002 + #'... 1 more byte', #show(('a'):rep(10001)))
  end)

  it('shows lists and sorted keys', function()
    assert.are.equal('{}', show {})
    assert.are.equal("{ 1, 'a', { true } }", show { 1, 'a', { true } })
    assert.are.equal("{ 1, 2, [4] = 4, [10] = 10, a = 1, ['b c'] = 2, ['end'] = 3, [false] = 0 }",
      show { 1, 2, [4] = 4, [10] = 10, a = 1, ['b c'] = 2, ['end'] = 3, [false] = 0 })
    assert.are.equal('{ [0] = 0, [1.5] = 1, x_1 = 2 }', show { [0] = 0, [1.5] = 1, x_1 = 2 })
    assert.are.equal('{ _private = 1 }', show { _private = 1 })
  end)

  it('opens tables down to a depth', function()
    local value = { a = { b = { c = { d = 1 } } } }
    assert.are.equal('{ a = { b = { c = [table] } } }', show(value))
    assert.are.equal('{ a = [table] }', show(value, { depth = 0 }))
    assert.are.equal('{ a = { b = { c = { d = 1 } } } }', show(value, { depth = 9 }))
    assert.are.equal('{ { 1 }, { { 2 } }, { { [table] } } }', show { { 1 }, { { 2 } }, { { { 3 } } } })
  end)

  it('names cycles, and shows a table twice that is there twice', function()
    local t = { name = 't' }
    t.self = t
    assert.are.equal("{ name = 't', self = [Circular] }", show(t))
    local shared = { 1 }
    assert.are.equal('{ { 1 }, { 1 } }', show { shared, shared })
  end)

  it('cuts long lists and tables', function()
    local list = {}
    for i = 1, 5 do list[i] = i end
    assert.are.equal('{ 1, 2, 3, ... 2 more items }', show(list, { maxArrayLength = 3 }))
    assert.are.equal('{ 1, 2, 3, 4, ... 1 more item }', show(list, { maxArrayLength = 4 }))
    assert.are.equal('{ a = 1, ... 2 more items }', show({ a = 1, b = 2, c = 3 }, { maxArrayLength = 1 }))
    assert.are.equal('{ 1, 2, 3, 4, 5 }', show(list, { maxArrayLength = 5 }))
    assert.are.equal('{ a = 1 }', show({ a = 1 }, { maxArrayLength = 1 }))
    for i = 1, 123 do list[i] = i end
    assert.is_truthy(show(list):find('100,%s+... 23 more items'))
  end)

  it('breaks what is wider than the width', function()
    assert.are.equal("{\n  first = 'aaaaaaaaaa',\n  second = {\n    a = 'bbbbbbbbbb',\n    c = 'dddddddddd'\n  }\n}",
      show({ first = 'aaaaaaaaaa', second = { a = 'bbbbbbbbbb', c = 'dddddddddd' } }, { width = 30 }))
    assert.are.equal('{\n  100, 101, 102,\n  103, 104, 105\n}', show({ 100, 101, 102, 103, 104, 105 }, { width = 18 }))
    assert.are.equal('{ 100, 101, 102 }', show({ 100, 101, 102 }, { width = 17 }))
    assert.are.equal('{\n  100, 101, 102\n}', show({ 100, 101, 102 }, { width = 16 }))
    assert.are.equal('{\n  100, 101, 102\n}', show({ 100, 101, 102 }, { width = 15 }))
    assert.are.equal('{\n  100, 101,\n  102\n}', show({ 100, 101, 102 }, { width = 14 }))
    assert.are.equal('{\n  100, 101,\n  102\n}', show({ 100, 101, 102 }, { width = 11 }))
    assert.are.equal('{\n  100,\n  101,\n  102\n}', show({ 100, 101, 102 }, { width = 9 }))
    assert.are.equal('{\n  { 1 },\n  { 2 },\n  { 3 }\n}', show({ { 1 }, { 2 }, { 3 } }, { width = 20 }))
    assert.are.equal('{\n  1,\n  2,\n  a = 3\n}', show({ 1, 2, a = 3 }, { width = 14 }))
    for line in show({ 100, 101, 102, 103, 104, 105 }, { width = 18 }):gmatch '[^\n]+' do assert.is_true(#line <= 18) end
    assert.are.equal('{ 100, 101, 102, 103, 104, 105 }', show { 100, 101, 102, 103, 104, 105 })
  end)

  it('shows functions and coroutines', function()
    local function f() end
    local line = debug.getinfo(f, 'S').linedefined
    assert.is_truthy(show(f):find('show_spec.lua:' .. line .. ']', 1, true))
    assert.are.equal('[function builtin]', show(print))
    assert.are.equal('[thread suspended]', show(coroutine.create(f)))
  end)

  it('paints', function()
    assert.are.equal("\27[32m'x'\27[0m", show('x', { color = true }))
    assert.are.equal('{ a = \27[33m1\27[0m, b = \27[33mtrue\27[0m }', show({ a = 1, b = true }, { color = true }))
    local list = {}
    for i = 1, 20 do list[i] = 'ab' end
    local painted = show(list, { color = true, width = 40 })
    assert.are.equal(show(list, { width = 40 }), (painted:gsub('\27%[%d+m', '')))
  end)

  it('shows objects by their class, without private fields', function()
    local Point = class.new('Point')
    local p = Point()
    p.x, p.y, p._secret = 1, 2, 3
    assert.are.equal('Point { x = 1, y = 2 }', show(p))
    assert.are.equal('{ p = [Point] }', show({ p = p }, { depth = 0 }))
    assert.are.equal('Point {}', show(Point()))
    assert.are.equal('[class Point]', show(Point))
  end)

  it('asks __show, and __index never', function()
    local Stream = class.new('Stream')
    function Stream:__show(nested) return 'Stream(' .. nested { self.n } .. ')' end
    local Sub = Stream:extend 'Sub'
    local s = Sub()
    s.n = 5
    assert.are.equal('Stream({ 5 })', show(s))
    assert.are.equal('{ Stream({ 5 }), Stream({ 5 }) }', show { s, s })
    function Stream.__show(_) return { readable = true, ended = false } end
    assert.are.equal('Sub { ended = false, readable = true }', show(s))
    assert.are.equal('{ { 1 } }', show { setmetatable({ 1 }, { __index = function() error 'asked' end }) })
  end)

  it('survives hooks that fail or go in circles', function()
    local bad = setmetatable({}, { __name = 'Bad', __show = function() error('oops', 0) end })
    assert.are.equal('[Bad: __show failed: oops]', show(bad))
    assert.are.equal('{}', show(setmetatable({}, { __name = 5 })))
    local strange = setmetatable({}, { __tostring = function() error 'oops' end })
    assert.are.equal('{ [table] }', show { strange })
    local circle = setmetatable({}, { __show = function(self, nested) return '<' .. nested(self) .. '>' end })
    assert.are.equal('<[Circular]>', show(circle))
    local same = setmetatable({}, { __show = function(self) return self end, __tostring = function() return 'same' end })
    assert.are.equal('same', show(same))
  end)

  it('shows other tables with __tostring, and userdata, by it', function()
    assert.are.equal('List!', show(setmetatable({ 1 }, { __tostring = function() return 'List!' end })))
    local json = require 'weir.json'
    assert.are.equal('{ null }', show { json.null })
    assert.are.equal('{}', show(json.array()))
    assert.is_truthy(show(io.stdout):find '^file %(0x%x+%)$')
    assert.is_truthy(show(newproxy()):find '^userdata: 0x%x+$')
  end)
end)
