-- SPDX-License-Identifier: MIT
-- Signals to the command: the first ends all streams, the second the process; a listener replaces both.

local weir = os.getenv 'WEIR'

-- Runs code, which says 'ready'; then sends the signals, each a moment after the other. Output, and exit status.
local function run(code, ...)
  local path, out = os.tmpname(), os.tmpname()
  local file = io.open(path, 'w')
  file:write("io.stdout:setvbuf 'no'\n", code)
  file:close()
  local lines = {
    -- in the background a shell ignores SIGINT for its children: env --default-signal gives it back
    ('env --default-signal=INT,HUP,TERM %s %s >%s 2>&1 & pid=$!'):format(weir, path, out),
    ('for i in $(seq 200); do grep -q ready %s && break; sleep 0.02; done'):format(out),
  }
  for _, signal in ipairs { ... } do lines[#lines + 1] = ('kill -%s $pid; sleep 0.15'):format(signal) end
  lines[#lines + 1] = 'wait $pid; echo "status $?"'
  local pipe = io.popen(('bash -c \'%s\' 2>/dev/null'):format(table.concat(lines, '\n')))
  local status = tonumber(pipe:read('*a'):match 'status (%d+)')
  pipe:close()
  file = io.open(out)
  local text = file:read '*a'
  file:close()
  os.remove(path)
  os.remove(out)
  return text, status
end

local endless = [[
local weir = require 'weir'
local source = weir.Readable{ objectMode = true, read = function(self) self:push {} end }
local sink = weir.Writable{ objectMode = true,
  write = function(_, _, callback) weir.setImmediate(callback) end,
  destroy = function(_, err, callback) weir.setTimeout(function() print 'destroyed' callback(err) end, 20) end }
print 'ready'
weir.pipeline(source, weir.PassThrough{ objectMode = true }, sink)
]]

describe('a signal', function()
  for name, number in pairs { INT = 2, TERM = 15, HUP = 1 } do
    it('SIG' .. name .. ' destroys all streams, and ends with 128 + n when they are closed', function()
      assert.same({ 'ready\ndestroyed\n', 128 + number }, { run(endless, name) })
    end)
  end

  it('waits for all streams, though the script has failed by then', function()
    local code = [[
      local weir = require 'weir'
      slow = weir.Writable{ destroy = function(_, err, callback)
        weir.setTimeout(function() print 'destroyed' callback(err) end, 50)
      end }
      weir.setInterval(print, 1e6)
      print 'ready'
      weir.pipeline(weir.Readable{ read = function() end }, weir.PassThrough(), weir.PassThrough())]]
    assert.same({ 'ready\ndestroyed\n', 130 }, { run(code, 'INT') })
  end)

  it('removes the files that atomic streams have begun', function()
    local dir = os.tmpname()
    os.remove(dir)
    local code = ([[
      local weir = require 'weir'
      weir.fs.mkdir(%q, function()
        local file = weir.fs.createWriteStream(%q, { atomic = true })
        file:write('half', function() print 'ready' end)
      end)
      weir.setInterval(print, 1e6)]]):format(dir, dir .. '/out')
    assert.same({ 'ready\n', 130 }, { run(code, 'INT') })
    local pipe = io.popen(('ls -A %s; rmdir %s 2>&1'):format(dir, dir))
    assert.equal('', pipe:read '*a')
    pipe:close()
  end)

  it('that was ignored stays so', function()
    local script = 'trap "" HUP; %s -e "setTimeout(print, 300, 1)" & sleep 0.1; kill -HUP $!; wait $!; echo $?'
    local out = io.popen(("bash -c '" .. script .. "'"):format(weir))
    assert.equal('1\n0\n', out:read '*a')
    out:close()
  end)

  it('ends what only waits', function()
    assert.same({ 'ready\n', 130 }, { run('require"weir".setInterval(print, 1e6) print "ready"', 'INT') })
  end)

  it('ends compiled Lua when it comes twice', function()
    assert.same({ 'ready\n', 130 }, { run('print "ready" while true do end', 'INT', 'INT') })
  end)

  it('ends what does not close when it comes twice', function()
    local stuck = [[
      local weir = require 'weir'
      stream = weir.Writable{ write = function() end, destroy = function() end }
      weir.setInterval(print, 1e6)
      print 'ready']]
    assert.same({ 'ready\n', 143 }, { run(stuck, 'TERM', 'TERM') })
  end)

  it('is given to a listener instead', function()
    local code = [[
      local weir = require 'weir'
      local count = 0
      weir.process:on('SIGTERM', function(name, number)
        count = count + 1
        print(name, number)
        if count == 2 then weir.process.exit(9) end
      end)
      weir.setInterval(print, 1e6)
      print 'ready']]
    assert.same({ 'ready\nSIGTERM\t15\nSIGTERM\t15\n', 9 }, { run(code, 'TERM', 'TERM') })
  end)

  it('does what it did when the listener is gone', function()
    local code = [[
      local weir = require 'weir'
      weir.process:once('SIGTERM', print)
      weir.setInterval(print, 1e6)
      print 'ready']]
    assert.same({ 'ready\nSIGTERM\t15\n', 143 }, { run(code, 'TERM', 'TERM') })
  end)

  it('SIGUSR1 can be listened to, and does not keep the process alive', function()
    local code = [[
      local weir = require 'weir'
      weir.process:on('SIGUSR1', print)
      weir.setTimeout(function() end, 400)
      print 'ready']]
    assert.same({ 'ready\nSIGUSR1\t10\n', 0 }, { run(code, 'USR1') })
  end)
end)
