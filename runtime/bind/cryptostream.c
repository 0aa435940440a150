/* SPDX-License-Identifier: MIT */
/* A cipher or hash is one codec, worn by its stream. `update` and `final` reach past the stream to the codec, which they may
 * only while nothing that was written is under way. A cipher's tag is taken when it comes to its end: then the codec goes,
 * and the key with it. As in Node, what is small is worked within write() itself.
 */
#include <string.h>

#include "cipher.h"
#include "cryptokey.h"
#include "digest.h"
#include "kdf.h"
#include "wornstream.h"

#include "cryptostream.h"

enum { ROOM = 1 << 18, SMALL = 1 << 15, AHEAD = 1 << 17 };

struct crypto_stream {
    struct wr_wornstream ws;
    bool final; /* ended by `final` or `digest` */
    unsigned char tag[WR_CIPHER_TAG_MOST];
    size_t tag_len; /* 0: none yet */
};

static void clear(struct wr_lua_stream *ls)
{
    wr_worn_free(((struct wr_wornstream *)(void *)ls)->worn);
}

/* The same for hashes; what `clear` is tells them apart. */
static void clear_hash(struct wr_lua_stream *ls)
{
    clear(ls);
}

static void take_tag(struct crypto_stream *s, const struct wr_codec *c)
{
    struct wr_fault fault;
    if (wr_cipher_tag(c, s->tag, &s->tag_len, &fault))
        s->tag_len = 0;
}

static size_t turn(struct wr_worn *w, struct wr_codec *c, enum wr_worn_turn turn, unsigned char *tail)
{
    (void)tail;
    struct crypto_stream *s = (struct crypto_stream *)(void *)wr_wornstream_of(w);
    if (turn == WR_WORN_END)
        take_tag(s, c);
    return 0;
}

static const struct wr_worn_ops cipher_ops = {.submit = wr_wornstream_submit, .turn = turn};
static const struct wr_worn_ops hash_ops = {.submit = wr_wornstream_submit};

static const unsigned char *bytes(lua_State *L, int index, size_t *len)
{
    return (const unsigned char *)luaL_checklstring(L, index, len);
}

/* Nothing, or a fault, for Lua to raise. */
static int answer(lua_State *L, int status, const struct wr_fault *fault)
{
    if (status)
        return wr_wornstream_fault(L, fault);
    lua_pushboolean(L, 1);
    return 1;
}

static int wrong_state(lua_State *L)
{
    struct wr_fault fault = wr_error_fault(WR_E_CRYPTO_STATE);
    return wr_wornstream_fault(L, &fault);
}

/* ---- ciphers: each gives true or a result, or nil, code, message, number */

/* core.cipherNew(self, has, readableMark, writableMark, decrypt, algorithm, key, iv, tagLength, chunkSize) */
static int new_cipher(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_cipher_params params = {.decrypt = lua_toboolean(L, 5), .name = luaL_checkstring(L, 6)};
    params.key = wr_cryptokey_bytes(L, 7, &params.key_len);
    params.iv = bytes(L, 8, &params.iv_len);
    params.tag_len = (size_t)luaL_optinteger(L, 9, 0);
    struct wr_fault fault;
    struct wr_worn_params p = {.ops = &cipher_ops, .room = ROOM, .small = SMALL, .sync = true, .ahead = AHEAD};
    p.codec = wr_cipher_new(&b->alloc, &params, &fault);
    if (!p.codec)
        return wr_wornstream_fault(L, &fault);
    if (!wr_wornstream_make(L, b, 2, sizeof(struct crypto_stream), clear, &p))
        return lua_error(L);
    lua_pushboolean(L, 1);
    return 1;
}

static struct crypto_stream *arg(lua_State *L)
{
    return (struct crypto_stream *)(void *)wr_wornstream_arg(L, wr_bind_self(L), 1, clear);
}

/* The codec of S, if it may be reached. */
static struct wr_codec *codec_of(struct crypto_stream *s)
{
    return s->final ? NULL : wr_worn_codec(s->ws.worn);
}

/* IN through C; what comes out, at most LEN + a block, is pushed. */
static int pass(lua_State *L, struct wr_bind *b, struct wr_codec *c, const unsigned char *in, size_t len,
                enum wr_flush flush)
{
    size_t room = len + 2 * WR_CIPHER_TAG_MOST;
    unsigned char small[1024], *out = room <= sizeof small ? small : wr_alloc_get(&b->alloc, room);
    if (!out)
        return luaL_error(L, "out of memory");
    struct wr_codec_io io = {.in = in, .in_len = len, .out = out, .out_len = room, .flush = flush};
    enum wr_step step = c->ops->step(c, &io);
    if (step == WR_STEP_FAIL)
        wr_wornstream_fault(L, &c->fault);
    else
        lua_pushlstring(L, (const char *)out, room - io.out_len);
    wr_kdf_wipe(out, room);
    if (out != small)
        wr_alloc_free(&b->alloc, out, room);
    return step == WR_STEP_FAIL ? 4 : 1;
}

/* core.cipherUpdate(self, data) */
static int update(lua_State *L)
{
    struct crypto_stream *s = arg(L);
    size_t len;
    const unsigned char *in = bytes(L, 2, &len);
    struct wr_codec *c = codec_of(s);
    return c ? pass(L, wr_bind_self(L), c, in, len, WR_FLUSH_NONE) : wrong_state(L);
}

/* core.cipherFinal(self) */
static int final(lua_State *L)
{
    struct crypto_stream *s = arg(L);
    struct wr_codec *c = codec_of(s);
    if (!c)
        return wrong_state(L);
    int n = pass(L, wr_bind_self(L), c, NULL, 0, WR_FLUSH_FINISH);
    s->final = true;
    take_tag(s, c);
    return n;
}

/* core.cipherAad(self, data) */
static int set_aad(lua_State *L)
{
    struct wr_codec *c = codec_of(arg(L));
    struct wr_fault fault;
    size_t len;
    const unsigned char *aad = bytes(L, 2, &len);
    if (!c)
        return wrong_state(L);
    return answer(L, wr_cipher_set_aad(c, aad, len, &fault), &fault);
}

/* core.cipherSetTag(self, tag) */
static int set_tag(lua_State *L)
{
    struct wr_codec *c = codec_of(arg(L));
    struct wr_fault fault;
    size_t len;
    const unsigned char *tag = bytes(L, 2, &len);
    if (!c)
        return wrong_state(L);
    return answer(L, wr_cipher_set_tag(c, tag, len, &fault), &fault);
}

/* core.cipherTag(self) */
static int get_tag(lua_State *L)
{
    struct crypto_stream *s = arg(L);
    if (!s->tag_len)
        return wrong_state(L);
    lua_pushlstring(L, (const char *)s->tag, s->tag_len);
    return 1;
}

/* core.cipherPadding(self, on) */
static int set_padding(lua_State *L)
{
    struct wr_codec *c = codec_of(arg(L));
    struct wr_fault fault;
    if (!c)
        return wrong_state(L);
    return answer(L, wr_cipher_set_padding(c, lua_toboolean(L, 2), &fault), &fault);
}

/* ---- hashes */

static struct crypto_stream *hash_arg(lua_State *L, int index)
{
    return (struct crypto_stream *)(void *)wr_wornstream_arg(L, wr_bind_self(L), index, clear_hash);
}

/* The codec of the hash at INDEX; NULL with FAULT set if it is over, or something that was written is under way. */
static struct wr_codec *hash_codec(lua_State *L, int index, struct wr_fault *fault)
{
    struct wr_codec *c = codec_of(hash_arg(L, index));
    if (!c)
        *fault = wr_error_fault(WR_E_CRYPTO_FINALIZED);
    return c;
}

/* core.hashNew(self, has, readableMark, writableMark, algorithm or hash to copy) */
static int new_hash(lua_State *L)
{
    struct wr_bind *b = wr_bind_self(L);
    struct wr_fault fault;
    struct wr_worn_params p = {.ops = &hash_ops, .small = SMALL, .sync = true, .ahead = AHEAD};
    if (lua_type(L, 5) == LUA_TSTRING) {
        p.codec = wr_digest_new(&b->alloc, lua_tostring(L, 5), &fault);
    } else {
        struct wr_codec *c = hash_codec(L, 5, &fault);
        p.codec = c ? wr_digest_copy(c, &fault) : NULL;
    }
    if (!p.codec)
        return wr_wornstream_fault(L, &fault);
    if (!wr_wornstream_make(L, b, 2, sizeof(struct crypto_stream), clear_hash, &p))
        return lua_error(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.hashUpdate(self, data) */
static int hash_update(lua_State *L)
{
    struct wr_fault fault;
    struct wr_codec *c = hash_codec(L, 1, &fault);
    size_t len;
    const unsigned char *data = bytes(L, 2, &len);
    return answer(L, c ? wr_digest_update(c, data, len, &fault) : -1, &fault);
}

/* core.hashDigest(self) -> string */
static int hash_digest(lua_State *L)
{
    struct wr_fault fault;
    unsigned char out[WR_DIGEST_MOST];
    struct wr_codec *c = hash_codec(L, 1, &fault);
    if (!c || wr_digest_final(c, out, &fault))
        return wr_wornstream_fault(L, &fault);
    hash_arg(L, 1)->final = true;
    lua_pushlstring(L, (const char *)out, wr_digest_size(c));
    return 1;
}

void wr_cryptostream_open(lua_State *L, struct wr_bind *b)
{
    static const luaL_Reg functions[] = {{"cipherNew", new_cipher},
                                         {"cipherUpdate", update},
                                         {"cipherFinal", final},
                                         {"cipherAad", set_aad},
                                         {"cipherTag", get_tag},
                                         {"cipherSetTag", set_tag},
                                         {"cipherPadding", set_padding},
                                         {"hashNew", new_hash},
                                         {"hashUpdate", hash_update},
                                         {"hashDigest", hash_digest},
                                         {NULL, NULL}};
    wr_bind_register(L, b, functions);
}
