-- SPDX-License-Identifier: MIT
-- Runs stream programs without memory: each again and again, with another allocation that fails, until that comes behind the
-- program's last one (README.md, "Without memory"). In the hard build only.
--   LIBEV_FLAGS=2 weir starve.lua [options] programs.jsonl expected.jsonl [...]
--     --lua        the allocations of Lua, not those of C code
--     --every N    only each Nth allocation
--     --part I/N   only the Ith of N parts of the programs
--     --show N     tells the first N faults in full (3)
--     --only ID    only that program; with --at N only its Nth allocation; with --here in this process, for a debugger
-- Every run is a process of its own, forked where all is loaded and nothing has run, and begins to count where the program does.
-- The flag has libev poll: what epoll watches would be shared by all of them.

local weir = require 'weir'
local hard = require 'weir.hard'
local bit = require 'bit'
local ffi = require 'ffi'

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local json = dofile(here .. 'json.lua')
local compare = dofile(here .. 'compare.lua')
local program = dofile(here .. 'program.lua')

ffi.cdef [[
int fork(void);
int waitpid(int pid, int *status, int options);
unsigned alarm(unsigned seconds);
int open(const char *path, int flags);
int dup2(int from, int to);
void _exit(int status);
]]
local C = ffi.C

local PATIENCE = 20 -- seconds for a run; one that takes longer hangs
local SIGALRM = 14
local WRONLY_TRUNC = bit.bor(1, 0x200)

local options -- what the arguments say
local files -- where a run writes: its log, its errors
local record -- in the run's process: the program's, when it is over

-- ---- one run ---------------------------------------------------------------------------------------------------------------

-- In the run's process: prints the log, however far it is, and ends; so much faster than with the collector's farewells to
-- memory that is shared.
local function leave(status)
  hard.fail(options.kind, 0)
  io.stdout:write(json.encode(record and record.log or program.log()))
  io.stdout:flush()
  if options.kind == 'lua' then collectgarbage() end -- what it could not finish making is the collector's
  local left = hard.close()
  if left > 0 then io.stderr:write(left, ' bytes are left\n') end
  io.stderr:flush()
  C._exit(status)
end

-- In the run's process: what is to be run.
local function starve(text, n)
  weir.process:on('uncaughtException', program.uncaught)
  weir.process:on('exit', leave)
  collectgarbage 'stop' -- for the same reason
  local what = json.decode(text)
  hard.fail(options.kind, n)
  record = program.record(what)
  hard.fail(options.kind, 0)
end

local function contents(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end

local function without(text, pattern)
  local rest, count = text:gsub(pattern, '')
  return rest, count > 0
end

-- What became of the process PID: the `signal` that ended it or its `status`, the text of its log, its errors, and whether an
-- allocation was there to fail.
local function wait_for(pid)
  local word = ffi.new 'int[1]'
  assert(C.waitpid(pid, word, 0) == pid, 'waitpid')
  local signal = bit.band(word[0], 0x7f)
  local run = { signal = signal > 0 and signal or nil, status = bit.rshift(word[0], 8), text = contents(files[1]) }
  local unsettled
  run.errors, run.failed = without(contents(files[2]), 'hard: [^\n]* fails here [^\n]*\n')
  run.errors, unsettled = without(run.errors, 'weir: [^\n]*ERR_UNSETTLED_WAIT[^\n]*\n') -- what a program leaves waiting is its own affair
  if unsettled then run.status = 0 end
  return run
end

-- Forks. In the process of the run: a function, what is to be done; in this one: nil, and what became of it.
local function fork(text, n)
  io.stdout:flush()
  local pid = C.fork()
  assert(pid >= 0, 'fork')
  if pid > 0 then return nil, wait_for(pid) end
  C.alarm(PATIENCE)
  for to, path in ipairs(files) do C.dup2(C.open(path, WRONLY_TRUNC), to) end
  return function() starve(text, n) end
end

-- ---- what it is judged by --------------------------------------------------------------------------------------------------

local NONSENSE = { 'attempt to', 'bad argument', 'ssertion', 'stack overflow', 'after it was collected', 'before its init',
  'what is no stream', 'bytes are left' }
local LIFE = { ['end'] = true, finish = true, error = true, close = true }
local ANSWERS = { cb = true, endCb = true, done = true, result = true, broke = true, error = true }
local FOLLOWERS = { pl = true, fin = true, it = true, ch = true } -- channels of what follows streams: pipeline, finished ...

local function follows(channel)
  return FOLLOWERS[channel:match '^(%a+)%.'] or false
end

local function names_memory(text)
  return text:find 'ENOMEM' or text:find 'out of memory' or text:find 'not enough memory'
end

local function nonsense(run, right)
  for _, word in ipairs(NONSENSE) do
    if run.errors:find(word, 1, true) or (run.text:find(word, 1, true) and not right.text:find(word, 1, true)) then return word end
  end
end

local function is_whole(log)
  local last = log[#log]
  return last ~= nil and last[1] == '*' and last[2] == 'settled'
end

-- The entries of what may happen only once, each as a text without what came of it.
local function once(entry)
  local channel, event = entry[1], entry[2]
  if channel:find '%.life$' and LIFE[event] then return channel .. ' ' .. event end
  if channel:find '%.w$' and (event == 'cb' or event == 'endCb') then return channel .. ' ' .. event .. ' ' .. entry[3] end
  if follows(channel) and ANSWERS[event] then return channel end
end

local function counts_of(log)
  local counts = {}
  for _, entry in ipairs(log) do
    local key = once(entry)
    if key then counts[key] = (counts[key] or 0) + 1 end
  end
  return counts
end

-- What happened more often than it may.
local function doubled(log, right)
  local should = counts_of(right)
  for key, count in pairs(counts_of(log)) do
    if count > math.max(1, should[key] or 0) then return key end
  end
end

-- The streams that are closed at the end, by name, and whether all are.
local function closed_streams(log)
  local closed, all = {}, true
  for _, entry in ipairs(log) do
    local name = entry[1]:match '^(.*)%.state$'
    if name then closed[name] = entry[4] == 'closed=true' end
  end
  for _, is in pairs(closed) do all = all and is end
  return closed, all
end

local function raised(log)
  for _, entry in ipairs(log) do
    if entry[1] == '*' and (entry[2] == 'throw' or entry[2] == 'uncaught') then return true end
  end
  return false
end

local function calls_of(log)
  local calls = {}
  for _, entry in ipairs(log) do
    if entry[1]:find '%.w$' then calls[entry[1] .. ' ' .. entry[2] .. ' ' .. tostring(entry[3])] = true end
  end
  return calls
end

-- An answer that never came: of a write or end that was taken here too, whose stream is closed; or of what follows streams, where
-- all streams are closed and nothing was raised. (What was raised may be a callback's own, which had no memory to log that it came.)
local function unanswered(log, right)
  local closed, all = closed_streams(log)
  local counts, calls, any_raised = counts_of(log), calls_of(log), raised(log)
  if any_raised and options.kind == 'lua' then return nil end
  for _, entry in ipairs(right) do
    local key, stream = once(entry), entry[1]:match '^(.*)%.w$'
    if key and not counts[key] then
      local call = stream and ('%s %s %s'):format(entry[1], entry[2] == 'cb' and 'write' or 'end', entry[3])
      if call and closed[stream] and calls[call] then return key end
      if follows(entry[1]) and all and not any_raised then return key end
    end
  end
end

-- What is wrong with the end of a run; nil if nothing.
local function wrong_end(run, right)
  if run.signal then return run.signal == SIGALRM and 'it hangs' or 'signal ' .. run.signal end
  if run.status > 123 then return 'status ' .. run.status end
  local word = nonsense(run, right)
  if word then return 'it says: ' .. word end
  if run.status ~= 0 and not names_memory(run.errors) then return 'it fails, and says nothing of memory' end
end

-- What is wrong with the log of a run that has ended well enough; nil if nothing.
local function wrong_log(run, right, oracle)
  local ok, log = pcall(json.decode, run.text)
  if not ok then return run.status == 0 and 'there is no log' or nil end
  local twice = doubled(log, right.log)
  if twice then return 'twice: ' .. twice end
  local said = run.status ~= 0 or names_memory(run.text)
  if not is_whole(log) then return not said and 'the log is not whole' or nil end
  if said then
    local never = unanswered(log, right.log)
    return never and 'never: ' .. never
  end
  local expected = { id = oracle.id, log = right.log, loose = oracle.loose, varies = oracle.varies }
  local found = compare.differences(expected, { log = log })
  return #found > 0 and 'another log: ' .. compare.describe { expected = expected, differences = found } or nil
end

local function wrong(run, right, oracle)
  local problem = wrong_end(run, right)
  if problem or run.text == right.text then return problem end
  return wrong_log(run, right, oracle)
end

-- ---- all runs --------------------------------------------------------------------------------------------------------------

local runs, right_logs, bad = 0, 0, 0

local function tell(what, n, run, problem)
  bad = bad + 1
  print(('%s, %s=%d: %s'):format(what.id, options.kind, n, bad <= options.show and problem or problem:match '[^\n]*'))
  if bad <= options.show and run.errors ~= '' then print((run.errors:gsub('\n*$', ''))) end
end

local function count(what, n, run, right)
  local problem = wrong(run, right, what.oracle)
  if problem then tell(what, n, run, problem) end
  runs = runs + 1
  if run.text == right.text then right_logs = right_logs + 1 end
end

-- All runs of a program. In the process of one of them: what is to be done.
local function sweep(what)
  local child, right = fork(what.text, 0)
  if child then return child end
  assert(wrong_end(right, { text = '' }) == nil and right.status == 0, what.id .. ' fails by itself: ' .. right.errors)
  right.log = json.decode(right.text)
  local n = options.at or options.every
  repeat
    local run
    child, run = fork(what.text, n)
    if child then return child end
    count(what, n, run, right)
    n = n + options.every
  until not run.failed or options.at
end

-- The programs as texts, since what is small is forked soon, each with what the oracle says of how its logs are compared.
local function load_programs(names)
  local list, oracles = {}, {}
  for i = 1, #names, 2 do
    for _, one in ipairs(compare.read(names[i + 1])) do
      oracles[one.id] = { id = one.id, loose = one.loose, varies = one.varies }
    end
    for _, what in ipairs(compare.read(names[i])) do
      list[#list + 1] = { id = what.id, text = json.encode(what), oracle = oracles[what.id] }
    end
  end
  return list
end

local FLAGS = { ['--lua'] = true, ['--here'] = true }

local function parse(args)
  local given, names, i = {}, {}, 1
  while args[i] do
    if args[i]:sub(1, 2) ~= '--' then names[#names + 1] = args[i]
    elseif FLAGS[args[i]] then given[args[i]] = true
    else
      given[args[i]] = args[i + 1] or error(args[i] .. ' needs a value', 0)
      i = i + 1
    end
    i = i + 1
  end
  local part, parts = (given['--part'] or '1/1'):match '^(%d+)/(%d+)$'
  return {
    kind = given['--lua'] and 'lua' or 'alloc', every = tonumber(given['--every'] or 1), show = tonumber(given['--show'] or 3),
    part = tonumber(part), parts = tonumber(parts), only = given['--only'], at = tonumber(given['--at']), here = given['--here'],
    names = names,
  }
end

local function wanted(what, i)
  if options.only then return what.id == options.only end
  return i % options.parts == options.part % options.parts
end

local function sweep_all(programs)
  for i, what in ipairs(programs) do
    if wanted(what, i) then
      if options.here then return starve(what.text, options.at) end
      local child = sweep(what)
      if child then return child() end
    end
  end
  print(('%d runs: %d with the right log, %d with a clean error, %d wrong'):format(runs, right_logs, runs - right_logs - bad, bad))
  for _, path in ipairs(files) do os.remove(path) end
  weir.process.exitCode = bad > 0 and 1 or 0
end

jit.off() -- what is compiled is written to, and not shared
options = parse { ... }
files = { os.tmpname(), os.tmpname() }
local programs = load_programs(options.names)
collectgarbage()
return sweep_all(programs)
