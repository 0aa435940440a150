-- SPDX-License-Identifier: MIT
-- Events of a stream that a script emits itself. As in Node, pipes, pipelines and `finished` hear of them, and the stream's own
-- state is not changed. (What is expected here is what Node 20 logged.)

local weir = require 'weir'

local function stage()
  return weir.PassThrough{ objectMode = true }
end

-- What a pipeline of three and a finished() log when its middle stage emits that.
local function emitted(event, value, heard)
  local log, stages = {}, { a = stage(), b = stage(), c = stage() }
  local function note(...) log[#log + 1] = table.concat({ ... }, ' ') end
  for name, stream in pairs(stages) do
    for _, each in ipairs { 'close', 'unpipe', 'end', 'finish' } do stream:on(each, function() note(name .. '.' .. each) end) end
    if heard or name ~= 'b' then stream:on('error', function(err) note(name .. '.error', err.code or err.message) end) end
  end
  local function codeOf(err) return err and (err.code or err.message) or 'nil' end
  weir.run(function()
    weir.pipeline(stages.a, stages.b, stages.c, function(err) note('pipeline', codeOf(err)) end)
    weir.finished(stages.b, function(err) note('finished', codeOf(err)) end)
    weir.sleep(1)
    stages.b:emit(event, value)
    weir.sleep(2)
    for _, stream in pairs(stages) do stream:destroy() end
  end)
  return log
end

-- The entries of the log up to what the destroying at the end brings about.
local function all_in(log, wanted)
  local seen = {}
  for _, line in ipairs(log) do seen[line] = true end
  for _, line in ipairs(wanted) do assert(seen[line], 'not there: ' .. line .. '\n' .. table.concat(log, '\n')) end
end

describe('emitted by hand', function()
  it("an 'error' fails the pipeline, and is heard there", function()
    all_in(emitted('error', { message = 'boom' }), { 'pipeline boom', 'finished boom', 'a.error boom', 'c.error boom' })
  end)

  it("an 'error' is heard by listeners too", function()
    all_in(emitted('error', { message = 'boom' }, true), { 'pipeline boom', 'finished boom', 'b.error boom', 'c.error boom' })
  end)

  it("a 'close' is a premature one", function()
    all_in(emitted('close', nil, true), { 'pipeline ERR_STREAM_PREMATURE_CLOSE', 'finished ERR_STREAM_PREMATURE_CLOSE',
      'b.error ERR_STREAM_PREMATURE_CLOSE' })
  end)

  it("an 'end' finishes the next stage", function()
    all_in(emitted('end', nil, true), { 'b.end', 'c.finish' })
  end)

  it("a 'finish' takes the pipe into the stream away", function()
    all_in(emitted('finish', nil, true), { 'b.finish', 'b.unpipe' })
  end)

  it("an 'error' that nobody hears is raised to whoever emits it", function()
    local ok, err = pcall(weir.run, function() stage():emit('error', 'boom') end)
    assert.is_false(ok)
    assert.matches('boom', tostring(err))
  end)

  it("a 'drain' lets what was piped go on", function()
    local got = 0
    weir.run(function()
      local source = weir.Readable{ objectMode = true, highWaterMark = 1, read = function() end }
      local slow = weir.Writable{ objectMode = true, highWaterMark = 1, write = function() got = got + 1 end }
      source:pipe(slow)
      weir.sleep(1)
      source:push(1)
      source:push(2)
      weir.sleep(1)
      assert.is_true(source:isPaused())
      slow:emit 'drain'
      assert.is_false(source:isPaused())
      source:destroy()
      slow:destroy()
    end)
    assert.equal(1, got)
  end)
end)
