-- SPDX-License-Identifier: MIT
-- A stream program that runs: its streams, what is logged of them, their handlers, and `settle`.

local weir = require 'weir'

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local basics = dofile(here .. 'basics.lua')
local steps = dofile(here .. 'steps.lua')
local show, code, raise, make_function = basics.show, basics.code, basics.raise, basics.make_function
local new_gate, wait_at, open = basics.new_gate, basics.wait_at, basics.open

local BUDGET = 3000 -- handler calls, listener reads and iterated items per program; more is a runaway
local ROUNDS = 500 -- `later` jobs per settle

-- ---- a program that runs -------------------------------------------------------------------------------------------

local READABLE = { 'readable', 'readableLength', 'readableFlowing', 'readableEnded', 'readableDidRead', 'readableAborted',
  'isPaused', 'readableHighWaterMark', 'readableObjectMode' }
local WRITABLE = { 'writable', 'writableLength', 'writableEnded', 'writableFinished', 'writableNeedDrain', 'writableCorked',
  'writableAborted', 'writableHighWaterMark', 'writableObjectMode' }
local OPTIONS = { 'objectMode', 'readableObjectMode', 'writableObjectMode', 'highWaterMark', 'readableHighWaterMark',
  'writableHighWaterMark', 'autoDestroy', 'emitClose', 'allowHalfOpen' }
local CLASSES = {
  readable = 'Readable', writable = 'Writable', duplex = 'Duplex', transform = 'Transform', passthrough = 'PassThrough',
}
local SIDES = { readable = 'r', from = 'r', writable = 'w', duplex = 'rw', transform = 'rw', passthrough = 'rw' }
local HANDLERS = { -- what a kind can have -> is it given to the stream even where the definition does not name it?
  readable = { read = true }, writable = { write = true }, duplex = { read = true, write = true },
  transform = { transform = true, flush = false }, passthrough = {},
}
local COMMON_HANDLERS = { writev = false, final = false, construct = false, destroy = false }
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
    local is_item = at <= #def.items
    over = not is_item or at == def.failAt
    if is_item and at == def.failAt then raise 'source failed' end
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
  for _, handlers in ipairs { HANDLERS[def.kind], COMMON_HANDLERS } do
    for which, given in pairs(handlers) do
      if def[which] ~= nil then given = def[which] end
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

-- ---- running -------------------------------------------------------------------------------------------------------

local function take_step(run, step)
  local verb = step[1]
  if steps.unnamed[verb] then return steps.unnamed[verb](run, unpack(step, 2)) end
  if not steps.named[verb] then raise 'no such step' end
  steps.named[verb](run, run:stream(step[2]), unpack(step, 3))
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
    basics.next_turn()
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
  basics.next_turn()
  self:make_streams()
  for _, step in ipairs(self.program.steps) do
    if step[1] == 'settle' then self:settle() else self:step(step) end
  end
  self:settle()
end

-- ---- whole programs ------------------------------------------------------------------------------------------------

local program = {}
local current -- the run of the program that runs, for errors that reach nobody

-- The record of a program: its log. One that is none gets a log that says so. Waits.
function program.record(what)
  current = new_run(what)
  local ok, err = pcall(current.all_steps, current)
  current.closed = true
  return { id = what.id, log = ok and current.log or { { '*', 'crash', code(err) } } }
end

-- The log of the program that runs, or has run last, as far as it is.
function program.log()
  return current and current.log or {}
end

-- An error that reached no listener and no caller.
function program.uncaught(err)
  if current then current:put('*', 'uncaught', code(err)) end
end

return program
