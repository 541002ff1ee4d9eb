#include "tok/decoding.h"

#include "base/json.h"
#include "tok/private.h"
#include "tok/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoding_step {
    const struct kind *kind;
    char *from, *to; /* Replace; WordPiece: the prefix; Metaspace, Strip: a character */
    size_t start, stop; /* Strip */
    int on;             /* WordPiece: clean up; Metaspace: the first mark is none */
};

/* One row per name: what is read, and what becomes of a token. */
struct kind {
    const char *type;
    int (*read)(struct decoding *d, struct decoding_step *s, const json_t *v,
                const char *where, struct err *e);
    int (*run)(const struct decoding_step *s, enum token_place place,
               struct token_text *t, struct err *e);
};

void decoding_release(struct decoding *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->step[i]->from);
        free(d->step[i]->to);
        free(d->step[i]);
    }
    *d = (struct decoding){0};
}

/* ---- text -----------------------------------------------------------------------------*/

/* s[0..n) takes the place of t->s[at .. at+k). */
static int splice(struct token_text *t, size_t at, size_t k, const char *s, size_t n,
                  struct err *e)
{
    const size_t want = t->n - k + n;

    if (want > t->cap) {
        char *p = realloc(t->s, want + 64);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for a token of %zu bytes", want);
        t->s = p;
        t->cap = want + 64;
    }
    if (t->n > at + k)
        memmove(t->s + at + n, t->s + at + k, t->n - at - k);
    if (n > 0)
        memcpy(t->s + at, s, n);
    t->n = want;
    return 0;
}

/* Every `from` becomes `to`. */
static int replace(struct token_text *t, const char *from, const char *to,
                   struct err *e)
{
    const size_t k = strlen(from), n = strlen(to);
    int rc = 0;

    for (size_t at = 0; k > 0 && at < t->n && rc == 0; at += n) {
        const char *hit = memmem(t->s + at, t->n - at, from, k);

        if (!hit)
            break;
        at = (size_t)(hit - t->s);
        rc = splice(t, at, k, to, n, e);
    }
    return rc;
}

/* ---- steps ----------------------------------------------------------------------------*/

static int run_replace(const struct decoding_step *s, enum token_place place,
                       struct token_text *t, struct err *e)
{
    (void)place;
    return replace(t, s->from, s->to, e);
}

/* In the first token a mark is no blank. */
static int run_metaspace(const struct decoding_step *s, enum token_place place,
                         struct token_text *t, struct err *e)
{
    return replace(t, s->from, place == TOKEN_FIRST && s->on ? "" : " ", e);
}

static int run_strip(const struct decoding_step *s, enum token_place place,
                     struct token_text *t, struct err *e)
{
    const size_t k = strlen(s->from);
    size_t head = 0, tail = t->n;
    int rc;

    (void)place;
    for (size_t i = 0; i < s->start && tail - head >= k; i++, head += k)
        if (memcmp(t->s + head, s->from, k) != 0)
            break;
    for (size_t i = 0; i < s->stop && tail - head >= k; i++, tail -= k)
        if (memcmp(t->s + tail - k, s->from, k) != 0)
            break;
    if ((rc = splice(t, tail, t->n - tail, "", 0, e)) < 0)
        return rc;
    return splice(t, 0, head, "", 0, e);
}

/* Blanks in front of punctuation and of what English contracts. */
static int clean_up(struct token_text *t, struct err *e)
{
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && rc == 0; i++)
        rc = replace(t, pairs[i][0], pairs[i][1], e);
    return rc;
}

static int run_wordpiece(const struct decoding_step *s, enum token_place place,
                         struct token_text *t, struct err *e)
{
    const size_t k = strlen(s->from);
    const int inside = t->n >= k && memcmp(t->s, s->from, k) == 0;
    int rc = 0;

    if (place == TOKEN_INSIDE)
        rc = inside ? splice(t, 0, k, "", 0, e) : splice(t, 0, 0, " ", 1, e);
    return rc == 0 && s->on ? clean_up(t, e) : rc;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* <0x41> is the byte 0x41: 1. */
static int run_bytes(const struct decoding_step *s, enum token_place place,
                     struct token_text *t, struct err *e)
{
    (void)s;
    (void)place;
    if (t->n != 6 || memcmp(t->s, "<0x", 3) != 0 || t->s[5] != '>' ||
        hex(t->s[3]) < 0 || hex(t->s[4]) < 0)
        return 0;
    const char byte = (char)(hex(t->s[3]) << 4 | hex(t->s[4]));
    const int rc = splice(t, 0, t->n, &byte, 1, e);

    return rc < 0 ? rc : 1;
}

/* The byte that the character at s[0..n) stands for, or -1; *len: its length. */
static inline int spelled(const char *s, size_t n, size_t *len)
{
    if (*s > ' ' && *s < 0x7f) { /* most, and they are themselves */
        *len = 1;
        return *s;
    }
    return alphabet_byte(utf8_get(s, n, len));
}

/* GPT-2's alphabet; a text with a character outside of it stands for itself. */
static int run_alphabet(const struct decoding_step *s, enum token_place place,
                        struct token_text *t, struct err *e)
{
    size_t k = 0, len;

    (void)s;
    (void)place;
    (void)e;
    for (size_t i = 0; i < t->n; i += len)
        if (spelled(t->s + i, t->n - i, &len) < 0)
            return 0;
    for (size_t i = 0; i < t->n; i += len)
        t->s[k++] = (char)spelled(t->s + i, t->n - i, &len);
    t->n = k;
    return 0;
}

/* ---- reading --------------------------------------------------------------------------*/

static int take(char **to, const char *s, const char *where, struct err *e)
{
    *to = strdup(s);
    return *to ? 0 : err_set(e, ERR_NOMEM, "%s: no memory for the decoder", where);
}

static int read_key(char **to, const json_t *v, const char *key, const char *where,
                    struct err *e)
{
    const char *s = NULL;
    const int rc = json_get_str(&s, v, key, where, e);

    return rc < 0 ? rc : take(to, s, where, e);
}

static int read_replace(struct decoding *d, struct decoding_step *s, const json_t *v,
                        const char *where, struct err *e)
{
    const json_t *pattern = json_object_get(v, "pattern");
    const char *from = json_string_value(json_object_get(pattern, "String"));
    int rc;

    (void)d;
    if (!from)
        return err_set(e, ERR_FILE,
                       "%s: decoder 'Replace': 'pattern' has no 'String' (regular "
                       "expressions are not read here)",
                       where);
    rc = take(&s->from, from, where, e);
    return rc < 0 ? rc : read_key(&s->to, v, "content", where, e);
}

static int read_metaspace(struct decoding *d, struct decoding_step *s, const json_t *v,
                          const char *where, struct err *e)
{
    const char *scheme = "always";
    int prefix = 1, rc;

    if ((rc = read_key(&s->from, v, "replacement", where, e)) < 0 ||
        (rc = json_opt_str(&scheme, v, "prepend_scheme", where, e)) < 0 ||
        (rc = json_opt_bool(&prefix, v, "add_prefix_space", where, e)) < 0)
        return rc;
    s->on = prefix && strcmp(scheme, "never") != 0;
    d->first |= s->on;
    return 0;
}

static int read_wordpiece(struct decoding *d, struct decoding_step *s, const json_t *v,
                          const char *where, struct err *e)
{
    const int rc = read_key(&s->from, v, "prefix", where, e);

    d->first = 1;
    return rc < 0 ? rc : json_opt_bool(&s->on, v, "cleanup", where, e);
}

static int read_strip(struct decoding *d, struct decoding_step *s, const json_t *v,
                      const char *where, struct err *e)
{
    int rc;

    (void)d;
    if ((rc = read_key(&s->from, v, "content", where, e)) < 0 ||
        (rc = json_opt_size(&s->start, v, "start", 0, 1024, where, e)) < 0)
        return rc;
    if (!*s->from)
        return err_set(e, ERR_FILE, "%s: decoder 'Strip': 'content' is empty", where);
    return json_opt_size(&s->stop, v, "stop", 0, 1024, where, e);
}

static int read_alphabet(struct decoding *d, struct decoding_step *s, const json_t *v,
                         const char *where, struct err *e)
{
    (void)s;
    (void)v;
    (void)where;
    (void)e;
    d->lossy = 1;
    return 0;
}

static const struct kind kinds[] = {
    {"ByteLevel", read_alphabet, run_alphabet},
    {"Metaspace", read_metaspace, run_metaspace},
    {"WordPiece", read_wordpiece, run_wordpiece},
    {"Replace", read_replace, run_replace},
    {"Strip", read_strip, run_strip},
    {"ByteFallback", NULL, run_bytes},
    {"Fuse", NULL, NULL},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* What is behind Fuse works on the whole text, which we never have. */
static int after_fuse(struct decoding *d, const struct decoding_step *s,
                      const char *where, struct err *e)
{
    if (!s->kind->run)
        return 0;
    if (s->kind->run != run_strip || s->stop > 0 || strlen(s->from) != 1 ||
        d->strip_up > 0)
        return err_set(e, ERR_FILE,
                       "%s: decoder '%s' behind 'Fuse' or 'ByteLevel'; supported "
                       "there: 'Strip' of one ASCII character at the start",
                       where, s->kind->type);
    d->strip = *s->from;
    d->strip_up = s->start;
    return 0;
}

static int add(struct decoding *d, const struct kind *k, int *fused, const json_t *v,
               const char *where, struct err *e)
{
    struct decoding_step *s = calloc(1, sizeof *s);
    int rc = s ? 0 : err_set(e, ERR_NOMEM, "%s: no memory for the decoder", where);

    if (s)
        s->kind = k;
    if (rc == 0 && d->n == DECODING_STEPS)
        rc = err_set(e, ERR_FILE, "%s: more than %d decoders in a row", where,
                     DECODING_STEPS);
    if (rc == 0 && k->read)
        rc = k->read(d, s, v, where, e);
    const int keeps = rc == 0 && k->run && !*fused;

    if (keeps)
        d->step[d->n++] = s;
    else if (rc == 0)
        rc = after_fuse(d, s, where, e);
    *fused |= !k->run || d->lossy;
    if (!keeps && s) {
        free(s->from);
        free(s->to);
        free(s);
    }
    return rc;
}

static int add_at(struct decoding *d, const json_t *v, int depth, int *fused,
                  const char *where, struct err *e)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    const json_t *one;
    char names[128] = "";
    size_t i, at = 0;
    int rc = 0;

    if (type && strcmp(type, "Sequence") == 0 && depth < DECODING_STEPS) {
        json_array_foreach(json_object_get(v, "decoders"), i, one)
        {
            if ((rc = add_at(d, one, depth + 1, fused, where, e)) < 0)
                break;
        }
        return rc;
    }
    for (i = 0; i < KINDS; i++) {
        if (type && strcmp(type, kinds[i].type) == 0)
            return add(d, &kinds[i], fused, v, where, e);
        at += (size_t)snprintf(names + at, sizeof names - at, "%s, ", kinds[i].type);
    }
    return err_set(e, ERR_FILE, "%s: 'decoder' is '%s'; supported: none, %sSequence",
                   where, type ? type : "", names);
}

int decoding_read(struct decoding *d, const json_t *v, const char *where, struct err *e)
{
    int fused = 0;

    d->blanks = !v || json_is_null(v);
    return d->blanks ? 0 : add_at(d, v, 0, &fused, where, e);
}

int decoding_plain(const char *text, size_t n, struct token_text *out, struct err *e)
{
    return splice(out, 0, out->n, text, n, e);
}

int decoding_token(const struct decoding *d, const char *text, size_t n,
                   enum token_place place, struct token_text *out, struct err *e)
{
    int rc = decoding_plain(text, n, out, e);

    for (size_t i = 0; i < d->n && rc == 0; i++)
        rc = d->step[i]->kind->run(d->step[i], place, out, e);
    return rc;
}
