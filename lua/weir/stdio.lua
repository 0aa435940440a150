-- SPDX-License-Identifier: MIT
-- The process's own streams: stdin, stdout, stderr. They are made when first touched, never closed, and what is at their other
-- ends may be a pipe, a file or a terminal.
--
-- A pipe or a pipeline does not finish stdout and stderr (`_isStdio` says so to both). If nobody reads stdout any more and the
-- script does not listen to its `'error'`, the process ends with status 141 and without a word, as others do. Nothing that was
-- written is lost, also by `process.exit`: what is left then is written before the process ends.

local core = require 'weir.core'
local native = require 'weir.stream.native'
local process = require 'weir.process'
local Readable = require 'weir.stream.readable'
local Writable = require 'weir.stream.writable'

local READ, WRITE = core.openFlags.RDONLY, core.openFlags.WRONLY

---@class weir.Stdin: weir.Readable
---@field fd integer
---@field isTTY boolean
local Stdin = Readable:extend 'Stdin'

---@class weir.Stdout: weir.Writable
---@field fd integer
---@field isTTY boolean
---@field bytesWritten integer
local Stdout = Writable:extend 'Stdout'

Stdin.getters.bytesRead = core.fileBytes
Stdout.getters.bytesWritten = core.fileBytes

local function isTTY(self) return core.isTerminal(self.fd) end
Stdin.getters.isTTY = isTTY
Stdout.getters.isTTY = isTTY

function Stdin:init(fd)
  self.fd = fd
  self._isStdio = true
  native.init(self, nil, function(stream, has, mark)
    core.fileReader(stream, {}, has, mark, fd, READ, nil, nil, true)
  end, false, { readable = 65536 })
end

-- What was asked for before a pause is waited for again.
function Stdin:read(n)
  local chunk = Readable.read(self, n)
  if chunk == nil then core.fileAgain(self) end
  return chunk
end

function Stdout:init(fd)
  self.fd = fd
  self._isStdio = true
  native.init(self, nil, function(stream, has, _, mark)
    core.fileWriter(stream, {}, has, mark, fd, WRITE, nil, nil, nil, nil, true)
  end)
  process:on('exit', function() core.fileDrain(self) end)
end

local MAKE = {
  stdin = function() return Stdin(0) end,
  stdout = function() return Stdout(1) end,
  stderr = function() return Stdout(2) end,
}

return setmetatable({}, {
  __index = function(self, name)
    local make = MAKE[name]
    if not make then return nil end
    local stream = make()
    rawset(self, name, stream)
    return stream
  end,
})
