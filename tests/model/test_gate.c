/* A gate made of pieces of the product before it gives the bits of one made of the whole: a
 * model of wide layers, packed, beside the same with its parameters in a block; alone, and with
 * an adapter on the gate's matrix, which needs the whole.  And what goes from the gate, and from
 * norms, to other products in order, forward and back, gives what rounded float32 does. */
#include "../support/bf16_emulated.h"
#include "../support/files.h"
#include "../support/golden_model.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"
#include "model/adapter.h"
#include "model/pass.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { F = 192, LONG = 300 };

/* Gated by silu and by gelu; not gated, with biases; gated, with biases before attention.  Of a width that cannot be in order, and, with
 * RMS norms, of one that can; 0: the golden model's. */
static const struct like {
    const char *name;
    size_t C;
} of[] = {{"llama-tiny", 0},  {"gemma2-tiny", 0},  {"gpt2-tiny", 0},
          {"llama-tiny", 64}, {"gemma2-tiny", 64}, {"qwen2-tiny", 64}};
enum { OF = sizeof of / sizeof *of, LLAMA = 0, WIDE_LLAMA = 3 };

/* A random model like the golden one with layers F wide, at DIR/model; to be freed. */
static char *make(const char *dir, struct like golden, struct kern *k)
{
    char *config = strdup(path_in(dir, "config.json"));
    char *saved = strdup(path_in(dir, "model")), path[64];
    struct err e = {0};
    struct model *m;

    snprintf(path, sizeof path, "%s/config.json", golden.name);
    json_t *j = json_load_file(golden_file(path), 0, NULL);
    const int gpt2 = json_object_get(j, "n_embd") != NULL;
    json_object_set_new(j, gpt2 ? "n_inner" : "intermediate_size", json_integer(F));
    json_object_set_new(j, gpt2 ? "n_positions" : "max_position_embeddings",
                        json_integer(LONG + 1));
    if (golden.C)
        json_object_set_new(j, "hidden_size", json_integer((json_int_t)golden.C));
    cr_assert_eq(json_dump_file(j, config, 0), 0);
    json_decref(j);
    cr_assert_geq(model_random(&m, config, 3, k, &e), 0, "%s", e.text);
    cr_assert_eq(m->arch.F, (size_t)F);
    cr_assert(golden.C == 0 || m->arch.C == golden.C);
    cr_assert_geq(model_save(m, saved, CHECKPOINT_NEW, NULL, &e), 0, "%s", e.text);
    model_close(m);
    free(config);
    return saved;
}

static void adapt(struct model *m, const char *targets)
{
    const struct adapter_opts o = {4, 8, targets, 1};
    struct err e = {0};

    cr_assert_geq(adapter_new(m, &o, &e), 0, "%s", e.text);
    struct adapter *a = m->adapter;
    for (size_t i = 0; i < a->parts; i++) {
        float *b = normals(a->part[i].rows * a->part[i].r, i + 1);

        memcpy(a->params + a->part[i].B, b, a->part[i].rows * a->part[i].r * sizeof *b);
        free(b);
    }
    cr_assert_geq(model_rehash(m, &e), 0, "%s", e.text);
}

/* The model at `base` with an adapter of these matrices, beside it; to be freed. */
static char *make_adapted(const char *dir, const char *base, const char *targets,
                          struct kern *k)
{
    char *saved = strdup(path_in(dir, "adapted"));
    struct checkpoint c = {0};
    struct err e = {0};
    struct model *m;

    cr_assert_geq(model_open(&m, base, k, MODEL_COMPUTE, &e), 0, "%s", e.text);
    adapt(m, targets);
    cr_assert_geq(checkpoint_begin(&c, saved, CHECKPOINT_NEW, &e), 0, "%s", e.text);
    cr_assert_geq(adapter_write(m, &c, &e), 0, "%s", e.text);
    cr_assert_geq(checkpoint_commit(&c, &e), 0, "%s", e.text);
    checkpoint_abort(&c);
    model_close(m);
    return saved;
}

/* Hidden states of T tokens, *n numbers; to be freed. */
static float *hidden_of(const char *path, struct kern *k, enum model_mode mode,
                        size_t T, size_t *n)
{
    int32_t ids[LONG];
    struct batch b = {0};
    struct err e = {0};
    struct model *m;
    struct pass *p;
    const float *hidden;

    cr_assert_geq(model_open(&m, path, k, mode, &e), 0, "%s", e.text);
    for (size_t i = 0; i < T; i++)
        ids[i] = (int32_t)(i * 7 % m->arch.V);
    cr_assert_geq(batch_add(&b, BATCH_ALONE, ids, T, &e), 0, "%s", e.text);
    cr_assert_geq(pass_new(&p, m, T, PASS_SCORE, &e), 0, "%s", e.text);
    cr_assert_geq(pass_forward(p, &b, NULL, &hidden, &e), 0, "%s", e.text);
    *n = T * m->arch.C;
    float *out = memcpy(floats(*n), hidden, *n * sizeof *hidden);
    pass_free(p);
    batch_release(&b);
    model_close(m);
    return out;
}

ParameterizedTestParameters(gate, packed_or_not)
{
    return each_index(OF);
}
ParameterizedTest(size_t *i, gate, packed_or_not)
{
    static const size_t lengths[] = {1, 7, 40, LONG};
    char *dir = scratch_make();
    struct machine mc;

    cr_assert(machine_new(&mc, 2, &(struct kern_opts){.backend = KERN_PACK}));
    char *path[2] = {make(dir, of[*i], mc.k)};
    path[1] = make_adapted(dir, path[0], "all-linear", mc.k);
    for (int adapted = 0; adapted < 2; adapted++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            const size_t T = lengths[l];
            size_t n;
            float *whole = hidden_of(path[adapted], mc.k, MODEL_COMPUTE, T, &n);
            float *pieces = hidden_of(path[adapted], mc.k, MODEL_SAMPLE, T, &n);

            for (size_t x = 0; x < n; x++)
                cr_assert(adapted ? fabsf(pieces[x] - whole[x]) < 1e-4f
                                  : pieces[x] == whole[x],
                          "%s, adapter %d: %g, not %g", of[*i].name, adapted,
                          (double)pieces[x], (double)whole[x]);
            free(whole);
            free(pieces);
        }
    machine_free(&mc);
    free(path[0]);
    free(path[1]);
    scratch_remove(dir);
}

/* ---- gradients --------------------------------------------------------------------------- */

/* The gradient of the mean loss over T tokens, on top of what `sum` says of `fill`; to be freed. */
static float *gradient(struct model *m, size_t T, enum pass_sum sum, float fill)
{
    struct golden_model g = {.m = m};
    struct head_item item[LONG];
    int32_t ids[LONG];
    struct err e = {0};
    float *grads = zeros(m->plan.size);

    for (size_t i = 0; i < m->plan.size; i++)
        grads[i] = fill;
    if (sum == PASS_FIRST)
        pass_clear(m, grads);
    for (size_t i = 0; i < T; i++) {
        ids[i] = (int32_t)(i * 7 % m->arch.V);
        item[i] = (struct head_item){i, (int32_t)(i * 5 % m->arch.V), 1};
    }
    cr_assert_geq(batch_add(&g.b, BATCH_ALONE, ids, T, &e), 0, "%s", e.text);
    golden_loss_gradient(&g, item, T, sum, grads);
    batch_release(&g.b);
    return grads;
}

/* Of the model at path by that way; NULL: this machine has it not. */
static float *gradient_by(const char *path, const struct kern_opts *way, size_t T,
                          size_t *n)
{
    struct machine mc;
    struct model *m;
    struct err e = {0};

    if (!machine_new(&mc, 2, way))
        return NULL;
    cr_assert_geq(model_open(&m, path, mc.k, MODEL_COMPUTE, &e), 0, "%s", e.text);
    *n = m->plan.size;
    float *next = gradient(m, T, PASS_NEXT, 0), *first = gradient(m, T, PASS_FIRST, 7);
    float *more = gradient(m, T, PASS_NEXT, 7);
    for (size_t i = 0; i < *n; i++) {
        cr_assert_eq(next[i], first[i], "%s: %zu", path, i);
        cr_assert_float_eq(more[i] - 7, next[i], 1e-3, "%s: %zu, added to", path, i);
    }
    free(first);
    free(more);
    model_close(m);
    machine_free(&mc);
    return next;
}

/* Rows that are no whole tiles, some steps of depth, and several pieces. */
ParameterizedTestParameters(gate, in_order_or_by_widening)
{
    return each_index(OF);
}
ParameterizedTest(size_t *i, gate, in_order_or_by_widening)
{
    static const struct kern_opts ways[] = {BF16_WAYS};
    static const size_t lengths[] = {7, 70, LONG};
    char *dir = scratch_make();
    struct machine mc;

    cr_assert(machine_new(&mc, 2, &(struct kern_opts){.backend = KERN_PACK}));
    char *path = make(dir, of[*i], mc.k);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t n;
        float *want = gradient_by(path, &ways[0], lengths[l], &n);

        for (size_t way = 3; way < sizeof ways / sizeof *ways; way++) {
            float *got = gradient_by(path, &ways[way], lengths[l], &n);

            if (got)
                cr_expect_lt(worst_difference(got, want, n), 2e-2,
                             "%s, way %zu, %zu: %g", of[*i].name, way, lengths[l],
                             worst_difference(got, want, n));
            free(got);
        }
        free(want);
    }
    machine_free(&mc);
    free(path);
    scratch_remove(dir);
}

/* Hidden states by that way, packed or not, of the model at path; NULL: this machine has it not. */
static float *hidden_by(const char *path, const struct kern_opts *way,
                        enum model_mode mode, size_t T, size_t *n)
{
    struct machine mc;

    if (!machine_new(&mc, 2, way))
        return NULL;
    float *out = hidden_of(path, mc.k, mode, T, n);
    machine_free(&mc);
    return out;
}

/* An adapter of the matrix behind the gate, or behind a norm, reads what comes of it as float32. */
ParameterizedTestParameters(gate, an_adapter_behind_it)
{
    return each_index(2);
}
ParameterizedTest(size_t *i, gate, an_adapter_behind_it)
{
    static const char *const targets[] = {"down_proj", "q_proj"};
    static const struct kern_opts ways[] = {BF16_WAYS};
    enum { T = 40 };
    char *dir = scratch_make();
    struct machine mc;

    cr_assert(machine_new(&mc, 2, &(struct kern_opts){.backend = KERN_PACK}));
    char *base = make(dir, of[*i ? WIDE_LLAMA : LLAMA], mc.k);
    char *path = make_adapted(dir, base, targets[*i], mc.k);
    for (int packed = 0; packed < 2; packed++) {
        const enum model_mode mode = packed ? MODEL_SAMPLE : MODEL_COMPUTE;
        size_t n;
        float *want = hidden_by(path, &ways[0], mode, T, &n);

        for (size_t way = 3; way < sizeof ways / sizeof *ways; way++) {
            float *got = hidden_by(path, &ways[way], mode, T, &n);

            if (got)
                cr_expect_lt(worst_difference(got, want, n), 2e-2, "way %zu: %g", way,
                             worst_difference(got, want, n));
            free(got);
        }
        free(want);
    }
    machine_free(&mc);
    free(path);
    free(base);
    scratch_remove(dir);
}
