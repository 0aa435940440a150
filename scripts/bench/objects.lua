-- SPDX-License-Identifier: MIT
-- Object mode: N users made, enriched (two fields added), counted: weir objects.lua COUNT.

local weir = require 'weir'
local clock = dofile((arg[0]:match '^(.*/)' or '') .. 'clock.lua')

local count = tonumber(arg[1] or 1e6)

local UserReader = weir.Readable:extend 'UserReader'

function UserReader:init(n)
  weir.Readable.init(self, { objectMode = true })
  self.n, self.index = n, 0
end

function UserReader:_read()
  if self.index >= self.n then
    self:push(nil)
    return
  end
  self:push{ id = self.index, name = 'Ali' }
  self.index = self.index + 1
end

local UserEnricher = weir.Transform:extend 'UserEnricher'

function UserEnricher:init()
  weir.Transform.init(self, { objectMode = true })
end

function UserEnricher:_transform(user, callback)
  user.enriched = true
  user.role = user.role or 'user'
  self:push(user)
  callback()
end

local UserWriter = weir.Writable:extend 'UserWriter'

function UserWriter:init()
  weir.Writable.init(self, { objectMode = true })
  self.processed, self.sum = 0, 0
end

function UserWriter:_write(user, callback)
  self.processed = self.processed + 1
  self.sum = self.sum + user.id
  callback()
end

local writer = UserWriter()
clock('objects', function() weir.pipeline(UserReader(count), UserEnricher(), writer) end, function(ns)
  return { { 'count', writer.processed }, { 'sum', writer.sum }, { 'nsPerObject', ns / count } }
end)
