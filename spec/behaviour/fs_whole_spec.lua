-- SPDX-License-Identifier: MIT
-- Files by name, in one piece: by callback, waiting, and blocking.

local weir = require 'weir'
local support = require 'support'
local within = support.within
local fs = weir.fs
local command, raised = support.output_of, support.raised

describe('fs', function()
  local dir, path

  before_each(function()
    dir = command('mktemp -d'):gsub('\n', '')
    path = dir .. '/file'
  end)
  after_each(function() command('rm -rf %s', dir) end)

  it('writes and reads', within(function()
    local text = ('0123456789\0\n'):rep(20000)
    fs.writeFile(path, text)
    assert.equal(text, fs.readFile(path))
    fs.writeFileSync(path, '')
    assert.equal('', fs.readFileSync(path))
    fs.writeFile(path, 'ab')
    fs.writeFile(path, 'cd', { flags = 'a' })
    assert.equal('abcd', fs.readFile(path))
    assert.is_true(#fs.readFile '/proc/self/status' > 100) -- has no size
  end))

  it('calls back', within(function()
    local log = {}
    fs.writeFile(path, 'abc', function(err)
      log[1] = err == nil
      fs.readFile(path, function(e, text)
        log[2], log[3] = e == nil, text
        fs.readFile(path .. 'x', function(e2, nothing) log[4], log[5] = e2.code, nothing == nil end)
      end)
    end)
    weir.sleep(50)
    assert.same({ true, true, 'abc', 'ENOENT', true }, log)
  end))

  it('reads no more than the limit', within(function()
    fs.writeFile(path, 'abc')
    assert.equal('abc', fs.readFile(path, { limit = 3 }))
    assert.equal('ERR_FS_FILE_TOO_LARGE', raised(fs.readFile, path, { limit = 2 }).code)
    assert.equal('ERR_FS_FILE_TOO_LARGE', raised(fs.readFile, '/dev/zero', { limit = 100000 }).code)
  end))

  it('tells what a file is', within(function()
    fs.writeFile(path, 'abc')
    local st = fs.stat(path)
    assert.equal(3, st.size)
    assert.is_true(st:isFile())
    assert.is_false(st:isDirectory())
    assert.is_true(fs.statSync(dir):isDirectory())
    assert.is_true(math.abs(st.mtimeMs / 1000 - os.time()) < 100)
  end))

  it('makes, renames, lists and removes', within(function()
    assert.equal(dir .. '/a', fs.mkdir(dir .. '/a/b/c', { recursive = true }))
    assert.is_nil(fs.mkdir(dir .. '/a/b', { recursive = true }))
    assert.equal('EEXIST', raised(fs.mkdir, dir .. '/a').code)
    fs.writeFile(path, 'x')
    fs.rename(path, dir .. '/a/f')
    fs.writeFile(dir .. '/a/B', '')
    assert.same({ 'B', 'b', 'f' }, fs.readdir(dir .. '/a'))
    fs.unlink(dir .. '/a/B')
    assert.equal('ENOTEMPTY', raised(fs.rmdir, dir .. '/a').code)
    fs.unlinkSync(dir .. '/a/f')
    fs.rmdirSync(dir .. '/a/b/c')
    fs.rmdir(dir .. '/a/b')
    fs.rmdir(dir .. '/a')
    assert.same({}, fs.readdir(dir))
  end))

  it('says what is wrong as Node does', within(function()
    assert.equal(("ENOENT: no such file or directory, open '%s'"):format(path), raised(fs.readFile, path).message)
    assert.equal(("ENOENT: no such file or directory, stat '%s'"):format(path), raised(fs.statSync, path).message)
    assert.equal(("ENOENT: no such file or directory, unlink '%s'"):format(path), raised(fs.unlink, path).message)
    assert.equal(("ENOENT: no such file or directory, scandir '%s'"):format(path), raised(fs.readdir, path).message)
    assert.equal(("ENOENT: no such file or directory, rename '%s' -> '%s'"):format(path, dir), raised(fs.rename, path, dir).message)
    assert.equal('EISDIR: illegal operation on a directory, read', raised(fs.readFile, dir).message)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(fs.readFile, 5).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(fs.writeFile, path, {}).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(fs.readFile, path, nil, 'x').code)
  end))
end)
