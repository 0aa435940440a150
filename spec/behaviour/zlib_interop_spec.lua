-- SPDX-License-Identifier: MIT
-- Compression and others: gunzip, gzip and Node read what weir writes, and the other way round.

local weir = require 'weir'
local support = require 'support'
local zlib = weir.zlib
local command, log_like, through = support.output_of, support.log_like, support.through
local FORMATS, create = support.zlib_formats, support.zlib_create

describe('zlib and others', function()
  local dir
  before_each(function() dir = command('mktemp -d'):gsub('\n', '') end)
  after_each(function() command('rm -rf %s', dir) end)

  local function write(name, bytes) support.write_file(dir .. '/' .. name, bytes) end

  it('gunzip reads what it writes, and the other way round', function()
    weir.run(function()
      write('a.gz', (through(zlib.createGzip(), log_like(9000), 65536)))
      write('b', log_like(9000))
      assert.is_true(command('gunzip -c %s/a.gz', dir) == log_like(9000))
      assert.is_true((through(zlib.createGunzip(), command('gzip -c %s/b', dir), 65536)) == log_like(9000))
    end)
  end)

  it('Node reads what it writes, and the other way round #all', function()
    weir.run(function()
      for _, pair in ipairs(FORMATS) do
        for _, level in ipairs { 1, 6, 9 } do
          local input = log_like(7000)
          write('in', (through(create(pair[1], { level = level }), input, 65536)))
          local script = ("process.stdout.write(require('zlib').%sSync(require('fs').readFileSync(process.argv[1])))"):format(pair[2])
          assert.is_true(command('node -e "%s" %s/in', script, dir) == input)
          write('in', input)
          script = ("process.stdout.write(require('zlib').%sSync(require('fs').readFileSync(process.argv[1]),{level:%d}))")
            :format(pair[1], level)
          assert.is_true((through(create(pair[2]), command('node -e "%s" %s/in', script, dir), 9999)) == input)
        end
      end
    end)
  end)
end)
