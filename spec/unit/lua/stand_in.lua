-- SPDX-License-Identifier: MIT
-- What specs of single Lua modules have in place of the C core: a tick queue in Lua, and coroutines that may wait.
-- `dofile` it before requiring a module; it puts itself where `require 'weir.core'` looks.

local core = { queue = {} }
local own = setmetatable({}, { __mode = 'k' })

local function resume(co, ...)
  local good, token = coroutine.resume(co, ...)
  if not good then error(token, 0) end
  if coroutine.status(co) == 'suspended' then
    assert(token == require 'weir.wait'.token, 'a coroutine yielded something else than the token')
  end
end

function core.canWait()
  return own[coroutine.running()] == true
end

function core.wake(co, ...)
  core.queue[#core.queue + 1] = { co, n = select('#', ...), ... }
end

-- Runs fn in a coroutine that may wait, up to its first wait.
function core.go(fn, ...)
  local co = coroutine.create(fn)
  own[co] = true
  resume(co, ...)
  return co
end

-- Works off the tick queue.
function core.settle()
  while core.queue[1] do
    local tick = table.remove(core.queue, 1)
    resume(tick[1], unpack(tick, 2, tick.n + 1))
  end
end

package.loaded['weir.core'] = core
return core
