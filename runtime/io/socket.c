/* SPDX-License-Identifier: MIT */
/* Received is into a buffer of its own for each turn, not for each socket: one that waits costs none. Of a buffer that was hardly
 * filled a copy goes on. A socket that always has more gives way to others after a few buffers. */
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "finish.h"
#include "life.h"
#include "readable.h"
#include "tick.h"
#include "writable.h"

#include "socket.h"

enum { ROOM = 65536, IN_A_ROW = 8, VECTORS = 64 };

static bool has_descriptor(const struct wr_socket *so)
{
    return so->state == WR_SOCKET_CONNECTING || so->state == WR_SOCKET_OPEN;
}

/* The state changes here only. */
static void enter(struct wr_socket *so, enum wr_socket_state state)
{
    assert(state > so->state && "a socket goes on to a later state only");
    so->state = state;
}

static int wanted(const struct wr_socket *so)
{
    if (so->state == WR_SOCKET_CONNECTING)
        return so->result == -EINPROGRESS ? WR_IO_WRITE : 0;
    if (so->state != WR_SOCKET_OPEN)
        return 0;
    return (so->asked && !so->ended ? WR_IO_READ : 0) | (so->out ? WR_IO_WRITE : 0);
}

static void update(struct wr_socket *so)
{
    if (so->fd >= 0)
        wr_io_want(&so->io, wanted(so));
}

/* Something came or went. */
static void touch(struct wr_socket *so)
{
    if (so->timeout > 0)
        wr_timer_start(&so->timer, so->timeout, false);
}

static struct wr_error *error_of(struct wr_socket *so, int number, const char *syscall,
                                 const struct wr_address *address)
{
    if (number < 0)
        number = -number;
    struct wr_error *e = so->host->error ? so->host->error(so, number, syscall, address) : NULL;
    return e ? e : wr_error_new(so->s->flow->alloc, wr_error_errno(number));
}

static void fail(struct wr_socket *so, int number, const char *syscall, const struct wr_address *address)
{
    struct wr_error *e = error_of(so, number, syscall, address);
    wr_life_destroy(so->s, e);
    wr_error_unref(e);
}

/* ---- the descriptor */

static void on_ready(struct wr_io *w, int events);

static void set_descriptor(struct wr_socket *so, int fd)
{
    so->fd = fd;
    wr_io_init(&so->io, so->host->loop, fd, on_ready);
    if (so->weak)
        wr_io_unref(&so->io);
}

static void drop_descriptor(struct wr_socket *so)
{
    if (so->fd < 0)
        return;
    wr_io_want(&so->io, 0);
    so->host->sys->close(so->fd);
    so->fd = -1;
}

static void forget_addresses(struct wr_socket *so)
{
    if (so->addresses)
        wr_alloc_free(so->s->flow->alloc, so->addresses, so->count * sizeof *so->addresses);
    so->addresses = NULL;
    so->count = so->at = 0;
}

static void set_option(struct wr_socket *so, int level, int name, int value)
{
    if (so->state == WR_SOCKET_OPEN)
        so->host->sys->setsockopt(so->fd, level, name, &value, sizeof value); /* a Unix socket has none of them */
}

static void apply_keep_alive(struct wr_socket *so)
{
    set_option(so, SOL_SOCKET, SO_KEEPALIVE, so->keep_alive);
    if (so->keep_alive && so->keep_seconds > 0)
        set_option(so, IPPROTO_TCP, TCP_KEEPIDLE, so->keep_seconds);
}

static void apply_options(struct wr_socket *so)
{
    if (so->no_delay)
        set_option(so, IPPROTO_TCP, TCP_NODELAY, 1);
    if (so->keep_alive)
        apply_keep_alive(so);
}

/* ---- receiving */

static void end_of_input(struct wr_socket *so)
{
    struct wr_item none;
    so->ended = true;
    so->asked = false;
    wr_readable_eof(so->s);
    /* 'end' comes also where nobody reads, once nothing is left to be read. */
    if (!wr_stream_destroyed(so->s) && !wr_readable_length(so->s))
        wr_readable_read(so->s, 0, &none);
}

/* The first N bytes of *ROOM as a slice: *ROOM itself, or a copy. */
static int slice(struct wr_alloc *a, struct wr_buffer **room, size_t n, struct wr_chunk *out)
{
    if (n < ROOM / 2)
        return wr_chunk_copy(a, out, (*room)->data, n);
    *out = wr_chunk_slice(*room, 0, n);
    wr_buffer_unref(*room);
    *room = NULL;
    return 0;
}

/* Receives once. Is there perhaps more? */
static bool receive(struct wr_socket *so, struct wr_buffer **room)
{
    struct wr_item item = {0};
    if (!*room)
        *room = wr_buffer_new(so->s->flow->alloc, ROOM);
    if (!*room) {
        wr_life_fail_code(so->s, WR_E_NO_MEMORY, false);
        return false;
    }
    ssize_t n = so->host->sys->recv(so->fd, (*room)->data, ROOM, 0);
    if (n == -EAGAIN)
        return false;
    if (n < 0) {
        fail(so, (int)n, "read", NULL);
        return false;
    }
    touch(so);
    if (n == 0) {
        end_of_input(so);
        return false;
    }
    so->asked = false;
    so->received += (uint64_t)n;
    if (slice(so->s->flow->alloc, room, (size_t)n, &item.bytes))
        wr_life_fail_code(so->s, WR_E_NO_MEMORY, false);
    else
        wr_readable_push(so->s, item);
    return n == ROOM;
}

static void receive_some(struct wr_socket *so)
{
    struct wr_buffer *room = NULL;
    for (int i = 0; i < IN_A_ROW && so->state == WR_SOCKET_OPEN && so->asked && !so->ended; i++)
        if (!receive(so, &room))
            break;
    wr_buffer_unref(room);
}

void wr_socket_read(struct wr_socket *so)
{
    so->asked = true;
    update(so);
}

/* ---- sending */

static int gather(struct wr_socket *so, struct iovec *iov)
{
    int count = 0;
    for (uint32_t i = so->index; i < so->out && count < VECTORS; i++) {
        struct wr_item item = wr_writable_out(so->s, i);
        size_t skip = i == so->index ? so->offset : 0;
        if (item.bytes.len > skip)
            iov[count++] =
                (struct iovec){.iov_base = (void *)(item.bytes.data + skip), .iov_len = item.bytes.len - skip};
    }
    return count;
}

/* N bytes more of the batch are sent. */
static void advance(struct wr_socket *so, size_t n)
{
    for (; so->index < so->out; so->index++, so->offset = 0) {
        size_t left = wr_writable_out(so->s, so->index).bytes.len - so->offset;
        if (n < left) {
            so->offset += n;
            return;
        }
        n -= left;
    }
}

/* Sends what fits. 0: all of the batch is sent; -EAGAIN, or what has failed. */
static int send_batch(struct wr_socket *so)
{
    while (so->index < so->out) {
        struct iovec iov[VECTORS];
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)gather(so, iov)};
        ssize_t n = m.msg_iovlen ? so->host->sys->sendmsg(so->fd, &m, MSG_NOSIGNAL) : 0;
        if (n < 0)
            return (int)n;
        if (n)
            touch(so);
        advance(so, (size_t)n);
    }
    return 0;
}

static uint64_t batch_length(struct wr_socket *so)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < so->out; i++)
        sum += wr_writable_out(so->s, i).bytes.len;
    return sum;
}

static void complete_write(struct wr_socket *so, struct wr_error *err)
{
    so->sent += batch_length(so);
    so->out = so->index = 0;
    so->offset = 0;
    wr_writable_done(so->s, err);
}

static void send_some(struct wr_socket *so)
{
    int rc = send_batch(so);
    if (rc == -EAGAIN)
        return;
    struct wr_error *e = rc < 0 ? error_of(so, rc, "write", NULL) : NULL;
    complete_write(so, e);
    wr_error_unref(e);
}

void wr_socket_write(struct wr_socket *so, uint32_t n)
{
    assert(!so->out && "two writes of one socket");
    so->out = n;
    so->index = 0;
    so->offset = 0;
    if (so->state == WR_SOCKET_OPEN)
        send_some(so);
    update(so);
}

static void shut(struct wr_socket *so)
{
    so->finishing = false;
    int rc = so->state == WR_SOCKET_OPEN ? so->host->sys->shutdown(so->fd, SHUT_WR) : 0;
    if (rc == -ENOTCONN) /* the peer has gone: nobody is left to be told */
        rc = 0;
    struct wr_error *e = rc < 0 ? error_of(so, rc, "shutdown", NULL) : NULL;
    wr_finish_finaled(so->s, e);
    wr_error_unref(e);
}

void wr_socket_final(struct wr_socket *so)
{
    if (so->state == WR_SOCKET_LOOKUP || so->state == WR_SOCKET_CONNECTING)
        so->finishing = true;
    else
        shut(so);
}

uint64_t wr_socket_written(const struct wr_socket *so)
{
    return so->sent + (uint64_t)wr_writable_length(so->s);
}

/* ---- connecting */

static void read_ahead(struct wr_socket *so)
{
    struct wr_item none;
    if (so->state == WR_SOCKET_OPEN && !wr_readable_is_paused(so->s))
        wr_readable_read(so->s, 0, &none);
}

static void opened(struct wr_socket *so)
{
    forget_addresses(so);
    enter(so, WR_SOCKET_OPEN);
    apply_options(so);
    touch(so);
    if (so->host->connected)
        so->host->connected(so);
    if (so->state == WR_SOCKET_OPEN && so->out)
        send_some(so);
    if (so->state == WR_SOCKET_OPEN && so->finishing)
        shut(so);
    read_ahead(so);
}

static void start_tick(struct wr_flow *f, struct wr_tick *t);

/* Tries the next address. What is known at once is said in a tick. */
static void try_next(struct wr_socket *so)
{
    const struct wr_sys *sys = so->host->sys;
    const struct wr_address *a = &so->addresses[so->at];
    int fd = sys->socket(a->any.sa_family, SOCK_STREAM, 0);
    so->result = fd;
    if (fd >= 0) {
        set_descriptor(so, fd);
        so->result = sys->connect(fd, &a->any, a->len);
    }
    if (so->result == -EINTR)
        so->result = -EINPROGRESS;
    if (so->result == -EINPROGRESS)
        update(so);
    else
        wr_tick_add(so->s->flow, start_tick, so->s, NULL, (struct wr_done){.arg = (intptr_t)so});
}

/* The attempt is over, with `result`. */
static void settle(struct wr_socket *so)
{
    if (so->result >= 0) {
        opened(so);
        return;
    }
    drop_descriptor(so);
    if (so->at + 1 < so->count) {
        so->at++;
        try_next(so);
        return;
    }
    struct wr_address last = so->addresses[so->at];
    fail(so, so->result, "connect", &last);
}

static void start_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_socket *so = (struct wr_socket *)t->done.arg;
    if (so->state != WR_SOCKET_CONNECTING)
        return;
    settle(so);
    update(so);
}

static void ask_result(struct wr_socket *so)
{
    int number = 0;
    socklen_t len = sizeof number;
    int rc = so->host->sys->getsockopt(so->fd, SOL_SOCKET, SO_ERROR, &number, &len);
    so->result = rc < 0 ? rc : -number;
}

void wr_socket_begin(struct wr_socket *so)
{
    enter(so, WR_SOCKET_LOOKUP);
}

int wr_socket_connect(struct wr_socket *so, const struct wr_address *addresses, uint32_t count)
{
    so->addresses = wr_alloc_get(so->s->flow->alloc, count * sizeof *addresses);
    if (!so->addresses)
        return -1;
    memcpy(so->addresses, addresses, count * sizeof *addresses);
    so->count = count;
    enter(so, WR_SOCKET_CONNECTING);
    wr_stream_pin(so->s);
    touch(so);
    try_next(so);
    return 0;
}

void wr_socket_adopt(struct wr_socket *so, int fd)
{
    enter(so, WR_SOCKET_OPEN);
    wr_stream_pin(so->s);
    set_descriptor(so, fd);
    apply_options(so);
    touch(so);
    read_ahead(so);
}

static void on_ready(struct wr_io *w, int events)
{
    struct wr_socket *so = (struct wr_socket *)(void *)((char *)w - offsetof(struct wr_socket, io));
    struct wr_stream *s = wr_stream_ref(so->s);
    if (so->state == WR_SOCKET_CONNECTING) {
        ask_result(so);
        settle(so);
    } else {
        if (events & WR_IO_READ)
            receive_some(so);
        if (events & WR_IO_WRITE && so->state == WR_SOCKET_OPEN && so->out)
            send_some(so);
    }
    update(so);
    wr_stream_unref(s);
}

/* ---- the end */

/* What the handlers still had is called back, and not from within destroy(). */
static void abandon_tick(struct wr_flow *f, struct wr_tick *t)
{
    (void)f;
    struct wr_socket *so = (struct wr_socket *)t->done.arg;
    if (so->out)
        complete_write(so, t->error);
    if (so->finishing) {
        so->finishing = false;
        wr_finish_finaled(so->s, NULL);
    }
}

static void abandon(struct wr_socket *so, struct wr_error *err)
{
    struct wr_flow *f = so->s->flow;
    struct wr_error *e = err ? wr_error_ref(err) : wr_error_new(f->alloc, wr_error_fault(WR_E_DESTROYED));
    wr_tick_add(f, abandon_tick, so->s, e, (struct wr_done){.arg = (intptr_t)so});
    wr_error_unref(e);
}

/* Lets go of all that is the system's or the loop's. */
static void close_all(struct wr_socket *so)
{
    bool pinned = has_descriptor(so);
    drop_descriptor(so);
    forget_addresses(so);
    wr_timer_stop(&so->timer);
    if (so->state != WR_SOCKET_CLOSED)
        enter(so, WR_SOCKET_CLOSED);
    if (pinned)
        wr_stream_unpin(so->s);
}

void wr_socket_destroy(struct wr_socket *so, struct wr_error *err)
{
    if (so->out || so->finishing)
        abandon(so, err);
    close_all(so);
    wr_life_destroyed(so->s, err);
}

static void on_end(struct wr_watch *w, struct wr_stream *s, enum wr_event ev, struct wr_error *err)
{
    (void)err;
    struct wr_socket *so = (struct wr_socket *)(void *)((char *)w - offsetof(struct wr_socket, watch));
    if (ev == WR_EV_GONE)
        wr_watch_remove(s, w);
    if (!so->told && so->host->closed) {
        so->told = true;
        so->host->closed(so, s->errored != NULL, ev == WR_EV_CLOSE);
    }
}

static void on_timer(struct wr_timer *t)
{
    struct wr_socket *so = (struct wr_socket *)(void *)((char *)t - offsetof(struct wr_socket, timer));
    struct wr_stream *s = wr_stream_ref(so->s);
    if (so->host->idle)
        so->host->idle(so);
    wr_stream_unref(s);
}

void wr_socket_init(struct wr_socket *so, struct wr_stream *s, struct wr_socket_host *host)
{
    so->s = s;
    so->host = host;
    so->fd = -1;
    wr_list_init(&so->link);
    wr_list_append(&host->sockets, &so->link);
    wr_timer_init(&so->timer, host->loop, on_timer);
    wr_timer_unref(&so->timer);
    so->watch = (struct wr_watch){.mask = 1u << WR_EV_CLOSE | 1u << WR_EV_GONE, .fn = on_end};
    wr_watch_add(s, &so->watch, false);
}

void wr_socket_stop(struct wr_socket *so)
{
    wr_list_remove(&so->link);
    close_all(so);
}

void wr_socket_clear(struct wr_socket *so)
{
    if (so->host)
        wr_socket_stop(so);
}

/* ---- options */

void wr_socket_timeout(struct wr_socket *so, double ms)
{
    so->timeout = so->state == WR_SOCKET_CLOSED ? 0 : ms;
    if (so->timeout > 0)
        touch(so);
    else
        wr_timer_stop(&so->timer);
}

void wr_socket_no_delay(struct wr_socket *so, bool on)
{
    so->no_delay = on;
    set_option(so, IPPROTO_TCP, TCP_NODELAY, on);
}

void wr_socket_keep_alive(struct wr_socket *so, bool on, int seconds)
{
    so->keep_alive = on;
    so->keep_seconds = seconds;
    apply_keep_alive(so);
}

void wr_socket_weaken(struct wr_socket *so, bool weak)
{
    so->weak = weak;
    if (so->fd < 0)
        return;
    if (weak)
        wr_io_unref(&so->io);
    else
        wr_io_ref(&so->io);
}
