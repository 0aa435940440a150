/* SPDX-License-Identifier: MIT */
/* Sockets where the system sends less than it was asked for, receives a byte at a time, or fails; and servers without descriptors. */
#include "filebox.h"

#include "listen.h"
#include "readable.h"
#include "socket.h"
#include "writable.h"

struct peer {
    struct wr_stream s;
    struct wr_socket so;
};

static struct wr_socket_host host;
static struct wr_listen server;
static struct wr_stream *accepted;
static int connects, accepts, accept_fails;

static struct peer *of(struct wr_stream *s)
{
    return (struct peer *)(void *)s;
}

static void on_read(struct wr_stream *s)
{
    wr_socket_read(&of(s)->so);
}

static void on_write(struct wr_stream *s, uint32_t n)
{
    wr_socket_write(&of(s)->so, n);
}

static void on_final(struct wr_stream *s)
{
    wr_socket_final(&of(s)->so);
}

static void on_destroy(struct wr_stream *s, struct wr_error *err)
{
    wr_socket_destroy(&of(s)->so, err);
}

static const struct wr_stream_ops ops = {.read = on_read, .write = on_write, .final = on_final, .destroy = on_destroy};

static void free_peer(struct wr_stream *s)
{
    wr_socket_clear(&of(s)->so);
    wr_alloc_free(&box->alloc, s, sizeof(struct peer));
}

static void on_connect(struct wr_socket *so)
{
    (void)so;
    connects++;
}

static ssize_t short_recv(int fd, void *buf, size_t len, int flags)
{
    return fails() ? calls.error : wr_sys_default()->recv(fd, buf, cut(len), flags);
}

static ssize_t short_sendmsg(int fd, const struct msghdr *m, int flags)
{
    assert_true(flags & MSG_NOSIGNAL);
    return fails() ? calls.error : wr_sys_default()->send(fd, m->msg_iov->iov_base, cut(m->msg_iov->iov_len), flags);
}

static int failing_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    accepts++;
    return accept_fails ? accept_fails : wr_sys_default()->accept4(fd, addr, len, flags);
}

static int set_up(void **state)
{
    (void)state;
    open_box(free_peer);
    sys.recv = short_recv;
    sys.sendmsg = short_sendmsg;
    sys.accept4 = failing_accept;
    connects = accepts = accept_fails = 0;
    accepted = NULL;
    host = (struct wr_socket_host){.loop = box->loop, .sys = &sys, .connected = on_connect};
    wr_list_init(&host.sockets);
    memset(&server, 0, sizeof server);
    return 0;
}

static int tear_down(void **state)
{
    assert_true(wr_list_empty(&host.sockets));
    return close_box(state);
}

static struct wr_stream *peer(bool heard)
{
    const uint32_t has = WR_IS_READABLE | WR_IS_WRITABLE | WR_HAS_READ | WR_HAS_WRITE | WR_HAS_WRITEV | WR_HAS_FINAL |
                         WR_HAS_DESTROY | WR_AUTO_DESTROY | WR_EMIT_CLOSE;
    struct peer *p = wr_alloc_zero(&box->alloc, sizeof *p);
    wr_stream_init(&p->s, &box->flow, &ops, has, 1024, 1024);
    wr_socket_init(&p->so, &p->s, &host);
    if (heard) {
        hear(&p->s);
        p->s.sh->listens &= ~(1 << WR_EV_READABLE);
    } else {
        p->s.sh->listens = 1 << WR_EV_ERROR;
    }
    wr_life_start(&p->s);
    return &p->s;
}

static void on_accepted(struct wr_listen *l, int fd)
{
    (void)l;
    accepted = peer(true);
    wr_socket_adopt(&of(accepted)->so, fd);
    wr_readable_resume(accepted);
}

static struct wr_address address(void)
{
    struct wr_address a = {.len = sizeof a.local};
    a.local.sun_family = AF_UNIX;
    strcpy(a.local.sun_path, box->path);
    return a;
}

static void serve(void)
{
    struct wr_address a = address();
    server.accepted = on_accepted;
    wr_listen_init(&server, box->loop, &sys);
    assert_int_equal(wr_listen_open(&server, &a, 5, false), 0);
}

static struct wr_stream *client(void)
{
    struct wr_address a = address();
    struct wr_stream *s = peer(false);
    wr_socket_begin(&of(s)->so);
    assert_int_equal(wr_socket_connect(&of(s)->so, &a, 1), 0);
    assert_int_equal(connects, 0); /* nothing before it has returned */
    return s;
}

static void send_text(struct wr_stream *s, const char *text)
{
    struct wr_item item = {0};
    assert_int_equal(wr_chunk_copy(&box->alloc, &item.bytes, text, strlen(text)), 0);
    wr_writable_write(s, item, (struct wr_done){0});
}

static void finish(struct wr_stream *s)
{
    wr_writable_end(s, NULL, (struct wr_done){0});
}

static void bytes_arrive_however_few_at_a_time(void **state)
{
    (void)state;
    calls.most = 1;
    serve();
    struct wr_stream *c = client();
    send_text(c, "before it connects, ");
    send_text(c, "in two pieces");
    finish(c);
    wr_readable_resume(c);
    while (!accepted || !wr_stream_closed(accepted))
        wr_loop_turn(box->loop, true);
    wr_listen_close(&server);
    assert_true(wr_loop_run(box->loop));
    assert_int_equal(connects, 1);
    assert_int_equal(box->len, strlen("before it connects, in two pieces"));
    assert_memory_equal(box->data, "before it connects, in two pieces", box->len);
    assert_int_equal(wr_socket_written(&of(c)->so), box->len);
    assert_int_equal(of(accepted)->so.received, box->len);
    wr_stream_unref(c);
    wr_stream_unref(accepted);
}

static void a_call_that_fails_is_the_error_of_its_stream(void **state)
{
    (void)state;
    calls.fail_at = 2; /* after what is sent, what is received */
    calls.error = -ECONNRESET;
    serve();
    struct wr_stream *c = client();
    send_text(c, "x");
    while (!accepted || !wr_stream_closed(accepted))
        wr_loop_turn(box->loop, true);
    wr_listen_close(&server);
    wr_readable_resume(c);
    assert_true(wr_loop_run(box->loop));
    assert_string_equal(box->log, "!c!"); /* and, since what came was not read, of its peer */
    assert_string_equal(box->code, "ECONNRESET");
    wr_stream_unref(c);
    wr_stream_unref(accepted);
}

static void nobody_there_is_an_error_later(void **state)
{
    (void)state;
    struct wr_stream *c = client();
    send_text(c, "x");
    assert_false(wr_stream_destroyed(c));
    assert_true(wr_loop_run(box->loop));
    assert_true(wr_stream_closed(c));
    assert_string_equal(c->errored->fault.code, "ENOENT");
    wr_stream_unref(c);
}

static void a_server_without_descriptors_waits(void **state)
{
    (void)state;
    serve();
    accept_fails = -EMFILE;
    struct wr_stream *c = client();
    finish(c);
    wr_readable_resume(c);
    uint64_t start = wr_loop_hrtime(box->loop);
    while (wr_loop_hrtime(box->loop) - start < 250000000)
        wr_loop_turn(box->loop, true);
    assert_in_range(accepts, 2, 4);
    accept_fails = 0;
    while (!accepted || !wr_stream_closed(accepted))
        wr_loop_turn(box->loop, true);
    wr_listen_close(&server);
    assert_true(wr_loop_run(box->loop));
    wr_stream_unref(c);
    wr_stream_unref(accepted);
}

static void a_runtime_that_ends_leaves_nothing_open(void **state)
{
    (void)state;
    serve();
    struct wr_stream *c = client();
    while (!accepted)
        wr_loop_turn(box->loop, true);
    wr_socket_timeout(&of(c)->so, 1000);
    wr_socket_stop(&of(c)->so);
    wr_socket_stop(&of(accepted)->so);
    wr_listen_close(&server);
    assert_true(wr_loop_run(box->loop));
    wr_life_destroy(c, NULL);
    wr_life_destroy(accepted, NULL);
    wr_tick_drain(&box->flow, 1000);
    wr_stream_unref(c);
    wr_stream_unref(accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_arrive_however_few_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_that_fails_is_the_error_of_its_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_there_is_an_error_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_without_descriptors_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_runtime_that_ends_leaves_nothing_open, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
