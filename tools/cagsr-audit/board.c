#include "audit.h"

#include "base/reserve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void board_release(struct board *b)
{
    for (size_t i = 0; i < b->rows; i++)
        free(b->row[i].feature);
    free(b->row);
    free(b->entry);
    free(b->is_reward);
    strtab_release(&b->columns);
    strtab_release(&b->ids);
    strtab_release(&b->kinds);
    *b = (struct board){0};
}

/* ---- numbers --------------------------------------------------------------------------- */

/* Components and measures are different columns, though they may have the same name: the
 * key is "+name" for the one and "name" for the other. */
static int put(struct board *b, int is_reward, const char *name, size_t n, double x,
               struct err *e)
{
    char key[256];
    int rc;

    if (n + 2 > sizeof key || !isfinite(x))
        return 0;
    key[0] = '+';
    memcpy(key + 1, name, n);
    const long at = strtab_add(&b->columns, key + !is_reward, n + (is_reward != 0), e);
    if (at < 0)
        return (int)at;
    if ((rc = reserve(&b->is_reward, &b->is_reward_cap, b->columns.n, 1, e)) < 0 ||
        (rc = reserve(&b->entry, &b->entry_cap, b->entries + 1, sizeof *b->entry, e)) <
            0)
        return rc;
    b->is_reward[at] = is_reward != 0;
    b->entry[b->entries++] = (struct board_entry){(size_t)at, x};
    return 0;
}

static int put_map(struct board *b, const struct rec *r, const char *field,
                   int is_reward, struct err *e)
{
    const struct rec_value map = rec_find(r, field);
    struct rec_iter it;
    struct rec_value k, v;
    struct rec_str name;
    double x;
    int rc = 0;

    if (rec_value_type(map) <= REC_NIL)
        return 0;
    if (rec_value_type(map) != REC_MAP)
        return rec_fault(r, ERR_RECORD, e, field, "not a map of numbers");
    for (rec_iter_start(&it, map); rec_iter_next(&it, &k, &v) && rc >= 0;) {
        if (rec_value_str(&name, k) < 0 || rec_value_type(v) <= REC_NIL)
            continue;
        if (rec_value_f64(&x, v) < 0)
            return rec_fault(r, ERR_RECORD, e, field, "'%.*s' is not a number",
                             (int)name.n, name.s);
        rc = put(b, is_reward, name.s, name.n, x, e);
    }
    return rc;
}

/* What a record says without cagsr-eval; its own numbers come later and win. */
static int put_own(struct board *b, const struct sample *s, struct err *e)
{
    double logp = 0;
    int rc = 0;

    if (!(s->has & SAMPLE_IDS))
        return 0;
    rc = put(b, 0, "length", 6, (double)s->T, e);
    for (size_t t = 0; s->has & SAMPLE_REF && t < s->T; t++)
        logp += (double)s->ref[t] / (double)s->T;
    if (rc >= 0 && s->has & SAMPLE_REF && s->T)
        rc = put(b, 0, "ref", 3, logp, e);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------ */
static int add_name(size_t *out, struct strtab *t, const char *s, size_t n,
                    struct err *e)
{
    const long at = strtab_add(t, s, n, e);

    if (at < 0)
        return (int)at;
    *out = (size_t)at;
    return 0;
}

static int put_features(struct board *b, struct board_row *row, const struct sample *s,
                        struct feature_work *work, struct err *e)
{
    const size_t n = s->attn.L * s->attn.H + s->attn.L;
    char layers[32];

    if (!(s->has & SAMPLE_ATTN) || n == 0 || s->T == 0)
        return 0;
    if (b->features && (b->layers != s->attn.L || b->heads != s->attn.H))
        return rec_fault(s->rec, ERR_RECORD, e, "attn",
                         "%zu layers of %zu heads; the records before have %zu of %zu",
                         s->attn.L, s->attn.H, b->layers, b->heads);
    snprintf(layers, sizeof layers, "%.*s", (int)s->attn.layers.n, s->attn.layers.s);
    b->features = n;
    b->layers = s->attn.L;
    b->heads = s->attn.H;
    b->first_layer = strtoul(layers, NULL, 10);
    row->feature = calloc(n, sizeof *row->feature);
    if (!row->feature)
        return err_set(e, ERR_NOMEM, "no memory for %zu heads", n);
    return features_of(row->feature, work, s, e);
}

static int add_row(struct board *b, const struct sample *s, struct err *e)
{
    const struct rec_value v = rec_find(s->rec, "corrupt");
    struct rec_str kind = {"", 0};
    struct board_row row = {.from = b->entries};
    int rc;

    if (rec_value_type(v) > REC_NIL && rec_value_str(&kind, v) < 0)
        return rec_fault(s->rec, ERR_RECORD, e, "corrupt", "not a text");
    if ((rc = add_name(&row.kind, &b->kinds, "", 0, e)) < 0 ||
        (rc = add_name(&row.kind, &b->kinds, kind.s, kind.n, e)) < 0 ||
        (rc = add_name(&row.prompt, &b->ids, s->id.s, s->id.n, e)) < 0 ||
        (rc = reserve(&b->row, &b->row_cap, b->rows + 1, sizeof *b->row, e)) < 0)
        return rc;
    b->row[b->rows++] = row;
    return 0;
}

int board_add(struct board *b, struct sample *s, const struct rec *r,
              struct feature_work *work, struct err *e)
{
    const unsigned want = SAMPLE_IDS | SAMPLE_REF | SAMPLE_REWARD | SAMPLE_ATTN |
                          SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK |
                          SAMPLE_PROMPT_IDS | SAMPLE_FINISH;
    int rc = sample_read(s, r, SAMPLE_ID, want, e);

    if (rc < 0 || (rc = add_row(b, s, e)) < 0)
        return rc;
    struct board_row *row = &b->row[b->rows - 1];
    if (s->has & SAMPLE_REWARD)
        rc = put(b, 1, "reward", 6, s->reward, e);
    if (rc < 0 || (rc = put_map(b, r, "rewards", 1, e)) < 0 ||
        (rc = put_own(b, s, e)) < 0 || (rc = put_map(b, r, "metrics", 0, e)) < 0)
        return rc;
    row->to = b->entries;
    return put_features(b, row, s, work, e);
}

/* ---- in the order of prompts ----------------------------------------------------------- */
int board_sort(const struct board *b, size_t **first, size_t **order, struct err *e)
{
    const size_t prompts = b->ids.n;

    *first = calloc(prompts + 2, sizeof **first);
    *order = calloc(b->rows + 1, sizeof **order);
    if (!*first || !*order)
        return err_set(e, ERR_NOMEM, "no memory for %zu samples", b->rows);
    for (size_t i = 0; i < b->rows; i++)
        (*first)[b->row[i].prompt + 2]++;
    for (size_t p = 2; p < prompts + 2; p++)
        (*first)[p] += (*first)[p - 1];
    for (size_t i = 0; i < b->rows; i++)
        (*order)[(*first)[b->row[i].prompt + 1]++] = i;
    return 0;
}

void board_column(double *x, const struct board *b, const size_t *order, size_t column)
{
    for (size_t i = 0; i < b->rows; i++) {
        const struct board_row *row = &b->row[order[i]];

        x[i] = (double)NAN;
        for (size_t k = row->from; k < row->to; k++)
            if (b->entry[k].column == column)
                x[i] = b->entry[k].x;
    }
}
