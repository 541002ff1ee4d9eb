#include "rec/stream.h"

#include <stdlib.h>
#include <string.h>

void rec_group_release(struct rec_group *g)
{
    for (size_t i = 0; i < g->cap; i++)
        rec_release(&g->rec[i]);
    free(g->rec);
    *g = (struct rec_group){0};
}

static int reserve(struct rec_group *g, size_t n, struct err *e)
{
    if (n <= g->cap)
        return 0;
    const size_t cap = n < 16 ? 16 : 2 * n;
    struct rec *r = realloc(g->rec, cap * sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "no memory for a group of %zu records", n);
    memset(r + g->cap, 0, (cap - g->cap) * sizeof *r);
    g->rec = r;
    g->cap = cap;
    return 0;
}

static int same_id(const struct rec *a, const struct rec *b)
{
    struct rec_str x, y;

    return rec_value_str(&x, rec_find(a, "id")) == 0 &&
           rec_value_str(&y, rec_find(b, "id")) == 0 && x.n == y.n &&
           memcmp(x.s, y.s, x.n) == 0;
}

static int check_id(const struct rec *r, struct err *e)
{
    struct rec_str id;

    return rec_get_str(r, "id", &id, e);
}

/* The record held from the call before becomes the first. */
static int first(struct rec_group *g, struct rec_reader *rd, struct err *e)
{
    struct rec *r;
    int rc;

    if (g->pending) {
        const struct rec t = g->rec[0];

        g->rec[0] = g->rec[g->held];
        g->rec[g->held] = t;
        g->pending = 0;
        return 1;
    }
    if ((rc = rec_reader_next(rd, &r, e)) <= 0)
        return rc;
    if ((rc = reserve(g, 1, e)) < 0 || (rc = rec_copy(&g->rec[0], r, e)) < 0)
        return rc;
    return 1;
}

int rec_group_next(struct rec_group *g, struct rec_reader *rd, struct err *e)
{
    struct rec *r;
    int rc = first(g, rd, e);

    g->n = 0;
    if (rc <= 0)
        return rc;
    g->n = 1;
    g->other = !rec_is(&g->rec[0], "sample");
    if (g->other)
        return 1;
    if ((rc = check_id(&g->rec[0], e)) < 0)
        return rc;
    /* An error or the end behind this group is met again by the next call. */
    while ((rc = rec_reader_next(rd, &r, NULL)) > 0) {
        const int joins = rec_is(r, "sample") && same_id(&g->rec[0], r);

        if (joins && g->n == REC_GROUP_MAX)
            return rec_fault(r, ERR_RECORD, e, "id", "more than %d candidates",
                             REC_GROUP_MAX);
        if ((rc = reserve(g, g->n + 1, e)) < 0 ||
            (rc = rec_copy(&g->rec[g->n], r, e)) < 0)
            return rc;
        if (!joins) {
            g->pending = 1;
            g->held = g->n;
            return 1;
        }
        g->n++;
    }
    return 1;
}
