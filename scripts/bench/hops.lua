-- SPDX-License-Identifier: MIT
-- N integers through S object-mode transforms that add one: weir hops.lua COUNT STAGES [STYLE]. STYLE: how the handlers are
-- written. `cb` (callback(nil, v)), `push` (self:push(v); callback()), `class` (the same in a subclass): each stage has a
-- function of its own, from a chunk of source of its own; `same`: one function literal for all.

local weir = require 'weir'
local clock = dofile((arg[0]:match '^(.*/)' or '') .. 'clock.lua')

local count, stages, style = tonumber(arg[1] or 1e6), tonumber(arg[2] or 4), arg[3] or 'cb'

local TEXT = {
  cb = 'return function(self, n, callback) callback(nil, n + 1) end',
  push = 'return function(self, n, callback) self:push(n + 1) callback() end',
}
TEXT.class = TEXT.push

local function same(_, n, callback) callback(nil, n + 1) end

local function hop()
  if style == 'same' then return weir.Transform{ objectMode = true, transform = same } end
  local fn = loadstring(TEXT[style])()
  if style ~= 'class' then return weir.Transform{ objectMode = true, transform = fn } end
  local Hop = weir.Transform:extend('Hop')
  Hop._transform = fn
  return Hop{ objectMode = true }
end

local next, sum = 0, 0
local list = {
  weir.Readable{
    objectMode = true,
    read = function(self)
      if next < count then
        next = next + 1
        self:push(next)
      else
        self:push(nil)
      end
    end,
  },
}
for _ = 1, stages do list[#list + 1] = hop() end
list[#list + 1] = weir.Writable{
  objectMode = true,
  write = function(_, n, callback)
    sum = sum + n
    callback()
  end,
}

clock('hops', function() weir.pipeline(list) end, function(ns)
  return { { 'count', count }, { 'stages', stages }, { 'sum', sum }, { 'nsPerObject', ns / count },
    { 'nsPerHop', ns / count / (stages + 1) } }
end)
