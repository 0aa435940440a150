-- SPDX-License-Identifier: MIT
-- What luacheck (through scripts/check) takes for granted.
std = 'luajit'
max_line_length = 140
unused_args = false
files['spec'] = { std = '+busted' }
