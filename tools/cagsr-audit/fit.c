/*
 * Weights of heads without labels: a prompt's own answers against those to other prompts.
 *
 * How good they are is told from prompts that they were not fitted on: in five rounds a
 * fifth of the prompts is held out.  The weights written are fitted on all.
 */
#include "audit.h"

#include "base/file.h"
#include "base/reserve.h"
#include "base/rng.h"
#include "metrics/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5 };

struct pairs {
    float *d; /* (K, F) own minus mismatched */
    size_t *prompt;
    size_t K, F, d_cap, prompt_cap;
};

static int add_pair(struct pairs *p, const float *own, const float *other,
                    size_t prompt, struct err *e)
{
    size_t need;
    int rc;

    if (__builtin_mul_overflow(p->K + 1, p->F, &need))
        return err_set(e, ERR_NOMEM, "no memory for pairs");
    if ((rc = reserve(&p->d, &p->d_cap, need, sizeof *p->d, e)) < 0 ||
        (rc = reserve(&p->prompt, &p->prompt_cap, p->K + 1, sizeof *p->prompt, e)) < 0)
        return rc;
    for (size_t f = 0; f < p->F; f++)
        p->d[p->K * p->F + f] = own[f] - other[f];
    p->prompt[p->K++] = prompt;
    return 0;
}

/* Every own answer of a prompt with every mismatched one. */
static int make_pairs(struct pairs *p, const struct board *b, const size_t *first,
                      const size_t *order, size_t mismatched, struct err *e)
{
    int rc = 0;

    p->F = b->layers * b->heads;
    for (size_t k = 0; k < b->ids.n; k++)
        for (size_t i = first[k]; i < first[k + 1]; i++)
            for (size_t j = first[k]; j < first[k + 1] && rc >= 0; j++) {
                const struct board_row *own = &b->row[order[i]];
                const struct board_row *other = &b->row[order[j]];

                if (own->kind == 0 && other->kind == mismatched && own->feature &&
                    other->feature)
                    rc = add_pair(p, own->feature, other->feature, k, e);
            }
    return rc;
}

/* ---- held out -------------------------------------------------------------------------- */
static void swap_pairs(struct pairs *p, size_t i, size_t j)
{
    for (size_t f = 0; f < p->F; f++) {
        const float t = p->d[i * p->F + f];

        p->d[i * p->F + f] = p->d[j * p->F + f];
        p->d[j * p->F + f] = t;
    }
    const size_t t = p->prompt[i];
    p->prompt[i] = p->prompt[j];
    p->prompt[j] = t;
}

/* The pairs of this fold go to the end; returns how many are left in front. */
static size_t hold_out(struct pairs *p, const size_t *place, size_t fold)
{
    size_t n = 0;

    for (size_t k = 0; k < p->K; k++)
        if (place[p->prompt[k]] % FOLDS != fold)
            swap_pairs(p, k, n++);
    return n;
}

struct shares {
    double fitted, even, best; /* sums over pairs held out */
    size_t pairs;
};

/* The single head that does best where the weights were fitted. */
static size_t best_head(const struct pairs *p, size_t K, double *w)
{
    size_t best = 0;
    double top = -1;

    memset(w, 0, p->F * sizeof *w);
    for (size_t f = 0; f < p->F; f++) {
        w[f] = 1;
        const double share = heads_share(w, p->d, K, p->F);
        w[f] = 0;
        if (share > top) {
            top = share;
            best = f;
        }
    }
    return best;
}

static int try_fold(struct shares *s, struct pairs *p, const size_t *place, size_t fold,
                    double ridge, double *w, struct err *e)
{
    const size_t K = hold_out(p, place, fold), out = p->K - K;
    const float *held = p->d + K * p->F;
    int rc;

    if (K == 0 || out == 0)
        return 0;
    if ((rc = heads_fit(w, p->d, K, p->F, ridge, e)) < 0)
        return rc;
    s->fitted += heads_share(w, held, out, p->F) * (double)out;
    const size_t best = best_head(p, K, w);
    w[best] = 1;
    s->best += heads_share(w, held, out, p->F) * (double)out;
    for (size_t f = 0; f < p->F; f++)
        w[f] = 1;
    s->even += heads_share(w, held, out, p->F) * (double)out;
    s->pairs += out;
    return 0;
}

static int cross_validate(struct shares *s, struct pairs *p, const struct opts *o,
                          size_t prompts, double *w, struct err *e)
{
    size_t *place = calloc(prompts + 1, sizeof *place);
    int rc = place ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu prompts", prompts);

    if (rc >= 0)
        rng_shuffle(place, prompts, o->common.seed, 2);
    for (size_t fold = 0; fold < FOLDS && rc >= 0; fold++)
        rc = try_fold(s, p, place, fold, o->ridge, w, e);
    free(place);
    return rc;
}

/* ---- the file -------------------------------------------------------------------------- */
static int write_weights(const struct opts *o, const struct board *b, const double *w,
                         const struct shares *s, struct err *e)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return err_set(e, ERR_NOMEM, "no memory for the weights");
    fprintf(
        f,
        "# layer head weight, for cagsr-attn --layers %zu:%zu --heads\n"
        "# own answers against those to other prompts, held out: %.4f (even weights "
        "%.4f, the best head %.4f)\n",
        b->first_layer, b->first_layer + b->layers, s->fitted / (double)s->pairs,
        s->even / (double)s->pairs, s->best / (double)s->pairs);
    for (size_t i = 0; i < b->layers * b->heads; i++)
        if (w[i] > 0)
            fprintf(f, "%zu %zu %.6g\n", b->first_layer + i / b->heads, i % b->heads,
                    w[i]);
    const int rc = fclose(f) == 0 ? file_replace(o->fit, text, n, e)
                                  : err_set(e, ERR_NOMEM, "no memory for the weights");
    free(text);
    return rc;
}

static void report(FILE *out, const struct opts *o, const struct shares *s,
                   const double *w, const struct pairs *p)
{
    const double n = (double)s->pairs;
    size_t used = 0;

    for (size_t f = 0; f < p->F; f++)
        used += w[f] > 0;
    const struct cell cell[] = {
        {"table", CELL_TEXT, "heads"},
        {"fitted", CELL_SHARE, .x = s->fitted / n},
        {"even", CELL_SHARE, .x = s->even / n},
        {"best_head", CELL_SHARE, .x = s->best / n},
        {"pairs", CELL_COUNT, .x = n},
        {"heads", CELL_COUNT, .x = (double)used},
        {"of_heads", CELL_COUNT, .x = (double)p->F},
    };

    if (o->format == CELLS_TABLE)
        fprintf(out,
                "\nown answers above those to other prompts, on prompts held out, by "
                "coverage\n");
    cells_line(out, (enum cells_form)o->format, cell, sizeof cell / sizeof *cell, 1);
}

static int fit(FILE *out, const struct opts *o, const struct board *b, struct pairs *p,
               struct err *e)
{
    struct shares s = {0};
    double *w = calloc(p->F + 1, sizeof *w), sum = 0;
    int rc = w ? cross_validate(&s, p, o, b->ids.n, w, e)
               : err_set(e, ERR_NOMEM, "no memory for %zu heads", p->F);

    if (rc >= 0 && s.pairs == 0)
        rc = err_set(e, ERR_RECORD, "--fit: two prompts or more are needed");
    if (rc >= 0)
        rc = heads_fit(w, p->d, p->K, p->F, o->ridge, e);
    for (size_t f = 0; rc >= 0 && f < p->F; f++)
        sum += w[f];
    if (rc >= 0 && !(sum > 0))
        rc = err_set(e, ERR_RECORD, "--fit: no head tells own answers from others");
    if (rc >= 0)
        rc = write_weights(o, b, w, &s, e);
    if (rc >= 0)
        report(out, o, &s, w, p);
    free(w);
    return rc;
}

int fit_check(const struct board *b, struct err *e)
{
    if (!b->features)
        return err_set(
            e, ERR_RECORD,
            "--fit: attention is not kept apart: use cagsr-attn --heads each");
    if (strtab_find(&b->kinds, MISMATCHED, strlen(MISMATCHED)) == SIZE_MAX)
        return err_set(e, ERR_RECORD,
                       "--fit: no answers to other prompts among the samples: use "
                       "cagsr-audit --make mismatched");
    return 0;
}

int fit_heads(FILE *out, const struct opts *o, const struct board *b, struct err *e)
{
    const size_t mismatched = strtab_find(&b->kinds, MISMATCHED, strlen(MISMATCHED));
    size_t *first = NULL, *order = NULL;
    struct pairs p = {0};
    int rc = board_sort(b, &first, &order, e);

    if (rc >= 0 && (rc = make_pairs(&p, b, first, order, mismatched, e)) >= 0)
        rc = fit(out, o, b, &p, e);
    free(first);
    free(order);
    free(p.d);
    free(p.prompt);
    return rc;
}
