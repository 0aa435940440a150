-- SPDX-License-Identifier: MIT
-- Error objects: what becomes one, where it was made, and Node's words.
dofile 'spec/unit/lua/stand_in.lua'
local errors = require 'weir.errors'
local show = require 'weir.show'

describe('weir.errors', function()
  it('makes error objects', function()
    local err = errors.new('no such thing', 'ERR_THING', { path = '/x', cause = 'why' })
    assert.are.equal('no such thing', err.message)
    assert.are.equal('ERR_THING', err.code)
    assert.are.equal('/x', err.path)
    assert.are.equal('why', err.cause)
    assert.are.equal('Error', err.name)
    assert.is_true(errors.isError(err))
  end)

  it('makes errors of users', function()
    local err = errors.Error('bad row', { code = 'EROW', name = 'RowError' })
    assert.are.equal('bad row', err.message)
    assert.are.equal('EROW', err.code)
    assert.are.equal('RowError', err.name)
    assert.are.equal('plain', errors.Error('plain').message)
    assert.is_nil(errors.Error('plain').code)
  end)

  it('tells errors from other values', function()
    for _, value in ipairs { 'x', 1, true, { message = 'x' }, print } do assert.is_false(errors.isError(value)) end
    assert.is_false(errors.isError(nil))
  end)

  it('prints code and message once each', function()
    assert.are.equal('ERR_X: bad', tostring(errors.new('bad', 'ERR_X')))
    assert.are.equal('bad', tostring(errors.new('bad')))
    assert.are.equal('5: bad', tostring(errors.new('bad', 5)))
    assert.are.equal('ENOENT: no such file', tostring(errors.new('ENOENT: no such file', 'ENOENT')))
  end)

  it('keeps the stack of where it was made, innermost first', function()
    local function inner() local err = errors.new('x') return err end
    local line = debug.getinfo(inner, 'S').linedefined
    local err = inner()
    local first = err.traceback:match '^[^\n]+'
    assert.is_truthy(first:find('errors_spec.lua:' .. line .. ': in', 1, true))
    assert.is_truthy(err.where:find('errors_spec.lua:' .. line, 1, true))
    assert.is_nil(err.traceback:find('stack traceback', 1, true))
    assert.is_nil(err.traceback:find('\t', 1, true))
  end)

  it('names the line of the caller for errors made inside weir', function()
    local json = require 'weir.json'
    local line = debug.getinfo(1, 'l').currentline + 1
    local _, err = pcall(function() json.encoder(5) end)
    assert.is_truthy(err.traceback:find('weir/json.lua', 1, true))
    assert.is_truthy(err.where:find('errors_spec.lua:' .. line .. '$'))
    local own = errors.ownLines(err.traceback)
    assert.is_truthy(own:find('errors_spec.lua:' .. line, 1, true))
    assert.is_nil(own:find('weir/json.lua', 1, true))
    assert.is_nil(own:find('[C]', 1, true))
  end)

  it('takes a user\'s folder called weir for what it is', function()
    local function where(file)
      return errors.caught('x', 'stack traceback:\n\t' .. file .. ':1: in function <x>\n\tmine.lua:2: in main chunk').where
    end
    local ours = debug.getinfo(errors.new, 'S').short_src
    assert.are.equal('mine.lua:2', where(ours))
    assert.are.equal('mine.lua:2', where((ours:gsub('errors', 'show'))))
    assert.are.equal('mine.lua:2', where 'weir.driver')
    if ours:find '^%.%.%.' then return end -- Lua has cut the path: only the folder's name is known
    for _, file in ipairs {
      (ours:gsub('errors', 'mine')), ours .. '.lua', 'weir/errors.lua', '/home/me/weir/errors.lua',
      '/home/me/lua/weir/errors.lua', 'weir.lua', 'weir/x.lua',
    } do
      if file ~= ours then assert.are.equal(file .. ':1', where(file)) end
    end
  end)

  describe('from', function()
    it('returns an error object as it is', function()
      local err = errors.new 'x'
      assert.are.equal(err, errors.from(err))
    end)

    it('takes a string as the message, unchanged', function()
      assert.are.equal('a.lua:5: bad row', errors.from('a.lua:5: bad row').message)
      assert.is_true(errors.isError(errors.from 'bad row'))
    end)

    it('makes an error of a plain table with a message, and keeps its identity', function()
      local given = { code = 'EBAD', message = 'bad' }
      local err = errors.from(given)
      assert.are.equal(given, err)
      assert.is_true(errors.isError(err))
      assert.are.equal('EBAD: bad', tostring(err))
      assert.are.equal('', err.traceback)
      assert.is_nil(err.where)
    end)

    it('wraps everything else', function()
      local strange = setmetatable({ message = 'hidden' }, { __tostring = function() return 'strange' end })
      local table_ = { 1, 2 }
      for _, case in ipairs { { 5, '5' }, { false, 'false' }, { strange, 'strange' }, { table_, '{ 1, 2 }' } } do
        local err = errors.from(case[1])
        assert.are.equal(case[2], err.message)
        assert.are.equal(case[1], err.cause)
      end
      assert.are.equal('nil', errors.from(nil).message)
    end)
  end)

  describe('caught', function()
    it('takes the position out of the message of a raised string', function()
      local line = debug.getinfo(1, 'l').currentline + 1
      local _, raised = pcall(function() error 'bad row' end)
      local err = errors.caught(raised)
      assert.are.equal('bad row', err.message)
      assert.is_truthy(err.where:find('errors_spec.lua:' .. line .. '$'))
    end)

    it('knows positions in chunks of strings', function()
      local _, raised = pcall(loadstring 'error("a: b")')
      local err = errors.caught(raised)
      assert.are.equal('a: b', err.message)
      assert.are.equal('[string "error("a: b")"]:1', err.where)
      local _, other = xpcall(loadstring 'error("a: b")', function(message) return errors.caught(message, debug.traceback()) end)
      assert.are.equal('a: b', other.message)
    end)

    it('leaves messages without a position alone', function()
      for _, text in ipairs { 'bad row', 'host: connect failed: 5: x', 'a:b: c', '' } do
        local err = errors.caught(text)
        assert.are.equal(text, err.message)
      end
    end)

    it('does not take a position from a message that is not in the stack', function()
      local err = errors.caught('10.0.0.1:80: refused', 'stack traceback:\n\tmy.lua:7: in function <my.lua:6>')
      assert.are.equal('10.0.0.1:80: refused', err.message)
      assert.are.equal('my.lua:7', err.where)
      assert.are.equal('my.lua:7: in function <my.lua:6>', err.traceback)
      local other = errors.caught('my-own.lua:7: refused', 'stack traceback:\n\tmy-own.lua:7: in function <my-own.lua:6>')
      assert.are.equal('refused', other.message)
      assert.are.equal('my-own.lua:7', other.where)
    end)

    it('keeps the stack of an error object', function()
      local err = errors.new 'x'
      local own = err.traceback
      assert.are.equal(err, errors.caught(err, 'stack traceback:\n\tother.lua:1: in main chunk'))
      assert.are.equal(own, err.traceback)
      for _, value in ipairs { { message = 'm' }, 5, { 1 }, 'text' } do
        local other = errors.caught(value, 'stack traceback:\n\tother.lua:1: in main chunk')
        assert.are.equal('other.lua:1: in main chunk', other.traceback)
      end
    end)
  end)

  it('makes AbortErrors', function()
    local err = errors.abort 'why'
    assert.are.equal('AbortError', err.name)
    assert.are.equal('ABORT_ERR', err.code)
    assert.are.equal('The operation was aborted', err.message)
    assert.are.equal('why', err.cause)
    assert.is_nil(errors.abort().cause)
    assert.is_false(errors.abort(false).cause)
  end)

  describe('with Node\'s words', function()
    local Foo = setmetatable({}, { __name = 'Foo' })

    it('argType', function()
      local cases = {
        { { 'listener', 'function', nil }, 'The "listener" argument must be of type function. Received nil' },
        { { 'listener', 'function', 5 }, 'The "listener" argument must be of type function. Received type number (5)' },
        { { 'path', { 'string', 'Buffer', 'URL' }, Foo },
          'The "path" argument must be of type string or an instance of Buffer or URL. Received an instance of Foo' },
        { { 'options.fd', { 'number', 'FileHandle' }, 'a' },
          'The "options.fd" property must be of type number or an instance of FileHandle. Received type string (\'a\')' },
        { { 'first argument', { 'string', 'Buffer', 'ArrayBuffer', 'Array' }, print },
          'The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array. Received function' },
        { { 'x', { 'string', 'number', 'boolean' }, {} },
          'The "x" argument must be one of type string, number, or boolean. Received a table' },
        { { 'x', { 'string', 'number' }, true }, 'The "x" argument must be one of type string or number. Received type boolean (true)' },
        { { 'start', 'number', ('a'):rep(40) },
          'The "start" argument must be of type number. Received type string (\'' .. ('a'):rep(25) .. '...\')' },
        { { 'start', 'number', ('a'):rep(28) },
          'The "start" argument must be of type number. Received type string (\'' .. ('a'):rep(28) .. '\')' },
        { { 'signals[0]', 'AbortSignal', 5 }, 'The "signals[0]" argument must be an instance of AbortSignal. Received type number (5)' },
      }
      for _, case in ipairs(cases) do
        local err = errors.argType(case[1][1], case[1][2], case[1][3])
        assert.are.equal(case[2], err.message)
        assert.are.equal('ERR_INVALID_ARG_TYPE', err.code)
        assert.are.equal('TypeError', err.name)
      end
    end)

    it('argValue', function()
      local err = errors.argValue('options.highWaterMark', -1)
      assert.are.equal("The property 'options.highWaterMark' is invalid. Received -1", err.message)
      assert.are.equal('ERR_INVALID_ARG_VALUE', err.code)
      assert.are.equal('TypeError', err.name)
      assert.are.equal("The argument 'level' must be one of: 1, 2. Received 'z'",
        errors.argValue('level', 'z', 'must be one of: 1, 2').message)
      local long = errors.argValue('x', ('a'):rep(200)).message
      assert.are.equal("The argument 'x' is invalid. Received '" .. ('a'):rep(127) .. '...', long)
    end)

    it('outOfRange', function()
      local err = errors.outOfRange('start', '>= 0', -5)
      assert.are.equal('The value of "start" is out of range. It must be >= 0. Received -5', err.message)
      assert.are.equal('ERR_OUT_OF_RANGE', err.code)
      assert.are.equal('RangeError', err.name)
      local function got(value) return errors.outOfRange('x', 'y', value).message:match 'Received (.*)$' end
      assert.are.equal('1_099_511_627_776', got(2 ^ 40))
      assert.are.equal('-1_099_511_627_776', got(-2 ^ 40))
      assert.are.equal('100_000_000_000', got(1e11))
      assert.are.equal('4294967296', got(2 ^ 32))
      assert.are.equal('1.5', got(1.5))
      assert.are.equal('nan', got(0 / 0))
    end)
  end)

  it('shows itself with what it has', function()
    assert.are.equal('[ERR_X: bad]', show.show(errors.new('bad', 'ERR_X')))
    assert.are.equal("[ENOENT: none { path = '/x', syscall = 'open' }]",
      show.show(errors.new('ENOENT: none', 'ENOENT', { path = '/x', syscall = 'open' })))
    local seen = errors.abort()
    assert.is_truthy(#seen.traceback > 0)
    assert.are.equal('[ABORT_ERR: The operation was aborted]', show.show(seen))
    assert.are.equal('[RowError: bad]', show.show(errors.Error('bad', { name = 'RowError' })))
  end)
end)
