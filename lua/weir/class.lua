-- SPDX-License-Identifier: MIT
-- Classes: methods by inheritance, properties by getters, and look-ups that compiled code does not pay for.
--
-- A class table is a proxy, always empty: every assignment passes through `__newindex` and is copied down into one flat
-- table a class, which holds all its methods, own and inherited. So an instance finds a method with one look-up however
-- deep the class is, and still sees what was added later to any ancestor. (A chain of tables costs a guard a level: 10 %
-- more in bursts of 16 calls, 25 % more interpreted.)
--
-- An instance's `__index` is a function, because a property needs the instance; at the end of a chain of tables a getter
-- would be given the base class. All classes share one prototype of that function: one each is a little faster with up to
-- four classes at a place, but six times slower with 64, since then no class can use the traces of another.

local getmetatable, setmetatable, type, pairs = getmetatable, setmetatable, type, pairs
local find, format = string.find, string.format

local M = {}

---@class weir.Class
---@field __name string the class's name
---@field __class weir.Class the class itself; from an instance, the class it is of
---@field __parent? weir.Class
---@field getters table<string, fun(self: table): any> properties: assign a function by the property's name
---@field extend fun(self: weir.Class, name?: string): weir.Class
---@operator call: table

-- What belongs to a class: { meta (of instances), own, flat, ownGetters, getters (flat too), parents, ancestors
-- (set of classes), below (states of subclasses, weak), door (what assignments to Class.getters go through) }.

local function stateOf(class)
  local meta = getmetatable(class)
  return type(meta) == 'table' and meta.weirClass or nil
end

local function makeIndex(flat, getters)
  return function(self, key)
    local method = flat[key]
    if method ~= nil then return method end
    local getter = getters[key]
    if getter then return getter(self) end
  end
end

local function isMetamethod(key)
  return type(key) == 'string' and find(key, '^__') ~= nil
end

-- Works out what `key` is in this class, and below it as far as that changes something.
local function resolve(state, own, flat, key)
  local value = state[own][key]
  local parents = state.parents
  for i = 1, #parents do
    if value ~= nil then break end
    value = parents[i][flat][key]
  end
  if state[flat][key] == value then return end
  state[flat][key] = value
  if flat == 'flat' and isMetamethod(key) then state.meta[key] = value end
  for sub in pairs(state.below) do resolve(sub, own, flat, key) end
end

local function assign(state, own, flat, key, value)
  state[own][key] = value
  resolve(state, own, flat, key)
end

local function defaultToString(self)
  return format('%s: %p', getmetatable(self).__name, self)
end

local function construct(state)
  local meta, flat = state.meta, state.flat
  return function(_, ...)
    local self = setmetatable({}, meta)
    local init = flat.init
    if init then init(self, ...) end
    return self
  end
end

local statics = {}

local function gettersDoor(state)
  return setmetatable({}, {
    __index = state.getters,
    __newindex = function(_, key, getter) assign(state, 'ownGetters', 'getters', key, getter) end,
  })
end

local function classMeta(state)
  local flat = state.flat
  return {
    weirClass = state,
    __index = function(_, key)
      local value = flat[key]
      if value ~= nil then return value end
      if key == 'getters' then return state.door end
      return statics[key]
    end,
    __newindex = function(_, key, value)
      if key == '__index' then error('class ' .. flat.__name .. ': __index is taken; use getters', 2) end
      assign(state, 'own', 'flat', key, value)
    end,
    __call = construct(state),
    __tostring = function() return 'class ' .. flat.__name end,
    __show = function() return '[class ' .. flat.__name .. ']' end,
  }
end

local function inherit(state, parents)
  for i = 1, #parents do
    local parent = stateOf(parents[i])
    if not parent then error('class.new: parent ' .. i .. ' is not a class', 3) end
    state.parents[i] = parent
    parent.below[state] = true
    for ancestor in pairs(parent.ancestors) do state.ancestors[ancestor] = true end
    for key in pairs(parent.flat) do resolve(state, 'own', 'flat', key) end
    for key in pairs(parent.getters) do resolve(state, 'ownGetters', 'getters', key) end
  end
end

---Makes a class. Calling it makes an instance and calls its `init(self, ...)`, if it has one; what `init` returns is
---dropped, and a parent's `init` is called by name: `Parent.init(self, ...)`.
---
---Methods are assigned to the class (`function Parser:feed(bytes) ... end`), properties to its `getters`
---(`function Parser.getters:length() return #self._queue end`). Fields of the instance come first, then methods, then
---properties; what is none of these is nil. A property cannot be set: an assignment makes a field that hides it. What is
---assigned later, also to an ancestor, is seen by all instances that exist. Metamethods (`__tostring`, `__call` ...) are
---assigned like methods and inherited; `__index` is taken.
---
---With several parents what the first one has, own or inherited, is preferred.
---@param name string
---@param ... weir.Class parents
---@return weir.Class
function M.new(name, ...)
  if type(name) ~= 'string' then error('class.new: the name must be a string', 2) end
  local class = {}
  local state = {
    meta = {},
    own = {}, flat = {},
    ownGetters = {}, getters = {},
    parents = {}, ancestors = { [class] = true },
    below = setmetatable({}, { __mode = 'k' }),
  }
  state.door = gettersDoor(state)
  state.meta.__index = makeIndex(state.flat, state.getters)
  assign(state, 'own', 'flat', '__name', name)
  assign(state, 'own', 'flat', '__class', class)
  assign(state, 'own', 'flat', '__parent', (...) or false)
  if select('#', ...) == 0 then assign(state, 'own', 'flat', '__tostring', defaultToString) end
  inherit(state, { ... })
  return setmetatable(class, classMeta(state))
end

---`Base:extend('Name')`: a subclass. Without a name it bears its parent's.
---@param name? string
---@return weir.Class
function statics:extend(name)
  if not stateOf(self) then error('extend: call it with a colon on a class', 2) end
  if name ~= nil and type(name) ~= 'string' then error('extend: the name must be a string', 2) end
  return M.new(name or self.__name, self)
end

---Is `value` an instance of `class` or of one of its subclasses? (JavaScript's `instanceof`.)
---@param value any
---@param class weir.Class
---@return boolean
function M.is(value, class)
  local meta = getmetatable(value)
  local own = type(meta) == 'table' and rawget(meta, '__class')
  local state = own and stateOf(own)
  return state ~= nil and state ~= false and state.meta == meta and state.ancestors[class] == true
end

---Is `value` a class itself?
---@param value any
---@return boolean
function M.isClass(value)
  return type(value) == 'table' and stateOf(value) ~= nil
end

---The class that `value` is an instance of, or nil.
---@param value any
---@return weir.Class?
function M.of(value)
  local meta = getmetatable(value)
  local own = type(meta) == 'table' and rawget(meta, '__class')
  local state = own and stateOf(own)
  if state and state.meta == meta then return own end
end

return M
