/*
 * Reward models: a score is w . h + b of the answer's last token, however answers are
 * packed; files that are no score are refused.
 */
#include "model/pass.h"
#include "model/reward_model.h"

#include "../support/files.h"
#include "../support/golden.h"
#include "../support/machine.h"

#include "io/safetensors.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { P = 7, N = 4, T_MAX = 9, C_MAX = 256 };
static const size_t lengths[N] = {6, 1, 0, T_MAX};

struct fixture {
    struct machine mc;
    struct model *m;
    char *dir;
    float w[C_MAX + 1]; /* the bias is the last one, w[C] */
    int32_t prompt[P], ids[N][T_MAX];
};

static void write_score(const struct fixture *f, const char *weight, size_t C)
{
    const struct st_decl decl[] = {{weight, DTYPE_F32, 2, {1, C}},
                                   {"score.bias", DTYPE_F32, 1, {1}}};
    struct st_writer *w;
    struct err e = {0};

    unlink(path_in(f->dir, "score.safetensors"));
    cr_assert_geq(st_writer_open(&w, path_in(f->dir, "score.safetensors"), decl, 2, &e),
                  0, "%s", e.text);
    const int rc = st_writer_put(w, f->w, C + 1, &e);
    cr_assert_geq(st_writer_close(w, rc, &e), 0, "%s", e.text);
}

static void open_fixture(struct fixture *f, const char *name)
{
    char path[GOLDEN_PATH];
    struct err e = {0};

    cr_assert(machine_new(&f->mc, 1, NULL));
    cr_assert_geq(
        model_open(&f->m, golden_path(path, name), f->mc.k, MODEL_COMPUTE, &e), 0, "%s",
        e.text);
    const size_t C = f->m->arch.C, V = f->m->arch.V;
    cr_assert_leq(C, C_MAX);
    for (size_t c = 0; c <= C; c++)
        f->w[c] = (float)((c * 37 + 11) % 101) / 101 - 0.4f;
    for (size_t i = 0; i < P; i++)
        f->prompt[i] = (int32_t)((i * 31 + 5) % V);
    for (size_t n = 0; n < N; n++)
        for (size_t t = 0; t < lengths[n]; t++)
            f->ids[n][t] = (int32_t)((n * 17 + t * 13 + 1) % V);
    f->dir = scratch_make();
}

static void close_fixture(struct fixture *f)
{
    model_close(f->m);
    machine_free(&f->mc);
    scratch_remove(f->dir);
}

/* The definition, with a sequence of its own for every answer. */
static double by_hand(const struct fixture *f, size_t n)
{
    const size_t C = f->m->arch.C;
    struct batch b = {0};
    struct pass *p;
    const float *hidden;
    struct err e = {0};
    int prompt;

    cr_assert_geq(pass_new(&p, f->m, 0, PASS_SCORE, &e), 0);
    cr_assert_geq(prompt = batch_prompt(&b, &f->m->arch, f->prompt, P, &e), 0);
    cr_assert_geq(batch_add(&b, prompt, f->ids[n], lengths[n], &e), 0);
    cr_assert_geq(pass_forward(p, &b, NULL, &hidden, &e), 0, "%s", e.text);
    double sum = (double)f->w[C];
    for (size_t c = 0; c < C; c++)
        sum += (double)f->w[c] * (double)hidden[(b.B - 1) * C + c];
    batch_release(&b);
    pass_free(p);
    return sum;
}

static const char *const models[] = {"llama-tiny", "gpt2-tiny", "t5-tiny"};

ParameterizedTestParameters(reward_model, score_of_the_last_token)
{
    static int index[] = {0, 1, 2};

    return cr_make_param_array(int, index, 3);
}

ParameterizedTest(int *model, reward_model, score_of_the_last_token)
{
    static const size_t max_rows[] = {0, 1, 12};
    struct fixture f = {0};
    struct err e = {0};

    open_fixture(&f, models[*model]);
    write_score(&f, "score.weight", f.m->arch.C);
    for (size_t k = 0; k < 3; k++) {
        struct reward_answer a[N];
        struct reward_model *r;

        for (size_t n = 0; n < N; n++)
            a[n] =
                (struct reward_answer){.ids = f.ids[n], .T = lengths[n], .score = 99};
        cr_assert_geq(reward_model_new(&r, f.m, f.dir, max_rows[k], &e), 0, "%s",
                      e.text);
        cr_assert_geq(reward_model_score(r, f.prompt, P, a, N, &e), 0, "%s", e.text);
        for (size_t n = 0; n < N; n++)
            if (lengths[n])
                cr_expect_float_eq(a[n].score, by_hand(&f, n), 1e-5,
                                   "%s, answer %zu: %g", models[*model], n, a[n].score);
            else
                cr_expect(isnan(a[n].score));
        reward_model_free(r);
    }
    close_fixture(&f);
}

Test(reward_model, what_is_no_score)
{
    struct fixture f = {0};
    struct reward_model *r;
    struct err e = {0};

    open_fixture(&f, "llama-tiny");
    const size_t C = f.m->arch.C;
    cr_expect_eq(reward_model_new(&r, f.m, f.dir, 0, &e), ERR_FILE);
    cr_expect(strstr(e.text, "not a reward model"), "%s", e.text);
    write_score(&f, "score.weight", C - 1);
    cr_expect_eq(reward_model_new(&r, f.m, f.dir, 0, &e), ERR_SHAPE);
    write_score(&f, "weight", C);
    cr_expect_eq(reward_model_new(&r, f.m, f.dir, 0, &e), ERR_SHAPE);
    f.w[C] = NAN;
    write_score(&f, "score.weight", C);
    cr_expect_eq(reward_model_new(&r, f.m, f.dir, 0, &e), ERR_NUMERIC);
    cr_expect(strstr(e.text, "score.bias"), "%s", e.text);
    cr_expect_null(r);
    close_fixture(&f);
}

Test(reward_model, what_is_no_answer)
{
    struct fixture f = {0};
    struct reward_model *r;
    struct err e = {0};

    open_fixture(&f, "llama-tiny");
    write_score(&f, "score.weight", f.m->arch.C);
    cr_assert_geq(reward_model_new(&r, f.m, f.dir, 0, &e), 0, "%s", e.text);
    struct reward_answer a = {.ids = f.ids[0], .T = lengths[0]};
    cr_expect_eq(reward_model_score(r, f.prompt, 0, &a, 1, &e), ERR_RECORD);
    f.ids[0][3] = (int32_t)f.m->arch.V;
    cr_expect_eq(reward_model_score(r, f.prompt, P, &a, 1, &e), ERR_RECORD);
    a.T = model_context(f.m);
    cr_expect_eq(reward_model_score(r, f.prompt, P, &a, 1, &e), ERR_RECORD);
    reward_model_free(r);
    close_fixture(&f);
}
