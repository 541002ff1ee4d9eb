/* Laws that coverage, focus and the sums obey for any rows. */
#include "base/rng.h"
#include "reward/combine.h"
#include "reward/coverage.h"
#include "reward/focus.h"
#include "reward/turns.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <string.h>

enum { MAXT = 24, MAXP = 40, MAXROWS = 2 * MAXT };

/* Rows over P positions of which V is all but the first and every fifth; three groups. */
struct fix {
    double A[MAXROWS * MAXP], mass[MAXROWS], h[MAXROWS], c[3];
    size_t kept[MAXROWS], G;
    uint32_t pos[MAXP], place[3][2];
    unsigned char mask[MAXP];
    struct salient_group group[3];
    struct attn_rows rows;
};

static double uniform(size_t i, uint32_t which)
{
    return rng_uniform(11, which, 0, (uint32_t)i);
}

static void fill(struct fix *f, size_t T, size_t P, double peak)
{
    memset(f, 0, sizeof *f);
    for (size_t j = 0; j < P; j++)
        f->mask[j] = j > 0 && j % 5 != 4;
    f->rows = (struct attn_rows){T, P, f->A, T, f->pos, 0};
    f->rows.n = attn_support(f->pos, f->mask, P);
    for (size_t t = 0; t < T; t++) {
        double sum = 0, *row = f->A + t * P;

        for (size_t j = 0; j < P; j++)
            sum += row[j] = exp(peak * uniform(t * P + j, 1));
        for (size_t j = 0; j < P; j++)
            row[j] *= (.2 + .8 * uniform(t, 2)) / sum;
    }
    for (size_t k = 0; k < 3 && k < f->rows.n; k++) {
        f->place[k][0] = f->pos[k * f->rows.n / 3];
        f->group[f->G++] = (struct salient_group){f->place[k], 1, 1 + uniform(k, 3)};
    }
    f->G = coverage_groups(f->group, f->G, f->mask, P);
}

struct read {
    double cov, mean, foc, best;
};

static struct read measure(struct fix *f)
{
    const size_t n = attn_kept(f->kept, f->mass, f->h, &f->rows);
    struct read r;

    coverage_shares(f->c, &f->rows, f->kept, f->mass, n, f->group, f->G);
    r.cov = coverage_capped(f->c, f->group, f->G, 1);
    r.mean = coverage_mean(f->c, f->group, f->G);
    r.best = coverage_best(NULL, NULL, &f->rows, f->group, f->G);
    r.foc = focus(f->h, focus_normalise(f->h, n, f->rows.n), .25, 0);
    return r;
}

#define POINTS                                                                         \
    DataPoints(size_t, 1, 2, 7, MAXT), DataPoints(size_t, 4, 5, 13, MAXP),             \
        DataPoints(double, 0.0, 1.0, 12.0)

TheoryDataPoints(laws, bounded) = {POINTS};
Theory((size_t T, size_t P, double peak), laws, bounded)
{
    struct fix f;
    double s[MAXT], o[MAXT], m[MAXT];

    fill(&f, T, P, peak);
    const struct read r = measure(&f);
    cr_expect(r.cov >= 0 && r.cov <= 1 + 1e-12);
    cr_expect(r.foc >= -1e-12 && r.foc <= 1 + 1e-12);
    cr_expect(r.best >= 0 && r.best <= 1);
    attn_masses(s, o, m, &f.rows);
    for (size_t t = 0; t < T; t++) {
        cr_expect_float_eq(s[t] + o[t] + m[t], 1, 1e-12);
        cr_expect(s[t] >= 0 && o[t] >= -1e-15 && m[t] >= -1e-12);
    }
}

TheoryDataPoints(laws, length_free) = {POINTS};
Theory((size_t T, size_t P, double peak), laws, length_free)
{
    struct fix f;

    fill(&f, T, P, peak);
    const struct read one = measure(&f);
    memcpy(f.A + T * P, f.A, T * P * sizeof *f.A);
    f.rows.T = f.rows.steps = 2 * T;
    const struct read two = measure(&f);
    cr_expect_float_eq(one.cov, two.cov, 1e-12);
    cr_expect_float_eq(one.foc, two.foc, 1e-12);
}

/* Swapping two columns of V that no group holds changes nothing. */
TheoryDataPoints(laws, other_columns) = {POINTS};
Theory((size_t T, size_t P, double peak), laws, other_columns)
{
    struct fix f;
    size_t other[MAXP], n = 0;

    fill(&f, T, P, peak);
    for (size_t i = 0; i < f.rows.n; i++) {
        int grouped = 0;

        for (size_t k = 0; k < f.G; k++)
            grouped |= f.group[k].pos[0] == f.pos[i];
        if (!grouped)
            other[n++] = f.pos[i];
    }
    if (n < 2)
        return;
    const struct read one = measure(&f);
    for (size_t t = 0; t < T; t++) {
        double *a = &f.A[t * P + other[0]], *b = &f.A[t * P + other[n - 1]];
        const double x = *a;

        *a = *b;
        *b = x;
    }
    const struct read two = measure(&f);
    cr_expect_float_eq(one.cov, two.cov, 1e-12);
    cr_expect_float_eq(one.best, two.best, 1e-15);
    cr_expect_float_eq(one.foc, two.foc, 1e-12);
}

Test(laws, even_attention_covers_all_and_has_no_focus)
{
    struct fix f;

    fill(&f, 6, 20, 0);
    for (size_t i = 0; i < 6 * 20; i++)
        f.A[i] = 1.0 / 27;
    const struct read r = measure(&f);
    cr_expect_float_eq(r.cov, 1, 1e-12);
    cr_expect_float_eq(r.mean, 1, 1e-12);
    cr_expect_float_eq(r.foc, 0, 1e-12);
}

Test(laws, staring_at_one_of_three)
{
    struct fix f;

    fill(&f, 6, 20, 0);
    memset(f.A, 0, sizeof f.A);
    for (size_t k = 0; k < 3; k++)
        f.group[k].weight = 1.0 / 3;
    for (size_t t = 0; t < 6; t++)
        f.A[t * 20 + f.group[1].pos[0]] = .7;
    const struct read r = measure(&f);
    cr_expect_float_eq(r.cov, 1.0 / 3, 1e-12);
    cr_expect_float_eq(r.foc, 1, 1e-12);
    cr_expect_float_eq(r.best, .7 / 3, 1e-12);
}

/* The copying optimum: one sweep over the prompt is perfect in both, so copying needs a
 * penalty of its own. */
Test(laws, sweep_is_the_copying_optimum)
{
    struct fix f;

    fill(&f, MAXT, 20, 0);
    memset(f.A, 0, sizeof f.A);
    f.rows.T = f.rows.steps = f.rows.n;
    for (size_t t = 0; t < f.rows.n; t++)
        f.A[t * 20 + f.pos[t]] = .9;
    const struct read r = measure(&f);
    cr_expect_float_eq(r.cov, 1, 1e-12);
    cr_expect_float_eq(r.foc, 1, 1e-12);
}

/* Row 0 does not count for the best step, unless there is no other. */
Test(laws, best_leaves_the_first_row_out)
{
    struct fix f;
    double best[3];
    size_t step[3];

    fill(&f, 3, 10, 1);
    const uint32_t j = f.group[0].pos[0];
    f.A[j] = .9;
    f.A[10 + j] = .1;
    f.A[20 + j] = .3;
    coverage_best(best, step, &f.rows, f.group, f.G);
    cr_expect_eq(best[0], .3);
    cr_expect_eq(step[0], 2);
    f.rows.steps = 2; /* the end token's step is out */
    coverage_best(best, step, &f.rows, f.group, f.G);
    cr_expect_eq(best[0], .1);
    f.rows.steps = 1;
    coverage_best(best, step, &f.rows, f.group, f.G);
    cr_expect_eq(best[0], .9);
    f.rows.steps = 0;
    cr_expect_eq(coverage_best(best, NULL, &f.rows, f.group, f.G), 0);
}

Test(laws, groups_are_cut_to_the_support_and_weigh_one)
{
    uint32_t p0[] = {0, 1}, p1[] = {4}, p2[] = {2, 9};
    const unsigned char mask[] = {0, 1, 1, 1, 0};
    struct salient_group g[] = {{p0, 2, 3}, {p1, 1, 5}, {p2, 2, 1}};

    cr_assert_eq(coverage_groups(g, 3, mask, 5), 2);
    cr_expect_eq(g[0].n, 1);
    cr_expect_eq(g[0].pos[0], 1);
    cr_expect_eq(g[1].n, 1);
    cr_expect_eq(g[1].pos[0], 2);
    cr_expect_eq(g[0].weight, .75);
    cr_expect_eq(g[1].weight, .25);
}

Test(laws, a_collapse_can_be_punished)
{
    const double h[] = {0, .25, .5};

    cr_expect_float_eq(focus(h, 3, .25, 0), (1 + 1 + 2.0 / 3) / 3, 1e-15);
    cr_expect_float_eq(focus(h, 3, .25, 1), (1 + 1 + 2.0 / 3) / 3 - 1.0 / 3, 1e-15);
    cr_expect_eq(focus(h, 0, .25, 1), 0);
}

Test(laws, numbers_that_are_none_are_refused)
{
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -1e-9};
    double A[12];
    struct err e = {0};

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        for (size_t i = 0; i < 12; i++) {
            for (size_t j = 0; j < 12; j++)
                A[j] = .05;
            cr_expect_eq(attn_check(A, 3, 4, &e), 0);
            A[i] = bad[k];
            cr_expect_eq(attn_check(A, 3, 4, &e), ERR_NUMERIC);
        }
    cr_expect_str_eq(e.text, "attention of step 2 to position 3 is -1e-09");
}

Test(combine, a_missing_part_makes_no_number)
{
    const struct combine_term t[] = {{"a", 2, 3}, {"b", 0, (double)NAN}, {"c", -1, 1}};

    cr_expect_eq(combine_sum(t, 3), 5);
    cr_expect_eq(combine_sum(t, 0), 0);
    cr_expect(isnan(combine_sum((struct combine_term[]){{"b", 1, (double)NAN}}, 1)));
}

/* With the built-in weights nothing rescues a full loop or a full copy under F7. */
Test(combine, f7_loop_and_copy_stay_below_zero)
{
    struct combine_term t[COMBINE_PARTS] = {0};

    for (size_t k = 0; k < COMBINE_PARTS; k++)
        t[k].weight = combine_f7_weights[k];
    t[PART_COVERAGE].value = t[PART_FOCUS].value = 1;
    cr_expect_gt(combine_sum_f7(t, COMBINE_PARTS), 1);
    t[PART_COPY].value = 1;
    cr_expect_leq(combine_sum_f7(t, COMBINE_PARTS), 0);
    t[PART_COPY].value = 0;
    t[PART_REPETITION].value = 1;
    cr_expect_leq(combine_sum_f7(t, COMBINE_PARTS), 0);
    t[PART_SHORT].value = 1;
    cr_expect_eq(combine_sum_f7(t, COMBINE_PARTS), -1);
    t[PART_NO_END].value = 1;
    cr_expect_eq(combine_sum_f7(t, COMBINE_PARTS), -1.5);
}

Test(combine, scale_is_the_mean_deviation_inside_groups)
{
    struct combine_scale s = {0};

    cr_expect(isnan(combine_scale_value(&s)));
    combine_scale_add(&s, (double[]){1, 3}, 2);               /* sqrt 2 */
    combine_scale_add(&s, (double[]){5, (double)NAN, 5}, 3);  /* 0 */
    combine_scale_add(&s, (double[]){7, (double)NAN}, 2);     /* skipped */
    combine_scale_add(&s, (double[]){100, 104, 108, 104}, 4); /* sqrt(32/3) */
    cr_expect_eq(s.groups, 3);
    cr_expect_float_eq(combine_scale_value(&s), (sqrt(2) + sqrt(32.0 / 3)) / 3, 1e-12);
}

Test(turns, nan_is_left_out)
{
    const double R[] = {1, (double)NAN, 3, (double)NAN};
    const struct turn_lambda l = {TURN_UNIFORM, 0, NULL};
    double G[4];

    turns_return(G, R, 4, &l);
    cr_expect_eq(G[0], 2);
    cr_expect_eq(G[1], 3);
    cr_expect_eq(G[2], 3);
    cr_expect(isnan(G[3]));
    turns_sum(G, R, 4, &l);
    cr_expect_eq(G[0], 4);
}

/* METHOD's example: weights by turn, not divided. */
Test(turns, worked_example)
{
    const double lambda[] = {.5, .3, .2}, R[] = {.4, .6, .9}, want[] = {.56, .36, .18};
    const struct turn_lambda l = {TURN_LIST, 0, lambda};
    double G[3];

    turns_sum(G, R, 3, &l);
    for (size_t t = 0; t < 3; t++)
        cr_expect_float_eq(G[t], want[t], 1e-15);
}
