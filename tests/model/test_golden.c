/*
 * Whole models against PyTorch (float64 from the same weights): hidden states, logits,
 * attentions, log-probabilities, entropies, losses, gradients.  Tolerances are those of
 * the golden data's README.
 */
#include "../support/golden_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const families[] = {
#define DECODER(name) name,
#define STORED(name) name,
#define ADAPTER(name) name,
#define CACHED(name) name,
#include "../golden/models.h"
};
/* The last one comes token by token from a cache: it has logits only. */
enum { FAMILIES = sizeof families / sizeof *families, WHOLE = FAMILIES - 1, SEQS = 2 };

struct fixture {
    struct golden_model g;
    int32_t *ids[SEQS];
    size_t T[SEQS];
};

static void open_fixture(struct fixture *f, size_t i)
{
    struct err e = {0};

    golden_model_open(&f->g, families[i]);
    for (int s = 0; s < SEQS; s++) {
        f->ids[s] = golden_ids(&f->g.want, &f->T[s], "s%d.input_ids", s);
        cr_assert_eq(batch_add(&f->g.b, BATCH_ALONE, f->ids[s], f->T[s], &e), s);
    }
}

static void close_fixture(struct fixture *f)
{
    for (int s = 0; s < SEQS; s++)
        free(f->ids[s]);
    golden_model_close(&f->g);
}

static void check_states(struct fixture *f, const struct pass *p, const float *hidden)
{
    const struct arch *a = &f->g.m->arch;

    for (int s = 0; s < SEQS; s++) {
        const size_t at = f->g.b.seqs[s].row0 * a->C;

        for (size_t l = 0; l <= a->L; l++)
            golden_compare(&f->g, pass_residual(p, l) + at, 1e-4, "s%d.hidden.%zu", s,
                           l);
        golden_compare(&f->g, hidden + at, 1e-4, "s%d.norm", s);
    }
}

ParameterizedTestParameters(golden, forward)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, golden, forward)
{
    struct fixture f;
    struct pass *p;
    struct head *h;
    const float *hidden;
    struct err e = {0};

    open_fixture(&f, *i);
    cr_assert_geq(pass_new(&p, f.g.m, 0, PASS_TRAIN, &e), 0);
    cr_assert_geq(head_new(&h, f.g.m, HEAD_TRAIN, 0, &e), 0);
    cr_assert_geq(pass_forward(p, &f.g.b, NULL, &hidden, &e), 0, "%s", e.text);
    if (*i < WHOLE)
        check_states(&f, p, hidden);
    for (int s = 0; s < SEQS; s++)
        golden_check_head(&f.g, h, hidden,
                          &(struct golden_rows){s, f.g.b.seqs[s].row0, f.T[s],
                                                f.T[s] - 1, f.ids[s] + 1});
    head_free(h);
    pass_free(p);
    close_fixture(&f);
}

ParameterizedTestParameters(golden, attention)
{
    return each_index(WHOLE);
}
ParameterizedTest(size_t *i, golden, attention)
{
    struct fixture f;
    struct pass *p;
    struct err e = {0};

    open_fixture(&f, *i);
    cr_assert_geq(pass_new(&p, f.g.m, 0, PASS_SCORE, &e), 0);
    for (int s = 0; s < SEQS; s++)
        golden_check_attention(&f.g, p, s, f.T[s]);
    pass_free(p);
    close_fixture(&f);
}

/* Over both sequences. */
static double loss_gradient(struct fixture *f, float *grads)
{
    const size_t n = f->T[0] + f->T[1] - SEQS;
    struct head_item *items = calloc(n, sizeof *items);
    size_t k = 0;

    for (int s = 0; s < SEQS; s++)
        for (size_t t = 0; t + 1 < f->T[s]; t++)
            items[k++] =
                (struct head_item){f->g.b.seqs[s].row0 + t, f->ids[s][t + 1], 1.0f};
    const double loss = golden_loss_gradient(&f->g, items, n, PASS_NEXT, grads);
    free(items);
    return loss;
}

static void check_gradient(const struct fixture *f, const struct plan_param *p,
                           const float *grads)
{
    const size_t n = p->rows * p->cols;
    float *got = floats(n);
    size_t count;
    float *want = golden_must(&f->g.want, &count, "grad.%s", p->name);

    cr_assert_eq(count, n);
    plan_export(model_trained(f->g.m), p, got, grads + p->offset);
    const double d = worst_difference(got, want, n);
    cr_expect_leq(d, 1e-4, "%s: grad.%s differs by %g", f->g.name, p->name, d);
    free(got);
    free(want);
}

ParameterizedTestParameters(golden, gradients)
{
    return each_index(WHOLE);
}
ParameterizedTest(size_t *i, golden, gradients)
{
    struct fixture f;
    size_t n, named = 0;

    open_fixture(&f, *i);
    float *want = golden_floats(&f.g.want, &n, "loss");
    if (want) {
        const struct plan *plan = model_trained(f.g.m);
        float *grads = zeros(plan->size);
        const double loss = loss_gradient(&f, grads);

        cr_expect_leq(fabs(loss - *want), 2e-5, "%s: loss %g, not %g", f.g.name, loss,
                      *want);
        for (size_t j = 0; j < f.g.want.n; j++)
            named += strncmp(f.g.want.entries[j].name, "grad.", 5) == 0;
        /* gpt2-f16, llama-bf16, llama-sharded have a loss only */
        cr_expect(named == plan->n || named == 0);
        for (size_t j = 0; named && j < plan->n; j++)
            check_gradient(&f, &plan->param[j], grads);
        free(grads);
    }
    free(want);
    close_fixture(&f);
}

/* ---- GGUF -------------------------------------------------------------------------- */

/* The logits of a file against those of its weights in Hugging Face's arithmetic. */
static void check_gguf(const char *dir, const char *file)
{
    struct golden_model g;
    const float *hidden;
    struct pass *p;
    struct head *h;
    struct err e = {0};
    char name[64];
    size_t T;

    snprintf(name, sizeof name, "%s/%s.gguf", dir, file);
    golden_model_open_of(&g, name, dir);
    int32_t *ids = golden_ids(&g.want, &T, "%s.input_ids", file);
    cr_assert_eq(batch_add(&g.b, BATCH_ALONE, ids, T, &e), 0);
    cr_assert_geq(pass_new(&p, g.m, 0, PASS_SCORE, &e), 0);
    cr_assert_geq(head_new(&h, g.m, HEAD_SCORE, 0, &e), 0);
    cr_assert_geq(pass_forward(p, &g.b, NULL, &hidden, &e), 0, "%s", e.text);
    float *z = floats(T * g.m->arch.V);
    head_logits(h, hidden, 0, T, z);
    golden_compare(&g, z, 1e-4, "%s.logits", file);
    free(z);
    free(ids);
    head_free(h);
    pass_free(p);
    golden_model_close(&g);
}

Test(golden, gguf)
{
    static const struct {
        const char *dir, *file;
    } files[] = {
        {"gguf", "llama-tiny-f32"},
        {"gguf", "llama-tiny-f16"},
        {"gguf", "llama-q8_0"},
        {"gguf", "llama-q4_1"},
        {"gguf", "qwen2-tiny-f32"},
        {"gguf-families", "qwen3-tiny"},
        {"gguf-families", "gptneox-tiny"},
        {"gguf-families", "gptneox-seq-tiny"},
        {"gguf-families", "gemma-tiny"},
        {"gguf-families", "gemma2-tiny"},
        {"gguf-families", "gemma3-tiny"},
        {"gguf-families", "olmo2-tiny"},
        {"gguf-families", "phi3-tiny"},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_gguf(files[i].dir, files[i].file);
}
