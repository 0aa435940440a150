-- SPDX-License-Identifier: MIT
-- Compresses a file with gzip and encrypts it with aes-256-cbc. The key is made of the password by scrypt; the 16 bytes of
-- the initialization vector stand in front. decrypt-decompress.lua undoes it. OUT appears only when it is complete.
--   scripts/weir scripts/examples/compress-encrypt.lua IN OUT PASSWORD

local weir = require 'weir'

local input, output, password = ...
if not password then
  io.stderr:write('usage: compress-encrypt.lua IN OUT PASSWORD\n')
  weir.process.exit(2)
end

-- As a key object: its bytes never become a Lua string, and are wiped when it is freed.
local key = weir.crypto.scrypt(password, 'salt', 32, { asKey = true })
local iv = weir.crypto.randomBytes(16)

local file = weir.fs.createWriteStream(output, { atomic = true })
file:write(iv)
weir.pipeline(
  weir.fs.createReadStream(input),
  weir.zlib.createGzip(),
  weir.crypto.createCipheriv('aes-256-cbc', key, iv),
  file)
