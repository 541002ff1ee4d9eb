/*
 * --labels FILE.tsv: a few human scores.  A header line names the columns; `id`, `cand`
 * and `score` are used, others are left alone.
 */
#include "run.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MAX = 256 << 20 };

struct label {
    const char *id; /* into text */
    uint64_t cand;
    double score;
    int used;
};

struct labels {
    char *text;
    struct label *label;
    size_t n, cap;
    double mean, deviation;
};

/* Cuts the next column off *line. */
static char *column(char **line)
{
    char *at = *line;

    if (!at)
        return NULL;
    *line = strchr(at, '\t');
    if (*line)
        *(*line)++ = 0;
    return at;
}

struct columns {
    int id, cand, score, n;
};

static int read_names(struct columns *c, char *line, const char *path, struct err *e)
{
    *c = (struct columns){-1, -1, -1, 0};
    for (char *name; (name = column(&line)); c->n++) {
        if (strcmp(name, "id") == 0)
            c->id = c->n;
        else if (strcmp(name, "cand") == 0)
            c->cand = c->n;
        else if (strcmp(name, "score") == 0)
            c->score = c->n;
    }
    if (c->id < 0 || c->cand < 0 || c->score < 0)
        return err_set(
            e, ERR_FILE,
            "%s: line 1: columns id, cand and score are wanted, tabs between "
            "them",
            path);
    return 0;
}

static int read_line(struct label *l, char *line, const struct columns *c,
                     size_t number, const char *path, struct err *e)
{
    const char *cand = NULL, *score = NULL;
    char *end;
    int i = 0;

    for (char *cell; (cell = column(&line)); i++) {
        if (i == c->id)
            l->id = cell;
        else if (i == c->cand)
            cand = cell;
        else if (i == c->score)
            score = cell;
    }
    if (i != c->n)
        return err_set(e, ERR_FILE, "%s: line %zu: %d columns, line 1 has %d", path,
                       number, i, c->n);
    l->cand = strtoull(cand, &end, 10);
    if (*cand < '0' || *cand > '9' || *end)
        return err_set(e, ERR_FILE, "%s: line %zu: cand '%.32s' is not a number", path,
                       number, cand);
    l->score = strtod(score, &end);
    if (end == score || *end || !isfinite(l->score))
        return err_set(e, ERR_FILE, "%s: line %zu: score '%.32s' is not a number", path,
                       number, score);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    const int c = strcmp(x->id, y->id);

    return c ? c : x->cand < y->cand ? -1 : x->cand > y->cand;
}

static int read_all(struct labels *l, const char *path, struct err *e)
{
    struct columns c = {0};
    size_t number = 0;
    char *at = l->text;
    int rc;

    while (at && *at) {
        char *line = at;

        at = strchr(line, '\n');
        if (at)
            *at++ = 0;
        line[strcspn(line, "\r")] = 0;
        number++;
        if (number == 1) {
            if ((rc = read_names(&c, line, path, e)) < 0)
                return rc;
            continue;
        }
        if (*line == 0)
            continue;
        if ((rc = reserve(&l->label, &l->cap, l->n + 1, sizeof *l->label, e)) < 0)
            return rc;
        l->label[l->n] = (struct label){0};
        if ((rc = read_line(&l->label[l->n], line, &c, number, path, e)) < 0)
            return rc;
        l->n++;
    }
    if (l->n == 0)
        return err_set(e, ERR_FILE, "%s: no scores", path);
    qsort(l->label, l->n, sizeof *l->label, by_key);
    for (size_t i = 1; i < l->n; i++)
        if (by_key(&l->label[i - 1], &l->label[i]) == 0)
            return err_set(e, ERR_FILE, "%s: two scores for id '%.64s', cand %llu",
                           path, l->label[i].id, (unsigned long long)l->label[i].cand);
    return 0;
}

static void standardise(struct labels *l)
{
    double ss = 0;

    for (size_t i = 0; i < l->n; i++)
        l->mean += l->label[i].score / (double)l->n;
    for (size_t i = 0; i < l->n; i++)
        ss += (l->label[i].score - l->mean) * (l->label[i].score - l->mean);
    l->deviation = l->n > 1 ? sqrt(ss / (double)(l->n - 1)) : 0;
}

int labels_read(struct labels **out, const char *path, struct err *e)
{
    struct labels *l = calloc(1, sizeof *l);
    size_t n;
    int rc;

    *out = l;
    if (!l)
        return err_set(e, ERR_NOMEM, "%s: no memory", path);
    if ((rc = file_read(&l->text, &n, path, LABELS_MAX, e)) < 0)
        return rc;
    if (memchr(l->text, 0, n))
        return err_set(e, ERR_FILE, "%s: holds a NUL, so it is not a table", path);
    if ((rc = read_all(l, path, e)) < 0)
        return rc;
    standardise(l);
    if (!(l->deviation > 0))
        return err_set(e, ERR_FILE,
                       "%s: all scores are the same, so they prefer nothing", path);
    return 0;
}

/* An id of a record may hold NULs and be longer than any label's. */
static int compare(struct rec_str id, uint64_t cand, const struct label *x)
{
    const size_t n = strlen(x->id);
    const int c = memcmp(id.s, x->id, id.n < n ? id.n : n);

    if (c || id.n != n)
        return c ? c : id.n < n ? -1 : 1;
    return cand < x->cand ? -1 : cand > x->cand;
}

int labels_find(struct labels *l, struct rec_str id, uint64_t cand, double *z)
{
    size_t lo = 0, hi = l->n;

    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        struct label *x = &l->label[mid];
        const int c = compare(id, cand, x);

        if (c == 0) {
            x->used = 1;
            *z = (x->score - l->mean) / l->deviation;
            return 1;
        }
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return 0;
}

size_t labels_unused(const struct labels *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += !l->label[i].used;
    return n;
}

void labels_free(struct labels *l)
{
    if (!l)
        return;
    free(l->text);
    free(l->label);
    free(l);
}
