/*
 * Text to ids: added tokens are cut out of the text given, the rest is normalised, added
 * tokens of the second stage are cut out of that, the rest goes through the
 * pre-tokenizer, and each word through the model.
 */
#include "tok/private.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

void tok_ids_release(struct tok_ids *ids)
{
    free(ids->id);
    free(ids->end);
    *ids = (struct tok_ids){0};
}

static int reserve_ids(struct tok_ids *ids, size_t n, struct err *e)
{
    if (ids->n + n <= ids->cap)
        return 0;
    size_t cap = ids->cap ? ids->cap : 64;

    while (cap < ids->n + n)
        cap *= 2;
    int32_t *id = realloc(ids->id, cap * sizeof *id);
    if (id)
        ids->id = id;
    uint32_t *end = realloc(ids->end, cap * sizeof *end);
    if (end)
        ids->end = end;
    if (!id || !end)
        return err_set(e, ERR_NOMEM, "no memory for %zu tokens", cap);
    ids->cap = cap;
    return 0;
}

int tok_ids_add(struct tok_ids *ids, int32_t id, uint32_t end, struct err *e)
{
    const int rc = reserve_ids(ids, 1, e);

    if (rc < 0)
        return rc;
    ids->id[ids->n] = id;
    ids->end[ids->n++] = end;
    return 0;
}

/* Scratch for a word of n bytes: ids, lengths, spelling. */
static int reserve_word(struct tok *t, size_t n, struct err *e)
{
    if (n <= t->word_cap)
        return 0;
    size_t cap = t->word_cap ? t->word_cap : 256;

    while (cap < n)
        cap *= 2;
    free(t->word_id);
    free(t->word_len);
    free(t->spell);
    t->word_cap = 0;
    t->word_id = malloc(cap * sizeof *t->word_id);
    t->word_len = malloc(cap * sizeof *t->word_len);
    t->spell = malloc(2 * cap);
    if (!t->word_id || !t->word_len || !t->spell)
        return err_set(e, ERR_NOMEM, "no memory for a word of %zu bytes", n);
    t->word_cap = cap;
    return 0;
}

/* The token that the whole word is, in the spelling of the file; -1. */
static int32_t whole(struct tok *t, const char *s, size_t n)
{
    const size_t k = t->byte_level ? alphabet_spell(t->spell, s, n) : n;
    const int32_t id = vocab_find(&t->vocab, t->byte_level ? t->spell : s, k);

    return id >= 0 && (size_t)id < t->model_size ? id : -1;
}

static int64_t one_token(struct tok *t, int32_t id, size_t n)
{
    t->word_id[0] = id;
    t->word_len[0] = (uint32_t)n;
    return 1;
}

static int64_t whole_word(struct tok *t, const char *s, size_t n, struct err *e)
{
    int32_t id = whole(t, s, n);

    if (id < 0)
        id = t->unk;
    if (id < 0)
        return err_set(e, ERR_RECORD, "the vocabulary of '%s' has no word '%.*s'",
                       t->where, (int)(n < 60 ? n : 60), s);
    return one_token(t, id, n);
}

static int64_t bpe_word(struct tok *t, const char *s, size_t n, struct err *e)
{
    const int32_t id = t->ignore_merges ? whole(t, s, n) : -1;

    if (id >= 0)
        return one_token(t, id, n);
    return bpe_encode(&t->bpe, (const unsigned char *)s, n, t->word_id, t->word_len, e);
}

/* The model: tokens of a word into word_id and word_len; their number. */
static int64_t model_word(struct tok *t, const char *s, size_t n, struct err *e)
{
    switch (t->kind) {
    case TOK_BPE: return bpe_word(t, s, n, e);
    case TOK_UNIGRAM:
        return unigram_encode(&t->unigram, s, n, t->word_id, t->word_len, e);
    case TOK_WORDPIECE:
        return (int64_t)wordpiece_encode(&t->wordpiece, s, n, t->word_id, t->word_len);
    case TOK_WORDS: return whole_word(t, s, n, e);
    case TOK_NONE: break;
    }
    return 0;
}

static int encode_word(struct tok *t, const struct passage *p, struct piece w,
                       struct tok_ids *out, struct err *e)
{
    const char *s = p->text + w.at;
    size_t at = w.at;
    int rc;

    if ((rc = reserve_word(t, w.n, e)) < 0)
        return rc;
    int64_t k = cache_get(&t->cache, s, w.n, t->word_id, t->word_len);
    if (k < 0) {
        k = model_word(t, s, w.n, e);
        if (k < 0)
            return (int)k;
        cache_put(&t->cache, s, w.n, t->word_id, t->word_len, (size_t)k);
    }
    if ((rc = reserve_ids(out, (size_t)k, e)) < 0)
        return rc;
    for (int64_t i = 0; i < k; i++) {
        at += t->word_len[i];
        out->id[out->n] = t->word_id[i];
        out->end[out->n++] = passage_end(p, at);
    }
    return 0;
}

/* Text between added tokens, normalised already: words, then the model. */
static int encode_words(struct tok *t, const struct passage *text, size_t at, size_t n,
                        struct tok_ids *out, struct err *e)
{
    struct passage *p = &t->passage;
    int rc;

    if (n == 0)
        return 0;
    if ((rc = passage_copy(p, text, at, n, e)) < 0)
        return rc;
    rc = pretok_run(t->pretok, p, &t->pieces, e);
    for (size_t i = 0; i < t->pieces.n && rc == 0; i++)
        rc = encode_word(t, p, t->pieces.v[i], out, e);
    return rc;
}

/* Text between added tokens of the first stage: bytes at .. at+n of the text given. */
static int encode_gap(struct tok *t, const struct passage *text, size_t at, size_t n,
                      struct tok_ids *out, struct err *e)
{
    struct added_match m = {0};
    struct passage p = {0};
    int rc = passage_copy(&p, text, at, n, e);

    if (rc == 0)
        rc = normal_run(t->normalizer, &p, e);
    for (size_t done = 0; rc == 0 && added_next(t, &t->normal, p.text, p.n, &m);
         done = m.end) {
        if (m.at > done)
            rc = encode_words(t, &p, done, m.at - done, out, e);
        if (rc == 0)
            rc = tok_ids_add(out, t->added[m.which].id, passage_end(&p, m.end), e);
    }
    if (rc == 0)
        rc = encode_words(t, &p, m.end, p.n - m.end, out, e);
    passage_release(&p);
    return rc;
}

static int encode_text(struct tok *t, const struct passage *text, struct tok_ids *out,
                       struct err *e)
{
    struct added_match m = {0};
    const size_t n = text->n;
    int rc = 0;

    for (size_t done = 0; rc == 0 && added_next(t, &t->raw, text->text, n, &m);
         done = m.end) {
        if (m.at > done)
            rc = encode_gap(t, text, done, m.at - done, out, e);
        if (rc == 0)
            rc = tok_ids_add(out, t->added[m.which].id, (uint32_t)m.end, e);
    }
    if (rc == 0 && n > m.end)
        rc = encode_gap(t, text, m.end, n - m.end, out, e);
    return rc;
}

/* Tokens that lie in white space which one before them took end where that one does. */
static void never_fall(struct tok_ids *ids)
{
    for (size_t i = 1; i < ids->n; i++)
        if (ids->end[i] < ids->end[i - 1])
            ids->end[i] = ids->end[i - 1];
}

int tok_encode(struct tok *t, const char *text, size_t n, enum tok_add add,
               struct tok_ids *out, struct err *e)
{
    const size_t good = utf8_valid(text, n);
    const struct passage given = {
        .text = (char *)(uintptr_t)text, /* only read */
        .n = n,
        .head = n > 0 ? (uint32_t)utf8_length((unsigned char)*text) : 0};
    int rc = 0;

    out->n = 0;
    if (t->kind == TOK_NONE)
        return err_set(e, ERR_FILE, "%s: the model brings no tokenizer", t->path);
    if (good < n)
        return err_set(e, ERR_RECORD, "text is not UTF-8 at byte %zu", good);
    if (n > INT32_MAX)
        return err_set(e, ERR_RECORD, "a text of %zu bytes is too long", n);
    for (size_t i = 0; add == TOK_ADD_SPECIAL && i < t->nbefore && rc == 0; i++)
        rc = tok_ids_add(out, t->before[i], 0, e);
    if (rc == 0)
        rc = encode_text(t, &given, out, e);
    never_fall(out);
    for (size_t i = 0; add == TOK_ADD_SPECIAL && i < t->nbehind && rc == 0; i++)
        rc = tok_ids_add(out, t->behind[i], (uint32_t)n, e);
    return rc;
}
