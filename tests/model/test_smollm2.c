/*
 * The real SmolLM2-135M-Instruct against torch on the same dequantised weights.  Skipped
 * with a line if the file is not there: CAGSR_SMOLLM2, or build/models/.
 */
#include "base/file.h"
#include "base/json.h"
#include "model/generate.h"
#include "model/head.h"
#include "model/pass.h"
#include "model/score.h"

#include "../support/golden.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *find_model(void)
{
    const char *env = getenv("CAGSR_SMOLLM2");
    char *path = NULL;
    glob_t g;

    if (env)
        return file_exists(env) ? strdup(env) : NULL;
    if (glob("build/models/SmolLM2-135M-Instruct*.gguf", 0, NULL, &g) == 0)
        path = strdup(g.gl_pathv[0]);
    globfree(&g);
    return path;
}

static size_t ids_of(int32_t *out, const json_t *row, const char *key)
{
    const json_t *a = json_object_get(row, key);

    cr_assert(json_array_size(a) < 256);
    for (size_t i = 0; i < json_array_size(a); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(a, i));
    return json_array_size(a);
}

static double number(const json_t *a, size_t i)
{
    return json_number_value(json_array_get(a, i));
}

static void check_logp(struct model *m, const json_t *row)
{
    const json_t *want = json_object_get(row, "response_logp");
    int32_t prompt[256], ids[256];
    const size_t P = ids_of(prompt, row, "prompt_ids");
    const size_t T = ids_of(ids, row, "response_ids");
    static const char *const layers[] = {"0", "14", "29"};
    float logp[256];
    struct err e = {0};

    for (size_t k = 0; k < 3; k++) {
        struct capture_spec spec;
        struct scorer *s;
        float *rows = floats(T * P), *outside = floats(T);
        struct score_response r = {.ids = ids,
                                   .T = T,
                                   .temperature = 1,
                                   .logp = logp,
                                   .rows = rows,
                                   .outside = outside};
        const json_t *a = json_object_get(
            json_object_get(row, "attention_mean_over_heads"), layers[k]);

        cr_assert_geq(capture_spec_parse(&spec, m, layers[k], "mean", NULL, &e), 0);
        cr_assert_geq(scorer_new(&s, m, &spec, 0, &e), 0);
        cr_assert_geq(score_group(s, prompt, P, &r, 1, &e), 0, "%s", e.text);
        for (size_t t = 0; t < T && t < json_array_size(a); t++)
            for (size_t j = 0; j < P; j++)
                cr_expect_float_eq(rows[t * P + j], number(json_array_get(a, t), j),
                                   2e-5);
        for (size_t t = 0; t < T && t < json_array_size(want); t++)
            cr_expect_float_eq(logp[t], number(want, t), 5e-4);
        scorer_free(s);
        capture_spec_release(&spec);
        free(rows);
        free(outside);
    }
}

static void check_top(struct model *m, const json_t *row)
{
    int32_t prompt[256];
    const size_t P = ids_of(prompt, row, "prompt_ids"), V = m->arch.V;
    const json_t *top = json_object_get(row, "top5");
    float *z = floats(V);
    struct batch b = {0};
    struct pass *p;
    struct head *h;
    const float *hidden;
    struct err e = {0};
    double sum = 0;

    cr_assert_eq(batch_add(&b, BATCH_ALONE, prompt, P, &e), 0);
    cr_assert_geq(pass_new(&p, m, 0, PASS_SCORE, &e), 0);
    cr_assert_geq(head_new(&h, m, HEAD_SCORE, 0, &e), 0);
    cr_assert_geq(pass_forward(p, &b, NULL, &hidden, &e), 0);
    head_logits(h, hidden, P - 1, 1, z);
    for (size_t i = 0; i < json_array_size(top); i++) {
        const json_t *pair = json_array_get(top, i);

        cr_expect_float_eq(z[(size_t)number(pair, 0)], number(pair, 1), 5e-4);
    }
    for (size_t v = 0; v < V; v++)
        sum += exp(z[v]);
    cr_expect_float_eq(log(sum), json_number_value(json_object_get(row, "logsumexp")),
                       5e-4);
    batch_release(&b);
    pass_free(p);
    head_free(h);
    free(z);
}

struct one {
    const int32_t *ids;
    size_t P;
};

static int one_prompt(void *ctx, struct generate_prompt *p, struct err *e)
{
    struct one *o = ctx;

    (void)e;
    *p = (struct generate_prompt){o->ids, o->P, 0, 1, NULL};
    return o->P ? (o->P = 0, 1) : 0;
}

static void check_greedy(struct model *m, const json_t *row)
{
    int32_t prompt[256], want[256];
    struct one o = {prompt, ids_of(prompt, row, "prompt_ids")};
    const size_t T = ids_of(want, row, "greedy_ids");
    const json_t *margin = json_object_get(row, "greedy_margin");
    const struct generate_completion *c;
    struct generator *g;
    struct err e = {0};

    cr_assert_geq(generator_new(&g, m,
                                &(struct generate_opts){.rows = 2,
                                                        .max_tokens = T,
                                                        .sample = {.top_p = 1},
                                                        .source = one_prompt,
                                                        .ctx = &o},
                                &e),
                  0);
    cr_assert_eq(generator_next(g, &c, &e), 1, "%s", e.text);
    for (size_t t = 0; t < T && number(margin, t) > 1e-3; t++)
        cr_expect_eq(c->ids[t], want[t], "token %zu", t);
    generator_free(g);
}

static void each_row(enum model_mode mode,
                     void (*check)(struct model *, const json_t *))
{
    char *path = find_model(), golden[GOLDEN_PATH];
    struct machine mc;
    struct model *m;
    struct err e = {0};
    json_t *want;

    if (!path)
        cr_skip_test("no SmolLM2: set CAGSR_SMOLLM2 to its .gguf file");
    cr_assert(machine_new(&mc, 2, NULL));
    cr_assert_geq(
        json_read_file(&want, golden_path(golden, "smollm2/expected.json"), &e), 0,
        "%s", e.text);
    cr_assert_geq(model_open(&m, path, mc.k, mode, &e), 0, "%s", e.text);
    const json_t *rows = json_object_get(want, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++)
        check(m, json_array_get(rows, i));
    json_decref(want);
    model_close(m);
    machine_free(&mc);
    free(path);
}

Test(smollm2, log_probabilities_and_attention)
{
    each_row(MODEL_COMPUTE, check_logp);
}

Test(smollm2, logits)
{
    each_row(MODEL_COMPUTE, check_top);
}

Test(smollm2, greedy)
{
    each_row(MODEL_SAMPLE, check_greedy);
}
