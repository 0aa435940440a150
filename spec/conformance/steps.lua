-- SPDX-License-Identifier: MIT
-- The steps of stream programs (README.md, "Steps"), each on the program that runs (program.lua).

local weir = require 'weir'

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local basics = dofile(here .. 'basics.lua')
local show, code, raise, is_int = basics.show, basics.code, basics.raise, basics.is_int
local new_gate, wait_at, open, start = basics.new_gate, basics.wait_at, basics.open, basics.start
local make_function = basics.make_function

local function list_at(map, key)
  map[key] = map[key] or {}
  return map[key]
end

-- ---- steps on one stream: the stream comes first -------------------------------------------------------------------

local steps = {
  named = {}, -- verb -> function(run, stream, ...)
  unnamed = {}, -- verb -> function(run, ...)
}
local STEPS, UNNAMED = steps.named, steps.unnamed

function STEPS.push(run, s, v)
  run:put(run.names[s] .. '.r', 'push', tostring(s:push(v)))
end

function STEPS.eof(run, s)
  run:put(run.names[s] .. '.r', 'push', tostring(s:push(nil)))
end

function STEPS.unshift(run, s, v)
  run:put(run.names[s] .. '.r', 'unshift', tostring(s:unshift(v)))
end

-- Reads once; whether to go on.
local function read_once(run, s, ...)
  local v = s:read(...)
  run:put(run.names[s] .. '.r', 'read', show(v))
  return v ~= nil and not run:over_budget()
end

function STEPS.read(run, s, ...)
  read_once(run, s, ...)
end

for _, verb in ipairs { 'pause', 'resume', 'cork', 'uncork' } do
  STEPS[verb] = function(_, s) s[verb](s) end
end

local function new_id(run, name)
  run.ids[name] = (run.ids[name] or 0) + 1
  return '#' .. run.ids[name]
end

function STEPS.write(run, s, v, after)
  local name = run.names[s]
  local id = new_id(run, name)
  local more = s:write(v, function(err)
    run:put(name .. '.w', 'cb', id, code(err))
    run:steps(after or {})
  end)
  run:put(name .. '.w', 'write', id, tostring(more))
end

function STEPS.writeNull(run, s)
  STEPS.write(run, s, nil)
end

STEPS['end'] = function(run, s, chunk)
  local name = run.names[s]
  local id = new_id(run, name)
  s:finish(chunk, function(err) run:put(name .. '.w', 'endCb', id, code(err)) end)
  run:put(name .. '.w', 'end', id)
end

function STEPS.destroy(_, s, message)
  if message == nil then s:destroy() else s:destroy(weir.Error(message)) end
end

local function readable_listener(run, s, how)
  local name = run.names[s]
  return function()
    run:emitted(name, name .. '.r', 'readable')
    if how == 'one' then read_once(run, s) end
    if how == 'all' then repeat until not read_once(run, s) end
    if is_int(how) then repeat until not read_once(run, s, how) end
  end
end

local function data_listener(run, s)
  local name = run.names[s]
  return function(chunk) run:emitted(name, name .. '.r', 'data', show(chunk)) end
end

function STEPS.on(run, s, event, how)
  local listener = event == 'data' and data_listener(run, s) or readable_listener(run, s, how)
  table.insert(list_at(run.attached, run.names[s] .. ' ' .. event), listener)
  s:on(event, listener)
end

function STEPS.off(run, s, event)
  local listener = table.remove(list_at(run.attached, run.names[s] .. ' ' .. event))
  if listener then s:off(event, listener) end
end

function STEPS.pipe(run, s, to, how)
  if how == 'noEnd' then s:pipe(run:stream(to), { finish = false }) else s:pipe(run:stream(to)) end
end

function STEPS.unpipe(run, s, ...)
  if select('#', ...) > 0 then s:unpipe(run:stream((...))) else s:unpipe() end
end

function STEPS.release(run, s, which, message)
  local key = run.names[s] .. ' ' .. which
  local job = table.remove(list_at(run.held, key), 1)
  if not job then return table.insert(list_at(run.released, key), { message = message }) end
  if message then run:operations({ { 'fail', message } }, job.call) else run:operations(job.ops, job.call) end
end

function STEPS.addAbortSignal(run, s, controller)
  weir.addAbortSignal(run:controller(controller).signal, s)
end

-- ---- steps that name no stream first -------------------------------------------------------------------------------

function UNNAMED.abort(run, controller)
  run:controller(controller):abort()
end

function UNNAMED.when(run, name, event, nth, list)
  table.insert(run.hooks, { name = name, event = event, left = nth, steps = list })
end

function UNNAMED.pipeline(run, id, names)
  local args = run:all(names)
  args[#args + 1] = function(err) run:put('pl.' .. id, 'cb', code(err)) end
  weir.pipeline(unpack(args))
end

function UNNAMED.pipelineWait(run, id, names, given)
  local args, options = run:all(names), {}
  if given and given.signal then options.signal = run:controller(given.signal).signal end
  if given then options.finish = given['end'] end
  args[#args + 1] = options
  start(function()
    local ok, err = pcall(weir.pipeline, unpack(args))
    run:put('pl.' .. id, 'done', ok and 'ok' or code(err))
  end)
end

function UNNAMED.finished(run, id, name, given)
  local options = {}
  for key, value in pairs(given or {}) do options[key] = value end
  if options.signal then options.signal = run:controller(options.signal).signal end
  run.cleanups[id] = weir.finished(run:stream(name), options, function(err) run:put('fin.' .. id, 'cb', code(err)) end)
end

function UNNAMED.cleanup(run, id)
  if run.cleanups[id] then run.cleanups[id]() end
end

function UNNAMED.compose(run, name, parts)
  run:watch(name, weir.compose(unpack(run:all(parts))), 'rw')
end

-- The body of an iterate loop, for one item; whether to go on. `loop` is what is known of the loop.
local function loop_body(run, loop, item)
  run:put(loop.channel, 'item', show(item))
  if run:over_budget() then return false end
  loop.n = loop.n + 1
  if loop.n == loop.how.throwAt then
    loop.own = true
    raise 'loop failed'
  end
  if loop.n == loop.how.take then return false end
  if loop.how.gate then
    run.gates[loop.id] = new_gate()
    wait_at(run.gates[loop.id])
  end
  return true
end

-- As in Node, an item that is there is read at once, but the body never runs inside the step that starts the loop or
-- opens its gate.
local function iterate(run, loop, stream)
  loop.iterator = loop.how.keep and stream:iter { destroyOnReturn = false } or stream:iter()
  for item in loop.iterator do
    basics.next_tick()
    if not loop_body(run, loop, item) then return loop.iterator:close() end
  end
end

function UNNAMED.iterate(run, id, name, how)
  local stream = run:stream(name)
  local loop = { id = id, channel = 'it.' .. id, how = how or {}, n = 0 }
  start(function()
    local ok, err = pcall(iterate, run, loop, stream)
    if loop.own then pcall(loop.iterator.close, loop.iterator) end -- a body that raised leaves the iteration too
    if not ok then run:put(loop.channel, 'error', code(err))
    else run:put(loop.channel, loop.n == loop.how.take and 'broke' or 'done') end
  end)
end

UNNAMED['next'] = function(run, id)
  local gate = run.gates[id]
  run.gates[id] = nil
  if gate then open(gate) end
end

local TERMINAL = { toArray = true, forEach = true, reduce = true, some = true, every = true, find = true }
local HELPERS = {} -- those called otherwise than s:helper(F, options)

function HELPERS.toArray(_, _, s, options)
  return s:toArray(options)
end

function HELPERS.take(_, _, s, options, n)
  return s:take(n, options)
end

function HELPERS.drop(_, _, s, options, n)
  return s:drop(n, options)
end

function HELPERS.forEach(run, channel, s, options, spec)
  local fn = make_function(spec)
  return s:forEach(function(v)
    run:put(channel, 'each', show(v))
    return fn(v)
  end, options)
end

function HELPERS.reduce(_, _, s, options, spec, ...)
  local fn = make_function(spec)
  if select('#', ...) == 0 then return s:reduce(fn) end
  if options then return s:reduce(fn, (...), options) end
  return s:reduce(fn, (...))
end

local function chain(run, channel, at, calls, options)
  for _, call in ipairs(calls) do
    local helper = call[1]
    if HELPERS[helper] then at = HELPERS[helper](run, channel, at, options, unpack(call, 2))
    else at = at[helper](at, make_function(call[2]), options) end
  end
  if not TERMINAL[calls[#calls][1]] then at = at:toArray(options) end
  return at
end

function UNNAMED.chain(run, id, name, calls, controller)
  local channel, stream = 'ch.' .. id, run:stream(name)
  local options = controller and { signal = run:controller(controller).signal } or nil
  start(function()
    local ok, result = pcall(chain, run, channel, stream, calls, options)
    if ok then run:put(channel, 'result', show(result)) else run:put(channel, 'error', code(result)) end
  end)
end

return steps
