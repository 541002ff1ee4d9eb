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

static int push(struct tok_ids *ids, int32_t id, uint32_t end, struct err *e)
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

static int bpe_word(struct tok *t, const struct passage *p, struct piece w,
                    struct tok_ids *out, struct err *e)
{
    const char *s = p->text + w.at;
    int rc;

    if ((rc = reserve_word(t, w.n, e)) < 0)
        return rc;
    if (t->ignore_merges) {
        const size_t k = alphabet_spell(t->spell, s, w.n);
        const int32_t id = vocab_find(&t->vocab, t->spell, k);

        if (id >= 0)
            return push(out, id, passage_end(p, w.at + w.n), e);
    }
    const int64_t k =
        bpe_encode(&t->bpe, (const unsigned char *)s, w.n, t->word_id, t->word_len, e);
    size_t at = w.at;

    if (k < 0)
        return (int)k;
    if ((rc = reserve_ids(out, (size_t)k, e)) < 0)
        return rc;
    for (int64_t i = 0; i < k; i++) {
        at += t->word_len[i];
        out->id[out->n] = t->word_id[i];
        out->end[out->n++] = passage_end(p, at);
    }
    return 0;
}

static int whole_word(struct tok *t, const struct passage *p, struct piece w,
                      struct tok_ids *out, struct err *e)
{
    const char *s = p->text + w.at;
    int32_t id = vocab_find(&t->vocab, s, w.n);

    if (id < 0)
        id = t->unk;
    if (id < 0)
        return err_set(e, ERR_RECORD, "the vocabulary of '%s' has no word '%.*s'",
                       t->where, (int)(w.n < 60 ? w.n : 60), s);
    return push(out, id, passage_end(p, w.at + w.n), e);
}

/* Text between added tokens, normalised already: words, then the model. */
static int encode_words(struct tok *t, const char *text, size_t n,
                        const struct passage *map, size_t from, struct tok_ids *out,
                        struct err *e)
{
    struct passage *p = &t->passage;
    int rc;

    if (n == 0)
        return 0;
    if ((rc = normal_run(p, text, n, passage_end(map, from), 0, e)) < 0)
        return rc;
    if (map->end) {
        if ((rc = passage_reserve(p, n, PASSAGE_MAPPED, e)) < 0)
            return rc;
        memcpy(p->end, map->end + from, n * sizeof *p->end);
    }
    rc = pretok_run(t->pretok, p, &t->pieces, e);
    for (size_t i = 0; i < t->pieces.n && rc == 0; i++)
        rc = t->kind == TOK_BPE ? bpe_word(t, p, t->pieces.v[i], out, e)
                                : whole_word(t, p, t->pieces.v[i], out, e);
    return rc;
}

/* Text between added tokens of the first stage. */
static int encode_gap(struct tok *t, const char *text, size_t n, uint32_t from,
                      struct tok_ids *out, struct err *e)
{
    struct passage p = {0};
    size_t done = 0, at = 0, end = 0, which;
    int rc = normal_run(&p, text, n, from, t->nfc, e);

    while (rc == 0 && added_next(t, &t->normal, p.text, p.n, done, &which, &at, &end)) {
        rc = encode_words(t, p.text + done, at - done, &p, done, out, e);
        if (rc == 0)
            rc = push(out, t->added[which].id, passage_end(&p, end), e);
        done = end;
    }
    if (rc == 0)
        rc = encode_words(t, p.text + done, p.n - done, &p, done, out, e);
    free(p.text);
    free(p.end);
    return rc;
}

static int encode_text(struct tok *t, const char *text, size_t n, struct tok_ids *out,
                       struct err *e)
{
    size_t done = 0, at, end, which;
    int rc = 0;

    while (rc == 0 && added_next(t, &t->raw, text, n, done, &which, &at, &end)) {
        if (at > done)
            rc = encode_gap(t, text + done, at - done, (uint32_t)done, out, e);
        if (rc == 0)
            rc = push(out, t->added[which].id, (uint32_t)end, e);
        done = end;
    }
    if (rc == 0 && n > done)
        rc = encode_gap(t, text + done, n - done, (uint32_t)done, out, e);
    return rc;
}

int tok_encode(struct tok *t, const char *text, size_t n, enum tok_add add,
               struct tok_ids *out, struct err *e)
{
    const size_t good = utf8_valid(text, n);
    int rc = 0;

    out->n = 0;
    if (t->kind == TOK_NONE)
        return err_set(e, ERR_FILE, "%s: the model brings no tokenizer", t->path);
    if (good < n)
        return err_set(e, ERR_RECORD, "text is not UTF-8 at byte %zu", good);
    if (n > INT32_MAX)
        return err_set(e, ERR_RECORD, "a text of %zu bytes is too long", n);
    for (size_t i = 0; add == TOK_ADD_SPECIAL && i < t->nbefore && rc == 0; i++)
        rc = push(out, t->before[i], 0, e);
    if (rc == 0)
        rc = encode_text(t, text, n, out, e);
    for (size_t i = 0; add == TOK_ADD_SPECIAL && i < t->nbehind && rc == 0; i++)
        rc = push(out, t->behind[i], (uint32_t)n, e);
    return rc;
}
