/* The head where products have a unit for bfloat16: it scores with the bits of the other way, and
 * its gradients are those of rounded operands; the same held or not, and at any number of
 * threads. */
#include "../support/bf16_emulated.h"
#include "../support/files.h"
#include "../support/golden_model.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"
#include "kern/ordered.h"
#include "model/head.h"
#include "nn/xent.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Units are entries FIRST.. of ways, of which this machine has some; those before only round. */
static const struct kern_opts ways[] = {BF16_WAYS};
enum { WAYS = sizeof ways / sizeof *ways, FIRST = 3, EMULATED_AMX = 4 };

/* Three parts, the last one in order; in float32; and one part that is not whole. */
enum {
    C = 64,
    V_EVEN = 2 * XENT_BLOCK + 192,
    V_ODD = 2 * XENT_BLOCK + 201,
    V_FEW = 67
};

/* Rows that are no whole tiles; some are several items'. */
enum { ITEMS = 45, ROWS = 40 };

struct sizes {
    const char *golden, *width;
    int V;
};

/* Neither bias nor scale; a scale; a bias. */
static const struct sizes of[] = {{"llama-tiny", "hidden_size", V_EVEN},
                                  {"granite-tiny", "hidden_size", V_ODD},
                                  {"bart-tiny", "d_model", V_FEW},
                                  {"granite-tiny", "hidden_size", V_EVEN},
                                  {"bart-tiny", "d_model", V_EVEN}};
enum { MODELS = sizeof of / sizeof *of };

/* A random model like the golden one, of these sizes. */
static struct model *make(const struct sizes *s, int wide, struct kern *k)
{
    char *dir = scratch_make(), *config = strdup(path_in(dir, "config.json")), path[64];
    struct err e = {0};
    struct model *m;

    snprintf(path, sizeof path, "%s/config.json", s->golden);
    json_t *j = json_load_file(golden_file(path), 0, NULL);
    json_object_set_new(j, "vocab_size", json_integer(s->V));
    json_object_set_new(j, s->width, json_integer(wide));
    cr_assert_eq(json_dump_file(j, config, 0), 0);
    json_decref(j);
    cr_assert_geq(model_random(&m, config, 3, k, &e), 0, "%s", e.text);
    for (int v = 0; m->head_b != MODEL_NONE && v < s->V; v++)
        m->params[m->head_b + (size_t)v] = (float)(v % 17) / 9;
    free(config);
    scratch_remove(dir);
    return m;
}

/* Rows of the passes that a head is for, of its chunks, and items that are more. */
enum { PASS = 1000, CHUNK = 750, MANY = CHUNK + 40 };

static struct head *head_of(struct model *m, enum head_mode mode)
{
    struct head *h;
    struct err e = {0};

    cr_assert_geq(head_new(&h, m, mode, PASS, &e), 0, "%s", e.text);
    return h;
}

static struct head_item item_of(size_t i, size_t V)
{
    return (struct head_item){i * 7 % ROWS, (int32_t)(i * 1031 % V),
                              0.7f + (float)(i % 3) * 0.3f};
}

/* ---- what comes of n items ----------------------------------------------------------------- */

enum way_back { MADE_AGAIN, HELD, HELD_WITHOUT_WEIGHT };

struct result {
    float *logp, *entropy, *dh, *grads;
    size_t n, size; /* items; of grads */
};

static void result_free(struct result *r)
{
    free(r->logp);
    free(r->entropy);
    free(r->dh);
    free(r->grads);
}

static struct result run(struct model *m, size_t n, enum way_back how, int with_entropy)
{
    struct result r = {floats(n),           floats(n), zeros(ROWS * C),
                       zeros(m->plan.size), n,         m->plan.size};
    float *hidden = normals(ROWS * C, 5), *dlogp = normals(n, 6), *more = normals(n, 7);
    const float *dentropy = with_entropy ? more : NULL;
    struct head_item *item = malloc(n * sizeof *item);
    struct head *h = head_of(m, HEAD_TRAIN);

    for (size_t i = 0; i < n; i++)
        item[i] = item_of(i, m->arch.V);
    head_forward(h, hidden, item, n, r.logp, r.entropy);
    if (how == MADE_AGAIN) {
        head_free(h);
        h = head_of(m, HEAD_TRAIN);
        head_backward(h, hidden, item, n, dlogp, dentropy, r.dh, r.grads);
    } else {
        head_backward_held(h, hidden, item, n, dlogp, dentropy, r.dh,
                           how == HELD ? r.grads : NULL);
    }
    head_free(h);
    free(item);
    free(more);
    free(dlogp);
    free(hidden);
    return r;
}

static int same(const float *a, const float *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static void expect_same(const struct result *a, const struct result *b,
                        const char *what)
{
    cr_expect(same(a->logp, b->logp, a->n), "%s: logp", what);
    cr_expect(same(a->entropy, b->entropy, a->n), "%s: entropy", what);
    cr_expect(same(a->dh, b->dh, ROWS * C), "%s: rows", what);
    cr_expect(same(a->grads, b->grads, a->size), "%s: weights", what);
}

/* ---- the same bits ------------------------------------------------------------------------- */

/* Scored with all logits at once, row by row. */
static struct result of_logits(struct model *m)
{
    const size_t V = m->arch.V;
    struct result r = {.logp = floats(ITEMS), .entropy = floats(ITEMS), .n = ITEMS};
    float *hidden = normals(ROWS * C, 5), *z = floats(ROWS * V), lse;
    struct head *h = head_of(m, HEAD_SCORE);

    head_logits(h, hidden, 0, ROWS, z);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct head_item it = item_of(i, V);

        xent_forward(m->kern, &r.logp[i], &r.entropy[i], &lse, z + it.row * V,
                     &it.target, &it.temperature, 1, V);
    }
    head_free(h);
    free(z);
    free(hidden);
    return r;
}

ParameterizedTestParameters(head_kept, scores_are_those_of_all_logits)
{
    return each_index(MODELS);
}
ParameterizedTest(size_t *i, head_kept, scores_are_those_of_all_logits)
{
    for (size_t way = FIRST; way < WAYS; way++) {
        struct machine mc;

        if (!machine_new(&mc, 2, &ways[way]))
            continue;
        struct model *m = make(&of[*i], C, mc.k);
        struct result kept = run(m, ITEMS, HELD, 0), all = of_logits(m);

        cr_expect(same(kept.logp, all.logp, ITEMS), "%zu, way %zu", *i, way);
        cr_expect(same(kept.entropy, all.entropy, ITEMS), "%zu, way %zu", *i, way);
        result_free(&kept);
        result_free(&all);
        model_close(m);
        machine_free(&mc);
    }
}

/* Made again or held; without the weight's gradient. */
static struct result check_held(struct model *m, size_t n)
{
    struct result again = run(m, n, MADE_AGAIN, 1), held = run(m, n, HELD, 1),
                  rows = run(m, n, HELD_WITHOUT_WEIGHT, 1);

    expect_same(&again, &held, "held");
    cr_expect(same(rows.dh, held.dh, ROWS * C), "without the weight's");
    for (size_t i = 0; i < rows.size; i++)
        cr_assert_eq(rows.grads[i], 0);
    result_free(&held);
    result_free(&rows);
    return again;
}

/* And by one, two and three threads. */
ParameterizedTestParameters(head_kept, held_or_not)
{
    return each_index(3);
}
ParameterizedTest(size_t *i, head_kept, held_or_not)
{
    struct result want = {0};

    for (size_t threads = 1; threads <= 3; threads++) {
        struct machine mc;

        cr_assert(machine_new(&mc, threads, &ways[EMULATED_AMX]));
        struct model *m = make(&of[*i], C, mc.k);
        struct result r = check_held(m, ITEMS);
        if (threads == 1) {
            want = r;
        } else {
            expect_same(&r, &want, "threads");
            result_free(&r);
        }
        model_close(m);
        machine_free(&mc);
    }
    result_free(&want);
}

/* More items than a chunk has. */
static const struct sizes few = {"llama-tiny", "hidden_size", V_FEW};

Test(head_kept, held_or_not_of_two_chunks)
{
    struct machine mc;

    cr_assert(machine_new(&mc, 2, &ways[EMULATED_AMX]));
    struct model *m = make(&few, C, mc.k);
    cr_assert_eq(head_rows(m, PASS), CHUNK);
    struct result r = check_held(m, MANY);
    result_free(&r);
    model_close(m);
    machine_free(&mc);
}

/* ---- gradients ----------------------------------------------------------------------------- */

/* |a - b| / |b|, as vectors */
static double distance(const float *a, const float *b, size_t n)
{
    double d = 0;

    for (size_t i = 0; i < n; i++)
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(d / dot_double(b, b, n));
}

/* Against products of rounded operands from the logits' own gradients: these are rounded once more,
 * before, which is as much as rounding operands does. */
static void check_gradients(const struct sizes *s, size_t way, size_t n,
                            int with_entropy)
{
    struct machine mc, rounds;

    if (!machine_new(&mc, 2, &ways[way]))
        return;
    cr_assert(machine_new(&rounds, 2, &ways[0]));
    struct model *m = make(s, C, mc.k), *w = make(s, C, rounds.k);
    struct result got = run(m, n, HELD, with_entropy),
                  want = run(w, n, HELD, with_entropy);
    const double rows = distance(got.dh, want.dh, ROWS * C);
    const double weights = distance(got.grads, want.grads, got.size);

    cr_expect_lt(rows, 1e-3, "%s, %d, way %zu: %g", s->golden, s->V, way, rows);
    cr_expect_lt(weights, 1e-3, "%s, %d, way %zu: %g", s->golden, s->V, way, weights);
    result_free(&got);
    result_free(&want);
    model_close(m);
    model_close(w);
    machine_free(&mc);
    machine_free(&rounds);
}

ParameterizedTestParameters(head_kept, gradients)
{
    return each_index(MODELS);
}
ParameterizedTest(size_t *i, head_kept, gradients)
{
    for (size_t way = FIRST; way < WAYS; way++)
        check_gradients(&of[*i], way, ITEMS, *i % 2);
}

Test(head_kept, gradients_of_two_chunks)
{
    static const struct sizes two = {"granite-tiny", "hidden_size", XENT_BLOCK + 64};

    check_gradients(&two, EMULATED_AMX, MANY, 0);
    check_gradients(&few, EMULATED_AMX, MANY, 1);
}

/* ---- where --------------------------------------------------------------------------------- */

/* Rows of a chunk, and its bytes, with a unit and without. */
static void measure(const struct sizes *s, int wide, size_t rows[2], size_t bytes[2])
{
    for (int unit = 0; unit < 2; unit++) {
        struct machine mc;

        cr_assert(machine_new(&mc, 1, &ways[unit ? EMULATED_AMX : 0]));
        struct model *m = make(s, wide, mc.k);
        rows[unit] = head_rows(m, PASS);
        bytes[unit] = head_bytes(m, HEAD_TRAIN, PASS);
        model_close(m);
        machine_free(&mc);
    }
}

/* Three quarters of a pass's, of half as many bytes each, and a part of the chunk besides. */
Test(head_kept, rows_of_half_as_many_bytes)
{
    static const struct sizes many = {"llama-tiny", "hidden_size", 32768};
    size_t rows[2], bytes[2];

    measure(&many, C, rows, bytes);
    cr_expect(rows[0] == CHUNK && rows[1] == CHUNK, "%zu, %zu", rows[0], rows[1]);
    cr_expect_lt((double)bytes[1], 0.65 * (double)bytes[0]);
}

/* Logits with caps, and widths that do not go in order, have the way that they had. */
Test(head_kept, not_with_caps_or_some_widths)
{
    static const struct sizes capped = {"gemma2-tiny", "hidden_size", 32768},
                              narrow = {"llama-tiny", "hidden_size", 32768};
    size_t rows[2], bytes[2];

    measure(&capped, C, rows, bytes);
    cr_expect(rows[0] == CHUNK && rows[1] == CHUNK && bytes[0] == bytes[1]);
    measure(&narrow, C - 8, rows, bytes);
    cr_expect(rows[0] == CHUNK && rows[1] == CHUNK && bytes[0] == bytes[1]);
}
