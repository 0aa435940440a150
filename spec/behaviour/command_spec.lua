-- SPDX-License-Identifier: MIT
-- The command: its options, what a script is given, exit codes, and what it says of errors.

local weir = os.getenv 'WEIR'

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read '*a'
  file:close()
  return text
end

-- Runs the command with the arguments; output, errors, status. `input` in the last argument, a table, is its standard input.
local function run(...)
  local words, options = { weir }, {}
  for _, word in ipairs { ... } do
    if type(word) == 'table' then options = word else words[#words + 1] = quoted(word) end
  end
  local err, input = os.tmpname(), os.tmpname()
  local file = io.open(input, 'w')
  file:write(options.input or '')
  file:close()
  local pipe = io.popen(('%s <%s 2>%s; echo "status $?"'):format(table.concat(words, ' '), input, err))
  local text = pipe:read '*a'
  pipe:close()
  local out, status = text:match '^(.-)status (%d+)\n$'
  local errors = read(err)
  os.remove(err)
  os.remove(input)
  return out, errors, tonumber(status)
end

-- Runs a script of this text with the arguments.
local function script(text, ...)
  local path = os.tmpname()
  local file = io.open(path, 'w')
  file:write(text)
  file:close()
  local out, err, status = run(path, ...)
  os.remove(path)
  return out:gsub(path, 'SCRIPT', nil), err:gsub(path:gsub('%p', '%%%0'), 'SCRIPT'), status
end

-- What a shell prints on both outputs of this, in which $weir is the command.
local function shell(text)
  local pipe = io.popen(('weir=%s; exec 2>&1; %s'):format(quoted(weir), text))
  local out = pipe:read '*a'
  pipe:close()
  return out
end

describe('the command', function()
  describe('runs', function()
    it('a script with its arguments', function()
      local out, err, status = script('print(arg[0] == nil, arg[1], arg[2], #arg, ...)', 'a', '-e')
      assert.same({ 'false\ta\t-e\t2\ta\t-e\n', '', 0 }, { out, err, status })
    end)

    it('code, with the public names as globals', function()
      local out, err, status = run('-e', 'print(Readable == weir.Readable, type(fs), arg[1], ...)', 'x')
      assert.same({ 'true\ttable\tx\tx\n', '', 0 }, { out, err, status })
    end)

    it('a script without those globals', function()
      assert.equal('nil\n', (script 'print(Readable)'))
    end)

    it('the standard input', function()
      local out, err, status = run('-', 'x', { input = 'print("in", ...)' })
      assert.same({ 'in\tx\n', '', 0 }, { out, err, status })
    end)

    it('several pieces of code in order, modules before them', function()
      assert.equal('1\n2\ttable\n', (run('-l', 'bit', '-e', 'print(1)', '-e', 'print(2, type(bit))')))
    end)

    it('a file whose name begins with a dash', function()
      local _, err, status = run('--', '-nosuch.lua')
      assert.same({ 'weir: cannot open -nosuch.lua: No such file or directory\n', 1 }, { err, status })
    end)

    it('the main chunk where it may wait', function()
      assert.equal('waited\n', (script 'require"weir".sleep(1) print "waited"'))
    end)

    it('what a script gives to weir.run in place', function()
      assert.equal('in\nout\n', (script 'local w = require "weir" w.run(function() w.sleep(1) print "in" end) print "out"'))
    end)

    it('until nothing is left', function()
      assert.equal('main\nlater\n', (run('-e', 'setTimeout(print, 5, "later") print "main"')))
    end)
  end)

  it('says its version and its options', function()
    local out, err, status = run '--version'
    assert.truthy(out:find '^weir %d+%.%d+%.%d+ %(LuaJIT')
    assert.same({ '', 0 }, { err, status })
    for _, option in ipairs { '--help', '-h' } do
      out, err, status = run(option)
      assert.truthy(out:find('usage: weir', 1, true))
      assert.same({ '', 0 }, { err, status })
    end
  end)

  describe('ends with 2', function()
    for _, case in ipairs {
      { '--nosuch', "unknown option '--nosuch'" }, { '-x', "unknown option '-x'" }, { '-e', 'the option -e needs code' },
      { '-l', 'the option -l needs the name of a module' },
    } do
      it('for ' .. case[1], function()
        local out, err, status = run(case[1])
        assert.same({ '', 'weir: ' .. case[2] .. '\n      (weir --help lists the options)\n', 2 }, { out, err, status })
      end)
    end
  end)

  describe('ends with 1', function()
    it('for a file that is not there, or is none', function()
      local _, err, status = run 'nosuch.lua'
      assert.same({ 'weir: cannot open nosuch.lua: No such file or directory\n', 1 }, { err, status })
      _, err, status = run '/'
      assert.same({ 'weir: cannot read /: Is a directory\n', 1 }, { err, status })
    end)

    it('for what does not compile', function()
      local _, err, status = run('-e', 'x x')
      assert.same({ "weir: (command line):1: '=' expected near 'x'\n", 1 }, { err, status })
    end)

    it('for an error, with the lines of the script', function()
      local _, err, status = script 'local function f()\n  error "boom"\nend\nlocal x = f()'
      assert.same({ "weir: Uncaught boom\n    at SCRIPT:2: in function 'f'\n    at SCRIPT:4: in main chunk\n", 1 },
        { err, status })
    end)

    it('at once, whatever else goes on', function()
      local out, _, status = run('-e', 'setInterval(print, 1e6) setTimeout(print, 1) error "boom"')
      assert.same({ '', 1 }, { out, status })
    end)

    it('for an error of a timer', function()
      local _, err, status = run('-e', 'setTimeout(function() error { code = "EX", message = "late" } end, 1)')
      assert.truthy(err:find('^weir: Uncaught EX: late\n'))
      assert.equal(1, status)
    end)

    it('for a main chunk that waits for ever, and says where', function()
      local _, err, status = script [[
        local weir = require 'weir'
        weir.pipeline(weir.Readable{ read = function() end }, weir.PassThrough())]]
      assert.truthy(err:find('^weir: Uncaught ERR_UNSETTLED_WAIT: the script still waits'), err)
      assert.truthy(err:find('SCRIPT:2: in '), err)
      assert.equal(1, status)
    end)
  end)

  describe('says what waits for ever, naming the stage of the pipeline,', function()
    local stages = [[
      local function pass(_, chunk, callback) callback(nil, chunk) end
      local function stage(name, fn) return Transform{ objectMode = true, name = name, transform = fn } end
      local sink = Writable{ objectMode = true, name = 'sink', write = function(_, _, callback) callback() end }
      pipeline(Readable.from{ 1, 2 }, stage('first', pass), %s, stage('third', pass), sink%s)]]

    for what, case in pairs {
      ['that has not called back'] = "stage('second', function() end)",
      ['that has not flushed'] = "Transform{ objectMode = true, name = 'second', transform = pass, flush = function() end }",
      ['that does not construct'] = "Transform{ objectMode = true, name = 'second', transform = pass, construct = function() end }",
    } do
      it(what .. ', where the script waits for it', function()
        local out, err, status = run('-e', stages:format(case, '') .. ' print "no"')
        assert.truthy(err:find('ERR_UNSETTLED_WAIT: the script still waits for the stage second, and nothing is left', 1, true), err)
        assert.truthy(err:find('at (command line):4: in main chunk', 1, true), err)
        assert.same({ '', 1 }, { out, status })
      end)

      it(what .. ', where it does not', function()
        local out, err, status = run('-e', stages:format(case, ', print'))
        assert.truthy(err:find('ERR_UNSETTLED_WAIT: a pipeline still waits for the stage second, and nothing is left', 1, true), err)
        assert.same({ '', 1 }, { out, status })
      end)
    end

    it('or the source, if that has not pushed', function()
      local _, err = run('-e', 'pipeline(Readable{ name = "well", read = function() end }, PassThrough(), PassThrough())')
      assert.truthy(err:find('for the stage well', 1, true), err)
    end)

    it('but not of streams that are only left open', function()
      assert.same({ '', '', 0 }, { run('-e', 'left = PassThrough() left:write "x" Readable{ read = function() end }:pipe(left)') })
    end)
  end)

  describe('an error that is uncaught', function()
    for where, code in pairs {
      ['an immediate'] = 'setImmediate(function() error "late" end)',
      ['a tick'] = 'nextTick(function() error "late" end)',
      ['a listener'] = 'Readable.from{ 1 }:on("data", function() error "late" end)',
      ['a coroutine of wrap'] = 'wrap(function() sleep(1) error "late" end)()',
      ["an 'error' that nobody takes"] = 'PassThrough():destroy(Error "late")',
      ['a callback'] = 'pipeline(Readable.from{ 1 }, PassThrough{ objectMode = true }:resume(), function() error "late" end)',
    } do
      it('in ' .. where .. ' ends the script with 1', function()
        local out, err, status = run('-e', 'setTimeout(print, 200, "no") ' .. code .. ' print "before"')
        assert.truthy(err:find('weir: Uncaught late\n', 1, true) and err:find('at (command line):1: in ', 1, true), err)
        assert.same({ 'before\n', 1 }, { out, status })
      end)
    end

    it('lets nothing of the script run any more', function()
      local late = 'nextTick(print, "no") setImmediate(print, "no") setTimeout(print, 1, "no")'
      assert.equal('', (run('-e', 'nextTick(function() error "x" end) ' .. late)))
      assert.equal('', (run('-e', late .. ' error "x"')))
    end)

    it('is told with what caused it', function()
      local _, err = run('-e', 'error(Error("outside", { code = "E_OUT", cause = Error("inside", { code = "E_IN" }) }))')
      assert.truthy(err:find('Uncaught E_OUT: outside\n    caused by: E_IN: inside\n', 1, true), err)
    end)

    it('is any value', function()
      for value, text in pairs { ['nil'] = 'nil', ['{ 1 }'] = '{ 1 }', ['true'] = 'true' } do
        local _, err, status = run('-e', 'error(' .. value .. ')')
        assert.same({ 'weir: Uncaught ' .. text .. '\n', 1 }, { err:match '^[^\n]*\n', status })
      end
    end)

    it('comes of waiting inside of require, which says why', function()
      local path = os.tmpname()
      local file = io.open(path, 'w')
      file:write 'require "weir".sleep(1)'
      file:close()
      local _, err, status = run('-e', ('package.preload.m = loadfile %q require "m"'):format(path))
      os.remove(path)
      assert.truthy(err:find('ERR_CANNOT_WAIT: Cannot wait here: a function in C lies between (require', 1, true), err)
      assert.equal(1, status)
    end)
  end)

  describe('prints', function()
    it('what is buffered, however it ends', function()
      for _, ending in ipairs { '', 'process.exit(0)', 'os.exit(0)', 'error "x"', 'nextTick(process.exit)' } do
        assert.equal('buffered\n', (run('-e', 'io.stdout:setvbuf "full" print "buffered" ' .. ending)))
      end
    end)

    it('to nobody not for ever: it ends with 141, without a word', function()
      for _, code in ipairs {
        'while true do print "line" end', 'while true do io.write "line\\n" end',
        'setInterval(function() print "line" io.stdout:flush() end, 1)',
      } do
        local out = shell(('{ timeout -s KILL 5 $weir -e %s; echo $? >&2; } | head -1'):format(quoted(code)))
        assert.same({ '141', 'line' }, { out:match '%d+', out:match 'line' }, code)
        assert.equal(#'141\nline\n', #out, out)
      end
    end)

    it('to nobody, and its atomic files are removed all the same', function()
      local code = [[
        local dir = os.tmpname() os.remove(dir)
        fs.mkdir(dir, function()
          local file = fs.createWriteStream(dir .. '/out', { atomic = true })
          file:write('half', function()
            io.stderr:write(dir, '\n')
            setInterval(function() print "line" io.stdout:flush() end, 1)
          end)
        end)]]
      local out = shell(('{ timeout -s KILL 5 $weir -e %s; echo "status $?" >&2; } | head -1'):format(quoted(code)))
      local dir = out:match '/%S+'
      assert.truthy(out:find('status 141', 1, true), out)
      assert.equal('.\n..\n', shell('ls -a ' .. dir .. '; rmdir ' .. dir))
    end)

    it('to a full disk, and says so', function()
      assert.equal('weir: standard output cannot be written: No space left on device\n1\n', shell '$weir -e "print(1)" >/dev/full; echo $?')
      assert.equal('weir: standard output cannot be written: No space left on device\n3\n',
        shell '$weir -e "print(1) process.exit(3)" >/dev/full; echo $?')
    end)

    it('and leaves SIGPIPE to the programs that it starts as it was', function()
      assert.equal('141\n', (run('-e', 'io.write(io.popen([[bash -c "yes | head -1 >/dev/null; echo \\${PIPESTATUS[0]}"]]):read "*a")')))
    end)
  end)

  describe('names the stream that failed', function()
    local writing = 'local w = Writable{ %s write = function(_, _, callback) %s end } %s'

    it('by its option name', function()
      local _, err, status = run('-e', writing:format('name = "rows",', 'error "bad row"', 'w:write "x"'))
      assert.same({ 'weir: Uncaught bad row\n    in the stream rows\n    at (command line):1: in function <(command line):1>\n', 1 },
        { err, status })
    end)

    it('else by its class', function()
      local _, err = run('-e', writing:format('', 'callback "bad row"', 'w:write "x"'))
      assert.equal('weir: Uncaught bad row\n    in the stream Writable\n    at (command line):1: in function <(command line):1>\n', err)
    end)

    it('of all stages of a pipeline', function()
      local _, err, status = run('-e', [[
        pipeline(Readable.from{ 'a' }, PassThrough(), Transform{ name = 'guilty', transform = function() error 'bad' end },
          PassThrough())]])
      assert.truthy(err:find('^weir: Uncaught bad\n    in the stream guilty\n'), err)
      assert.equal(1, status)
    end)
  end)

  describe('process', function()
    it('.exit ends it with that code, after its listeners', function()
      local out, err, status = run('-e', 'process:on("exit", function(code) print("exit", code) end) process.exit(7) print "no"')
      assert.same({ 'exit\t7\n', '', 7 }, { out, err, status })
    end)

    it('.exit works in callbacks, in mid-pipeline, and where nothing can wait', function()
      local _, err, status = run('-e', [[
        local n = 0
        pipeline(Readable{ objectMode = true, read = function(self) self:push {} end }, PassThrough{ objectMode = true },
          Writable{ objectMode = true, write = function(_, _, callback)
            n = n + 1
            if n == 100 then ('x'):gsub('x', function() process.exit(3) end) end
            setImmediate(callback)
          end })]])
      assert.same({ '', 3 }, { err, status })
    end)

    it('.exit is os.exit too', function()
      local out, _, status = run('-e', 'process:on("exit", function(code) print("exit", code) end) os.exit(6)')
      assert.same({ 'exit\t6\n', 6 }, { out, status })
      assert.equal(1, (select(3, run('-e', 'os.exit(false)'))))
      assert.equal(0, (select(3, run('-e', 'os.exit(true)'))))
    end)

    it(".exit's listeners may change the code, and are told after an error as well", function()
      local change = 'process:on("exit", function(code) print(code) process.exitCode = 8 end) '
      assert.same({ '2\n', '', 8 }, { run('-e', change .. 'process.exit(2)') })
      local out, _, status = run('-e', change .. 'error "x"')
      assert.same({ '1\n', 8 }, { out, status })
    end)

    it('.exitCode is what it ends with', function()
      local out, _, status = run('-e', 'process:on("exit", function(code) print(code) end) process.exitCode = 4')
      assert.same({ '4\n', 4 }, { out, status })
    end)

    it('tells of uncaught errors, which then do not end it', function()
      local out, err, status = run('-e', [[
        process:on('uncaughtException', function(e) print('caught', e) end)
        setTimeout(print, 5, 'on')
        error { message = 'x', code = 'EX' }]])
      assert.same({ 'caught\tEX: x\non\n', '', 0 }, { out, err, status })
    end)

    it('.argv and .env are the command\'s', function()
      local out = run('-e', 'print(#process.argv, process.argv[2], process.argv[3], process.env.PATH ~= nil)', 'a')
      assert.equal('3\t-e\ta\ttrue\n', out)
    end)
  end)
end)
