-- SPDX-License-Identifier: MIT
-- What pipeline does, by hand: `pipe` passes chunks on and holds them back, but no errors. So each stream needs a listener for
-- 'error' that destroys all the others, or they stay open for ever.
--   scripts/weir scripts/examples/manual-errors.lua

local weir = require 'weir'

local here = arg[0]:match '^(.*/)' or ''
local sample = here .. 'data/access.log.gz'
local output = os.tmpname()

local function openDescriptors()
  return #weir.fs.readdirSync '/proc/self/fd'
end

-- Pipes `stages` into one another. `done(err, stage)` is called once, when all of them are closed.
local function connect(stages, done)
  local open, failure, failed = #stages, nil, nil
  for i, stage in ipairs(stages) do
    stage:on('error', function(err)
      if failure then return end -- the others, which this one has destroyed
      failure, failed = err, stage
      for _, other in ipairs(stages) do
        if other ~= stage then other:destroy() end
      end
    end)
    stage:on('close', function()
      open = open - 1
      if open == 0 then done(failure, failed) end
    end)
    if i > 1 then stages[i - 1]:pipe(stage) end
  end
end

local function run(title, input, each, after)
  os.remove(output)
  local before = openDescriptors()
  local n = 0
  local stages = { -- the first marks are small, so that the input is still open when line 100 comes
    weir.fs.createReadStream(input, { name = 'input', highWaterMark = 256 }),
    weir.zlib.createGunzip{ name = 'gunzip', highWaterMark = 256 },
    weir.lines{ name = 'lines' },
    weir.Transform{
      name = 'transform',
      writableObjectMode = true,
      transform = function(_, line, callback)
        n = n + 1
        callback(each(n), line .. '\n')
      end,
    },
    weir.fs.createWriteStream(output, { name = 'output', atomic = true }),
  }
  connect(stages, function(err, stage)
    print(title)
    print(err and ('  failed in the stage %s: %s'):format(stage.name, err.message) or '  succeeded')
    print(('  descriptors left open: %d'):format(openDescriptors() - before))
    weir.fs.stat(output, function(missing, stats)
      print(('  output: %s'):format(missing and 'none' or ('%d bytes'):format(stats.size)))
      os.remove(output)
      if after then after() end
    end)
  end)
end

local function nothing() end

local function failAtLine100(n)
  return n == 100 and 'line 100 is bad' or nil
end

run('success', sample, nothing, function()
  run('a missing input', 'no-such-file.gz', nothing, function()
    run('a transform that fails', sample, failAtLine100)
  end)
end)
