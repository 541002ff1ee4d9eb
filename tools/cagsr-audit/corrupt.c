/*
 * Responses that must score below a prompt's own: each is made of tokens that are there
 * (no tokenizer is needed), so that attention reads exactly what is written.
 *
 * Words are runs of tokens: one begins where the text of a token begins with white space.
 * Where there is no text, each token is a word.
 */
#include "audit.h"

#include "base/hash.h"
#include "base/reserve.h"
#include "base/rng.h"
#include "rec/buf.h"

#include <stdlib.h>
#include <string.h>

struct made {
    int32_t *ids;
    uint32_t *ends;
    size_t n, ids_cap, ends_cap;
    struct rec_buf text;
    const char *finish;
    size_t *word, *perm; /* first token of each word of the own answer, and the end */
    size_t words, word_cap, perm_cap;
};

int made_new(struct made **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_set(e, ERR_NOMEM, "no memory to corrupt with");
}

void made_free(struct made *m)
{
    if (!m)
        return;
    free(m->ids);
    free(m->ends);
    free(m->word);
    free(m->perm);
    rec_buf_release(&m->text);
    free(m);
}

/* ---- pieces ---------------------------------------------------------------------------- */
static int has_text(const struct sample *s)
{
    return s->has & SAMPLE_TEXT && s->has & SAMPLE_ENDS;
}

/* Tokens without the end token. */
static size_t body(const struct sample *s)
{
    return s->finish == FINISH_EOS && s->T ? s->T - 1 : s->T;
}

static void begin(struct made *m, const char *finish)
{
    m->n = 0;
    m->finish = finish;
    rec_buf_clear(&m->text);
}

static int add(struct made *m, int32_t id, const char *text, size_t n, struct err *e)
{
    int rc = reserve(&m->ids, &m->ids_cap, m->n + 1, sizeof *m->ids, e);

    if (rc < 0 ||
        (rc = reserve(&m->ends, &m->ends_cap, m->n + 1, sizeof *m->ends, e)) < 0)
        return rc;
    if (n)
        rec_buf_add(&m->text, text, n);
    m->ids[m->n] = id;
    m->ends[m->n++] = (uint32_t)m->text.n;
    return m->text.oom ? err_set(e, ERR_NOMEM, "no memory for a response") : 0;
}

/* Token t of a text whose tokens end at `ends`. */
static int add_piece(struct made *m, int32_t id, struct rec_str text,
                     const uint32_t *ends, size_t t, struct err *e)
{
    const size_t at = t ? ends[t - 1] : 0, n = ends[t] - at;

    return n ? add(m, id, text.s + at, n, e) : add(m, id, NULL, 0, e);
}

/* Tokens from..to-1 of s's response. */
static int add_tokens(struct made *m, const struct sample *s, size_t from, size_t to,
                      struct err *e)
{
    int rc = 0;

    for (size_t t = from; t < to && rc >= 0; t++)
        rc = has_text(s) ? add_piece(m, s->ids[t], s->text, s->ends, t, e)
                         : add(m, s->ids[t], NULL, 0, e);
    return rc;
}

/* Ends as the own answer does. */
static int add_end(struct made *m, const struct sample *s, struct err *e)
{
    return body(s) < s->T ? add(m, s->ids[s->T - 1], "", 0, e) : 0;
}

static const char *finish_of(const struct sample *s)
{
    static const char *const name[] = {[FINISH_NONE] = NULL,
                                       [FINISH_EOS] = "eos",
                                       [FINISH_STOP] = "stop",
                                       [FINISH_LENGTH] = "length",
                                       [FINISH_OTHER] = "other"};

    return name[s->finish];
}

static int begins_word(const struct sample *s, size_t t)
{
    if (t == 0 || !has_text(s) || s->text.n == 0)
        return 1;
    const size_t at = s->ends[t - 1];
    return s->ends[t] > at && (s->text.s[at] == ' ' || s->text.s[at] == '\n');
}

static int find_words(struct made *m, const struct sample *s, struct err *e)
{
    const size_t T = body(s);
    int rc = reserve(&m->word, &m->word_cap, T + 1, sizeof *m->word, e);

    m->words = 0;
    for (size_t t = 0; t < T && rc >= 0; t++)
        if (begins_word(s, t))
            m->word[m->words++] = t;
    if (rc >= 0)
        m->word[m->words] = T;
    return rc;
}

/* ---- corruptions ----------------------------------------------------------------------- */
static int make_mismatched(struct made *m, const struct material *from, struct err *e)
{
    if (!from->other)
        return 0;
    begin(m, finish_of(from->other));
    const int rc = add_tokens(m, from->other, 0, from->other->T, e);
    return rc < 0 ? rc : 1;
}

/* The words in another order, the first left in its place: the others bring the blank that
 * stands before them. */
static int make_shuffled(struct made *m, const struct material *from, struct err *e)
{
    const struct sample *s = from->own;
    int rc = find_words(m, s, e);

    if (rc < 0 || m->words < 3)
        return rc < 0 ? rc : 0;
    const size_t n = m->words - 1;
    const uint64_t key = hash64(s->id.s, s->id.n) + s->cand;
    int same = 1;

    if ((rc = reserve(&m->perm, &m->perm_cap, n, sizeof *m->perm, e)) < 0)
        return rc;
    rng_shuffle(m->perm, n, from->seed, key);
    for (size_t i = 0; i < n; i++)
        same &= m->perm[i] == i;
    begin(m, finish_of(s));
    rc = add_tokens(m, s, 0, m->word[1], e);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        const size_t w = 1 + (same ? (i + 1) % n : m->perm[i]);

        rc = add_tokens(m, s, m->word[w], m->word[w + 1], e);
    }
    rc = rc < 0 ? rc : add_end(m, s, e);
    return rc < 0 ? rc : 1;
}

/* The user's part of the prompt, word for word. */
static int make_copied(struct made *m, const struct material *from, struct err *e)
{
    const struct sample *s = from->own;
    const int text = s->has & SAMPLE_PROMPT && s->has & SAMPLE_PROMPT_ENDS;
    int rc = 0;

    begin(m, from->end >= 0 ? "eos" : "stop");
    for (size_t j = 0; j < s->P && rc >= 0; j++) {
        if (s->has & SAMPLE_PROMPT_MASK && !s->prompt_mask[j])
            continue;
        rc = text ? add_piece(m, s->prompt_ids[j], s->prompt, s->prompt_ends, j, e)
                  : add(m, s->prompt_ids[j], NULL, 0, e);
    }
    if (rc >= 0 && from->end >= 0)
        rc = add(m, from->end, "", 0, e);
    return rc < 0 ? rc : m->n > 1;
}

/* The first word, and then the next three (of a short answer, fewer) again and again, as
 * many tokens as the answer has. */
static int make_looped(struct made *m, const struct material *from, struct err *e)
{
    const struct sample *s = from->own;
    int rc = find_words(m, s, e);

    if (rc < 0 || m->words < 3)
        return rc < 0 ? rc : 0;
    const size_t at = m->word[1], k = m->words > 5 ? 3 : m->words - 2;
    const size_t loop = m->word[1 + k] - at;

    begin(m, finish_of(s));
    rc = add_tokens(m, s, 0, at, e);
    for (size_t t = at; t < body(s) && rc >= 0; t++)
        rc = add_tokens(m, s, at + (t - at) % loop, at + (t - at) % loop + 1, e);
    rc = rc < 0 ? rc : add_end(m, s, e);
    return rc < 0 ? rc : 1;
}

static int make_half(struct made *m, const struct material *from, struct err *e)
{
    const struct sample *s = from->own;
    int rc = find_words(m, s, e);

    if (rc < 0 || m->words < 2)
        return rc < 0 ? rc : 0;
    begin(m, "length");
    rc = add_tokens(m, s, 0, m->word[(m->words + 1) / 2], e);
    return rc < 0 ? rc : 1;
}

static int make_endless(struct made *m, const struct material *from, struct err *e)
{
    const struct sample *s = from->own;

    if (body(s) == s->T || s->T < 2)
        return 0;
    begin(m, "length");
    const int rc = add_tokens(m, s, 0, body(s), e);
    return rc < 0 ? rc : 1;
}

static int make_empty(struct made *m, const struct material *from, struct err *e)
{
    int rc;

    if (from->end < 0)
        return 0;
    begin(m, "eos");
    rc = add(m, from->end, "", 0, e);
    return rc < 0 ? rc : 1;
}

const struct corruption corruptions[] = {
    {MISMATCHED, 0, make_mismatched}, {"shuffled", 0, make_shuffled},
    {"copied", 1, make_copied},       {"looped", 0, make_looped},
    {"half", 0, make_half},           {"endless", 0, make_endless},
    {"empty", 1, make_empty},         {0},
};

/* ---- as a record ----------------------------------------------------------------------- */
int made_write(struct rec *r, const struct made *m, const struct material *from,
               const char *name, uint64_t cand)
{
    static const char *const measured[] = {
        "n",      "logp",    "ref",          "attn",         "rewards",
        "reward", "metrics", "seed",         "policy",       "turns",
        "rank",   "explain", "turn_rewards", "turn_returns", "label_z"};
    const char *text = m->text.n ? (const char *)m->text.p : "";

    if (!rec_utf8_valid(text, m->text.n))
        return 0;
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        rec_remove(r, measured[i]);
    rec_set_uint(r, "cand", cand);
    rec_set_i32s(r, "ids", m->ids, m->n);
    if (has_text(from->own)) {
        rec_set_text(r, "text", text, m->text.n);
        rec_set_u32s(r, "ends", m->ends, m->n);
    } else { /* it is not known what the tokens say */
        rec_remove(r, "text");
        rec_remove(r, "ends");
    }
    if (m->finish)
        rec_set_str(r, "finish", m->finish);
    rec_set_str(r, "corrupt", name);
    rec_set_uint(r, "of", from->own->cand);
    return 1;
}
