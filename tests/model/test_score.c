/*
 * Laws of scoring: packed weights and other groups in a pass change no bit, and what is wrong is
 * named.
 */
#include "model/score.h"

#include "../support/golden.h"
#include "../support/group_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a scorer gives of the fixture's group: logp, entropy, rows and outside of all. */
static float *scores(const char *name, enum model_mode mode, size_t *size)
{
    enum { T = 16, EACH = T * (P + 3) };
    struct fixture f;
    struct score_response r[N];
    struct capture_spec spec;
    struct scorer *s;
    struct err e = {0};
    float *out = zeros(N * EACH);

    open_fixture_as(&f, name, 2, mode);
    cr_assert_geq(capture_spec_parse(&spec, f.m, "all", "mean", "norm", &e), 0);
    cr_assert_geq(scorer_new(&s, f.m, &spec, 0, &e), 0);
    for (size_t n = 0; n < N; n++) {
        float *at = out + n * EACH;

        r[n] = (struct score_response){.ids = f.ids[n],
                                       .T = lengths[n],
                                       .logp = at,
                                       .entropy = at + T,
                                       .outside = at + 2 * T,
                                       .rows = at + 3 * T};
    }
    cr_assert_geq(score_group(s, f.prompt, P, r, N, &e), 0, "%s: %s", name, e.text);
    scorer_free(s);
    capture_spec_release(&spec);
    close_fixture(&f);
    *size = N * EACH * sizeof *out;
    return out;
}

/* Scoring with packed weights, as the sampler has them, is scoring: to the bit where kern
 * packs; elsewhere the weights are not packed. */
Test(score, packed_weights_score_with_the_same_bits)
{
    for (size_t k = 0; k < NAMES; k++) {
        size_t size;
        float *a = scores(names[k], MODEL_COMPUTE, &size);
        float *b = scores(names[k], MODEL_SAMPLE, &size);

        cr_expect_eq(memcmp(a, b, size), 0, "%s", names[k]);
        free(a);
        free(b);
    }
}

/* Groups of one scorer: the fixture's prompt from its first, second ... token on, with
 * sizes[k] of its responses, and an empty one where there is none. */
enum { GROUPS = 5 };
static const size_t sizes[GROUPS] = {N, 1, 2, 0, N};

struct asked {
    struct score_group g[GROUPS];
    struct score_response r[GROUPS][N];
    float logp[GROUPS][N][16], entropy[GROUPS][N][16], rows[GROUPS][N][16 * P],
        outside[GROUPS][N][16];
};

static struct asked *ask(const struct fixture *f)
{
    struct asked *a = calloc(1, sizeof *a);

    for (size_t k = 0; k < GROUPS; k++) {
        const size_t n = sizes[k] ? sizes[k] : 1;

        for (size_t i = 0; i < n; i++)
            a->r[k][i] =
                (struct score_response){.ids = f->ids[(i + k) % N],
                                        .T = sizes[k] ? lengths[(i + k) % N] : 0,
                                        .temperature = 0.7f,
                                        .logp = a->logp[k][i],
                                        .entropy = a->entropy[k][i],
                                        .rows = a->rows[k][i],
                                        .outside = a->outside[k][i]};
        a->g[k] = (struct score_group){f->prompt + k, P - k, a->r[k], n};
    }
    return a;
}

/* Scores them with passes of max_rows, one by one or all in one call. */
enum ways { ONE_BY_ONE, TOGETHER };
static struct asked *answer(const struct fixture *f, enum ways way, size_t max_rows)
{
    struct asked *a = ask(f);
    struct capture_spec spec;
    struct scorer *s;
    struct err e = {0};
    size_t done = 0;

    cr_assert_geq(capture_spec_parse(&spec, f->m, "all", "mean", "norm", &e), 0);
    cr_assert_geq(scorer_new(&s, f->m, &spec, max_rows, &e), 0);
    for (size_t k = 0; way == ONE_BY_ONE && k < GROUPS; k++)
        cr_assert_geq(
            score_group(s, a->g[k].prompt, a->g[k].P, a->g[k].resp, a->g[k].n, &e), 0,
            "%s", e.text);
    if (way == TOGETHER) {
        cr_assert_geq(score_groups(s, a->g, GROUPS, &done, &e), 0, "%s", e.text);
        cr_expect_eq(done, GROUPS);
    }
    scorer_free(s);
    capture_spec_release(&spec);
    return a;
}

/* Groups get the same numbers alone, together, and in several passes each. */
Test(score, groups_do_not_see_each_other)
{
    static const size_t rows[] = {0, 1, P + 2, 2 * P + 15, 30};

    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f;

        open_fixture_as(&f, names[k], 2, MODEL_SAMPLE);
        struct asked *one = answer(&f, ONE_BY_ONE, 0);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct asked *all = answer(&f, TOGETHER, rows[i]);
            const size_t n = sizeof one->logp / sizeof(float);

            cr_expect(memcmp(one->logp, all->logp, sizeof one->logp) == 0 &&
                          memcmp(one->entropy, all->entropy, sizeof one->entropy) ==
                              0 &&
                          memcmp(one->rows, all->rows, sizeof one->rows) == 0 &&
                          memcmp(one->outside, all->outside, sizeof one->outside) == 0,
                      "%s, passes of %zu: %g", names[k], rows[i],
                      worst_difference(one->logp[0][0], all->logp[0][0], n));
            free(all);
        }
        cr_expect_lt(one->logp[GROUPS - 1][N - 1][0], 0);
        free(one);
        close_fixture(&f);
    }
}

/* A prompt of one token and two answers, of two tokens each or `longer`: of the first answer's second
 * token what the scorer gives. */
struct second {
    float logp, row, outside;
};

static struct second second_token(const struct fixture *f, size_t longer)
{
    const int32_t *ids = f->prompt + 1;
    float logp[2][4], entropy[2][4], rows[2][4], outside[2][4];
    struct score_response r[2];
    struct capture_spec spec;
    struct scorer *s;
    struct err e = {0};

    for (size_t i = 0; i < 2; i++)
        r[i] = (struct score_response){.ids = ids,
                                       .T = i ? longer : 2,
                                       .logp = logp[i],
                                       .entropy = entropy[i],
                                       .rows = rows[i],
                                       .outside = outside[i]};
    cr_assert_geq(capture_spec_parse(&spec, f->m, "all", "mean", "mean", &e), 0);
    cr_assert_geq(scorer_new(&s, f->m, &spec, 0, &e), 0);
    cr_assert_geq(score_group(s, f->prompt, 1, r, 2, &e), 0, "%s", e.text);
    scorer_free(s);
    capture_spec_release(&spec);
    return (struct second){logp[0][1], rows[0][1], outside[0][1]};
}

/* All rows of a pass may be single ones, and a prompt's key is there before an answer looks at
 * it. */
Test(score, a_prompt_may_be_one_token)
{
    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f;

        open_fixture_as(&f, names[k], 2, MODEL_SAMPLE);
        const struct second a = second_token(&f, 2), b = second_token(&f, 4);

        cr_expect(a.logp == b.logp && a.row == b.row && a.outside == b.outside,
                  "%s: %g %g", names[k], (double)a.logp, (double)b.logp);
        cr_expect_float_eq(a.row + a.outside, 1, 1e-5, "%s", names[k]);
        close_fixture(&f);
    }
}

/* The groups before the one at fault keep what they got, whether it is found before the
 * pass, or behind it in what a token's embedding of NaN makes of the rows. */
Test(score, the_group_at_fault_is_named)
{
    static const struct {
        int32_t ids[2];
        int code;
        const char *what;
    } faults[] = {{{1, -3}, ERR_RECORD, "-3"}, {{99, 1}, ERR_NUMERIC, "not"}};
    struct fixture f;
    struct scorer *s;
    struct err e = {0};
    size_t done;

    open_fixture(&f, "llama3-tiny", 2);
    struct asked *right = answer(&f, ONE_BY_ONE, 0);
    for (size_t c = 0; c < f.m->arch.C; c++)
        f.m->params[f.m->embed + 99 * f.m->arch.C + c] = NAN;
    for (size_t i = 0; i < 2 * GROUPS; i++) {
        const size_t k = i / 2;
        struct asked *a = ask(&f);

        cr_assert_geq(scorer_new(&s, f.m, NULL, 0, &e), 0);
        a->r[k][0].ids = faults[i % 2].ids;
        a->r[k][0].T = 2;
        cr_expect_eq(score_groups(s, a->g, GROUPS, &done, &e), faults[i % 2].code);
        cr_expect_eq(done, k);
        cr_expect(strstr(e.text, faults[i % 2].what), "%s", e.text);
        cr_expect_eq(memcmp(a->logp, right->logp, k * sizeof *a->logp), 0, "%zu", k);
        scorer_free(s);
        free(a);
    }
    free(right);
    close_fixture(&f);
}

Test(score, bad_records_are_named)
{
    struct fixture f;
    struct scorer *s;
    struct err e = {0};
    int32_t bad[] = {1, -3};
    float logp[2];
    struct score_response r = {.ids = bad, .T = 2, .logp = logp};

    open_fixture(&f, "llama3-tiny", 1);
    cr_assert_geq(scorer_new(&s, f.m, NULL, 0, &e), 0);
    cr_expect_eq(score_group(s, f.prompt, P, &r, 1, &e), ERR_RECORD);
    cr_expect(strstr(e.text, "-3"), "%s", e.text);
    bad[1] = (int32_t)f.m->arch.V;
    cr_expect_eq(score_group(s, f.prompt, P, &r, 1, &e), ERR_RECORD);
    bad[1] = 0;
    f.m->arch.context = P;
    cr_expect_eq(score_group(s, f.prompt, P, &r, 1, &e), ERR_RECORD);
    cr_expect(strstr(e.text, "context"), "%s", e.text);
    cr_expect_eq(score_group(s, f.prompt, 0, &r, 1, &e), ERR_RECORD);
    scorer_free(s);
    close_fixture(&f);
}
