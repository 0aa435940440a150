-- SPDX-License-Identifier: MIT
-- Does code compile? Runs it in a LuaJIT of its own (what else was hot in this process would change the answer) and
-- returns how many traces were made, how many were given up, and what the code returned.
local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

return function(code)
  local script = ([[
    package.path = %q
    package.loaded['weir.core'] = {}
    local stops, aborts = 0, 0
    require 'jit'.attach(function(what)
      if what == 'stop' then stops = stops + 1 elseif what == 'abort' then aborts = aborts + 1 end
    end, 'trace')
    local result = (function() %s end)()
    print(stops, aborts, result)
  ]]):format(package.path, code)
  local pipe = io.popen('luajit -e ' .. quoted(script) .. ' 2>&1')
  local said = pipe:read '*a'
  pipe:close()
  local stops, aborts, result = said:match '^(%d+)\t(%d+)\t(%S+)\n$'
  assert(stops, said)
  return tonumber(stops), tonumber(aborts), result
end
