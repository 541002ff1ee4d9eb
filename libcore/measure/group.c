#include "measure/group.h"

#include "base/reserve.h"
#include "metrics/answer.h"
#include "metrics/bleu.h"
#include "metrics/rouge.h"
#include "reward/ngram.h"
#include "reward/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Units are words (what stands between white space), or tokens where there is no text. */
enum { COPY_N = 4, BLEU_N = 4 };

/* Candidate i has its units at units[i] and its ROUGE tokens at plain[i]. */
struct group_work {
    struct strtab tab; /* of the tokens of one group */
    struct tokens *units, *plain;
    size_t cap, used; /* of both; used: those that were ever given memory */
    struct tokens stems, given, gold;
    struct rouge_work rouge;
    struct bleu_work bleu;
    struct grams a, b;
    struct ngram_table table;
    struct words words; /* of question and answer */
    int32_t *types;
    size_t types_cap;
};

int group_work_new(struct group_work **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_set(e, ERR_NOMEM, "no memory to measure with");
}

void group_work_free(struct group_work *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->used; i++) {
        tokens_release(&w->units[i]);
        tokens_release(&w->plain[i]);
    }
    free(w->units);
    free(w->plain);
    free(w->types);
    tokens_release(&w->stems);
    tokens_release(&w->given);
    tokens_release(&w->gold);
    rouge_release(&w->rouge);
    bleu_release(&w->bleu);
    grams_release(&w->a);
    grams_release(&w->b);
    ngram_table_release(&w->table);
    words_release(&w->words);
    strtab_release(&w->tab);
    free(w);
}

static int reserve_group(struct group_work *w, size_t n, struct err *e)
{
    size_t cap = w->cap;
    int rc = reserve(&w->plain, &cap, n, sizeof *w->plain, e);

    if (rc < 0 || (rc = reserve(&w->units, &w->cap, n, sizeof *w->units, e)) < 0)
        return rc;
    for (; w->used < n; w->used++)
        w->units[w->used] = w->plain[w->used] = (struct tokens){0};
    return 0;
}

int group_take(struct group_work *w, const struct corpus *c, const struct row *row,
               const struct sample *s, size_t i, struct err *e)
{
    size_t n;
    int rc = reserve_group(w, i + 1, e);

    if (rc < 0)
        return rc;
    if (i == 0)
        strtab_clear(&w->tab);
    if (row->text == NO_TEXT) {
        w->plain[i].n = 0;
        return tokens_take(&w->units[i], s->ids, s->has & SAMPLE_IDS ? s->T : 0, e);
    }
    const char *text = corpus_text(c, row->text, &n);
    rc = tokens_cut(&w->units[i], &w->tab, TOKENS_SPACES, text, n, e);
    return rc < 0 ? rc : tokens_cut(&w->plain[i], &w->tab, TOKENS_ROUGE, text, n, e);
}

/* ---- against references ---------------------------------------------------------------- */

/* The best of the references so far. */
static void set_best(struct row *row, enum metric m, double value)
{
    const double old = row_get(row, m);

    row_set(row, m, isnan(old) || value > old ? value : old);
}

static int measure_rouge(struct group_work *w, struct row *row, enum metric first,
                         const struct tokens *gold, const struct tokens *given,
                         struct err *e)
{
    struct rouge r;
    int rc;

    for (size_t n = 1; n <= 2; n++) {
        if ((rc = rouge_n(&r, &w->rouge, gold, given, n, e)) < 0)
            return rc;
        set_best(row, first + (enum metric)(n - 1), r.f);
    }
    if ((rc = rouge_l(&r, &w->rouge, gold, given, e)) < 0)
        return rc;
    set_best(row, first + 2, r.f);
    if ((rc = rouge_lsum(&r, &w->rouge, gold, given, e)) < 0)
        return rc;
    set_best(row, first + 3, r.f);
    return 0;
}

static int measure_answer(struct group_work *w, struct row *row, const char *text,
                          size_t n, const char *ref, size_t refn, struct err *e)
{
    double f1;
    int rc;

    if ((rc = tokens_cut(&w->gold, &w->tab, TOKENS_ANSWER, ref, refn, e)) < 0 ||
        (rc = tokens_cut(&w->given, &w->tab, TOKENS_ANSWER, text, n, e)) < 0 ||
        (rc = answer_f1(&f1, &w->a, &w->b, &w->gold, &w->given, e)) < 0)
        return rc;
    set_best(row, M_EXACT, answer_exact(&w->gold, &w->given));
    set_best(row, M_F1, f1);
    return 0;
}

static void measure_gsm8k(struct row *row, const char *text, size_t n, const char *ref,
                          size_t refn)
{
    char want[ANSWER_NUMBER], got[ANSWER_NUMBER];

    if (!answer_is_marked(ref, refn) || !answer_number(want, ref, refn))
        return;
    set_best(row, M_GSM8K, answer_number(got, text, n) && strcmp(got, want) == 0);
    row_set(row, M_STEPS, (double)answer_steps(text, n));
}

static int measure_reference(struct group_work *w, const struct corpus *c,
                             struct row *row, const struct tokens *plain, size_t ref,
                             struct err *e)
{
    size_t n, refn;
    const char *text = corpus_text(c, row->text, &n);
    const char *gold = corpus_text(c, ref, &refn);
    int rc;

    measure_gsm8k(row, text, n, gold, refn);
    if ((rc = measure_answer(w, row, text, n, gold, refn, e)) < 0 ||
        (rc = tokens_cut(&w->gold, &w->tab, TOKENS_ROUGE, gold, refn, e)) < 0 ||
        (rc = measure_rouge(w, row, M_ROUGE_1, &w->gold, plain, e)) < 0 ||
        (rc = tokens_cut(&w->gold, &w->tab, TOKENS_STEMS, gold, refn, e)) < 0 ||
        (rc = tokens_cut(&w->stems, &w->tab, TOKENS_STEMS, text, n, e)) < 0)
        return rc;
    return measure_rouge(w, row, M_STEM_1, &w->gold, &w->stems, e);
}

/* ---- alone ----------------------------------------------------------------------------- */
static int measure_repetition(struct group_work *w, struct row *row,
                              const struct tokens *units, struct err *e)
{
    double diversity = 1;

    for (size_t n = 2; n <= 4; n++) {
        struct ngram_count count;
        const int rc = ngram_count(&count, &w->table, units->id, units->n, n, e);

        if (rc < 0)
            return rc;
        row_set(row, M_REP_2 + (enum metric)(n - 2), ngram_repetition(count));
        diversity *= 1 - ngram_repetition(count);
    }
    row_set(row, M_DIVERSITY, diversity);
    return 0;
}

/* Share of the answer's 4-grams of words that stand in the question; words are folded, so
 * that case and punctuation hide nothing. */
static int measure_copy(struct group_work *w, const struct corpus *c, struct row *row,
                        struct err *e)
{
    size_t n;
    const char *question = corpus_text(c, row->question, &n);
    int rc;

    words_clear(&w->words);
    if ((rc = words_add(&w->words, question, 0, n, e)) < 0)
        return rc;
    const size_t H = w->words.n;
    const char *text = corpus_text(c, row->text, &n);
    if ((rc = words_add(&w->words, text, 0, n, e)) < 0 ||
        (rc = reserve(&w->types, &w->types_cap, w->words.n + 1, sizeof *w->types, e)) <
            0)
        return rc;
    for (size_t i = 0; i < w->words.n; i++)
        w->types[i] = (int32_t)w->words.word[i].type;
    struct ngram_found found;
    rc = ngram_contained(&found, NULL, &w->table, w->types + H, w->words.n - H,
                         w->types, H, COPY_N, e);
    if (rc >= 0)
        row_set(row, M_COPY, ngram_containment(found));
    return rc;
}

static int measure_row(struct group_work *w, struct corpus *c, struct row *row,
                       size_t i, struct err *e)
{
    int rc = 0;

    if (row->text != NO_TEXT || w->units[i].n)
        rc = measure_repetition(w, row, &w->units[i], e);
    if (row->text == NO_TEXT || rc < 0)
        return rc;
    row_set(row, M_WORDS, (double)w->units[i].n);
    if (row->question != NO_TEXT)
        rc = measure_copy(w, c, row, e);
    for (size_t k = 0; k < row->refs && rc >= 0; k++)
        rc = measure_reference(w, c, row, &w->plain[i], c->ref[row->ref + k], e);
    return rc;
}

/* ---- together -------------------------------------------------------------------------- */

/* The candidates that count to the front of both lists; returns how many. */
static size_t gather(struct group_work *w, const struct row *row, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (row[i].apart)
            continue;
        const struct tokens units = w->units[k], plain = w->plain[k];

        w->units[k] = w->units[i];
        w->plain[k] = w->plain[i];
        w->units[i] = units;
        w->plain[i] = plain;
        k++;
    }
    return k;
}

static int distinct(double *out, struct group_work *w, size_t k, size_t n,
                    struct err *e)
{
    const int rc = grams_of(&w->a, w->units, k, n, e);

    *out =
        w->a.count ? (double)grams_distinct(&w->a) / (double)w->a.count : (double)NAN;
    return rc;
}

static int measure_together(struct group_work *w, struct row *row, size_t n,
                            struct err *e)
{
    static const enum metric among[] = {M_DISTINCT_1, M_DISTINCT_2, M_SELF_BLEU,
                                        M_CONSISTENCY};
    const size_t k = gather(w, row, n);
    double value[4];
    int rc;

    if (k < 2 || row[0].text == NO_TEXT)
        return 0;
    if ((rc = distinct(&value[0], w, k, 1, e)) < 0 ||
        (rc = distinct(&value[1], w, k, 2, e)) < 0 ||
        (rc = bleu_self(&value[2], &w->bleu, w->units, k, BLEU_N, e)) < 0 ||
        (rc = rouge_consistency(&value[3], &w->rouge, w->plain, k, e)) < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < 4; m++)
            row_set(&row[i], among[m], value[m]);
    return 0;
}

int group_measure(struct group_work *w, struct corpus *c, size_t from, size_t to,
                  struct err *e)
{
    int rc = 0;

    for (size_t i = from; i < to && rc >= 0; i++)
        rc = measure_row(w, c, &c->row[i], i - from, e);
    return rc < 0 ? rc : measure_together(w, &c->row[from], to - from, e);
}
