/*
 * Candidates: read, checked, scored in portions, and their results set.
 */
#include "run.h"

#include "base/reserve.h"

#include <stdlib.h>
#include <string.h>

/* ---- candidates ------------------------------------------------------------------------ */
static size_t blocks(const struct run *x)
{
    return x->o->no_attn || x->judge ? 0 : capture_blocks(&x->spec, x->model);
}

/* Floats a candidate's results take; what does not fit a record is refused before it is
 * computed. */
static int results(const struct run *x, const struct sample *s, size_t *n,
                   struct err *e)
{
    const size_t limit =
        x->o->limits.max_record ? x->o->limits.max_record : REC_MAX_DEFAULT;
    size_t rows;

    if (__builtin_mul_overflow(s->T * (s->P + 1), blocks(x), &rows) ||
        rows > limit / sizeof(float))
        return rec_fault(s->rec, ERR_RECORD, e, "attn",
                         "%zu x %zu tokens in %zu blocks make more than --max-record "
                         "%zu bytes",
                         s->T, s->P, blocks(x), limit);
    *n = rows + s->T;
    return 0;
}

static int check_ids(const struct run *x, const struct sample *s, const char *field,
                     const int32_t *ids, size_t n, struct err *e)
{
    const size_t V = x->model->arch.V;

    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= V)
            return rec_fault(s->rec, ERR_RECORD, e, field,
                             "element %zu is %d, outside the model's vocabulary of %zu",
                             i, (int)ids[i], V);
    return 0;
}

static int read_candidate(const struct run *x, struct candidate *c, struct err *e)
{
    const int logp = !x->o->no_logp && !x->judge;
    const unsigned need =
        SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS | (logp ? SAMPLE_TEMPERATURE : 0);
    struct sample *s = &c->sample;
    int rc;

    if ((rc = sample_read(s, c->rec, need, 0, e)) < 0 ||
        (rc = check_ids(x, s, "prompt_ids", s->prompt_ids, s->P, e)) < 0 ||
        (rc = check_ids(x, s, "ids", s->ids, s->T, e)) < 0)
        return rc;
    if (model_room(x->model, s->P) == 0 || s->T > model_room(x->model, s->P))
        return rec_fault(
            c->rec, ERR_RECORD, e, "ids",
            "%zu tokens behind a prompt of %zu, the model's context is %zu", s->T, s->P,
            model_context(x->model));
    return results(x, s, &c->floats, e);
}

/* 1 if they are of one group and behind one prompt. */
static int same_prompt(const struct candidate *x, const struct candidate *y)
{
    const struct sample *a = &x->sample, *b = &y->sample;

    return x->group == y->group && a->P == b->P &&
           memcmp(a->prompt_ids, b->prompt_ids, a->P * sizeof *a->prompt_ids) == 0;
}

static int reserve_candidates(struct run *x, size_t n, struct err *e)
{
    struct {
        void *array;
        size_t size;
    } part[] = {{&x->cand, sizeof *x->cand},
                {&x->resp, sizeof *x->resp},
                {&x->answer, sizeof *x->answer},
                {&x->part, sizeof *x->part}};
    size_t cap = x->cap;
    int rc = 0;

    for (size_t i = 0; i < sizeof part / sizeof *part && rc >= 0; i++) {
        cap = x->cap;
        rc = reserve(part[i].array, &cap, n, part[i].size, e);
    }
    if (rc < 0)
        return rc;
    memset(x->cand + x->cap, 0, (cap - x->cap) * sizeof *x->cand);
    x->cap = cap;
    return 0;
}

int candidates_read(struct run *x, size_t *rows, size_t *floats, struct err *e)
{
    struct rec_group *g = &x->group[x->n];
    int rc = g->other ? 0 : reserve_candidates(x, x->cands + g->n, e);

    *rows = g->other;
    *floats = 0;
    for (size_t i = 0; i < g->n && rc >= 0; i++) {
        *floats += g->rec[i].size / sizeof(float);
        if (g->other)
            continue; /* there may be no room for candidates */
        struct candidate *c = &x->cand[x->cands + i];

        c->rec = &g->rec[i];
        c->group = x->n;
        if ((rc = read_candidate(x, c, e)) < 0)
            return rc;
        *rows += c->sample.T + (i == 0 || !same_prompt(c - 1, c) ? c->sample.P : 0);
        *floats += c->floats;
    }
    return rc;
}

void candidates_release(struct run *x)
{
    for (size_t i = 0; i < x->cap; i++)
        sample_release(&x->cand[i].sample);
    free(x->cand);
    free(x->resp);
    free(x->answer);
    free(x->part);
    free(x->numbers);
}

/* ---- one portion ------------------------------------------------------------------------ */
static int room_for(struct run *x, size_t n, struct err *e)
{
    if (n <= x->room)
        return 0;
    float *p = realloc(x->numbers, n * sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for %zu MiB of results",
                       n * sizeof *p >> 20);
    x->numbers = p;
    x->room = n;
    return 0;
}

static struct score_response response(const struct run *x, const struct sample *s,
                                      float *at)
{
    return (struct score_response){
        .ids = s->ids,
        .T = s->T,
        .temperature = x->o->no_logp ? 1.0f : (float)s->temperature,
        .logp = x->o->no_logp ? NULL : at,
        .rows = x->o->no_attn ? NULL : at + s->T,
        .outside = x->o->no_attn ? NULL : at + s->T + s->T * s->P * blocks(x)};
}

static void set_attn(const struct run *x, struct rec *r, const struct sample *s,
                     const struct score_response *q)
{
    const int each = x->spec.heads == CAPTURE_EACH;
    const char *reduce = capture_reduce_text(&x->spec);
    const char *kind = capture_kind_text(&x->spec);
    const struct sample_attn a = {.kind = {kind, strlen(kind)},
                                  .layers = {x->layers, strlen(x->layers)},
                                  .heads = {x->heads, strlen(x->heads)},
                                  .reduce = {reduce, strlen(reduce)},
                                  .model = {x->hash, strlen(x->hash)},
                                  .L = each ? x->spec.to - x->spec.from : 0,
                                  .H = each ? x->model->arch.H : 0,
                                  .T = s->T,
                                  .P = s->P,
                                  .rows = q->rows,
                                  .outside = q->outside};

    sample_set_attn(r, &a);
}

/* Cuts candidates from..to-1 where group or prompt changes; returns how many parts. */
static size_t make_parts(struct run *x, size_t from, size_t to)
{
    float *at = x->numbers;
    size_t n = 0;

    for (size_t i = from; i < to; i++) {
        const struct candidate *c = &x->cand[i];
        const struct sample *s = &c->sample;

        if (i == from || !same_prompt(c - 1, c))
            x->part[n++] = (struct score_group){s->prompt_ids, s->P, &x->resp[i], 0};
        x->part[n - 1].n++;
        x->resp[i] = response(x, s, at);
        x->answer[i] = (struct reward_answer){.ids = s->ids, .T = s->T};
        at += c->floats;
        x->tokens += s->T;
    }
    return n;
}

/* --score; as score_groups. */
static int judge_parts(struct run *x, size_t n, size_t *done, struct err *e)
{
    int rc;

    for (*done = 0; *done < n; ++*done) {
        const struct score_group *g = &x->part[*done];

        rc = reward_model_score(x->judge, g->prompt, g->P,
                                x->answer + (g->resp - x->resp), g->n, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void set_results(struct run *x, size_t i)
{
    struct candidate *c = &x->cand[i];
    const struct score_response *q = &x->resp[i];

    if (x->judge) {
        sample_set_rewards(c->rec, 1, &x->o->score, &x->answer[i].score);
        return;
    }
    if (q->rows)
        set_attn(x, c->rec, &c->sample, q);
    if (q->logp)
        rec_set_f32s(c->rec, x->o->logp, q->logp, q->T);
}

/* Candidates from..to-1; on an error *good is the group at fault. */
static int score_portion(struct run *x, size_t from, size_t to, size_t floats,
                         size_t *good, struct err *e)
{
    int rc = room_for(x, floats + 1, e);

    if (rc < 0) {
        *good = x->cand[from].group;
        return rc;
    }
    size_t done;
    const size_t n = make_parts(x, from, to);
    rc = x->judge ? judge_parts(x, n, &done, e)
                  : score_groups(x->scorer, x->part, n, &done, e);
    const size_t first = done < n ? (size_t)(x->part[done].resp - x->resp) : to;
    for (size_t i = from; i < first; i++)
        set_results(x, i);
    if (rc >= 0)
        return 0;
    *good = x->cand[first].group;
    return err_prefix(e, "records %zu to %zu", x->cand[first].rec->number,
                      x->cand[first + x->part[done].n - 1].rec->number);
}

/* In portions where results would take too much, which only a single group's do. */
int candidates_score(struct run *x, size_t *good, struct err *e)
{
    size_t from = 0, floats = 0;
    int rc = 0;

    for (size_t i = 0; i < x->cands && rc >= 0; i++) {
        if (i > from && floats + x->cand[i].floats > PORTION) {
            rc = score_portion(x, from, i, floats, good, e);
            from = i;
            floats = 0;
        }
        floats += x->cand[i].floats;
    }
    return rc < 0 || from == x->cands
               ? rc
               : score_portion(x, from, x->cands, floats, good, e);
}
