-- SPDX-License-Identifier: MIT
-- weir's streams held against Node's: the hand-written and the shipped programs of spec/conformance, in bursts as they come
-- and in bursts of one, compared with Node's logs. It needs no Node. Programs that show a decided difference are counted
-- apart, those whose API does not exist are left out, and both are said.

local compare = dofile 'spec/conformance/compare.lua'
local output_of = require('support').output_of

local weir = os.getenv 'WEIR'
local cases = 'spec/conformance/cases/'

-- What a step needs of the API: an expression that is nil where it does not exist.
local NEEDS = {
  pipeline = 'weir.pipeline', pipelineWait = 'weir.pipeline', finished = 'weir.finished', compose = 'weir.compose',
  iterate = 'weir.Readable.iter', chain = 'weir.Readable.map', addAbortSignal = 'weir.addAbortSignal',
}

-- Runs work(path) with a temporary file.
local function with_file(text, work)
  local path = os.tmpname()
  local file = assert(io.open(path, 'w'))
  file:write(text)
  file:close()
  local ok, result = pcall(work, path)
  os.remove(path)
  return ok and result or error(result, 0)
end

-- The verbs of steps that cannot be run, as a set.
local function missing_verbs()
  local missing = {}
  for verb, expression in pairs(NEEDS) do
    local code = ("local weir = require 'weir' print(%s ~= nil)"):format(expression)
    if output_of('%s -e "%s"', weir, code) ~= 'true\n' then missing[verb] = true end
  end
  return missing
end

local function has_verb(node, verbs)
  if type(node) ~= 'table' then return false end
  if type(node[1]) == 'string' and verbs[node[1]] then return true end
  for _, child in pairs(node) do
    if has_verb(child, verbs) then return true end
  end
  return false
end

-- The programs and logs of a case file without those that need what does not exist.
local function possible(name, missing)
  local programs, expected = compare.read(cases .. name .. '.programs.jsonl.gz'), compare.read(cases .. name .. '.expected.jsonl.gz')
  local kept, logs = {}, {}
  for i, program in ipairs(programs) do
    if not has_verb(program.steps, missing) then
      kept[#kept + 1], logs[#logs + 1] = program, expected[i]
    end
  end
  return kept, logs, #programs - #kept
end

local json = dofile 'spec/conformance/json.lua'

-- weir's logs of the programs, with that in front of the command.
local function run(programs, before)
  local lines = {}
  for i, program in ipairs(programs) do lines[i] = json.encode(program) end
  return with_file(table.concat(lines, '\n') .. '\n', function(path)
    return json.lines(output_of('%s %s spec/conformance/run.lua < %s', before, weir, path), 'weir')
  end)
end

local function describe_failures(report)
  local texts = {}
  for i = 1, math.min(3, #report.failed) do texts[i] = compare.describe(report.failed[i]) end
  return table.concat(texts, '\n')
end

local function names_of_cases()
  local names = {}
  for name in output_of('ls %s', cases):gmatch '(%S+)%.programs%.jsonl%.gz' do names[#names + 1] = name end
  return names
end

describe('conformance', function()
  local missing = missing_verbs()
  for _, mode in ipairs { { 'bursts as they come', 'env -u WEIR_BURST' }, { 'bursts of one', 'WEIR_BURST=1' } } do
    for _, name in ipairs(names_of_cases()) do
      local programs, expected, left = possible(name, missing)
      local title = ('%s, %s'):format(name, mode[1])
      if #programs == 0 then
        pending(title .. ': its API does not exist')
      else
        it(title, function()
          local report = compare.report(expected, run(programs, mode[2]), { programs = programs })
          io.stdout:write(('\n%-24s %s: %d agree, %d differ, %d apart, %d left out'):format(
            name, mode[1], report.passed, #report.failed, report.apart, left))
          assert(#report.failed == 0, ('%d of %d differ from Node:\n%s'):format(#report.failed, #programs, describe_failures(report)))
          assert.equal(#programs, report.passed + report.apart)
        end)
      end
    end
  end
end)
