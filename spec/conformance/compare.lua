-- SPDX-License-Identifier: MIT
-- Compares two logs of the same stream programs (README.md, "Comparison"), as compare.mjs does, without Node.
--   luajit compare.lua expected.jsonl actual.jsonl [--show 5] [--without QUIRK,QUIRK | --without all]
-- Files may end in .gz. Where weir decides otherwise, by what the oracle says it must log then: these are counted apart.

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local json = dofile(here .. 'json.lua')

local function set(...)
  local t = {}
  for _, v in ipairs { ... } do t[v] = true end
  return t
end

local LOOSE_EVENTS = set('drain', 'pause', 'resume') -- how often a pipe stops and goes on
local LOOSE_FIELDS = set('writableNeedDrain', 'readableFlowing', 'isPaused')
local LENGTHS = set('readableLength', 'writableLength') -- left in a destroyed stream
local TEARDOWN = 'ERR_STREAM_DESTROYED' -- with which a pipeline that succeeded destroys a stage still to close
local DATA_EVENTS = set('_write', '_transform', 'data', 'item', 'each')
local OWN_LABELS = set('pipe', 'unpipe', 'cb') -- of a loose program's X.w: X.pipe, X.unpipe, X.cb

local compare = {}

-- ---- units ---------------------------------------------------------------------------------------------------------

local function ends(s, tail)
  return s:sub(-#tail) == tail
end

local function from(list, first) -- a copy of what follows
  local rest = {}
  for i = first, #list do rest[#rest + 1] = list[i] end
  return rest
end

-- Labels and their lines, in the order in which the labels came.
local Units = {}
Units.__index = Units

function Units:set(label, lines)
  if not self.lines[label] then self.order[#self.order + 1] = label end
  self.lines[label] = lines
end

function Units:add(label, line)
  if not self.lines[label] then self:set(label, {}) end
  local lines = self.lines[label]
  lines[#lines + 1] = line
end

local function loose_fields(fields)
  local destroyed = fields[2] == 'destroyed=true'
  if fields[1] == 'errored=' .. TEARDOWN then fields[1] = 'errored=null' end
  local kept = {}
  for _, field in ipairs(fields) do
    local name = field:match('^[^=]*')
    if not LOOSE_FIELDS[name] and not (destroyed and LENGTHS[name]) then kept[#kept + 1] = field end
  end
  return kept
end

-- The channels that a loose program's entry counts for.
local function loose_channels(channel, event)
  if ends(channel, '.life') then
    local to = {}
    if event ~= 'finish' then to[#to + 1] = channel .. '-r' end
    if event ~= 'end' then to[#to + 1] = channel .. '-w' end
    return to
  end
  if OWN_LABELS[event] and ends(channel, '.w') then return { (channel:gsub('%.w', '.' .. event, 1)) } end
  return { channel }
end

local function loose_lines(entry) -- a batch counts as its chunks
  if entry[2] ~= '_writev' then return { table.concat(entry, ' ', 2) } end
  local lines = {}
  for i = 3, #entry do lines[#lines + 1] = '_write ' .. entry[i] end
  return lines
end

local function add_loose(units, piece, entry)
  local channel, event = entry[1], entry[2]
  if LOOSE_EVENTS[event] and channel:find('%.[rw]$') then return end
  local channels = loose_channels(channel, event)
  for _, line in ipairs(loose_lines(entry)) do
    for _, c in ipairs(channels) do units:add(piece .. ':' .. c, line) end
    if DATA_EVENTS[event] or event == '_writev' then units:add('all:' .. channel, line) end
  end
end

-- An entry of a loose program, without what a teardown does; nil to leave it out. `before` is the entry before it.
local function without_teardown(entry, before)
  local event, detail = entry[2], entry[3]
  if event == '_destroy' and detail == TEARDOWN then return { entry[1], event, 'ok' } end
  if event == 'error' and (detail == TEARDOWN or (before and before[3] == TEARDOWN)) then return nil end
  return entry
end

-- A log as labels and lines: what must agree, each label by itself. A label is PIECE:CHANNEL, the pieces being what lies
-- between two settles; in a loose program also all:CHANNEL, the chunks that passed in the whole run.
function compare.units(log, loose)
  local units = setmetatable({ order = {}, lines = {} }, Units)
  local piece = 1
  for i, original in ipairs(log) do
    local entry = loose and without_teardown(original, log[i - 1]) or (not loose and original) or nil
    if entry then
      local channel = entry[1]
      if ends(channel, '.state') then
        local fields = from(entry, 2)
        units:set(piece .. ':' .. channel, loose and loose_fields(fields) or fields)
      elseif loose then
        add_loose(units, piece, entry)
      else
        units:add(piece .. ':' .. channel, table.concat(entry, ' ', 2))
      end
      if entry[2] == 'settled' then piece = piece + 1 end
    end
  end
  if loose then
    for label, lines in pairs(units.lines) do
      if ends(label, '.cb') then table.sort(lines) end
    end
  end
  return units
end

-- ---- differences ---------------------------------------------------------------------------------------------------

local function first_difference(x, y)
  for i = 1, math.max(#x, #y) do
    if x[i] ~= y[i] then return i end
  end
end

local function came_to_end(log, label)
  local name, side = label:match('^all:([%w_]+)%.?([%w_]*)')
  if not name then return false end
  local life, last = name .. '.life', side == 'r' and 'end' or 'finish'
  for _, entry in ipairs(log) do
    if entry[1] == life and entry[2] == last then return true end
  end
  return false
end

-- What the oracle saw vary with the order, as a test of labels.
local function varying(varies)
  if not varies then return function() return false end end
  local all = set(unpack(varies.all or {}))
  local piece = varies.piece or math.huge
  return function(label)
    if label:sub(1, 4) == 'all:' then return all[label:sub(5)] or false end
    return tonumber(label:match('^%d+')) >= piece
  end
end

local function all_labels(a, b)
  local labels = from(a.order, 1)
  for _, label in ipairs(b.order) do
    if not a.lines[label] then labels[#labels + 1] = label end
  end
  return labels
end

local function state_differences(found, label, x, y)
  for i, field in ipairs(x) do
    if field ~= y[i] then
      found[#found + 1] = { label = label .. '.' .. field:match('^[^=]*'), at = 1, expected = { field }, actual = { y[i] or 'undefined' } }
    end
  end
end

-- The labels that differ, of a snapshot LABEL.FIELD, each with the lines of both and where the first difference is.
-- The chunks of a stream that did not come to its own end may stop sooner or later.
---@param expected table  a record of the oracle
---@param actual table    a record of the interpreter
---@param decided? boolean  with what weir must log where it decides otherwise
function compare.differences(expected, actual, decided)
  if decided then
    local it = expected.decided
    expected = { log = it.log, varies = it.varies, loose = expected.loose }
  end
  local a = compare.units(expected.log, expected.loose)
  local b = compare.units(actual.log, expected.loose)
  local varies = varying(expected.varies)
  local found = {}
  for _, label in ipairs(all_labels(a, b)) do
    local x, y = a.lines[label] or {}, b.lines[label] or {}
    local at = first_difference(x, y)
    local cut = at and label:sub(1, 4) == 'all:' and at > math.min(#x, #y) and not came_to_end(expected.log, label)
    if at and not varies(label) and not cut then
      if ends(label, '.state') and #x > 0 and #y > 0 then state_differences(found, label, x, y)
      else found[#found + 1] = { label = label, at = at, expected = x, actual = y } end
    end
  end
  return found
end

-- ---- whole files ---------------------------------------------------------------------------------------------------

local function contents(file)
  local quoted = "'" .. file:gsub("'", "'\\''") .. "'"
  local input = assert(io.open(file, 'rb')) -- also where gzip reads it: it has the better message
  if ends(file, '.gz') then
    input:close()
    input = assert(io.popen('gzip -dc -- ' .. quoted, 'r'))
  end
  local text = input:read('*a')
  input:close()
  return text
end

-- The records of a file, one a line; .gz files are unpacked by gzip.
function compare.read(file)
  return json.lines(contents(file), file)
end

local function by_id(records)
  local map = {}
  for _, record in ipairs(records) do map[record.id] = record end
  return map
end

local NO_LOG = { { label = 'log', at = 1, expected = { 'a log' }, actual = {} } }

-- All expected logs against the actual ones.
---@param expected table[]
---@param actual table[]
---@param without? table  the quirks whose programs are left out, as a set, in it `all` for any
---@return table report  families = { { name, all, agree, decided }, ... }, failed = { { expected, differences }, ... },
---  decided = { [number] = programs }, and the numbers passed, left, apart
function compare.report(expected, actual, without)
  without = without or {}
  local report = { families = {}, failed = {}, decided = {}, passed = 0, left = 0, apart = 0 }
  local logs, tallies = by_id(actual), {}

  local function tally(name)
    if not tallies[name] then
      tallies[name] = { name = name, all = 0, agree = 0, decided = 0 }
      table.insert(report.families, tallies[name])
    end
    return tallies[name]
  end

  local function left_out(record)
    for _, quirk in ipairs(record.quirks or {}) do
      if without[quirk] or without.all then return true end
    end
    return false
  end

  local function apart(record, family)
    family.decided = family.decided + 1
    report.apart = report.apart + 1
    for _, number in ipairs(record.decided.numbers) do report.decided[number] = (report.decided[number] or 0) + 1 end
  end

  local function check(record)
    local family, log = tally(record.family), logs[record.id]
    local found = log and compare.differences(record, log, record.decided ~= nil) or NO_LOG
    if #found == 0 and record.decided then return apart(record, family) end
    family.all = family.all + 1
    if #found > 0 then
      table.insert(report.failed, { expected = record, differences = found })
      return
    end
    family.agree = family.agree + 1
    report.passed = report.passed + 1
  end

  for _, record in ipairs(expected) do
    if left_out(record) then report.left = report.left + 1 else check(record) end
  end
  return report
end

-- ---- what is printed -----------------------------------------------------------------------------------------------

-- The lines around the first difference.
local function excerpt(lines, at)
  local first, shown = math.max(1, at - 2), {}
  if first > 1 then shown[1] = '...' end
  for i = first, math.min(#lines, at + 3) do shown[#shown + 1] = i == at and '>> ' .. lines[i] or lines[i] end
  if at > #lines then shown[#shown + 1] = '>> (nothing more)' end
  if at + 3 < #lines then shown[#shown + 1] = '...' end
  return table.concat(shown, ' | ')
end

-- A program that failed, as text: its first four differences, and the labels of more.
function compare.describe(failure)
  local record, found = failure.expected, failure.differences
  local quirks = record.quirks and (" (Node's quirk: %s)"):format(table.concat(record.quirks, ', ')) or ''
  local decided = record.decided and (' (decided difference %s)'):format(table.concat(record.decided.numbers, ', ')) or ''
  local lines = { record.id .. (record.title and ': ' .. record.title or '') .. quirks .. decided }
  for i = 1, math.min(4, #found) do
    local d = found[i]
    lines[#lines + 1] = ('  %s, entry %d'):format(d.label, d.at)
    lines[#lines + 1] = '    expected  ' .. excerpt(d.expected, d.at)
    lines[#lines + 1] = '    actual    ' .. excerpt(d.actual, d.at)
  end
  if #found > 4 then
    local more = {}
    for i = 5, math.min(16, #found) do more[#more + 1] = found[i].label end
    lines[#lines + 1] = ('  and %d more: %s'):format(#found - 4, table.concat(more, ' '))
  end
  return table.concat(lines, '\n')
end

-- One line for a family of a report.
function compare.summary(family)
  local apart = family.decided > 0 and (', %d apart'):format(family.decided) or ''
  return ('%-24s %6d of %d agree%s'):format(family.name, family.agree, family.all, apart)
end

local function print_quirks(failed) -- how many of the failed show which
  local counts, order = {}, {}
  for _, failure in ipairs(failed) do
    for _, quirk in ipairs(failure.expected.quirks or {}) do
      if not counts[quirk] then order[#order + 1] = quirk end
      counts[quirk] = (counts[quirk] or 0) + 1
    end
  end
  for _, quirk in ipairs(order) do print(('%d of the failed show %s'):format(counts[quirk], quirk)) end
end

-- What is counted apart, by decided difference.
function compare.print_decided(report)
  local numbers = {}
  for number in pairs(report.decided) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  for _, number in ipairs(numbers) do
    print(('%d apart, as decided difference %d wants it'):format(report.decided[number], number))
  end
end

-- Everything: the first `show` failed programs, the families, the sums.
function compare.print(report, show)
  for i = 1, math.min(show, #report.failed) do print(compare.describe(report.failed[i])) end
  for _, family in ipairs(report.families) do print(compare.summary(family)) end
  if report.left > 0 then print(report.left .. ' left out, which show a quirk of Node') end
  print_quirks(report.failed)
  compare.print_decided(report)
  print(('%d passed, %d failed'):format(report.passed, #report.failed))
end

-- ---- command line --------------------------------------------------------------------------------------------------

local function wrong(message)
  io.stderr:write(message, '\nluajit compare.lua expected.jsonl actual.jsonl [--show 5] [--without QUIRK,QUIRK | all]\n')
  os.exit(2)
end

local function main(args)
  local options, files = { ['--show'] = '5', ['--without'] = '' }, {}
  local known = set('--show', '--without')
  local i = 1
  while i <= #args do
    if known[args[i]] then
      options[args[i]] = args[i + 1] or wrong(args[i] .. ' needs a value')
      i = i + 2
    elseif args[i]:sub(1, 2) == '--' then wrong('no option ' .. args[i])
    else
      files[#files + 1] = args[i]
      i = i + 1
    end
  end
  if #files ~= 2 then wrong('two files, please') end
  local without = {}
  for quirk in options['--without']:gmatch('[^,]+') do without[quirk] = true end
  local report = compare.report(compare.read(files[1]), compare.read(files[2]), without)
  compare.print(report, tonumber(options['--show']) or wrong('--show needs a number'))
  os.exit(#report.failed > 0 and 1 or 0)
end

if arg and arg[0] and debug.getinfo(1, 'S').source == '@' .. arg[0] then
  local ok, err = pcall(main, arg)
  if not ok then
    io.stderr:write(tostring(err), '\n')
    os.exit(2)
  end
end

return compare
