-- SPDX-License-Identifier: MIT
-- Ciphers, hashes and keys: the standards' vectors, as streams and piece by piece; round trips with openssl and Node; wrong
-- keys, IVs, tags and padding, each with Node's code; key objects; and that nothing is left behind.

local weir = require 'weir'
local support = require 'support'
local crypto = weir.crypto
local command, raised, descriptors = support.output_of, support.raised, support.descriptors

local function unhex(text)
  return (text:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end))
end

local function hex(bytes)
  return (bytes:gsub('.', function(c) return ('%02x'):format(c:byte()) end))
end

-- The lines of a vector file, each as a table of its fields.
local function vectors(name)
  local rows = {}
  for line in io.lines('spec/data/vectors/' .. name) do
    if line ~= '' and line:sub(1, 1) ~= '#' then
      local row = {}
      for key, value in line:gmatch '(%w+)=(%S*)' do row[key] = value end
      rows[#rows + 1] = row
    end
  end
  assert.is_true(#rows > 2)
  return rows
end

-- What comes out of STREAM for INPUT, written in pieces of CUT bytes; its error; its events in order.
local function through(stream, input, cut)
  local parts, events, failure = {}, {}, nil
  stream:on('data', function(chunk)
    events[#events + 1] = events[#events] ~= 'data' and 'data' or nil
    parts[#parts + 1] = chunk
  end)
  for _, name in ipairs { 'finish', 'end', 'error', 'close' } do
    stream:on(name, function(err)
      events[#events + 1] = name
      if name == 'error' then failure = err end
    end)
  end
  for at = 1, #input, cut or #input do
    if not stream:write(input:sub(at, at + (cut or #input) - 1)) and not stream.destroyed and stream.writableNeedDrain then
      local wake, here = weir.wait.prepare()
      stream:once('drain', wake)
      stream:once('close', wake)
      here()
    end
  end
  if not stream.destroyed then stream:finish() end
  if events[#events] ~= 'close' then
    local wake, here = weir.wait.prepare()
    stream:on('close', wake)
    here()
  end
  return table.concat(parts), failure, table.concat(events, ' ')
end

local ALGORITHMS = crypto.getCiphers()

local function key_of(algorithm)
  return ('k'):rep(tonumber(algorithm:match '%d+') / 8)
end

local function iv_of(algorithm)
  return algorithm:find 'gcm' and ('i'):rep(12) or ('i'):rep(16)
end

describe('crypto', function()
  local before

  -- Runs FN in weir, then looks whether a descriptor was left open.
  local function within(fn)
    return function()
      weir.run(fn)
      assert.equal(before, descriptors())
    end
  end

  setup(function()
    weir.run(function() crypto.scrypt('loop', 'and pool', 1) end)
  end)
  before_each(function() before = descriptors() end)

  describe('ciphers', function()
    for _, name in ipairs { 'aes-sp800-38a.txt', 'aes-gcm.txt', 'aes-openssl.txt' } do
      it('agree with ' .. name, within(function()
        for _, row in ipairs(vectors(name)) do
          local key, iv, aad = unhex(row.key), unhex(row.iv), unhex(row.aad)
          local plain, cipher, tag = unhex(row.plain), unhex(row.cipher), unhex(row.tag)
          local function make(way)
            local c = crypto['create' .. way](row.name, key, iv)
            if name == 'aes-sp800-38a.txt' then c:setAutoPadding(false) end
            if aad ~= '' then c:setAAD(aad) end
            if way == 'Decipheriv' and tag ~= '' then c:setAuthTag(tag) end
            return c
          end
          for _, cut in ipairs { 1000, 7, 1 } do
            local c = make 'Cipheriv'
            assert.equal(row.cipher, hex((through(c, plain, cut))))
            if tag ~= '' then assert.equal(row.tag, hex(c:getAuthTag())) end
            local out, err = through(make 'Decipheriv', cipher, cut)
            assert.is_nil(err)
            assert.equal(row.plain, hex(out))
            local parts = {}
            c = make 'Cipheriv'
            for at = 1, #plain, cut do parts[#parts + 1] = c:update(plain:sub(at, at + cut - 1)) end
            parts[#parts + 1] = c:final()
            assert.equal(row.cipher, hex(table.concat(parts)))
            if tag ~= '' then assert.equal(row.tag, hex(c:getAuthTag())) end
            local d = make 'Decipheriv'
            assert.equal(row.plain, hex(d:update(cipher) .. d:final()))
          end
        end
      end))
    end

    it('decrypt what they encrypted, large and cut anyhow', within(function()
      local plain = ('0123456789abcde'):rep(20000)
      for _, algorithm in ipairs(ALGORITHMS) do
        for _, cut in ipairs { #plain, 65536, 4999 } do
          local c = crypto.createCipheriv(algorithm, key_of(algorithm), iv_of(algorithm))
          local secret, err, events = through(c, plain, cut)
          assert.is_nil(err)
          assert.equal('data end finish close', events)
          local d = crypto.createDecipheriv(algorithm, key_of(algorithm), iv_of(algorithm))
          if algorithm:find 'gcm' then d:setAuthTag(c:getAuthTag()) end
          local out, err2 = through(d, secret, 70000)
          assert.is_nil(err2)
          assert.is_true(out == plain)
        end
      end
    end))

    it('work within write, as in Node', within(function()
      local c = crypto.createCipheriv('aes-128-ctr', ('k'):rep(16), ('i'):rep(16))
      c:write 'hello'
      assert.equal(5, c.readableLength)
      assert.equal(5, #c:read())
      c:finish()
      assert.equal('data', (through(crypto.createDecipheriv('aes-256-cbc', ('k'):rep(32), ('i'):rep(16)),
        through(crypto.createCipheriv('aes-256-cbc', ('k'):rep(32), ('i'):rep(16)), 'data'))))
    end))

    it('know their names in any case, and aliases', within(function()
      for _, name in ipairs { 'AES-256-CBC', 'aes256', 'id-aes256-GCM' } do
        crypto.createCipheriv(name, ('k'):rep(32), ('i'):rep(16))
      end
    end))

    describe('refuse', function()
      local cases = {
        { 'an unknown name', 'nope', 'k', 'i', nil, 'ERR_CRYPTO_UNKNOWN_CIPHER' },
        { 'a name that is none', 5, 'k', 'i', nil, 'ERR_INVALID_ARG_TYPE' },
        { 'a short key', 'aes-256-cbc', ('k'):rep(31), ('i'):rep(16), nil, 'ERR_CRYPTO_INVALID_KEYLEN' },
        { 'a long key', 'aes-128-ctr', ('k'):rep(17), ('i'):rep(16), nil, 'ERR_CRYPTO_INVALID_KEYLEN' },
        { 'a key that is none', 'aes-256-cbc', 5, ('i'):rep(16), nil, 'ERR_INVALID_ARG_TYPE' },
        { 'a short IV', 'aes-256-cbc', ('k'):rep(32), ('i'):rep(15), nil, 'ERR_CRYPTO_INVALID_IV' },
        { 'a long IV', 'aes-256-ctr', ('k'):rep(32), ('i'):rep(17), nil, 'ERR_CRYPTO_INVALID_IV' },
        { 'no IV', 'aes-256-cbc', ('k'):rep(32), nil, nil, 'ERR_CRYPTO_INVALID_IV' },
        { 'an empty IV', 'aes-256-gcm', ('k'):rep(32), '', nil, 'ERR_CRYPTO_INVALID_IV' },
        { 'an IV that is none', 'aes-256-cbc', ('k'):rep(32), 5, nil, 'ERR_INVALID_ARG_TYPE' },
        { 'a wrong length of tags', 'aes-256-gcm', ('k'):rep(32), 'i', { authTagLength = 5 }, 'ERR_CRYPTO_INVALID_AUTH_TAG' },
        { 'a length of tags that is none', 'aes-256-gcm', ('k'):rep(32), 'i', { authTagLength = -5 }, 'ERR_INVALID_ARG_VALUE' },
        { 'options that are none', 'aes-256-gcm', ('k'):rep(32), 'i', 5, 'ERR_INVALID_ARG_TYPE' },
      }
      for _, case in ipairs(cases) do
        it(case[1], within(function()
          for _, way in ipairs { 'Cipheriv', 'Decipheriv' } do
            local err = raised(function() crypto['create' .. way](case[2], case[3], case[4], case[5]) end)
            assert.equal(case[6], err.code)
            assert.is_truthy(tostring(err.where):find('crypto_spec', 1, true), tostring(err.where))
          end
        end))
      end
    end)

    it('say what is wrong with the padding, behind what was decrypted', within(function()
      local key, iv = ('k'):rep(32), ('i'):rep(16)
      local secret = through(crypto.createCipheriv('aes-256-cbc', key, iv), ('x'):rep(100))
      for _, cut in ipairs { 1000, 16, 5 } do
        local out, err, events = through(crypto.createDecipheriv('aes-256-cbc', key, iv), secret:sub(1, -17), cut)
        assert.equal('ERR_OSSL_BAD_DECRYPT', err.code)
        assert.equal(('x'):rep(80), out)
        assert.equal('data error close', events)
        out, err = through(crypto.createDecipheriv('aes-256-cbc', key, iv), secret:sub(1, -2), cut)
        assert.equal('ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH', err.code)
        assert.is_true(#out >= 80)
      end
      local d = crypto.createDecipheriv('aes-256-cbc', key, iv)
      d:update(secret:sub(1, 32))
      assert.equal('ERR_OSSL_BAD_DECRYPT', raised(d.final, d).code)
      d = crypto.createDecipheriv('aes-256-cbc', key, iv)
      d:update(secret:sub(1, 33))
      assert.equal('ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH', raised(d.final, d).code)
      local c = crypto.createCipheriv('aes-256-cbc', key, iv):setAutoPadding(false)
      c:update 'x'
      assert.equal('ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH', raised(c.final, c).code)
    end))

    it('fail with a wrong key', within(function()
      local iv = ('i'):rep(16)
      local secret = through(crypto.createCipheriv('aes-256-cbc', ('k'):rep(32), iv), ('x'):rep(1000))
      local _, err = through(crypto.createDecipheriv('aes-256-cbc', ('l'):rep(32), iv), secret)
      assert.equal('ERR_OSSL_BAD_DECRYPT', err.code)
    end))

    describe('with gcm', function()
      local key, iv = ('k'):rep(32), ('i'):rep(12)
      local function sealed(plain, aad, options)
        local c = crypto.createCipheriv('aes-256-gcm', key, iv, options)
        if aad then c:setAAD(aad) end
        local secret = c:update(plain) .. c:final()
        return secret, c:getAuthTag()
      end
      local function opened(secret, tag, aad, options)
        local d = crypto.createDecipheriv('aes-256-gcm', key, iv, options)
        if aad then d:setAAD(aad) end
        if tag then d:setAuthTag(tag) end
        local _, err, events = through(d, secret)
        return err and err.code or 'opened', events
      end

      it('tell a wrong tag, secret or additional data', within(function()
        local secret, tag = sealed('hello', 'head')
        assert.equal('opened', opened(secret, tag, 'head'))
        assert.equal('ERR_CRYPTO_AUTHENTICATION', opened(secret, ('t'):rep(16), 'head'))
        assert.equal('ERR_CRYPTO_AUTHENTICATION', opened('jello', tag, 'head'))
        assert.equal('ERR_CRYPTO_AUTHENTICATION', opened(secret, tag, 'tail'))
        assert.equal('ERR_CRYPTO_AUTHENTICATION', opened(secret, tag))
        assert.equal('ERR_CRYPTO_AUTHENTICATION', opened(secret, nil, 'head')) -- no tag at all
        local _, events = opened('', ('t'):rep(16), 'head')
        assert.equal('error close', events)
        local d = crypto.createDecipheriv('aes-256-gcm', key, iv):setAuthTag(('t'):rep(16))
        d:update(secret)
        assert.equal('Unsupported state or unable to authenticate data', raised(d.final, d).message)
      end))

      it('take tags of the length that was said, 16 bytes if none was', within(function()
        for _, length in ipairs { 4, 8, 12, 13, 14, 15, 16 } do
          local secret, tag = sealed('hello', nil, { authTagLength = length })
          assert.equal(length, #tag)
          assert.equal('opened', opened(secret, tag, nil, { authTagLength = length }))
          local d = crypto.createDecipheriv('aes-256-gcm', key, iv)
          if length < 16 then
            local err = raised(d.setAuthTag, d, tag)
            assert.equal('ERR_CRYPTO_INVALID_AUTH_TAG', err.code)
            assert.equal('Invalid authentication tag length: ' .. length, err.message)
          end
        end
      end))

      it('keep to the order', within(function()
        local c = crypto.createCipheriv('aes-256-gcm', key, iv)
        assert.equal('Invalid state for operation getAuthTag', raised(c.getAuthTag, c).message)
        c:update 'x'
        assert.equal('Invalid state for operation setAAD', raised(c.setAAD, c, 'late').message)
        c:final()
        assert.equal(16, #c:getAuthTag())
        for _, name in ipairs { 'update', 'final', 'setAAD', 'setAutoPadding' } do
          assert.equal('ERR_CRYPTO_INVALID_STATE', raised(c[name], c, 'x').code)
        end
        local d = crypto.createDecipheriv('aes-256-gcm', key, iv):setAuthTag(('t'):rep(16))
        assert.equal('ERR_CRYPTO_INVALID_STATE', raised(d.setAuthTag, d, ('t'):rep(16)).code)
        c = crypto.createCipheriv('aes-256-cbc', key, ('i'):rep(16))
        assert.equal('ERR_CRYPTO_INVALID_STATE', raised(c.setAAD, c, 'x').code)
        assert.equal('ERR_CRYPTO_INVALID_STATE', raised(c.getAuthTag, c).code)
        assert.equal('ERR_INVALID_ARG_TYPE', raised(c.update, c, 5).code)
      end))
    end)

    it('that are destroyed in the middle leave nothing', within(function()
      for _ = 1, 20 do
        local c = crypto.createCipheriv('aes-256-cbc', ('k'):rep(32), ('i'):rep(16))
        for _ = 1, 5 do c:write(('x'):rep(200000)) end
        c:destroy()
      end
      weir.sleep(10)
      collectgarbage()
    end))
  end)

  describe('hashes', function()
    for _, name in ipairs { 'sha-fips180-4.txt', 'md5-rfc1321.txt' } do
      it('agree with ' .. name, within(function()
        for _, row in ipairs(vectors(name)) do
          local input = unhex(row.plain):rep(tonumber(row['repeat']))
          assert.equal(row.digest, crypto.createHash(row.name):update(input):digest 'hex')
          assert.equal(row.digest, hex((through(crypto.createHash(row.name), input))))
          assert.equal(row.digest, crypto.hash(row.name, input))
        end
      end))
    end

    it('give the digest of a stream once, at its end', within(function()
      local hash = crypto.createHash 'sha256'
      local out, err, events = through(hash, ('x'):rep(300000), 65536)
      assert.is_nil(err)
      assert.equal('data end finish close', events)
      assert.equal(crypto.hash('sha256', ('x'):rep(300000)), hex(out))
      assert.equal('ERR_CRYPTO_HASH_FINALIZED', raised(hash.digest, hash).code)
      hash = crypto.createHash 'md5'
      hash:write 'a'
      hash:finish()
      assert.equal(16, #hash:read())
    end))

    it('can be copied, and end once', within(function()
      local hash = crypto.createHash 'sha1':update 'ab'
      local copy = hash:copy()
      assert.equal(crypto.hash('sha1', 'abc'), hash:update 'c':digest 'hex')
      assert.equal(crypto.hash('sha1', 'abd'), copy:update 'd':digest 'hex')
      for _, name in ipairs { 'digest', 'copy' } do
        assert.equal('ERR_CRYPTO_HASH_FINALIZED', raised(hash[name], hash).code)
      end
      assert.equal('Digest already called', raised(hash.update, hash, 'x').message)
    end))

    it('are told as bytes, hex or base64', within(function()
      assert.equal('DMF1ucDxtqgxw5niaXcmYQ==', crypto.createHash 'md5':update 'a':digest 'base64')
      assert.equal('qZk+NkcGgWq6PiVxeFDCbJzQ2J0=', crypto.hash('sha1', 'abc', 'base64'))
      assert.equal('0cc175b9c0f1b6a831c399e269772661', hex(crypto.createHash 'md5':update 'a':digest()))
      assert.equal('ERR_INVALID_ARG_VALUE', raised(crypto.hash, 'md5', 'a', 'x').code)
    end))

    it('refuse what they do not know', within(function()
      assert.equal('ERR_CRYPTO_INVALID_DIGEST', raised(crypto.createHash, 'nope').code)
      assert.equal('ERR_INVALID_ARG_TYPE', raised(crypto.createHash, 5).code)
      assert.equal('ERR_INVALID_ARG_TYPE', raised(crypto.createHash('md5').update, crypto.createHash 'md5', 5).code)
      assert.is_false(pcall(crypto.createHash('md5').update, crypto.createCipheriv('aes-128-ctr', ('k'):rep(16), ('i'):rep(16)), 'x'))
    end))
  end)

  describe('scrypt', function()
    it('agrees with RFC 7914', within(function()
      for _, row in ipairs(vectors 'scrypt-rfc7914.txt') do
        local password, salt = unhex(row.password), unhex(row.salt)
        local options = { N = tonumber(row.n), r = tonumber(row.r), p = tonumber(row.p) }
        assert.equal(row.key, hex(crypto.scryptSync(password, salt, 64, options)))
        options = { cost = options.N, blockSize = options.r, parallelization = options.p }
        assert.equal(row.key, hex(crypto.scrypt(password, salt, 64, options)))
      end
    end))

    it('does not hold up the loop', within(function()
      local ticks, key = 0, nil
      local timer = weir.setInterval(function() ticks = ticks + 1 end, 1)
      crypto.scrypt('password', 'salt', 32, function(err, k)
        assert.is_nil(err)
        key = k
      end)
      assert.is_nil(key)
      crypto.scrypt('password', 'salt', 32)
      weir.clearInterval(timer)
      assert.is_true(ticks > 2)
      while not key do weir.sleep(1) end
      assert.is_true(key == crypto.scryptSync('password', 'salt', 32))
    end))

    it('refuses what is out of range, or needs too much memory', within(function()
      local function code(...) return raised(crypto.scryptSync, ...).code end
      assert.equal('ERR_CRYPTO_INVALID_SCRYPT_PARAMS', code('a', 'b', 32, { N = 3 }))
      assert.equal('ERR_CRYPTO_INVALID_SCRYPT_PARAMS', code('a', 'b', 32, { N = 2 ^ 20 }))
      assert.equal('ERR_CRYPTO_INVALID_SCRYPT_PARAMS', raised(crypto.scrypt, 'a', 'b', 32, { N = 2 ^ 20 }).code)
      assert.equal('ERR_CRYPTO_SCRYPT_INVALID_PARAMETER', code('a', 'b', 32, { N = 16, cost = 16 }))
      assert.equal('ERR_OUT_OF_RANGE', code('a', 'b', -1))
      assert.equal('ERR_OUT_OF_RANGE', code('a', 'b', 32, { N = -1 }))
      assert.equal('ERR_OUT_OF_RANGE', code('a', 'b', 32, { maxmem = -1 }))
      assert.equal('ERR_INVALID_ARG_TYPE', code('a', 'b', 'x'))
      assert.equal('ERR_INVALID_ARG_TYPE', code(5, 'b', 32))
      assert.equal('ERR_INVALID_ARG_TYPE', code('a', 5, 32))
      assert.equal('ERR_INVALID_ARG_TYPE', raised(crypto.scrypt, 'a', 'b', 32, {}, 5).code)
      assert.equal('', crypto.scryptSync('a', 'b', 0))
      assert.equal(32, #crypto.scryptSync('a', 'b', 32, { N = 2 ^ 15, maxmem = 64 * 2 ^ 20 }))
    end))
  end)

  describe('keys', function()
    it('made by scrypt go into ciphers without being strings', within(function()
      local options = { asKey = true }
      local key, same = crypto.scryptSync('hunter2', 'salt', 32, options), crypto.scrypt('hunter2', 'salt', 32, options)
      local text = crypto.scryptSync('hunter2', 'salt', 32)
      assert.equal('userdata', type(key))
      assert.equal('[Key of 32 bytes]', tostring(key))
      assert.equal(32, key.symmetricKeySize)
      assert.equal('secret', key.type)
      assert.is_true(key:equals(same))
      assert.is_false(key:equals(crypto.randomKey(32)))
      assert.is_true(key:export() == text)
      local iv = crypto.randomBytes(16)
      local secret = through(crypto.createCipheriv('aes-256-cbc', key, iv), 'hello')
      assert.equal('hello', (through(crypto.createDecipheriv('aes-256-cbc', text, iv), secret)))
      assert.is_true(crypto.timingSafeEqual(key, text))
      assert.equal('ERR_CRYPTO_INVALID_KEYLEN', raised(crypto.createCipheriv, 'aes-128-cbc', key, iv).code)
      assert.is_true(crypto.createSecretKey(text):equals(key))
      assert.is_true(crypto.scryptSync(key, 'salt', 8) == crypto.scryptSync(text, 'salt', 8))
    end))

    it('do not open their insides', within(function()
      local key = crypto.randomKey(16)
      assert.equal('weir key', getmetatable(key))
      assert.is_false(pcall(function() key.type = 'public' end))
    end))
  end)

  it('randomBytes gives as many as wanted', within(function()
    assert.equal(0, #crypto.randomBytes(0))
    assert.equal(100000, #crypto.randomBytes(100000))
    assert.is_false(crypto.randomBytes(16) == crypto.randomBytes(16))
    local got
    crypto.randomBytes(5, function(err, bytes) got = err or #bytes end)
    assert.is_nil(got)
    weir.sleep(1)
    assert.equal(5, got)
    assert.equal('ERR_OUT_OF_RANGE', raised(crypto.randomBytes, -1).code)
    assert.equal('ERR_OUT_OF_RANGE', raised(crypto.randomBytes, 2 ^ 31).code)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(crypto.randomBytes, 'a').code)
    assert.is_truthy(crypto.randomUUID():find '^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$')
  end))

  it('timingSafeEqual compares what has the same length', within(function()
    assert.is_true(crypto.timingSafeEqual('abc', 'abc'))
    assert.is_false(crypto.timingSafeEqual('abc', 'abd'))
    local err = raised(crypto.timingSafeEqual, 'a', 'ab')
    assert.equal('ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', err.code)
    assert.equal('Input buffers must have the same byte length', err.message)
    assert.equal('ERR_INVALID_ARG_TYPE', raised(crypto.timingSafeEqual, 5, 'ab').code)
  end))

  describe('and others', function()
    local dir
    before_each(function() dir = command('mktemp -d'):gsub('\n', '') end)
    after_each(function() command('rm -rf %s', dir) end)

    local function write(name, bytes) support.write_file(dir .. '/' .. name, bytes) end

    it('openssl and gunzip read what gzip and a cipher sealed #all', function()
      weir.run(function()
        local plain = ('some text, and some more of it\n'):rep(30000)
        local key, iv = crypto.scryptSync('hunter2', 'salt', 32), crypto.randomBytes(16)
        local sealed = {}
        weir.pipeline(weir.Readable.from { plain }, weir.zlib.createGzip(), crypto.createCipheriv('aes-256-cbc', key, iv),
          weir.Writable{ write = function(_, chunk, callback)
            sealed[#sealed + 1] = chunk
            callback()
          end })
        write('sealed', table.concat(sealed))
        assert.is_true(command('openssl enc -d -aes-256-cbc -K %s -iv %s -in %s/sealed | gunzip -c', hex(key), hex(iv), dir) == plain)
      end)
    end)

    it('openssl agrees, for cbc and ctr #all', function()
      weir.run(function()
        local plain = crypto.randomBytes(100001)
        write('plain', plain)
        for _, algorithm in ipairs(ALGORITHMS) do
          if not algorithm:find 'gcm' then
            local key, iv = key_of(algorithm), iv_of(algorithm)
            local theirs = command('openssl enc -%s -K %s -iv %s -in %s/plain', algorithm, hex(key), hex(iv), dir)
            assert.is_true((through(crypto.createCipheriv(algorithm, key, iv), plain, 65536)) == theirs)
            assert.is_true((through(crypto.createDecipheriv(algorithm, key, iv), theirs, 9999)) == plain)
          end
        end
      end)
    end)

    it('Node agrees, for every cipher #all', function()
      weir.run(function()
        local plain = crypto.randomBytes(100001)
        write('plain', plain)
        local script = [[
          const { createCipheriv } = require('crypto'), [name, key, iv, file] = process.argv.slice(1)
          const c = createCipheriv(name, Buffer.from(key), Buffer.from(iv))
          const out = Buffer.concat([c.update(require('fs').readFileSync(file)), c.final()])
          process.stdout.write(Buffer.concat([out, name.includes('gcm') ? c.getAuthTag() : Buffer.alloc(0)]))]]
        for _, algorithm in ipairs(ALGORITHMS) do
          local key, iv = key_of(algorithm), iv_of(algorithm)
          local theirs = command('node -e "%s" %s %s %s %s/plain', script, algorithm, key, iv, dir)
          local d = crypto.createDecipheriv(algorithm, key, iv)
          local c = crypto.createCipheriv(algorithm, key, iv)
          local ours = through(c, plain, 65536)
          if algorithm:find 'gcm' then
            local tag = theirs:sub(-16)
            theirs = theirs:sub(1, -17)
            d:setAuthTag(tag)
            assert.equal(hex(tag), hex(c:getAuthTag()))
          end
          assert.is_true(ours == theirs)
          assert.is_true((through(d, theirs, 7777)) == plain)
        end
      end)
    end)
  end)
end)
