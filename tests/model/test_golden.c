/*
 * Whole models against PyTorch (float64 from the same weights): hidden states, logits,
 * attentions, log-probabilities, entropies, losses, gradients.  Tolerances are those of
 * the golden data's README.
 */
#include "model/head.h"
#include "model/pass.h"

#include "../support/golden.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
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
    const char *name;
    struct machine mc;
    struct model *m;
    struct safetensors want;
    struct batch b;
    int32_t *ids[SEQS];
    size_t T[SEQS];
};

static void open_fixture(struct fixture *f, size_t i)
{
    char path[GOLDEN_PATH], file[128];
    struct err e = {0};

    *f = (struct fixture){.name = families[i]};
    cr_assert(machine_new(&f->mc, 2, NULL));
    cr_assert_geq(
        model_open(&f->m, golden_path(path, f->name), f->mc.k, MODEL_COMPUTE, &e), 0,
        "%s", e.text);
    snprintf(file, sizeof file, "%s/expected.safetensors", f->name);
    golden_open(&f->want, file);
    for (int s = 0; s < SEQS; s++) {
        f->ids[s] = golden_ids(&f->want, &f->T[s], "s%d.input_ids", s);
        cr_assert_eq(batch_add(&f->b, BATCH_ALONE, f->ids[s], f->T[s], &e), s);
    }
}

static void close_fixture(struct fixture *f)
{
    for (int s = 0; s < SEQS; s++)
        free(f->ids[s]);
    batch_release(&f->b);
    safetensors_close(&f->want);
    model_close(f->m);
    machine_free(&f->mc);
}

static void compare(const struct fixture *f, const float *got, double allowed,
                    const char *what, int s, const char *layer)
{
    size_t n;
    float *want = golden_must(&f->want, &n, "s%d.%s%s", s, what, layer);
    const double d = worst_difference(got, want, n);

    cr_expect_leq(d, allowed, "%s: s%d.%s%s differs by %g", f->name, s, what, layer, d);
    free(want);
}

static void check_states(struct fixture *f, const struct pass *p, const float *hidden)
{
    const size_t C = f->m->arch.C;
    char layer[32];

    for (int s = 0; s < SEQS; s++) {
        const size_t at = f->b.seqs[s].row0 * C;

        for (size_t l = 0; l <= f->m->arch.L; l++) {
            snprintf(layer, sizeof layer, "%zu", l);
            compare(f, pass_residual(p, l) + at, 1e-4, "hidden.", s, layer);
        }
        compare(f, hidden + at, 1e-4, "norm", s, "");
    }
}

static void check_head(struct fixture *f, struct head *h, const float *hidden)
{
    const size_t V = f->m->arch.V;

    for (int s = 0; s < SEQS; s++) {
        const size_t T = f->T[s], row0 = f->b.seqs[s].row0;
        float *z = floats(T * V), *logp = floats(T), *entropy = floats(T);
        struct head_item *items = calloc(T, sizeof *items);

        head_logits(h, hidden, row0, T, z);
        compare(f, z, 1e-4, "logits", s, "");
        for (int hot = 0; hot < 2; hot++) {
            double loss = 0;
            size_t n;

            for (size_t t = 0; t + 1 < T; t++)
                items[t] =
                    (struct head_item){row0 + t, f->ids[s][t + 1], hot ? 1.0f : 0.7f};
            head_forward(h, hidden, items, T - 1, logp, entropy);
            compare(f, logp, 1e-4, hot ? "logp_t10" : "logp_t07", s, "");
            compare(f, entropy, 1e-4, hot ? "ent_t10" : "ent_t07", s, "");
            for (size_t t = 0; t + 1 < T; t++)
                loss -= logp[t] / (double)(T - 1);
            float *want = golden_must(&f->want, &n, "s%d.loss", s);
            cr_expect(!hot || fabs(*want - loss) <= 2e-5, "%s: loss %g, not %g",
                      f->name, loss, *want);
            free(want);
        }
        free(z);
        free(logp);
        free(entropy);
        free(items);
    }
}

ParameterizedTestParameters(golden, forward)
{
    static size_t index[FAMILIES];

    for (size_t i = 0; i < FAMILIES; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, FAMILIES);
}
ParameterizedTest(size_t *i, golden, forward)
{
    struct fixture f;
    struct pass *p;
    struct head *h;
    const float *hidden;
    struct err e = {0};

    open_fixture(&f, *i);
    cr_assert_geq(pass_new(&p, f.m, 0, PASS_TRAIN, &e), 0);
    cr_assert_geq(head_new(&h, f.m, &e), 0);
    cr_assert_geq(pass_forward(p, &f.b, NULL, &hidden, &e), 0, "%s", e.text);
    if (*i < WHOLE)
        check_states(&f, p, hidden);
    check_head(&f, h, hidden);
    head_free(h);
    pass_free(p);
    close_fixture(&f);
}

/* Rows of one layer's attention, each head apart, from the capture. */
static void check_attention(struct fixture *f, struct pass *p, int s)
{
    const size_t L = f->m->arch.L, H = f->m->arch.H, T = f->T[s];
    float *rows = zeros(L * H * T * T), *outside = zeros(L * H * T);
    struct capture_row *row = calloc(f->b.B, sizeof *row);
    struct capture_spec spec;
    struct err e = {0};
    const float *hidden;
    char layer[32];

    cr_assert_geq(capture_spec_parse(&spec, f->m, "all", "each", NULL, &e), 0);
    for (size_t t = 0; t < T; t++)
        row[f->b.seqs[s].row0 + t] =
            (struct capture_row){rows + t * T, outside + t, T, T * T, T};
    struct capture c = {&spec, row};
    cr_assert_geq(pass_forward(p, &f->b, &c, &hidden, &e), 0, "%s", e.text);
    for (size_t l = 0; l < L; l++) {
        snprintf(layer, sizeof layer, "%zu", l);
        compare(f, rows + l * H * T * T, 2e-5, "attn.", s, layer);
    }
    capture_spec_release(&spec);
    free(rows);
    free(outside);
    free(row);
}

ParameterizedTestParameters(golden, attention)
{
    static size_t index[WHOLE];

    for (size_t i = 0; i < WHOLE; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, WHOLE);
}
ParameterizedTest(size_t *i, golden, attention)
{
    struct fixture f;
    struct pass *p;
    struct err e = {0};

    open_fixture(&f, *i);
    cr_assert_geq(pass_new(&p, f.m, 0, PASS_SCORE, &e), 0);
    for (int s = 0; s < SEQS; s++)
        check_attention(&f, p, s);
    pass_free(p);
    close_fixture(&f);
}

/* The gradient of the mean of -logp over both sequences, into a block. */
static double loss_gradient(struct fixture *f, float *grads)
{
    const size_t n = f->T[0] + f->T[1] - SEQS;
    struct head_item *items = calloc(n, sizeof *items);
    float *logp = floats(n), *dlogp = floats(n);
    float *dh = zeros(f->b.B * f->m->arch.C);
    const float *hidden;
    struct pass *p;
    struct head *h;
    struct err e = {0};
    double loss = 0;
    size_t k = 0;

    cr_assert_geq(pass_new(&p, f->m, 0, PASS_TRAIN, &e), 0);
    cr_assert_geq(head_new(&h, f->m, &e), 0);
    for (int s = 0; s < SEQS; s++)
        for (size_t t = 0; t + 1 < f->T[s]; t++, k++) {
            items[k] =
                (struct head_item){f->b.seqs[s].row0 + t, f->ids[s][t + 1], 1.0f};
            dlogp[k] = -1.0f / (float)n;
        }
    cr_assert_geq(pass_forward(p, &f->b, NULL, &hidden, &e), 0, "%s", e.text);
    head_forward(h, hidden, items, n, logp, NULL);
    head_backward(h, hidden, items, n, dlogp, NULL, dh, grads);
    pass_backward(p, &f->b, dh, grads);
    for (k = 0; k < n; k++)
        loss -= logp[k] / (double)n;
    free(items);
    free(logp);
    free(dlogp);
    free(dh);
    head_free(h);
    pass_free(p);
    return loss;
}

static void check_gradient(const struct fixture *f, const struct plan_param *p,
                           const float *grads)
{
    const size_t n = p->rows * p->cols;
    float *got = floats(n);
    size_t count;
    float *want = golden_must(&f->want, &count, "grad.%s", p->name);

    cr_assert_eq(count, n);
    plan_export(model_trained(f->m), p, got, grads + p->offset);
    const double d = worst_difference(got, want, n);
    cr_expect_leq(d, 1e-4, "%s: grad.%s differs by %g", f->name, p->name, d);
    free(got);
    free(want);
}

ParameterizedTestParameters(golden, gradients)
{
    static size_t index[WHOLE];

    for (size_t i = 0; i < WHOLE; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, WHOLE);
}
ParameterizedTest(size_t *i, golden, gradients)
{
    struct fixture f;
    size_t n, named = 0;

    open_fixture(&f, *i);
    float *want = golden_floats(&f.want, &n, "loss");
    if (want) {
        const struct plan *plan = model_trained(f.m);
        float *grads = zeros(plan->size);
        const double loss = loss_gradient(&f, grads);

        cr_expect_leq(fabs(loss - *want), 2e-5, "%s: loss %g, not %g", f.name, loss,
                      *want);
        for (size_t j = 0; j < f.want.n; j++)
            named += strncmp(f.want.entries[j].name, "grad.", 5) == 0;
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
    char path[GOLDEN_PATH], name[64];
    struct fixture f = {.name = file};
    const float *hidden;
    struct pass *p;
    struct head *h;
    struct err e = {0};
    size_t n, T;

    snprintf(name, sizeof name, "%s/expected.safetensors", dir);
    golden_open(&f.want, name);
    cr_assert(machine_new(&f.mc, 2, NULL));
    snprintf(name, sizeof name, "%s/%s.gguf", dir, file);
    cr_assert_geq(model_open(&f.m, golden_path(path, name), f.mc.k, MODEL_COMPUTE, &e),
                  0, "%s", e.text);
    int32_t *ids = golden_ids(&f.want, &T, "%s.input_ids", file);
    float *logits = golden_must(&f.want, &n, "%s.logits", file);
    cr_assert_eq(batch_add(&f.b, BATCH_ALONE, ids, T, &e), 0);
    cr_assert_geq(pass_new(&p, f.m, 0, PASS_SCORE, &e), 0);
    cr_assert_geq(head_new(&h, f.m, &e), 0);
    cr_assert_geq(pass_forward(p, &f.b, NULL, &hidden, &e), 0, "%s", e.text);
    cr_assert_eq(n, T * f.m->arch.V);
    float *z = floats(n);
    head_logits(h, hidden, 0, T, z);
    cr_expect_leq(worst_difference(z, logits, n), 1e-4, "%s: %g", file,
                  worst_difference(z, logits, n));
    free(z);
    free(ids);
    free(logits);
    head_free(h);
    pass_free(p);
    close_fixture(&f);
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
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_gguf(files[i].dir, files[i].file);
}
