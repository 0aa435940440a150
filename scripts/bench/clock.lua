-- SPDX-License-Identifier: MIT
-- Times one job, which may wait, and prints one JSON line, as scripts/bench/node/clock.mjs does.

local weir = require 'weir'

local function peakRssMiB()
  for line in io.lines '/proc/self/status' do
    local kib = line:match '^VmHWM:%s*(%d+)'
    if kib then return tonumber(kib) / 1024 end
  end
end

local function show(v)
  if type(v) == 'string' then return '"' .. v .. '"' end
  if type(v) == 'number' and v % 1 == 0 then return ('%d'):format(v) end
  return tostring(v)
end

---@param name string
---@param job fun()
---@param describe fun(ns: number): table what to print beside: a list of { name, value }
return function(name, job, describe)
  local start = weir.process.hrtime()
  job()
  local ns = weir.process.hrtime() - start
  local out = { '"name":' .. show(name), '"seconds":' .. ('%.4f'):format(ns / 1e9) }
  for _, field in ipairs(describe(ns)) do out[#out + 1] = ('"%s":%s'):format(field[1], show(field[2])) end
  out[#out + 1] = '"peakRssMiB":' .. ('%.1f'):format(peakRssMiB())
  print('{' .. table.concat(out, ',') .. '}')
end
