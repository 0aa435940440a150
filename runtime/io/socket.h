/* SPDX-License-Identifier: MIT */
/* A stream socket (TCP or Unix) as a duplex stream: both its sides wait by one watcher, and what is between them and the kernel
 * is the stream's own buffers only. So backpressure reaches the peer: what the readable side does not ask for is not received.
 *
 * States, and who takes each edge:
 *
 *   IDLE --begin--> LOOKUP --connect--> CONNECTING --settle--> OPEN --destroy--> CLOSED
 *     \---------------------adopt-------------------------------^
 *
 * From every state destroy leads to CLOSED. A descriptor is there in CONNECTING and OPEN, and then the stream is pinned and a
 * descriptor open until it is destroyed, as in Node. Writes and the end that come before OPEN wait for it.
 *
 * That a stream connects is not its `construct`, since a stream that is destroyed waits for that, and a connection that
 * nobody answers takes minutes to fail.
 */
#ifndef WR_IO_SOCKET_H
#define WR_IO_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/un.h>

#include "io.h"
#include "list.h"
#include "stream.h"
#include "timer.h"

struct wr_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
};

struct wr_socket;

/* What sockets ask of their host. */
struct wr_socket_host {
    struct wr_loop *loop;
    const struct wr_sys *sys;
    struct wr_list sockets; /* all of them */
    /* The error for NUMBER (errno, positive) of SYSCALL, about ADDRESS (NULL: none), counted; NULL: one of the fault alone. */
    struct wr_error *(*error)(struct wr_socket *so, int number, const char *syscall, const struct wr_address *address);
    void (*connected)(struct wr_socket *so);
    void (*idle)(struct wr_socket *so); /* nothing came or went for as long as `timeout` */
    /* The stream was closed, with an error or not; EMIT: this is its 'close'; else it is gone without one. */
    void (*closed)(struct wr_socket *so, bool error, bool emit);
};

enum wr_socket_state {
    WR_SOCKET_IDLE,       /* was not told to connect */
    WR_SOCKET_LOOKUP,     /* waits for addresses */
    WR_SOCKET_CONNECTING, /* waits for the peer */
    WR_SOCKET_OPEN,
    WR_SOCKET_CLOSED
};

struct wr_socket {
    struct wr_stream *s;
    struct wr_socket_host *host;
    struct wr_list link;
    struct wr_watch watch;
    bool told; /* the host was, of the end */
    enum wr_socket_state state;
    int fd; /* -1: none */
    struct wr_io io;
    bool weak; /* does not keep the loop alive */

    struct wr_address *addresses; /* to be tried, from `at` on */
    uint32_t count, at;
    int result; /* of connect: 0, or a negative errno number */

    bool asked; /* the handler `read` was not answered yet */
    bool ended; /* the peer has */
    uint64_t received;

    uint32_t out, index; /* chunks of the handler `write`; the first that is not sent */
    size_t offset;       /* what of it is */
    uint64_t sent;       /* by handlers that have completed */
    bool finishing;      /* the handler `final` waits */

    struct wr_timer timer;
    double timeout; /* milliseconds; 0: none */
    bool no_delay, keep_alive;
    int keep_seconds; /* before the first probe; 0: the system's */
};

/* Readies SO (cleared) for S: adds it to HOST's list. */
void wr_socket_init(struct wr_socket *so, struct wr_stream *s, struct wr_socket_host *host);

/* Gives back what SO holds, at the end of the stream's memory; also before wr_socket_init. */
void wr_socket_clear(struct wr_socket *so);

/* The runtime is being closed: closes the descriptor, stops the watchers. No callback comes any more. */
void wr_socket_stop(struct wr_socket *so);

/* SO is the connection FD, which it takes, and begins to read. */
void wr_socket_adopt(struct wr_socket *so, int fd);

/* Addresses are being looked up: from now on writes and the end wait. */
void wr_socket_begin(struct wr_socket *so);

/* Connects to the first of COUNT (> 0) ADDRESSES (copied) that answers. `connected` comes later; else SO is destroyed with the
 * error of the last one, later too. In state LOOKUP; 0, or -1 for no memory. */
int wr_socket_connect(struct wr_socket *so, const struct wr_address *addresses, uint32_t count);

/* For the handlers of the stream. */
void wr_socket_read(struct wr_socket *so);
void wr_socket_write(struct wr_socket *so, uint32_t n);
void wr_socket_final(struct wr_socket *so);
void wr_socket_destroy(struct wr_socket *so, struct wr_error *err);

/* Bytes that were written by the script, those that still wait included. */
uint64_t wr_socket_written(const struct wr_socket *so);

/* Calls `idle` once whenever nothing came or went for MS milliseconds; 0: never. It does not keep the loop alive. */
void wr_socket_timeout(struct wr_socket *so, double ms);

/* TCP_NODELAY and SO_KEEPALIVE, now and, where it is not open yet, then. SECONDS: before the first probe, 0: the system's. */
void wr_socket_no_delay(struct wr_socket *so, bool on);
void wr_socket_keep_alive(struct wr_socket *so, bool on, int seconds);

/* Whether SO keeps the loop alive while it waits for something: it does until this says WEAK. */
void wr_socket_weaken(struct wr_socket *so, bool weak);

#endif
