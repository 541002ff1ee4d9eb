#include "tok/spm.h"

#include "base/base64.h"
#include "tok/private.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

#define MARK "\xe2\x96\x81" /* U+2581 */

void spm_init(struct spm *s)
{
    *s = (struct spm){.model = SPM_UNIGRAM,
                      .dummy_prefix = 1,
                      .strip = 1,
                      .escape = 1,
                      .unk = -1,
                      .bos = -1,
                      .eos = -1};
}

void spm_release(struct spm *s)
{
    free(s->piece);
    *s = (struct spm){0};
}

int spm_add(struct spm *s, struct tok *t, const char *text, size_t n, float score,
            int type, struct err *e)
{
    if (n == 0 || n > SPM_MAX_PIECE)
        return err_set(e, ERR_FILE, "%s: piece %zu has %zu bytes, 1 to %d are read",
                       t->where, s->n, n, SPM_MAX_PIECE);
    if (utf8_valid(text, n) != n)
        return err_set(e, ERR_FILE, "%s: piece %zu is not UTF-8", t->where, s->n);
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 1024;
        struct spm_piece *p = realloc(s->piece, cap * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "%s: no memory for %zu pieces", t->where, cap);
        s->piece = p;
        s->cap = cap;
    }
    s->piece[s->n] = (struct spm_piece){.score = score, .type = (unsigned char)type};
    return vocab_add(&t->vocab, s->n++, text, n, t->where, e);
}

/* ---- merges -----------------------------------------------------------------------------
 * A BPE model has no list of merges: two pieces are joined if what they make is a piece,
 * those of the highest score first. */

struct join {
    float score;
    int32_t id, left, right;
    uint32_t nleft;
};

struct joins {
    struct join *v;
    size_t n, cap;
};

static int in_order(const void *a, const void *b)
{
    const struct join *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->nleft > y->nleft) - (x->nleft < y->nleft);
}

static int push_join(struct joins *j, struct join x, struct err *e)
{
    if (j->n == j->cap) {
        const size_t cap = j->cap ? 2 * j->cap : 4096;
        struct join *v = realloc(j->v, cap * sizeof *v);

        if (!v)
            return err_set(e, ERR_NOMEM, "no memory for %zu merges", cap);
        j->v = v;
        j->cap = cap;
    }
    j->v[j->n++] = x;
    return 0;
}

/* The normal piece of this text, or -1. */
static int32_t normal_piece(const struct spm *s, const struct tok *t, const char *text,
                            size_t n)
{
    const int32_t id = vocab_find(&t->vocab, text, n);

    return id >= 0 && s->piece[id].type == SPM_NORMAL ? id : -1;
}

/* All ways to make piece `id` of two. */
static int split_piece(const struct spm *s, const struct tok *t, int32_t id,
                       struct joins *j, struct err *e)
{
    size_t n;
    const char *text = vocab_text(&t->vocab, id, &n);
    int rc = 0;

    for (size_t i = utf8_length((unsigned char)*text); i < n && rc == 0;
         i += utf8_length((unsigned char)text[i])) {
        const int32_t left = normal_piece(s, t, text, i);
        const int32_t right = left < 0 ? -1 : normal_piece(s, t, text + i, n - i);

        if (right >= 0)
            rc = push_join(
                j, (struct join){s->piece[id].score, id, left, right, (uint32_t)i}, e);
    }
    return rc;
}

static int build_bpe(const struct spm *s, struct tok *t, struct err *e)
{
    struct joins j = {0};
    int rc = 0;

    for (size_t id = 0; id < s->n && rc == 0; id++)
        if (s->piece[id].type == SPM_NORMAL)
            rc = split_piece(s, t, (int32_t)id, &j, e);
    if (j.n > 0)
        qsort(j.v, j.n, sizeof *j.v, in_order);
    t->kind = TOK_BPE;
    if (rc == 0)
        rc = tok_start_bpe(t, BPE_CHARS, j.n, e);
    for (size_t i = 0; i < j.n && rc == 0; i++)
        bpe_add(&t->bpe, j.v[i].left, j.v[i].right, j.v[i].id, (uint32_t)i);
    t->bpe.byte_fallback = s->bytes;
    t->bpe.fuse_unk = 1;
    free(j.v);
    return rc;
}

static int build_unigram(const struct spm *s, struct tok *t, struct err *e)
{
    int rc = 0;

    t->kind = TOK_UNIGRAM;
    t->unigram.unk = t->unk;
    t->unigram.bytes = s->bytes;
    for (size_t id = 0; id < s->n && rc == 0; id++) {
        const struct spm_piece *p = &s->piece[id];

        rc = p->beside ? unigram_leave_out(&t->unigram, id, t->where, e)
                       : unigram_score(&t->unigram, id, (double)p->score, t->where, e);
    }
    return rc < 0 ? rc : unigram_build(&t->unigram, &t->vocab, t->where, e);
}

/* ---- parts of a tokenizer.json ----------------------------------------------------------
 * json_pack frees what it was given and returns NULL if a value could not be made, and so
 * do these: one check, in tok_make. */

static json_t *replace(const char *kind, const char *pattern, const char *by)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", kind, pattern,
                     "content", by);
}

static json_t *metaspace(const char *scheme, int cut)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", MARK,
                     "prepend_scheme", scheme, "split", cut);
}

static json_t *charsmap(const struct spm *s)
{
    const size_t n = base64_size(s->ncharsmap);
    char *text = malloc(n + 1);

    if (!text)
        return NULL;
    base64_put(text, (const unsigned char *)s->charsmap, s->ncharsmap);
    json_t *v = json_pack("{s:s, s:o}", "type", "Precompiled", "precompiled_charsmap",
                          json_stringn(text, n));
    free(text);
    return v;
}

/* A Sequence of what is given, the NULL at the end not counted; an empty one is null. */
static json_t *sequence(const char *key, json_t *const *v, size_t n)
{
    json_t *list = json_array();
    int bad = !list;

    for (size_t i = 0; i < n; i++)
        bad |= json_array_append_new(list, v[i]) != 0;
    if (!bad && n > 0)
        return json_pack("{s:s, s:o}", "type", "Sequence", key, list);
    json_decref(list);
    return bad ? NULL : json_null();
}

static json_t *normalizer(const struct spm *s, enum spm_manner manner)
{
    json_t *v[6];
    size_t n = 0;
    const int own = manner == SPM_AS_IT_SAYS;

    if (s->ncharsmap > 0 && (own || manner == SPM_T5))
        v[n++] = charsmap(s);
    if (own && s->strip) {
        v[n++] = replace("Regex", "\\A +| +\\z", "");
        v[n++] = replace("Regex", " {2,}", " ");
    }
    if (manner == SPM_LLAMA_LEGACY && s->dummy_prefix)
        v[n++] = json_pack("{s:s, s:s}", "type", "Prepend", "prepend", MARK);
    if (manner == SPM_LLAMA_LEGACY || manner == SPM_GEMMA || (own && s->escape))
        v[n++] = replace("String", " ", MARK);
    if (own && s->dummy_prefix) /* Metaspace puts no second mark in front */
        v[n++] = replace("Regex", "\\A" MARK, MARK MARK);
    return sequence("normalizers", v, n);
}

/* User-defined pieces, longest first, as one expression. */
struct user {
    const char *s;
    size_t n;
};

static int longest_first(const void *a, const void *b)
{
    const struct user *x = a, *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return memcmp(x->s, y->s, x->n);
}

/* Is this piece one that only the pre-tokenizer can keep whole?  The text given has no
 * marks, so an added token with one would never be found in it. */
static int is_isolated(const struct spm *s, const struct tok *t, size_t id,
                       enum spm_manner manner, struct user *u)
{
    u->s = vocab_text(&t->vocab, (int32_t)id, &u->n);
    return s->piece[id].type == SPM_USER &&
           (manner == SPM_AS_IT_SAYS || memmem(u->s, u->n, MARK, 3));
}

static void write_pattern(char *p, const struct user *u, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *p++ = '|';
        for (size_t k = 0; k < u[i].n; k++) {
            if (strchr("\\^$.[]|()?*+{}#-&", u[i].s[k]))
                *p++ = '\\';
            *p++ = u[i].s[k];
        }
    }
    *p = '\0';
}

/* The Split that keeps them whole; NULL with *n = 0 if there is nothing to keep. */
static json_t *isolate(const struct spm *s, const struct tok *t, enum spm_manner manner,
                       size_t *n)
{
    struct user *u = malloc((s->n + 1) * sizeof *u);
    size_t bytes = 1;
    json_t *v = NULL;

    *n = 0;
    for (size_t id = 0; u && id < s->n; id++)
        if (is_isolated(s, t, id, manner, &u[*n]))
            bytes += 2 * u[(*n)++].n + 1;
    if (u && *n > 0)
        qsort(u, *n, sizeof *u, longest_first);
    char *pattern = u ? malloc(bytes) : NULL;
    if (pattern) {
        write_pattern(pattern, u, *n);
        v = json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                      pattern, "behavior", "Isolated", "invert", 0);
    }
    free(pattern);
    free(u);
    return v;
}

static json_t *pre_tokenizer(const struct spm *s, struct tok *t, enum spm_manner manner)
{
    json_t *v[3];
    size_t n = 0, users;

    if (manner == SPM_T5) {
        v[n++] = json_pack("{s:s}", "type", "WhitespaceSplit");
        v[n++] = metaspace("always", 1);
    }
    if (manner == SPM_LLAMA)
        v[n++] = metaspace(s->dummy_prefix ? "first" : "never", 0);
    if (manner == SPM_AS_IT_SAYS && s->dummy_prefix)
        v[n++] = metaspace("always", 0);
    json_t *split = isolate(s, t, manner, &users);
    if (users > 0) {
        v[n++] = split;
        t->ignore_merges = t->kind == TOK_BPE;
    } else {
        json_decref(split);
    }
    return sequence("pretokenizers", v, n);
}

static json_t *decoder(const struct spm *s, enum spm_manner manner)
{
    json_t *v[4];
    size_t n = 0;

    if (manner == SPM_T5)
        return metaspace("always", 1);
    v[n++] = replace("String", MARK, " ");
    if (s->bytes)
        v[n++] = json_pack("{s:s}", "type", "ByteFallback");
    v[n++] = json_pack("{s:s}", "type", "Fuse");
    if (s->dummy_prefix && manner != SPM_GEMMA)
        v[n++] = json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ",
                           "start", 1, "stop", 0);
    return sequence("decoders", v, n);
}

/* ---- the whole ------------------------------------------------------------------------*/

/* Control pieces are special tokens; user-defined ones are found in the text given. */
static int add_tokens(const struct spm *s, struct tok *t, enum spm_manner manner,
                      struct err *e)
{
    int rc = 0;

    for (size_t id = 0; id < s->n && rc == 0; id++) {
        struct user u;
        const int type = s->piece[id].type,
                  isolated = is_isolated(s, t, id, manner, &u);
        const int unknown = type == SPM_UNKNOWN || (int32_t)id == s->unk;

        if (type == SPM_CONTROL || unknown || (type == SPM_USER && !isolated))
            rc = tok_add_added(
                t, u.s, u.n,
                (struct added){.id = (int32_t)id, .special = type != SPM_USER}, e);
    }
    return rc;
}

int spm_build(const struct spm *s, struct tok *t, enum spm_manner manner, struct err *e)
{
    int rc;

    if (s->n == 0)
        return err_set(e, ERR_FILE, "%s: no pieces", t->where);
    t->unk = s->unk;
    t->model_size = t->vocab.size;
    while (t->model_size > 0 && s->piece[t->model_size - 1].beside)
        t->model_size--;
    rc = s->model == SPM_BPE ? build_bpe(s, t, e) : build_unigram(s, t, e);
    if (rc < 0 || (rc = add_tokens(s, t, manner, e)) < 0)
        return rc;
    return tok_make(t, normalizer(s, manner), pre_tokenizer(s, t, manner),
                    decoder(s, manner), e);
}
