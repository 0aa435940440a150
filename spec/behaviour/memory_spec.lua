-- SPDX-License-Identifier: MIT
-- Without memory: real programs, each run again and again with another allocation that fails (WEIR_HARD=alloc=N: of C code;
-- lua=N: of Lua), until that comes behind the last one. A run gives its exact result and status 0, or it fails with a message
-- that names memory; and no unfinished file has a final name. In the hard build only.

local support = require 'support'
local output_of = support.output_of

local weir = assert(os.getenv 'WEIR', 'run by scripts/test')

local PROGRAMS = {
  hops = { code = [[
    local list = {}
    for i = 1, 300 do list[i] = { n = i } end
    local function hop(n)
      return weir.Transform{ objectMode = true, transform = function(_, v, callback) v.n = v.n + n callback(nil, v) end }
    end
    local sum, count = 0, 0
    weir.pipeline(weir.Readable.from(list), hop(1), hop(2), hop(3), weir.Writable{ objectMode = true,
      write = function(_, v, callback) sum, count = sum + v.n, count + 1 callback() end })
    print(count, sum)
  ]] },
  zip = { files = { packed = true, plain = true }, code = [[
    weir.pipeline(fs.createReadStream(dir .. '/input'), zlib.createGzip(), fs.createWriteStream(dir .. '/packed', { atomic = true }))
    weir.pipeline(fs.createReadStream(dir .. '/packed'), zlib.createGunzip(),
      fs.createWriteStream(dir .. '/plain', { atomic = true }))
    print 'done'
  ]] },
  lines = { code = [[
    local count, bytes = 0, 0
    weir.pipeline(fs.createReadStream(dir .. '/input'), lines(), weir.Writable{ objectMode = true,
      write = function(_, line, callback) count, bytes = count + 1, bytes + #line callback() end })
    print(count, bytes)
    for line in fs.createReadStream(dir .. '/input'):pipe(lines()):iter() do count, bytes = count + 1, bytes + #line end
    print(count, bytes)
  ]] },
  coroutines = { code = [[
    local log, over = {}, 0
    local function one(name)
      weir.pipeline(weir.Readable.from{ 'a', 'b', 'c' }, weir.Transform{ objectMode = true, transform = function(_, v, callback)
        weir.sleep(1)
        callback(nil, v .. name)
      end }, weir.Writable{ objectMode = true, write = function(_, v, callback) log[#log + 1] = v weir.sleep(1) callback() end })
      over = over + 1
    end
    for i = 1, 3 do weir.wrap(one)(tostring(i)) end
    while over < 3 do weir.sleep(1) end
    table.sort(log)
    print(table.concat(log, ' '))
  ]] },
  echo = { code = [[
    local path, got = dir .. '/socket', {}
    os.remove(path)
    local server = net.createServer(function(socket) socket:pipe(socket) end)
    server:listen(path)
    weir.events.once(server, 'listening')
    local client = net.connect(path)
    client:on('data', function(chunk) got[#got + 1] = chunk end)
    for i = 1, 20 do client:write('message ' .. i .. '\n') end
    client:finish()
    weir.finished(client)
    server:close()
    io.write(table.concat(got))
  ]] },
  crypto = { code = [[
    print(crypto.hash('sha256', 'abc'), crypto.createHash 'sha1':update 'a':update 'bc':digest 'hex')
    print(crypto.scryptSync('password', 'salt', 4, { N = 16, r = 1, p = 1 }):byte(1, 4))
    print(crypto.scrypt('password', 'salt', 4, { N = 16, r = 1, p = 1 }):byte(1, 4))
    weir.pipeline(weir.Readable.from{ 'abc' }, crypto.createHash 'sha256', weir.Writable{
      write = function(_, chunk, callback) print(#chunk) callback() end })
  ]] },
  prompt = { typed = 'x = 1\nx + 1\nsleep(1)\nfor i = 1, 2 do\nprint(i) end\nx ..\n"y"\nt = setTimeout(print, 5, "later")\n' },
}

local function write(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path, 'rb')
  local text = file and file:read '*a'
  return text, file and file:close()
end

describe('without memory', function()
  if not output_of('WEIR_HARD=alloc=1 %s -e "" 2>&1', weir):find '^hard: ' then
    return pending 'that must be asked for in the hard build'
  end
  local dir, plain

  setup(function()
    dir = output_of('mktemp -d'):gsub('\n', '')
    local lines = {}
    for i = 1, 400 do lines[i] = ('line %d, the cube of which is %d\n'):format(i, i ^ 3) end
    plain = table.concat(lines)
    write(dir .. '/input', plain)
  end)
  teardown(function() os.execute('rm -rf ' .. dir) end)

  -- The output, what went to the standard error (but for the word that an allocation fails, which comes last), the status.
  local function run(command, hard)
    local out = output_of('WEIR_HARD=%s WEIR_HISTORY= timeout -s KILL 20 %s 2>%s/errors; echo "status $?"', hard, command, dir)
    local text, status = out:match '^(.*)status (%d+)\n$'
    local errors, told = read(dir .. '/errors'):gsub('hard: [^\n]*\n', '')
    return text, errors, tonumber(status), told > 0
  end

  -- What lies in the folder, files with a final name opened; those of FILES may be there.
  local function check_files(files, where)
    for name in output_of('ls -A %s', dir):gmatch '[^\n]+' do
      if name == 'plain' then
        assert(read(dir .. '/plain') == plain, where .. ': the file is not whole')
      elseif name == 'packed' then
        assert(output_of('gunzip -c %s/packed 2>&1', dir) == plain, where .. ': the compressed file is not whole')
      elseif not (files and files[name]) then
        assert(name == 'input' or name == 'script' or name == 'errors' or name == 'socket', where .. ': left behind: ' .. name)
      end
      if files and files[name] then os.remove(dir .. '/' .. name) end
    end
  end

  local function check(where, right, files, text, errors, status)
    if status == 0 then
      assert.equal(right, text, where)
    else
      assert(status < 124, where .. ': status ' .. status .. '\n' .. errors)
      assert(errors:lower():find 'memory', where .. ':\n' .. errors)
      for _, nonsense in ipairs { 'attempt to', 'bad argument', 'ssertion' } do
        assert(not errors:find(nonsense, 1, true), where .. ':\n' .. errors)
      end
    end
    check_files(files, where)
  end

  -- Fails with each STEPth allocation in turn, until three in a row come behind the last one.
  local function sweep(kind, step, command, right, files)
    local n, behind = 1, 0
    while behind < 3 do
      local hard = kind .. '=' .. n
      local text, errors, status, told = run(command, hard)
      check(hard, right, files, text, errors, status)
      behind = told and 0 or behind + 1
      n = n + step
    end
  end

  for name, program in pairs(PROGRAMS) do
    for kind, step in pairs { alloc = 1, lua = 83 } do
      it(('%s gives what it should, or says so (%s)'):format(name, kind), function()
        write(dir .. '/script', ("weir = require 'weir' setmetatable(_G, { __index = weir }) dir = '%s'\n"):format(dir)
          .. (program.code or ''))
        if program.typed then write(dir .. '/script', program.typed) end
        local command = ('%s %s %s/script'):format(weir, program.typed and '<' or '', dir)
        local right, errors, status = run(command, '')
        assert.same({ '', 0 }, { errors, status })
        check_files(program.files, name)
        sweep(kind, step, command, right, program.files)
      end)
    end
  end

  -- A 32nd of them; scripts/starve runs all.
  it('stream programs give their right log, or say so', function()
    local text = output_of('WEIR_BUILD=%s scripts/starve --part 1/32 2>&1; echo "status $?"', weir:match 'build/([^/]+)/weir$')
    assert.equal(0, tonumber(text:match 'status (%d+)\n$'), text)
    local runs = 0
    for count in text:gmatch '(%d+) runs: ' do runs = runs + tonumber(count) end
    assert.is_true(runs > 500, text)
  end)

  it('an example leaves nothing behind but what is whole', function()
    local sealed, opened = dir .. '/sealed', dir .. '/opened'
    for n = 1, 97, 6 do
      local hard = 'alloc=' .. n
      local text, errors, status = run(('%s scripts/examples/compress-encrypt.lua %s/input %s word'):format(weir, dir, sealed), hard)
      assert(status ~= 0 or read(sealed), hard)
      if read(sealed) then -- also after an error that comes behind its renaming
        local problem = output_of('%s scripts/examples/decrypt-decompress.lua %s %s word 2>&1', weir, sealed, opened)
        assert.same({ '', true }, { problem, read(opened) == plain })
        os.remove(sealed)
        os.remove(opened)
      end
      check(hard, '', nil, text, errors, status)
    end
  end)
end)
