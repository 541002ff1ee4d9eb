#include "model/reward_model.h"

#include "base/file.h"
#include "io/safetensors.h"
#include "model/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_DEFAULT = 4096 };

struct reward_model {
    struct model *m;
    size_t max_rows;
    struct pass *pass;
    struct batch batch;
    float *w; /* (C + 1) */
};

/* ---- the score's weights ------------------------------------------------------------- */
static int read_part(float *out, const struct safetensors *st, const char *name,
                     size_t n, struct err *e)
{
    const struct st_entry *x = safetensors_find(st, name);

    if (!x || x->dtype != DTYPE_F32 || x->count != n)
        return err_set(e, ERR_SHAPE, "%s: '%s' is not F32 of %zu", st->path, name, n);
    memcpy(out, x->data, n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(out[i]))
            return err_set(e, ERR_NUMERIC, "%s: '%s' is not finite", st->path, name);
    return 0;
}

static int read_score(struct reward_model *r, const char *dir, struct err *e)
{
    const size_t C = r->m->arch.C;
    struct safetensors st = {0};
    char *path = file_join(dir, "score.safetensors");
    int rc;

    if (!path || !(r->w = malloc((C + 1) * sizeof *r->w)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    else if (!file_exists(path))
        rc =
            err_set(e, ERR_FILE,
                    "%s: no score.safetensors: not a reward model (cagsr-update --algo "
                    "rm makes one)",
                    dir);
    else
        rc = safetensors_open(&st, path, e);
    free(path);
    if (rc >= 0)
        rc = read_part(r->w, &st, "score.weight", C, e);
    if (rc >= 0)
        rc = read_part(r->w + C, &st, "score.bias", 1, e);
    safetensors_close(&st);
    return rc;
}

int reward_model_new(struct reward_model **out, struct model *m, const char *dir,
                     size_t max_rows, struct err *e)
{
    struct reward_model *r = calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (!r)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    r->m = m;
    r->max_rows = max_rows ? max_rows : ROWS_DEFAULT;
    if ((rc = read_score(r, dir, e)) < 0 ||
        (rc = pass_new(&r->pass, m, 0, PASS_SCORE, e)) < 0)
        reward_model_free(r);
    else
        *out = r;
    return rc;
}

void reward_model_free(struct reward_model *r)
{
    if (!r)
        return;
    pass_free(r->pass);
    batch_release(&r->batch);
    free(r->w);
    free(r);
}

double reward_model_value(const float *w, const float *row, size_t C)
{
    double sum = (double)w[C];

    for (size_t c = 0; c < C; c++)
        sum += (double)w[c] * (double)row[c];
    return sum;
}

/* ---- scoring ------------------------------------------------------------------------- */
static int check(const struct model *m, const struct reward_answer *a, size_t P,
                 struct err *e)
{
    if (a->T > model_room(m, P))
        return err_set(e, ERR_RECORD,
                       "%zu tokens of prompt and %zu of response are more than the "
                       "model's context of %zu",
                       P, a->T, model_context(m));
    return 0;
}

/* Answer i is the batch's sequence seq0 + 1 + i; all its tokens have rows. */
static int score_some(struct reward_model *r, const int32_t *prompt, size_t P,
                      struct reward_answer *answer, size_t n, struct err *e)
{
    const size_t C = r->m->arch.C;
    const float *hidden;
    int rc, seq;

    batch_clear(&r->batch);
    if ((rc = seq = batch_prompt(&r->batch, &r->m->arch, prompt, P, e)) < 0)
        return rc;
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = batch_add(&r->batch, seq, answer[i].ids, answer[i].T, e);
    if (rc < 0 || (rc = pass_forward(r->pass, &r->batch, NULL, &hidden, e)) < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        const size_t row = batch_row(&r->batch, seq, seq + 1 + (int)i, answer[i].T);

        answer[i].score =
            answer[i].T ? reward_model_value(r->w, hidden + row * C, C) : (double)NAN;
    }
    return 0;
}

int reward_model_score(struct reward_model *r, const int32_t *prompt, size_t P,
                       struct reward_answer *answer, size_t n, struct err *e)
{
    int rc = P ? 0 : err_set(e, ERR_RECORD, "prompt_ids: no tokens");

    for (size_t i = 0; rc >= 0 && i < n; i++)
        rc = check(r->m, &answer[i], P, e);
    for (size_t i = 0, k; rc >= 0 && i < n; i = k) {
        size_t rows = batch_prompt_rows(&r->m->arch, P) + answer[i].T;

        for (k = i + 1; k < n && rows + answer[k].T <= r->max_rows; k++)
            rows += answer[k].T;
        rc = score_some(r, prompt, P, answer + i, k - i, e);
    }
    return rc;
}
