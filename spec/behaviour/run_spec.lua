-- SPDX-License-Identifier: MIT
-- weir.run, as a program of a stock luajit calls it: here the specs themselves.

local weir = require 'weir'

describe('weir.run', function()
  it('waits for what it runs, also after one that has raised', function()
    for _, raise in ipairs {
      function() error 'boom' end,
      function() weir.sleep(1) error 'boom' end,
    } do
      local ok, err = pcall(weir.run, raise)
      assert.is_false(ok)
      assert.matches('boom', tostring(err))
      local steps = 0
      weir.run(function()
        for _ = 1, 3 do
          weir.sleep(1)
          steps = steps + 1
        end
      end)
      assert.equal(3, steps)
    end
  end)

  it('raises where its function waits for what never comes', function()
    local ok, err = pcall(weir.run, function()
      weir.finished(weir.Readable{ read = function() end })
    end)
    assert.same({ false, 'ERR_UNSETTLED_WAIT' }, { ok, err.code })
  end)
end)
