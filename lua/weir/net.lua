-- SPDX-License-Identifier: MIT
-- Sockets and servers, TCP and Unix: Node's `net`. A Socket is a Duplex whose handlers are in C; a Server is an emitter that makes
-- one for each connection. What fails is an `'error'` of that connection alone.
--
-- `'close'` of a socket has an argument, so it is emitted here, when the core says that it has come, and not by the core itself.

local core = require 'weir.core'
local class = require 'weir.class'
local errors = require 'weir.errors'
local events = require 'weir.events'
local timers = require 'weir.timers'
local duplex = require 'weir.stream.duplex'
local native = require 'weir.stream.native'

local type, error, pairs, select, tonumber = type, error, pairs, select, tonumber
local nextTick = timers.nextTick
local Duplex, EventEmitter = duplex.Duplex, events.EventEmitter

local M = {}

local BACKLOG = 511
local ANY_ADDRESS = { '::', '0.0.0.0' } -- the first takes IPv4 too

-- ---- Arguments ------------------------------------------------------------------------------------------------------

local function isPort(value)
  local number = tonumber(value)
  return number ~= nil and number >= 0 and number < 65536 and number % 1 == 0
end

local function checkPort(value, name)
  if isPort(value) then return tonumber(value) end
  local received = errors.argType('port', 'number', value).message:match 'Received (.*)$'
  error(errors.new(('%s should be >= 0 and < 65536. Received %s.'):format(name, received), 'ERR_SOCKET_BAD_PORT',
    { name = 'RangeError' }), 4)
end

local function checkTable(options, name)
  if options == nil then return {} end
  if type(options) ~= 'table' then error(errors.argType(name, 'table', options), 4) end
  return options
end

-- (options, fn), (port, host, extra, fn), (path, extra, fn) as a table of options and the function.
local function normalize(extra, first, ...)
  local count = select('#', ...)
  local last = count > 0 and select(count, ...) or nil
  local fn = type(last) == 'function' and last or nil
  if type(first) == 'function' then return {}, first end
  if type(first) == 'table' then return first, fn end
  local options, second, third = {}, ...
  if type(first) == 'string' and not isPort(first) then
    options.path = first
    if extra and type(second) == 'number' then options[extra] = second end
  else
    options.port = first
    if type(second) == 'string' then options.host = second end
    if extra and type(second) == 'number' then third = second end
    if extra and type(third) == 'number' then options[extra] = third end
  end
  return options, fn
end

local function lookupError(code, host)
  return errors.new(('getaddrinfo %s %s'):format(code, host), code, { syscall = 'getaddrinfo', hostname = host })
end

-- Calls `fn(err, addresses)`: now for an address, else later.
local function resolve(host, family, fn)
  if core.netFamily(host) ~= 0 then return fn(nil, { host }) end
  core.netLookup(host, function(code, found)
    local fitting = {}
    for i = 1, found and #found or 0 do
      if not family or family == 0 or core.netFamily(found[i]) == family then fitting[#fitting + 1] = found[i] end
    end
    if code or #fitting == 0 then return fn(lookupError(code or 'ENOTFOUND', host)) end
    fn(nil, fitting)
  end)
end

-- ---- Sockets --------------------------------------------------------------------------------------------------------

---@class weir.Socket: weir.Duplex
---@field connecting boolean
---@field pending boolean not connected (yet)
---@field readyState 'opening'|'open'|'readOnly'|'writeOnly'|'closed'
---@field bytesRead integer
---@field bytesWritten integer what still waits included
---@field remoteAddress string?
---@field remotePort integer?
---@field remoteFamily string?
---@field localAddress string?
---@field localPort integer?
---@field localFamily string?
---@field timeout number milliseconds, 0 for none
local Socket = Duplex:extend 'Socket'
M.Socket = Socket

Socket.getters.bytesRead = core.socketBytesRead
Socket.getters.bytesWritten = core.socketBytesWritten
Socket.getters.timeout = core.socketGetTimeout

local function addressGetter(peer, place)
  return function(self)
    local host, port, family = core.socketAddress(self, peer)
    if not port then return nil end
    return place == 1 and host or place == 2 and port or family
  end
end

for name, peer in pairs { ['local'] = false, remote = true } do
  Socket.getters[name .. 'Address'] = addressGetter(peer, 1)
  Socket.getters[name .. 'Port'] = addressGetter(peer, 2)
  Socket.getters[name .. 'Family'] = addressGetter(peer, 3)
end

function Socket.getters:connecting() return core.socketState(self) == 'connecting' end

function Socket.getters:pending() return core.socketState(self) ~= 'open' end

function Socket.getters:readyState()
  local state = core.socketState(self)
  if state == 'connecting' then return 'opening' end
  if state ~= 'open' then return 'closed' end
  local readable, writable = self.readable, self.writable
  if readable and writable then return 'open' end
  return readable and 'readOnly' or writable and 'writeOnly' or 'closed'
end

-- The core need not know who listens to 'close'.
function Socket:_listening(name, count)
  if name ~= 'close' then Duplex._listening(self, name, count) end
end

local function streamOptions(options)
  return {
    allowHalfOpen = options.allowHalfOpen == true,
    highWaterMark = options.highWaterMark,
    readableHighWaterMark = options.readableHighWaterMark,
    writableHighWaterMark = options.writableHighWaterMark,
    signal = options.signal,
    name = options.name,
  }
end

local function make(stream, has, readMark, writeMark)
  core.socketNew(stream, {}, has, readMark, writeMark)
end

local function applyOptions(self, options)
  if options.noDelay then self:setNoDelay(true) end
  if options.keepAlive then self:setKeepAlive(true, options.keepAliveInitialDelay) end
  if options.timeout then self:setTimeout(options.timeout) end
end

---`Socket(options)`: one that is not connected yet. `allowHalfOpen` (false: it is finished when the peer has finished),
---`highWaterMark`, `signal`, `noDelay`, `keepAlive`, `keepAliveInitialDelay`, `timeout`. Events: those of Duplex, `'lookup'`, `'connect'`,
---`'ready'`, `'timeout'`, `'close'(hadError)`.
---@param options? table
function Socket:init(options)
  options = checkTable(options, 'options')
  native.init(self, streamOptions(options), make)
  applyOptions(self, options)
end

local function connectTo(self, options)
  if options.path ~= nil then
    if type(options.path) ~= 'string' then error(errors.argType('options.path', 'string', options.path), 4) end
    core.socketBegin(self)
    if not core.socketConnect(self, options.path) then
      self:destroy(errors.new('connect ENAMETOOLONG ' .. options.path, 'ENAMETOOLONG', { syscall = 'connect', address = options.path }))
    end
    return
  end
  local port, host = checkPort(options.port, 'Port'), options.host or 'localhost'
  if type(host) ~= 'string' then error(errors.argType('options.host', 'string', host), 4) end
  core.socketBegin(self)
  resolve(host, options.family, function(err, addresses)
    if self.destroyed then return end
    if err or core.netFamily(host) == 0 then
      self:emit('lookup', err, addresses and addresses[1], addresses and core.netFamily(addresses[1]), host)
    end
    if err then self:destroy(err) elseif not self.destroyed then core.socketConnect(self, addresses, port) end
  end)
end

---`connect(port, host, listener)`, `connect(path, listener)` (a Unix socket), `connect(options, listener)` with `port`, `host`
---(`localhost`) and `family`, or `path`. What is written before `'connect'` waits for it.
---@param ... any
---@return weir.Socket self
function Socket:connect(...)
  local options, listener = normalize(nil, ...)
  if core.socketState(self) ~= 'idle' then error(errors.new('The socket was connected already', 'ERR_INVALID_STATE'), 2) end
  if listener then self:once('connect', listener) end
  connectTo(self, options)
  return self
end

-- The peer has finished, and so has this side, without having been asked to.
local function refuseWrite(self, callback)
  local err = errors.new('This socket has been ended by the other party', 'EPIPE')
  if type(callback) == 'function' then nextTick(callback, err) end
  self:destroy(err)
  return false
end

function Socket:write(chunk, callback)
  if self.writableEnded and self.readableEnded and not self.allowHalfOpen then return refuseWrite(self, callback) end
  return Duplex.write(self, chunk, callback)
end

---Destroys it once all is written.
function Socket:destroySoon()
  if self.writable then self:finish() end
  if self.writableFinished then self:destroy() else self:once('finish', self.destroy) end
end

---`'timeout'` comes whenever nothing came or went for `ms` milliseconds; nothing else happens then. 0: never.
---@param ms number
---@param callback? fun() listens once; with 0 it does so no more
---@return weir.Socket self
function Socket:setTimeout(ms, callback)
  if type(ms) ~= 'number' then error(errors.argType('msecs', 'number', ms), 2) end
  if not (ms >= 0 and ms < math.huge) then error(errors.outOfRange('msecs', 'a non-negative finite number', ms), 2) end
  core.socketTimeout(self, ms)
  if callback and ms == 0 then self:off('timeout', callback) elseif callback then self:once('timeout', callback) end
  return self
end

---Small writes are sent at once, without waiting for the answer to the one before.
---@param on? boolean default true
---@return weir.Socket self
function Socket:setNoDelay(on)
  core.socketNoDelay(self, on ~= false)
  return self
end

---The system asks a silent peer whether it is still there.
---@param on? boolean default false
---@param initialDelay? number milliseconds of silence before that
---@return weir.Socket self
function Socket:setKeepAlive(on, initialDelay)
  core.socketKeepAlive(self, on and true or false, math.floor((initialDelay or 0) / 1000))
  return self
end

---The loop may end although it is open.
---@return weir.Socket self
function Socket:unref()
  core.socketWeak(self, true)
  return self
end

---@return weir.Socket self
function Socket:ref()
  core.socketWeak(self, false)
  return self
end

---Where this end is: `{ address, port, family }`; empty if it is not connected.
---@return table
function Socket:address()
  local host, port, family = core.socketAddress(self, false)
  if not port then return {} end
  return { address = host, port = port, family = family }
end

---A new Socket that connects: see `Socket:connect`; in `options` also what `Socket(options)` takes.
---@param ... any
---@return weir.Socket
function M.connect(...)
  local options, listener = normalize(nil, ...)
  local socket = Socket(options)
  if listener then socket:once('connect', listener) end
  connectTo(socket, options)
  return socket
end
M.createConnection = M.connect

-- ---- Servers --------------------------------------------------------------------------------------------------------

---@class weir.Server: weir.EventEmitter
---@field listening boolean
---@field maxConnections integer? more are closed at once, with the event `'drop'`
local Server = EventEmitter:extend 'Server'
M.Server = Server

function Server.getters:listening() return self._handle ~= nil end

---`Server(options, onConnection)`: `options` are those of its sockets, and `pauseOnConnect`. Events: `'listening'`, `'connection'(socket)`,
---`'drop'`, `'error'`, `'close'`.
---@param options? table
---@param onConnection? fun(socket: weir.Socket)
function Server:init(options, onConnection)
  if type(options) == 'function' then options, onConnection = nil, options end
  self._options = checkTable(options, 'options')
  self._connections = 0
  if onConnection then self:on('connection', onConnection) end
end

---A new Server.
---@param options? table
---@param onConnection? fun(socket: weir.Socket)
---@return weir.Server
function M.createServer(options, onConnection)
  return Server(options, onConnection)
end

local function accepted(server, fd)
  local max = server.maxConnections
  if max and server._connections >= max then
    core.closeFd(fd)
    server:emit('drop')
    return
  end
  local options = server._options
  local socket = Socket(options)
  socket.server, socket._server = server, server
  server._connections = server._connections + 1
  if options.pauseOnConnect then socket:pause() end
  core.socketAdopt(socket, fd)
  server:emit('connection', socket)
end

local function closeIfDrained(server)
  if server._closing and not server._handle and server._connections == 0 then
    server._closing = false
    nextTick(server.emit, server, 'close')
  end
end

local function closed(socket, hadError, emits)
  local server = socket._server
  if server then
    socket._server = nil
    server._connections = server._connections - 1
    closeIfDrained(server)
  end
  if emits then socket:emit('close', hadError) end
end

core.netHandlers(accepted, closed)

local function where(host, port, path)
  if path then return path end
  return ('%s:%d'):format(host, port)
end

local function failed(self, host, port, path, code, text, number)
  self._starting = false
  nextTick(self.emit, self, 'error', errors.new(('listen %s: %s %s'):format(code, text, where(host, port, path)), code,
    { errno = number, syscall = 'listen', address = path or host, port = port }))
end

local function started(self, handle)
  self._starting, self._handle = false, handle
  if self._weak then core.listenWeak(handle, true) end
  nextTick(function()
    if self._handle == handle then self:emit 'listening' end
  end)
end

-- Listens on the first of `hosts` that the system has.
local function listenOn(self, hosts, port, options)
  local handle, code, text, number
  for i = 1, #hosts do
    handle, code, text, number = core.listenOpen(self, hosts[i], port, options.backlog or BACKLOG, options.ipv6Only)
    if handle then return started(self, handle) end
    if i == #hosts or (code ~= 'EAFNOSUPPORT' and code ~= 'EADDRNOTAVAIL') then
      return failed(self, hosts[i], port, nil, code, text, number)
    end
  end
end

local function listenAt(self, path, options)
  local handle, code, text, number = core.listenOpen(self, path, nil, options.backlog or BACKLOG)
  if handle then started(self, handle) else failed(self, nil, nil, path, code, text, number) end
end

local function listenByName(self, host, port, options)
  resolve(host, nil, function(err, addresses)
    if not self._starting then return end
    if not err then return listenOn(self, { addresses[1] }, port, options) end
    self._starting = false
    self:emit('error', err)
  end)
end

---`listen(port, host, backlog, callback)`, `listen(path, backlog, callback)`, `listen(options, callback)` with `port`, `host`, `path`,
---`backlog` (511), `ipv6Only`. Without a host: all addresses; without a port, or with 0: any that is free, see `address()`.
---@param ... any
---@return weir.Server self
function Server:listen(...)
  local options, callback = normalize('backlog', ...)
  if self._handle or self._starting then
    error(errors.new('Listen method has been called more than once without closing.', 'ERR_SERVER_ALREADY_LISTEN'), 2)
  end
  local path, port = options.path, 0
  if path ~= nil and type(path) ~= 'string' then error(errors.argType('options.path', 'string', path), 2) end
  if not path and options.port ~= nil then port = checkPort(options.port, 'options.port') end
  if callback then self:once('listening', callback) end
  self._starting = true
  if path then
    listenAt(self, path, options)
  elseif options.host then
    listenByName(self, options.host, port, options)
  else
    listenOn(self, ANY_ADDRESS, port, options)
  end
  return self
end

---Where it listens: `{ address, port, family }`, the path of a Unix socket, or nil.
---@return table|string|nil
function Server:address()
  if not self._handle then return nil end
  local host, port, family = core.listenAddress(self._handle)
  if not port then return host end
  return { address = host, port = port, family = family }
end

---Accepts no more connections; `'close'` comes when those that are open have been closed too.
---@param callback? fun(err: weir.Error?) called then, or with ERR_SERVER_NOT_RUNNING
---@return weir.Server self
function Server:close(callback)
  if not self._handle and not self._starting then
    if callback then nextTick(callback, errors.new('Server is not running.', 'ERR_SERVER_NOT_RUNNING')) end
    return self
  end
  if callback then self:once('close', function() callback() end) end
  local handle = self._handle
  self._handle, self._starting, self._closing = nil, false, true
  if handle then core.listenClose(handle) end
  closeIfDrained(self)
  return self
end

---@param callback fun(err: nil, count: integer)
---@return weir.Server self
function Server:getConnections(callback)
  nextTick(callback, nil, self._connections)
  return self
end

local function weaken(self, weak)
  self._weak = weak
  if self._handle then core.listenWeak(self._handle, weak) end
  return self
end

---The loop may end although it listens.
---@return weir.Server self
function Server:unref() return weaken(self, true) end

---@return weir.Server self
function Server:ref() return weaken(self, false) end

-- ---- Addresses ------------------------------------------------------------------------------------------------------

---4 or 6 for a numeric address, else 0.
---@param host string
---@return integer
function M.isIP(host)
  return type(host) == 'string' and core.netFamily(host) or 0
end

---@param host string
---@return boolean
function M.isIPv4(host) return M.isIP(host) == 4 end

---@param host string
---@return boolean
function M.isIPv6(host) return M.isIP(host) == 6 end

---Is `value` a Socket?
---@param value any
---@return boolean
function M.isSocket(value) return class.is(value, Socket) end

return M
