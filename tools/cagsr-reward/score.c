/*
 * A record's reward, and a group's: what must be there, turns, abstentions, error
 * records, human scores.
 */
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one record ------------------------------------------------------------------------ */
static double weight_of(const struct run *r, size_t i)
{
    return r->terms.term[i].weight;
}

/* Absent is a pipeline that was put together wrongly: say how to do it right.  null is
 * an abstention of the stage before. */
static int absent(const struct sample *s, unsigned bit, const char *key)
{
    return !(s->has & bit) && rec_value_type(rec_find(s->rec, key)) == REC_NONE;
}

static int check_fields(const struct run *r, struct err *e)
{
    const struct sample *s = &r->sample;
    const struct rec *rec = s->rec;

    for (size_t i = 0; i < COMPONENTS; i++) {
        const int attn = i == PART_COVERAGE || i == PART_FOCUS ||
                         (i >= COMP_BEST && i <= COMP_FOCUS_SUM);

        if (weight_of(r, i) == 0)
            continue;
        if (attn && absent(s, SAMPLE_ATTN, "attn"))
            return rec_fault(rec, ERR_RECORD, e, "attn",
                             "missing, and '%s' is read from it: put `cagsr-attn -m "
                             "MODEL` in front (or sample with --attn)",
                             r->terms.term[i].name);
        if (i == PART_COHERENCE && absent(s, SAMPLE_REF, "ref"))
            return rec_fault(rec, ERR_RECORD, e, "ref",
                             "missing, and 'coherence' is its mean: put `cagsr-attn -m "
                             "FROZEN_MODEL` in front, which writes it with the "
                             "attention; or do without by --weights +coherence=0");
        if (i == COMP_LOGP && absent(s, SAMPLE_LOGP, "logp"))
            return rec_fault(rec, ERR_RECORD, e, "logp", "missing");
    }
    return 0;
}

static int check_salience(const struct run *r, struct err *e)
{
    static const size_t by_word[] = {PART_COVERAGE, COMP_BEST, COMP_CAPPED, COMP_MEAN,
                                     COMP_GNMT,     COMP_SUM,  COMP_LEXICAL};

    if (r->prompt.known)
        return 0;
    for (size_t i = 0; i < sizeof by_word / sizeof *by_word; i++)
        if (weight_of(r, by_word[i]) != 0)
            return rec_fault(
                r->sample.rec, ERR_RECORD, e, "salient",
                "missing, and there is no text ('prompt' and 'prompt_ends') "
                "to find it in");
    return 0;
}

/* Components that came with the record, by name; with --exec also those that nobody
 * named. */
static int take_foreign(struct run *r, double *value, struct err *e)
{
    const struct rec *rec = r->sample.rec;

    for (size_t i = COMPONENTS; i < r->terms.n; i++) {
        const struct term *t = &r->terms.term[i];

        if (t->from != FROM_RECORD)
            continue;
        value[i] = (double)NAN;
        const int rc = sample_component(rec, t->name, &value[i], e);
        if (rc < 0)
            return rc;
        if (rc == 0 && t->weight != 0 &&
            rec_value_type(rec_value_member(rec_find(rec, "rewards"), t->name)) ==
                REC_NONE)
            return rec_fault(rec, ERR_RECORD, e, "rewards",
                             "no component '%s': it is neither one of ours nor in the "
                             "record",
                             t->name);
    }
    return 0;
}

/* With --exec, what CMD puts into `rewards` counts without being named. */
static int announce_foreign(struct run *r, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;
    struct rec_str name;

    if (r->terms.extra == 0)
        return 0;
    rec_iter_start(&it, rec_find(r->sample.rec, "rewards"));
    while (rec_iter_next(&it, &k, &v)) {
        char spec[256];

        if (rec_value_str(&name, k) < 0 || name.n > 200 ||
            terms_find(&r->terms, name.s, name.n) != SIZE_MAX)
            continue;
        snprintf(spec, sizeof spec, "+%.*s=%g", (int)name.n, name.s, r->terms.extra);
        const int rc = terms_weigh(&r->terms, spec, &r->scales, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void scored_release(struct scored *x)
{
    free(x->value);
    free(x->term);
    free(x->turn);
    free(x->R);
    free(x->G);
}

static int score_turns(struct run *r, struct scored *x, struct err *e)
{
    const long n = turns_read(&x->turn, &r->sample, e);
    size_t cap = x->cap_turn;
    int rc;

    x->turns = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        return (int)n;
    if ((rc = reserve(&x->R, &cap, x->turns, sizeof *x->R, e)) < 0 ||
        (rc = reserve(&x->G, &x->cap_turn, x->turns, sizeof *x->G, e)) < 0)
        return rc;
    if (r->lambda.kind == TURN_LIST && r->lambda_n < x->turns)
        return rec_fault(r->sample.rec, ERR_RECORD, e, "turns",
                         "%zu turns, --lambda has %zu weights", x->turns, r->lambda_n);
    for (size_t u = 0; u < x->turns; u++) {
        if ((rc = measure_stretch(r, &x->turn[u], x->value, e)) < 0)
            return rc;
        x->R[u] = measure_sum(r, x->value, x->term);
    }
    turns_return(x->G, x->R, x->turns, &r->lambda);
    return 0;
}

static int score(struct run *r, struct rec *rec, struct scored *x, struct err *e)
{
    const unsigned need = SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS;
    const unsigned want = SAMPLE_CAND | SAMPLE_PROMPT | SAMPLE_TEXT |
                          SAMPLE_PROMPT_ENDS | SAMPLE_ENDS | SAMPLE_PROMPT_MASK |
                          SAMPLE_LOGP | SAMPLE_REF | SAMPLE_FINISH | SAMPLE_ATTN |
                          SAMPLE_SUPPORT;
    struct stretch whole;
    int rc;

    if ((rc = sample_read(&r->sample, rec, need, want, e)) < 0 ||
        (rc = check_fields(r, e)) < 0 || (rc = announce_foreign(r, e)) < 0 ||
        (rc = prompt_read(&r->prompt, &r->sample, &r->rules, e)) < 0 ||
        (rc = check_salience(r, e)) < 0 || (rc = measure_load(r, e)) < 0 ||
        (rc = reserve(&x->value, &x->cap_value, r->terms.n, sizeof *x->value, e)) < 0 ||
        (rc = reserve(&x->term, &x->cap_term, r->terms.n, sizeof *x->term, e)) < 0 ||
        (rc = plugins_process(r->plugins, r, x->value, e)) < 0 ||
        (rc = take_foreign(r, x->value, e)) < 0 || (rc = score_turns(r, x, e)) < 0)
        return rc;
    whole = measure_whole(&r->sample);
    if ((rc = measure_stretch(r, &whole, x->value, e)) < 0)
        return rc;
    x->reward = x->turns ? x->G[0] : measure_sum(r, x->value, x->term);
    if (isinf(x->reward))
        return rec_fault(rec, ERR_NUMERIC, e, "reward", "the sum is not finite");
    return 0;
}

/* ---- one group ------------------------------------------------------------------------- */
void batch_release(struct batch *b)
{
    scored_release(&b->x);
    free(b->values);
    free(b->reward);
    free(b->z);
    free(b->failed);
}

static void set_array(struct rec *rec, const char *key, const double *x, size_t n)
{
    rec_begin(rec, key);
    rec_put_array(rec, n);
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]))
            rec_put_nil(rec);
        else
            rec_put_f64(rec, x[i]);
    rec_end(rec);
}

/* A candidate that cannot be scored becomes an error record; the run goes on and says so
 * at its end. */
static int make_error(struct run *r, struct rec *rec, struct err *e)
{
    struct rec copy = {0};
    struct err why = {0};
    const int rc = rec_copy(&copy, rec, &why);

    if (rc < 0) {
        *e = why;
        return rc;
    }
    rec_make_error(rec, &copy, r->tool->name, NULL, e);
    rec_release(&copy);
    if (r->errors++ == 0)
        cli_note(r->tool, &r->o->common, "%s", e->text);
    *e = (struct err){0};
    return 0;
}

void score_calibrate(struct run *r, const struct batch *b, size_t n)
{
    double x[64];

    for (size_t k = 0; k < COMBINE_PARTS; k++) {
        struct combine_scale *s = &r->cal.part[k];
        size_t m = 0;

        /* Large groups are measured in pieces: s is a mean over groups anyway. */
        for (size_t i = 0; i < n; i++) {
            if (!b->failed[i])
                x[m++] = b->values[i * r->terms.n + k];
            if (m == sizeof x / sizeof *x || (i + 1 == n && m)) {
                combine_scale_add(s, x, m);
                m = 0;
            }
        }
    }
    r->cal.records += n;
}

static void note_layers(struct run *r)
{
    const struct rec_str l = r->sample.attn.layers;

    if (!(r->sample.has & SAMPLE_ATTN) || r->noted_layers)
        return;
    r->noted_layers = 1;
    snprintf(r->cal.layers, sizeof r->cal.layers, "%.*s", (int)(l.n < 31 ? l.n : 31),
             l.n ? l.s : "");
    if (r->scales.layers && !rec_str_is(l, r->scales.layers))
        cli_note(r->tool, &r->o->common,
                 "%s was measured on layers %s, these records have %s", r->o->scales,
                 r->scales.layers, r->cal.layers);
}

/* Human scores move those candidates that have one, in the units of their group: towards
 * mean + deviation * z of its rewards. */
static void blend(const struct run *r, struct batch *b, size_t n)
{
    const double share = r->o->label_weight;
    double mean = 0, ss = 0;
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(b->reward[i])) {
            mean += b->reward[i];
            k++;
        }
    mean = k ? mean / (double)k : 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(b->reward[i]))
            ss += (b->reward[i] - mean) * (b->reward[i] - mean);
    const double deviation = k > 1 && ss > 0 ? sqrt(ss / (double)(k - 1)) : 1;
    for (size_t i = 0; i < n; i++)
        if (!isnan(b->z[i]) && !isnan(b->reward[i]))
            b->reward[i] =
                (1 - share) * b->reward[i] + share * (mean + deviation * b->z[i]);
}

static int reserve_group(struct run *r, struct batch *b, size_t n, struct err *e)
{
    size_t cap = b->cap, cap2 = b->cap;
    int rc;

    if ((rc = reserve(&b->reward, &cap, n, sizeof *b->reward, e)) < 0 ||
        (rc = reserve(&b->z, &cap2, n, sizeof *b->z, e)) < 0 ||
        (rc = reserve(&b->failed, &b->cap, n, 1, e)) < 0)
        return rc;
    return r->o->calibrate ? reserve(&b->values, &b->cap_values, n * r->terms.n,
                                     sizeof *b->values, e)
                           : 0;
}

static int score_one(struct run *r, struct batch *b, struct rec *rec, size_t i,
                     struct err *e)
{
    struct scored *x = &b->x;
    double z;
    int rc = score(r, rec, x, e);

    b->failed[i] = rc == ERR_NUMERIC;
    b->reward[i] = b->z[i] = (double)NAN;
    if (rc == ERR_NUMERIC)
        return make_error(r, rec, e);
    if (rc < 0)
        return rc;
    note_layers(r);
    b->reward[i] = x->reward;
    r->abstained += isnan(x->reward) != 0;
    if (r->o->calibrate)
        memcpy(b->values + i * r->terms.n, x->value, r->terms.n * sizeof *b->values);
    if (r->labels && labels_find(r->labels, r->sample.id, r->sample.cand, &z))
        b->z[i] = z;
    if (r->o->explain)
        rc = *r->o->explain ? explain_record(r, rec, x->value, x->reward, e)
                            : explain_text(r, x->value, x->reward, e);
    if (x->turns) {
        set_array(rec, "turn_rewards", x->R, x->turns);
        set_array(rec, "turn_returns", x->G, x->turns);
    }
    output_rewards(rec, &r->terms, x->value, x->reward);
    return rc;
}

int score_group(struct run *r, struct batch *b, struct rec_group *g, struct err *e)
{
    int rc = reserve_group(r, b, g->n, e);

    for (size_t i = 0; i < g->n && rc >= 0; i++)
        rc = score_one(r, b, &g->rec[i], i, e);
    if (rc < 0 || !r->labels)
        return rc;
    blend(r, b, g->n);
    for (size_t i = 0; i < g->n; i++) {
        if (b->failed[i] || isnan(b->z[i]))
            continue;
        rec_set_f64(&g->rec[i], "label_z", b->z[i]);
        if (!isnan(b->reward[i]))
            rec_set_f64(&g->rec[i], "reward", b->reward[i]);
    }
    return 0;
}
