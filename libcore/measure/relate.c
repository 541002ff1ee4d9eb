/*
 * Answers are more or less like any prompt, by their language alone: so relevance stands
 * beside the same number for another prompt, its partner.
 */
#include "measure/relate.h"

#include "base/rng.h"
#include "metrics/tfidf.h"
#include "reward/df.h"
#include "reward/words.h"

#include <math.h>
#include <stdlib.h>

/* ---- partners -------------------------------------------------------------------------- */

/* A random cycle through all prompts: nobody is their own partner, if there are two. */
int relate_partners(struct corpus *c, uint64_t seed, struct err *e)
{
    size_t *perm = calloc(c->prompts + 1, sizeof *perm);

    if (!perm)
        return err_set(e, ERR_NOMEM, "no memory for %zu prompts", c->prompts);
    rng_shuffle(perm, c->prompts, seed, 0);
    for (size_t i = 0; i < c->prompts; i++)
        c->prompt[perm[i]].partner = perm[(i + 1) % c->prompts];
    free(perm);
    return 0;
}

/* ---- any space of texts ---------------------------------------------------------------- */
static double nearest_reference(const struct corpus *c, const struct row *row,
                                double (*cosine)(const void *space, size_t a, size_t b),
                                const void *space)
{
    double best = (double)NAN;

    for (size_t k = 0; k < row->refs; k++)
        best = fmax(best, cosine(space, row->text, c->ref[row->ref + k]));
    return best;
}

void relate_texts(struct corpus *c, enum metric first,
                  double (*cosine)(const void *space, size_t a, size_t b),
                  const void *space)
{
    for (size_t i = 0; i < c->rows; i++) {
        struct row *row = &c->row[i];
        const size_t partner = c->prompt[row->prompt].partner;
        const size_t other =
            partner == row->prompt ? NO_TEXT : c->prompt[partner].question;

        if (row->text == NO_TEXT)
            continue;
        if (row->question != NO_TEXT)
            row_set(row, first, cosine(space, row->text, row->question));
        if (other != NO_TEXT)
            row_set(row, first + 1, cosine(space, row->text, other));
        row_set(row, first + 2, row_get(row, first) - row_get(row, first + 1));
        row_set(row, first + 3, nearest_reference(c, row, cosine, space));
    }
}

/* ---- among candidates ------------------------------------------------------------------ */

/* Mean cosine over the pairs of rows from..to-1 that count; NaN without a pair. */
static double mean_cosine(const struct corpus *c, size_t from, size_t to,
                          double (*cosine)(const void *space, size_t a, size_t b),
                          const void *space)
{
    double sum = 0, n = 0;

    for (size_t i = from; i < to; i++)
        for (size_t j = i + 1; j < to; j++) {
            const struct row *a = &c->row[i], *b = &c->row[j];

            if (a->apart || b->apart || a->text == NO_TEXT || b->text == NO_TEXT)
                continue;
            sum += cosine(space, a->text, b->text);
            n++;
        }
    return n > 0 ? sum / n : (double)NAN;
}

void relate_among(struct corpus *c,
                  double (*cosine)(const void *space, size_t a, size_t b),
                  const void *space)
{
    for (size_t from = 0, to; from < c->rows; from = to) {
        to = c->row[from].to;
        const double x = mean_cosine(c, from, to, cosine, space);

        for (size_t i = from; i < to; i++)
            row_set(&c->row[i], M_CONSISTENCY_COSINE, x);
    }
}

/* ---- tf-idf ---------------------------------------------------------------------------- */
struct tfidf_space {
    struct tfidf *of; /* (texts) */
    size_t n;
    struct strtab words;
    struct df *df;
    struct words scratch;
};

static double tfidf_of_texts(const void *space, size_t a, size_t b)
{
    const struct tfidf_space *s = space;

    return tfidf_cosine(&s->of[a], &s->of[b]);
}

static int read_words(struct tfidf_space *s, const struct corpus *c, size_t text,
                      struct err *e)
{
    size_t n;
    const char *t = corpus_text(c, text, &n);

    words_clear(&s->scratch);
    return words_add(&s->scratch, t, 0, n, e);
}

/* A document for each prompt and each different reference, whoever answers: so the numbers
 * of a stream do not depend on what it is compared with, as long as the prompts are the
 * same. */
static int count_documents(struct tfidf_space *s, const struct corpus *c, struct err *e)
{
    unsigned char *seen = calloc(c->texts.n + 1, 1);
    int rc = seen ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu texts", c->texts.n);

    for (size_t i = 0; i < c->prompts + c->refs && rc >= 0; i++) {
        const size_t text =
            i < c->prompts ? c->prompt[i].question : c->ref[i - c->prompts];

        if (text == NO_TEXT || (i >= c->prompts && seen[text]))
            continue;
        seen[text] = 1;
        if ((rc = read_words(s, c, text, e)) >= 0)
            rc = df_add(s->df, &s->scratch, e);
    }
    free(seen);
    return rc;
}

static int make_vectors(struct tfidf_space *s, const struct corpus *c, struct err *e)
{
    int rc = 0;

    s->n = c->texts.n;
    s->of = calloc(s->n + 1, sizeof *s->of);
    if (!s->of)
        return err_set(e, ERR_NOMEM, "no memory for %zu texts", s->n);
    for (size_t i = 0; i < s->n && rc >= 0; i++)
        if ((rc = read_words(s, c, i, e)) >= 0)
            rc = tfidf_of(&s->of[i], &s->words, &s->scratch, s->df, e);
    return rc;
}

int relate_tfidf(struct corpus *c, struct err *e)
{
    struct tfidf_space s = {0};
    int rc;

    if ((rc = df_new(&s.df, e)) >= 0 && (rc = count_documents(&s, c, e)) >= 0 &&
        (rc = make_vectors(&s, c, e)) >= 0)
        relate_texts(c, M_TFIDF, tfidf_of_texts, &s);
    for (size_t i = 0; s.of && i < s.n; i++)
        tfidf_release(&s.of[i]);
    free(s.of);
    strtab_release(&s.words);
    words_release(&s.scratch);
    df_free(s.df);
    return rc;
}

/* ---- the judge ------------------------------------------------------------------------- */

/* Mean and deviation of metric m over the rows that have it. */
static void moments(const struct corpus *c, enum metric m, double *mean,
                    double *deviation)
{
    double sum = 0, ss = 0, n = 0;

    for (size_t i = 0; i < c->rows; i++)
        if (!isnan(row_get(&c->row[i], m)) && !c->row[i].apart) {
            sum += row_get(&c->row[i], m);
            n++;
        }
    *mean = n > 0 ? sum / n : 0;
    for (size_t i = 0; i < c->rows; i++)
        if (!isnan(row_get(&c->row[i], m)) && !c->row[i].apart)
            ss += pow(row_get(&c->row[i], m) - *mean, 2);
    *deviation = n > 1 && ss > 0 ? sqrt(ss / (n - 1)) : 1;
}

void relate_judge(struct corpus *c)
{
    const enum metric part[] = {corpus_has(c, 0, M_RELEVANCE) ? M_RELEVANCE : M_TFIDF,
                                M_ROUGE_L, M_REP_3, M_COPY};
    static const double sign[] = {1, 1, -1, -1};
    double mean[4], deviation[4];

    for (size_t k = 0; k < 4; k++)
        moments(c, part[k], &mean[k], &deviation[k]);
    for (size_t i = 0; i < c->rows; i++) {
        double z = 0;

        for (size_t k = 0; k < 4; k++)
            z += sign[k] * (row_get(&c->row[i], part[k]) - mean[k]) / deviation[k];
        row_set(&c->row[i], M_JUDGE, z);
    }
}
