-- SPDX-License-Identifier: MIT
-- Makes the C file that holds the Lua modules as bytecode (its contract: runtime/bind/modules.h). The build runs it:
--   luajit scripts/embed.lua OUT.c lua/weir/init.lua lua/weir/fs.lua ...
-- Bytecode, because a start must not pay for parsing; with debug information, because tracebacks name file and line.

local out, files = arg[1], { unpack(arg, 2) }
local parts, entries = {}, {}

local function module_name(path)
  return (path:gsub('%.lua$', ''):gsub('/init$', ''):gsub('/', '.'))
end

local function bytes(s)
  local lines = {}
  for at = 1, #s, 32 do
    lines[#lines + 1] = table.concat({ s:byte(at, at + 31) }, ',')
  end
  return table.concat(lines, ',\n')
end

for i, file_name in ipairs(files) do
  local path = file_name:gsub('^lua/', '')
  local file = assert(io.open(file_name, 'rb'))
  local source = file:read '*a'
  file:close()
  local chunk, message = loadstring(source, '@' .. path)
  if not chunk then
    io.stderr:write(message, '\n')
    os.exit(1)
  end
  local code = string.dump(chunk)
  parts[#parts + 1] = ('static const unsigned char code%d[] = {\n%s};\n'):format(i, bytes(code))
  entries[#entries + 1] = ('    { "%s", code%d, %d },\n'):format(module_name(path), i, #code)
end

local file = assert(io.open(out, 'wb'))
assert(file:write('#include "modules.h"\n\n', table.concat(parts),
  '\nconst struct wr_lua_module wr_lua_modules[] = {\n', table.concat(entries), '    { 0, 0, 0 },\n};\n'))
assert(file:close())
