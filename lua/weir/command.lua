-- SPDX-License-Identifier: MIT
-- The weir command: its arguments, and the script that they name.

local core = require 'weir.core'
local weir = require 'weir'

local process = weir.process

local function fail(text)
  io.stderr:write('weir: ', text, '\n')
  return 1
end

return function(argv)
  local script = argv[1]
  if not script then return fail 'which script?' end
  local chunk, problem
  local first = 2
  if script == '-e' then
    chunk, problem = loadstring(argv[2] or '', '=(command line)')
    first = 3
  else
    chunk, problem = loadfile(script)
  end
  if not chunk then return fail(problem) end
  arg = { [0] = script }
  for i = first, #argv do arg[i - first + 1] = argv[i] end
  core.pace()
  local ok, err = pcall(weir.run, chunk, unpack(arg))
  if not ok then return fail(process.describe(err)) end
  return process.exitCode or 0
end
