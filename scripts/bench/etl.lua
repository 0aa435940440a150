-- SPDX-License-Identifier: MIT
-- The main job, timed: weir etl.lua IN.gz OUT.gz. It runs the example as it stands.

local here = arg[0]:match '^(.*/)' or ''
local clock = dofile(here .. 'clock.lua')
local main = assert(loadfile(here .. '../examples/access-log.lua'))

local counts
clock('etl', function() counts = main() end, function(ns)
  return { { 'lines', counts.lines }, { 'kept', counts.kept }, { 'linesPerSecond', math.floor(counts.lines / ns * 1e9 + 0.5) } }
end)
