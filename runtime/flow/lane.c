/* SPDX-License-Identifier: MIT */
/* The work of a job, and what is made of its output. */
#include <string.h>

#include "lane.h"

enum {
    SMALL = 8192, /* so few bytes are rather copied than kept in a room of their own */
    TINY = 1024   /* so few are put together with what follows */
};

void wr_lane_init(struct wr_lane *l, struct wr_alloc *a)
{
    *l = (struct wr_lane){0};
    wr_queue_init(&l->pending, a);
    wr_queue_init(&l->in, a);
    wr_queue_init(&l->ready, a);
}

static void give_rooms_back(struct wr_lane *l)
{
    for (unsigned i = 0; i < l->room_count; i++)
        wr_buffer_unref(l->rooms[i].buffer);
    l->room_count = 0;
}

void wr_lane_clear(struct wr_lane *l)
{
    if (l->codec)
        l->codec->ops->free(l->codec);
    l->codec = NULL;
    wr_queue_clear(&l->pending);
    wr_queue_clear(&l->in);
    wr_queue_clear(&l->ready);
    give_rooms_back(l);
}

static void enter_room(struct wr_codec_io *io, struct wr_room *room)
{
    io->out = room->buffer->data;
    io->out_len = room->buffer->size;
}

/* The input from byte AT of slice I on. */
static void open_slice(struct wr_codec_io *io, const struct wr_lane *l, uint32_t i, size_t at)
{
    const struct wr_chunk *c = wr_queue_peek(&l->in, i);
    io->in = c ? c->data + at : NULL;
    io->in_len = c ? c->len - at : 0;
    io->flush = i + 1 < l->in.count ? WR_FLUSH_NONE : l->flush;
}

void wr_lane_work(struct wr_lane *l)
{
    struct wr_codec *codec = l->codec;
    struct wr_codec_io io = {0};
    struct wr_room *room = l->rooms, *end = l->rooms + l->room_count;
    uint32_t slice = 0;
    l->consumed = 0;
    enter_room(&io, room);
    open_slice(&io, l, 0, 0);
    for (;;) {
        size_t before = io.in_len;
        enum wr_step step = codec->ops->step(codec, &io);
        l->consumed += before - io.in_len;
        room->len = room->buffer->size - io.out_len;
        if (step == WR_STEP_MORE && slice + 1 < l->in.count) {
            open_slice(&io, l, ++slice, 0);
        } else if (step == WR_STEP_FULL && room + 1 < end) {
            enter_room(&io, ++room);
        } else {
            l->step = step;
            break;
        }
    }
    if (l->step == WR_STEP_FAIL)
        l->fault = codec->fault;
}

static int keep_copy(struct wr_lane *l, struct wr_alloc *a, const void *data, size_t len)
{
    struct wr_chunk c;
    return wr_chunk_copy(a, &c, data, len) || wr_queue_push(&l->ready, c) ? -1 : 0;
}

static int keep_room(struct wr_lane *l, struct wr_alloc *a, const struct wr_room *room, size_t chunk)
{
    if (room->len <= SMALL && room->len < room->buffer->size / 4 && room->len <= chunk)
        return room->len ? keep_copy(l, a, room->buffer->data, room->len) : 0;
    for (size_t at = 0; at < room->len; at += chunk) {
        size_t n = room->len - at < chunk ? room->len - at : chunk;
        if (wr_queue_push(&l->ready, wr_chunk_slice(room->buffer, at, n)))
            return -1;
    }
    return 0;
}

int wr_lane_collect(struct wr_lane *l, struct wr_alloc *a, size_t chunk)
{
    int r = 0;
    for (unsigned i = 0; i < l->room_count && r == 0; i++)
        r = keep_room(l, a, &l->rooms[i], chunk);
    give_rooms_back(l);
    return r;
}

int wr_lane_append(struct wr_lane *l, struct wr_alloc *a, const void *data, size_t len, size_t chunk)
{
    const struct wr_chunk *c = wr_queue_peek(&l->ready, l->ready.count - 1);
    unsigned char both[2 * TINY];
    if (l->ready.count != 1 || c->len > TINY || len > TINY || c->len + len > chunk)
        return keep_copy(l, a, data, len);
    size_t n = c->len;
    memcpy(both, c->data, n);
    memcpy(both + n, data, len);
    wr_queue_drop(&l->ready, n);
    return keep_copy(l, a, both, n + len);
}
