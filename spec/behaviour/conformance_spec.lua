-- SPDX-License-Identifier: MIT
-- weir's streams held against Node's: the hand-written and the shipped programs of spec/conformance, in bursts as they come
-- and in bursts of one, compared with Node's logs. It needs no Node. Programs that show a decided difference are counted
-- apart, and that is said.

local compare = dofile 'spec/conformance/compare.lua'
local output_of = require('support').output_of

local weir = os.getenv 'WEIR'
local cases = 'spec/conformance/cases/'

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
  for _, mode in ipairs { { 'bursts as they come', 'env -u WEIR_BURST' }, { 'bursts of one', 'WEIR_BURST=1' } } do
    for _, name in ipairs(names_of_cases()) do
      it(('%s, %s'):format(name, mode[1]), function()
        local programs = compare.read(cases .. name .. '.programs.jsonl.gz')
        local expected = compare.read(cases .. name .. '.expected.jsonl.gz')
        local report = compare.report(expected, run(programs, mode[2]))
        io.stdout:write(('\n%-24s %s: %d agree, %d differ, %d apart'):format(
          name, mode[1], report.passed, #report.failed, report.apart))
        assert(#report.failed == 0, ('%d of %d differ from Node:\n%s'):format(#report.failed, #programs, describe_failures(report)))
        assert.is_true(#programs > 0)
        assert.equal(#programs, report.passed + report.apart)
      end)
    end
  end
end)
