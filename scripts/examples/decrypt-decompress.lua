-- SPDX-License-Identifier: MIT
-- Decrypts and decompresses what compress-encrypt.lua made. OUT appears only when it is complete: with a wrong password there
-- is none.
--   scripts/weir scripts/examples/decrypt-decompress.lua IN OUT PASSWORD

local weir = require 'weir'

local input, output, password = ...
if not password then
  io.stderr:write('usage: decrypt-decompress.lua IN OUT PASSWORD\n')
  weir.process.exit(2)
end

-- The first 16 bytes: the initialization vector.
local function readIv()
  local pieces = {}
  for chunk in weir.fs.createReadStream(input, { start = 0, finish = 15 }):iter() do pieces[#pieces + 1] = chunk end
  local iv = table.concat(pieces)
  if #iv < 16 then error(weir.Error(('%s: too short, there is no initialization vector'):format(input))) end
  return iv
end

local iv = readIv()
local key = weir.crypto.scrypt(password, 'salt', 32, { asKey = true })

weir.pipeline(
  weir.fs.createReadStream(input, { start = 16 }),
  weir.crypto.createDecipheriv('aes-256-cbc', key, iv),
  weir.zlib.createGunzip(),
  weir.fs.createWriteStream(output, { atomic = true }))
