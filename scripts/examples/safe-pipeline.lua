-- SPDX-License-Identifier: MIT
-- pipeline when all goes well, when the input is missing, when a transform fails, and when it is aborted half way: every time
-- all streams are destroyed and all descriptors closed, the error says which stage failed, and the output is complete or not
-- there.
--   scripts/weir scripts/examples/safe-pipeline.lua

local weir = require 'weir'

local here = arg[0]:match '^(.*/)' or ''
local sample = here .. 'data/access.log.gz'
local output = os.tmpname()

local function openDescriptors()
  return #weir.fs.readdirSync '/proc/self/fd'
end

-- A stage that gives every line its end back, and calls `each` with its number.
local function numbered(each)
  local n = 0
  return weir.Transform{
    name = 'transform',
    writableObjectMode = true,
    transform = function(_, line, callback)
      n = n + 1
      each(n)
      callback(nil, line .. '\n')
    end,
  }
end

-- The stage that emits 'error' first is the one that failed; the pipeline destroys the others with the same error.
local function watchErrors(stages)
  local seen = {}
  for _, stage in ipairs(stages) do
    stage:once('error', function() seen.first = seen.first or stage.name end)
  end
  return seen
end

local function countDestroyed(stages)
  local n = 0
  for _, stage in ipairs(stages) do
    if not stage.closed then pcall(weir.finished, stage) end -- waits until it is
    if stage.destroyed then n = n + 1 end
  end
  return n
end

local function run(title, input, each, signal)
  os.remove(output)
  local before = openDescriptors()
  local stages = { -- the first marks are small, so that the input is still open when line 100 comes
    weir.fs.createReadStream(input, { name = 'input', highWaterMark = 256 }),
    weir.zlib.createGunzip{ name = 'gunzip', highWaterMark = 256 },
    weir.lines{ name = 'lines' },
    numbered(each),
    weir.fs.createWriteStream(output, { name = 'output', atomic = true }),
  }
  local seen = watchErrors(stages)
  local ok, err = pcall(weir.pipeline, stages, { signal = signal })
  print(title)
  if ok then
    print '  succeeded'
  elseif err.code == 'ABORT_ERR' then
    print(('  aborted: %s'):format(err.cause))
  else
    print(('  failed in the stage %s: %s'):format(seen.first, err.message))
  end
  print(('  %d of %d streams destroyed'):format(countDestroyed(stages), #stages))
  print(('  descriptors left open: %d'):format(openDescriptors() - before))
  local there, stats = pcall(weir.fs.stat, output)
  print(('  output: %s'):format(there and ('%d bytes'):format(stats.size) or 'none'))
end

local function nothing() end

run('success', sample, nothing)
run('a missing input', 'no-such-file.gz', nothing)
run('a transform that fails', sample, function(n)
  if n == 100 then error('line 100 is bad', 0) end
end)

local controller = weir.AbortController()
run('an abort half way', sample, function(n)
  if n == 100 then controller:abort 'enough' end
end, controller.signal)

os.remove(output)
