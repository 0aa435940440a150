-- SPDX-License-Identifier: MIT
-- Waiting and waking, with a tick queue in Lua.
local core = dofile 'spec/unit/lua/stand_in.lua'
local wait = require 'weir.wait'

local function codeOf(fn)
  local good, err = pcall(fn)
  assert.is_false(good)
  return err.code, err.message
end

describe('weir.wait', function()
  it('hands over what it was woken with, in a later tick', function()
    local log, wake = {}, nil
    core.go(function()
      local here
      wake, here = wait.prepare()
      log[#log + 1] = 'waits'
      local got = table.concat({ here() }, ' ')
      log[#log + 1] = got
    end)
    assert.is_true(wake('a', 'b'))
    log[#log + 1] = 'woken'
    core.settle()
    assert.are.same({ 'waits', 'woken', 'a b' }, log)
  end)

  it('keeps nils and the number of values, woken before or while it waits', function()
    for _, early in ipairs { true, false } do
      local count, first, last, wake
      core.go(function()
        local here
        wake, here = wait.prepare()
        if early then wake(nil, 2, nil) end
        local function take(...) count, first, last = select('#', ...), (select(2, ...)), (select(3, ...)) end
        take(here())
      end)
      if not early then wake(nil, 2, nil) end
      core.settle()
      assert.are.equal(3, count)
      assert.are.equal(2, first)
      assert.is_nil(last)
    end
  end)

  it('does not yield when it was woken before', function()
    local co = core.go(function()
      local wake, here = wait.prepare()
      wake(1)
      assert.are.equal(1, here())
    end)
    assert.are.equal('dead', coroutine.status(co))
  end)

  it('counts the first wake only', function()
    local got, results = {}, {}
    local wake
    core.go(function()
      local here
      wake, here = wait.prepare()
      got[1] = here()
      local _, again = wait.prepare()
      got[2] = again()
    end)
    results[1], results[2] = wake 'first', wake 'second'
    core.settle()
    results[3] = wake 'third'
    core.settle()
    assert.are.same({ true, false, false }, results)
    assert.are.same({ 'first' }, got)
  end)

  it('is used once, and where it was prepared', function()
    local codes, here = {}, nil
    core.go(function()
      local wake
      wake, here = wait.prepare()
      wake()
      here()
      codes[1] = codeOf(here)
    end)
    core.go(function()
      local _, mine = wait.prepare()
      here = mine
    end)
    core.go(function() codes[2] = codeOf(here) end)
    assert.are.same({ 'ERR_CANNOT_WAIT', 'ERR_CANNOT_WAIT' }, codes)
  end)

  it('raises outside of a coroutine that may wait, and says what to do', function()
    local code, message, elsewhere
    coroutine.wrap(function() code, message = codeOf(wait.prepare) end)()
    assert.are.equal('ERR_CANNOT_WAIT', code)
    assert.is_truthy(message:find('weir.wrap', 1, true))
    coroutine.wrap(function() elsewhere = codeOf(wait.pause) end)()
    assert.are.equal('ERR_CANNOT_WAIT', elsewhere)
  end)

  it('raises outside of any coroutine', function()
    local code, message = codeOf(wait.prepare)
    assert.are.equal('ERR_CANNOT_WAIT', code)
    assert.is_truthy(message:find('not in a coroutine', 1, true))
  end)

  it('raises where Lua cannot yield', function()
    local code, message
    core.go(function()
      string.gsub('x', 'x', function() code, message = codeOf(wait.prepare) end)
    end)
    assert.are.equal('ERR_CANNOT_WAIT', code)
    assert.is_truthy(message:find('gsub', 1, true))
  end)

  it('pauses until its waker is called, again and again', function()
    local log, wake = {}, nil
    core.go(function()
      wake = wait.waker()
      for i = 1, 3 do log[i] = wait.pause() end
    end)
    for i = 1, 3 do
      wake(i)
      core.settle()
    end
    assert.are.same({ 1, 2, 3 }, log)
  end)

  it('works inside pcall', function()
    local got, wake
    core.go(function()
      got = { pcall(function()
        local here
        wake, here = wait.prepare()
        error(here())
      end) }
    end)
    wake 'x'
    core.settle()
    assert.is_false(got[1])
    assert.are.equal('x', tostring(got[2]):match 'x$')
  end)
end)
