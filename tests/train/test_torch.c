/*
 * Gradients and AdamW steps of the tiny golden models against torch, through train/step.
 */
#include "../support/golden_model.h"
#include "bench.h"
#include "io/safetensors.h"
#include "optim/clipnorm.h"

static const char *const families[] = {
#define DECODER(name) name,
#define ADAPTER(name) name,
#define ENCDEC(name) name,
#include "../golden/models.h"
};
enum { NFAMILIES = sizeof families / sizeof *families };

static const struct st_entry *entry(const struct safetensors *st, const char *name)
{
    const struct st_entry *x = safetensors_find(st, name);

    cr_assert_not_null(x, "golden file lacks %s", name);
    return x;
}

static float number(const struct safetensors *st, const char *name, size_t i)
{
    float v;

    memcpy(&v, entry(st, name)->data + i * sizeof v, sizeof v);
    return v;
}

static int32_t *ids_of(const struct safetensors *st, size_t *n, const char *what, int s)
{
    char name[32];

    snprintf(name, sizeof name, "s%d.%s", s, what);
    const struct st_entry *x = entry(st, name);
    int32_t *ids = malloc(x->count * sizeof *ids);
    memcpy(ids, x->data, x->count * sizeof *ids);
    *n = x->count;
    return ids;
}

/* Each golden sequence is a prompt of one token and an answer, or a prompt for the encoder
 * and its labels: the loss is the mean over all next tokens of both. */
static void golden_batch(struct bench *b, const struct safetensors *st)
{
    for (int s = 0; s < 2; s++) {
        size_t P, T;
        int32_t *ids = ids_of(st, &P, "input_ids", s);
        int32_t *labels = b->m->encoder ? ids_of(st, &T, "labels", s) : NULL;
        const struct train_new n = {.T = labels ? T : P - 1,
                                    .ids = labels ? labels : ids + 1,
                                    .reward = NAN,
                                    .temperature = 1,
                                    .ended = 1};
        ok(b, train_data_group(&b->d, ids, labels ? P : 1, &b->e));
        ok(b, train_data_cand(&b->d, &n, &b->e));
        free(ids);
        free(labels);
    }
}

/* Key biases have no gradient on paper: rounding noise that Adam scales up. */
static double tolerance_of(const char *name)
{
    return strstr(name, "c_attn.bias") || strstr(name, "k_proj.bias") ? 3e-3 : 3e-4;
}

static void compare_block(const struct model *m, const float *block,
                          const struct safetensors *st, const char *prefix, double tol)
{
    for (size_t i = 0; i < model_trained(m)->n; i++) {
        const struct plan_param *p = &model_trained(m)->param[i];
        char name[512];

        if (p->flags & PLAN_FROZEN) /* torch has no gradient for it */
            continue;
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const struct st_entry *x = entry(st, name);
        cr_assert_eq(x->count, p->rows * p->cols);
        float *theirs = malloc(x->count * sizeof *theirs);
        double worst = 0;
        plan_export(model_trained(m), p, theirs, block + p->offset);
        for (size_t k = 0; k < x->count; k++)
            worst = fmax(worst, fabs((double)number(st, name, k) - theirs[k]));
        free(theirs);
        cr_expect_leq(worst, tol > 0 ? tol : tolerance_of(p->name), "%s: off by %g",
                      name, worst);
    }
}

/* adam.stat.NAME: mean, root mean square, first and last element. */
static void compare_stats(const struct model *m, const struct safetensors *st)
{
    for (size_t i = 0; i < m->plan.n; i++) {
        const struct plan_param *p = &m->plan.param[i];
        const size_t n = p->rows * p->cols;
        const float *x = m->params + p->offset;
        char name[512];
        double mean = 0, square = 0;

        if (p->flags & PLAN_FROZEN)
            continue;
        for (size_t k = 0; k < n; k++) {
            mean += x[k] / (double)n;
            square += (double)x[k] * x[k] / (double)n;
        }
        const double got[] = {mean, sqrt(square), x[0], x[n - 1]};
        snprintf(name, sizeof name, "adam.stat.%s", p->name);
        for (size_t k = 0; k < 4; k++)
            cr_expect_float_eq(got[k], number(st, name, k), tolerance_of(p->name),
                               "%s[%zu]", name, k);
    }
}

/* Three steps as the golden data has them: every parameter decays. */
static void adam_steps(struct bench *b, const struct safetensors *st)
{
    const struct plan *plan = model_trained(b->m);
    struct adamw_run *runs = malloc((adamw_runs(plan->size) + plan->n) * sizeof *runs);
    double *scratch = malloc((clipnorm_scratch(plan->size) + 1) * sizeof *scratch);
    struct train_result r;
    size_t n = 0;

    for (size_t i = 0; i < plan->n; i++)
        n += adamw_cut(runs + n, plan->param[i].offset,
                       plan->param[i].rows * plan->param[i].cols, 0.1);
    for (size_t t = 0; t < 4; t++) {
        ok(b, train_prepare(b->t, &b->d, &r, &b->e));
        ok(b, train_gradient(b->t, &b->d, &r, &b->e));
        cr_expect_float_eq(r.loss, number(st, "adam.loss", t), 2e-5, "loss %zu", t);
        if (t == 3)
            break;
        const double norm = clipnorm(b->par, b->t->grads, plan->size, scratch);
        cr_expect_float_eq(norm, number(st, "adam.gnorm", t), 1e-3, "norm %zu", t);
        adamw_step(&b->o.adamw, b->par, runs, n, model_trained_params(b->m),
                   b->t->grads, b->t->exp_avg, b->t->exp_avg_sq, t + 1, 1e-3,
                   clipnorm_scale(norm, 1));
    }
    free(runs);
    free(scratch);
}

ParameterizedTestParameters(torch, gradients_and_steps)
{
    return each_index(NFAMILIES);
}
ParameterizedTest(size_t *which, torch, gradients_and_steps)
{
    struct bench b;
    struct safetensors st = {0};
    struct train_result r;
    char path[4096], file[256];

    bench_open(&b, families[*which], 1);
    bench_algo(&b, ALGO_SFT);
    bench_start(&b);
    snprintf(file, sizeof file, "%s/expected.safetensors", families[*which]);
    ok(&b, safetensors_open(&st, golden_path(path, file), &b.e));
    golden_batch(&b, &st);
    ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
    ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
    cr_expect_float_eq(r.loss, number(&st, "loss", 0), 2e-5);
    compare_block(b.m, b.t->grads, &st, "grad.", 1e-4);
    adam_steps(&b, &st);
    snprintf(file, sizeof file, "adam.param.%s", model_trained(b.m)->param[0].name);
    if (safetensors_find(&st, file))
        compare_block(b.m, model_trained_params(b.m), &st, "adam.param.", 0);
    else
        compare_stats(b.m, &st);
    safetensors_close(&st);
    bench_close(&b);
}
