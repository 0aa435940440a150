-- SPDX-License-Identifier: MIT
-- The weir command: its arguments, and what they ask for.

-- Streams compile to many small traces, and the standard limits are soon reached.
jit.opt.start('maxtrace=8000', 'maxmcode=16384')
-- What runs once, at the start, is not worth compiling: it would take a third of the time.
jit.off()

local core = require 'weir.core'
local weir = require 'weir'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'

local process = weir.process
local machinery = process._machinery

local OK, FAILED, MISUSED = 0, 1, 2

local HELP = [=[
usage: weir [options] [script.lua [arguments]]

  script.lua  runs a script; its arguments are in `...` and in `arg`
  -           runs what comes from the standard input
  -e CODE     runs CODE, where the names of the module weir are globals
  -l MODULE   requires MODULE first, and makes it a global
  --          ends the options
  --version   prints the version (-v)
  --help      prints this text (-h)

Without a script, weir reads from the terminal, evaluates and prints, line by line.
Exit status: 0; 1 after an error in the script; 2 for wrong usage; 128 + n after signal n; or what the script says.
]=]

local function complain(...)
  io.stderr:write('weir: ', ...)
  io.stderr:write '\n'
end

local function misuse(text)
  complain(text, '\n      (weir --help lists the options)')
  return nil, MISUSED
end

-- ---- Arguments --------------------------------------------------------------------------------------------------------

-- What the arguments ask for: `steps`, functions that make functions to be run; `script`, the index of the script's name;
-- `first`, that of its first argument. Or nil, and the status to end with.
local function parse(argv)
  local plan = { steps = {} }
  local i = 1

  local function operand(option)
    i = i + 1
    if argv[i] then return argv[i] end
    misuse(("the option %s needs %s"):format(option, option == '-e' and 'code' or 'the name of a module'))
  end

  while argv[i] do
    local word = argv[i]
    if word == '-e' or word == '-l' then
      local text = operand(word)
      if not text then return nil, MISUSED end
      plan.steps[#plan.steps + 1] = { word, text }
      plan.code = plan.code or word == '-e'
    elseif word == '--help' or word == '-h' then
      io.stdout:write(HELP)
      return nil, OK
    elseif word == '--version' or word == '-v' then
      io.stdout:write('weir ', weir._VERSION, ' (', jit.version, ')\n')
      return nil, OK
    elseif word == '--' then
      i = i + 1
      break
    elseif word ~= '-' and word:sub(1, 1) == '-' then
      return misuse(("unknown option '%s'"):format(word))
    else
      break
    end
    i = i + 1
  end
  plan.first = i
  if not plan.code and argv[i] then
    plan.script = argv[i]
    plan.first = i + 1
  end
  return plan
end

-- As `lua` has it: the script at 0, its arguments from 1 on, what comes before it below 0. Without a script, the command is at 0.
local function setArguments(argv, plan)
  local zero = plan.first - 1
  local words = { [0] = argv[0] }
  for i = plan.script and 0 or plan.first, #argv do words[i - zero] = argv[i] end
  rawset(_G, 'arg', words)
  process.argv = { argv[0], plan.script or '-e' }
  for i = plan.first, #argv do table.insert(process.argv, argv[i]) end
end

-- ---- Chunks -----------------------------------------------------------------------------------------------------------

local function loadScript(name)
  if name == '-' then return loadstring(io.read '*a', '=stdin') end
  local file, problem = io.open(name, 'rb')
  if not file then return nil, 'cannot open ' .. problem end
  local readable, why = file:read(0)
  file:close()
  if not readable and why then return nil, 'cannot read ' .. name .. ': ' .. why end
  return loadfile(name)
end

local function requireGlobal(name)
  local module = require(name)
  if rawget(_G, name) == nil then rawset(_G, name, module) end
end

-- The functions to run, in order; or nil, after a complaint.
local function compile(plan)
  local chunks = {}
  for _, step in ipairs(plan.steps) do
    local chunk, problem
    if step[1] == '-l' then
      chunk = function() requireGlobal(step[2]) end
    else
      chunk, problem = loadstring(step[2], '=(command line)')
    end
    if not chunk then return complain(problem) end
    chunks[#chunks + 1] = chunk
  end
  if plan.script then
    local chunk, problem = loadScript(plan.script)
    if not chunk then return complain(problem) end
    chunks[#chunks + 1] = chunk
  end
  return chunks
end

---The names of weir become globals, after those that there are. For `-e` and the REPL.
local function openGlobals()
  rawset(_G, 'weir', weir)
  setmetatable(_G, { __index = weir })
end

-- ---- Running ----------------------------------------------------------------------------------------------------------

-- The status with which the process ends, after `fn(...)` and all that it began.
local function run(fn, ...)
  jit.on()
  core.pace()
  machinery.takeOver()
  local ok, err = pcall(weir.run, fn, ...)
  local signal = machinery.interrupted()
  if signal then
    core.loop() -- until all streams are closed
    return 128 + signal
  end
  if ok then err = machinery.unsettled() end
  if err ~= nil or not ok then
    complain(machinery.describe(err))
    process.exitCode = FAILED
  end
  return machinery.leave(process.exitCode or OK)
end

local function main(chunks, ...)
  for _, chunk in ipairs(chunks) do
    local ok, err = xpcall(chunk, errors.caught, ...)
    if not ok then return base.report(err) end
  end
end

---@param argv string[] from 0 on, as C has them
---@param terminal table what the REPL needs of C
---@return integer status
return function(argv, terminal)
  local plan, status = parse(argv)
  if not plan then return status end
  setArguments(argv, plan)
  if plan.code then openGlobals() end
  local chunks = compile(plan)
  if not chunks then return FAILED end
  if plan.script or plan.code then return run(main, chunks, unpack(argv, plan.first)) end
  openGlobals()
  return run(function()
    main(chunks)
    return require 'weir.repl'(terminal)
  end)
end
