#include "view/said.h"

#include "base/reserve.h"
#include "reward/combine.h"
#include "reward/coverage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The lengths of n-grams that cagsr-reward takes unless it is told otherwise. */
enum { REPEAT_N = 3, COPY_N = 4 };

static struct rec_value explained(const struct scene_cand *c, const char *key)
{
    return rec_value_member(rec_find(c->sample.rec, "explain"), key);
}

static int fault(const struct scene_cand *c, struct err *e, const char *why)
{
    return rec_fault(c->sample.rec, ERR_RECORD, e, "explain",
                     "%s; expected what cagsr-reward --explain=record writes", why);
}

/* ---- terms ----------------------------------------------------------------------------- */
static double number(struct rec_value v)
{
    double x;

    return rec_value_f64(&x, v) == 0 && isfinite(x) ? x : (double)NAN;
}

static int explained_terms(struct scene_cand *c, struct rec_value list, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;

    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);) {
        struct scene_term *t = &c->term[c->terms];

        if (rec_value_str(&t->name, rec_value_member(v, "name")) < 0)
            return fault(c, e, "a term without a name");
        t->value = number(rec_value_member(v, "value"));
        t->weight = number(rec_value_member(v, "weight"));
        c->terms++;
    }
    return 0;
}

static struct scene_term *find_term(const struct scene_cand *c, const char *name)
{
    for (size_t i = 0; i < c->terms; i++)
        if (rec_str_is(c->term[i].name, name))
            return &c->term[i];
    return NULL;
}

/* 1 if the sum with these weights is the record's reward; then they are its weights. */
static int try_weights(struct scene_cand *c, const double *weights)
{
    double sum = 0;

    for (size_t i = 0; i < COMBINE_PARTS; i++) {
        const struct scene_term *t = find_term(c, combine_part_names[i]);

        if (!t && weights[i] != 0)
            return 0;
        if (t && weights[i] != 0)
            sum += weights[i] * t->value;
    }
    if (!(fabs(sum - c->reward) <= 1e-9 * (1 + fabs(sum))))
        return 0;
    for (size_t i = 0; i < c->terms; i++)
        c->term[i].weight = 0;
    for (size_t i = 0; i < COMBINE_PARTS; i++) {
        struct scene_term *t = find_term(c, combine_part_names[i]);

        if (t)
            t->weight = weights[i];
    }
    return 1;
}

static void found_terms(struct scene_cand *c, struct rec_value map)
{
    struct rec_iter it;
    struct rec_value k, v;

    for (rec_iter_start(&it, map); rec_iter_next(&it, &k, &v);) {
        struct scene_term *t = &c->term[c->terms];

        if (rec_value_str(&t->name, k) < 0)
            continue;
        t->value = number(v);
        t->weight = (double)NAN;
        c->terms++;
    }
    if (!try_weights(c, combine_f12_weights))
        try_weights(c, combine_f7_weights);
}

int said_terms(struct scene_cand *c, struct err *e)
{
    const struct rec_value list = explained(c, "terms");
    const struct rec_value map = rec_find(c->sample.rec, "rewards");
    const int told = rec_value_type(list) == REC_ARRAY;
    const size_t n = rec_value_count(told ? list : map);
    const int rc = reserve(&c->term, &c->term_cap, n + 1, sizeof *c->term, e);

    c->terms = 0;
    if (rc < 0)
        return rc;
    if (told)
        return explained_terms(c, list, e);
    if (rec_value_type(map) == REC_MAP)
        found_terms(c, map);
    return 0;
}

/* ---- words ----------------------------------------------------------------------------- */
static void cut_name(char *name)
{
    for (size_t n = strlen(name); n && !rec_utf8_valid(name, n);)
        name[--n] = '\0';
}

static int told_word(struct scene_cand *c, struct scene_word *w, uint32_t *pos,
                     struct rec_value v, struct err *e)
{
    const struct rec_value list = rec_value_member(v, "positions");
    struct rec_iter it;
    struct rec_value k, x;
    struct rec_str name;
    uint64_t j;
    int read;

    *w = (struct scene_word){.pos = pos};
    if (rec_value_str(&name, rec_value_member(v, "word")) < 0)
        return fault(c, e, "a word without its text");
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &x);) {
        if (rec_value_uint(&j, x) < 0 || j >= c->sample.P)
            return fault(c, e, "a position is not in the prompt");
        pos[w->n++] = (uint32_t)j;
    }
    if (rec_value_uint(&j, rec_value_member(v, "step")) < 0 ||
        rec_value_bool(&read, rec_value_member(v, "read")) < 0)
        return fault(c, e, "a word without 'step' or 'read'");
    w->step = j;
    w->hardly = !read;
    w->weight = number(rec_value_member(v, "weight"));
    w->best = number(rec_value_member(v, "best"));
    snprintf(w->name, sizeof w->name, "%.*s", (int)(name.n < SCENE_WORD ? name.n : 63),
             name.n ? name.s : "");
    cut_name(w->name);
    return 0;
}

static int told_words(struct scene_cand *c, struct rec_value list, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;
    size_t n = 0, used = 0;
    int rc;

    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);)
        n += rec_value_count(rec_value_member(v, "positions"));
    if ((rc = reserve(&c->word, &c->word_cap, rec_value_count(list) + 1,
                      sizeof *c->word, e)) < 0 ||
        (rc = reserve(&c->pos, &c->pos_cap, n + 1, sizeof *c->pos, e)) < 0)
        return rc;
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);) {
        struct scene_word *w = &c->word[c->words];

        if ((rc = told_word(c, w, c->pos + used, v, e)) < 0)
            return rc;
        used += w->n;
        c->words++;
    }
    return 0;
}

static int found_words(struct scene_cand *c, const struct prompt *p,
                       const struct attn_rows *rows, struct err *e)
{
    size_t n = 0, used = 0;
    double *best = malloc((p->G + 1) * sizeof *best);
    size_t *step = malloc((p->G + 1) * sizeof *step);
    int rc = best && step ? 0 : err_set(e, ERR_NOMEM, "no memory for words");

    for (size_t g = 0; g < p->G; g++)
        n += p->group[g].n;
    if (rc >= 0)
        rc = reserve(&c->word, &c->word_cap, p->G + 1, sizeof *c->word, e);
    if (rc >= 0)
        rc = reserve(&c->pos, &c->pos_cap, n + 1, sizeof *c->pos, e);
    if (rc >= 0)
        coverage_best(best, step, rows, p->group, p->G);
    for (size_t g = 0; rc >= 0 && g < p->G; g++) {
        const struct salient_group *x = &p->group[g];
        struct scene_word *w = &c->word[c->words++];

        memcpy(c->pos + used, x->pos, x->n * sizeof *c->pos);
        *w = (struct scene_word){
            .pos = c->pos + used,
            .n = x->n,
            .weight = x->weight,
            .best = best[g],
            .step = step[g],
            .hardly = coverage_hardly(best, p->group, p->G, g),
        };
        prompt_group_name(w->name, sizeof w->name, p, g);
        cut_name(w->name);
        used += x->n;
    }
    free(best);
    free(step);
    return rc;
}

int said_words(struct scene_cand *c, const struct prompt *p,
               const struct attn_rows *rows, struct err *e)
{
    const struct rec_value list = explained(c, "words");

    c->words = 0;
    if (rec_value_type(list) == REC_ARRAY)
        return told_words(c, list, e);
    return rows && p->known ? found_words(c, p, rows, e) : 0;
}

/* ---- spans ----------------------------------------------------------------------------- */
static int told_spans(struct scene_cand *c, struct scene_spans *out,
                      struct rec_value list, struct err *e)
{
    struct rec_iter it, pair;
    struct rec_value k, v, x;
    uint64_t end[2];
    int rc =
        reserve(&out->span, &out->cap, rec_value_count(list) + 1, sizeof *out->span, e);

    if (rc < 0)
        return rc;
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);) {
        size_t n = 0;

        for (rec_iter_start(&pair, v); rec_iter_next(&pair, &k, &x);)
            if (n == 2 || rec_value_uint(&end[n++], x) < 0)
                return fault(c, e, "a span that is not two tokens");
        if (n != 2 || end[0] >= end[1] || end[1] > c->sample.T)
            return fault(c, e, "a span that is not in the answer");
        out->span[out->n++] = (struct scene_span){end[0], end[1]};
    }
    return 0;
}

static int found_spans(struct scene_spans *out, const unsigned char *mark, size_t T,
                       struct err *e)
{
    int rc = 0;

    for (size_t t = 0, from; t < T && rc >= 0; t++) {
        for (from = t; t < T && mark[t];)
            t++;
        if (t == from)
            continue;
        rc = reserve(&out->span, &out->cap, out->n + 1, sizeof *out->span, e);
        if (rc >= 0)
            out->span[out->n++] = (struct scene_span){from, t};
    }
    return rc;
}

int said_spans(struct scene_cand *c, struct scene *s, struct err *e)
{
    const struct sample *x = &c->sample;
    const struct rec_value repeated = explained(c, "repeated"),
                           copied = explained(c, "copied");
    struct ngram_found f;
    int rc;

    c->repeated.n = c->copied.n = 0;
    if (rec_value_type(repeated) == REC_ARRAY) {
        rc = told_spans(c, &c->repeated, repeated, e);
        return rc < 0 ? rc : told_spans(c, &c->copied, copied, e);
    }
    if ((rc = reserve(&s->mark, &s->mark_cap, x->T + 1, 1, e)) < 0)
        return rc;
    memset(s->mark, 0, x->T);
    if ((rc = ngram_mark_repeats(s->mark, &s->table, x->ids, x->T, REPEAT_N, e)) < 0 ||
        (rc = found_spans(&c->repeated, s->mark, x->T, e)) < 0)
        return rc;
    memset(s->mark, 0, x->T);
    if ((rc = ngram_contained(&f, s->mark, &s->table, x->ids, x->T, x->prompt_ids, x->P,
                              COPY_N, e)) < 0)
        return rc;
    return found_spans(&c->copied, s->mark, x->T, e);
}
