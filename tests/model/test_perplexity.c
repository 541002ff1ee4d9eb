/*
 * Perplexity of texts against PyTorch, and what a mask and a token in front change.
 */
#include "../support/golden_model.h"

#include "base/file.h"
#include "base/json.h"
#include "model/perplexity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct golden_model g;
    struct scorer *s;
    int32_t *ids[2];
    float *logp[2]; /* of ids[1] .. ids[T-1] */
    size_t T[2];
};

static void open_fixture(struct fixture *f)
{
    struct err e = {0};
    size_t n;

    golden_model_open(&f->g, "llama-tiny");
    cr_assert_geq(scorer_new(&f->s, f->g.m, NULL, 0, &e), 0);
    for (int s = 0; s < 2; s++) {
        f->ids[s] = golden_ids(&f->g.want, &f->T[s], "s%d.input_ids", s);
        f->logp[s] = golden_must(&f->g.want, &n, "s%d.logp_t10", s);
        cr_assert_eq(n, f->T[s] - 1);
    }
}

static void close_fixture(struct fixture *f)
{
    for (int s = 0; s < 2; s++) {
        free(f->ids[s]);
        free(f->logp[s]);
    }
    scorer_free(f->s);
    golden_model_close(&f->g);
}

/* Of a corpus of two texts; "loss" is the mean over the tokens of both. */
Test(perplexity, of_a_corpus)
{
    struct fixture f;
    struct perplexity p = {0};
    struct err e = {0};
    size_t n;

    open_fixture(&f);
    cr_expect(isnan(perplexity_value(&p)));
    for (int s = 0; s < 2; s++)
        cr_assert_geq(perplexity_text(&p, f.s, -1, f.ids[s], NULL, f.T[s], &e), 0, "%s",
                      e.text);
    float *loss = golden_must(&f.g.want, &n, "loss");
    cr_expect_eq(p.tokens, f.T[0] + f.T[1] - 2);
    cr_expect_float_eq(log(perplexity_value(&p)), *loss, 2e-5);
    free(loss);
    close_fixture(&f);
}

/* Every third token; the first one never, for nothing is in front of it. */
Test(perplexity, of_what_a_mask_says)
{
    struct fixture f;
    struct perplexity p = {0};
    struct err e = {0};
    uint8_t scored[64] = {0};
    double sum = 0;
    size_t tokens = 0;

    open_fixture(&f);
    cr_assert(f.T[0] <= sizeof scored);
    for (size_t t = 0; t < f.T[0]; t += 3) {
        scored[t] = 7;
        sum += t ? f.logp[0][t - 1] : 0;
        tokens += t > 0;
    }
    cr_assert_geq(perplexity_text(&p, f.s, -1, f.ids[0], scored, f.T[0], &e), 0);
    cr_expect_eq(p.tokens, tokens);
    cr_expect_float_eq(p.logp, sum, 1e-4 * (double)tokens);
    close_fixture(&f);
}

/* A token put in front is the text's context and is not scored; one that is there already
 * is not put in front again. */
Test(perplexity, of_a_text_behind_its_beginning)
{
    struct fixture f;
    struct perplexity put = {0}, there = {0};
    struct err e = {0};
    uint8_t scored[64] = {1, 1, 0, 1};

    open_fixture(&f);
    const int32_t *ids = f.ids[0];
    cr_assert_neq(ids[0], ids[1]);
    cr_assert_geq(perplexity_text(&put, f.s, ids[0], ids + 1, NULL, f.T[0] - 1, &e), 0);
    cr_assert_geq(perplexity_text(&there, f.s, ids[0], ids, NULL, f.T[0], &e), 0);
    cr_expect_eq(put.tokens, f.T[0] - 1);
    cr_expect_eq(there.tokens, f.T[0] - 1);
    cr_expect_eq(put.logp, there.logp);

    put = there = (struct perplexity){0}; /* a mask belongs to the text given */
    cr_assert_geq(perplexity_text(&put, f.s, ids[0], ids + 1, scored + 1, 5, &e), 0);
    cr_assert_geq(perplexity_text(&there, f.s, ids[0], ids, scored, 6, &e), 0);
    cr_expect_eq(put.tokens, 2);
    cr_expect_eq(put.logp, there.logp);
    close_fixture(&f);
}

Test(perplexity, of_nothing)
{
    struct fixture f;
    struct perplexity p = {-3, 2};
    struct err e = {0};

    open_fixture(&f);
    cr_expect_eq(perplexity_text(&p, f.s, -1, f.ids[0], NULL, 1, &e), 0);
    cr_expect_eq(perplexity_text(&p, f.s, -1, NULL, NULL, 0, &e), 0);
    cr_expect_eq(perplexity_text(&p, f.s, 5, NULL, NULL, 0, &e), 0);
    cr_expect_eq(perplexity_text(&p, f.s, 5, &(int32_t){5}, NULL, 1, &e), 0);
    cr_expect(p.logp == -3 && p.tokens == 2);
    cr_expect_eq(perplexity_text(&p, f.s, -1, (int32_t[]){1, 1 << 20}, NULL, 2, &e),
                 ERR_RECORD);
    cr_expect(p.logp == -3 && p.tokens == 2);
    close_fixture(&f);
}

Test(perplexity, of_a_decoder_only)
{
    struct golden_model g;
    struct perplexity p = {0};
    struct scorer *s;
    struct err e = {0};

    golden_model_open(&g, "t5-tiny");
    cr_assert_geq(scorer_new(&s, g.m, NULL, 0, &e), 0);
    cr_expect_eq(perplexity_text(&p, s, -1, (int32_t[]){3, 4}, NULL, 2, &e), ERR_USAGE);
    cr_expect(
        strstr(e.text, "/t5-tiny: the perplexity of a text is that of a decoder"));
    scorer_free(s);
    golden_model_close(&g);
}

/* ---- a trained model ------------------------------------------------------------------- */

static void check_text(struct scorer *s, const json_t *text, struct perplexity *corpus)
{
    const json_t *a = json_object_get(text, "ids"),
                 *logp = json_object_get(text, "logp");
    const size_t n = json_array_size(a);
    int32_t *ids = malloc(n * sizeof *ids);
    struct perplexity p = {0};
    struct err e = {0};

    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(a, i));
    /* ids[0] is the model's BOS: put in front, and there already */
    cr_assert_geq(perplexity_text(&p, s, ids[0], ids + 1, NULL, n - 1, &e), 0);
    cr_assert_geq(perplexity_text(corpus, s, ids[0], ids, NULL, n, &e), 0);
    cr_expect_eq(p.tokens, json_array_size(logp));
    const double want = json_number_value(json_object_get(text, "perplexity"));
    cr_expect_float_eq(perplexity_value(&p), want, 1e-4 * want);
    free(ids);
}

/* stories260K against float64 PyTorch: tests/golden/stories260K/convert.py. */
Test(perplexity, stories)
{
    const char *env = getenv("CAGSR_STORIES260K");
    const char *path = env ? env : "build/models/stories260K";
    struct perplexity corpus = {0};
    struct machine mc;
    struct err e = {0};
    struct model *m;
    struct scorer *s;
    json_t *texts;

    if (!file_exists(path))
        cr_skip_test("no stories260K: tests/golden/stories260K/README.md");
    cr_assert_geq(
        json_read_file(&texts, "tests/golden/stories260K/perplexity.json", &e), 0);
    cr_assert(machine_new(&mc, 1, NULL));
    cr_assert_geq(model_open(&m, path, mc.k, MODEL_COMPUTE, &e), 0, "%s", e.text);
    cr_assert_geq(scorer_new(&s, m, NULL, 0, &e), 0);
    const size_t n = json_array_size(texts) - 1;
    cr_assert_eq(n, 5);
    for (size_t i = 0; i < n; i++)
        check_text(s, json_array_get(texts, i), &corpus);
    const json_t *all = json_array_get(texts, n);
    cr_expect_eq(corpus.tokens,
                 (size_t)json_integer_value(json_object_get(all, "tokens")));
    const double want = json_number_value(json_object_get(all, "perplexity"));
    cr_expect_float_eq(perplexity_value(&corpus), want, 1e-4 * want);
    scorer_free(s);
    model_close(m);
    machine_free(&mc);
    json_decref(texts);
}
