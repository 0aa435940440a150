/* SPDX-License-Identifier: MIT */
/* What the codecs' tests share: an allocator that fails when told to, input and output that end where a guard page
 * begins, the ways in which a codec can be fed, and test vectors from files of `name=value` lines. */
#ifndef WR_SPEC_CODEC_HELPER_H
#define WR_SPEC_CODEC_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "chunk.h"
#include "codec.h"

/* --- memory --- */

/* The allocator of a test; answers the allocation after LEFT more, and only that, with NULL (-1: never). */
struct fixture {
    struct wr_alloc alloc;
    long left;
};

static struct fixture fixture;

static inline void *limited(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct fixture *f = user;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    if (f->left >= 0 && f->left-- == 0)
        return NULL;
    return realloc(ptr, new_size);
}

static inline int setup(void **state)
{
    fixture.left = -1;
    wr_alloc_init(&fixture.alloc, limited, &fixture);
    *state = &fixture;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    return wr_alloc_balance(&f->alloc) == 0 ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* The same numbers on every run and machine. */
static inline uint32_t chance(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*seed * below) >> 32);
}

/* --- guard pages --- */

/* Bytes that end where reading and writing is forbidden. */
struct guarded {
    unsigned char *map, *end;
    size_t size; /* that may be used */
};

static inline struct guarded guard_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (size + page) / page * page;
    unsigned char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
    return (struct guarded){map, map + room, room};
}

/* G, made anew if it is smaller than SIZE. */
static inline void guard_fit(struct guarded *g, size_t size)
{
    if (g->map && g->size >= size)
        return;
    if (g->map)
        munmap(g->map, g->size + (size_t)sysconf(_SC_PAGESIZE));
    *g = guard_new(size);
}

/* LEN bytes at DATA, moved to the guarded end. */
static inline const unsigned char *guard_copy(struct guarded *g, const void *data, size_t len)
{
    assert_true(len <= g->size);
    return len > 0 ? memcpy(g->end - len, data, len) : g->end;
}

/* --- feeding --- */

struct bytes {
    unsigned char *data;
    size_t len, cap;
};

static inline void bytes_add(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->data = realloc(b->data, b->cap);
    }
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

static inline struct bytes bytes_of(const void *data, size_t len)
{
    struct bytes b = {0};
    bytes_add(&b, data, len);
    return b;
}

static inline void assert_bytes(const struct bytes *b, const void *data, size_t len)
{
    assert_int_equal(b->len, len);
    if (len > 0)
        assert_memory_equal(b->data, data, len);
}

/* How an input is cut and how much room there is for output; 0: by chance. */
struct way {
    size_t piece, room;
    uint32_t seed;
};

static const struct way ways[] = {
    {SIZE_MAX, 65536, 0}, {1, 65536, 0}, {SIZE_MAX, 1, 0}, {1, 1, 0},  {7, 64, 0},
    {16, 16, 0},          {0, 0, 1},     {0, 0, 2},        {0, 17, 3}, {4096, 4096, 0},
};

enum { WAYS = sizeof ways / sizeof *ways };

/* What came out of a codec, and how it ended. */
struct result {
    struct bytes out;
    enum wr_step last;
    struct wr_fault fault;
    size_t left; /* input that was not taken */
};

static inline size_t cut(size_t fixed, uint32_t *seed, uint32_t most, size_t left)
{
    size_t n = fixed ? fixed : 1 + chance(seed, most);
    return n < left ? n : left;
}

/* Steps C with LEN bytes at DATA until it wants more, is done or has failed. */
static inline enum wr_step feed(struct wr_codec *c, const void *data, size_t len, enum wr_flush flush, struct way *w,
                                struct result *r)
{
    static struct guarded in, room;
    guard_fit(&in, len);
    guard_fit(&room, 65536);
    struct wr_codec_io io = {.in = guard_copy(&in, data, len), .in_len = len, .flush = flush};
    enum wr_step s;
    unsigned idle = 0;
    do {
        size_t n = cut(w->room, &w->seed, 300, 65536);
        size_t before = io.in_len;
        io.out = room.end - n;
        io.out_len = n;
        s = c->ops->step(c, &io);
        size_t made = n - io.out_len;
        assert_ptr_equal(io.out, room.end - n + made);
        assert_ptr_equal(io.in + io.in_len, in.end);
        bytes_add(&r->out, room.end - n, made);
        idle = made == 0 && io.in_len == before ? idle + 1 : 0;
        assert_true(idle < 3);
    } while (s == WR_STEP_FULL);
    if (s == WR_STEP_MORE)
        assert_int_equal(io.in_len, 0);
    r->left = io.in_len;
    r->last = s;
    r->fault = c->fault;
    return s;
}

/* Feeds C with LEN bytes at DATA up to their end, cut by the way W. C stays the caller's. */
static inline struct result run(struct wr_codec *c, const void *data, size_t len, const struct way *w)
{
    struct result r = {.last = WR_STEP_MORE};
    struct way way = *w;
    size_t at = 0;
    data = len > 0 ? data : "";
    do {
        size_t n = cut(way.piece, &way.seed, 100, len - at);
        feed(c, (const unsigned char *)data + at, n, at + n == len ? WR_FLUSH_FINISH : WR_FLUSH_NONE, &way, &r);
        at += n;
    } while (at < len && r.last == WR_STEP_MORE);
    r.left += len - at;
    return r;
}

static inline void result_clear(struct result *r)
{
    free(r->out.data);
    *r = (struct result){0};
}

static inline void assert_fault(const struct wr_fault *f, const char *code, const char *text)
{
    assert_string_equal(f->code, code);
    assert_string_equal(f->text, text);
}

/* --- data --- */

/* LEN bytes like those of a log: they compress, with repeats near and far. The caller frees them. */
static inline unsigned char *log_like(size_t len)
{
    unsigned char *data = malloc(len + 128);
    uint32_t seed = 7;
    size_t at = 0;
    while (at < len)
        at += (size_t)sprintf((char *)data + at, "%u.%u.%u.1 - - \"GET /static/app.js?%u HTTP/1.1\" %u %u\n",
                              chance(&seed, 255), chance(&seed, 255), chance(&seed, 9), chance(&seed, 1000000),
                              200 + chance(&seed, 300), chance(&seed, 100000));
    return data;
}

/* LEN bytes by chance: they do not compress. The caller frees them. */
static inline unsigned char *noise(size_t len)
{
    unsigned char *data = malloc(len + 1);
    uint32_t seed = 11;
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)chance(&seed, 256);
    return data;
}

/* --- vectors --- */

/* One line of a vector file. */
struct vector {
    char line[8192];
};

/* Opens spec/data/vectors/NAME. */
static inline FILE *vectors_open(const char *name)
{
    static const char here[] = "spec/unit/codec/helper.h";
    char path[4096];
    int root = (int)(strlen(__FILE__) - strlen(here));
    if (root < 0 || strcmp(&__FILE__[root], here) != 0)
        root = 0;
    snprintf(path, sizeof path, "%.*sspec/data/vectors/%s", root, __FILE__, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot open %s", path);
    return f;
}

/* The next line that is neither empty nor a remark. */
static inline bool vectors_next(FILE *f, struct vector *v)
{
    while (fgets(v->line, sizeof v->line, f)) {
        assert_non_null(strchr(v->line, '\n'));
        v->line[strcspn(v->line, "\n")] = 0;
        if (v->line[0] && v->line[0] != '#')
            return true;
    }
    return false;
}

/* The value of a field as text, in VALUE. */
static inline void vector_text(const struct vector *v, const char *name, char *value, size_t size)
{
    size_t n = strlen(name);
    const char *at = v->line;
    while (strncmp(at, name, n) != 0 || at[n] != '=') {
        at = strchr(at, ' ');
        if (!at)
            fail_msg("no field %s in: %s", name, v->line);
        at++;
    }
    snprintf(value, size, "%.*s", (int)strcspn(at + n + 1, " "), at + n + 1);
}

static inline unsigned long vector_number(const struct vector *v, const char *name)
{
    char text[64];
    vector_text(v, name, text, sizeof text);
    return strtoul(text, NULL, 10);
}

/* The value of a hexadecimal field; the caller frees its data. */
static inline struct bytes vector_bytes(const struct vector *v, const char *name)
{
    char text[4096];
    struct bytes b = {0};
    vector_text(v, name, text, sizeof text);
    for (const char *at = text; at[0] && at[1]; at += 2) {
        char pair[3] = {at[0], at[1], 0};
        unsigned char byte = (unsigned char)strtoul(pair, NULL, 16);
        bytes_add(&b, &byte, 1);
    }
    return b;
}

#endif
