-- SPDX-License-Identifier: MIT
-- An echo server: what a client sends comes back, no faster than the client takes it.
--   weir scripts/examples/echo.lua [PORT]         prints the port that it listens on (any that is free, by default)
--   weir scripts/examples/echo.lua --self-test    connects to itself, sends lines and checks what comes back

local weir = require 'weir'
local net = weir.net

local selfTest = arg[1] == '--self-test'

local server = net.createServer(function(socket)
  socket:on('error', function(err) io.stderr:write('connection: ', err.message, '\n') end)
  socket:pipe(socket)
end)

local function test(port)
  local sent, received = {}, {}
  for i = 1, 1000 do sent[i] = ('line %d\n'):format(i) end
  local client = net.connect(port, '127.0.0.1')
  client:on('data', function(chunk) received[#received + 1] = chunk end)
  client:on('end', function() server:close() end)
  for i = 1, #sent do client:write(sent[i]) end
  client:finish()
  server:on('close', function()
    assert(table.concat(received) == table.concat(sent), 'what came back differs from what was sent')
    print(('%d lines came back'):format(#sent))
  end)
end

server:listen(not selfTest and tonumber(arg[1]) or 0, '127.0.0.1', function()
  local port = server:address().port
  print(('listening on port %d'):format(port))
  io.stdout:flush()
  if selfTest then test(port) end
end)
