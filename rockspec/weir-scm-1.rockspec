-- SPDX-License-Identifier: MIT
-- For a stock LuaJIT: weir.core and the Lua modules. `luarocks make rockspec/weir-scm-1.rockspec` in the tree builds them with
-- CMake and the libraries of scripts/setup; it needs no network.
rockspec_format = '3.0'
package = 'weir'
version = 'scm-1'
source = { url = 'git+file://.' } -- a rock is made from the tree it is in
description = {
  summary = 'A Lua-scriptable stream runtime',
  detailed = "Node's streams for Lua: a C core with backpressure and native transforms, LuaJIT for the handlers.",
  license = 'MIT',
}
supported_platforms = { 'linux' }
dependencies = { 'lua == 5.1' }
build = {
  type = 'cmake',
  variables = {
    CMAKE_BUILD_TYPE = 'Release',
    WEIR_ROCK = 'ON',
    WEIR_LUADIR = '$(LUADIR)',
    WEIR_CDIR = '$(LIBDIR)',
  },
}
