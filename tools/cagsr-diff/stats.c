#include "diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the lines ------------------------------------------------------------------------- */

/* Behind the reward and its components.  Which way is better, for the warning: answers that
 * become alike, or that do not end, are how training goes wrong. */
static const struct {
    enum metric m;
    int better;
} measures[] = {
    {M_RELEVANCE, 1},  {M_RELEVANCE_GAP, 1}, {M_SIMILARITY, 1}, {M_TFIDF, 1},
    {M_TFIDF_GAP, 1},  {M_ROUGE_L, 1},       {M_EXACT, 1},      {M_F1, 1},
    {M_GSM8K, 1},      {M_REP_3, -1},        {M_COPY, -1},      {M_DISTINCT_1, 1},
    {M_DISTINCT_2, 1}, {M_SELF_BLEU, -1},    {M_LENGTH, 0},     {M_WORDS, 0},
    {M_CUT, -1},       {M_ENTROPY, 0},       {M_LOGP, 0},       {M_REF, 0},
    {M_KL, 0},         {M_KL3, 0},
};
enum { MEASURES = sizeof measures / sizeof *measures };

static void add_metric(struct diff *d, enum metric m, int better)
{
    if (corpus_has(&d->corpus, BEFORE, m) && corpus_has(&d->corpus, AFTER, m))
        d->stat[d->stats++] = (struct summary_row){
            .name = metric_table[m].name, .better = better, .is_metric = 1, .key = m};
}

static int has_number(const struct diff *d, unsigned char side, size_t name)
{
    for (size_t i = 0; i < d->corpus.rows; i++)
        if (d->corpus.row[i].side == side && !d->corpus.row[i].apart &&
            !isnan(d->value[i * d->names.n + name]))
            return 1;
    return 0;
}

static void add_numbers(struct diff *d, const char *prefix, enum family family)
{
    const int alone = strcmp(prefix, "moved") == 0;

    for (size_t k = 0; k < d->names.n; k++) {
        const char *name = strtab_text(&d->names, k);

        if (strncmp(name, prefix, strlen(prefix)) == 0 && has_number(d, AFTER, k) &&
            (alone || has_number(d, BEFORE, k)))
            d->stat[d->stats++] = (struct summary_row){
                .name = name, .alone = alone, .family = family, .key = k};
    }
}

static int list(struct diff *d, struct err *e)
{
    d->stat = calloc(MEASURES + 1 + d->names.n, sizeof *d->stat);
    if (!d->stat)
        return err_set(e, ERR_NOMEM, "no memory");
    add_metric(d, M_REWARD, 0);
    add_numbers(d, "rewards/", FAMILY_REWARDS);
    for (size_t i = 0; i < MEASURES; i++)
        add_metric(d, measures[i].m, measures[i].better);
    add_numbers(d, "attention", FAMILY_ATTENTION);
    add_numbers(d, "moved", FAMILY_ATTENTION);
    return 0;
}

/* ---- numbers by sample, by prompt ------------------------------------------------------ */
static int spread(struct diff *d, struct err *e)
{
    const size_t n = d->corpus.rows * d->names.n;

    d->value = malloc((n + 1) * sizeof *d->value);
    if (!d->value)
        return err_set(e, ERR_NOMEM, "no memory for %zu numbers", n);
    for (size_t i = 0; i < n; i++)
        d->value[i] = (double)NAN;
    for (size_t i = 0; i < d->numbers; i++)
        d->value[d->number[i].row * d->names.n + d->number[i].name] = d->number[i].x;
    return 0;
}

double stats_value(const struct diff *d, const struct summary_row *s, size_t row)
{
    return s->is_metric ? row_get(&d->corpus.row[row], (enum metric)s->key)
                        : d->value[row * d->names.n + s->key];
}

static void sum_prompts(struct ratio *out, const struct diff *d, unsigned char side,
                        const struct summary_row *s)
{
    const struct corpus *c = &d->corpus;

    if (s->is_metric) {
        corpus_sums(out, c, side, (enum metric)s->key);
        return;
    }
    for (size_t i = 0; i < c->rows; i++) {
        const double x = stats_value(d, s, i);

        if (c->row[i].side != side || c->row[i].apart || isnan(x))
            continue;
        out[c->row[i].prompt].num += x;
        out[c->row[i].prompt].den += 1;
    }
    for (size_t i = 0; i < c->prompts; i++)
        if (out[i].den > 0)
            out[i] = (struct ratio){out[i].num / out[i].den, 1};
}

/* ---- differences ----------------------------------------------------------------------- */
static int resample(struct diff *d, struct ratio *x[SIDES], struct err *e)
{
    const struct boot_plan plan = {d->o->resamples, d->o->level, d->o->common.seed};
    static const enum boot_form plain[1] = {BOOT_PLAIN};
    const size_t n = d->corpus.prompts;
    int rc = 0;

    for (size_t k = 0; k < d->stats && rc >= 0; k++) {
        struct summary_row *s = &d->stat[k];

        for (unsigned char side = 0; side < SIDES; side++) {
            memset(x[side], 0, n * sizeof *x[side]);
            sum_prompts(x[side], d, side, s);
        }
        if (!s->alone) {
            rc = boot_differences(&s->d, x[AFTER], x[BEFORE], plain, 1, n, &plan, e);
            continue;
        }
        rc = boot_intervals(&s->d.d, x[AFTER], plain, 1, n, &plan, e);
        s->d.a = s->d.b = s->d.p = (double)NAN;
    }
    return rc;
}

static void correct_family(struct diff *d, enum family family, double *p, size_t *order)
{
    for (size_t k = 0; k < d->stats; k++)
        p[k] = d->stat[k].family == family ? d->stat[k].d.p : (double)NAN;
    boot_holm(p, p, d->stats, order);
    for (size_t k = 0; k < d->stats; k++)
        if (d->stat[k].family == family)
            d->stat[k].p_holm = p[k];
}

static int correct(struct diff *d, struct err *e)
{
    double *p = malloc((d->stats + 1) * sizeof *p);
    size_t *order = malloc((d->stats + 1) * sizeof *order);
    const int rc = p && order ? 0 : err_set(e, ERR_NOMEM, "no memory");

    for (int f = 0; f < FAMILIES && rc >= 0; f++)
        correct_family(d, (enum family)f, p, order);
    free(p);
    free(order);
    return rc;
}

int stats_make(struct diff *d, struct err *e)
{
    const size_t n = d->corpus.prompts + 1;
    struct ratio *x[SIDES] = {calloc(n, sizeof *x[0]), calloc(n, sizeof *x[1])};
    int rc = x[BEFORE] && x[AFTER] ? 0 : err_set(e, ERR_NOMEM, "no memory");

    if (rc >= 0 && (rc = spread(d, e)) >= 0 && (rc = list(d, e)) >= 0 &&
        (rc = resample(d, x, e)) >= 0)
        rc = correct(d, e);
    free(x[BEFORE]);
    free(x[AFTER]);
    return rc;
}

/* ---- what they say --------------------------------------------------------------------- */
static int stands(const struct diff *d, const struct summary_row *s)
{
    return s->p_holm < 1 - d->o->level;
}

const char *stats_verdict(const struct diff *d, const struct summary_row *s)
{
    const double x = s->d.d.value;

    if (s->alone || !stands(d, s))
        return "";
    if (s->better == 0)
        return x > 0 ? "up" : "down";
    return s->better * x > 0 ? "better" : "worse";
}

int stats_worse(const struct diff *d, const struct summary_row *s)
{
    if (!((s->better > 0 && s->d.d.hi < 0) || (s->better < 0 && s->d.d.lo > 0)))
        return 0;
    return 1 + stands(d, s);
}

const struct summary_row *stats_reward(const struct diff *d)
{
    const struct summary_row *s = d->stats ? &d->stat[0] : NULL;

    return s && s->is_metric && s->key == M_REWARD ? s : NULL;
}
