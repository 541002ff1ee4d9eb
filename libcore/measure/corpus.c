/*
 * A stream as prompts, rows and texts.  Samples are measured group by group while they
 * are read, for what a group says by itself; what needs the other prompts, or a model,
 * comes when all are there.
 */
#include "measure/corpus.h"

#include "base/reserve.h"
#include "measure/group.h"
#include "rec/buf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void corpus_release(struct corpus *c)
{
    strtab_release(&c->ids);
    strtab_release(&c->texts);
    free(c->prompt);
    free(c->row);
    free(c->ref);
    *c = (struct corpus){0};
}

const char *corpus_text(const struct corpus *c, size_t text, size_t *n)
{
    *n = c->texts.entry[text].n;
    return strtab_text(&c->texts, text);
}

void row_set(struct row *row, enum metric m, double value)
{
    row->v[m] = isnan(value) ? (struct ratio){0} : (struct ratio){value, 1};
}

double row_get(const struct row *row, enum metric m)
{
    const struct ratio v = row->v[m];

    if (!(v.den > 0))
        return (double)NAN;
    return metric_table[m].form == BOOT_EXP ? exp(v.num / v.den) : v.num / v.den;
}

int reading_begin(struct reading *r, const char *reference, struct corpus *c,
                  struct err *e)
{
    *r = (struct reading){.reference = reference, .c = c};
    return group_work_new(&r->work, e);
}

void reading_end(struct reading *r)
{
    sample_release(&r->sample);
    group_work_free(r->work);
    rec_buf_release(&r->question);
    *r = (struct reading){0};
}

/* ---- texts ----------------------------------------------------------------------------- */
static int intern(size_t *out, struct strtab *t, const char *s, size_t n, struct err *e)
{
    const long at = strtab_add(t, s ? s : "", n, e);

    if (at < 0)
        return (int)at;
    *out = (size_t)at;
    return 0;
}

/* The user's part of the prompt: the tokens of prompt_mask, or all of it without one. */
static int question_of(struct reading *r, struct rec_str *out, struct err *e)
{
    const struct sample *s = &r->sample;
    const unsigned need = SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK;

    *out = s->prompt;
    if ((s->has & need) != need)
        return 0;
    rec_buf_clear(&r->question);
    for (size_t j = 0; j < s->P; j++) {
        const size_t from = j ? s->prompt_ends[j - 1] : 0;

        if (s->prompt_mask[j])
            rec_buf_add(&r->question, s->prompt.s + from, s->prompt_ends[j] - from);
    }
    if (r->question.oom)
        return err_set(e, ERR_NOMEM, "no memory for a prompt");
    *out = (struct rec_str){(const char *)r->question.p, r->question.n};
    return 0;
}

static int add_ref(struct reading *r, struct row *row, struct rec_value v,
                   struct err *e)
{
    struct corpus *c = r->c;
    struct rec_str text;
    char number[32];
    double x;
    int rc;

    if (rec_value_str(&text, v) < 0) {
        if (rec_value_f64(&x, v) < 0 || !isfinite(x))
            return rec_fault(r->sample.rec, ERR_RECORD, e, r->reference,
                             "not a text, a number, or an array of these");
        snprintf(number, sizeof number, "%.15g", x);
        text = (struct rec_str){number, strlen(number)};
    }
    if ((rc = reserve(&c->ref, &c->ref_cap, c->refs + 1, sizeof *c->ref, e)) < 0 ||
        (rc = intern(&c->ref[c->refs], &c->texts, text.s, text.n, e)) < 0)
        return rc;
    c->refs++;
    row->refs++;
    return 0;
}

static int read_refs(struct reading *r, struct row *row, struct err *e)
{
    const struct rec_value v = rec_find(r->sample.rec, r->reference);
    struct rec_iter it;
    struct rec_value k, x;
    int rc = 0;

    row->ref = r->c->refs;
    if (rec_value_type(v) <= REC_NIL)
        return 0;
    if (rec_value_type(v) != REC_ARRAY)
        return add_ref(r, row, v, e);
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x) && rc >= 0;)
        rc = add_ref(r, row, x, e);
    return rc;
}

static int read_texts(struct reading *r, struct row *row, struct err *e)
{
    const struct sample *s = &r->sample;
    struct rec_str question;
    int rc = question_of(r, &question, e);

    row->text = row->question = NO_TEXT;
    if (rc < 0)
        return rc;
    /* Without a tokenizer a sampler leaves both empty. */
    if (s->has & SAMPLE_PROMPT && question.n)
        rc = intern(&row->question, &r->c->texts, question.s, question.n, e);
    if (rc >= 0 && s->has & SAMPLE_TEXT && (s->text.n || row->question != NO_TEXT))
        rc = intern(&row->text, &r->c->texts, s->text.s, s->text.n, e);
    return rc < 0 ? rc : read_refs(r, row, e);
}

/* ---- numbers of one sample ------------------------------------------------------------- */
static void read_finish(struct row *row, const struct sample *s)
{
    if (!(s->has & SAMPLE_FINISH))
        return;
    row_set(row, M_EOS, s->finish == FINISH_EOS);
    row_set(row, M_STOP, s->finish == FINISH_STOP);
    row_set(row, M_CUT, s->finish == FINISH_LENGTH);
}

static double sum(const float *x, size_t n)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += (double)x[i];
    return s;
}

/* Against the model of `ref`, summed over the answer: log p - log q, and Schulman's k3,
 * q/p - 1 - log(q/p), never negative and of less variance. */
static void read_kl(struct row *row, const struct sample *s)
{
    double kl = 0, k3 = 0;

    for (size_t t = 0; t < s->T; t++) {
        const double d = (double)s->logp[t] - (double)s->ref[t];

        kl += d;
        k3 += expm1(-d) + d;
    }
    row_set(row, M_KL, kl);
    row_set(row, M_KL3, k3);
}

/* Log-probabilities are at the record's temperature, at 1 where that is 0; then they do
 * not tell the entropy of what drew the tokens. */
static void read_policy(struct row *row, const struct sample *s)
{
    const double T = (double)s->T;
    const int heated = s->has & SAMPLE_TEMPERATURE && s->temperature > 0;
    const int at_1 =
        s->has & SAMPLE_TEMPERATURE && (s->temperature == 0 || s->temperature == 1);

    if (s->T == 0)
        return;
    if (s->has & SAMPLE_LOGP) {
        row_set(row, M_LOGP, sum(s->logp, s->T) / T);
        if (heated)
            row->v[M_ENTROPY] = (struct ratio){-sum(s->logp, s->T), T};
    }
    if (s->has & SAMPLE_REF) {
        row_set(row, M_REF, sum(s->ref, s->T) / T);
        if (at_1)
            row->v[M_PPL_RESPONSE] = (struct ratio){-sum(s->ref, s->T), T};
    }
    if (s->has & SAMPLE_LOGP && s->has & SAMPLE_REF)
        read_kl(row, s);
}

static void read_numbers(struct row *row, const struct sample *s)
{
    if (s->has & SAMPLE_IDS) {
        row_set(row, M_LENGTH, (double)s->T);
        read_policy(row, s);
    }
    if (s->has & SAMPLE_REWARD)
        row_set(row, M_REWARD, s->reward);
    read_finish(row, s);
}

/* ---- rows ------------------------------------------------------------------------------ */
static int find_prompt(struct reading *r, struct row *row, struct err *e)
{
    struct corpus *c = r->c;
    int rc = intern(&row->prompt, &c->ids, r->sample.id.s, r->sample.id.n, e);

    if (rc < 0 || row->prompt < c->prompts)
        return rc;
    if ((rc = reserve(&c->prompt, &c->prompt_cap, c->prompts + 1, sizeof *c->prompt,
                      e)) < 0)
        return rc;
    c->prompt[c->prompts++] = (struct corpus_prompt){NO_TEXT, {0}, row->prompt};
    return 0;
}

static int read_row(struct reading *r, struct row *row, const struct rec *rec,
                    struct err *e)
{
    const unsigned want = SAMPLE_PROMPT | SAMPLE_TEXT | SAMPLE_PROMPT_IDS | SAMPLE_IDS |
                          SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK | SAMPLE_LOGP |
                          SAMPLE_REF | SAMPLE_TEMPERATURE | SAMPLE_FINISH |
                          SAMPLE_REWARD;
    int rc = sample_read(&r->sample, rec, SAMPLE_ID, want, e);

    *row = (struct row){.side = r->side,
                        .apart = rec_value_type(rec_find(rec, "corrupt")) > REC_NIL};
    if (rc < 0 || (rc = find_prompt(r, row, e)) < 0 || (rc = read_texts(r, row, e)) < 0)
        return rc;
    struct corpus_prompt *p = &r->c->prompt[row->prompt];
    if (p->question == NO_TEXT)
        p->question = row->question;
    read_numbers(row, &r->sample);
    return 0;
}

int corpus_add(struct reading *r, const struct rec_group *g, struct err *e)
{
    struct corpus *c = r->c;
    const size_t from = c->rows;
    int rc = 0;

    if (g->other)
        return 0;
    if ((rc = reserve(&c->row, &c->row_cap, from + g->n, sizeof *c->row, e)) < 0)
        return rc;
    for (size_t i = 0; i < g->n; i++) {
        struct row *row = &c->row[from + i];

        if ((rc = read_row(r, row, &g->rec[i], e)) < 0 ||
            (rc = group_take(r->work, c, row, &r->sample, i, e)) < 0)
            return rc;
        c->came_again |= i == 0 && c->prompt[row->prompt].rows[r->side] > 0;
        c->rows++;
    }
    for (size_t i = from; i < c->rows; i++) {
        c->row[i].from = from;
        c->row[i].to = c->rows;
        c->prompt[c->row[i].prompt].rows[r->side]++;
    }
    return group_measure(r->work, c, from, c->rows, e);
}

/* ---- means ------------------------------------------------------------------------------ */
int row_counts(const struct row *row, unsigned char side, enum metric m)
{
    return row->side == side && !row->apart && row->v[m].den > 0;
}

int corpus_has(const struct corpus *c, unsigned char side, enum metric m)
{
    for (size_t i = 0; i < c->rows; i++)
        if (row_counts(&c->row[i], side, m))
            return 1;
    return 0;
}

void corpus_sums(struct ratio *out, const struct corpus *c, unsigned char side,
                 enum metric m)
{
    memset(out, 0, c->prompts * sizeof *out);
    for (size_t i = 0; i < c->rows; i++) {
        struct ratio *p = &out[c->row[i].prompt];

        if (!row_counts(&c->row[i], side, m))
            continue;
        p->num += c->row[i].v[m].num;
        p->den += c->row[i].v[m].den;
    }
    for (size_t i = 0; i < c->prompts && !metric_table[m].per_token; i++)
        if (out[i].den > 0)
            out[i] = (struct ratio){out[i].num / out[i].den, 1};
}
