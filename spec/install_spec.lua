-- SPDX-License-Identifier: MIT
-- What `cmake --install` and `luarocks make` put in place, and that it works there without the tree.

local build = os.getenv('WEIR'):match '^(.*)/[^/]*$'

-- Runs a shell command; its output, and its exit status behind it.
local function sh(...)
  local pipe = io.popen(string.format(...) .. ' 2>&1; echo "status $?"')
  local text = pipe:read '*a'
  pipe:close()
  local output, status = text:match '^(.-)\n?status (%d+)\n$'
  return output, tonumber(status)
end

-- The same for a command that must succeed.
local function must(...)
  local output, status = sh(...)
  assert(status == 0, output)
  return output
end

local function sorted_lines(text)
  local lines = {}
  for line in text:gmatch '[^\n]+' do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

describe('installed by #all', function()
  local dir
  setup(function() dir = must 'mktemp -d' end)
  teardown(function() must('rm -rf %s', dir) end)

  describe('cmake', function()
    local prefix
    setup(function()
      prefix = dir .. '/usr'
      must('cmake --install %s --prefix %s', build, prefix)
    end)

    it('has its files where each belongs', function()
      for _, file in ipairs {
        'bin/weir', 'include/weir.h', 'lib/libweir.a', 'lib/libweir.so', 'lib/libweir.so.0', 'lib/pkgconfig/weir.pc',
        'lib/cmake/weir/weirConfig.cmake', 'lib/lua/5.1/weir/core.so', 'share/lua/5.1/weir/init.lua',
      } do
        local _, status = sh('test -e %s/%s', prefix, file)
        assert.equal(0, status, file)
      end
    end)

    it('has every Lua module of the tree', function()
      local here = sorted_lines(must 'cd lua && find weir -name "*.lua"')
      assert.same(here, sorted_lines(must('cd %s/share/lua/5.1 && find weir -name "*.lua"', prefix)))
      assert.is_true(#here > 0)
    end)

    it('exports no name but the public ones', function()
      local names = { lib = must('nm -D --defined-only %s/lib/libweir.so', prefix),
        core = must('nm -D --defined-only %s/lib/lua/5.1/weir/core.so', prefix) }
      for line in names.lib:gmatch '[^\n]+' do
        assert.truthy(line:find ' T weir_' or line:find ' T luaopen_weir', line)
      end
      assert.truthy(names.core:find '^%x+ T luaopen_weir_core$', names.core)
    end)

    it('is found by pkg-config and by CMake', function()
      local flags = must('PKG_CONFIG_PATH=%s/lib/pkgconfig pkg-config --cflags --libs weir', prefix)
      assert.truthy(flags:find '-lweir', 1, true)
      local project = io.open(dir .. '/CMakeLists.txt', 'w')
      project:write('cmake_minimum_required(VERSION 3.25)\nproject(user C)\nfind_package(weir 0.1 REQUIRED)\n',
        'file(WRITE user.c "#include <weir.h>\\nint main(void) { return 0; }\\n")\n',
        'foreach(kind weir weir_static)\n  add_executable(user_${kind} user.c)\n',
        '  target_link_libraries(user_${kind} weir::${kind})\nendforeach()\n')
      project:close()
      must('cd %s && cmake -S . -B build -DCMAKE_PREFIX_PATH=%s && cmake --build build', dir, prefix)
      must('%s/build/user_weir && %s/build/user_weir_static', dir, dir)
    end)

    it('builds and runs the examples of embedding', function()
      if build:find '/asan$' then return end -- the sanitizer wants to be linked first
      for name, expected in pairs { minimal = 'hello', two = '1 and 1', borrowed = '0 bytes out' } do
        must('PKG_CONFIG_PATH=%s/lib/pkgconfig cc scripts/examples/embed/%s.c $(PKG_CONFIG_PATH=%s/lib/pkgconfig:$PKG_CONFIG_PATH ' ..
          'pkg-config --cflags --libs weir luajit) -lev -Wl,-rpath,%s/lib -o %s/%s', prefix, name, prefix, prefix, dir, name)
        must("echo 'print(\"hello\")' >%s/script.lua", dir)
        assert.equal(expected, must('%s/%s %s/script.lua', dir, name, dir))
      end
    end)

    it('can be required by a stock luajit', function()
      local output = must('cd / && LUA_PATH="%s/share/lua/5.1/?.lua;%s/share/lua/5.1/?/init.lua" ' ..
        'LUA_CPATH="%s/lib/lua/5.1/?.so" luajit -e \'print(type(require "weir"))\'', prefix, prefix, prefix)
      assert.equal('table', output)
    end)
  end)

  it('luarocks can be required by a stock luajit', function()
    must('cp -r CMakeLists.txt runtime lua scripts rockspec %s', dir)
    must('cd %s && luarocks make --lua-version=5.1 --tree=%s/rocks rockspec/weir-scm-1.rockspec', dir, dir)
    local output = must('cd / && LUA_PATH="%s/rocks/share/lua/5.1/?.lua;%s/rocks/share/lua/5.1/?/init.lua" ' ..
      'LUA_CPATH="%s/rocks/lib/lua/5.1/?.so" luajit -e \'print(type(require "weir"))\'', dir, dir, dir)
    assert.equal('table', output)
  end)
end)
