#include "cases.h"

#include "files.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const json_t *case_member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    cr_assert_not_null(v, "golden case has no '%s'", key);
    return v;
}

double case_number(const json_t *o, const char *key)
{
    return json_number_value(case_member(o, key));
}

double case_number_or(const json_t *o, const char *key, double none)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : none;
}

double *case_array(struct gold *g, const json_t *o, const char *key)
{
    const json_t *a = case_member(o, key), *x, *y;
    double *out = g->left[g->used++];
    size_t i, j, n = 0, rows = 0;

    cr_assert_leq(g->used, sizeof g->left / sizeof *g->left);

    json_array_foreach((json_t *)a, i, x)
    {
        if (json_is_array(x)) {
            g->off[rows++] = n;
            json_array_foreach((json_t *)x, j, y) out[n++] = json_number_value(y);
            g->off[rows] = n;
        } else {
            out[n++] = json_is_null(x) ? NAN : json_number_value(x);
        }
        cr_assert_lt(n, CASE_MAX - 64);
    }
    if (rows)
        g->s = (struct seqs){rows, g->off};
    return out;
}

size_t case_length(const json_t *o, const char *key)
{
    return json_array_size(case_member(o, key));
}

void case_groups(struct gold *g, size_t *out)
{
    const double *x = case_array(g, g->in, "group");
    for (size_t i = 0; i < case_length(g->in, "group"); i++)
        out[i] = (size_t)x[i];
}

static void near(const struct gold *g, const char *what, size_t i, double got,
                 double want)
{
    cr_expect(fabs(got - want) <= 1e-12 + 1e-9 * fabs(want),
              "%s: %s[%zu]: %.17g, want %.17g", g->name, what, i, got, want);
}

void case_expect(struct gold *g, const char *key, const double *got)
{
    const double *want = case_array(g, g->out, key);
    const json_t *a = case_member(g->out, key);
    const size_t n =
        json_is_array(json_array_get(a, 0)) ? g->s.off[g->s.n] : json_array_size(a);
    for (size_t i = 0; i < n; i++)
        near(g, key, i, got[i], want[i]);
}

void case_expect_number(struct gold *g, const char *key, double got)
{
    near(g, key, 0, got, case_number(g->out, key));
}

/* Its kind among the n, or NULL. */
static const struct case_kind *kind_of(const json_t *c, const struct case_kind *kind,
                                       size_t n)
{
    const char *name = json_string_value(case_member(c, "kind"));

    for (size_t k = 0; k < n; k++)
        if (!strcmp(kind[k].kind, name))
            return &kind[k];
    return NULL;
}

static void check_case(const json_t *c, size_t number, const struct case_kind *kind)
{
    static struct gold g;

    memset(&g, 0, sizeof g);
    g.params = case_member(c, "params");
    g.in = case_member(c, "inputs");
    g.out = case_member(c, "outputs");
    snprintf(g.name, sizeof g.name, "case %zu (%s)", number, kind->kind);
    kind->check(&g);
}

enum others { OTHERS_FAIL, OTHERS_PASS };

static void run_cases(const struct case_kind *kind, size_t n, enum others others)
{
    json_t *all, *c;
    struct err e = {0};
    size_t i, seen[64] = {0};

    cr_assert_leq(n, 64);
    cr_assert_eq(json_read_file(&all, golden_file("rl/expected.json"), &e), 0, "%s",
                 e.text);
    json_array_foreach((json_t *)case_member(all, "cases"), i, c)
    {
        const struct case_kind *k = kind_of(c, kind, n);

        if (!k && others == OTHERS_FAIL)
            cr_expect_fail("no check for golden case %zu", i);
        if (!k)
            continue;
        seen[k - kind]++;
        if (k->check)
            check_case(c, i, k);
    }
    for (size_t k = 0; k < n; k++)
        cr_expect_gt(seen[k], 0u, "no golden case of kind '%s'", kind[k].kind);
    json_decref(all);
}

void cases_run(const struct case_kind *kind, size_t n)
{
    run_cases(kind, n, OTHERS_FAIL);
}

void cases_run_some(const struct case_kind *kind, size_t n)
{
    run_cases(kind, n, OTHERS_PASS);
}
