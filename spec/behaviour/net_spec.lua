-- SPDX-License-Identifier: MIT
-- Sockets: what goes in comes out, backpressure reaches the peer, and every connection ends with its descriptor closed.

local weir = require 'weir'
local amount = require('support').amount
local net = weir.net
local support = require 'support'
local timers = require 'weir.timers'
local ffi = require 'ffi'

ffi.cdef [[
  struct weir_spec_rlimit { unsigned long now, max; };
  int getrlimit(int what, struct weir_spec_rlimit *limit);
  int setrlimit(int what, const struct weir_spec_rlimit *limit);
  int dup(int fd);
  int fcntl(int fd, int command, ...);
  int close(int fd);
]]

local MB = amount(1024 * 1024, 4096)

local function descriptors()
  local count = 0
  for fd = 0, 1023 do
    if ffi.C.fcntl(fd, 1) >= 0 then count = count + 1 end
  end
  return count
end

-- What the running spec has opened, to be closed when it fails: else it would fail those behind it.
local opened = {}

local function watched(open)
  return function(...)
    local it = open(...)
    opened[#opened + 1] = it
    if it.listen then it:on('connection', function(socket) opened[#opened + 1] = socket end) end
    return it
  end
end

local createServer, connect = watched(net.createServer), watched(net.connect)

local function closeAll()
  for _, it in ipairs(opened) do
    it:on('error', function() end)
    if it.destroy then it:destroy() elseif it.listening then it:close() end
  end
end

-- Runs fn in weir's loop until nothing is left (a minute at most), and compares the open descriptors before and after. What
-- fails, also in a listener, fails the spec.
local function run(fn)
  weir.run(function() end) -- the loop's own descriptors
  collectgarbage()
  local before, failure = descriptors(), nil
  opened = {}
  local function failed(err)
    failure = failure or { err }
    closeAll()
  end
  weir.process:on('uncaughtException', failed)
  local late = weir.setTimeout(failed, 60000, 'it does not come to an end')
  timers.unref(late)
  local ok, err = pcall(weir.run, fn)
  weir.clearTimeout(late)
  if not ok then failed(err) end
  weir.process:off('uncaughtException', failed)
  collectgarbage()
  collectgarbage()
  if not failure then ok, err = pcall(assert.equal, before, descriptors()) end
  if not ok then failed(err) end
  if not failure then return end
  pcall(weir.run, function() weir.sleep(1) end) -- what was closed only now
  error(failure[1], 0)
end

-- Does the name lead to this machine? In some containers it does not.
local hasLocalhost = support.output_of('getent ahosts localhost') ~= ''

-- Bytes that differ everywhere, so that whatever is lost or doubled shows.
local function pattern(size)
  local parts, length, i = {}, 0, 0
  while length < size do
    i = i + 1
    parts[i] = ('%d:'):format(i * 7919)
    length = length + #parts[i]
  end
  return table.concat(parts):sub(1, size)
end

local function collect(stream)
  local parts = {}
  stream:on('data', function(chunk) parts[#parts + 1] = chunk end)
  return function() return table.concat(parts) end
end

local function listen(server, ...)
  local args = { ... }
  local done = args[#args]
  args[#args] = nil
  if #args == 0 then args = { 0, '127.0.0.1' } end
  args[#args + 1] = function() done(server:address()) end
  server:listen(unpack(args))
  return server
end

local function echo(options)
  return createServer(options, function(socket) socket:pipe(socket) end)
end

-- Writes text in pieces, waiting for 'drain'; finishes.
local function feed(stream, text, size)
  local at = 1
  local function go()
    while at <= #text do
      local more = stream:write(text:sub(at, at + size - 1))
      at = at + size
      if not more then
        stream:once('drain', go)
        return
      end
    end
    stream:finish()
  end
  go()
end

describe('net', function()
  setup(function() -- the pool's own descriptors
    weir.run(function() weir.zlib.gzip 'loop and pool have their descriptors from now on' end)
  end)

  it('echoes 5 MB', function()
    local text, result, written, read = pattern(5 * MB), nil, nil, nil
    run(function()
      local server = echo()
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        result = collect(client)
        feed(client, text, 10000)
        client:on('close', function(hadError)
          assert.is_false(hadError)
          written, read = client.bytesWritten, client.bytesRead
          server:close()
        end)
      end)
    end)
    assert.is_true(result() == text)
    assert.equal(#text, written)
    assert.equal(#text, read)
  end)

  it('carries 5 MB both ways at once', function()
    local there, back = pattern(5 * MB), pattern(5 * MB):reverse()
    local atServer, atClient
    run(function()
      local server = createServer(function(socket)
        atServer = collect(socket)
        feed(socket, back, 65536)
      end)
      listen(server, function(address)
        local client = connect { port = address.port, host = '127.0.0.1' }
        atClient = collect(client)
        feed(client, there, 70001)
        client:on('close', function() server:close() end)
      end)
    end)
    assert.is_true(atServer() == there)
    assert.is_true(atClient() == back)
  end)

  it('sends chunks of all sizes in their order, those written before connect too', function()
    local text, result = {}, nil
    run(function()
      local server = echo()
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        result = collect(client)
        for i = 1, amount(3000, 300) do
          text[i] = ('%d,'):format(i):rep(i % 50)
          client:write(text[i])
        end
        client:finish()
        client:on('close', function() server:close() end)
      end)
    end)
    assert.is_true(result() == table.concat(text))
  end)

  it('stops the sender of a consumer that is paused, and lets it go on', function()
    if MB < 1024 * 1024 then return pending 'the kernel holds more than can be read a byte at a time' end
    local stopped, total = nil, 0
    local block = ('x'):rep(65536)
    run(function()
      local server = createServer(function(socket)
        socket:on('data', function(chunk) total = total + #chunk end)
        socket:pause()
        weir.setTimeout(function() socket:resume() end, 300)
      end)
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        local left = 1024 -- 64 MB
        local function go()
          while left > 0 do
            left = left - 1
            if not client:write(block) then
              client:once('drain', go)
              return
            end
          end
          client:finish()
        end
        go()
        weir.setTimeout(function() stopped = client.bytesWritten end, 200)
        client:on('close', function() server:close() end)
        client:resume()
      end)
    end)
    assert.is_true(stopped < 16 * MB, 'it had written ' .. stopped)
    assert.equal(64 * MB, total)
  end)

  it('goes on receiving after it has finished, where that is allowed', function()
    local got, order = nil, {}
    run(function()
      local server = createServer({ allowHalfOpen = true }, function(socket)
        local all = collect(socket)
        socket:on('end', function()
          order[#order + 1] = 'server end'
          weir.setTimeout(function() socket:finish('answer to ' .. all()) end, 20)
        end)
      end)
      listen(server, function(address)
        local client = connect({ port = address.port, host = '127.0.0.1', allowHalfOpen = true })
        got = collect(client)
        client:on('finish', function() order[#order + 1] = 'client finish' end)
        client:on('end', function() order[#order + 1] = 'client end' end)
        client:on('close', function() server:close() end)
        client:finish 'question'
      end)
    end)
    assert.equal('answer to question', got())
    assert.same({ 'client finish', 'server end', 'client end' }, order)
  end)

  it('finishes when the peer has, where half-open is not allowed', function()
    local failure
    run(function()
      local server = createServer(function(socket)
        socket:on('error', function() end)
        socket:resume()
        socket:on('end', function()
          weir.setImmediate(function()
            socket:write('late', function(err) failure = err end)
          end)
        end)
      end)
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1', function() end)
        client:resume()
        client:finish()
        client:on('close', function() server:close() end)
      end)
    end)
    assert.equal('EPIPE', failure.code)
  end)

  it('ends and closes where nobody reads', function()
    local events = {}
    run(function()
      local server = createServer(function(socket)
        socket:on('close', function(hadError) events[#events + 1] = 'close ' .. tostring(hadError) end)
      end)
      listen(server, function(address)
        connect(address.port, '127.0.0.1'):finish()
        weir.setTimeout(function() server:close() end, 50)
      end)
    end)
    assert.same({ 'close false' }, events)
  end)

  it('says that a connection was refused, as Node does', function()
    local failure, closed
    run(function()
      local server = echo()
      listen(server, function(address)
        server:close(function()
          local client = connect(address.port, '127.0.0.1')
          client:write 'never'
          client:on('error', function(err) failure = err end)
          client:on('close', function(hadError) closed = hadError end)
          failure = address.port
        end)
      end)
    end)
    assert.equal('ECONNREFUSED', failure.code)
    assert.equal('connect ECONNREFUSED 127.0.0.1:' .. failure.port, failure.message)
    assert.equal('connect', failure.syscall)
    assert.equal('127.0.0.1', failure.address)
    assert.equal(-111, failure.errno)
    assert.is_true(closed)
  end)

  it('tries the next address of a name', function()
    if not hasLocalhost then return pending 'localhost is not known here (/etc/hosts)' end
    local got
    run(function()
      local server = echo()
      listen(server, 0, '127.0.0.1', function(address)
        local client = connect(address.port, 'localhost')
        got = collect(client)
        client:finish 'by name'
        client:on('close', function() server:close() end)
      end)
    end)
    assert.equal('by name', got())
  end)

  it('says that a name is not known', function()
    local failure
    run(function()
      connect(80, 'no-such-name.invalid'):on('error', function(err) failure = err end)
    end)
    assert.is_true(failure.code == 'ENOTFOUND' or failure.code == 'EAI_AGAIN')
    assert.equal(('getaddrinfo %s no-such-name.invalid'):format(failure.code), failure.message)
  end)

  it('fails the one connection that its peer resets', function()
    local failures, other = {}, nil
    run(function()
      local server = createServer(function(socket)
        socket:on('error', function(err) failures[#failures + 1] = err.message end)
        socket:once('data', function(chunk)
          if chunk == 'r' then socket:write(('x'):rep(100000)) else socket:finish(chunk) end
        end)
      end)
      listen(server, function(address)
        local bad = connect(address.port, '127.0.0.1')
        bad:write 'r' -- one byte, which comes as one chunk always
        weir.setTimeout(function() bad:destroy() end, 30) -- with unread data: a reset
        weir.setTimeout(function()
          local good = connect(address.port, '127.0.0.1')
          other = collect(good)
          good:write 's'
          good:on('close', function() server:close() end)
        end, 80)
      end)
    end)
    assert.same({ 'read ECONNRESET' }, failures)
    assert.equal('s', other())
  end)

  it('calls back what was not written when it is destroyed', function()
    local results = {}
    run(function()
      local server = createServer(function(socket) socket:pause() end)
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        client:on('connect', function()
          client:write(('x'):rep(32 * 1024 * 1024), function(err) results[#results + 1] = err and err.code or 'written' end)
          client:write('y', function(err) results[#results + 1] = err and err.code or 'written' end)
          weir.setTimeout(function()
            client:destroy()
            server:close()
          end, 20)
        end)
        server:on('connection', function(socket) client:on('close', function() socket:destroy() end) end)
      end)
    end)
    assert.same({ 'ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED' }, results)
  end)

  it('can be destroyed while it connects, and before its name is known', function()
    local closed = 0
    run(function()
      for _, host in ipairs { '192.0.2.1', 'localhost' } do -- whether there is such a name does not matter
        local client = connect(9, host)
        client:on('error', function() end)
        client:on('close', function() closed = closed + 1 end)
        weir.setImmediate(function() client:destroy() end)
      end
    end)
    assert.equal(2, closed)
  end)

  it('knows both ends', function()
    local seen = {}
    run(function()
      local server = createServer(function(socket)
        seen.server = { socket.localPort, socket.remotePort, socket.remoteAddress, socket.remoteFamily }
        socket:finish()
        socket:resume()
      end)
      listen(server, function(address)
        seen.port = address.port
        assert.same({ address = '127.0.0.1', port = address.port, family = 'IPv4' }, address)
        local client = connect(address.port, '127.0.0.1')
        assert.equal('opening', client.readyState)
        assert.is_true(client.connecting)
        client:setNoDelay():setKeepAlive(true, 2000)
        client:on('connect', function()
          seen.client = { client.remotePort, client.localPort, client.localAddress, client.localFamily }
          assert.equal('open', client.readyState)
        end)
        client:resume()
        client:on('close', function()
          assert.equal('closed', client.readyState)
          assert.is_nil(client.remoteAddress)
          server:close()
        end)
      end)
    end)
    assert.same(seen.client, seen.server)
    assert.equal(seen.port, seen.client[1])
  end)

  it('works over IPv6, where there is one', function()
    local got
    run(function()
      local server = echo()
      server:on('error', function() got = function() return 'six' end end)
      listen(server, 0, '::1', function(address)
        assert.equal('IPv6', address.family)
        local client = connect(address.port, '::1')
        got = collect(client)
        client:finish 'six'
        client:on('close', function() server:close() end)
      end)
    end)
    assert.equal('six', got())
  end)

  it('works over Unix sockets, and removes their names', function()
    local path, got, inUse, missing = os.tmpname(), nil, nil, nil
    os.remove(path)
    run(function()
      local server = echo()
      listen(server, path, function(address)
        assert.equal(path, address)
        createServer():on('error', function(err) inUse = err end):listen(path)
        local client = connect({ path = path })
        got = collect(client)
        client:finish(('unix '):rep(MB / 8))
        client:on('close', function() server:close() end)
      end)
      server:on('close', function()
        connect(path):on('error', function(err) missing = err end)
      end)
    end)
    assert.equal(('unix '):rep(MB / 8), got())
    assert.equal('listen EADDRINUSE: address already in use ' .. path, inUse.message)
    assert.equal('connect ENOENT ' .. path, missing.message)
    assert.is_nil(io.open(path))
  end)

  it('says only that nothing has come for a while', function()
    local timeouts, got = 0, nil
    run(function()
      local server = echo()
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        got = collect(client)
        client:on('close', function() server:close() end)
        client:setTimeout(30, function()
          timeouts = timeouts + 1
          weir.setTimeout(function() client:finish 'still open' end, 50)
        end)
      end)
    end)
    assert.equal(1, timeouts)
    assert.equal('still open', got())
  end)

  it('does not keep the loop alive when it is told so', function()
    local server, client, accepted
    opened = {}
    finally(function() pcall(weir.run, closeAll) end)
    weir.run(function()
      server = createServer(function(socket)
        accepted = socket:unref()
        server:unref()
      end)
      listen(server, function(address)
        client = connect(address.port, '127.0.0.1', function() client:unref() end)
      end)
    end)
    assert.is_true(server.listening)
    weir.run(function()
      client:destroy()
      accepted:destroy()
      server:close()
    end)
  end)
end)

describe('net.Server', function()
  it('waits for its connections before it is closed', function()
    local order = {}
    run(function()
      local server = createServer(function(socket)
        socket:resume()
        socket:on('close', function() order[#order + 1] = 'socket' end)
      end)
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        server:on('connection', function()
          server:close(function(err)
            assert.is_nil(err)
            order[#order + 1] = 'server'
          end)
          assert.is_false(server.listening)
          server:getConnections(function(_, count)
            order[#order + 1] = count
            client:finish()
          end)
        end)
        client:resume()
      end)
    end)
    assert.same({ 1, 'socket', 'server' }, order)
  end)

  it('says that an address is in use, and can be closed once only', function()
    local failure, again
    run(function()
      local server = echo()
      listen(server, function(address)
        local second = echo()
        second:on('error', function(err)
          failure = err
          second:close(function(e) again = e end)
          server:close()
        end)
        second:listen(address.port, '127.0.0.1')
      end)
    end)
    assert.equal('EADDRINUSE', failure.code)
    assert.equal('listen EADDRINUSE: address already in use 127.0.0.1:' .. failure.port, failure.message)
    assert.equal('ERR_SERVER_NOT_RUNNING', again.code)
  end)

  it('refuses what is more than maxConnections', function()
    local dropped, served, ended = 0, 0, 0
    run(function()
      local server = createServer(function(socket)
        served = served + 1
        socket:resume()
      end)
      server.maxConnections = 2
      server:on('drop', function() dropped = dropped + 1 end)
      listen(server, function(address)
        local clients = {}
        for i = 1, 5 do
          clients[i] = connect(address.port, '127.0.0.1')
          clients[i]:resume()
          clients[i]:on('error', function() end)
          clients[i]:on('close', function()
            ended = ended + 1
            if ended == 3 then for j = 1, 5 do clients[j]:destroy() end end
            if ended == 5 then server:close() end
          end)
        end
      end)
    end)
    assert.same({ 3, 2 }, { dropped, served })
  end)

  it('waits for a descriptor, and does not spin meanwhile', function()
    local served, cpu = 0, nil
    local limit, before = ffi.new 'struct weir_spec_rlimit', ffi.new 'struct weir_spec_rlimit'
    ffi.C.getrlimit(7, before)
    finally(function() ffi.C.setrlimit(7, before) end)
    run(function()
      local server = createServer(function(socket)
        served = served + 1
        socket:finish()
        socket:resume()
      end)
      listen(server, function(address)
        local client = connect(address.port, '127.0.0.1')
        client:resume()
        -- From here on no descriptor is left. The connection is complete in the kernel, and not accepted yet.
        local spare = ffi.C.dup(0)
        ffi.C.close(spare)
        limit.now, limit.max = spare, before.max
        ffi.C.setrlimit(7, limit)
        local start = os.clock()
        weir.setTimeout(function()
          cpu = os.clock() - start
          assert.equal(0, served)
          ffi.C.setrlimit(7, before)
        end, 250)
        client:on('close', function() server:close() end)
      end)
    end)
    assert.equal(1, served)
    assert.is_true(cpu < 0.15, 'it took ' .. cpu .. ' s of 0.25')
  end)

  it('checks what it is given', function()
    assert.error_matches(function() connect(70000) end, 'should be >= 0 and < 65536')
    assert.error_matches(function() createServer():listen(-1) end, 'should be >= 0 and < 65536')
    assert.error_matches(function() connect {} end, 'should be >= 0 and < 65536')
    assert.same({ 4, 6, 0 }, { net.isIP '1.2.3.4', net.isIP '::1', net.isIP 'localhost' })
  end)
end)

describe('scripts/examples/echo.lua', function()
  it('passes its own test', function()
    local pipe = io.popen(os.getenv 'WEIR' .. ' scripts/examples/echo.lua --self-test; echo $?')
    local text = pipe:read '*a'
    pipe:close()
    assert.matches('^listening on port %d+\n1000 lines came back\n0\n$', text)
  end)
end)
