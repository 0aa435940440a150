/* SPDX-License-Identifier: MIT */
/* What the tests of file streams share: a flow on a loop with a pool, a folder of their own, and system calls that are cut short or
 * fail when they are told to. */
#ifndef WR_SPEC_IO_FILEBOX_H
#define WR_SPEC_IO_FILEBOX_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "life.h"
#include "tick.h"

#include "file.h"

struct box {
    struct wr_alloc alloc;
    struct wr_loop *loop;
    struct wr_flow flow;
    struct wr_file_host host;
    bool closing;
    char dir[64], path[96];
    char log[256]; /* a letter for each event: d(ata) e(nd) f(inish) c(lose) ! */
    char data[4096];
    size_t len;
    const char *code; /* of 'error' */
    char told[64];    /* a letter for each callback: . or ! */
};

/* How calls misbehave; the table has no place for a user's pointer. */
static struct {
    size_t most; /* bytes of one read or write; 0: as many as are asked for */
    int fail_at; /* the call that fails, from 1; 0: none */
    int error;
    int calls;
} calls;

static struct wr_sys sys;

static inline bool fails(void)
{
    return ++calls.calls == calls.fail_at;
}

static inline size_t cut(size_t len)
{
    return calls.most && len > calls.most ? calls.most : len;
}

static inline ssize_t short_pread(int fd, void *buf, size_t len, off_t at)
{
    return fails() ? calls.error : wr_sys_default()->pread(fd, buf, cut(len), at);
}

static inline ssize_t short_read(int fd, void *buf, size_t len)
{
    return fails() ? calls.error : wr_sys_default()->read(fd, buf, cut(len));
}

static inline ssize_t short_writev(int fd, const struct iovec *iov, int count)
{
    (void)count;
    return fails() ? calls.error : wr_sys_default()->write(fd, iov->iov_base, cut(iov->iov_len));
}

static inline ssize_t short_pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    (void)count;
    return fails() ? calls.error : wr_sys_default()->pwrite(fd, iov->iov_base, cut(iov->iov_len), at);
}

static inline int failing_fsync(int fd)
{
    (void)fd;
    return fails() ? calls.error : 0;
}

/* ---- the world */

static struct box *box; /* of the test that runs */

static inline bool drain_ticks(void *user)
{
    (void)user;
    return wr_tick_drain(&box->flow, 1000);
}

static inline void wake_loop(struct wr_flow *f)
{
    (void)f;
    wr_loop_wake(box->loop);
}

static inline void hold_nothing(struct wr_stream *s, bool held)
{
    (void)s;
    (void)held;
}

static inline void note(char letter)
{
    size_t n = strlen(box->log);
    assert_true(n + 1 < sizeof box->log);
    box->log[n] = letter;
}

static inline void keep_event(struct wr_stream *s, enum wr_event ev, const struct wr_event_data *data)
{
    (void)s;
    if (ev == WR_EV_DATA) {
        assert_true(box->len + data->item->bytes.len <= sizeof box->data);
        memcpy(box->data + box->len, data->item->bytes.data, data->item->bytes.len);
        box->len += data->item->bytes.len;
        note('d');
    } else if (ev == WR_EV_ERROR) {
        box->code = data->error->fault.code;
        note('!');
    } else if (ev == WR_EV_END || ev == WR_EV_FINISH || ev == WR_EV_CLOSE) {
        note(ev == WR_EV_END ? 'e' : ev == WR_EV_FINISH ? 'f' : 'c');
    }
}

static const struct wr_host_ops box_ops = {.event = keep_event, .hold = hold_nothing};

static inline int open_box(void (*free_stream)(struct wr_stream *s))
{
    box = calloc(1, sizeof *box);
    memset(&calls, 0, sizeof calls);
    sys = *wr_sys_default();
    sys.read = short_read;
    sys.pread = short_pread;
    sys.writev = short_writev;
    sys.pwritev = short_pwritev;
    sys.fsync = failing_fsync;
    wr_alloc_init(&box->alloc, NULL, NULL);
    box->loop = wr_loop_new(&box->alloc, &sys, NULL);
    wr_loop_on_drain(box->loop, drain_ticks, NULL);
    wr_flow_init(&box->flow, &box->alloc, &box_ops, free_stream, wake_loop, false);
    box->host = (struct wr_file_host){
        .loop = box->loop, .pool = wr_pool_new(box->loop, 2), .sys = &sys, .closing = &box->closing};
    strcpy(box->dir, "/tmp/weir-spec-XXXXXX");
    assert_non_null(mkdtemp(box->dir));
    snprintf(box->path, sizeof box->path, "%s/file", box->dir);
    return 0;
}

static inline int close_box(void **state)
{
    (void)state;
    unlink(box->path);
    assert_int_equal(rmdir(box->dir), 0); /* nothing else was left in it */
    assert_int_equal(box->flow.open, 0);
    wr_pool_free(box->host.pool);
    wr_flow_clear(&box->flow);
    wr_loop_free(box->loop);
    assert_int_equal(wr_alloc_balance(&box->alloc), 0);
    free(box);
    return 0;
}

/* All that the stream tells is listened to. */
static inline void hear(struct wr_stream *s)
{
    s->sh->listens = ~0;
}

static inline void put(const char *text)
{
    FILE *f = fopen(box->path, "w");
    fputs(text, f);
    fclose(f);
}

static inline const char *content(void)
{
    static char text[4096];
    FILE *f = fopen(box->path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return f ? text : "(none)";
}

#endif
