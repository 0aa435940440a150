/* SPDX-License-Identifier: MIT */
/* weir in a program of yours: a stream runtime that runs Lua scripts, on its own event loop or on yours.
 *
 *     struct weir *w;
 *     if (weir_open(&w, NULL) == WEIR_OK) {
 *         if (weir_run_file(w, "transform.lua", argc, argv))
 *             fprintf(stderr, "%s\n", weir_last_error(w));
 *         weir_close(w);
 *     }
 *
 * Runtimes are independent of one another: a process may have any number, on one thread or on several. One runtime belongs to
 * one thread, that of its loop; each function here must be called on it. The library has no global state, installs no signal
 * handler of its own accord and never touches SIGPIPE: a program that gives scripts sockets or pipes should ignore it.
 *
 * docs/embedding.md has the whole story, with examples. */
#ifndef WEIR_H
#define WEIR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

struct ev_loop;
struct lua_State;
struct weir;

enum weir_status {
    WEIR_OK = 0,
    WEIR_ERROR = 1,     /* the script failed, or could not be read; weir_last_error says how */
    WEIR_NO_MEMORY = 2, /* no memory, or no descriptors for an event loop */
    WEIR_MISUSE = 3     /* this must not be called now, or not with these arguments; nothing was done */
};

/* PTR NULL: allocate NEW_SIZE bytes. NEW_SIZE 0: free PTR, and return NULL. Else resize PTR, which has OLD_SIZE bytes; return
 * NULL if that fails, and leave PTR as it was. Called by the worker threads too: it must be safe to call from several at once. */
typedef void *weir_alloc_fn(void *user, void *ptr, size_t old_size, size_t new_size);

/* How a runtime is to be. Clear it, set `size`, and what you want otherwise than it is with NULL and 0. */
struct weir_options {
    size_t
        size; /* sizeof(struct weir_options): programs built with an older header, whose struct is shorter, keep working */

    /* Memory for all that weir allocates, the Lua state it makes included. NULL: malloc's family, and Lua's own allocator.
     * libev and mbedTLS have allocators for the whole process, which weir leaves alone. LuaJIT does not survive that its first
     * allocations fail: impose limits after weir_open. */
    weir_alloc_fn *alloc;
    void *alloc_user;

    /* The loop to live on, yours: weir puts watchers on it, and whoever runs it runs the scripts. It must stay until
     * weir_close. NULL: a loop of weir's own, which weir_run_file and weir_run_string run. */
    struct ev_loop *loop;

    /* The Lua state to open weir in, yours: its main thread or a coroutine that lives. `require "weir"` finds weir in it from
     * now on. It must stay until weir_close and may go on after it: objects of weir that are left then do nothing, and raise
     * when they are used. A state holds one runtime at a time. NULL: a new state, with Lua's standard libraries, whose
     * compiler and collector weir sets for its needs; those of a borrowed one it leaves alone. */
    struct lua_State *lua;

    /* How many threads compress, read files and the like, at most. 0: as many as there are processors, 2 to 4. Threads are
     * started when they are needed first. */
    unsigned threads;
};

/* Opens a runtime and puts it in *W, NULL on failure. OPTIONS (copied; NULL: all as it comes) as above. WEIR_MISUSE: `size` is
 * none that this library knows (as of a header newer than it), or weir is open in that Lua state already. WEIR_ERROR: Lua failed on the way. */
WEIR_API int weir_open(struct weir **w, const struct weir_options *options);

/* Runs the script in the file PATH. ARGV, of ARGC strings (copied), is given to it as `...` and as the global `arg`, in which PATH
 * is at 0.
 *
 * On a loop of weir's own it returns when the script is over and nothing that it began is left: WEIR_OK, or WEIR_ERROR for an
 * error that nobody caught, on which the run ends at once. Not to be called by a function that a script calls (WEIR_MISUSE).
 *
 * On a borrowed loop it runs the script up to its first wait and returns: WEIR_ERROR if it has failed by then. The rest happens
 * as you run the loop; weir_running tells when it is over, weir_failed whether an error was left uncaught, of which the first is
 * kept. Such an error, and process.exit, destroy all open streams, and when these are closed, stop timers and close servers.
 *
 * A script, or a pipeline, that still waits when nothing is left which could wake it has failed, too.
 *
 * May be called again when the last script is over, in the same Lua state, or, on a borrowed loop, while others go on. */
WEIR_API int weir_run_file(struct weir *w, const char *path, int argc, char *const *argv);

/* The same for the script CODE, which error messages call NAME. It gets no arguments. */
WEIR_API int weir_run_string(struct weir *w, const char *code, const char *name);

/* Does anything go on in W: a script, a stream that waits for a descriptor, a timer, a job, a tick? On a borrowed loop the end is
 * seen in the next turn of the loop; an ev_run with nothing else on it then returns. */
WEIR_API int weir_running(const struct weir *w);

/* Was an error left uncaught since the last weir_run_file or weir_run_string? */
WEIR_API int weir_failed(const struct weir *w);

/* What a script gave to process.exit, which ends the run but not your process, or left in process.exitCode; 0 at first. */
WEIR_API int weir_exit_code(const struct weir *w);

/* What went wrong last, for a person: the message, the stream that failed, the lines of the script. Never NULL; empty if
 * nothing did. Yours until the next call with W. */
WEIR_API const char *weir_last_error(const struct weir *w);

/* The Lua state of W: to register functions in it, to set globals, to look at results. To call functions that use weir on a
 * loop of weir's own, let a script do it; on a borrowed loop call them as you like. */
WEIR_API struct lua_State *weir_lua(const struct weir *w);

/* Closes W, whatever goes on in it, and frees it, with its state and loop unless they are yours: scripts are not told, their
 * streams are dropped, descriptors closed, unfinished atomic files removed; jobs on other threads are waited for. NULL does
 * nothing. WEIR_MISUSE, and nothing is done, in a function that a script of W calls, directly or not. */
WEIR_API int weir_close(struct weir *w);

/* The version of the library, as "0.1.0". */
WEIR_API const char *weir_version(void);

#ifdef __cplusplus
}
#endif

#endif
