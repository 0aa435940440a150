-- SPDX-License-Identifier: MIT
-- Objects through three classes of one's own: a Readable that makes users, a Transform that adds fields to them, a Writable
-- that prints them.
--   scripts/weir scripts/examples/users.lua

local weir = require 'weir'

local UserReader = weir.Readable:extend 'UserReader'

function UserReader:init(names)
  weir.Readable.init(self, { objectMode = true })
  self.names, self.made = names, 0
end

-- Called whenever there is room for more; nil is the end.
function UserReader:_read()
  local name = self.names[self.made + 1]
  if not name then
    self:push(nil)
    return
  end
  self.made = self.made + 1
  self:push{ id = self.made, name = name }
end

local UserEnricher = weir.Transform:extend 'UserEnricher'

function UserEnricher:init()
  weir.Transform.init(self, { objectMode = true })
end

function UserEnricher:_transform(user, callback)
  user.email = user.name:lower() .. '@example.org'
  user.role = user.id == 1 and 'admin' or 'user'
  callback(nil, user)
end

local UserWriter = weir.Writable:extend 'UserWriter'

function UserWriter:init()
  weir.Writable.init(self, { objectMode = true })
  self.written = 0
end

function UserWriter:_write(user, callback)
  self.written = self.written + 1
  print(('%d %s <%s> %s'):format(user.id, user.name, user.email, user.role))
  callback()
end

local reader = UserReader{ 'Ali', 'Berit', 'Chen', 'Dora' }
local writer = UserWriter()

reader:pipe(UserEnricher()):pipe(writer):on('finish', function()
  print(('%d users written'):format(writer.written))
end)
