/*
 * Encoder-decoders against PyTorch: hidden states of both stacks, all three kinds of
 * attention, logits, log-probabilities, losses, gradients.  Tolerances are those of the
 * golden data's README.
 */
#include "model/head.h"
#include "model/pass.h"

#include "../support/files.h"
#include "../support/golden.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const families[] = {
#define ENCDEC(name) name,
#include "../golden/models.h"
};
enum { FAMILIES = sizeof families / sizeof *families, SEQS = 2 };

struct fixture {
    const char *name;
    struct machine mc;
    struct model *m;
    struct safetensors want;
    struct batch b;
    int32_t *ids[SEQS], *labels[SEQS];
    size_t P[SEQS], T[SEQS];
    size_t row[SEQS]; /* of the decoder's first */
};

/* A sequence is a prompt, the start token's row, and T - 1 rows behind it: they lie in
 * the batch one behind the other. */
static void add_sequence(struct fixture *f, int s)
{
    struct err e = {0};
    size_t n;

    f->ids[s] = golden_ids(&f->want, &f->P[s], "s%d.input_ids", s);
    f->labels[s] = golden_ids(&f->want, &f->T[s], "s%d.labels", s);
    int32_t *start = golden_ids(&f->want, &n, "s%d.decoder_input_ids", s);
    cr_assert_eq(start[0], f->m->arch.start[0]);
    cr_assert_eq(memcmp(start + 1, f->labels[s], (n - 1) * sizeof *start), 0);
    free(start);
    const int prompt = batch_prompt(&f->b, &f->m->arch, f->ids[s], f->P[s], &e);
    cr_assert_geq(prompt, 0);
    f->row[s] = f->b.seqs[prompt].row0;
    cr_assert_geq(batch_add(&f->b, prompt, f->labels[s], f->T[s] - 1, &e), 0);
}

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
    for (int s = 0; s < SEQS; s++)
        add_sequence(f, s);
}

static void close_fixture(struct fixture *f)
{
    for (int s = 0; s < SEQS; s++) {
        free(f->ids[s]);
        free(f->labels[s]);
    }
    batch_release(&f->b);
    safetensors_close(&f->want);
    model_close(f->m);
    machine_free(&f->mc);
}

/* Against "sN.WHAT", or "sN.WHATlayer" from layer 0 on. */
static void compare(const struct fixture *f, const float *got, double allowed, int s,
                    const char *what, int layer)
{
    char name[64];
    size_t n;

    if (layer < 0)
        snprintf(name, sizeof name, "s%d.%s", s, what);
    else
        snprintf(name, sizeof name, "s%d.%s%d", s, what, layer);
    float *want = golden_must(&f->want, &n, "%s", name);
    const double d = worst_difference(got, want, n);
    cr_expect_leq(d, allowed, "%s: %s differs by %g", f->name, name, d);
    free(want);
}

static int has(const struct fixture *f, const char *name)
{
    size_t n;
    float *x = golden_floats(&f->want, &n, "%s", name);

    free(x);
    return x != NULL;
}

static void check_states(const struct fixture *f, const struct pass *p)
{
    const struct pass *e = pass_encoder(p);
    const size_t C = f->m->arch.C;

    for (int s = 0; s < SEQS; s++) {
        const size_t enc = f->b.source->seqs[s].row0 * C, dec = f->row[s] * C;

        for (size_t l = 0; l <= f->m->encoder->arch.L; l++)
            compare(f, pass_residual(e, l) + enc, 1e-4, s, "enc_hidden.", (int)l);
        compare(f, pass_hidden(e) + enc, 1e-4, s, "enc_out", -1);
        for (size_t l = 0; l <= f->m->arch.L; l++)
            compare(f, pass_residual(p, l) + dec, 1e-4, s, "dec_hidden.", (int)l);
        if (has(f, "s0.dec_norm"))
            compare(f, pass_hidden(p) + dec, 1e-4, s, "dec_norm", -1);
    }
}

static void check_head(const struct fixture *f, struct head *h, const float *hidden,
                       int s)
{
    const size_t T = f->T[s], V = f->m->arch.V;
    float *z = floats(T * V), *logp = floats(T), *entropy = floats(T);
    struct head_item *items = calloc(T, sizeof *items);

    head_logits(h, hidden, f->row[s], T, z);
    compare(f, z, 1e-4, s, "logits", -1);
    for (int hot = 0; hot < 2; hot++) {
        for (size_t t = 0; t < T; t++)
            items[t] =
                (struct head_item){f->row[s] + t, f->labels[s][t], hot ? 1.0f : 0.7f};
        head_forward(h, hidden, items, T, logp, entropy);
        compare(f, logp, 1e-4, s, hot ? "logp_t10" : "logp_t07", -1);
        compare(f, entropy, 1e-4, s, hot ? "ent_t10" : "ent_t07", -1);
    }
    float loss = 0;
    for (size_t t = 0; t < T; t++)
        loss -= logp[t] / (float)T;
    compare(f, &loss, 2e-5, s, "loss", -1);
    free(z);
    free(logp);
    free(entropy);
    free(items);
}

/* ---- beginnings and ends ------------------------------------------------------------ */

/* bart-tiny with a generation_config.json. */
static int open_with(struct model **m, struct machine *mc, const char *text,
                     struct err *e)
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    char *dir = scratch_make(), path[GOLDEN_PATH];

    for (size_t i = 0; i < 2; i++) {
        char *from = strdup(golden_path(path, "bart-tiny")), *all;
        size_t n;

        all = file_slurp(path_in(from, files[i]), &n);
        file_make(path_in(dir, files[i]), all, n);
        free(all);
        free(from);
    }
    file_make(path_in(dir, "generation_config.json"), text, strlen(text));
    cr_assert(machine_new(mc, 1, NULL));
    const int rc = model_open(m, dir, mc->k, MODEL_COMPUTE, e);
    scratch_remove(dir);
    return rc;
}

/* It wins over the config; what shapes a search, which we do not make, is passed over. */
Test(encdec, generation_config)
{
    struct machine mc;
    struct model *m;
    struct err e = {0};

    cr_assert_geq(open_with(&m, &mc,
                            "{\"decoder_start_token_id\":5,\"forced_bos_token_id\":7,"
                            "\"bos_token_id\":6,\"eos_token_id\":[3,4],"
                            "\"forced_eos_token_id\":9,\"no_repeat_ngram_size\":3,"
                            "\"num_beams\":4,\"length_penalty\":2.0}",
                            &e),
                  0, "%s", e.text);
    cr_expect_eq(m->arch.starts, 2);
    cr_expect_eq(m->arch.start[0], 5);
    cr_expect_eq(m->arch.start[1], 7);
    cr_expect_eq(m->arch.bos, 6);
    cr_expect_eq(m->arch.stops, 2);
    cr_expect_eq(m->arch.stop[0], 3);
    cr_expect_eq(m->arch.stop[1], 4);
    model_close(m);
    machine_free(&mc);
    cr_assert_geq(open_with(&m, &mc, "{\"eos_token_id\":null}", &e), 0, "%s", e.text);
    cr_expect_eq(m->arch.starts, 1);
    cr_expect_eq(m->arch.start[0], 2);
    cr_expect_eq(m->arch.stop[0], 2);
    model_close(m);
    machine_free(&mc);
}

Test(encdec, generation_config_refused)
{
    static const char *const bad[][2] = {
        {"{\"forced_bos_token_id\":115}",
         "'forced_bos_token_id' is 115, expected 0 to 114"},
        {"{\"decoder_start_token_id\":\"x\"}", "'decoder_start_token_id'"},
        {"{\"eos_token_id\":[2,\"x\"]}", "'eos_token_id' holds what is no integer"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct machine mc;
        struct model *m;
        struct err e = {0};

        cr_expect_eq(open_with(&m, &mc, bad[i][0], &e), ERR_FILE);
        cr_expect(strstr(e.text, "generation_config.json: ") &&
                      strstr(e.text, bad[i][1]),
                  "%s", e.text);
        machine_free(&mc);
    }
}

static struct criterion_test_params each_family(void)
{
    static size_t index[FAMILIES];

    for (size_t i = 0; i < FAMILIES; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, FAMILIES);
}

ParameterizedTestParameters(encdec, forward)
{
    return each_family();
}
ParameterizedTest(size_t *i, encdec, forward)
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
    check_states(&f, p);
    for (int s = 0; s < SEQS; s++)
        check_head(&f, h, hidden, s);
    head_free(h);
    pass_free(p);
    close_fixture(&f);
}

/* ---- attention ---------------------------------------------------------------------- */

/* One kind of attention of m over batch b, whose sequence s has n rows from row0, each
 * head of each layer apart; a row has S columns. */
struct maps {
    struct model *m;
    const struct batch *b;
    enum capture_kind kind;
    size_t row0, n, S;
    const char *name;
};

static void check_maps(const struct fixture *f, const struct maps *x, int s)
{
    const size_t L = x->m->arch.L, H = x->m->arch.H, all = x->n * x->S;
    float *rows = zeros(L * H * all), *outside = zeros(L * H * x->n);
    struct capture_row *row = calloc(x->b->B, sizeof *row);
    struct capture_spec spec;
    struct pass *p;
    const float *hidden;
    struct err e = {0};

    cr_assert_geq(capture_spec_parse(&spec, x->m, "all", "each", NULL, &e), 0);
    spec.kind = x->kind;
    for (size_t t = 0; t < x->n; t++)
        row[x->row0 + t] =
            (struct capture_row){rows + t * x->S, outside + t, x->S, all, x->n};
    struct capture c = {&spec, row};
    cr_assert_geq(pass_new(&p, x->m, 0, PASS_SCORE, &e), 0);
    cr_assert_geq(pass_forward(p, x->b, &c, &hidden, &e), 0, "%s", e.text);
    for (size_t l = 0; l < L; l++)
        compare(f, rows + l * H * all, 2e-5, s, x->name, (int)l);
    for (size_t i = 0; i < L * H * x->n && x->kind == CAPTURE_CROSS; i++) {
        double mass = (double)outside[i];

        cr_expect_eq(outside[i], 0);
        for (size_t j = 0; j < x->S; j++)
            mass += (double)rows[i * x->S + j];
        cr_expect_float_eq(mass, 1, 1e-5, "a row of cross-attention adds up to %g",
                           mass);
    }
    pass_free(p);
    capture_spec_release(&spec);
    free(rows);
    free(outside);
    free(row);
}

ParameterizedTestParameters(encdec, attention)
{
    return each_family();
}
ParameterizedTest(size_t *i, encdec, attention)
{
    struct fixture f;

    open_fixture(&f, *i);
    for (int s = 0; s < SEQS; s++) {
        const struct maps cross = {f.m,    &f.b,   CAPTURE_CROSS, f.row[s],
                                   f.T[s], f.P[s], "cross_attn."};
        const struct maps self = {f.m,    &f.b,   CAPTURE_SELF, f.row[s],
                                  f.T[s], f.T[s], "dec_attn."};
        /* an encoder is a model of its own, as far as it goes */
        const struct maps enc = {
            f.m->encoder, f.b.source, CAPTURE_SELF, f.b.source->seqs[s].row0,
            f.P[s],       f.P[s],     "enc_attn."};

        check_maps(&f, &cross, s);
        check_maps(&f, &self, s);
        check_maps(&f, &enc, s);
    }
    close_fixture(&f);
}

/* ---- gradients ---------------------------------------------------------------------- */

/* The gradient of the mean of -logp over both sequences, into a block. */
static double loss_gradient(struct fixture *f, float *grads)
{
    const size_t n = f->T[0] + f->T[1];
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
        for (size_t t = 0; t < f->T[s]; t++, k++) {
            items[k] = (struct head_item){f->row[s] + t, f->labels[s][t], 1};
            dlogp[k] = -1.0f / (float)n;
        }
    cr_assert_geq(pass_forward(p, &f->b, NULL, &hidden, &e), 0, "%s", e.text);
    head_forward(h, hidden, items, n, logp, NULL);
    head_backward(h, hidden, items, n, dlogp, NULL, dh, grads);
    pass_backward(p, &f->b, dh, grads);
    for (k = 0; k < n; k++)
        loss -= (double)logp[k] / (double)n;
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
    size_t count;
    float *want = golden_floats(&f->want, &count, "grad.%s", p->name);
    float *nothing = zeros(n);

    if (!want) /* a buffer, not a parameter */
        cr_expect(p->flags & PLAN_FROZEN, "no grad.%s", p->name);
    const double d = worst_difference(grads + p->offset, want ? want : nothing, n);
    cr_expect_leq(d, want ? 1e-4 : 0, "%s: grad.%s differs by %g", f->name, p->name, d);
    free(want);
    free(nothing);
}

ParameterizedTestParameters(encdec, gradients)
{
    return each_family();
}
ParameterizedTest(size_t *i, encdec, gradients)
{
    struct fixture f;
    size_t n, named = 0, frozen = 0;

    open_fixture(&f, *i);
    float *want = golden_must(&f.want, &n, "loss"), *grads = zeros(f.m->plan.size);
    const double loss = loss_gradient(&f, grads);
    cr_expect_leq(fabs(loss - (double)*want), 2e-5, "%s: loss %g, not %g", f.name, loss,
                  (double)*want);
    for (size_t j = 0; j < f.want.n; j++)
        named += strncmp(f.want.entries[j].name, "grad.", 5) == 0;
    for (size_t j = 0; j < f.m->plan.n; j++) {
        frozen += (f.m->plan.param[j].flags & PLAN_FROZEN) != 0;
        check_gradient(&f, &f.m->plan.param[j], grads);
    }
    cr_expect_eq(named + frozen, f.m->plan.n);
    free(want);
    free(grads);
    close_fixture(&f);
}
