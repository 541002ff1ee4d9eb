/*
 * A record's components, from the pure functions of attn/ and reward/.
 */
#include "run.h"

#include "attn/stats.h"
#include "base/hash.h"
#include "base/rng.h"
#include "reward/coverage.h"
#include "reward/focus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void measure_release(struct measure *m)
{
    free(m->A);
    free(m->mass);
    free(m->mass_all);
    free(m->h);
    free(m->h_all);
    free(m->best);
    free(m->share);
    free(m->ref);
    free(m->kept);
    free(m->kept_all);
    free(m->step);
    free(m->tokens);
    free(m->mark);
    ngram_table_release(&m->table);
    words_release(&m->words);
    *m = (struct measure){0};
}

/* ---- loading --------------------------------------------------------------------------- */
static int reserve_all(struct measure *m, size_t T, size_t P, size_t G, struct err *e)
{
    struct {
        void *array;
        size_t size;
    } row[] = {{&m->mass, sizeof *m->mass},
               {&m->mass_all, sizeof *m->mass_all},
               {&m->h, sizeof *m->h},
               {&m->h_all, sizeof *m->h_all},
               {&m->ref, sizeof *m->ref},
               {&m->kept, sizeof *m->kept},
               {&m->mark, 1},
               {&m->kept_all, sizeof *m->kept_all}},
      group[] = {{&m->best, sizeof *m->best},
                 {&m->share, sizeof *m->share},
                 {&m->step, sizeof *m->step}};
    size_t cap = m->cap_T;
    int rc = reserve(&m->tokens, &m->cap_tokens, P + T + 1, sizeof *m->tokens, e);

    for (size_t i = 0; rc >= 0 && i < sizeof row / sizeof *row; i++) {
        cap = m->cap_T;
        rc = reserve(row[i].array, &cap, T + 1, row[i].size, e);
    }
    if (rc >= 0)
        m->cap_T = cap;
    cap = m->cap_G;
    for (size_t i = 0; rc >= 0 && i < sizeof group / sizeof *group; i++) {
        cap = m->cap_G;
        rc = reserve(group[i].array, &cap, G + 1, group[i].size, e);
    }
    if (rc >= 0)
        m->cap_G = cap;
    return rc < 0 ? rc : reserve(&m->A, &m->cap_A, T * P + 1, sizeof *m->A, e);
}

/* Rows as double; layers and heads that were kept apart are averaged here. */
static int load_rows(struct run *r, struct err *e)
{
    const struct sample_attn *a = &r->sample.attn;
    const size_t n = a->T * a->P, planes = a->L ? a->L * a->H : 1;
    struct err why = {0};

    if (planes == 1) {
        attn_widen(r->m.A, a->rows, n);
    } else {
        memset(r->m.A, 0, n * sizeof *r->m.A);
        for (size_t k = 0; k < planes; k++)
            attn_add_f32(r->m.A, a->rows + k * n, n, 1.0 / (double)planes);
    }
    if (attn_check(r->m.A, a->T, a->P, &why) < 0)
        return rec_fault(r->sample.rec, ERR_NUMERIC, e, "attn", "%s", why.text);
    return 0;
}

int measure_load(struct run *r, struct err *e)
{
    const struct sample *s = &r->sample;
    struct measure *m = &r->m;
    const int rc = reserve_all(m, s->T, s->P, r->prompt.G, e);

    if (rc < 0)
        return rc;
    memcpy(m->tokens, s->prompt_ids, s->P * sizeof *m->tokens);
    if (s->T)
        memcpy(m->tokens + s->P, s->ids, s->T * sizeof *m->tokens);
    if (s->has & SAMPLE_REF)
        attn_widen(m->ref, s->ref, s->T);
    return s->has & SAMPLE_ATTN ? load_rows(r, e) : 0;
}

struct stretch measure_whole(const struct sample *s)
{
    const int eos = s->finish == FINISH_EOS;

    return (struct stretch){0, s->T, eos || s->finish == FINISH_STOP, eos && s->T > 0};
}

/* ---- attention ------------------------------------------------------------------------- */
static int wanted(const struct run *r, size_t i)
{
    return r->terms.term[i].shown || r->terms.term[i].weight != 0;
}

static struct attn_rows rows_of(const struct run *r, const struct stretch *s)
{
    const size_t T = s->end - s->begin;

    return (struct attn_rows){
        .T = T,
        .P = r->prompt.P,
        .A = r->m.A + s->begin * r->prompt.P,
        .steps = T - (size_t)(s->end_token && T > 0),
        .pos = r->prompt.pos,
        .n = r->prompt.n,
    };
}

static void coverage_parts(struct run *r, const struct attn_rows *rows, double *value)
{
    const struct opts *o = r->o;
    const struct prompt *p = &r->prompt;
    struct measure *m = &r->m;

    if (!p->known)
        return;
    value[COMP_BEST] = coverage_best(m->best, m->step, rows, p->group, p->G);
    if (r->method != METHOD_F7 && !wanted(r, COMP_CAPPED) && !wanted(r, COMP_MEAN) &&
        !wanted(r, COMP_GNMT))
        return;
    coverage_shares(m->share, rows, m->kept, m->mass, m->nkept, p->group, p->G);
    value[COMP_CAPPED] = coverage_capped(m->share, p->group, p->G, o->kappa);
    value[COMP_MEAN] = coverage_mean(m->share, p->group, p->G);
    if (p->G && p->n >= 2 && m->nkept)
        value[COMP_GNMT] = coverage_gnmt(m->share, p->group, p->G);
}

/* The paper's sums, over the whole prompt. */
static void literal_parts(struct run *r, struct attn_rows rows, double *value)
{
    const struct prompt *p = &r->prompt;
    struct measure *m = &r->m;

    rows.pos = p->all;
    rows.n = p->P;
    const size_t n = attn_kept(m->kept_all, m->mass_all, m->h_all, &rows);
    value[COMP_FOCUS_SUM] = focus_sum(m->h_all, n);
    if (p->known)
        value[COMP_SUM] = coverage_sum(&rows, m->kept_all, n, p->S, p->nS);
}

static void attention_parts(struct run *r, const struct stretch *s, double *value)
{
    const struct attn_rows rows = rows_of(r, s);
    const struct opts *o = r->o;
    struct measure *m = &r->m;

    m->nkept = attn_kept(m->kept, m->mass, m->h, &rows);
    coverage_parts(r, &rows, value);
    const size_t n = focus_normalise(m->h, m->nkept, rows.n);
    value[COMP_FOCUS_MEAN] = focus(m->h, n, o->h_min, o->zeta);
    if (r->method == METHOD_LITERAL || wanted(r, COMP_SUM) || wanted(r, COMP_FOCUS_SUM))
        literal_parts(r, rows, value);
}

/* ---- tokens ---------------------------------------------------------------------------- */
static int token_parts(struct run *r, const struct stretch *s, double *value,
                       struct err *e)
{
    const struct opts *o = r->o;
    const int32_t *ids = r->m.tokens + r->prompt.P + s->begin;
    const size_t T = s->end - s->begin;
    struct ngram_count c;
    struct ngram_found f;
    int rc;

    if ((rc = ngram_count(&c, &r->m.table, ids, T, o->rep_n, e)) < 0 ||
        (rc = ngram_contained(&f, NULL, &r->m.table, ids, T, r->m.tokens,
                              r->prompt.P + s->begin, o->copy_n, e)) < 0)
        return rc;
    value[COMP_REP_SHARE] = ngram_repetition(c);
    value[COMP_REP_COUNT] = (double)(c.total - c.distinct);
    value[COMP_CONTAINMENT] = ngram_containment(f);
    value[PART_REPETITION] = r->method == METHOD_LITERAL
                                 ? value[COMP_REP_COUNT]
                                 : ngram_excess(value[COMP_REP_SHARE], o->rep_free);
    value[PART_COPY] = ngram_excess(value[COMP_CONTAINMENT], o->copy_free);
    value[PART_NO_END] = !s->ended;
    value[PART_SHORT] = T < o->t_min;
    value[COMP_LENGTH] = (double)T;
    value[COMP_CONSTANT] = 1;
    if (r->sample.has & SAMPLE_REF)
        value[PART_COHERENCE] = combine_mean(r->m.ref + s->begin, T);
    return 0;
}

static double mean_logp(const struct sample *s, const struct stretch *x)
{
    double sum = 0;

    for (size_t t = x->begin; t < x->end; t++)
        sum += (double)s->logp[t];
    return x->end > x->begin ? sum / (double)(x->end - x->begin) : 0;
}

/* A number for (seed, id, cand) at a place where no token is ever drawn. */
static double random_reward(const struct run *r)
{
    const struct sample *s = &r->sample;

    return rng_uniform(r->o->common.seed, hash64(s->id.s, s->id.n), (uint32_t)s->cand,
                       UINT32_MAX);
}

/* ---- lexical mention ------------------------------------------------------------------- */
/* Is any token of the group in the response? For prompts without text. */
static int mentions_token(const struct run *r, const struct salient_group *g,
                          const struct stretch *s)
{
    for (size_t i = 0; i < g->n; i++)
        for (size_t t = s->begin; t < s->end; t++)
            if (r->m.tokens[g->pos[i]] == r->sample.ids[t])
                return 1;
    return 0;
}

/* Share of the salient words that the response mentions: as words where both have text,
 * else as tokens. */
static int lexical(struct run *r, const struct stretch *s, double *out, struct err *e)
{
    const struct sample *x = &r->sample;
    const struct prompt *p = &r->prompt;
    const int text = (x->has & SAMPLE_TEXT) && x->text.n;
    const int parts = text && (x->has & SAMPLE_ENDS) && s->end > s->begin;
    const size_t begin = parts && s->begin ? x->ends[s->begin - 1] : 0;
    int rc;

    if (!p->known)
        return 0;
    words_clear(&r->m.words);
    if (text && (rc = words_add(&r->m.words, x->text.s, begin,
                                parts ? x->ends[s->end - 1] : x->text.n, e)) < 0)
        return rc;
    *out = 0;
    for (size_t g = 0; g < p->G; g++) {
        int found;

        if (text && p->type[g] != SIZE_MAX) {
            const struct strtab *t = &p->words.types;

            found = strtab_find(&r->m.words.types, strtab_text(t, p->type[g]),
                                t->entry[p->type[g]].n) != SIZE_MAX;
        } else {
            found = mentions_token(r, &p->group[g], s);
        }
        *out += found ? p->group[g].weight : 0;
    }
    return 0;
}

/* ---- all ------------------------------------------------------------------------------- */
int measure_stretch(struct run *r, const struct stretch *s, double *value,
                    struct err *e)
{
    static const size_t coverage[] = {COMP_BEST, COMP_CAPPED, COMP_SUM};
    static const size_t focus_of[] = {COMP_FOCUS_MEAN, COMP_FOCUS_MEAN, COMP_FOCUS_SUM};
    int rc;

    for (size_t i = 0; i < COMPONENTS; i++)
        value[i] = (double)NAN;
    if (r->sample.has & SAMPLE_ATTN)
        attention_parts(r, s, value);
    value[PART_COVERAGE] = value[coverage[r->method]];
    value[PART_FOCUS] = value[focus_of[r->method]];
    if ((rc = token_parts(r, s, value, e)) < 0)
        return rc;
    if (r->sample.has & SAMPLE_LOGP)
        value[COMP_LOGP] = mean_logp(&r->sample, s);
    if (wanted(r, COMP_RANDOM))
        value[COMP_RANDOM] = random_reward(r);
    return wanted(r, COMP_LEXICAL) ? lexical(r, s, &value[COMP_LEXICAL], e) : 0;
}

double measure_sum(const struct run *r, const double *value,
                   struct combine_term *scratch)
{
    const struct terms *t = &r->terms;

    for (size_t i = 0; i < t->n; i++)
        scratch[i] =
            (struct combine_term){t->term[i].name, t->term[i].weight, value[i]};
    return r->method == METHOD_F12 ? combine_sum(scratch, t->n)
                                   : combine_sum_f7(scratch, t->n);
}
