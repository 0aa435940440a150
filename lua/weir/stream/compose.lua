-- SPDX-License-Identifier: MIT
-- compose: several stages behind one Duplex. Writes go into the first of them, reads come from the last; rule 56 of Node's
-- streams: the error of a stage destroys the whole, and to destroy the whole destroys every stage.

local core = require 'weir.core'
local abort = require 'weir.abort'
local base = require 'weir.stream.base'
local class = require 'weir.class'
local errors = require 'weir.errors'
local Readable = require 'weir.stream.readable'
local Front = require 'weir.stream.front'
local pipeline = require 'weir.stream.pipeline'
local duplexFrom = require 'weir.stream.duplex_from'

local type, select, error, pcall = type, select, error, pcall

local M = {}

local Composed = class.new('Duplex', Front)

-- The stages are over. One that is neither read nor written has nothing else that could end it.
local function over(self, err)
  self:_over(err)
  if not err and self._isClosed then self:destroy() end
end

-- It has finished when the last stage has.
local function standInFront(self, first, last)
  self._last = last
  Front.init(self, first, last)
  self._isClosed = not self.writable and not self.readable
  if self.writable then
    core.finished(last, nil, nil, true, function() self:_release('_finishing') end)
  end
end

-- Without memory for the front, the stages are not left joined behind nothing: they fail with it.
function Composed:init(stages)
  local stands
  local handle = pipeline.join(stages, function(err)
    if stands then over(self, err) end
  end)
  local ok, err = pcall(standInFront, self, stages[1], stages[#stages])
  if not ok then
    core.pipelineAbort(handle, err)
    error(err, 0)
  end
  stands = true
end

-- The pipeline destroys the others.
function Composed:_destroyStages(err)
  core.abort(self._last, err)
end

-- Raises, at the caller of the caller, for a stage in a place where it cannot be.
local function checkPlaces(stages)
  for i = 1, #stages do
    local name = 'streams[' .. i .. ']'
    if i < #stages and stages[i].readable ~= true then error(errors.argValue(name, stages[i], 'must be readable'), 4) end
    if i > 1 and stages[i].writable ~= true then error(errors.argValue(name, stages[i], 'must be writable'), 4) end
  end
end

local function compose(...)
  local count, stages = select('#', ...), { ... }
  if count == 0 then error(errors.new('The "streams" argument must be specified', 'ERR_MISSING_ARGS'), 3) end
  for i = 1, count do
    if not base.isStream(stages[i]) then stages[i] = duplexFrom(stages[i]) end
  end
  if count == 1 then return duplexFrom(stages[1]) end
  checkPlaces(stages)
  return Composed(stages)
end

---`compose(a, b, ...)`: several stages as one Duplex, which writes into the first (with its backpressure) and reads from the
---last. Stages are streams, and whatever `Duplex.from` takes; of one stage it is `Duplex.from`. Where the first stage cannot
---be written, or the last not be read, that side is closed; each side is in object mode as the stage behind it is.
---
---An error of any stage destroys it with that error, and every other stage; to destroy it destroys every stage (without an
---error: with an AbortError, if they are not done). To finish it finishes the first stage, and it has finished when the last
---one has. Raises ERR_MISSING_ARGS without stages, ERR_INVALID_ARG_VALUE for a stage that cannot be read or written where it
---must be. Node's `stream.compose`.
---@param ... any
---@return weir.Duplex
function M.compose(...)
  return compose(...)
end

---`readable:compose(stage, options)`: `compose(readable, stage)`. `options.signal`: an AbortSignal that destroys it.
---@param stage any
---@param options? { signal?: weir.AbortSignal }
---@return weir.Duplex
function Readable:compose(stage, options)
  if options ~= nil and type(options) ~= 'table' then error(errors.argType('options', 'table', options), 2) end
  local signal = options and options.signal
  abort.checkOption(signal)
  if base.isStream(stage) and stage.writable ~= true then
    error(errors.argValue('stream', stage, 'must be writable'), 2)
  end
  local composed = compose(self, stage)
  if signal then base.addAbortSignal(signal, composed) end
  return composed
end

return M
