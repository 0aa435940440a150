-- SPDX-License-Identifier: MIT
-- Every example runs as it stands, and prints exactly what is stated here; what they write is read by Node, openssl and
-- gunzip.

local amount = require('support').amount

local weir = os.getenv 'WEIR'
local examples = 'scripts/examples/'

local function quote(s)
  return "'" .. tostring(s):gsub("'", "'\\''") .. "'"
end

-- What COMMAND prints, with its standard error behind it, and its exit status.
local function run(command)
  local errors = os.tmpname()
  local pipe = io.popen(('{ %s; } 2>%s </dev/null; echo "status $?"'):format(command, errors))
  local text, status = pipe:read('*a'):match '^(.*)status (%d+)\n$'
  pipe:close()
  local file = io.open(errors, 'rb')
  text = text .. file:read '*a'
  file:close()
  os.remove(errors)
  return text, tonumber(status)
end

local function example(name, ...)
  local words = { quote(weir), examples .. name .. '.lua' }
  for _, word in ipairs { ... } do words[#words + 1] = quote(word) end
  return run(table.concat(words, ' '))
end

local function read(path)
  local file = io.open(path, 'rb')
  if not file then return nil end
  local text = file:read '*a'
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
end

-- Lines as data.mjs makes them, and some that are none.
local function log(count)
  local methods, statuses = { 'GET', 'POST', 'PUT' }, { 200, 301, 404, 500, 503 }
  local lines, seed = {}, 1
  local function random(n)
    seed = (seed * 16807) % 2147483647
    return seed % n
  end
  for i = 1, count do
    lines[i] = ('%d.%d.%d.%d - - [2023-11-14T22:%02d:%02d.%03dZ] "%s /login?next=%d HTTP/1.1" %d %d'):format(
      random(255), random(255), random(255), random(255), random(60), random(60), random(1000),
      methods[random(3) + 1], random(1e6), statuses[random(5) + 1], random(1e5))
  end
  return lines
end

-- Each differs from a row in one thing; Node's expression says which of them are rows.
local ODD = {
  '', ' ', '5', '500 1', '" 500 1', 'x" 500 1', 'no log line at all',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 ',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 500',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 -',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 1 ',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 499 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 0500 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 0499 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 5000 12345678901',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 50 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 5x0 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 5e1 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 0001',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1"  500 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1 500 1',
  '1.2.3.4 - - [t] "GET /a  HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "GET /a " 500 1',
  '1.2.3.4 - - [t] "GET /a" 500 1',
  '1.2.3.4 - - [t] "GET  /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] " /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "GET /a"b HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "GE"T /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "GET /a HT"TP/1.1" 500 1',
  '1.2.3.4 - - [t] "GET /a HTTP/1.1 more words" 500 1',
  '1.2.3.4 - - [t [u] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] u] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t]] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t]"GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - t] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [a - - [t] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - x [t] "GET /a HTTP/1.1" 500 1',
  'a 1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 1',
  ' - - [t] "GET /a HTTP/1.1" 500 1',
  ' 1.2.3.4 - - [t] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "GET /a\tb HTTP/1.1" 500 1',
  '1.2.3.4 - - [t] "G\fT /a HTTP/1.1" 500 1',
  '1.2\v3.4 - - [t] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [t\tu] "GET /a HTTP/1.1" 500 1',
  '1.2.3.4 - - [two words] "GET /\\a HTTP/1.1" 503 1',
}

describe('the example', function()
  local dir

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute('mkdir ' .. dir) == 0)
  end)

  after_each(function() os.execute('rm -rf ' .. quote(dir)) end)

  local function prints(name, expected)
    local text, status = example(name)
    assert.equal(expected, text)
    assert.equal(0, status)
  end

  it('users prints what its three classes make of each user', function()
    prints('users', [[
1 Ali <ali@example.org> admin
2 Berit <berit@example.org> user
3 Chen <chen@example.org> user
4 Dora <dora@example.org> user
4 users written
]])
  end)

  it("backpressure stops on false and goes on at 'drain'", function()
    prints('backpressure', [[
producer: chunk 1, 8192 bytes wait
producer: chunk 2, 16384 bytes wait
producer: write() says false, stop
writer: chunk 1 is written
writer: chunk 2 is written
producer: 'drain', go on
producer: chunk 3, 8192 bytes wait
producer: chunk 4, 16384 bytes wait
producer: write() says false, stop
writer: chunk 3 is written
writer: chunk 4 is written
producer: 'drain', go on
producer: chunk 5, 8192 bytes wait
producer: chunk 6, 16384 bytes wait
writer: chunk 5 is written
writer: chunk 6 is written
finished: 6 chunks
]])
  end)

  it('frames parses fragments of any size and says what is wrong with bad input', function()
    local good = [[
  5 bytes: "hello"
  0 bytes: ""
  300 bytes: "01234567890123456..."
  7 bytes: "goodbye"
]]
    prints('frames', 'pieces of 1\n' .. good .. 'pieces of 7\n' .. good .. 'pieces of 65536\n' .. good ..
      'an end inside a frame\n' .. good .. '  failed: Incomplete frame: 10 leftover bytes\n' ..
      'a frame that is too large\n  5 bytes: "small"\n  failed: Frame too large\n')
  end)

  -- Joining what there is whenever a piece comes would cost 16 times as much for a frame of 4 times the size.
  it('frames takes a long frame in many pieces at the same cost a byte', function()
    write(dir .. '/cost.lua', [[
      local weir = require 'weir'
      local print_, FrameParser = print, nil
      print = function() end
      FrameParser = assert(loadfile 'scripts/examples/frames.lua')()
      print = print_
      local function cost(mib)
        local n, got, start = mib * 65536, 0, os.clock()
        local piece, header, sent = ('x'):rep(16), string.char(0, mib * 16, 0, 0), -1
        weir.pipeline(weir.Readable{ read = function(self)
          sent = sent + 1
          if sent == 0 then self:push(header) else self:push(sent <= n and piece or nil) end
        end }, FrameParser(2 ^ 24), weir.Writable{ objectMode = true, write = function(_, frame, callback)
          got = got + #frame.data
          callback()
        end })
        assert(got == mib * 1048576)
        return os.clock() - start
      end
      cost(1)
      print(cost(4) / cost(1))
    ]])
    local text, status = run(('%s %s/cost.lua'):format(quote(weir), dir))
    assert.equal(0, status, text)
    assert(tonumber(text) < 8, text)
  end)

  it('safe-pipeline leaves nothing open, however it ends', function()
    prints('safe-pipeline', [[
success
  succeeded
  5 of 5 streams destroyed
  descriptors left open: 0
  output: 17882 bytes
a missing input
  failed in the stage input: ENOENT: no such file or directory, open 'no-such-file.gz'
  5 of 5 streams destroyed
  descriptors left open: 0
  output: none
a transform that fails
  failed in the stage transform: line 100 is bad
  5 of 5 streams destroyed
  descriptors left open: 0
  output: none
an abort half way
  aborted: enough
  5 of 5 streams destroyed
  descriptors left open: 0
  output: none
]])
  end)

  it('manual-errors does the same by hand', function()
    prints('manual-errors', [[
success
  succeeded
  descriptors left open: 0
  output: 17882 bytes
a missing input
  failed in the stage input: ENOENT: no such file or directory, open 'no-such-file.gz'
  descriptors left open: 0
  output: none
a transform that fails
  failed in the stage transform: line 100 is bad
  descriptors left open: 0
  output: none
]])
  end)

  describe('access-log', function()
    -- Compresses LINES with gunzip's other half; their last one without an end.
    local function compressed(lines)
      write(dir .. '/in', table.concat(lines, '\n'))
      assert(os.execute(('gzip -c %s/in >%s/in.gz'):format(dir, dir)) == 0)
      return dir .. '/in.gz'
    end

    it('prints the rows of its sample', function()
      local text, status = example 'access-log'
      assert.equal(0, status)
      assert.equal('{"ip":"99.70.93.250","time":"2023-11-14T22:13:20.044Z","method":"GET","path":"/login?next=646473",' ..
        '"status":500,"bytes":78023}', text:match '^[^\n]*')
      local _, rows = text:gsub('{"ip":"[%d.]+","time":"[%dTZ:.-]+","method":"%u+","path":"/[^"]*","status":50[03],"bytes":%d+}\n', '')
      local _, lines = text:gsub('\n', '')
      assert.same({ 46, 46 }, { rows, lines })
    end)

    it('finds its sample from any directory', function()
      local here = run 'pwd':match '^[^\n]*'
      local text = run(('cd / && %s %s/%saccess-log.lua'):format(quote(weir), quote(here), examples))
      assert.equal((example 'access-log'), text)
    end)

    it('writes the rows, keys in order, and says how many', function()
      local lines = {
        '1.2.3.4 - - [t1] "GET /a?b=\\"c HTTP/1.1" 404 1', '1.2.3.4 - - [t2] "PUT /b HTTP/1.1" 500 2', 'nonsense',
        '1.2.3.4 - - [t3] "PUT /\tc" HTTP/1.1" 503 3',
        '5.6.7.8 - - [t 4] "PUT /\\d HTTP/1.1" 0503 04',
      }
      local text, status = example('access-log', compressed(lines), dir .. '/out.gz')
      assert.same({ '5 lines, 2 kept\n', 0 }, { text, status })
      assert.equal([[
{"ip":"1.2.3.4","time":"t2","method":"PUT","path":"/b","status":500,"bytes":2}
{"ip":"5.6.7.8","time":"t 4","method":"PUT","path":"/\\d","status":503,"bytes":4}
]], (run(('gunzip -c %s/out.gz'):format(dir))))
    end)

    it('leaves no output when the input is cut off', function()
      compressed(log(2000))
      assert(os.execute(('head -c 20000 %s/in.gz >%s/cut.gz'):format(dir, dir)) == 0)
      local text, status = example('access-log', dir .. '/cut.gz', dir .. '/out.gz')
      assert.equal(1, status)
      assert.truthy(text:find('Z_BUF_ERROR', 1, true), text)
      assert.truthy(text:find('in the stream Gunzip', 1, true), text)
      assert.equal('cut.gz\nin\nin.gz\n', (run('ls -A ' .. quote(dir))))
    end)

    it('says its usage', function()
      assert.same({ 'usage: access-log.lua [IN.gz OUT.gz]\n', 2 }, { example('access-log', 'x') })
    end)

    it('makes the rows that the program for Node makes #all', function()
      local json = dofile 'spec/conformance/json.lua'
      local lines = log(20000)
      for i, line in ipairs(ODD) do table.insert(lines, i * 100, line) end
      local input = compressed(lines)
      local _, status = example('access-log', input, dir .. '/weir.gz')
      assert.equal(0, status)
      local printed = run(('node scripts/bench/node/etl.mjs %s %s/node.gz'):format(input, dir))
      local function rows(name)
        local text = run(('gunzip -c %s/%s.gz'):format(dir, name))
        local list = {}
        for line in text:gmatch '[^\n]+' do list[#list + 1] = json.decode(line) end
        return list, text
      end
      local expected, expectedText = rows 'node'
      local got, text = rows 'weir'
      assert.equal(tonumber(printed:match '"kept":(%d+)'), #got)
      assert.truthy(#got > 5000)
      for i = 1, #expected do assert.same(expected[i], got[i]) end
      assert.equal(#expected, #got)
      assert.equal(expectedText, text) -- the order of keys too
    end)
  end)

  describe('compress-encrypt', function()
    local plain, input, sealed, opened

    before_each(function()
      plain = table.concat(log(amount(3000, 200)), '\n')
      input, sealed, opened = dir .. '/plain', dir .. '/sealed', dir .. '/opened'
      write(input, plain)
    end)

    local function seal(password)
      assert.same({ '', 0 }, { example('compress-encrypt', input, sealed, password) })
    end

    it('and decrypt-decompress give the input back', function()
      for _, text in ipairs { plain, '', 'x' } do
        write(input, text)
        seal 'correct horse'
        assert.same({ '', 0 }, { example('decrypt-decompress', sealed, opened, 'correct horse') })
        assert.equal(text, read(opened))
      end
    end)

    it('never makes the same twice', function()
      seal 'a'
      local first = read(sealed)
      seal 'a'
      assert.equal(#first, #read(sealed))
      assert.not_equal(first:sub(1, 16), read(sealed):sub(1, 16))
    end)

    it('leaves no output behind for a missing input', function()
      local text, status = example('compress-encrypt', dir .. '/missing', sealed, 'a')
      assert.equal(1, status)
      assert.truthy(text:find("ENOENT: no such file or directory, open '" .. dir .. "/missing'", 1, true), text)
      assert.equal('plain\n', (run('ls -A ' .. quote(dir))))
    end)

    it('leaves no output behind for a wrong password or a damaged file', function()
      seal 'a'
      local good = read(sealed)
      for _, case in ipairs { { good, 'b' }, { good:sub(1, -17), 'a' }, { good:sub(1, -2), 'a' }, { good:sub(1, 15), 'a' }, { '', 'a' } } do
        write(sealed, case[1])
        local text, status = example('decrypt-decompress', sealed, opened, case[2])
        assert.equal(1, status, text)
        assert.truthy(text:find('weir: Uncaught', 1, true), text)
        assert.equal('plain\nsealed\n', (run('ls -A ' .. quote(dir))))
      end
    end)

    it('says its usage', function()
      assert.same({ 'usage: compress-encrypt.lua IN OUT PASSWORD\n', 2 }, { example('compress-encrypt', input, sealed) })
      assert.same({ 'usage: decrypt-decompress.lua IN OUT PASSWORD\n', 2 }, { example('decrypt-decompress', input, sealed) })
      assert.is_nil(read(sealed))
    end)

    it('is opened by the program for Node, and opens what that sealed #all', function()
      seal 'hunter2'
      local _, status = run(('node scripts/bench/node/files.mjs unseal %s %s'):format(sealed, opened))
      assert.equal(0, status)
      assert.equal(plain, read(opened))
      _, status = run(('node scripts/bench/node/files.mjs seal %s %s'):format(input, sealed))
      assert.equal(0, status)
      os.remove(opened)
      assert.same({ '', 0 }, { example('decrypt-decompress', sealed, opened, 'hunter2') })
      assert.equal(plain, read(opened))
    end)

    it('is opened by openssl and gunzip #all', function()
      seal 'hunter2'
      local key = run "openssl kdf -keylen 32 -kdfopt pass:hunter2 -kdfopt salt:salt -kdfopt n:16384 -kdfopt r:8 -kdfopt p:1 SCRYPT"
      key = key:gsub('[^%x]', '')
      assert.equal(64, #key)
      local iv = read(sealed):sub(1, 16):gsub('.', function(c) return ('%02x'):format(c:byte()) end)
      local text, status = run(('tail -c +17 %s | openssl enc -d -aes-256-cbc -K %s -iv %s | gunzip'):format(sealed, key, iv))
      assert.equal(0, status)
      assert.equal(plain, text)
    end)
  end)
end)
