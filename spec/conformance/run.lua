-- Runs stream programs (README.md) on weir's streams and prints their logs.
--   weir run.lua < programs.jsonl > actual.jsonl
-- It uses weir's public API alone and knows nothing of any case, family or expected log. What a program does is logged by
-- listeners, handlers and callbacks; nothing is asked of a stream but its methods and, in snapshots, its properties.

local weir = require 'weir'

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local json = dofile(here .. 'json.lua')

local BUDGET = 3000 -- handler calls, listener reads and iterated items per program; more is a runaway
local ROUNDS = 500 -- `later` jobs per settle

-- ---- values, errors and data-defined functions ---------------------------------------------------------------------

local show = json.encode -- nil is null

-- What a log says of an error: its code, else its message.
local function code(err)
  if not err then return 'ok' end
  if type(err) == 'table' then return tostring(err.code or err.message) end
  return (tostring(err):gsub('^[^\n:]+:%d+: ', ''))
end

local function raise(message)
  error(weir.Error(message), 0)
end

local function is_int(v)
  return type(v) == 'number' and v == math.floor(v)
end

local function half(v)
  return math.floor(#v / 2)
end

local FUNCTIONS = {
  same = function(v) return v end,
  add1 = function(v)
    if is_int(v) then return v + 1 end
    if type(v) == 'string' then return v .. '+' end
    return v
  end,
  wrap = function(v) return { v = v } end,
  pair = function(v) return { v, v } end,
  head = function(v) return type(v) == 'string' and v:sub(1, half(v)) or v end,
  tail = function(v) return type(v) == 'string' and v:sub(half(v) + 1) or v end,
  even = function(v) return is_int(v) and v % 2 == 0 end,
  small = function(v) return is_int(v) and v < 4 end,
  never = function() return false end,
  always = function() return true end,
  sum = function(acc, v) return (is_int(acc) and acc or 0) + (is_int(v) and v or 0) end,
  last = function(_, v) return v end,
}

-- A function as data: "add1", or {fn: "add1", failAt: 3}, which raises on its third call.
local function make_function(spec)
  if type(spec) == 'string' then return FUNCTIONS[spec] end
  local fn, calls = FUNCTIONS[spec.fn], 0
  return function(...)
    calls = calls + 1
    if calls == spec.failAt then raise 'fn failed' end
    return fn(...)
  end
end

-- ---- waiting -------------------------------------------------------------------------------------------------------

local function new_gate()
  return weir.events.EventEmitter()
end

local function wait_at(gate)
  weir.events.once(gate, 'open')
end

local function open(gate)
  gate:emit('open')
end

local function next_turn() -- of the loop
  local gate = new_gate()
  weir.setImmediate(open, gate)
  wait_at(gate)
end

-- Runs fn in a coroutine of its own, at once up to its first wait.
local function start(fn)
  weir.wrap(fn)()
end

-- ---- a program that runs -------------------------------------------------------------------------------------------

local READABLE = { 'readable', 'readableLength', 'readableFlowing', 'readableEnded', 'readableDidRead', 'readableAborted',
  'isPaused', 'readableHighWaterMark', 'readableObjectMode' }
local WRITABLE = { 'writable', 'writableLength', 'writableEnded', 'writableFinished', 'writableNeedDrain', 'writableCorked',
  'writableAborted', 'writableHighWaterMark', 'writableObjectMode' }
local OPTIONS = { 'objectMode', 'readableObjectMode', 'writableObjectMode', 'highWaterMark', 'readableHighWaterMark',
  'writableHighWaterMark', 'autoDestroy', 'emitClose', 'allowHalfOpen' }
local CLASSES = { readable = 'Readable', writable = 'Writable', duplex = 'Duplex', transform = 'Transform', passthrough = 'PassThrough' }
local SIDES = { readable = 'r', from = 'r', writable = 'w', duplex = 'rw', transform = 'rw', passthrough = 'rw' }
local ALWAYS = { -- handlers that a stream is given even where the definition does not name them
  readable = { read = true }, writable = { write = true }, duplex = { read = true, write = true }, transform = { transform = true }, passthrough = {},
}
local HANDLERS = { -- those that a kind can have
  readable = { 'read' }, writable = { 'write' }, duplex = { 'read', 'write' }, transform = { 'transform', 'flush' }, passthrough = {},
}
local COMMON_HANDLERS = { 'writev', 'final', 'construct', 'destroy' }
local FALLBACK = { read = {}, transform = { { 'okWith', 'same' } } }
local LIFE = { ['end'] = true, finish = true, error = true, close = true }

-- How a handler's call is logged: the channel's tail and details; and what its action works on.
local CALLS = {
  read = function(size) return '.r', { tostring(size) }, {} end,
  write = function(chunk, callback) return '.w', { show(chunk) }, { chunk = chunk, callback = callback } end,
  writev = function(chunks, callback)
    local details = {}
    for i, chunk in ipairs(chunks) do details[i] = show(chunk) end
    return '.w', details, { callback = callback }
  end,
  transform = function(chunk, callback) return '.w', { show(chunk) }, { chunk = chunk, callback = callback } end,
  flush = function(callback) return '.w', {}, { callback = callback } end,
  final = function(callback) return '.w', {}, { callback = callback } end,
  construct = function(callback) return '', {}, { callback = callback } end,
  destroy = function(err, callback) return '', { code(err) }, { err = err, callback = callback } end,
}

local Run = {}
Run.__index = Run

local function new_run(program)
  return setmetatable({
    program = program,
    log = {},
    streams = {}, -- by name
    names = {}, -- by stream
    defs = {},
    sides = {},
    counts = {}, -- calls so far, by stream and handler
    held = {}, -- actions kept by `hold`, by stream and handler
    released = {}, -- releases that came before their hold
    hooks = {}, -- installed by `when`
    attached = {}, -- listeners added by `on`, by stream and event
    ids = {}, -- number of write and end steps so far, by stream
    controllers = {},
    cleanups = {},
    gates = {}, -- loops that wait for a `next` step
    jobs = {}, -- completions put off by `later`
    spent = 0,
    closed = false,
  }, Run)
end

function Run:put(...)
  if not self.closed then self.log[#self.log + 1] = { ... } end
end

function Run:put_list(channel, event, details)
  self:put(channel, event, unpack(details))
end

function Run:guard(what, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok then self:put('*', 'throw', what, code(err)) end
end

function Run:over_budget()
  self.spent = self.spent + 1
  if self.spent == BUDGET then self:put('*', 'stuck') end
  return self.spent >= BUDGET
end

function Run:stream(name)
  return self.streams[name] or raise('no stream ' .. name)
end

function Run:all(names)
  local streams = {}
  for i, name in ipairs(names) do streams[i] = self:stream(name) end
  return streams
end

function Run:controller(name)
  self.controllers[name] = self.controllers[name] or weir.AbortController()
  return self.controllers[name]
end

local function list_at(map, key)
  map[key] = map[key] or {}
  return map[key]
end

-- ---- events: each is logged, then runs the hooks that wait for it --------------------------------------------------

function Run:run_hooks(name, event)
  local due = {}
  for _, hook in ipairs(self.hooks) do
    if hook.name == name and hook.event == event then due[#due + 1] = hook end
  end
  for _, hook in ipairs(due) do
    hook.left = hook.left - 1
    if hook.left == 0 then self:steps(hook.steps) end
  end
end

function Run:emitted(name, channel, event, ...)
  self:put(channel, event, ...)
  if LIFE[event] then self:put(name .. '.life', event) end
  self:run_hooks(name, event)
end

-- Names a stream and adds the listeners that every stream has.
function Run:watch(name, stream, sides)
  self.streams[name], self.names[stream] = stream, name
  self.sides[name] = self.sides[name] or sides
  local function on(event, tail, detail)
    stream:on(event, function(arg)
      if detail then self:emitted(name, name .. tail, event, detail(arg)) else self:emitted(name, name .. tail, event) end
    end)
  end
  local function source_name(source) return self.names[source] or 'undefined' end
  if not self.program.unhandled then on('error', '', code) end
  on('close', '')
  if sides:find('r') then
    for _, event in ipairs { 'end', 'pause', 'resume' } do on(event, '.r') end
  end
  if sides:find('w') then
    for _, event in ipairs { 'drain', 'prefinish', 'finish' } do on(event, '.w') end
    for _, event in ipairs { 'pipe', 'unpipe' } do on(event, '.w', source_name) end
  end
end

-- ---- handlers: the nth call runs the nth action of the definition's list, later calls its default ------------------

local OPERATIONS = {}

local function action_of(spec, n, which)
  spec = spec or {}
  return spec.list and spec.list[n] or spec.default or FALLBACK[which] or { { 'ok' } }
end

function Run:call_handler(call)
  if self:over_budget() then return end
  local key = call.name .. ' ' .. call.which
  self.counts[key] = (self.counts[key] or 0) + 1
  self:operations(action_of(self.defs[call.name][call.which], self.counts[key], call.which), call)
end

function Run:operations(list, call)
  for _, op in ipairs(list) do
    local operate = OPERATIONS[op[1]]
    if operate then operate(self, call, op) else self:step(op) end
  end
end

function OPERATIONS.ok(_, call)
  if not call.callback then return end
  if call.which == 'destroy' then call.callback(call.err) else call.callback() end
end

function OPERATIONS.okWith(_, call, op)
  call.callback(nil, make_function(op[2])(call.chunk))
end

function OPERATIONS.swallow(_, call)
  call.callback(nil)
end

function OPERATIONS.fail(_, call, op)
  local err = weir.Error(op[2])
  if call.callback then call.callback(err) else call.stream:destroy(err) end
end

function OPERATIONS.throw(_, _, op)
  raise(op[2])
end

function OPERATIONS.emit(_, call, op)
  for i = 2, #op do call.stream:push(op[i]) end
end

function OPERATIONS.emitFn(_, call, op)
  call.stream:push(make_function(op[2])(call.chunk))
end

function OPERATIONS.emitEnd(_, call)
  call.stream:push(nil)
end

-- The operations of a `hold` or `later`, as a job.
local function put_off(call, op)
  local ops = {}
  for i = 2, #op do ops[i - 1] = op[i] end
  return { call = call, ops = #ops > 0 and ops or action_of(nil, nil, call.which) }
end

local function with_result(job, message)
  return message and { call = job.call, ops = { { 'fail', message } } } or job
end

OPERATIONS['later'] = function(run, call, op)
  table.insert(run.jobs, put_off(call, op))
end

-- The nth release of a handler lets its nth hold go; a release that comes first makes the hold a `later`.
function OPERATIONS.hold(run, call, op)
  local key, job = call.name .. ' ' .. call.which, put_off(call, op)
  local release = table.remove(list_at(run.released, key), 1)
  if release then table.insert(run.jobs, with_result(job, release.message)) else table.insert(list_at(run.held, key), job) end
end

-- ---- making streams ------------------------------------------------------------------------------------------------

-- A generator: the items, then the end or an error. Closed early, it logs that, if it has been asked for an item.
function Run:generator(name, def)
  local at, asked, over = 0, false, false
  local source = {}
  function source.next()
    if over then return nil end
    asked, at = true, at + 1
    over = at > #def.items or at == def.failAt
    if at == def.failAt then raise 'source failed' end
    return def.items[at]
  end
  function source.close()
    if asked and not over then self:put(name .. '.src', 'closed') end
    over = true
  end
  return source
end

-- One whose items, and its end, each come with a `later` job. It is closed when no item is being waited for.
function Run:slow_generator(name, def)
  local all, idle, waiting = self:generator(name, def), new_gate(), false
  local source = {}
  function source.next()
    local gate = new_gate()
    waiting = true
    table.insert(self.jobs, { go = function() open(gate) end })
    wait_at(gate)
    waiting = false
    local ok, item = pcall(all.next)
    open(idle)
    if not ok then error(item, 0) end
    return item
  end
  function source.close()
    if waiting then wait_at(idle) end
    all.close()
  end
  return source
end

function Run:source(name, def)
  if def.source == 'array' then return def.items end
  if def.source == 'string' then return def.items[1] end
  if def.source == 'generator' then return self:generator(name, def) end
  return self:slow_generator(name, def)
end

function Run:handler(name, which)
  return function(stream, ...)
    local tail, details, call = CALLS[which](...)
    call.stream, call.name, call.which = stream, name, which
    if which ~= 'read' or self.program.logRead then self:put_list(name .. tail, '_' .. which, details) end
    self:call_handler(call)
  end
end

function Run:give_handlers(options, name, def)
  for _, list in ipairs { HANDLERS[def.kind], COMMON_HANDLERS } do
    for _, which in ipairs(list) do
      local given = def[which]
      if given == nil then given = ALWAYS[def.kind][which] end
      if given then options[which] = self:handler(name, which) end
    end
  end
end

function Run:build(name, def)
  local options = {}
  for _, key in ipairs(OPTIONS) do options[key] = def[key] end
  if def.signal then options.signal = self:controller(def.signal).signal end
  self.defs[name] = def
  if not SIDES[def.kind] then raise('no kind ' .. tostring(def.kind)) end
  if def.kind == 'from' then return weir.Readable.from(self:source(name, def), options) end
  self:give_handlers(options, name, def)
  return weir[CLASSES[def.kind]](options)
end

-- ---- steps on one stream: the stream comes first -------------------------------------------------------------------

local STEPS = {} -- verb -> function(run, stream, ...)

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
function Run:read_once(s, ...)
  local v = s:read(...)
  self:put(self.names[s] .. '.r', 'read', show(v))
  return v ~= nil and not self:over_budget()
end

function STEPS.read(run, s, ...)
  run:read_once(s, ...)
end

for _, verb in ipairs { 'pause', 'resume', 'cork', 'uncork' } do
  STEPS[verb] = function(_, s) s[verb](s) end
end

function Run:new_id(name)
  self.ids[name] = (self.ids[name] or 0) + 1
  return '#' .. self.ids[name]
end

function STEPS.write(run, s, v, after)
  local name = run.names[s]
  local id = run:new_id(name)
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
  local id = run:new_id(name)
  s:finish(chunk, function(err) run:put(name .. '.w', 'endCb', id, code(err)) end)
  run:put(name .. '.w', 'end', id)
end

function STEPS.destroy(_, s, message)
  if message == nil then s:destroy() else s:destroy(weir.Error(message)) end
end

function Run:readable_listener(s, how)
  local name = self.names[s]
  return function()
    self:emitted(name, name .. '.r', 'readable')
    if how == 'one' then self:read_once(s) end
    if how == 'all' then repeat until not self:read_once(s) end
    if is_int(how) then repeat until not self:read_once(s, how) end
  end
end

function Run:data_listener(s)
  local name = self.names[s]
  return function(chunk) self:emitted(name, name .. '.r', 'data', show(chunk)) end
end

function STEPS.on(run, s, event, how)
  local listener = event == 'data' and run:data_listener(s) or run:readable_listener(s, how)
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
  job = with_result(job, message)
  run:operations(job.ops, job.call)
end

function STEPS.addAbortSignal(run, s, controller)
  weir.addAbortSignal(run:controller(controller).signal, s)
end

-- ---- steps that name no stream first -------------------------------------------------------------------------------

local UNNAMED = {} -- verb -> function(run, ...)

function UNNAMED.abort(run, controller)
  run:controller(controller):abort()
end

function UNNAMED.when(run, name, event, nth, steps)
  table.insert(run.hooks, { name = name, event = event, left = nth, steps = steps })
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
function Run:loop_body(loop, item)
  self:put(loop.channel, 'item', show(item))
  if self:over_budget() then return false end
  loop.n = loop.n + 1
  if loop.n == loop.how.throwAt then
    loop.own = true
    raise 'loop failed'
  end
  if loop.n == loop.how.take then return false end
  if loop.how.gate then
    self.gates[loop.id] = new_gate()
    wait_at(self.gates[loop.id])
  end
  return true
end

function Run:loop(loop, stream)
  loop.iterator = loop.how.keep and stream:iter { destroyOnReturn = false } or stream:iter()
  for item in loop.iterator do
    if not self:loop_body(loop, item) then return loop.iterator:close() end
  end
end

function UNNAMED.iterate(run, id, name, how)
  local stream = run:stream(name)
  local loop = { id = id, channel = 'it.' .. id, how = how or {}, n = 0 }
  start(function()
    local ok, err = pcall(run.loop, run, loop, stream)
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

function Run:chain_result(channel, at, calls, options)
  for _, call in ipairs(calls) do
    local helper = call[1]
    if HELPERS[helper] then at = HELPERS[helper](self, channel, at, options, unpack(call, 2))
    else at = at[helper](at, make_function(call[2]), options) end
  end
  if not TERMINAL[calls[#calls][1]] then at = at:toArray(options) end
  return at
end

function UNNAMED.chain(run, id, name, calls, controller)
  local channel, stream = 'ch.' .. id, run:stream(name)
  local options = controller and { signal = run:controller(controller).signal } or nil
  start(function()
    local ok, result = pcall(run.chain_result, run, channel, stream, calls, options)
    if ok then run:put(channel, 'result', show(result)) else run:put(channel, 'error', code(result)) end
  end)
end

-- ---- running -------------------------------------------------------------------------------------------------------

local function take_step(run, step)
  local verb = step[1]
  if UNNAMED[verb] then return UNNAMED[verb](run, unpack(step, 2)) end
  if not STEPS[verb] then raise 'no such step' end
  STEPS[verb](run, run:stream(step[2]), unpack(step, 3))
end

function Run:step(step)
  self:guard(step[1], take_step, self, step)
end

function Run:steps(list)
  for _, step in ipairs(list) do self:step(step) end
end

-- Waits until every tick, every coroutine that can go on and all that these bring about has run: two turns of the loop
-- in which nothing was logged or counted.
function Run:quiet()
  local calm = 0
  while calm < 2 do
    local before = #self.log + self.spent
    next_turn()
    calm = #self.log + self.spent == before and calm + 1 or 0
  end
end

function Run:later(job)
  if job.go then job.go() else self:operations(job.ops, job.call) end
end

local function property(stream, name)
  if name == 'isPaused' then return stream:isPaused() end
  return stream[name]
end

function Run:snapshot(name)
  local stream, fields = self.streams[name], {}
  local errored = stream.errored
  fields[1] = 'errored=' .. (errored ~= nil and code(errored) or 'null')
  local function add(list)
    for _, key in ipairs(list) do fields[#fields + 1] = key .. '=' .. show(property(stream, key)) end
  end
  add { 'destroyed', 'closed' }
  if self.sides[name]:find('r') then add(READABLE) end
  if self.sides[name]:find('w') then add(WRITABLE) end
  self:put(name .. '.state', unpack(fields))
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

function Run:settle()
  self:quiet()
  for round = 0, ROUNDS do
    if #self.jobs == 0 then break end
    if round == ROUNDS then
      self:put('*', 'stuck')
      self.jobs = {}
      break
    end
    self:guard('later', self.later, self, table.remove(self.jobs, 1))
    self:quiet()
  end
  for _, name in ipairs(sorted_keys(self.streams)) do self:snapshot(name) end
  self:put('*', 'settled')
end

function Run:make_streams()
  for _, name in ipairs(sorted_keys(self.program.streams)) do
    local def = self.program.streams[name]
    self:guard('new', function() self:watch(name, self:build(name, def), SIDES[def.kind]) end)
  end
end

function Run:all_steps()
  if type(self.program.streams) ~= 'table' or type(self.program.steps) ~= 'table' then error('not a program', 0) end
  self:make_streams()
  for _, step in ipairs(self.program.steps) do
    if step[1] == 'settle' then self:settle() else self:step(step) end
  end
  self:settle()
end

-- ---- whole programs ------------------------------------------------------------------------------------------------

local current -- the program that runs, for errors that reach nobody

-- The log of a program; one that is none gets a log that says so.
local function record(program)
  current = new_run(program)
  local ok, err = pcall(current.all_steps, current)
  current.closed = true
  return { id = program.id, log = ok and current.log or { { '*', 'crash', code(err) } } }
end

weir.process:on('uncaughtException', function(err)
  if current then current:put('*', 'uncaught', code(err)) end
end)

for _, program in ipairs(json.lines(io.stdin:read('*a'), 'programs')) do
  io.stdout:write(json.encode(record(program)), '\n')
  io.stdout:flush()
end
