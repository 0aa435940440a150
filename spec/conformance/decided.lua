-- SPDX-License-Identifier: MIT
-- Which decided difference does a program show? weir follows Node except for a few differences, each with its reason
-- (README.md, "Decided differences", has the table; the numbers are those of the list of differences). A rule looks at the
-- program and at Node's log, never at the id. It must not match where Node and weir agree.

local decided = {}

decided.names = {
  [1] = 'handlers that raise',
  [2] = 'stages that are done already',
  [3] = 'nothing after destroy',
  [4] = 'leaving an iteration',
  [5] = 'no listener left behind',
  [6] = 'no lost callback',
  [7] = 'one destination fails',
  [11] = 'order of callbacks, finished',
  [14] = 'a chunk that does not fit',
}

-- ---- looking at programs and logs ----------------------------------------------------------------------------------

local function contains(list, value)
  for _, v in ipairs(list or {}) do
    if v == value then return true end
  end
  return false
end

-- Calls visit(step, piece) for each step that is run one after the other, with the piece of the log it falls in.
local function each_step(program, visit)
  local piece = 1
  for _, step in ipairs(program.steps) do
    visit(step, piece)
    if step[1] == 'settle' then piece = piece + 1 end
  end
end

-- Calls visit(step) for each step of that verb anywhere: also in hooks, callbacks and handlers.
local function each_nested(node, verb, visit)
  if type(node) ~= 'table' then return end
  if node[1] == verb then visit(node) end
  for _, child in pairs(node) do each_nested(child, verb, visit) end
end

local function has_step(program, verb, name)
  local found = false
  local function visit(step) found = found or step[2] == name end
  each_nested(program.steps, verb, visit)
  each_nested(program.streams, verb, visit)
  return found
end

-- The field of a snapshot entry: its text, or nil.
local function field(entry, name)
  for i = 2, #entry do
    local value = entry[i]:match('^' .. name .. '=(.*)$')
    if value then return value end
  end
end

local function stream_of(entry, tail) -- the S of an entry whose channel is S.tail
  return entry[1]:match('^(.*)%.' .. tail .. '$')
end

local DATA_EVENTS = { _write = true, _writev = true, _transform = true, data = true, item = true, each = true }

local function came_to_end(log, channel)
  local name, side = channel:match('^([^.]*)%.?(.*)$')
  for _, entry in ipairs(log) do
    if entry[1] == name .. '.life' and entry[2] == (side == 'r' and 'end' or 'finish') then return true end
  end
  return false
end

-- Would the comparer see a difference that begins in that piece, behind the entry number `at`? From the piece on where a
-- loose program's log varies it looks at the chunks of the whole run only, where those do not vary too; none of the channel
-- `untouched` ('*': of any) depend on it.
local function is_visible(expected, piece, at, untouched)
  local varies = expected.varies
  if not varies or piece < varies.piece then return true end
  for i = at, #expected.log do
    local channel, event = expected.log[i][1], expected.log[i][2]
    local compared = DATA_EVENTS[event] and untouched ~= '*' and untouched ~= channel and not contains(varies.all, channel)
    if compared and came_to_end(expected.log, channel) then return true end
  end
  return false
end

-- Calls test(entry, at) for each entry: is it true of one where a difference would be seen? It may give a channel too, which
-- the difference leaves untouched.
local function any_visible(expected, test)
  local piece, found = 1, false
  for i, entry in ipairs(expected.log) do
    local hit, untouched = test(entry, i)
    if hit and is_visible(expected, piece, i, untouched) then found = true end
    if entry[2] == 'settled' then piece = piece + 1 end
  end
  return found
end

-- ---- 1: a handler that raises --------------------------------------------------------------------------------------

local RAISING = { _write = 'write', _writev = 'writev', _transform = 'transform' }

local function thrown_by(action)
  for _, op in ipairs(action or {}) do
    if op[1] == 'throw' then return op[2] end
  end
end

-- The messages that raised out of write, writev and transform in this log.
local function raised(program, log)
  local counts, messages = {}, {}
  for _, entry in ipairs(log) do
    local which = RAISING[entry[2]]
    local spec = which and program.streams[stream_of(entry, 'w')]
    spec = spec and spec[which]
    if spec then
      local call = entry[1] .. ' ' .. which
      counts[call] = (counts[call] or 0) + 1
      local message = thrown_by(spec.list and spec.list[counts[call]] or spec.default)
      if message then messages[message] = true end
    end
  end
  return messages
end

local function raising_handler(program, expected)
  local messages = raised(program, expected.log)
  if next(messages) == nil then return false end
  for _, entry in ipairs(expected.log) do
    local what = entry[1] == '*' and entry[2]
    if what == 'throw' and messages[entry[4]] or what == 'uncaught' and messages[entry[3]] then return true end
  end
  return false
end

-- ---- 2: stages that are done already -------------------------------------------------------------------------------

-- The pairs 'SOURCE DESTINATION' that steps pipe, and those that pipelines do.
local function connections(program)
  local pipes, pipelines = {}, {}
  local function pipe(step) pipes[step[2] .. ' ' .. step[3]] = true end
  local function pipeline(step)
    for i = 2, #step[3] do pipelines[step[3][i - 1] .. ' ' .. step[3][i]] = true end
  end
  for _, part in ipairs { program.steps, program.streams } do
    each_nested(part, 'pipe', pipe)
    each_nested(part, 'pipeline', pipeline)
    each_nested(part, 'pipelineWait', pipeline)
  end
  return pipes, pipelines
end

-- Does that stream stop somewhere behind that entry: has it tried to write to a destination that takes no more?
local function stops_behind(log, at, name)
  for i = at, #log do
    if log[i][1] == name .. '.state' and field(log[i], 'readableFlowing') == 'false' then return true end
  end
  return false
end

-- Was a stage connected that the log so far says is destroyed, or in a pipeline a destination that is finished?
local function connected_when_done(program, expected)
  local pipes, pipelines = connections(program)
  local destroyed, finished = {}, {}
  return any_visible(expected, function(entry, at)
    local channel, event = entry[1], entry[2]
    local name = stream_of(entry, 'state')
    if name then
      destroyed[name] = field(entry, 'destroyed') == 'true'
      finished[name] = field(entry, 'writableFinished') == 'true'
    elseif event == 'close' or event == '_destroy' then destroyed[channel] = true
    elseif event == 'finish' then finished[channel:match('^[^.]*')] = true
    elseif event == 'pipe' then
      local dest = stream_of(entry, 'w')
      local pair = entry[3] .. ' ' .. dest
      if pipelines[pair] and (destroyed[entry[3]] or destroyed[dest] or finished[dest]) then return true end
      if pipes[pair] and destroyed[dest] then return true, not stops_behind(expected.log, at, entry[3]) and '*' or nil end
      if pipes[pair] and destroyed[entry[3]] then return true, channel end -- which gives it no chunks
    end
    return false
  end)
end

local STAGES = { -- the streams that a step connects
  pipe = function(step) return { step[2], step[3] } end,
  pipeline = function(step) return step[3] end,
  pipelineWait = function(step) return step[3] end,
}

-- The same for a stage that a step before, in the same piece, has destroyed: the log need not show it yet.
local function connected_after_destroy(program, expected)
  local found, destroyed, last = false, {}, 1
  each_step(program, function(step, piece)
    if piece > last then destroyed, last = {}, piece end
    if step[1] == 'destroy' then destroyed[step[2]] = true end
    for _, name in ipairs(STAGES[step[1]] and STAGES[step[1]](step) or {}) do
      found = found or (destroyed[name] and is_visible(expected, piece, #expected.log + 1)) or false
    end
  end)
  return found
end

local function stage_done(program, expected)
  return connected_when_done(program, expected) or connected_after_destroy(program, expected)
end

-- ---- 3: nothing after destroy --------------------------------------------------------------------------------------

local AFTER_DESTROY = { 'data-after-destroy', 'readable-after-destroy', 'end-after-destroy', 'finish-after-destroy', 'read-after-destroy' }

local function hooked(program, event) -- does a hook wait for that event?
  local found = false
  local function visit(step) found = found or step[3] == event end
  each_nested(program.steps, 'when', visit)
  each_nested(program.streams, 'when', visit)
  return found
end

-- Is there such an event, in a piece that is compared, of a stream that was destroyed in it or before? No chunk comes or does
-- not come with an 'end' or a 'finish' itself.
local function visible_quirk(program, expected, event)
  if not expected.varies then return true end
  local piece, events, found = 1, {}, false
  local alone = (event == 'end' or event == 'finish') and not hooked(program, event)
  for i, entry in ipairs(expected.log) do
    local name = stream_of(entry, 'state')
    if entry[2] == event then events[entry[1]:match('^[^.]*')] = i
    elseif name and events[name] and field(entry, 'destroyed') == 'true' then
      found = found or is_visible(expected, piece, alone and #expected.log + 1 or events[name])
    elseif entry[2] == 'settled' then piece, events = piece + 1, {} end
  end
  return found
end

-- Was a stream destroyed whose chunks, in that piece or later, may have gone to a destination all the same?
local function piped_after_destroy(program, expected)
  local pipes, pipelines = connections(program)
  local piece, first, found = 1, 1, false
  for i, entry in ipairs(expected.log) do
    local name = stream_of(entry, 'state')
    if name and field(entry, 'destroyed') == 'true' and field(entry, 'readableDidRead') == 'true' then
      for _, pairs_of in ipairs { pipes, pipelines } do
        for pair in pairs(pairs_of) do
          if pair:match('^%S+') == name then found = found or is_visible(expected, piece, first) end
        end
      end
    elseif entry[2] == 'settled' then piece, first = piece + 1, i + 1 end
  end
  return found
end

-- A stage that is destroyed with chunks behind which its end is in its buffer: Node's pipeline goes on as long as these are read.
local function forgiven(program, expected)
  local followed, called, closed, states = {}, {}, {}, {}
  local function add(step)
    for i = 1, #step[3] - 1 do
      local last = i + 1 == #step[3] and step[4] and step[4]['end'] == false
      if not last then table.insert(followed, { id = 'pl.' .. step[2], source = step[3][i], dest = step[3][i + 1] }) end
    end
  end
  for _, part in ipairs { program.steps, program.streams } do
    each_nested(part, 'pipeline', add)
    each_nested(part, 'pipelineWait', add)
  end
  local function cut(edge)
    local source, dest = states[edge.source], states[edge.dest]
    return source and dest and closed[edge.source] and not called[edge.id] and field(dest, 'destroyed') == 'false'
      and field(source, 'errored') == 'null' and field(source, 'readableEnded') == 'false' and field(source, 'readableLength') ~= '0'
  end
  return any_visible(expected, function(entry)
    local name = stream_of(entry, 'state')
    if name then states[name] = entry
    elseif entry[2] == 'close' then closed[entry[1]] = true
    elseif entry[1]:sub(1, 3) == 'pl.' then called[entry[1]] = true end
    for _, edge in ipairs(entry[2] == 'settled' and followed or {}) do
      if cut(edge) then return true end
    end
    return false
  end)
end

local function after_destroy(program, expected)
  for _, quirk in ipairs(AFTER_DESTROY) do
    local event = quirk:match '^%a+'
    if contains(expected.quirks, quirk) and visible_quirk(program, expected, event) then return true end
  end
  -- in a loose program 'drain' itself is not compared
  if contains(expected.quirks, 'drain-after-destroy') and (not expected.loose or hooked(program, 'drain')) then return true end
  if contains(expected.quirks, 'piped-after-destroy') and piped_after_destroy(program, expected) then return true end
  return forgiven(program, expected)
end

-- ---- 4: leaving an iteration ---------------------------------------------------------------------------------------

-- The streams that iterate and chain steps name, by the loop's channel.
local function loops(program)
  local streams = {}
  local function add(prefix)
    return function(step) streams[prefix .. step[2]] = step[3] end
  end
  for _, part in ipairs { program.steps, program.streams } do
    each_nested(part, 'iterate', add 'it.')
    each_nested(part, 'chain', add 'ch.')
  end
  return streams
end

local function left_early(entry) -- not `done`, but where the budget ends the loop too
  return entry[2] == 'broke' or (entry[2] == 'error' and entry[3] == 'loop failed')
end

-- The streams whose loops were left in this log; all below a chain, whose own iterations cannot be seen.
local function left_streams(program, log)
  local streams, stuck, left = loops(program), false, {}
  for _, entry in ipairs(log) do
    local name = streams[entry[1]]
    if entry[1] == '*' and entry[2] == 'stuck' then stuck = true end
    if name and (entry[1]:sub(1, 3) == 'ch.' or left_early(entry) or (stuck and entry[2] == 'done')) then left[name] = true end
  end
  return left
end

local function iteration_left(program, expected)
  local left = left_streams(program, expected.log)
  return any_visible(expected, function(entry)
    local name = entry[1]
    if not left[name] or entry[2] ~= 'error' or entry[3] ~= 'ABORT_ERR' then return false end
    local def = program.streams[name]
    return not (def and def.signal) and not has_step(program, 'addAbortSignal', name)
  end)
end

-- ---- 5: no listener left behind ------------------------------------------------------------------------------------

-- What finished and pipeline steps wait for: channel -> the streams' names.
local function watchers(program)
  local streams = {}
  local function add(prefix)
    return function(step) streams[prefix .. step[2]] = type(step[3]) == 'table' and step[3] or { step[3] } end
  end
  for _, part in ipairs { program.steps, program.streams } do
    each_nested(part, 'finished', add 'fin.')
    each_nested(part, 'pipeline', add 'pl.')
    each_nested(part, 'pipelineWait', add 'pl.')
  end
  return streams
end

local function uncaught(log, code)
  for _, entry in ipairs(log) do
    if entry[1] == '*' and entry[2] == 'uncaught' and entry[3] == code then return true end
  end
  return false
end

-- Nobody listens for errors, a stream gets one after a callback about it, and Node raises it nowhere.
local function swallowed(program, expected)
  if not program.unhandled then return false end
  local watched, told, errored = watchers(program), {}, {} -- told: stream -> the codes of the callbacks about it
  for _, entry in ipairs(expected.log) do
    for _, name in ipairs(watched[entry[1]] or {}) do
      told[name] = told[name] or {}
      told[name][entry[3]] = true
    end
    local name = stream_of(entry, 'state')
    if name then
      local code = field(entry, 'errored')
      local new = code ~= 'null' and code ~= errored[name]
      if new and told[name] and not told[name][code] and not uncaught(expected.log, code) then return true end
      errored[name] = code
    end
  end
  return false
end

-- ---- 6: no lost callback -------------------------------------------------------------------------------------------

local CALLS = { write = true, ['end'] = true }
local CALLBACKS = { cb = true, endCb = true }

-- The calls of each stream that were not called back: 'STREAM.w #N' -> in which piece they were made.
local function unanswered(log)
  local calls, piece = {}, 1
  for _, entry in ipairs(log) do
    local call = stream_of(entry, 'w') and entry[3] and entry[1] .. ' ' .. entry[3]
    if call and CALLS[entry[2]] then calls[call] = piece end
    if call and CALLBACKS[entry[2]] then calls[call] = nil end
    if entry[2] == 'settled' then piece = piece + 1 end
  end
  return calls
end

-- The first snapshots in which the streams are destroyed or failed: stream -> in which piece.
local function died(log)
  local pieces, piece = {}, 1
  for _, entry in ipairs(log) do
    local name = stream_of(entry, 'state')
    local dead = name and (field(entry, 'destroyed') == 'true' or field(entry, 'errored') ~= 'null')
    if dead and not pieces[name] then pieces[name] = piece end
    if entry[2] == 'settled' then piece = piece + 1 end
  end
  return pieces
end

local function callback_lost(_, expected)
  if not contains(expected.quirks, 'callback-lost') then return false end
  local dead = died(expected.log)
  for call, piece in pairs(unanswered(expected.log)) do
    local since = dead[call:match('^(.*)%.w ')]
    if since and is_visible(expected, math.max(since, piece), #expected.log + 1) then return true end
  end
  return false
end

-- ---- 7: one destination fails --------------------------------------------------------------------------------------

-- Follows the log: who is piped to whom, who was unpiped, and the last snapshot of each stream.
local Pipes = {}
Pipes.__index = Pipes

function Pipes:connect(source, dest)
  local count = self.to[source] or {}
  self.to[source] = count
  count[dest] = (count[dest] or 0) + 1
  for other, n in pairs(count) do
    if other ~= dest and n > 0 then self.several[source] = true end
  end
end

function Pipes:disconnect(source, dest)
  local count = self.to[source] or {}
  if (count[dest] or 0) > 0 then count[dest] = count[dest] - 1 end
  self.gone[source] = self.gone[source] or {}
  table.insert(self.gone[source], dest)
end

function Pipes:failed_one(source) -- was a destination unpiped that has failed?
  for _, dest in ipairs(self.gone[source] or {}) do
    local state = self.states[dest]
    if state and (field(state, 'destroyed') == 'true' or field(state, 'errored') ~= 'null') then return true end
  end
  return false
end

-- Is every destination that is left ready for more, and is there one?
function Pipes:others_ready(source)
  local any = false
  for dest, n in pairs(self.to[source] or {}) do
    local state = self.states[dest]
    if n > 0 then
      if not state or field(state, 'writable') ~= 'true' or field(state, 'writableNeedDrain') ~= 'false' then return false end
      any = true
    end
  end
  return any
end

-- Is an end all that a source without chunks can hold? Its snapshot does not say so, but it has nothing to wait for.
local function holds_its_end(def, state)
  if not def or def.kind == 'from' then return true end
  if field(state, 'writableFinished') == 'true' then return true end
  local ends, waits = false, false
  each_nested(def.read or {}, 'emitEnd', function() ends = true end)
  each_nested(def.read or {}, 'hold', function() waits = true end)
  return ends and not waits
end

-- Does the source hold chunks or its end and wait, though nobody who is left keeps it waiting?
function Pipes:starves(source, def)
  local state = self.states[source]
  return self.several[source] and field(state, 'destroyed') == 'false' and field(state, 'readableFlowing') == 'false'
    and field(state, 'readableEnded') == 'false' and (field(state, 'readableLength') ~= '0' or holds_its_end(def, state))
    and self:failed_one(source) and self:others_ready(source)
end

local function starved(program, expected)
  local pipes = setmetatable({ to = {}, several = {}, gone = {}, states = {} }, Pipes)
  return any_visible(expected, function(entry)
    local name = stream_of(entry, 'state')
    if name then pipes.states[name] = entry
    elseif entry[2] == 'pipe' then pipes:connect(entry[3], stream_of(entry, 'w'))
    elseif entry[2] == 'unpipe' then pipes:disconnect(entry[3], stream_of(entry, 'w'))
    elseif entry[2] == 'settled' then
      for source in pairs(pipes.several) do
        local starves = pipes.states[source] and pipes:starves(source, program.streams[source])
        if starves and not has_step(program, 'pause', source) then return true end
      end
    end
    return false
  end)
end

-- ---- 11: order of callbacks, finished ------------------------------------------------------------------------------

-- In a loose program the callbacks of a piece are compared without their order: is one in another piece than a later one?
local function out_of_order_by_piece(expected)
  local piece, highest = 1, {} -- stream -> the highest number called back without error, and in which piece
  for _, entry in ipairs(expected.log) do
    local name = (entry[2] == 'cb') and stream_of(entry, 'w')
    local number = name and tonumber(entry[3]:match('%d+'))
    if number then
      local before = highest[name]
      if before and before.number > number and before.piece < piece then return is_visible(expected, before.piece, #expected.log + 1) end
      if entry[4] == 'ok' and not (before and before.number > number) then highest[name] = { number = number, piece = piece } end
    end
    if entry[2] == 'settled' then piece = piece + 1 end
  end
  return false
end

local function callback_order(_, expected)
  if contains(expected.quirks, 'finished-despite-destroy') then return true end
  return contains(expected.quirks, 'callback-order') and (not expected.loose or out_of_order_by_piece(expected))
end

-- ---- 14: a chunk that does not fit -----------------------------------------------------------------------------------

-- Does a step pipe a stream of objects into a stream of bytes, and does Node raise ERR_INVALID_ARG_TYPE out of a push?
local function does_not_fit(program, expected)
  local fits = true
  for pair in pairs(connections(program)) do
    local source, dest = pair:match '^(%S+) (%S+)$'
    local from, to = program.streams[source], program.streams[dest]
    local objects = from and (from.objectMode or from.readableObjectMode or from.kind == 'from')
    if objects and to and not (to.objectMode or to.writableObjectMode) then fits = false end
  end
  if fits then return false end
  return any_visible(expected, function(entry)
    return entry[1] == '*' and entry[2] ~= 'settled' and entry[#entry] == 'ERR_INVALID_ARG_TYPE'
  end)
end

-- ---- all -----------------------------------------------------------------------------------------------------------

local RULES = {
  { 1, raising_handler }, { 2, stage_done }, { 3, after_destroy }, { 4, iteration_left },
  { 5, swallowed }, { 6, callback_lost }, { 7, starved }, { 11, callback_order },
  { 14, does_not_fit },
}

-- The numbers of the decided differences that a program shows, in rising order; none is an empty list.
---@param program table   as in the kit's format
---@param expected table  Node's record of it
---@return integer[]
function decided.shown(program, expected)
  local numbers = {}
  for _, rule in ipairs(RULES) do
    if rule[2](program, expected) then numbers[#numbers + 1] = rule[1] end
  end
  return numbers
end

return decided
