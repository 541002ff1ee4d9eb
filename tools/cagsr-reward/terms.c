/*
 * Which components the sum has, and their weights.
 */
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const own_names[COMPONENTS] = {
    [COMP_BEST] = "coverage_best",
    [COMP_CAPPED] = "coverage_capped",
    [COMP_MEAN] = "coverage_mean",
    [COMP_GNMT] = "coverage_gnmt",
    [COMP_SUM] = "coverage_sum",
    [COMP_FOCUS_MEAN] = "focus_mean",
    [COMP_FOCUS_SUM] = "focus_sum",
    [COMP_REP_SHARE] = "repetition_share",
    [COMP_REP_COUNT] = "repetition_count",
    [COMP_CONTAINMENT] = "containment",
    [COMP_LEXICAL] = "lexical",
    [COMP_LOGP] = "logp",
    [COMP_LENGTH] = "length",
    [COMP_RANDOM] = "random",
    [COMP_CONSTANT] = "constant",
};

static const char *own_name(size_t i)
{
    return i < COMBINE_PARTS ? combine_part_names[i] : own_names[i];
}

int terms_add(struct terms *t, const char *name, enum term_from from, double weight,
              struct err *e)
{
    struct {
        void *array;
        size_t size;
    } part[] = {{&t->out_name, sizeof *t->out_name},
                {&t->out_value, sizeof *t->out_value},
                {&t->term, sizeof *t->term}};
    size_t cap = t->cap;
    int rc = 0;

    for (size_t i = 0; i < sizeof part / sizeof *part && rc >= 0; i++) {
        cap = t->cap;
        rc = reserve(part[i].array, &cap, t->n + 1, part[i].size, e);
    }
    if (rc < 0)
        return rc;
    t->cap = cap;
    t->term[t->n++] = (struct term){name, weight, from, from != FROM_US};
    return 0;
}

int terms_begin(struct terms *t, enum method m, const struct scales *s, struct err *e)
{
    const double *w = m == METHOD_F12 ? combine_f12_weights : combine_f7_weights;

    for (size_t i = 0; i < COMPONENTS; i++) {
        const int rc =
            terms_add(t, own_name(i), FROM_US, i < COMBINE_PARTS ? w[i] : 0, e);

        if (rc < 0)
            return rc;
        t->term[i].shown =
            i < COMBINE_PARTS && (m == METHOD_F12 || i != PART_COHERENCE);
    }
    if (m == METHOD_F12 && s != &scales_built_in) {
        t->term[PART_COVERAGE].weight = 1 / (COMBINE_TAU_PER_S_C * s->s[PART_COVERAGE]);
        t->term[PART_FOCUS].weight = 1 / (COMBINE_TAU_PER_S_F * s->s[PART_FOCUS]);
    }
    return 0;
}

size_t terms_find(const struct terms *t, const char *name, size_t n)
{
    for (size_t i = 0; i < t->n; i++)
        if (strlen(t->term[i].name) == n && memcmp(t->term[i].name, name, n) == 0)
            return i;
    return SIZE_MAX;
}

/* A name that nobody has announced: it must come with the records. */
static int add_foreign(struct terms *t, const char *name, size_t n, struct err *e)
{
    char **names = realloc(t->names, (t->nnames + 1) * sizeof *names);
    char *copy = strndup(name, n);

    if (names)
        t->names = names;
    if (!names || !copy) {
        free(copy);
        return err_set(e, ERR_NOMEM, "no memory for a name");
    }
    t->names[t->nnames++] = copy;
    return terms_add(t, copy, FROM_RECORD, 0, e);
}

/* "W" or "W/s": in units of the component's deviation. */
static int parse_weight(double *w, const char *text, size_t n, size_t term,
                        const struct scales *s, struct err *e)
{
    char copy[64], *end;

    if (n == 0 || n >= sizeof copy)
        return err_set(e, ERR_USAGE, "--weights: '%.*s' is not a number", (int)n, text);
    memcpy(copy, text, n);
    copy[n] = 0;
    *w = strtod(copy, &end);
    if (end == copy || !isfinite(*w) || (*end && strcmp(end, "/s") != 0))
        return err_set(e, ERR_USAGE,
                       "--weights: '%s' is not a number, nor a number and '/s'", copy);
    if (!*end)
        return 0;
    if (term >= COMBINE_PARTS || !(s->s[term] > 0))
        return err_set(e, ERR_USAGE,
                       "--weights: no deviation s is known for this component; "
                       "--calibrate measures those of coverage, focus, coherence, "
                       "repetition and copy");
    *w /= s->s[term];
    return 0;
}

static int weigh_one(struct terms *t, const char *item, size_t n,
                     const struct scales *s, struct err *e)
{
    const char *eq = memchr(item, '=', n);
    int rc;

    if (!eq || eq == item)
        return err_set(e, ERR_USAGE, "--weights: '%.*s' is not NAME=WEIGHT", (int)n,
                       item);
    const size_t len = (size_t)(eq - item);
    size_t i = terms_find(t, item, len);
    if (i == SIZE_MAX) {
        if ((rc = add_foreign(t, item, len, e)) < 0)
            return rc;
        i = t->n - 1;
    }
    t->term[i].shown = 1;
    return parse_weight(&t->term[i].weight, eq + 1, n - len - 1, i, s, e);
}

int terms_weigh(struct terms *t, const char *spec, const struct scales *s,
                struct err *e)
{
    if (*spec == '+')
        spec++;
    else
        for (size_t i = 0; i < t->n; i++)
            t->term[i].weight = 0;
    while (*spec) {
        const size_t n = strcspn(spec, ",");
        const int rc = weigh_one(t, spec, n, s, e);

        if (rc < 0)
            return rc;
        spec += n + (spec[n] == ',');
    }
    return 0;
}

void terms_release(struct terms *t)
{
    for (size_t i = 0; i < t->nnames; i++)
        free(t->names[i]);
    free(t->names);
    free(t->out_name);
    free(t->out_value);
    free(t->term);
    *t = (struct terms){0};
}
