-- SPDX-License-Identifier: MIT
-- weir.h: the programs of scripts/examples/embed, built against the library of the tree.

local build = os.getenv('WEIR'):match '^(.*)/[^/]*$'
local sanitized = build:find '/asan$' and '-fsanitize=address,undefined' or ''

-- Runs a shell command; its output, and its exit status behind it.
local function sh(...)
  local pipe = io.popen('(' .. string.format(...) .. ') 2>&1; echo "status $?"')
  local output, status = pipe:read('*a'):match '^(.-)\n?status (%d+)\n$'
  pipe:close()
  return output, tonumber(status)
end

describe('embedding', function()
  local dir
  setup(function() dir = sh 'mktemp -d' end)
  teardown(function() sh('rm -rf %s', dir) end)

  -- Compiles a source; the program's path.
  local function compiled(source, name)
    local output, status = sh('cc -g %s -Wall -Wextra -Werror -Iruntime/host $(pkg-config --cflags luajit) %s -o %s/%s ' ..
      '-L%s/lib -lweir -Wl,-rpath,%s/lib $(pkg-config --libs luajit) -lev', sanitized, source, dir, name, build, build)
    assert(status == 0, output)
    return dir .. '/' .. name
  end

  local function built(name)
    return compiled('scripts/examples/embed/' .. name .. '.c', name)
  end

  local function script(text)
    local path = dir .. '/script.lua'
    local file = io.open(path, 'w')
    file:write(text)
    file:close()
    return path
  end

  describe('minimal.c', function()
    local minimal
    setup(function() minimal = built 'minimal' end)

    it('runs a script with its arguments, until nothing is left', function()
      local path = script 'require"weir".sleep(2) print(..., arg[2], arg[0] ~= nil)'
      assert.same({ 'a\tb\ttrue', 0 }, { sh('%s %s a b', minimal, path) })
    end)

    it('is told of errors, and goes on', function()
      local path = script [[
        local weir = require 'weir'
        weir.setInterval(print, 1e6)
        weir.sleep(2)
        weir.Writable{ name = 'rows', write = function() error 'bad' end }:write 'x']]
      local output, status = sh('%s %s', minimal, path)
      assert.equal(minimal .. ': Uncaught bad\n    in the stream rows\n    at ' .. path .. ':4: in function <' .. path .. ':4>', output)
      assert.equal(1, status)
      assert.same({ minimal .. ': cannot open /nosuch.lua: No such file or directory', 1 }, { sh('%s /nosuch.lua', minimal) })
    end)

    it('keeps its process when a script exits', function()
      local path = script 'local weir = require "weir" weir.setInterval(print, 1e6) weir.process.exit(5) print "no"'
      assert.same({ '', 5 }, { sh('%s %s', minimal, path) })
    end)

    it('is told that a script waits for ever', function()
      local path = script 'local weir = require "weir" weir.pipeline(weir.Readable{ read = function() end }, weir.PassThrough())'
      local output, status = sh('%s %s', minimal, path)
      assert.truthy(output:find('ERR_UNSETTLED_WAIT', 1, true), output)
      assert.equal(1, status)
    end)
  end)

  it('misuse is refused, and errors are kept until the next run', function()
    local file = io.open(dir .. '/misuse.c', 'w')
    file:write [=[
#include <ev.h>
#include <lauxlib.h>
#include <stdio.h>
#include <weir.h>

static struct weir *w;

static int meddle(lua_State *L)
{
    (void)L;
    printf("inside %d\n", weir_close(w));
    return 0;
}

static void run(struct ev_loop *loop, const char *code)
{
    int status = weir_run_string(w, code, "=x");
    if (loop)
        ev_run(loop, 0);
    printf("%d %d %d [%s]\n", status, weir_failed(w), weir_running(w), weir_last_error(w));
    fflush(stdout);
}

static void all(struct ev_loop *loop)
{
    struct weir *second;
    struct weir_options options = {.size = sizeof options, .loop = loop, .threads = 1};
    if (weir_open(&w, &options))
        return;
    lua_pushcfunction(weir_lua(w), meddle);
    lua_setglobal(weir_lua(w), "meddle");
    run(loop, "local weir = require 'weir' meddle() weir.sleep(1) meddle() weir.nextTick(meddle)");
    options.lua = weir_lua(w);
    printf("open already %d\n", weir_open(&second, &options));
    options.lua = NULL;
    options.size = 1;
    printf("unknown size %d\n", weir_open(&second, &options));
    run(loop, "error 'boom'");
    run(loop, "x x");
    run(loop, "require 'weir'.setTimeout(print, 1, 'tick')");
    printf("closed %d\n", weir_close(w));
}

int main(void)
{
    all(NULL);
    all(ev_default_loop(0));
    ev_loop_destroy(ev_default_loop(0));
    return weir_close(NULL);
}
]=]
    file:close()
    local function once()
      return 'inside 3\ninside 3\ninside 3\n0 0 0 []\nopen already 3\nunknown size 3\n' ..
        "1 1 0 [Uncaught boom\n    at x:1: in main chunk]\n1 1 0 [x:1: '=' expected near 'x']\ntick\n0 0 0 []\nclosed 0"
    end
    local expected = once() .. '\n' .. once()
    assert.same({ expected, 0 }, { sh(compiled(dir .. '/misuse.c', 'misuse')) })
  end)

  describe('on a borrowed loop', function()
    local program
    setup(function()
      local file = io.open(dir .. '/loop.c', 'w')
      file:write [=[
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <weir.h>

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    struct weir *w;
    struct weir_options options = {.size = sizeof options, .loop = loop};
    if (argc < 2 || weir_open(&w, &options))
        return 9;
    for (int i = 1; i < argc; i++) {
        int status = weir_run_string(w, argv[i], "=x");
        ev_run(loop, 0); /* returns: nothing is left */
        printf("%d %d %d %d [%s]\n", status, weir_failed(w), weir_running(w), weir_exit_code(w), weir_last_error(w));
        fflush(stdout);
    }
    weir_close(w);
    ev_loop_destroy(loop);
    return 0;
}
]=]
      file:close()
      program = compiled(dir .. '/loop.c', 'loop')
    end)

    -- What is printed of scripts, run one after the other in one runtime; all of weir is global in them.
    local function run(...)
      local words = {}
      for _, code in ipairs { ... } do
        words[#words + 1] = "'setmetatable(_G, { __index = require \"weir\" }) " .. code .. "'"
      end
      local output, status = sh('timeout 10 %s %s', program, table.concat(words, ' '))
      assert.equal(0, status, output)
      return (output:gsub('\n    at [^\n%]]*', ''))
    end

    it('the end is seen, and the next script runs', function()
      assert.equal('ticked\n0 0 0 0 []\n0 0 0 0 []', run('setTimeout(print, 5, "ticked")', 'x = 1'))
    end)

    it('an error ends timers as well, when all streams are closed, and the next script runs', function()
      local code = [[
        setInterval(function() end, 1)
        stream = Writable{ destroy = function(_, e, callback) setTimeout(function() print "destroyed" callback(e) end, 10) end }
        setTimeout(function() error "boom" end, 1)]]
      assert.equal('destroyed\n0 1 0 0 [Uncaught boom]\nnext\n0 0 0 0 []', run(code, 'setTimeout(print, 1, "next")'))
    end)

    it('so does an error before the first wait', function()
      assert.equal('1 1 0 0 [Uncaught boom]', run 'setInterval(print, 1) error "boom"')
    end)

    it('process.exit ends the run with its code', function()
      assert.equal('0 0 0 5 []', run 'setInterval(function() end, 1) sleep(2) process.exit(5) print "no"')
      assert.equal('0 0 0 6 []\n0 0 0 0 []', run('process.exitCode = 6', 'x = 1'))
    end)

    it('a script that waits for ever has failed', function()
      assert.truthy(run('finished(PassThrough())'):find '^1 1 0 0 %[Uncaught ERR_UNSETTLED_WAIT: the script still waits')
    end)

    it('so has one whose pipeline does, and its stage is named', function()
      local output = run 'pipeline(Readable{ name = "well", read = function() end }, PassThrough(), function() end)'
      assert.truthy(output:find('a pipeline still waits for the stage well', 1, true), output)
    end)

    it('iterators that were left open are closed', function()
      local code = 'r = Readable.from{ 1, 2, 3 } for x in r:iter() do print(x) break end r:on("close", function() print "closed" end)'
      assert.equal('1\nclosed\n0 0 0 0 []', run(code))
    end)
  end)

  it('programs with an older, shorter struct of options are served, with a longer one they are not', function()
    local file = io.open(dir .. '/size.c', 'w')
    file:write [=[
#include <stddef.h>
#include <stdio.h>
#include <weir.h>

int main(void)
{
    struct weir *w;
    struct { struct weir_options o; char more[8]; } options = {.o = {.size = sizeof options}};
    printf("%d", weir_open(&w, &options.o));
    options.o.size = offsetof(struct weir_options, threads) + sizeof options.o.threads;
    printf("%d", weir_open(&w, &options.o));
    weir_close(w);
    options.o.size = sizeof(size_t);
    printf("%d", weir_open(&w, &options.o));
    return 0;
}
]=]
    file:close()
    assert.same({ '303', 0 }, { sh(compiled(dir .. '/size.c', 'size')) })
  end)

  it('opening and closing leaves nothing in a borrowed state', function()
    local file = io.open(dir .. '/again.c', 'w')
    file:write [=[
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <weir.h>

static int kib(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    return lua_gc(L, LUA_GCCOUNT, 0);
}

/* What is in the registry, without the places that luaL_unref keeps for the next luaL_ref. */
static int registered(lua_State *L)
{
    int n = 0;
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1))
        n += lua_type(L, -1) != LUA_TNUMBER;
    return n;
}

/* A stream with an error, a server, a callback that a job will not find, and what a chunk has left in Lua. */
static const char script[] =
    "local weir = require 'weir'\n"
    "failed = weir.Writable{ write = function(_, _, callback) callback 'no more' end }:on('error', function() end)\n"
    "failed:write 'x'\n"
    "weir.Readable.from{ 1 }:on('data', function() end)\n"
    "weir.net.createServer():listen(0, '127.0.0.1')\n"
    "weir.sleep(2)\n"
    "weir.crypto.scrypt('p', 's', 16, { N = 1024 }, function() end)\n"
    "weir.process.exit(0)\n";

int main(void)
{
    lua_State *L = luaL_newstate();
    int first = 0, entries = 0;
    luaL_openlibs(L);
    if (luaL_dostring(L, "jit.off()")) /* traces are no leak */
        return 1;
    for (int i = 0; i < 30; i++) {
        struct weir *w;
        struct weir_options options = {.size = sizeof options, .lua = L};
        if (weir_open(&w, &options) || weir_run_string(w, script, "=x"))
            return 1;
        weir_close(w);
        lua_pushnil(L);
        lua_setglobal(L, "failed");
        if (i == 9) {
            first = kib(L);
            entries = registered(L);
        }
    }
    printf("%s, %d", kib(L) - first < 100 ? "the same" : "more", registered(L) - entries);
    lua_close(L);
    return 0;
}
]=]
    file:close()
    assert.same({ 'the same, 0', 0 }, { sh(compiled(dir .. '/again.c', 'again')) })
  end)

  it('a runtime with files, sockets, jobs and timers under way is closed at any moment', function()
    local file = io.open(dir .. '/anywhere.c', 'w')
    file:write [=[
#include <ev.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir.h>

static const char script[] =
    "local weir = require 'weir'\n"
    "local fs, zlib, crypto, net = weir.fs, weir.zlib, weir.crypto, weir.net\n"
    "weir.setInterval(function() end, 5)\n"
    "weir.wrap(function() for _ in fs.createReadStream(IN, { highWaterMark = 1000 }):iter() do weir.sleep(1) end end)()\n"
    "local server = net.createServer(function(socket) socket:pipe(socket) end)\n"
    "server:listen(0, '127.0.0.1', function()\n"
    "  local client = net.connect(server:address().port, '127.0.0.1')\n"
    "  client:write 'x'\n"
    "  client:on('data', function(chunk) client:write(chunk) end)\n"
    "end)\n"
    "zlib.gzip(('x'):rep(1e6), function() end)\n"
    "local slow = weir.Transform{ transform = function(_, chunk, callback) weir.setTimeout(callback, 1, nil, chunk) end }\n"
    "weir.pipeline(fs.createReadStream(IN), zlib.createGzip(), slow,\n"
    "  crypto.createCipheriv('aes-256-cbc', ('k'):rep(32), ('i'):rep(16)), fs.createWriteStream(OUT, { atomic = true }))\n";

static const char *input;

static void set(struct weir *w, const char *name, const char *value)
{
    lua_pushstring(weir_lua(w), value);
    lua_setglobal(weir_lua(w), name);
}

static struct weir *start(struct ev_loop *loop, lua_State *L, const char *output)
{
    struct weir *w;
    struct weir_options options = {.size = sizeof options, .loop = loop, .lua = L};
    if (weir_open(&w, &options))
        exit(2);
    set(w, "IN", input);
    set(w, "OUT", output);
    if (weir_run_string(w, script, "=anywhere"))
        exit(3);
    return w;
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    lua_State *lent = luaL_newstate();
    if (argc < 4)
        return 9;
    input = argv[1];
    luaL_openlibs(lent);
    for (int n = 0; n < 80; n += 1 + n / 8) {
        struct weir *sides[] = {start(loop, NULL, argv[2]), start(loop, lent, argv[3])};
        for (int i = 0; i < n; i++)
            ev_run(loop, EVRUN_ONCE);
        weir_close(sides[n % 2]);
        for (int i = 0; i < n % 5; i++)
            ev_run(loop, EVRUN_ONCE);
        if (weir_failed(sides[!(n % 2)]))
            puts(weir_last_error(sides[!(n % 2)]));
        weir_close(sides[!(n % 2)]);
        lua_gc(lent, LUA_GCCOLLECT, 0);
        ev_run(loop, EVRUN_NOWAIT);
    }
    lua_close(lent);
    ev_loop_destroy(loop);
    return 0;
}
]=]
    file:close()
    local program = compiled(dir .. '/anywhere.c', 'anywhere')
    sh('mkdir %s/files; head -c 8000000 /dev/urandom >%s/random', dir, dir)
    assert.same({ '', 0 }, { sh('timeout 60 %s %s/random %s/files/one %s/files/two', program, dir, dir, dir) })
    assert.equal('', sh('ls -A %s/files', dir)) -- nothing half-written is left
  end)

  it('two runtimes on one loop, each in mid-pipeline, are closed in either order', function()
    local two = built 'two'
    assert.same({ '1 and 1', 0 }, { sh(two) })
    assert.same({ '1 and 1', 0 }, { sh(two .. ' back') })
  end)

  it('a borrowed state lives on, the allocator gets all back', function()
    assert.same({ '0 bytes out', 0 }, { sh(built 'borrowed') })
  end)
end)
