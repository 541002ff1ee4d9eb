#include "view/curves.h"

#include "base/reserve.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What people look at first, in this order; patterns as in fnmatch(3). */
static const struct {
    const char *pattern, *title; /* NULL: see title_of() */
} known[] = {
    {"reward", "reward"},
    {"rewards/*/mean", NULL},
    {"coverage", NULL}, /* these by their names in metrics.tsv */
    {"focus", NULL},
    {"coherence", NULL},
    {"repetition", NULL},
    {"copy", NULL},
    {"no_end", NULL},
    {"objective/kl", "KL to the reference (nats)"},
    {"kl", "KL to the reference (nats)"},
    {"relevance", NULL},
    {"length", "length (tokens)"},
    {"policy/entropy_avg", "entropy (nats per token)"},
    {"completions/mean_length", "length (tokens)"},
    {"completions/clipped_ratio", "share cut at the limit"},
    {"policy/clipfrac_avg", "share of clipped ratios"},
    {"rewards/accuracies", "pairs ranked right"},
    {"rewards/margins", "margin of pairs"},
    {"loss", "loss"},
    {"grad_norm", "norm of the gradient"},
    {"eval*", NULL},
};
enum { KNOWN = sizeof known / sizeof *known };

void curves_release(struct curves *c)
{
    strtab_release(&c->metrics);
    strtab_release(&c->sets);
    free(c->point);
    *c = (struct curves){0};
}

/* ---- collecting ------------------------------------------------------------------------ */
int curves_put(struct curves *c, struct curve_point p, struct rec_str metric,
               const char *set, struct err *e)
{
    const long s = strtab_add(&c->sets, set, strlen(set), e),
               m = s < 0 ? s : strtab_add(&c->metrics, metric.s, metric.n, e);
    const int rc =
        m < 0 ? (int)m : reserve(&c->point, &c->cap, c->n + 1, sizeof *c->point, e);

    if (rc < 0)
        return rc;
    p.set = (uint32_t)s;
    p.metric = (uint32_t)m;
    p.order = (uint32_t)c->n;
    p.x = p.step;
    c->point[c->n++] = p;
    return 0;
}

static int is_data(struct rec_str name)
{
    return !rec_str_is(name, "step") && !memchr(name.s, 0, name.n);
}

int curves_add(struct curves *c, const struct rec *r, const char *set, size_t run,
               struct err *e)
{
    struct curve_point p = {.run = (uint32_t)run};
    int rc = 0;

    if (rec_value_f64(&p.step, rec_find(r, "step")) < 0 || !isfinite(p.step))
        return 0;
    for (size_t i = 0; i < r->nfields && rc >= 0; i++) {
        struct rec_str name;

        name.s = rec_field_key(r, i, &name.n);
        if (rec_value_f64(&p.value, rec_field_value(r, i)) == 0 && isfinite(p.value) &&
            is_data(name))
            rc = curves_put(c, p, name, set, e);
    }
    return rc < 0 ? rc : 1;
}

/* ---- which ----------------------------------------------------------------------------- */
struct choice {
    size_t *metric;
    size_t n;
};

static void choose(struct choice *x, size_t metric)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->metric[i] == metric)
            return;
    if (x->n == CURVES_PANELS)
        return;
    x->metric[x->n++] = metric;
}

/* The table's title, a component's name, or the metric's own. */
static void title_of(char title[64], const char *metric)
{
    const size_t n = strlen(metric), before = strlen("rewards/"),
                 behind = strlen("/mean");

    for (size_t k = 0; k < KNOWN; k++)
        if (known[k].title && strcmp(known[k].pattern, metric) == 0) {
            snprintf(title, 64, "%s", known[k].title);
            return;
        }
    if (fnmatch("rewards/*/mean", metric, 0) == 0)
        snprintf(title, 64, "%.*s",
                 (int)(n - before - behind < 60 ? n - before - behind : 60),
                 metric + before);
    else
        snprintf(title, 64, "%s", metric);
}

static int choose_named(struct choice *x, const struct curves *c, const char *names,
                        struct err *e)
{
    for (const char *p = names;; p++) {
        const size_t n = strcspn(p, ","), m = strtab_find(&c->metrics, p, n);

        if (m == SIZE_MAX)
            return err_set(e, ERR_USAGE, "no metric '%.*s' in the input", (int)n, p);
        choose(x, m);
        p += n;
        if (!*p)
            return 0;
    }
}

static void choose_known(struct choice *x, const struct curves *c)
{
    for (size_t k = 0; k < KNOWN; k++)
        for (size_t m = 0; m < c->metrics.n; m++)
            if (m + 1 != c->against &&
                fnmatch(known[k].pattern, strtab_text(&c->metrics, m), 0) == 0)
                choose(x, m);
    for (size_t m = 0; m < c->metrics.n && x->n == 0; m++)
        choose(x, m);
}

/* ---- lines ----------------------------------------------------------------------------- */
static int compare(const void *a, const void *b)
{
    const struct curve_point *x = a, *y = b;

    if (x->metric != y->metric)
        return x->metric < y->metric ? -1 : 1;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->run != y->run)
        return x->run < y->run ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* 1 with the last value that a metric's sorted points have where p is. */
static int value_at(double *out, const struct curve_point *p,
                    const struct curve_point *sorted, size_t n)
{
    struct curve_point key = *p;
    size_t lo = 0, hi = n;

    key.metric = n ? sorted->metric : 0;
    key.order = UINT32_MAX;
    while (lo < hi) { /* the first behind it */
        const size_t mid = lo + (hi - lo) / 2;

        if (compare(&sorted[mid], &key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct curve_point *at = lo ? &sorted[lo - 1] : NULL;
    if (!at || at->set != p->set || at->run != p->run || at->step < p->step ||
        at->step > p->step)
        return 0;
    *out = at->value;
    return 1;
}

int curves_against(struct curves *c, const char *metric, struct err *e)
{
    const size_t m = strtab_find(&c->metrics, metric, strlen(metric));
    struct curve_point *xs = malloc((c->n + 1) * sizeof *xs);
    size_t n = 0, kept = 0;

    if (!xs)
        return err_set(e, ERR_NOMEM, "no memory for curves");
    if (m == SIZE_MAX) {
        free(xs);
        return err_set(e, ERR_USAGE, "no metric '%s' in the input", metric);
    }
    for (size_t i = 0; i < c->n; i++)
        if (c->point[i].metric == m)
            xs[n++] = c->point[i];
    qsort(xs, n, sizeof *xs, compare);
    for (size_t i = 0; i < c->n; i++) {
        c->point[kept] = c->point[i];
        kept += (size_t)value_at(&c->point[kept].x, &c->point[i], xs, n);
    }
    c->n = kept;
    c->against = 1 + m;
    free(xs);
    return 0;
}

/* Points of one metric, set and step, runs ascending: the last of each run counts. */
static struct curve_at at_step(const struct curve_point *p, size_t n)
{
    struct curve_at at = {0};
    double ss = 0;

    for (int pass = 0; pass < 2; pass++) {
        size_t runs = 0;

        for (size_t i = 0; i < n; i++) {
            if (i + 1 < n && p[i + 1].run == p[i].run)
                continue;
            runs++;
            if (pass) {
                ss += (p[i].value - at.mean) * (p[i].value - at.mean);
            } else {
                at.mean += p[i].value;
                at.x += p[i].x;
            }
        }
        if (!pass) {
            at.mean /= (double)runs;
            at.x /= (double)runs;
        }
        at.runs = runs;
    }
    at.sd = at.runs > 1 ? sqrt(ss / (double)(at.runs - 1)) : 0;
    return at;
}

static void widen(double range[2], double lo, double hi)
{
    range[0] = fmin(range[0], lo);
    range[1] = fmax(range[1], hi);
}

/* Points of one metric and set, sorted. */
static int make_line(struct curve_panel *panel, const struct curves *c,
                     const struct curve_point *p, size_t n, struct err *e)
{
    struct curve *l = &panel->line[panel->n++];

    l->set = strtab_text(&c->sets, p->set);
    if (!(l->at = calloc(n, sizeof *l->at)))
        return err_set(e, ERR_NOMEM, "no memory for %zu points", n);
    for (size_t i = 0, k; i < n; i += k) {
        for (k = 1; i + k < n && p[i + k].step == p[i].step;)
            k++;
        const struct curve_at at = l->at[l->n++] = at_step(p + i, k);

        widen(panel->x, at.x, at.x);
        widen(panel->y, at.mean - at.sd, at.mean + at.sd);
    }
    return 0;
}

static int make_panel(struct curve_panel *panel, const struct curves *c,
                      const struct curve_point *sorted, size_t metric, struct err *e)
{
    size_t i = 0, k;
    int rc = 0;

    *panel = (struct curve_panel){.metric = strtab_text(&c->metrics, metric),
                                  .x = {INFINITY, -INFINITY},
                                  .y = {INFINITY, -INFINITY}};
    title_of(panel->title, panel->metric);
    panel->line = calloc(c->sets.n, sizeof *panel->line);
    if (!panel->line)
        return err_set(e, ERR_NOMEM, "no memory for curves");
    while (i < c->n && sorted[i].metric != metric)
        i++;
    for (; rc >= 0 && i < c->n && sorted[i].metric == metric; i += k) {
        for (k = 1; i + k < c->n && sorted[i + k].metric == metric &&
                    sorted[i + k].set == sorted[i].set;)
            k++;
        rc = make_line(panel, c, sorted + i, k, e);
    }
    return rc;
}

void curves_panels_release(struct curve_panels *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < p->panel[i].n; k++)
            free(p->panel[i].line[k].at);
        free(p->panel[i].line);
    }
    free(p->panel);
    *p = (struct curve_panels){0};
}

static int make_panels(struct curve_panels *out, const struct curves *c,
                       const struct choice *x, struct curve_point *sorted,
                       struct err *e)
{
    int rc = 0;

    if (c->n)
        memcpy(sorted, c->point, c->n * sizeof *sorted);
    qsort(sorted, c->n, sizeof *sorted, compare);
    for (size_t i = 0; i < x->n && rc >= 0; i++) {
        out->n = i + 1;
        rc = make_panel(&out->panel[i], c, sorted, x->metric[i], e);
        for (size_t k = 0; k < i; k++) /* a record and a table have it: both names */
            if (strcmp(out->panel[k].title, out->panel[i].title) == 0)
                snprintf(out->panel[i].title, sizeof out->panel[i].title, "%s",
                         out->panel[i].metric);
    }
    return rc;
}

int curves_panels(struct curve_panels *out, const struct curves *c, const char *names,
                  struct err *e)
{
    const size_t M = c->metrics.n + 1;
    struct choice x = {calloc(M, sizeof *x.metric), 0};
    struct curve_point *sorted = malloc((c->n + 1) * sizeof *sorted);
    int rc = 0;

    *out = (struct curve_panels){calloc(M, sizeof *out->panel), 0};
    if (c->against)
        title_of(out->against, strtab_text(&c->metrics, c->against - 1));
    if (!x.metric || !sorted || !out->panel)
        rc = err_set(e, ERR_NOMEM, "no memory for curves");
    else if (names)
        rc = choose_named(&x, c, names, e);
    else
        choose_known(&x, c);
    if (rc >= 0)
        rc = make_panels(out, c, &x, sorted, e);
    free(x.metric);
    free(sorted);
    if (rc < 0)
        curves_panels_release(out);
    return rc;
}
