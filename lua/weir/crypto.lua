-- SPDX-License-Identifier: MIT
-- Ciphers, hashes, keys and randomness: Node's `crypto`, as far as it goes.
--
-- Ciphers are aes-128, -192 and -256 in cbc, ctr and gcm; hashes md5, sha1, sha224, sha256, sha384 and sha512. Both are
-- transform streams and can be used piece by piece (`update`, `final`, `digest`), but not both at a time. Bytes are strings.
--
-- Where Node takes a key, a key object can be given: it is made by `scrypt` with `asKey = true`, by `randomKey` or
-- `createSecretKey`, never becomes a Lua string (which cannot be wiped), and is wiped when it is collected.

local core = require 'weir.core'
local errors = require 'weir.errors'
local wait = require 'weir.wait'
local duplex = require 'weir.stream.duplex'
local native = require 'weir.stream.native'
local timers = require 'weir.timers'

local type, error, pairs = type, error, pairs
local byte, format, char = string.byte, string.format, string.char

local M = {}

-- ---- Arguments --------------------------------------------------------------------------------------------------------

local function checkString(value, name, level)
  if type(value) ~= 'string' then error(errors.argType(name, 'string', value), level + 1) end
end

local function checkBytes(value, name, level)
  if type(value) ~= 'string' and not core.isKey(value) then error(errors.argType(name, { 'string', 'Key' }, value), level + 1) end
end

local function checkInteger(value, name, most, level)
  if type(value) ~= 'number' then error(errors.argType(name, 'number', value), level + 1) end
  if value % 1 ~= 0 then error(errors.outOfRange(name, 'an integer', value), level + 1) end
  if value < 0 or value > most then error(errors.outOfRange(name, format('>= 0 && <= %d', most), value), level + 1) end
end

local function checkFunction(value, name, level)
  if type(value) ~= 'function' then error(errors.argType(name, 'function', value), level + 1) end
end

-- What a core function answered: raises its fault, else gives its result.
local function result(level, value, code, message)
  if value == nil then error(errors.new(message, code), level + 1) end
  return value
end

-- The same, of an operation of which the core says only that it cannot be now.
local function during(operation, value, code, message)
  if value ~= nil then return value end
  if code == 'ERR_CRYPTO_INVALID_STATE' then message = 'Invalid state for operation ' .. operation end
  error(errors.new(message, code), 3)
end

-- ---- Text of bytes ----------------------------------------------------------------------------------------------------

local function hex(bytes)
  return (bytes:gsub('.', function(c) return format('%02x', byte(c)) end))
end

local ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

local function base64(bytes)
  local text = bytes:gsub('..?.?', function(group)
    local a, b, c = byte(group, 1, 3)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    local out = {}
    for i = 1, 4 do
      local at = math.floor(n / 64 ^ (4 - i)) % 64 + 1
      out[i] = i <= #group + 1 and ALPHABET:sub(at, at) or '='
    end
    return table.concat(out)
  end)
  return text
end

local ENCODINGS = { hex = hex, base64 = base64, buffer = function(bytes) return bytes end }

-- ---- Keys -------------------------------------------------------------------------------------------------------------

---@class weir.Key
---@field type 'secret'
---@field symmetricKeySize integer bytes
local Key = {}

---The bytes as a string, which cannot be wiped.
---@return string
function Key:export()
  return core.keyBytes(self)
end

---Is `other` the same key?
---@param other weir.Key
---@return boolean
function Key:equals(other)
  return core.isKey(other) and core.equal(self, other)
end

core.keyClass(function(self, key)
  if key == 'type' then return 'secret' end
  if key == 'symmetricKeySize' then return core.keySize(self) end
  return Key[key]
end, function(self) return format('[Key of %d bytes]', core.keySize(self)) end)

---A key object of these bytes.
---@param bytes string
---@return weir.Key
function M.createSecretKey(bytes)
  checkString(bytes, 'key', 2)
  return core.key(bytes)
end

-- ---- Ciphers ----------------------------------------------------------------------------------------------------------

---@class weir.Cipher: weir.Transform
local Cipher = duplex.Transform:extend 'Cipher'

local function checkTagLength(options, level)
  local length = options.authTagLength
  if length ~= nil and (type(length) ~= 'number' or length < 0 or length % 1 ~= 0 or length > 2 ^ 31 - 1) then
    error(errors.argValue('options.authTagLength', length), level + 1)
  end
  return length
end

-- What the codec refuses names no numbers: here they are.
local function describe(code, message, tagLength)
  if code == 'ERR_CRYPTO_INVALID_AUTH_TAG' then message = format('Invalid authentication tag length: %d', tagLength) end
  return errors.new(message, code)
end

local function initCipher(self, decrypt, algorithm, key, iv, options)
  if options == nil then options = {} end
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), 4) end
  checkString(algorithm, 'cipher', 4)
  checkBytes(key, 'key', 4)
  if iv == nil then iv = '' end
  checkBytes(iv, 'iv', 4)
  local tagLength = checkTagLength(options, 4)
  native.init(self, options, function(stream, has, readMark, writeMark)
    local ok, code, message =
      core.cipherNew(stream, has, readMark, writeMark, decrypt, algorithm, key, core.isKey(iv) and core.keyBytes(iv) or iv, tagLength)
    if not ok then error(describe(code, message, tagLength or 0), 6) end
  end)
end

---Encrypts or decrypts `data` and gives what comes out so far.
---@param data string
---@return string
function Cipher:update(data)
  checkString(data, 'data', 2)
  return during('update', core.cipherUpdate(self, data))
end

---The rest. Nothing can be done with the cipher afterwards, but for `getAuthTag`.
---@return string
function Cipher:final()
  return during('final', core.cipherFinal(self))
end

---gcm: data that is authenticated but not encrypted, before anything else.
---@param data string
---@return weir.Cipher self
function Cipher:setAAD(data)
  checkString(data, 'buffer', 2)
  during('setAAD', core.cipherAad(self, data))
  return self
end

---cbc: whether the last block is padded (it is).
---@param on? boolean
---@return weir.Cipher self
function Cipher:setAutoPadding(on)
  during('setAutoPadding', core.cipherPadding(self, on == nil or on and true))
  return self
end

---@class weir.Cipheriv: weir.Cipher
local Cipheriv = Cipher:extend 'Cipheriv'
M.Cipheriv = Cipheriv

function Cipheriv:init(algorithm, key, iv, options)
  initCipher(self, false, algorithm, key, iv, options)
end

---gcm: the tag, once all was encrypted.
---@return string
function Cipheriv:getAuthTag()
  return during('getAuthTag', core.cipherTag(self))
end

---@class weir.Decipheriv: weir.Cipher
local Decipheriv = Cipher:extend 'Decipheriv'
M.Decipheriv = Decipheriv

function Decipheriv:init(algorithm, key, iv, options)
  initCipher(self, true, algorithm, key, iv, options)
end

---gcm: the tag that must come out, before the end; of exactly `authTagLength` bytes (16).
---@param tag string
---@return weir.Decipheriv self
function Decipheriv:setAuthTag(tag)
  checkString(tag, 'buffer', 2)
  local ok, code, message = core.cipherSetTag(self, tag)
  if code == 'ERR_CRYPTO_INVALID_AUTH_TAG' then error(describe(code, message, #tag), 2) end
  during('setAuthTag', ok, code, message)
  return self
end

---A stream that encrypts. Lengths of key and IV are checked. With gcm what is decrypted comes out before the tag was checked:
---it is not to be trusted before `'end'`.
---@param algorithm string `'aes-256-cbc'`, `'aes-128-gcm'` ...
---@param key string|weir.Key
---@param iv string
---@param options? { authTagLength?: integer } and those of every transform
---@return weir.Cipheriv
function M.createCipheriv(algorithm, key, iv, options)
  return Cipheriv(algorithm, key, iv, options)
end

---A stream that decrypts.
---@return weir.Decipheriv
function M.createDecipheriv(algorithm, key, iv, options)
  return Decipheriv(algorithm, key, iv, options)
end

-- ---- Hashes -----------------------------------------------------------------------------------------------------------

---@class weir.Hash: weir.Transform
local Hash = duplex.Transform:extend 'Hash'
M.Hash = Hash

function Hash:init(algorithm, options)
  if type(algorithm) ~= 'table' then checkString(algorithm, 'algorithm', 3) end
  native.init(self, options, function(stream, has, readMark, writeMark)
    result(6, core.hashNew(stream, has, readMark, writeMark, algorithm))
  end)
end

---@param data string
---@return weir.Hash self
function Hash:update(data)
  checkString(data, 'data', 2)
  result(2, core.hashUpdate(self, data))
  return self
end

local function encode(bytes, encoding, level)
  local encoder = ENCODINGS[encoding or 'buffer']
  if not encoder then error(errors.argValue('encoding', encoding, "must be one of: 'hex', 'base64', 'buffer'"), level + 1) end
  return encoder(bytes)
end

---The digest: bytes, or with `'hex'` or `'base64'` the text of them. Once.
---@param encoding? 'hex'|'base64'|'buffer'
---@return string
function Hash:digest(encoding)
  encode('', encoding, 2)
  return encode(result(2, core.hashDigest(self)), encoding)
end

---A second hash that has had the same.
---@return weir.Hash
function Hash:copy(options)
  return Hash(self, options)
end

---A hash; as a stream it gives the digest, in bytes, at the end.
---@param algorithm string
---@return weir.Hash
function M.createHash(algorithm, options)
  return Hash(algorithm, options)
end

---The digest of `data` in one go, by default as hex.
---@param algorithm string
---@param data string
---@param encoding? 'hex'|'base64'|'buffer'
---@return string
function M.hash(algorithm, data, encoding)
  checkString(algorithm, 'algorithm', 2)
  checkString(data, 'data', 2)
  return Hash(algorithm):update(data):digest(encoding or 'hex')
end

-- ---- scrypt -----------------------------------------------------------------------------------------------------------

local SAME = { N = 'cost', r = 'blockSize', p = 'parallelization' }

-- One of scrypt's parameters, which has two names.
local function parameter(options, short, level)
  local long = SAME[short]
  if options[short] ~= nil and options[long] ~= nil then
    error(errors.new(format('Only one of the options "%s" and "%s" may be given', short, long), 'ERR_CRYPTO_SCRYPT_INVALID_PARAMETER'),
      level + 1)
  end
  local name = options[long] ~= nil and long or short
  if options[name] ~= nil then checkInteger(options[name], name, 0xffffffff, level + 1) end
  return options[name]
end

local function scryptArguments(password, salt, length, options, level)
  checkBytes(password, 'password', level + 1)
  checkBytes(salt, 'salt', level + 1)
  checkInteger(length, 'keylen', 2 ^ 31 - 1, level + 1)
  options = options or {}
  if type(options) ~= 'table' then error(errors.argType('options', 'table', options), level + 1) end
  local N, r, p = parameter(options, 'N', level + 1), parameter(options, 'r', level + 1), parameter(options, 'p', level + 1)
  local maxmem = options.maxmem
  if maxmem ~= nil then checkInteger(maxmem, 'maxmem', 2 ^ 53 - 1, level + 1) end
  result(level + 1, core.scryptCheck(N, r, p, maxmem))
  return options.asKey and true or false, N, r, p, maxmem
end

---`length` bytes of a password. This holds everything up for about 30 ms with the defaults; `scrypt` does not.
---@param password string|weir.Key
---@param salt string
---@param length integer
---@param options? table N (or cost, 16384), r (or blockSize, 8), p (or parallelization, 1), maxmem (32 MiB); `asKey`: a key object
---@return string|weir.Key
function M.scryptSync(password, salt, length, options)
  return result(2, core.scryptRun(password, salt, length, scryptArguments(password, salt, length, options, 2)))
end

---The same on another thread: with a callback (`callback(err, key)`), or waiting.
---@param callback? fun(err: weir.Error?, key: string|weir.Key|nil)
---@return string|weir.Key|nil
function M.scrypt(password, salt, length, options, callback)
  if type(options) == 'function' then options, callback = nil, options end
  local asKey, N, r, p, maxmem = scryptArguments(password, salt, length, options, 2)
  local wake, here
  if callback == nil then wake, here = wait.prepare() else checkFunction(callback, 'callback', 2) end
  core.scryptTask(password, salt, length, asKey, N, r, p, maxmem, function(key, code, message)
    local err
    if key == nil then err = errors.new(message, code) end
    if wake then wake(err, key) else callback(err, key) end
  end)
  if not wake then return end
  local err, key = here()
  if err then error(err, 2) end
  return key
end

-- ---- Randomness and comparing -----------------------------------------------------------------------------------------

---`size` random bytes of the system's; with a callback, `callback(nil, bytes)` in a later tick.
---@param size integer
---@param callback? fun(err: weir.Error?, bytes: string)
---@return string?
function M.randomBytes(size, callback)
  checkInteger(size, 'size', 2 ^ 31 - 1, 2)
  if callback ~= nil then checkFunction(callback, 'callback', 2) end
  local bytes = result(2, core.randomBytes(size))
  if not callback then return bytes end
  timers.nextTick(callback, nil, bytes)
end

---A key object of `size` random bytes.
---@param size integer
---@return weir.Key
function M.randomKey(size)
  checkInteger(size, 'size', 2 ^ 31 - 1, 2)
  return result(2, core.randomBytes(size, true))
end

---A random UUID, version 4.
---@return string
function M.randomUUID()
  local b = { byte(core.randomBytes(16), 1, 16) }
  b[7] = b[7] % 16 + 64
  b[9] = b[9] % 64 + 128
  local text = hex(char(unpack(b)))
  return format('%s-%s-%s-%s-%s', text:sub(1, 8), text:sub(9, 12), text:sub(13, 16), text:sub(17, 20), text:sub(21))
end

---Are these the same? The time it takes does not tell where they differ. Different lengths raise
---ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH.
---@param a string|weir.Key
---@param b string|weir.Key
---@return boolean
function M.timingSafeEqual(a, b)
  checkBytes(a, 'buf1', 2)
  checkBytes(b, 'buf2', 2)
  local lengthOf = function(v) return type(v) == 'string' and #v or core.keySize(v) end
  if lengthOf(a) ~= lengthOf(b) then
    error(errors.new('Input buffers must have the same byte length', 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH'), 2)
  end
  return core.equal(a, b)
end

---The names that createCipheriv and createHash know.
---@return string[]
function M.getCiphers()
  local names = {}
  for _, mode in pairs { 'cbc', 'ctr', 'gcm' } do
    for _, bits in pairs { 128, 192, 256 } do names[#names + 1] = format('aes-%d-%s', bits, mode) end
  end
  table.sort(names)
  return names
end

---@return string[]
function M.getHashes()
  return { 'md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512' }
end

return M
