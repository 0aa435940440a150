-- SPDX-License-Identifier: MIT
-- What the interpreter of stream programs has in words of its own: values as a log shows them, errors, functions that are
-- data, and waiting.

local weir = require 'weir'

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local json = dofile(here .. 'json.lua')

local basics = {}

-- ---- values, errors and data-defined functions ---------------------------------------------------------------------

-- A value as a log shows it; nil is null.
basics.show = json.encode

-- What a log says of an error: its code, else its message.
function basics.code(err)
  if not err then return 'ok' end
  if type(err) == 'table' then return tostring(err.code or err.message) end
  return (tostring(err):gsub('^[^\n:]+:%d+: ', ''))
end

function basics.raise(message)
  error(weir.Error(message), 0)
end

function basics.is_int(v)
  return type(v) == 'number' and v == math.floor(v)
end

local function half(v)
  return math.floor(#v / 2)
end

local FUNCTIONS = {
  same = function(v) return v end,
  add1 = function(v)
    if basics.is_int(v) then return v + 1 end
    if type(v) == 'string' then return v .. '+' end
    return v
  end,
  wrap = function(v) return { v = v } end,
  pair = function(v) return { v, v } end,
  head = function(v) return type(v) == 'string' and v:sub(1, half(v)) or v end,
  tail = function(v) return type(v) == 'string' and v:sub(half(v) + 1) or v end,
  even = function(v) return basics.is_int(v) and v % 2 == 0 end,
  small = function(v) return basics.is_int(v) and v < 4 end,
  never = function() return false end,
  always = function() return true end,
  sum = function(acc, v) return (basics.is_int(acc) and acc or 0) + (basics.is_int(v) and v or 0) end,
  last = function(_, v) return v end,
}

-- A function as data: "add1", or {fn: "add1", failAt: 3}, which raises on its third call.
function basics.make_function(spec)
  if type(spec) == 'string' then return FUNCTIONS[spec] end
  local fn, calls = FUNCTIONS[spec.fn], 0
  return function(...)
    calls = calls + 1
    if calls == spec.failAt then basics.raise 'fn failed' end
    return fn(...)
  end
end

-- ---- waiting -------------------------------------------------------------------------------------------------------

function basics.new_gate()
  return weir.events.EventEmitter()
end

function basics.wait_at(gate)
  weir.events.once(gate, 'open')
end

-- Who waits goes on when no tick is left, as what waits for a promise does.
function basics.open(gate)
  gate:emit 'open'
end

-- Goes on there too: somebody else is let go first, who lets this go.
function basics.next_tick()
  local other, mine = basics.new_gate(), basics.new_gate()
  basics.start(function()
    basics.wait_at(other)
    basics.open(mine)
  end)
  basics.open(other)
  basics.wait_at(mine)
end

function basics.next_turn() -- of the loop
  local gate = basics.new_gate()
  weir.setImmediate(basics.open, gate)
  basics.wait_at(gate)
end

-- Runs fn in a coroutine of its own, at once up to its first wait.
function basics.start(fn)
  weir.wrap(fn)()
end

return basics
