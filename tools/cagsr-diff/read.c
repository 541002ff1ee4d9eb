#include "diff.h"

#include "attn/stats.h"
#include "base/chars.h"
#include "base/reserve.h"
#include "explain/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void diff_release(struct diff *d)
{
    corpus_release(&d->corpus);
    reading_end(&d->reading);
    sample_release(&d->sample);
    prompt_release(&d->reads);
    strtab_release(&d->names);
    rec_buf_release(&d->name);
    free(d->number);
    free(d->seen);
    free(d->profile);
    free(d->pair);
    free(d->stat);
    free(d->value);
    free(d->A);
    free(d->work);
}

/* ---- numbers --------------------------------------------------------------------------- */

/* Names come from records. */
static int clean(struct rec_buf *out, const char *s, size_t n, struct err *e)
{
    unsigned columns;
    int32_t code;

    rec_buf_clear(out);
    for (size_t i = 0, k; i < n; i += k) {
        k = chars_next(&code, &columns, s + i, n - i);
        if (code == CHARS_UNSAFE)
            rec_buf_str(out, CHARS_DOT);
        else
            rec_buf_add(out, s + i, k);
    }
    return out->oom ? err_set(e, ERR_NOMEM, "no memory for a name") : 0;
}

int diff_number(struct diff *d, size_t row, const char *name, size_t n, double x,
                struct err *e)
{
    int rc = clean(&d->name, name, n, e);

    if (rc < 0 || (rc = reserve(&d->number, &d->number_cap, d->numbers + 1,
                                sizeof *d->number, e)) < 0)
        return rc;
    const long at =
        strtab_add(&d->names, d->name.n ? (const char *)d->name.p : "", d->name.n, e);
    if (at < 0)
        return (int)at;
    d->number[d->numbers++] = (struct number){row, (size_t)at, x};
    return 0;
}

/* The members of `rewards`; null is an abstention. */
static int read_rewards(struct diff *d, const struct rec *r, size_t row, struct err *e)
{
    const struct rec_value v = rec_find(r, "rewards");
    struct rec_iter it;
    struct rec_value k, x;
    char name[256];
    int rc = 0;

    if (rec_value_type(v) != REC_MAP)
        return 0;
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x) && rc >= 0;) {
        struct rec_str key;
        double value;

        if (rec_value_str(&key, k) < 0 || rec_value_f64(&value, x) < 0 ||
            !isfinite(value))
            continue;
        snprintf(name, sizeof name, "rewards/%.*s", (int)(key.n < 200 ? key.n : 200),
                 key.s);
        rc = diff_number(d, row, name, strlen(name), value, e);
    }
    return rc;
}

/* What `cagsr-eval --each` has put into `metrics`: relevance by an encoder. */
static void read_metrics(struct row *row, const struct rec *r)
{
    const struct rec_value v = rec_find(r, "metrics");
    double x;

    for (size_t m = 0; m < METRICS; m++)
        if (metric_table[m].of == OF_SAMPLE && !metric_table[m].per_token &&
            !(row->v[m].den > 0) &&
            rec_value_f64(&x, rec_value_member(v, metric_table[m].name)) >= 0 &&
            isfinite(x))
            row_set(row, (enum metric)m, x);
}

/* ---- attention ------------------------------------------------------------------------- */
static int keep_profile(struct diff *d, const double *p, size_t n, struct err *e)
{
    const int rc =
        reserve(&d->profile, &d->profile_cap, d->profiles + n, sizeof *d->profile, e);

    for (size_t i = 0; i < n && rc >= 0; i++)
        d->profile[d->profiles++] = (float)p[i];
    return rc;
}

/* One plane: the mean of all, or that of a layer's heads. */
static int read_plane(struct diff *d, size_t row, struct attn_planes planes,
                      const char *name, struct err *e)
{
    const struct sample *s = &d->sample;
    const struct attn_rows r = {s->T, s->P, d->A, 0, d->reads.pos, d->reads.n};
    struct attn_rows rows = r;
    struct err why = {0};
    int rc;

    planes_mean(d->A, &s->attn, planes);
    if (attn_check(d->A, s->T, s->P, &why) < 0)
        return rec_fault(s->rec, ERR_NUMERIC, e, "attn", "%s", why.text);
    rows.steps = s->T - (size_t)(s->finish == FINISH_EOS && s->T > 0);
    attn_profile(d->work, &rows);
    if ((rc = keep_profile(d, d->work, rows.n, e)) < 0)
        return rc;
    return diff_number(d, row, name, strlen(name), attn_mean_mass(&rows), e);
}

static int read_planes(struct diff *d, size_t row, struct err *e)
{
    const struct sample_attn *a = &d->sample.attn;
    struct seen *x = &d->seen[row];
    struct attn_planes p = planes_all(a);
    char name[64];
    int rc;

    x->at = d->profiles;
    x->n = d->reads.n;
    x->positions = d->sample.P;
    x->layer = planes_first_layer(a);
    if ((rc = reserve(&d->A, &d->A_cap, a->T * a->P + 1, sizeof *d->A, e)) < 0 ||
        (rc = reserve(&d->work, &d->work_cap, a->P + 1, sizeof *d->work, e)) < 0 ||
        (rc = read_plane(d, row, p, "attention", e)) < 0)
        return rc;
    x->planes = 1 + a->L;
    for (size_t l = 0; l < a->L && rc >= 0; l++) {
        p.l0 = l;
        p.l1 = l + 1;
        snprintf(name, sizeof name, "attention/%zu", x->layer + l);
        rc = read_plane(d, row, p, name, e);
    }
    return rc;
}

static int read_attention(struct diff *d, const struct rec *r, size_t row,
                          struct err *e)
{
    const struct salient_rules rules = {.mode = SALIENT_IDF};
    const unsigned need = SAMPLE_PROMPT_IDS | SAMPLE_IDS | SAMPLE_ATTN;
    const unsigned want = SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK |
                          SAMPLE_FINISH | SAMPLE_SUPPORT;
    int rc;

    if (rec_value_type(rec_find(r, "attn")) <= REC_NIL)
        return 0;
    if ((rc = sample_read(&d->sample, r, need, want, e)) < 0 ||
        (rc = prompt_read(&d->reads, &d->sample, &rules, e)) < 0)
        return rc;
    return d->sample.T && d->reads.n ? read_planes(d, row, e) : 0;
}

/* ---- groups ---------------------------------------------------------------------------- */
static int take_record(struct diff *d, const struct rec *r, size_t row, struct err *e)
{
    struct seen *x = &d->seen[row];
    int rc;

    *x = (struct seen){.cand = NONE, .next = NONE};
    if ((rc = rec_opt_uint(r, "cand", &x->cand, e)) < 0 ||
        (rc = read_rewards(d, r, row, e)) < 0)
        return rc;
    read_metrics(&d->corpus.row[row], r);
    return read_attention(d, r, row, e);
}

int diff_take(struct diff *d, const struct rec_group *g, unsigned char side,
              struct err *e)
{
    const size_t from = d->corpus.rows;
    int rc;

    d->reading.side = side;
    if (g->other)
        return 0;
    if ((rc = corpus_add(&d->reading, g, e)) < 0 ||
        (rc = reserve(&d->seen, &d->seen_cap, d->corpus.rows, sizeof *d->seen, e)) < 0)
        return rc;
    for (size_t i = 0; i < g->n && rc >= 0; i++)
        rc = take_record(d, &g->rec[i], from + i, e);
    return rc;
}
