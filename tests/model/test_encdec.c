/*
 * Encoder-decoders against PyTorch: hidden states of both stacks, all three kinds of
 * attention, logits, log-probabilities, losses, gradients.  Tolerances are those of the
 * golden data's README.
 */
#include "../support/files.h"
#include "../support/golden_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const families[] = {
#define ENCDEC(name) name,
#include "../golden/models.h"
};
enum { FAMILIES = sizeof families / sizeof *families, SEQS = 2 };

struct fixture {
    struct golden_model g;
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

    f->ids[s] = golden_ids(&f->g.want, &f->P[s], "s%d.input_ids", s);
    f->labels[s] = golden_ids(&f->g.want, &f->T[s], "s%d.labels", s);
    int32_t *start = golden_ids(&f->g.want, &n, "s%d.decoder_input_ids", s);
    cr_assert_eq(start[0], f->g.m->arch.start[0]);
    cr_assert_eq(memcmp(start + 1, f->labels[s], (n - 1) * sizeof *start), 0);
    free(start);
    const int prompt = batch_prompt(&f->g.b, &f->g.m->arch, f->ids[s], f->P[s], &e);
    cr_assert_geq(prompt, 0);
    f->row[s] = f->g.b.seqs[prompt].row0;
    cr_assert_geq(batch_add(&f->g.b, prompt, f->labels[s], f->T[s] - 1, &e), 0);
}

static void open_fixture(struct fixture *f, size_t i)
{
    golden_model_open(&f->g, families[i]);
    for (int s = 0; s < SEQS; s++)
        add_sequence(f, s);
}

static void close_fixture(struct fixture *f)
{
    for (int s = 0; s < SEQS; s++) {
        free(f->ids[s]);
        free(f->labels[s]);
    }
    golden_model_close(&f->g);
}

static int has(const struct fixture *f, const char *name)
{
    size_t n;
    float *x = golden_floats(&f->g.want, &n, "%s", name);

    free(x);
    return x != NULL;
}

static void check_states(const struct fixture *f, const struct pass *p)
{
    const struct golden_model *g = &f->g;
    const struct pass *e = pass_encoder(p);
    const size_t C = g->m->arch.C;

    for (int s = 0; s < SEQS; s++) {
        const size_t enc = g->b.source->seqs[s].row0 * C, dec = f->row[s] * C;

        for (size_t l = 0; l <= g->m->encoder->arch.L; l++)
            golden_compare(g, pass_residual(e, l) + enc, 1e-4, "s%d.enc_hidden.%zu", s,
                           l);
        golden_compare(g, pass_hidden(e) + enc, 1e-4, "s%d.enc_out", s);
        for (size_t l = 0; l <= g->m->arch.L; l++)
            golden_compare(g, pass_residual(p, l) + dec, 1e-4, "s%d.dec_hidden.%zu", s,
                           l);
        if (has(f, "s0.dec_norm"))
            golden_compare(g, pass_hidden(p) + dec, 1e-4, "s%d.dec_norm", s);
    }
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
        {"{\"forced_bos_token_id\":99999}",
         "'forced_bos_token_id' is 99999, expected 0 to "},
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

ParameterizedTestParameters(encdec, forward)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, encdec, forward)
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
    check_states(&f, p);
    for (int s = 0; s < SEQS; s++)
        golden_check_head(
            &f.g, h, hidden,
            &(struct golden_rows){s, f.row[s], f.T[s], f.T[s], f.labels[s]});
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
        golden_compare(&f->g, rows + l * H * all, 2e-5, "s%d.%s%zu", s, x->name, l);
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
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, encdec, attention)
{
    struct fixture f;

    open_fixture(&f, *i);
    for (int s = 0; s < SEQS; s++) {
        const struct maps cross = {f.g.m,  &f.g.b, CAPTURE_CROSS, f.row[s],
                                   f.T[s], f.P[s], "cross_attn."};
        const struct maps self = {f.g.m,  &f.g.b, CAPTURE_SELF, f.row[s],
                                  f.T[s], f.T[s], "dec_attn."};
        /* an encoder is a model of its own, as far as it goes */
        const struct maps enc = {
            f.g.m->encoder, f.g.b.source, CAPTURE_SELF, f.g.b.source->seqs[s].row0,
            f.P[s],         f.P[s],       "enc_attn."};

        check_maps(&f, &cross, s);
        check_maps(&f, &self, s);
        check_maps(&f, &enc, s);
    }
    close_fixture(&f);
}

/* ---- gradients ---------------------------------------------------------------------- */

/* Over both sequences. */
static double loss_gradient(struct fixture *f, float *grads)
{
    const size_t n = f->T[0] + f->T[1];
    struct head_item *items = calloc(n, sizeof *items);
    size_t k = 0;

    for (int s = 0; s < SEQS; s++)
        for (size_t t = 0; t < f->T[s]; t++)
            items[k++] = (struct head_item){f->row[s] + t, f->labels[s][t], 1};
    const double loss = golden_loss_gradient(&f->g, items, n, PASS_NEXT, grads);
    free(items);
    return loss;
}

static void check_gradient(const struct fixture *f, const struct plan_param *p,
                           const float *grads)
{
    const size_t n = p->rows * p->cols;
    size_t count;
    float *want = golden_floats(&f->g.want, &count, "grad.%s", p->name);
    float *nothing = zeros(n);

    if (!want) /* a buffer, not a parameter */
        cr_expect(p->flags & PLAN_FROZEN, "no grad.%s", p->name);
    const double d = worst_difference(grads + p->offset, want ? want : nothing, n);
    cr_expect_leq(d, want ? 1e-4 : 0, "%s: grad.%s differs by %g", f->g.name, p->name,
                  d);
    free(want);
    free(nothing);
}

ParameterizedTestParameters(encdec, gradients)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, encdec, gradients)
{
    struct fixture f;
    size_t n, named = 0, frozen = 0;

    open_fixture(&f, *i);
    float *want = golden_must(&f.g.want, &n, "loss"), *grads = zeros(f.g.m->plan.size);
    const double loss = loss_gradient(&f, grads);
    cr_expect_leq(fabs(loss - (double)*want), 2e-5, "%s: loss %g, not %g", f.g.name,
                  loss, (double)*want);
    for (size_t j = 0; j < f.g.want.n; j++)
        named += strncmp(f.g.want.entries[j].name, "grad.", 5) == 0;
    for (size_t j = 0; j < f.g.m->plan.n; j++) {
        frozen += (f.g.m->plan.param[j].flags & PLAN_FROZEN) != 0;
        check_gradient(&f, &f.g.m->plan.param[j], grads);
    }
    cr_expect_eq(named + frozen, f.g.m->plan.n);
    free(want);
    free(grads);
    close_fixture(&f);
}
