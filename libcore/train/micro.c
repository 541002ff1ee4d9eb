#include "train/micro.h"

#include <stdlib.h>

void micro_release(struct micro *m)
{
    batch_release(&m->batch);
    free(m->piece);
    free(m->item);
    free(m->token);
    free(m->weight);
    *m = (struct micro){0};
}

int micro_reserve(struct micro *m, const struct train_data *d, struct err *e)
{
    const size_t items = train_data_tokens(d) + 1, pieces = d->ncands + 1;

    if (pieces > m->cap_pieces) {
        free(m->piece);
        m->piece = malloc(2 * pieces * sizeof *m->piece);
        m->cap_pieces = m->piece ? 2 * pieces : 0;
    }
    if (items > m->cap_items) {
        free(m->item);
        free(m->token);
        free(m->weight);
        m->item = malloc(2 * items * sizeof *m->item);
        m->token = malloc(2 * items * sizeof *m->token);
        m->weight = malloc(2 * items * sizeof *m->weight);
        m->cap_items = m->item && m->token && m->weight ? 2 * items : 0;
    }
    if (m->cap_items < items || m->cap_pieces < pieces)
        return err_set(e, ERR_NOMEM, "no memory for a batch of %zu tokens", items);
    return 0;
}

static size_t rows_of(size_t T, enum micro_kind kind)
{
    return kind == MICRO_LAST || T == 0 ? T : T - 1;
}

/* Rows of candidates c .. c+n-1 without their prompt. */
static size_t run_rows(const struct train_data *d, size_t c, size_t n,
                       enum micro_kind kind)
{
    size_t rows = 0;

    for (size_t i = c; i < c + n; i++)
        rows += rows_of(d->cand[i].T, kind);
    return rows;
}

static size_t run_length(const struct train_group *g, size_t done, size_t together)
{
    return g->n - done < together ? g->n - done : together;
}

size_t micro_longest(const struct train_data *d, const struct micro_form *f)
{
    size_t most = 1;

    for (size_t i = 0; i < d->ngroups; i++) {
        const struct train_group *g = &d->group[i];
        for (size_t k = 0; k < g->n; k += f->together) {
            const size_t n = run_length(g, k, f->together);
            const size_t rows = batch_prompt_rows(f->arch, g->P) +
                                run_rows(d, g->cand0 + k, n, f->kind);
            most = rows > most ? rows : most;
        }
    }
    return most;
}

static void add_items(struct micro *m, const struct train_data *d, size_t c, int prompt,
                      int seq, enum micro_kind kind)
{
    const struct train_cand *k = &d->cand[c];

    for (size_t t = kind == MICRO_LAST && k->T ? k->T - 1 : 0; t < k->T; t++) {
        struct head_item *item = &m->item[m->n];
        /* the row of token t is the one that would predict token t + 1 */
        item->row = batch_row(&m->batch, prompt, seq, kind == MICRO_LAST ? t + 1 : t);
        item->target = d->ids[k->ids0 + t];
        item->temperature = (float)k->temperature;
        m->token[m->n++] = d->off[c] + t;
    }
}

/* Opens the walk's group in the batch and adds runs of its candidates as long as they
 * fit.  w->cand says how far it came. */
static int add_group(struct micro *m, struct micro_walk *w, const struct train_data *d,
                     size_t max_rows, const struct micro_form *f, struct err *e)
{
    const struct train_group *g = &d->group[w->order[w->at]];
    const size_t lead = batch_prompt_rows(f->arch, g->P);
    int prompt = -1, rc;

    /* Half a group now and half later would compute its prompt twice. */
    if (m->batch.B > 0 &&
        batch_rows(&m->batch) + lead +
                run_rows(d, g->cand0 + w->cand, g->n - w->cand, f->kind) >
            max_rows)
        return 0;
    while (w->cand < g->n) {
        const size_t n = run_length(g, w->cand, f->together), c0 = g->cand0 + w->cand;
        const size_t rows = run_rows(d, c0, n, f->kind) + (prompt < 0 ? lead : 0);
        if (batch_rows(&m->batch) + rows > max_rows)
            return 0;
        if (prompt < 0) {
            prompt = rc = batch_prompt(&m->batch, f->arch, d->ids + g->ids0, g->P, e);
            if (rc < 0)
                return rc;
            m->piece[m->npieces++] = (struct micro_piece){c0, 0};
        }
        for (size_t c = c0; c < c0 + n; c++) {
            const size_t T = d->cand[c].T;
            rc = batch_add(&m->batch, prompt, d->ids + d->cand[c].ids0,
                           rows_of(T, f->kind), e);
            if (rc < 0)
                return rc;
            add_items(m, d, c, prompt, rc, f->kind);
        }
        m->piece[m->npieces - 1].n += n;
        w->cand += n;
    }
    return 0;
}

int micro_next(struct micro *m, struct micro_walk *w, const struct train_data *d,
               size_t max_rows, const struct micro_form *f, struct err *e)
{
    batch_clear(&m->batch);
    m->npieces = m->n = 0;
    while (w->at < w->n) {
        const struct train_group *g = &d->group[w->order[w->at]];
        const int rc = add_group(m, w, d, max_rows, f, e);
        if (rc < 0)
            return rc;
        if (w->cand < g->n)
            break; /* full */
        w->at++;
        w->cand = 0;
    }
    return m->npieces > 0;
}
