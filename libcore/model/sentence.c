#include "model/sentence.h"

#include "io/sbert.h"
#include "model/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1024 }; /* of a pass; a text is shorter, or has one for itself */

struct sentence {
    struct sbert files;
    struct model *m;
    struct pass *pass;
    struct batch batch;
    size_t max;
};

static int open_model(struct sentence *s, const char *dir, struct kern *kern,
                      struct err *e)
{
    int rc;

    if ((rc = sbert_read(&s->files, dir, e)) < 0 ||
        (rc = model_open(&s->m, s->files.model, kern, MODEL_ENCODE, e)) < 0)
        return rc;
    const size_t context = model_context(s->m);
    s->max = s->files.max_tokens < context ? s->files.max_tokens : context;
    return pass_new(&s->pass, s->m, 0, PASS_SCORE, e);
}

int sentence_open(struct sentence **out, const char *dir, struct kern *kern,
                  struct err *e)
{
    struct sentence *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    const int rc = open_model(s, dir, kern, e);
    if (rc < 0)
        sentence_close(s);
    else
        *out = s;
    return rc;
}

void sentence_close(struct sentence *s)
{
    if (!s)
        return;
    pass_free(s->pass);
    batch_release(&s->batch);
    model_close(s->m);
    sbert_release(&s->files);
    free(s);
}

const char *sentence_tokenizer(const struct sentence *s)
{
    return s->files.model;
}

size_t sentence_width(const struct sentence *s)
{
    return s->m->arch.C;
}

uint64_t sentence_hash(const struct sentence *s)
{
    return s->m->hash;
}

size_t sentence_max(const struct sentence *s)
{
    return s->max;
}

/* ---- pooling --------------------------------------------------------------------------- */

/* One column c of rows h (n, C). */
static double pool_column(enum sbert_pool pool, const float *h, size_t n, size_t C,
                          size_t c)
{
    double x = h[c];

    switch (pool) {
    case SBERT_CLS: return x;
    case SBERT_LAST: return h[(n - 1) * C + c];
    case SBERT_MAX:
        for (size_t i = 1; i < n; i++)
            x = fmax(x, h[i * C + c]);
        return x;
    case SBERT_WEIGHTED:
        for (size_t i = 1; i < n; i++)
            x += (double)(i + 1) * h[i * C + c];
        return x;
    case SBERT_MEAN: break;
    }
    for (size_t i = 1; i < n; i++)
        x += h[i * C + c];
    return x;
}

/* Scales v to length 1; one of length 0 stays. */
static void make_unit(float *v, size_t C)
{
    const double length = sqrt(sentence_cosine(v, v, C));

    for (size_t c = 0; c < C && length > 0; c++)
        v[c] = (float)(v[c] / length);
}

struct pooling {
    const struct sentence *s;
    const float *hidden;
    float *vectors; /* of the batch's texts */
};

static void pool_text(void *ctx, size_t i, size_t worker)
{
    const struct pooling *p = ctx;
    const struct batch_seq *seq = &p->s->batch.seqs[i];
    const size_t C = sentence_width(p->s);
    float *v = p->vectors + i * C;

    (void)worker;
    for (size_t c = 0; c < C; c++)
        v[c] = (float)pool_column(p->s->files.pool, p->hidden + seq->row0 * C,
                                  seq->rows, C, c);
    make_unit(v, C);
}

double sentence_cosine(const float *a, const float *b, size_t C)
{
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < C; c++)
        sum += (double)a[c] * b[c];
    return sum;
}

/* ---- batches --------------------------------------------------------------------------- */

static size_t rows_of(const struct sentence *s, const struct sentence_text *t)
{
    return t->n < s->max ? t->n : s->max;
}

static int add_text(struct sentence *s, const struct sentence_text *t, struct err *e)
{
    if (t->n == 0)
        return err_set(e, ERR_RECORD, "a text without tokens has no vector");
    const int rc = batch_add(&s->batch, BATCH_ALONE, t->ids, rows_of(s, t), e);
    if (rc >= 0)
        s->batch.ids[s->batch.B - 1] = t->ids[t->n - 1];
    return rc;
}

/* As many texts as a pass takes, one at least; returns how many. */
static int make_batch(struct sentence *s, const struct sentence_text *texts, size_t n,
                      struct err *e)
{
    batch_clear(&s->batch);
    do {
        const int rc = add_text(s, &texts[s->batch.n], e);

        if (rc < 0)
            return rc;
    } while (s->batch.n < n && s->batch.B + rows_of(s, &texts[s->batch.n]) <= ROWS);
    return (int)s->batch.n;
}

int sentence_embed(struct sentence *s, const struct sentence_text *texts, size_t n,
                   float *vectors, struct err *e)
{
    struct pooling p = {.s = s, .vectors = vectors};
    int rc = 0;

    for (size_t i = 0; i < n && rc >= 0; i += s->batch.n) {
        if ((rc = make_batch(s, texts + i, n - i, e)) < 0 ||
            (rc = pass_forward(s->pass, &s->batch, NULL, &p.hidden, e)) < 0)
            break;
        par_for(kern_par(s->m->kern), s->batch.n, pool_text, &p);
        p.vectors += s->batch.n * sentence_width(s);
    }
    return rc < 0 ? rc : 0;
}
