-- SPDX-License-Identifier: MIT
-- Files that appear whole or not at all.

local weir = require 'weir'
local support = require 'support'
local within = support.within
local fs = weir.fs
local command, failure_of = support.output_of, support.failure_of

describe('an atomic file', function()
  local dir, path

  before_each(function()
    dir = command('mktemp -d'):gsub('\n', '')
    path = dir .. '/file'
  end)
  after_each(function() command('rm -rf %s', dir) end)

  it('has the old content until finish, and then the new one', within(function()
    fs.writeFile(path, 'old')
    local stream = fs.createWriteStream(path, { atomic = true })
    stream:write 'new'
    weir.sleep(20)
    assert.equal('old', fs.readFile(path))
    assert.equal(2, #fs.readdir(dir))
    local seen
    stream:on('finish', function() seen = fs.readFileSync(path) end)
    stream:finish()
    weir.finished(stream)
    assert.equal('new', seen)
    assert.same({ 'file' }, fs.readdir(dir))
  end))

  it('keeps the mode of what it replaces', within(function()
    fs.writeFile(path, 'old', { mode = 416 }) -- 0640
    fs.writeFile(path, 'new', { atomic = true })
    assert.equal(416, fs.stat(path).mode % 512)
  end))

  it('replaces what a symbolic link leads to', within(function()
    fs.writeFile(dir .. '/real', 'old')
    os.execute(('ln -s real %s'):format(path))
    fs.writeFile(path, 'new', { atomic = true })
    assert.is_true(fs.lstat(path):isSymbolicLink())
    assert.equal('new', fs.readFile(dir .. '/real'))
  end))

  it('leaves nothing when it is destroyed half way', within(function()
    fs.writeFile(path, 'old')
    local stream = fs.createWriteStream(path, { atomic = true })
    stream:write(('x'):rep(1e6))
    weir.events.once(stream, 'open')
    stream:destroy()
    failure_of(stream)
    weir.sleep(20)
    assert.equal('old', fs.readFile(path))
    assert.same({ 'file' }, fs.readdir(dir))
  end))

  it('leaves nothing when it is destroyed before it is open, or while it syncs', within(function()
    fs.createWriteStream(path, { atomic = true }):destroy()
    local stream = fs.createWriteStream(path, { atomic = true })
    stream:write 'abc'
    stream:on('prefinish', function() end)
    weir.events.once(stream, 'open')
    stream:finish(function() end)
    weir.nextTick(function() stream:destroy() end)
    weir.sleep(50)
    for _, name in ipairs(fs.readdir(dir)) do assert.equal('file', name) end
  end))

  it('leaves nothing when its source fails', within(function()
    local source = weir.Readable { read = function(self) self:push(('x'):rep(1e5)) self:destroy 'no more' end }
    local ok, err = pcall(weir.pipeline, source, fs.createWriteStream(path, { atomic = true }))
    assert.is_false(ok)
    assert.equal('no more', err.message)
    weir.sleep(20)
    assert.same({}, fs.readdir(dir))
  end))

  it('leaves nothing when the process ends in the middle', function()
    for _, ending in ipairs { 'error "stop"', 'weir.process.exit(3)', 'weir.process.exit(0)' } do
      local script = dir .. '/script.lua'
      local file = io.open(script, 'w')
      file:write(([[
        local weir = require 'weir'
        local stream = weir.fs.createWriteStream('%s', { atomic = true })
        weir.fs.createReadStream('/dev/zero'):pipe(stream)
        weir.setTimeout(function() %s end, 20)
      ]]):format(path, ending))
      file:close()
      os.execute(('timeout 10 %s %s 2>/dev/null'):format(os.getenv 'WEIR', script))
      assert.equal('script.lua\n', command('ls -A %s', dir))
    end
  end)

  it('says what is wrong', within(function()
    assert.equal('EISDIR', failure_of(fs.createWriteStream(dir, { atomic = true })).code)
    assert.equal('ENOENT', failure_of(fs.createWriteStream(dir .. '/none/file', { atomic = true })).code)
    assert.is_false((pcall(fs.createWriteStream, path, { atomic = true, flags = 'a' })))
    assert.is_false((pcall(fs.createWriteStream, path, { atomic = true, start = 0 })))
  end))
end)
