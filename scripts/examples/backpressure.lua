-- SPDX-License-Identifier: MIT
-- Backpressure by hand: a writable that is slow, and a producer that is fast but stops when write() says false and goes on
-- at 'drain'. No more than the mark ever waits. (`pipe` and `pipeline` do this by themselves.)
--   scripts/weir scripts/examples/backpressure.lua

local weir = require 'weir'

local CHUNKS = 6
local chunk = ('x'):rep(8 * 1024)

local taken = 0
local slow = weir.Writable{
  highWaterMark = 16 * 1024,
  write = function(_, _, callback)
    weir.sleep(100) -- a handler may wait: its callback is held back
    taken = taken + 1
    print(('writer: chunk %d is written'):format(taken))
    callback()
  end,
}

local made = 0
local function produce()
  while made < CHUNKS do
    made = made + 1
    local more = slow:write(chunk)
    print(('producer: chunk %d, %d bytes wait'):format(made, slow.writableLength))
    if not more and made < CHUNKS then
      print 'producer: write() says false, stop'
      slow:once('drain', function()
        print "producer: 'drain', go on"
        produce()
      end)
      return
    end
  end
  slow:finish()
end

slow:on('finish', function() print(('finished: %d chunks'):format(taken)) end)
produce()
