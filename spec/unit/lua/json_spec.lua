-- SPDX-License-Identifier: MIT
-- JSON as text, byte by byte, and rows of fixed keys.
dofile 'spec/unit/lua/stand_in.lua'
local json = require 'weir.json'
local traces = dofile 'spec/unit/lua/traces.lua'
local ffi = require 'ffi'

local function raised(fn, ...)
  local good, err = pcall(fn, ...)
  assert.is_false(good)
  return err
end

-- All bytes, in strings that need every kind of escape.
local SPECIAL = '"\\/\b\f\n\r\t\0\1\31\127\128\255'
local SPECIAL_JSON = '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\127\128\255"'

describe('json.encode', function()
  it('writes plain values', function()
    for _, case in ipairs {
      { true, 'true' }, { false, 'false' }, { json.null, 'null' }, { 'x', '"x"' }, { '', '""' }, { 0, '0' }, { -5, '-5' },
    } do
      assert.are.equal(case[2], json.encode(case[1]))
    end
    assert.are.equal('null', json.encode(nil))
    assert.are.equal('null', tostring(json.null))
  end)

  it('escapes strings, and lets all other bytes through', function()
    assert.are.equal(SPECIAL_JSON, json.encode(SPECIAL))
    assert.are.equal('"zwölf ₤ 𝄞"', json.encode 'zwölf ₤ 𝄞')
    for code = 0, 31 do
      local text = json.encode('a' .. string.char(code) .. 'b')
      assert.is_truthy(text:find '^"a\\[u0-9a-fbnrt]+b"$')
      assert.is_nil(text:find '%c')
    end
    for code = 32, 255 do
      local char = string.char(code)
      if char ~= '"' and char ~= '\\' then assert.are.equal('"' .. char .. '"', json.encode(char)) end
    end
  end)

  it('writes integers without a point, up to 2^53', function()
    assert.are.equal('99999999999999', json.encode(1e14 - 1))
    assert.are.equal('100000000000000', json.encode(1e14))
    assert.are.equal('-100000000000001', json.encode(-1e14 - 1))
    assert.are.equal('9007199254740991', json.encode(2 ^ 53 - 1))
    assert.are.equal('9007199254740992', json.encode(2 ^ 53))
    assert.are.equal('-9007199254740992', json.encode(-2 ^ 53))
    assert.are.equal('4294967296', json.encode(2 ^ 32))
  end)

  it('writes other numbers so that they are read back the same', function()
    for _, case in ipairs {
      { 0.1, '0.1' }, { 1.5, '1.5' }, { -2.25, '-2.25' }, { 1e300, '1e+300' }, { 0.1 + 0.2, '0.30000000000000004' },
      { math.sin(1), '0.8414709848078965' },
    } do
      assert.are.equal(case[2], json.encode(case[1]))
    end
    math.randomseed(7)
    for _ = 1, 2000 do
      local value = (math.random() - 0.5) * 10 ^ math.random(-300, 300)
      assert.are.equal(value, tonumber(json.encode(value)))
    end
    for _, value in ipairs { 2 ^ 53 + 2, 5e-324, 1.7976931348623157e308, 2 ^ 63, 1 / 3, 123456789012345.6 } do
      assert.are.equal(value, tonumber(json.encode(value)))
    end
  end)

  it('keeps 64-bit integers exact', function()
    assert.are.equal('9223372036854775807', json.encode(9223372036854775807LL))
    assert.are.equal('-9223372036854775808', json.encode(ffi.new('int64_t', -2 ^ 63)))
    assert.are.equal('18446744073709551615', json.encode(18446744073709551615ULL))
    assert.are.equal('{"n":9007199254740993}', json.encode { n = 9007199254740993LL })
  end)

  it('writes lists', function()
    assert.are.equal('[1,"a",true,[2]]', json.encode { 1, 'a', true, { 2 } })
    assert.are.equal('[1,2,3]', json.encode { [3] = 3, [2] = 2, [1] = 1 })
    assert.are.equal('[1,null,3]', json.encode { 1, json.null, 3 })
    assert.are.equal('[]', json.encode(json.array()))
    assert.are.equal('[]', json.encode(json.array {}))
    assert.are.equal('[1,null,3]', json.encode(json.array { 1, json.null, 3 }))
    assert.are.equal('{"a":[]}', json.encode { a = json.array() })
  end)

  it('writes objects with sorted keys', function()
    assert.are.equal('{}', json.encode {})
    assert.are.equal('{"a":1,"b":2,"c":{"x":[1]}}', json.encode { c = { x = { 1 } }, b = 2, a = 1 })
    assert.are.equal('{' .. SPECIAL_JSON .. ':1}', json.encode { [SPECIAL] = 1 })
    for _, count in ipairs { 31, 32, 33, 100, 40 } do
      local object, expected = {}, {}
      for i = 1, count do
        object[('k%03d'):format((i * 37) % 101)] = i
        expected[i] = ('k%03d'):format((i * 37) % 101)
      end
      table.sort(expected)
      local keys = {}
      for key in json.encode(object):gmatch '"(k%d+)"' do keys[#keys + 1] = key end
      assert.are.same(expected, keys)
      assert.are.equal('{"z":1}', json.encode { z = 1 })
    end
  end)

  it('puts given keys first, at every level', function()
    local value = { a = 1, b = 2, z = { a = 1, y = false, b = 2 }, y = 3 }
    assert.are.equal('{"z":{"y":false,"a":1,"b":2},"y":3,"a":1,"b":2}', json.encode(value, { keys = { 'z', 'y', 'none' } }))
    assert.are.equal('{"a":1,"b":2,"z":3}', json.encode { z = 3, b = 2, a = 1 })
  end)

  it('does not grow with keys that come from data', function()
    local function kilobytes()
      collectgarbage()
      collectgarbage()
      return collectgarbage 'count'
    end
    local before = kilobytes()
    for i = 1, 20000 do json.encode { [('k'):rep(100) .. i] = 1 } end
    assert.is_true(kilobytes() - before < 1500)
  end)

  it('marks', function()
    local t = { 1 }
    assert.are.equal(t, json.array(t))
    assert.is_true(json.isArray(t))
    assert.is_false(json.isArray {})
    assert.are.equal('{"1":1}', json.encode(json.object(t)))
    assert.are.equal('{"404":2,"500":1,"a":3}', json.encode(json.object { [500] = 1, [404] = 2, a = 3 }))
    assert.are.equal('{}', json.encode(json.object()))
    assert.are.equal('{"1":{"2":[5]}}', json.encode(json.object { json.object { [2] = { 5 } } }))
    assert.are.equal('ERR_INVALID_ARG_VALUE', raised(json.array, setmetatable({}, {})).code)
    assert.are.equal('ERR_INVALID_ARG_TYPE', raised(json.object, 'x').code)
  end)

  it('raises for what JSON cannot say, and names the place', function()
    local function message(value) return raised(json.encode, value).message end
    assert.are.equal('JSON cannot say nan', message(0 / 0):gsub('-nan', 'nan') .. '')
    assert.are.equal('JSON cannot say inf (at rows[2].x)', message { rows = { {}, { x = math.huge } } })
    assert.are.equal('JSON cannot say -inf (at [1])', message { -math.huge })
    assert.are.equal('JSON cannot say a function (at a.f)', message { a = { f = print } })
    assert.are.equal('JSON cannot say a thread (at t)', message { t = coroutine.create(print) })
    assert.are.equal('JSON cannot say a userdata', message(newproxy()))
    assert.are.equal('JSON cannot say a cdata', message(ffi.new 'int[2]'))
    assert.are.equal('JSON cannot say a key that is a boolean (at o)', message { o = json.object { [true] = 1 } })
    assert.is_truthy(message(json.object { [1] = 1, ['1'] = 2 }):find('two keys 1', 1, true))
    assert.are.equal('ERR_INVALID_ARG_VALUE', raised(json.encode, 0 / 0).code)
  end)

  it('raises for tables that are neither list nor object', function()
    for _, value in ipairs { { 1, nil, 3 }, { 1, x = 2 }, { [2] = 1 }, { [1.5] = 1 }, { [0] = 1 }, { [404] = 1 }, { [true] = 1 } } do
      assert.is_truthy(raised(json.encode, { t = value }).message:find('neither 1 to n nor all strings .- %(at t%)$'))
    end
  end)

  it('raises for marked lists with holes or other keys', function()
    for _, value in ipairs { { 1, nil, 3 }, { nil, 2 }, { 1, x = 2 }, { [0] = 1 }, { [1e9] = 1 } } do
      assert.is_truthy(raised(json.encode, { t = json.array(value) }).message:find('a list with holes.- %(at t%)$'))
    end
  end)

  it('ends circles and what is nested too deeply', function()
    local circle = {}
    circle.a, circle.b = circle, circle
    assert.is_truthy(raised(json.encode, circle).message:find('1000 levels', 1, true))
    assert.are.equal('ERR_INVALID_ARG_VALUE', raised(json.encode, { { { 1 } } }, { depth = 2 }).code)
    assert.are.equal('[[1]]', json.encode({ { 1 } }, { depth = 2 }))
    assert.are.equal('[[[1]]]', json.encode { { { 1 } } })
  end)

  it('asks __tojson, which may encode itself', function()
    local meta = {}
    function meta.__tojson(value) return { wrapped = json.encode(value.inner) } end
    assert.are.equal('[{"wrapped":"[1]"},2]', json.encode { setmetatable({ inner = { 1 } }, meta), 2 })
    function meta.__tojson(value) return value end
    assert.is_truthy(raised(json.encode, setmetatable({}, meta)).message:find('levels', 1, true))
  end)

  it('works as before after an error half way', function()
    raised(json.encode, { a = 'some text', b = print }, { keys = { 'b' }, depth = 5 })
    assert.are.equal('{"a":1,"b":2}', json.encode { b = 2, a = 1 })
  end)

  it('writes large texts', function()
    local list = {}
    for i = 1, 20000 do list[i] = i end
    local text = json.encode(list)
    assert.are.equal('[' .. table.concat(list, ',') .. ']', text)
    assert.are.equal(text, json.encode(list))
  end)

  it('gives the same without string.buffer and without the FFI', function()
    local value = { a = { 1, 2.5, SPECIAL }, b = json.null, [SPECIAL] = true }
    local expected = json.encode(value)
    local loaded, preload, null = {}, {}, json.null
    for _, name in ipairs { 'ffi', 'string.buffer', 'weir.json' } do
      loaded[name], preload[name] = package.loaded[name], package.preload[name]
      package.loaded[name] = nil
    end
    local function absent() error 'not here' end
    package.preload.ffi, package.preload['string.buffer'] = absent, absent
    local good, plain = pcall(require, 'weir.json')
    for _, name in ipairs { 'ffi', 'string.buffer', 'weir.json' } do
      package.loaded[name], package.preload[name] = loaded[name], preload[name]
    end
    assert.is_true(good)
    assert.are_not.equal(json, plain)
    assert.are_not.equal(null, plain.null)
    value.b = plain.null
    assert.are.equal(expected, plain.encode(value))
    assert.are.equal(expected, plain.encode(value))
    assert.are.equal('{"a":' .. SPECIAL_JSON .. '}', plain.encoder { 'a' } { a = SPECIAL })
    assert.are.equal('ERR_INVALID_ARG_VALUE', raised(plain.encode, 5LL).code)
  end)
end)

describe('json.encoder', function()
  it('writes the keys in order, and the suffix', function()
    local row = json.encoder { 'ip', 'status', 'bytes', suffix = '\n' }
    assert.are.equal('{"ip":"1.2.3.4","status":500,"bytes":0}\n', row { status = 500, ip = '1.2.3.4', bytes = 0, other = 1 })
    assert.are.equal('{"b":1,"a":2}', json.encoder { 'b', 'a' } { a = 2, b = 1 })
  end)

  it('leaves out fields that are nil, wherever they are', function()
    local row = json.encoder { 'a', 'b', 'c' }
    assert.are.equal('{"a":1,"b":2,"c":3}', row { a = 1, b = 2, c = 3 })
    assert.are.equal('{"b":2,"c":3}', row { b = 2, c = 3 })
    assert.are.equal('{"a":1,"c":3}', row { a = 1, c = 3 })
    assert.are.equal('{"a":1,"b":2}', row { a = 1, b = 2 })
    assert.are.equal('{"c":"x"}', row { c = 'x' })
    assert.are.equal('{"a":"x"}', row { a = 'x' })
    assert.are.equal('{}', row {})
    assert.are.equal('{}', json.encoder { 'a' } {})
  end)

  it('writes any value as encode does', function()
    local values = {
      SPECIAL, '', 'x', 0, -1, 1e14, -1e14, 2 ^ 53, 0.1, 1e300, 5e-324, true, false, json.null, { 1, 2 }, { a = { b = {} } },
      json.array(), 12345678901234567LL,
    }
    local row = json.encoder { 'a', 'b' }
    for _, value in ipairs(values) do
      local text = json.encode(value)
      assert.are.equal('{"a":' .. text .. ',"b":' .. text .. '}', row { a = value, b = value })
      assert.are.equal('{"b":' .. text .. '}', row { b = value })
    end
  end)

  it('takes any string as a key', function()
    local keys = { SPECIAL, 'end', 'a b', '%d $i $K', '', ']]' }
    local row, value = json.encoder(keys), {}
    for i, key in ipairs(keys) do value[key] = i end
    assert.are.equal('{' .. SPECIAL_JSON .. ':1,"end":2,"a b":3,"%d $i $K":4,"":5,"]]":6}', row(value))
    assert.are.equal('{"a":1}"\\%d$i\0', json.encoder { 'a', suffix = '"\\%d$i\0' } { a = 1 })
  end)

  it('takes any number of keys', function()
    for _, count in ipairs { 0, 1, 2, 35, 36, 37, 300 } do
      local keys, value, expected = {}, {}, {}
      for i = 1, count do
        keys[i] = 'key' .. i
        value[keys[i]] = i % 2 == 0 and i or 'v' .. i
        expected[i] = '"key' .. i .. '":' .. (i % 2 == 0 and i or '"v' .. i .. '"')
      end
      assert.are.equal('{' .. table.concat(expected, ',') .. '}', json.encoder(keys)(value))
    end
  end)

  it('raises for what JSON cannot say, and names the key', function()
    local row = json.encoder { 'a', 'b' }
    assert.are.equal('JSON cannot say inf (at b)', raised(row, { a = 1, b = math.huge }).message)
    assert.is_truthy(raised(row, { a = 0 / 0 }).message:find '^JSON cannot say %-?nan %(at a%)$')
    assert.is_truthy(raised(row, { a = print }).message:find '^JSON cannot say a function .*%(in a%)$')
    assert.are.equal('JSON cannot say a function (at x[1]) (in b)', raised(row, { b = { x = { print } } }).message)
    assert.are.equal('ERR_INVALID_ARG_VALUE', raised(row, { a = 1, b = print }).code)
    assert.are.equal('{"a":1}', row { a = 1 })
  end)

  it('checks its keys', function()
    assert.are.equal('ERR_INVALID_ARG_TYPE', raised(json.encoder, 'a').code)
    assert.are.equal('ERR_INVALID_ARG_TYPE', raised(json.encoder, { 'a', 5 }).code)
    assert.are.equal('ERR_INVALID_ARG_VALUE', raised(json.encoder, { 'a', 'b', 'a' }).code)
  end)

  it('is not changed by changes of the list of keys', function()
    local keys = { 'a', 'b' }
    local row = json.encoder(keys)
    keys[1] = 'c'
    assert.are.equal('{"a":1}', row { a = 1, c = 2 })
  end)

  it('compiles without an abort', function()
    local stops, aborts, result = traces [[
      local row, rows = require 'weir.json'.encoder { 'ip', 'path', 'status' }, {}
      for i = 1, 100 do rows[i] = { ip = '10.0.0.' .. i, path = '/x/' .. i, status = 500 + i } end
      local length = 0
      for _ = 1, 20 do
        for i = 1, 100 do length = length + #row(rows[i]) end
      end
      return length
    ]]
    assert.are.equal(tostring(20 * (100 * #'{"ip":"10.0.0.","path":"/x/","status":500}' + 2 * 192)), result)
    assert.are.equal(0, aborts)
    assert.is_true(stops > 0)
  end)

  it('would be seen not to compile', function()
    local _, aborts = traces [[
      for i = 1, 1000 do local f = function() return i end f() end
      return 1
    ]]
    assert.is_true(aborts > 0)
  end)
end)
