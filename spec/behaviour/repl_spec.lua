-- SPDX-License-Identifier: MIT
-- Without a script: lines from a pipe, and from a terminal (which `script` of util-linux makes).

local weir = os.getenv 'WEIR'

local function with_file(text, work)
  local path = os.tmpname()
  local file = io.open(path, 'w')
  file:write(text)
  file:close()
  local pipe = io.popen(work:gsub('FILE', path) .. '; echo "status $?"')
  local out, status = pipe:read('*a'):match '^(.-)status (%d+)\n$'
  pipe:close()
  os.remove(path)
  return out, tonumber(status)
end

local function lines(text)
  return with_file(text, 'cat FILE | ' .. weir .. ' 2>&1')
end

describe('the REPL', function()
  describe('without a terminal', function()
    it('prints values of expressions, and has no prompt', function()
      assert.same({ '2\n', 0 }, { lines '1+1\n' })
      assert.same({ "1\n'a'\n{ 1, 2 }\n", 0 }, { lines '1, "a", { 1, 2 }\n' })
    end)

    it('runs statements, and prints nothing of them', function()
      assert.same({ '5\n', 0 }, { lines 'x = 5\nlocal y = 1\nx\n' })
    end)

    it('goes on with what is not complete', function()
      assert.same({ '1\n2\n{ 1 }\n', 0 }, { lines 'for i = 1, 2 do\nprint(i)\nend\n{\n1\n}\n' })
    end)

    it('has the names of weir, and the last value in _', function()
      assert.same({ '42\n43\ntrue\n', 0 }, { lines '42\n_ + 1\nReadable == weir.Readable\n' })
    end)

    it('waits for what waits, line after line', function()
      assert.same({ '1\n2\n', 0 }, { lines 'sleep(20) print(1)\nprint(2)\n' })
      assert.same({ '1\n2\n', 0 }, { lines 'x = 1\nsleep(20) return x\n2\n' }) -- also behind one that does not
    end)

    it('ends when all that was begun is over', function()
      assert.same({ 'later\n', 0 }, { lines 'do setTimeout(print, 10, "later") end' })
    end)

    it('prints errors, goes on, and ends with 1', function()
      local out, status = lines 'error "boo"\nfoo bar\nlocal = \nprint "on"\n'
      assert.truthy(out:find('error: boo\n    at repl:1: in main chunk\n', 1, true), out)
      assert.truthy(out:find("error: repl:1: '=' expected near 'bar'\n", 1, true), out)
      assert.truthy(out:find('on\n', 1, true))
      assert.equal(1, status)
    end)

    it('complains of what is never completed', function()
      local out, status = lines 'print(1\n'
      assert.truthy(out:find("error: repl:1: ')' expected near '<eof>'", 1, true), out)
      assert.equal(1, status)
    end)

    it('reads a file as well', function()
      assert.same({ '1\n2\n', 0 }, { with_file('sleep(5) return 1\n2', weir .. ' <FILE 2>&1') })
    end)

    it('ends by process.exit', function()
      assert.same({ '', 3 }, { lines 'process.exit(3)\nprint "no"\n' })
    end)
  end)

  describe('at a terminal', function()
    local history -- the file for it; nil: none
    after_each(function()
      if history then os.remove(history) end
      history = nil
    end)

    -- What stands on the screen after these keys, each sent after a pause, without colours.
    local function screen(...)
      local keys = {}
      for _, key in ipairs { ... } do keys[#keys + 1] = ("sleep 0.4; printf '%s'"):format(key:gsub("'", "'\\''")) end
      local typing = '(sleep 0.4; ' .. table.concat(keys, '; ') .. '; sleep 0.4)'
      local set = 'TERM=dumb NO_COLOR=1 WEIR_HISTORY=' .. (history or '')
      -- exec: a shell that stays above weir (dash, where $SHELL is not set) ends with 130 itself once Ctrl-C was typed
      local out, status = with_file('', typing .. (' | %s timeout 30 script -qec "exec %s" FILE'):format(set, weir))
      return (out:gsub('\r', '')), status
    end

    it('asks, answers, and ends with the input', function()
      local out, status = screen('1+1\\r', 'x = {\\r', '7}\\r', 'x\\r', '\\004')
      assert.truthy(out:find('> 1+1\n2\n', 1, true), out)
      assert.truthy(out:find('>> 7}\n', 1, true), out)
      assert.truthy(out:find('{ 7 }\n', 1, true), out)
      assert.equal(0, status)
    end)

    it('keeps the loop alive while one types', function()
      local out = screen('setTimeout(print, 100, "ticked"):x()\\r', '_ = setTimeout(print, 100, "ticked")\\r', '5', '5\\r', '\\004')
      assert.truthy(out:find('ticked\n', 1, true), out)
      assert.truthy(out:find('55\n', 1, true), out)
    end)

    it('waits, and Ctrl-C gives that up', function()
      local out, status = screen('sleep(1e7)\\r', '\\003', 'print("alive")\\r', '\\004')
      assert.truthy(out:find('interrupted\n', 1, true), out)
      assert.truthy(out:find('\nalive\n', 1, true), out)
      assert.equal(0, status)
    end)

    it('ends, also in compiled Lua, when Ctrl-C comes twice', function()
      local out, status = screen('while true do end\\r', '\\003', '\\003')
      assert.falsy(out:find('interrupted', 1, true), out)
      assert.equal(130, status)
    end)

    it('has commands that begin with a dot', function()
      local out, status = screen('.help\\r', '.nope\\r', '.exit\\r', 'print "no"\\r')
      assert.truthy(out:find('.exit    ends weir', 1, true), out)
      assert.truthy(out:find('error: there is no such command', 1, true), out)
      assert.falsy(out:find('\nno\n', 1, true), out)
      assert.equal(0, status)
    end)

    it('remembers what was typed until the next time, but for what begins with a space', function()
      history = os.tmpname()
      os.remove(history)
      screen('40 + 2\\r', ' 99\\r', '\\004')
      local out = screen('\\020\\r', '\\004') -- Ctrl-P: the line before
      assert.truthy(out:find('\n42\n', 1, true), out)
      assert.equal('600\n', with_file('', 'stat -c %a ' .. history))
    end)
  end)

  it('has its commands without a terminal too', function()
    assert.same({ '1\n', 0 }, { lines 'print(1)\n.exit\nprint(2)\n' })
  end)
end)
