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

/* 1: r is of the group, or its first; 0: it stands behind it; or ERR_RECORD. */
static int joins(const struct rec_group *g, const struct rec *r, struct err *e)
{
    const int sample = rec_is(r, "sample");
    struct rec_str id;

    if (g->n == 0)
        return sample && rec_get_str(r, "id", &id, e) < 0 ? ERR_RECORD : 1;
    if (!sample || !same_id(&g->rec[0], r))
        return 0;
    if (g->n == REC_GROUP_MAX)
        return rec_fault(r, ERR_RECORD, e, "id", "more than %d candidates",
                         REC_GROUP_MAX);
    return 1;
}

static int add(struct rec_group *g, const struct rec *r, struct err *e)
{
    int rc = reserve(g, g->n + 1, e);

    if (rc >= 0 && (rc = rec_copy(&g->rec[g->n], r, e)) >= 0)
        g->n++;
    return rc < 0 ? rc : 1;
}

/* Takes the next record into g: 1; 0 when all are there, or none at the end; or an error.
 * What stands behind the group, or is wrong, is met again by the next call. */
static int take(struct rec_group *g, struct rec_reader *rd, struct err *e)
{
    struct rec *r;
    int rc = rec_reader_next(rd, &r, g->n ? NULL : e);

    if (rc <= 0)
        return g->n ? 0 : rc;
    if ((rc = joins(g, r, e)) > 0)
        rc = add(g, r, e);
    if (rc <= 0)
        rec_reader_back(rd);
    return rc;
}

static void begin(struct rec_group *g)
{
    if (!g->begun)
        g->n = 0;
    g->begun = 1;
}

/* What is no sample is a group of its own. */
static int is_other(const struct rec_group *g)
{
    return g->n > 0 && !rec_is(&g->rec[0], "sample");
}

int rec_group_next(struct rec_group *g, struct rec_reader *rd, struct err *e)
{
    int rc = 1;

    begin(g);
    while (rc > 0 && !is_other(g))
        rc = take(g, rd, e);
    g->begun = 0;
    g->other = is_other(g);
    return rc < 0 ? rc : g->n > 0;
}

int rec_group_ready(struct rec_group *g, struct rec_reader *rd)
{
    begin(g);
    while (!is_other(g)) {
        if (!rec_reader_ready(rd))
            return 0;
        if (take(g, rd, NULL) <= 0)
            return 1;
    }
    return 1;
}
