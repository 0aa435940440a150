-- SPDX-License-Identifier: MIT
-- Runs stream programs (README.md) on weir's streams and prints their logs.
--   weir run.lua < programs.jsonl > actual.jsonl
-- It uses weir's public API alone and knows nothing of any case, family or expected log. What a program does is logged by
-- listeners, handlers and callbacks; nothing is asked of a stream but its methods and, in snapshots, its properties.

local weir = require 'weir'

local here = debug.getinfo(1, 'S').source:match('^@(.*/)') or ''
local json = dofile(here .. 'json.lua')
local program = dofile(here .. 'program.lua')

weir.process:on('uncaughtException', program.uncaught)

for _, what in ipairs(json.lines(io.stdin:read('*a'), 'programs')) do
  io.stdout:write(json.encode(program.record(what)), '\n')
  io.stdout:flush()
end
