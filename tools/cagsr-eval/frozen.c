/*
 * Perplexities under a frozen model, at temperature 1, of what stands behind the prompt:
 * the answer; the reference in its place; and a follow-up behind the answer, which a good
 * answer makes likely.  The answer's tokens are the record's, so the model must have the
 * policy's tokenizer.
 */
#include "eval.h"

#include "base/hash.h"
#include "base/reserve.h"
#include "model/model.h"
#include "model/perplexity.h"
#include "model/score.h"
#include "tok/tok.h"

#include <stdlib.h>
#include <string.h>

struct frozen {
    const struct opts *o;
    struct model *model;
    struct scorer *scorer;
    struct tok *tok;
    char hash[HASH_HEX];
    size_t strange;
    struct sample sample;
    struct tok_ids ids;
    /* of one group: prompt of its first sample, and what is scored behind it */
    int32_t *prompt, *pool;
    float *logp;
    size_t P, prompt_cap, pool_n, pool_cap, logp_cap;
    struct piece {
        size_t from, T;             /* tokens pool[from..from+T) */
        size_t first;               /* of them, those from `first` on are `metric` */
        enum metric metric, before; /* and those before it: METRICS is nothing */
        size_t row;
    } * piece;
    size_t pieces, piece_cap;
    struct score_response *resp;
    size_t resp_cap;
};

int frozen_open(struct frozen **out, const struct opts *o, struct kern *kern,
                struct err *e)
{
    struct frozen *f = calloc(1, sizeof *f);
    int rc;

    *out = f;
    if (!f)
        return err_set(e, ERR_NOMEM, "no memory for a model");
    f->o = o;
    if ((rc = model_open_with(&f->model, o->common.model, o->common.adapter, kern,
                              MODEL_COMPUTE, e)) < 0 ||
        (rc = scorer_new(&f->scorer, f->model, NULL, 0, e)) < 0 ||
        (rc = tok_open(&f->tok, o->common.model, e)) < 0)
        return rc;
    hash_hex(f->hash, f->model->hash);
    return 0;
}

void frozen_close(struct frozen *f)
{
    if (!f)
        return;
    sample_release(&f->sample);
    tok_ids_release(&f->ids);
    free(f->prompt);
    free(f->pool);
    free(f->logp);
    free(f->piece);
    free(f->resp);
    tok_close(f->tok);
    scorer_free(f->scorer);
    model_close(f->model);
    free(f);
}

const char *frozen_hash(const struct frozen *f)
{
    return f->hash;
}

size_t frozen_strange(const struct frozen *f)
{
    return f->strange;
}

/* ---- what is scored -------------------------------------------------------------------- */
static int push_ids(struct frozen *f, const int32_t *ids, size_t n, struct err *e)
{
    const int rc =
        reserve(&f->pool, &f->pool_cap, f->pool_n + n + 1, sizeof *f->pool, e);

    if (rc < 0)
        return rc;
    if (n)
        memcpy(f->pool + f->pool_n, ids, n * sizeof *ids);
    f->pool_n += n;
    return 0;
}

static int push_text(struct frozen *f, const char *text, size_t n, struct err *e)
{
    const int rc = tok_encode(f->tok, text, n, TOK_ADD_NONE, &f->ids, e);

    return rc < 0 ? rc : push_ids(f, f->ids.id, f->ids.n, e);
}

static int add_piece(struct frozen *f, struct piece p, struct err *e)
{
    const int rc =
        reserve(&f->piece, &f->piece_cap, f->pieces + 1, sizeof *f->piece, e);

    if (rc < 0)
        return rc;
    p.T = f->pool_n - p.from;
    if (p.T && f->P + p.T <= model_context(f->model))
        f->piece[f->pieces++] = p;
    return 0;
}

/* What comes next in the conversation: the record's own follow-up, else the reference; on
 * a line of its own. */
static int push_followup(struct frozen *f, const struct corpus *c,
                         const struct row *row, const struct rec *rec, struct err *e)
{
    struct rec_str text = {0};
    size_t n;
    int rc = rec_opt_str(rec, f->o->followup, &text, e);

    if (rc < 0 || f->model->encoder || !tok_has_text(f->tok))
        return rc < 0 ? rc : 0;
    if (rc == 0 && row->refs) {
        text.s = corpus_text(c, c->ref[row->ref], &n);
        text.n = n;
    }
    if (text.n == 0 || (rc = push_text(f, "\n", 1, e)) < 0)
        return text.n ? rc : 0;
    return push_text(f, text.s, text.n, e);
}

static int add_answer(struct frozen *f, const struct corpus *c, const struct row *row,
                      const struct rec *rec, size_t i, struct err *e)
{
    struct piece p = {.from = f->pool_n,
                      .first = f->sample.T,
                      .metric = M_PPL_FOLLOWUP,
                      .before = M_PPL_RESPONSE,
                      .row = i};
    int rc = push_ids(f, f->sample.ids, f->sample.T, e);

    if (rc < 0 || (rc = push_followup(f, c, row, rec, e)) < 0)
        return rc;
    return add_piece(f, p, e);
}

/* A prompt's reference is scored once, not behind each of its samples. */
static int same_references(const struct corpus *c, const struct row *a,
                           const struct row *b)
{
    return a->refs == b->refs &&
           (a->refs == 0 ||
            memcmp(c->ref + a->ref, c->ref + b->ref, a->refs * sizeof *c->ref) == 0);
}

static int add_references(struct frozen *f, const struct corpus *c,
                          const struct row *row, size_t i, struct err *e)
{
    int rc = 0;

    for (size_t k = 0; k < row->refs && tok_has_text(f->tok) && rc >= 0; k++) {
        struct piece p = {
            .from = f->pool_n, .metric = M_PPL_REFERENCE, .before = METRICS, .row = i};
        size_t n;
        const char *text = corpus_text(c, c->ref[row->ref + k], &n);

        if ((rc = push_text(f, text, n, e)) >= 0)
            rc = add_piece(f, p, e);
    }
    return rc;
}

/* ---- scoring --------------------------------------------------------------------------- */
static void add_to(struct row *row, enum metric m, const float *logp, size_t n)
{
    struct perplexity p = {0};

    if (m == METRICS || n == 0)
        return;
    perplexity_add(&p, logp, NULL, n);
    row->v[m].num -= p.logp;
    row->v[m].den += (double)p.tokens;
}

static int score(struct frozen *f, struct row *row, struct err *e)
{
    int rc = reserve(&f->logp, &f->logp_cap, f->pool_n + 1, sizeof *f->logp, e);

    if (rc < 0 || f->pieces == 0 ||
        (rc = reserve(&f->resp, &f->resp_cap, f->pieces, sizeof *f->resp, e)) < 0)
        return rc;
    for (size_t i = 0; i < f->pieces; i++) {
        const struct piece *p = &f->piece[i];

        f->resp[i] = (struct score_response){.ids = f->pool + p->from,
                                             .T = p->T,
                                             .temperature = 1,
                                             .logp = f->logp + p->from};
    }
    if ((rc = score_group(f->scorer, f->prompt, f->P, f->resp, f->pieces, e)) < 0)
        return rc;
    for (size_t i = 0; i < f->pieces; i++) {
        const struct piece *p = &f->piece[i];
        const float *logp = f->logp + p->from;

        add_to(&row[p->row], p->before, logp, p->first);
        add_to(&row[p->row], p->metric, logp + p->first, p->T - p->first);
    }
    f->pieces = f->pool_n = 0;
    return 0;
}

/* ---- one group ------------------------------------------------------------------------- */
static int check_ids(const struct frozen *f, const char *field, const int32_t *ids,
                     size_t n, struct err *e)
{
    const size_t V = f->model->arch.V;

    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= V)
            return rec_fault(
                f->sample.rec, ERR_RECORD, e, field,
                "element %zu is %d, outside the vocabulary of --model, %zu", i,
                (int)ids[i], V);
    return 0;
}

/* Do the prompt's tokens spell its text?  With another tokenizer than the policy's they
 * do not. */
static int check_spelling(struct frozen *f, struct err *e)
{
    const struct sample *s = &f->sample;
    char *text = NULL;
    size_t n = 0;

    if (!(s->has & SAMPLE_PROMPT) || s->prompt.n == 0 || !tok_has_text(f->tok))
        return 0;
    const int rc = tok_decode(f->tok, s->prompt_ids, s->P, TOK_SHOW_ALL, &text, &n, e);
    if (rc < 0)
        return rc;
    f->strange += !memmem(text, n, s->prompt.s, s->prompt.n) &&
                  !memmem(s->prompt.s, s->prompt.n, text, n);
    free(text);
    return 0;
}

static int take_prompt(struct frozen *f, struct err *e)
{
    const struct sample *s = &f->sample;
    int rc = check_spelling(f, e);

    if (rc < 0 || (rc = check_ids(f, "prompt_ids", s->prompt_ids, s->P, e)) < 0 ||
        (rc = reserve(&f->prompt, &f->prompt_cap, s->P, sizeof *f->prompt, e)) < 0)
        return rc;
    memcpy(f->prompt, s->prompt_ids, s->P * sizeof *f->prompt);
    f->P = s->P;
    return 0;
}

static int same_prompt(const struct frozen *f)
{
    const struct sample *s = &f->sample;

    return s->P == f->P &&
           memcmp(s->prompt_ids, f->prompt, f->P * sizeof *f->prompt) == 0;
}

int frozen_measure(struct frozen *f, const struct corpus *c, struct row *row,
                   const struct rec *rec, size_t n, struct err *e)
{
    int rc = 0;

    f->P = f->pieces = f->pool_n = 0;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        if ((rc = sample_read(&f->sample, &rec[i], SAMPLE_PROMPT_IDS | SAMPLE_IDS,
                              SAMPLE_PROMPT, e)) < 0 ||
            (rc = check_ids(f, "ids", f->sample.ids, f->sample.T, e)) < 0)
            return rc;
        const int same = same_prompt(f);

        if (!same && ((rc = score(f, row, e)) < 0 || (rc = take_prompt(f, e)) < 0))
            return rc;
        row[i].v[M_PPL_RESPONSE] = (struct ratio){0}; /* not what `ref` said */
        row[i].lead = i;
        if (same && same_references(c, &row[i], &row[i - 1]))
            row[i].lead = row[i - 1].lead;
        else
            rc = add_references(f, c, &row[i], i, e);
        if (rc >= 0)
            rc = add_answer(f, c, &row[i], &rec[i], i, e);
    }
    if (rc >= 0)
        rc = score(f, row, e);
    for (size_t i = 0; i < n && rc >= 0; i++)
        row[i].v[M_PPL_REFERENCE] = row[row[i].lead].v[M_PPL_REFERENCE];
    return rc;
}
