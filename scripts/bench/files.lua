-- SPDX-License-Identifier: MIT
-- The same work as scripts/bench/node/files.mjs: copy, gzip, gunzip, seal, unseal. Prints one JSON line.

local weir = require 'weir'
local clock = dofile(arg[0]:match '^(.*/)' .. 'clock.lua')

local fs, pipeline = weir.fs, weir.pipeline
local job, input, output = arg[1], arg[2], arg[3]

local function key() return weir.crypto.scryptSync('hunter2', 'salt', 32) end

-- The first LENGTH bytes of the file at PATH.
local function head(path, length)
  local bytes = {}
  for chunk in fs.createReadStream(path, { finish = length - 1 }):iter() do bytes[#bytes + 1] = chunk end
  return table.concat(bytes)
end

local jobs = {}

function jobs.copy()
  pipeline(fs.createReadStream(input), fs.createWriteStream(output))
end

function jobs.gzip()
  pipeline(fs.createReadStream(input), weir.zlib.createGzip(), fs.createWriteStream(output))
end

function jobs.gunzip()
  pipeline(fs.createReadStream(input), weir.zlib.createGunzip(), fs.createWriteStream(output))
end

function jobs.seal()
  local iv = weir.crypto.randomBytes(16)
  fs.writeFile(output, iv)
  pipeline(fs.createReadStream(input), weir.zlib.createGzip(), weir.crypto.createCipheriv('aes-256-cbc', key(), iv),
    fs.createWriteStream(output, { flags = 'a' }))
end

function jobs.unseal()
  local iv = head(input, 16)
  pipeline(fs.createReadStream(input, { start = 16 }), weir.crypto.createDecipheriv('aes-256-cbc', key(), iv),
    weir.zlib.createGunzip(), fs.createWriteStream(output))
end

clock(job, jobs[job], function(ns)
  local plain = fs.stat((job == 'gunzip' or job == 'unseal') and output or input).size
  local speed = math.floor(plain / ns * 1e4 + 0.5) / 10
  return { { 'plain', plain }, { 'outBytes', fs.stat(output).size }, { 'MBps', speed } }
end)
