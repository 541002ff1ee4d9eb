#include "golden_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* On g->mc. */
static void open_files(struct golden_model *g, const char *name, const char *dir,
                       enum model_mode mode)
{
    char path[GOLDEN_PATH], file[128];
    struct err e = {0};

    cr_assert_geq(model_open(&g->m, golden_path(path, name), g->mc.k, mode, &e), 0,
                  "%s", e.text);
    snprintf(file, sizeof file, "%s/expected.safetensors", dir);
    golden_open(&g->want, file);
}

static void open_as(struct golden_model *g, const char *name, const char *dir,
                    enum model_mode mode)
{
    *g = (struct golden_model){.name = name};
    cr_assert(machine_new(&g->mc, 2, NULL));
    open_files(g, name, dir, mode);
}

int golden_model_open_on(struct golden_model *g, const char *name,
                         const struct kern_opts *o)
{
    *g = (struct golden_model){.name = name};
    if (!machine_new(&g->mc, 2, o))
        return 0;
    open_files(g, name, name, MODEL_COMPUTE);
    return 1;
}

void golden_model_open(struct golden_model *g, const char *name)
{
    open_as(g, name, name, MODEL_COMPUTE);
}

void golden_model_open_of(struct golden_model *g, const char *name, const char *dir)
{
    open_as(g, name, dir, MODEL_COMPUTE);
}

void golden_encoder_open(struct golden_model *g, const char *name)
{
    open_as(g, name, name, MODEL_ENCODE);
}

void golden_model_close(struct golden_model *g)
{
    batch_release(&g->b);
    safetensors_close(&g->want);
    model_close(g->m);
    machine_free(&g->mc);
}

void golden_compare(const struct golden_model *g, const float *got, double allowed,
                    const char *fmt, ...)
{
    char name[128];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    float *want = golden_must(&g->want, &n, "%s", name);
    const double d = worst_difference(got, want, n);
    cr_expect_leq(d, allowed, "%s: %s differs by %g", g->name, name, d);
    free(want);
}

/* At one temperature, named `at`; returns the loss. */
static double check_labels(const struct golden_model *g, struct head *h,
                           const float *hidden, const struct golden_rows *r,
                           float temperature, const char *at)
{
    struct head_item *items = calloc(r->n, sizeof *items);
    float *logp = floats(r->n), *entropy = floats(r->n);
    double loss = 0;

    for (size_t t = 0; t < r->n; t++)
        items[t] = (struct head_item){r->row0 + t, r->labels[t], temperature};
    head_forward(h, hidden, items, r->n, logp, entropy);
    golden_compare(g, logp, 1e-4, "s%d.logp_%s", r->s, at);
    golden_compare(g, entropy, 1e-4, "s%d.ent_%s", r->s, at);
    for (size_t t = 0; t < r->n; t++)
        loss -= (double)logp[t] / (double)r->n;
    free(items);
    free(logp);
    free(entropy);
    return loss;
}

void golden_check_head(const struct golden_model *g, struct head *h,
                       const float *hidden, const struct golden_rows *r)
{
    float *z = floats(r->rows * g->m->arch.V);

    head_logits(h, hidden, r->row0, r->rows, z);
    golden_compare(g, z, 1e-4, "s%d.logits", r->s);
    free(z);
    (void)check_labels(g, h, hidden, r, 0.7f, "t07");
    const float loss = (float)check_labels(g, h, hidden, r, 1, "t10");
    golden_compare(g, &loss, 2e-5, "s%d.loss", r->s);
}

void golden_check_attention(const struct golden_model *g, struct pass *p, int s,
                            size_t T)
{
    const size_t L = g->m->arch.L, H = g->m->arch.H;
    float *rows = zeros(L * H * T * T), *outside = zeros(L * H * T);
    struct capture_row *row = calloc(g->b.B, sizeof *row);
    struct capture_spec spec;
    struct err e = {0};
    const float *hidden;

    cr_assert_geq(capture_spec_parse(&spec, g->m, "all", "each", NULL, &e), 0);
    for (size_t t = 0; t < T; t++)
        row[g->b.seqs[s].row0 + t] =
            (struct capture_row){rows + t * T, outside + t, T, T * T, T};
    struct capture c = {&spec, row};
    cr_assert_geq(pass_forward(p, &g->b, &c, &hidden, &e), 0, "%s", e.text);
    for (size_t l = 0; l < L; l++)
        golden_compare(g, rows + l * H * T * T, 2e-5, "s%d.attn.%zu", s, l);
    capture_spec_release(&spec);
    free(rows);
    free(outside);
    free(row);
}

double golden_loss_gradient(const struct golden_model *g, const struct head_item *items,
                            size_t n, enum pass_sum sum, float *grads)
{
    float *logp = floats(n), *dlogp = floats(n), *dh = zeros(g->b.B * g->m->arch.C);
    const float *hidden;
    struct pass *p;
    struct head *h;
    struct err e = {0};
    double loss = 0;

    cr_assert_geq(pass_new(&p, g->m, 0, PASS_TRAIN, &e), 0);
    cr_assert_geq(head_new(&h, g->m, HEAD_TRAIN, 0, &e), 0);
    cr_assert_geq(pass_forward(p, &g->b, NULL, &hidden, &e), 0, "%s", e.text);
    for (size_t i = 0; i < n; i++)
        dlogp[i] = -1.0f / (float)n;
    head_forward(h, hidden, items, n, logp, NULL);
    head_backward(h, hidden, items, n, dlogp, NULL, dh, grads);
    pass_backward(p, &g->b, dh, grads, sum);
    for (size_t i = 0; i < n; i++)
        loss -= (double)logp[i] / (double)n;
    free(logp);
    free(dlogp);
    free(dh);
    head_free(h);
    pass_free(p);
    return loss;
}

struct criterion_test_params each_index(size_t n)
{
    static size_t index[64];

    cr_assert_leq(n, sizeof index / sizeof *index);
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, n);
}
