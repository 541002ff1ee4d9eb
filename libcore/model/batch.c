#include "model/batch.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void batch_clear(struct batch *b)
{
    b->B = b->n = 0;
    if (b->source)
        batch_clear(b->source);
}

void batch_release(struct batch *b)
{
    free(b->ids);
    free(b->pos);
    free(b->seqs);
    if (b->source)
        batch_release(b->source);
    free(b->source);
    *b = (struct batch){0};
}

static int reserve_rows(struct batch *b, size_t rows, struct err *e)
{
    if (rows <= b->cap - b->B)
        return 0;
    const size_t cap = 2 * (b->B + rows);
    int32_t *ids = realloc(b->ids, cap * sizeof *ids);

    if (ids)
        b->ids = ids;
    int32_t *pos = realloc(b->pos, cap * sizeof *pos);
    if (pos)
        b->pos = pos;
    if (!ids || !pos)
        return err_set(e, ERR_NOMEM, "no memory for a batch of %zu rows", b->B + rows);
    b->cap = cap;
    return 0;
}

static int reserve_seq(struct batch *b, struct err *e)
{
    if (b->n < b->seqs_cap)
        return 0;
    const size_t cap = b->seqs_cap ? 2 * b->seqs_cap : 16;
    struct batch_seq *s = realloc(b->seqs, cap * sizeof *s);

    if (!s || cap > INT_MAX)
        return err_set(e, ERR_NOMEM, "no memory for a batch of %zu sequences", cap);
    b->seqs = s;
    b->seqs_cap = cap;
    return 0;
}

int batch_add(struct batch *b, int prefix, const int32_t *ids, size_t rows,
              struct err *e)
{
    struct batch_seq s = {.row0 = b->B, .rows = rows, .prefix = prefix};
    int rc;

    if ((rc = reserve_rows(b, rows, e)) < 0 || (rc = reserve_seq(b, e)) < 0)
        return rc;
    if (prefix != BATCH_ALONE) {
        assert((size_t)prefix < b->n && b->seqs[prefix].prefix == BATCH_ALONE);
        s.pre0 = b->seqs[prefix].row0;
        s.pre = b->seqs[prefix].rows;
        s.source = b->seqs[prefix].source;
    }
    for (size_t i = 0; i < rows; i++) {
        b->ids[b->B + i] = ids[i];
        b->pos[b->B + i] = (int32_t)(s.pre + i);
    }
    b->B += rows;
    b->seqs[b->n] = s;
    return (int)b->n++;
}

int batch_prompt(struct batch *b, const struct arch *a, const int32_t *ids, size_t P,
                 struct err *e)
{
    int rc, source;

    if (!a->encoder.L)
        return batch_add(b, BATCH_ALONE, ids, P, e);
    if (!b->source && !(b->source = calloc(1, sizeof *b->source)))
        return err_set(e, ERR_NOMEM, "no memory for a batch");
    if ((source = batch_add(b->source, BATCH_ALONE, ids, P, e)) < 0 ||
        (rc = batch_add(b, BATCH_ALONE, a->start, a->starts, e)) < 0)
        return source < 0 ? source : rc;
    b->seqs[rc].source = (size_t)source;
    return rc;
}

size_t batch_prompt_rows(const struct arch *a, size_t P)
{
    return P + a->starts;
}

size_t batch_rows(const struct batch *b)
{
    return b->B + (b->source ? b->source->B : 0);
}

size_t batch_row(const struct batch *b, int prompt, int response, size_t t)
{
    const struct batch_seq *p = &b->seqs[prompt];

    return t ? b->seqs[response].row0 + t - 1 : p->row0 + p->rows - 1;
}
