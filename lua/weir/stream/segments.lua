-- SPDX-License-Identifier: MIT
-- A pipeline with functions among its stages: segments of streams, each a pipeline of the core or a single stream, and between
-- them functions, which take from the last stream of one segment and give to the next one.
--
-- It is over when every segment and the last function are. The first error counts (a premature close gives way to a later one,
-- as in Node), and destroys everything. A function that returns early leaves what is before it: that is no error. Behind a function
-- at the end stands a PassThrough, which has what it gives, or what it has returned, to be read.

local core = require 'weir.core'
local abort = require 'weir.abort'
local base = require 'weir.stream.base'
local errors = require 'weir.errors'
local PassThrough = require('weir.stream.duplex').PassThrough
local Readable = require 'weir.stream.readable'
local stage = require 'weir.stream.stage'

local type, error, ipairs, xpcall = type, error, ipairs, xpcall
local isStream = base.isStream

local M = {}

-- ---- Which stages there are -----------------------------------------------------------------------------------------------

local function firstStream(x, signal)
  if type(x) == 'function' and stage.takes(x) == 2 then return stage.Outlet(x, signal) end
  return Readable.from(x)
end

-- Sorts the stages into segments; `consumer` is a function that is the last stage and only takes.
local function sort(stages, signal)
  local segments, consumer, current = {}, nil, {}
  for i, x in ipairs(stages) do
    if isStream(x) then
      current[#current + 1] = x
    elseif i == 1 then
      current[1] = firstStream(x, signal)
    elseif i == #stages and stage.takes(x) < 2 then
      consumer = x
    else
      segments[#segments + 1] = current
      current = { stage.Outlet(x, signal, current[#current]) }
      if i == #stages then current[2] = PassThrough{ objectMode = true } end
    end
  end
  segments[#segments + 1] = current
  return segments, consumer
end

local function checkFunction(x, i, count)
  if type(x) ~= 'function' then error(errors.argType('streams[' .. i .. ']', { 'function', 'Stream' }, x), 5) end
  if i < count and stage.takes(x) < 2 then
    error(errors.argValue('streams[' .. i .. ']', x, 'must be a function (source, emit)'), 5)
  end
end

---Are there others than streams among the stages? Raises for what can be none.
---@param stages any[]
---@return boolean
function M.any(stages)
  local any = false
  for i = 1, #stages do
    if not isStream(stages[i]) then
      any = true
      if i > 1 then checkFunction(stages[i], i, #stages) end
    end
  end
  return any
end

-- ---- How they go ----------------------------------------------------------------------------------------------------------

local Chain = {}
Chain.__index = Chain

local LEFT = { ERR_STREAM_PREMATURE_CLOSE = true, ABORT_ERR = true }

-- Tells the functions that they may stop.
local function tell(self)
  local ok, err = xpcall(self.controller.abort, base.caught, self.controller)
  if not ok then base.report(err) end
end

function Chain:fail(err)
  if not self.err or self.err.code == 'ERR_STREAM_PREMATURE_CLOSE' then self.err = err end
  for _, segment in ipairs(self.segments) do
    if segment.handle then core.pipelineAbort(segment.handle, self.err) end
    core.abort(segment[#segment], self.err)
  end
  if self.outcome then core.abort(self.outcome, self.err) end
  tell(self)
end

-- One of the segments, or the consumer, is over.
function Chain:over(err)
  self.left = self.left - 1
  if err then self:fail(err) end
  if self.left > 0 then return end
  tell(self)
  self.done(self.err, self.value)
end

-- Was it left by the function behind it, which has what it wanted?
local function wasLeft(segment, err)
  return segment.taker and segment.taker.left and LEFT[err.code]
end

function Chain:join(segment, finish)
  local function over(err)
    segment.handle = nil
    if err and wasLeft(segment, err) then err = nil end
    self:over(err)
  end
  if #segment > 1 then
    segment.handle = core.pipeline(segment, finish, over)
  else
    core.finished(segment[1], true, false, true, over)
  end
end

local function nothing() end

-- What the last function has returned, to be read.
local function newOutcome()
  local outcome = PassThrough{ objectMode = true }
  core.finished(outcome, nil, nil, true, nothing) -- its error is the pipeline's, and told there
  return outcome
end

local function giveOutcome(outcome, value, finish)
  if outcome.destroyed then return end
  if value ~= nil then outcome:write(value) end
  if finish then outcome:finish() end
end

function Chain:consume(fn, finish)
  local segment, taker = self.segments[#self.segments], {}
  local stream = segment[#segment]
  segment.taker = taker
  stage.consume(fn, self.controller.signal, stream, function(err, value)
    taker.left = not stream.destroyed
    self.value = value
    if self.outcome and not err then giveOutcome(self.outcome, value, finish) end
    self:over(err)
  end)
end

---Starts it; DONE is called once, when all are over, with the first error, or what a last function has returned.
---@param stages any[] as `any` has let pass
---@param finish boolean whether the last stream is finished
---@param done fun(err: weir.Error?, value: any)
---@param reads boolean whether somebody may read what a last function has returned
---@return fun(err: weir.Error) fail ends it from outside
---@return weir.Stream? last the stream at its end
function M.start(stages, finish, done, reads)
  local controller = abort.AbortController()
  local segments, consumer = sort(stages, controller.signal)
  local self = setmetatable({ segments = segments, done = done, controller = controller }, Chain)
  self.left = #segments + (consumer and 1 or 0)
  if consumer and reads then self.outcome = newOutcome() end
  for i, segment in ipairs(segments) do
    local following = segments[i + 1]
    segment.taker = following and following[1]
    self:join(segment, finish or i < #segments)
  end
  if consumer then self:consume(consumer, finish) end
  local last = segments[#segments]
  return function(err) self:fail(err) end, consumer and self.outcome or last[#last]
end

return M
