-- SPDX-License-Identifier: MIT
-- Read, evaluate, print, while the loop is alive: what a line began goes on while the next is typed.
--
-- A line is tried as an expression first, then as statements; what is not complete is continued on the next line. It runs in a
-- coroutine, so it may wait; the prompt comes back when it is over. Values are printed, and the first of them is `_`.
-- A line that begins with a dot is a command. Without a terminal there is no prompt, and an error of a line makes the exit
-- status 1; the lines after it run all the same.

local weir = require 'weir'
local core = require 'weir.core'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local show = require 'weir.show'
local wait = require 'weir.wait'

local process = weir.process
local machinery = process._machinery

local HELP = [=[
Expressions are evaluated and printed, _ is the last value; statements are run. Lines may wait: sleep(100), pipeline(...).
The names of weir are globals: Readable, Transform, pipeline, fs, zlib, crypto, net, sleep, setTimeout ...
  .help    this text
  .exit    ends weir, as Ctrl-D does
Ctrl-C drops the line, or gives up waiting for what it began; twice on an empty line it ends weir.
]=]

local PROMPT, CONTINUED = '> ', '>> '
local NAME = '=repl'

local function endsTooEarly(problem)
  return problem ~= nil and problem:find("near '?<eof>'?$") ~= nil
end

-- Where memory is wanted, the text was not read to its end: what it is was not found out.
local function lacksMemory(problem)
  return problem ~= nil and problem:find('not enough memory', 1, true) ~= nil
end

---A chunk of what was typed: an expression's, else statements'. Or nil, and why; the third value says that more is to come.
---@param text string
---@return function? chunk
---@return string? problem
---@return boolean? incomplete
local function compile(text)
  local chunk, problem = loadstring('return (...)(' .. text .. '\n)', NAME) -- so that no tail call takes its line from a traceback
  if chunk or lacksMemory(problem) then return chunk, problem end
  chunk, problem = loadstring(text, NAME)
  if chunk or lacksMemory(problem) then return chunk, problem end
  local _, problemOfExpression = loadstring('return ' .. text, NAME)
  if lacksMemory(problemOfExpression) then return nil, problemOfExpression end
  return nil, problem, endsTooEarly(problem) or endsTooEarly(problemOfExpression)
end

local function values(...)
  return ...
end

local function printValues(options, ...)
  for i = 1, select('#', ...) do
    io.stdout:write(show.show((select(i, ...)), options), '\n')
  end
end

local function printError(err)
  if not errors.isError(err) then err = errors.caught(err, '') end
  io.stdout:flush()
  io.stderr:write((machinery.describe(err):gsub('^Uncaught ', 'error: ')), '\n')
end

-- Where lines are kept for the next time: nil is nowhere.
local function historyFile()
  local path = os.getenv 'WEIR_HISTORY'
  if path then return path ~= '' and path or nil end
  local home = os.getenv 'HOME'
  return home and home .. '/.weir_history'
end

---Reads until the end of the input. Runs in a coroutine that may wait.
---@param terminal table see runtime/host/repl.h
return function(terminal)
  local interactive = terminal.interactive()
  local options = { color = interactive and os.getenv 'NO_COLOR' == nil, width = terminal.columns() }
  local typed -- lines of what is not complete yet
  local running = 0 -- the number of the line that is evaluated; 0: none
  local serial = 0
  local finished, over = wait.prepare()

  local function ask()
    running = 0
    io.stdout:flush()
    terminal.prompt(typed and CONTINUED or PROMPT)
  end

  local function failed(err)
    printError(err)
    if not interactive then process.exitCode = 1 end
  end

  local function take(ok, ...)
    if not ok then return failed((...)) end
    if select('#', ...) == 0 then return end
    rawset(_G, '_', (...))
    if interactive or (...) ~= nil or select('#', ...) > 1 then printValues(options, ...) end
  end

  -- A line that was interrupted, and comes back later, says nothing.
  local function evaluate(chunk)
    serial = serial + 1
    local mine = serial
    running = mine
    local function come(...)
      if running ~= mine then return end
      take(...)
      ask()
    end
    core.run(function() come(xpcall(chunk, errors.caught, values)) end)
  end

  local function close()
    terminal.stop()
    finished()
  end

  local function command(name)
    if name == 'exit' then return close() end
    if name == 'help' then
      io.stdout:write(HELP)
    else
      failed(errors.new('there is no such command (.help tells what there is)'))
    end
    ask()
  end

  local function onLine(line)
    if line == nil then
      if interactive then io.stdout:write '\n' end
      if typed then failed(errors.caught((select(2, compile(typed))), '')) end
      return close()
    end
    local text = typed and typed .. '\n' .. line or line
    typed = nil
    if text:find '^%s*$' then return ask() end
    if text:find '^%s*%.%a' then return command(text:match '%.(%a+)%s*$') end
    if text:sub(1, 1) == '=' then text = text:sub(2) end
    local chunk, problem, incomplete = compile(text)
    if chunk then return evaluate(chunk) end
    if incomplete then typed = text else failed(errors.caught(problem, '')) end
    ask()
  end

  -- Ctrl-C: drops what was typed, or gives up waiting for what is evaluated; twice on an empty line it is the end.
  local armed = false
  local function onInterrupt()
    terminal.interrupt()
    if running > 0 then
      io.stdout:write '\ninterrupted\n'
    elseif typed or not armed then
      io.stdout:write '\n'
    else
      terminal.stop()
      return process.exit(130)
    end
    armed = running == 0 and not typed
    typed = nil
    ask()
  end

  if interactive then
    machinery.instead('SIGINT', onInterrupt)
    io.stdout:write('weir ', weir._VERSION, ' (.help helps)\n')
  end
  process:on('exit', function() terminal.stop() end)
  base.onUncaught(function(err)
    if machinery.interrupted() then return end
    if process:listenerCount('uncaughtException') > 0 then return process:emit('uncaughtException', err) end
    failed(err)
  end)
  terminal.start(onLine, historyFile())
  ask()
  over()
  if interactive then process.exit() end -- as at other prompts: what still goes on is left
end
