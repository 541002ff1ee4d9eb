#include "rec/scan.h"

#include "rec/buf.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the whole token for first bytes that say it all; 0: read the head. */
static const unsigned char width[256] = {
    [0x00 ... 0x7f] = 1, /* positive fixint */
    [0xa0] = 1,          [0xa1] = 2,  [0xa2] = 3,  [0xa3] = 4,  [0xa4] = 5,
    [0xa5] = 6,          [0xa6] = 7,  [0xa7] = 8,  [0xa8] = 9,  [0xa9] = 10,
    [0xaa] = 11,         [0xab] = 12, [0xac] = 13, [0xad] = 14, [0xae] = 15,
    [0xaf] = 16,         [0xb0] = 17, [0xb1] = 18, [0xb2] = 19, [0xb3] = 20,
    [0xb4] = 21,         [0xb5] = 22, [0xb6] = 23, [0xb7] = 24, [0xb8] = 25,
    [0xb9] = 26,         [0xba] = 27, [0xbb] = 28, [0xbc] = 29, [0xbd] = 30,
    [0xbe] = 31,         [0xbf] = 32,                          /* fixstr */
    [0xc0] = 1,          [0xc2] = 1,  [0xc3] = 1,              /* nil, false, true */
    [0xca] = 5,          [0xcb] = 9,                           /* float32, float64 */
    [0xcc] = 2,          [0xcd] = 3,  [0xce] = 5,  [0xcf] = 9, /* uint */
    [0xd0] = 2,          [0xd1] = 3,  [0xd2] = 5,  [0xd3] = 9, /* int */
    [0xe0 ... 0xff] = 1,                                       /* negative fixint */
};

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static double float_of(const unsigned char *p, size_t n)
{
    const uint64_t bits = big_endian(p, n);
    const uint32_t bits32 = (uint32_t)bits;
    float f;
    double d;

    if (n == 4) {
        memcpy(&f, &bits32, sizeof f);
        return (double)f;
    }
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* Sign-extends the n-byte number in u. */
static void as_signed(struct rec_token *t, size_t n)
{
    const unsigned shift = (unsigned)(64 - 8 * n);
    const int64_t v = (int64_t)(t->u << shift) >> shift;

    t->u = (uint64_t)v;
    t->negative = v < 0;
}

/* Everything behind a length field: first byte -> what it heads, bytes of the length.
 */
struct head {
    unsigned char type, bytes, fixed; /* fixed: payload of a fixext */
};

static const struct head heads[256] = {
    [0xc4] = {REC_BIN, 1, 0},   [0xc5] = {REC_BIN, 2, 0},  [0xc6] = {REC_BIN, 4, 0},
    [0xc7] = {REC_EXT, 1, 0},   [0xc8] = {REC_EXT, 2, 0},  [0xc9] = {REC_EXT, 4, 0},
    [0xd4] = {REC_EXT, 0, 1},   [0xd5] = {REC_EXT, 0, 2},  [0xd6] = {REC_EXT, 0, 4},
    [0xd7] = {REC_EXT, 0, 8},   [0xd8] = {REC_EXT, 0, 16}, [0xd9] = {REC_STR, 1, 0},
    [0xda] = {REC_STR, 2, 0},   [0xdb] = {REC_STR, 4, 0},  [0xdc] = {REC_ARRAY, 2, 0},
    [0xdd] = {REC_ARRAY, 4, 0}, [0xde] = {REC_MAP, 2, 0},  [0xdf] = {REC_MAP, 4, 0},
};

static int read_head(struct rec_token *t, const unsigned char *p, size_t avail)
{
    const struct head *h = &heads[p[0]];
    const int ext = h->type == REC_EXT;
    size_t at = 1;

    if (h->type == REC_NONE)
        return -1;
    if (avail < 1 + (size_t)h->bytes + (size_t)ext)
        return 0;
    t->type = (enum rec_type)h->type;
    t->n = h->bytes ? (size_t)big_endian(p + 1, h->bytes) : h->fixed;
    at += h->bytes;
    if (ext)
        t->ext = (signed char)p[at++];
    t->size = at;
    if (t->type != REC_ARRAY && t->type != REC_MAP) {
        t->data = p + at;
        t->size += t->n;
    }
    return 1;
}

static int read_scalar(struct rec_token *t, const unsigned char *p, unsigned char c)
{
    const size_t n = (size_t)width[c] - 1;

    t->size = n + 1;
    if (c < 0x80 || c >= 0xe0) {
        t->type = REC_INT;
        t->u = c;
        as_signed(t, 1);
    } else if (c < 0xc0) {
        t->type = REC_STR;
        t->data = p + 1;
        t->n = n;
    } else if (c < 0xca) {
        t->type = c == 0xc0 ? REC_NIL : REC_BOOL;
        t->u = c == 0xc3;
    } else if (c < 0xcc) {
        t->type = c == 0xca ? REC_F32 : REC_F64;
        t->f = float_of(p + 1, n);
    } else {
        t->type = REC_INT;
        t->u = big_endian(p + 1, n);
        if (c >= 0xd0)
            as_signed(t, n);
    }
    return 1;
}

int rec_token_read(struct rec_token *t, const unsigned char *p, size_t avail)
{
    const unsigned char c = p[0];

    *t = (struct rec_token){0};
    if (width[c]) {
        /* A string's payload may lie beyond avail, a number's may not. */
        if (avail < width[c] && (c < 0xa0 || c > 0xbf))
            return 0;
        return read_scalar(t, p, c);
    }
    if (c >= 0x80 && c <= 0x9f) {
        t->type = c < 0x90 ? REC_MAP : REC_ARRAY;
        t->n = c & 15u;
        t->size = 1;
        return 1;
    }
    return read_head(t, p, avail);
}

size_t rec_value_span(const unsigned char *p, size_t avail)
{
    size_t pos = 0;
    uint64_t left = 1;
    struct rec_token t;

    while (left > 0) {
        if (pos >= avail)
            return 0;
        size_t w = width[p[pos]];
        if (!w) {
            if (rec_token_read(&t, p + pos, avail - pos) != 1)
                return 0;
            w = t.size;
            if (t.type == REC_ARRAY || t.type == REC_MAP)
                left += t.type == REC_MAP ? 2 * (uint64_t)t.n : t.n;
        }
        if (w > avail - pos)
            return 0;
        pos += w;
        left--;
    }
    return pos;
}

/* ---- the walk
 * ------------------------------------------------------------------------ */
void rec_scan_start(struct rec_scan *s)
{
    *s = (struct rec_scan){0};
}

static enum scan_result bad(struct rec_scan *s, const char *why)
{
    s->why = why;
    return SCAN_BAD;
}

static enum scan_result open_record(struct rec_scan *s, struct rec *r,
                                    const unsigned char *p, size_t avail)
{
    struct rec_token t;

    if (avail == 0)
        return SCAN_MORE;
    const int got = rec_token_read(&t, p, avail);
    if (got == 0)
        return SCAN_MORE;
    if (got < 0 || t.type != REC_MAP)
        return bad(s, "neither a msgpack map nor a JSON object");
    if (t.n > REC_FIELDS)
        return bad(s, "more than 65536 fields");
    r->nfields = 0;
    s->pos = t.size;
    s->depth = 1;
    s->left[0] = 2 * (uint64_t)t.n;
    return SCAN_DONE;
}

static enum scan_result note_key(struct rec_scan *s, struct rec *r,
                                 const unsigned char *p, size_t avail, size_t max)
{
    struct rec_token t;
    const int got = rec_token_read(&t, p + s->pos, avail - s->pos);

    if (got == 0)
        return SCAN_MORE;
    if (got < 0)
        return bad(s, "not msgpack");
    if (t.type != REC_STR)
        return bad(s, "a field's name is not a str");
    if (t.size > max - s->pos)
        return bad(s, "a length goes over the limit");
    if (t.size > avail - s->pos)
        return SCAN_MORE;
    if (rec_fields_reserve(r, r->nfields + 1) < 0)
        return SCAN_NOMEM;
    r->field[r->nfields++] = (struct rec_field){.token = s->pos,
                                                .key = (size_t)(t.data - p),
                                                .klen = t.n,
                                                .val = s->pos + t.size};
    s->pos += t.size;
    s->left[0]--;
    return SCAN_DONE;
}

/* One value, or as many scalars of one container as are there. */
static enum scan_result walk(struct rec_scan *s, const unsigned char *p, size_t avail,
                             size_t max)
{
    uint64_t *left = &s->left[s->depth - 1];
    const uint64_t most = s->depth == 1 ? 1 : *left;
    uint64_t done = 0;
    size_t pos = s->pos;
    struct rec_token t;

    while (done < most && pos < avail) {
        const unsigned char c = p[pos];
        const size_t w = width[c];

        if (!w || w > avail - pos)
            break;
        /* Numbers of one width come in runs: guessing the next first byte is quicker
         * than waiting for it to be looked up. */
        do {
            pos += w;
            done++;
        } while (done < most && w <= avail - pos && p[pos] == c);
    }
    s->pos = pos;
    *left -= done;
    if (pos > max)
        return bad(s, "it goes over the limit");
    if (done)
        return SCAN_DONE;
    const int got = pos < avail ? rec_token_read(&t, p + pos, avail - pos) : 0;
    if (got == 0)
        return SCAN_MORE;
    if (got < 0)
        return bad(s, "not msgpack");
    if (t.size > max - pos)
        return bad(s, "a length goes over the limit");
    if (t.type != REC_ARRAY && t.type != REC_MAP) {
        if (t.size > avail - pos)
            return SCAN_MORE;
        s->pos += t.size;
        --*left;
        return SCAN_DONE;
    }
    const uint64_t n = t.type == REC_MAP ? 2 * (uint64_t)t.n : t.n;
    if (n > max - pos)
        return bad(s, "a length goes over the limit");
    if (s->depth == REC_DEPTH)
        return bad(s, "maps and arrays are nested too deeply");
    s->pos += t.size;
    --*left;
    s->left[s->depth++] = n;
    return SCAN_DONE;
}

enum scan_result rec_scan_run(struct rec_scan *s, struct rec *r, const unsigned char *p,
                              size_t avail, size_t max)
{
    enum scan_result rc = s->depth ? SCAN_DONE : open_record(s, r, p, avail);

    while (rc == SCAN_DONE) {
        while (s->depth > 1 && s->left[s->depth - 1] == 0)
            s->depth--;
        if (s->depth == 1 && s->left[0] % 2 == 0) {
            if (r->nfields > 0)
                r->field[r->nfields - 1].vsize = s->pos - r->field[r->nfields - 1].val;
            if (s->left[0] == 0)
                return s->pos > max ? bad(s, "it goes over the limit") : SCAN_DONE;
            rc = s->pos < avail ? note_key(s, r, p, avail, max) : SCAN_MORE;
        } else {
            rc = walk(s, p, avail, max);
        }
    }
    if (rc == SCAN_MORE && avail > max)
        return bad(s, "it goes over the limit");
    return rc;
}

/* ---- keys
 * ----------------------------------------------------------------------------- */
struct keyed {
    const unsigned char *p;
    size_t n;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return memcmp(x->p, y->p, x->n);
}

static const char *distinct_sorted(const struct rec *r, const unsigned char *p)
{
    struct keyed *k = malloc(r->nfields * sizeof *k);
    const char *why = NULL;

    if (!k)
        return "no memory for its fields";
    for (size_t i = 0; i < r->nfields; i++)
        k[i] = (struct keyed){p + r->field[i].key, r->field[i].klen};
    qsort(k, r->nfields, sizeof *k, by_key);
    for (size_t i = 1; i < r->nfields && !why; i++)
        if (by_key(&k[i - 1], &k[i]) == 0)
            why = "a field stands twice";
    free(k);
    return why;
}

const char *rec_scan_keys(const struct rec *r, const unsigned char *p)
{
    for (size_t i = 0; i < r->nfields; i++) {
        const struct rec_field *f = &r->field[i];
        const char *key = (const char *)p + f->key;

        if (memchr(key, 0, f->klen) || !rec_utf8_valid(key, f->klen))
            return "a field's name is not UTF-8 text";
    }
    if (r->nfields > 64)
        return distinct_sorted(r, p);
    for (size_t i = 1; i < r->nfields; i++)
        for (size_t j = 0; j < i; j++)
            if (r->field[i].klen == r->field[j].klen &&
                memcmp(p + r->field[i].key, p + r->field[j].key, r->field[i].klen) == 0)
                return "a field stands twice";
    return NULL;
}
