/* SPDX-License-Identifier: MIT */
/* The smallest program with weir in it: runs the script that is its argument.
 *
 *     cc minimal.c $(pkg-config --cflags --libs weir) -o minimal
 *     ./minimal script.lua arguments...
 */
#include <signal.h>
#include <stdio.h>
#include <weir.h>

int main(int argc, char **argv)
{
    struct weir *w;

    if (argc < 2) {
        fprintf(stderr, "usage: %s script.lua [arguments]\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is the error EPIPE of a stream */
    if (weir_open(&w, NULL) != WEIR_OK) {
        fprintf(stderr, "%s: weir does not start\n", argv[0]);
        return 1;
    }
    int status = weir_run_file(w, argv[1], argc - 2, argv + 2);
    if (status != WEIR_OK)
        fprintf(stderr, "%s: %s\n", argv[0], weir_last_error(w));
    else
        status = weir_exit_code(w);
    weir_close(w);
    return status;
}
