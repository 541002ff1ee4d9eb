/* The head over part of the vocabulary at a time gives the bits of the head over all of it:
 * with soft caps, a scale, a bias; weights as they are and packed. */
#include "model/head.h"

#include "../support/files.h"
#include "../support/golden_model.h"
#include "../support/machine.h"
#include "nn/xent.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { V = 2 * XENT_BLOCK + 857, ITEMS = 1100, ROWS = 700 };

struct numbers {
    float logp[ITEMS], entropy[ITEMS];
};

static struct head_item item_of(size_t i)
{
    return (struct head_item){i * 7 % ROWS, (int32_t)(i * 31 % V),
                              0.7f + (float)(i % 3) * 0.3f};
}

static struct numbers score(struct model *m, enum head_mode mode, const float *hidden)
{
    static struct head_item item[ITEMS];
    static struct numbers out;
    struct head *h;
    struct err e = {0};

    for (size_t i = 0; i < ITEMS; i++)
        item[i] = item_of(i);
    cr_assert_geq(head_new(&h, m, mode, 0, &e), 0, "%s", e.text);
    head_forward(h, hidden, item, ITEMS, out.logp, out.entropy);
    head_free(h);
    return out;
}

static int same(const struct numbers *a, const struct numbers *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The golden model's config with a larger vocabulary. */
static void write_config(const char *path, const char *golden)
{
    json_t *j = json_load_file(golden_file(golden), 0, NULL);

    json_object_set_new(j, "vocab_size", json_integer(V));
    cr_assert_eq(json_dump_file(j, path, 0), 0);
    json_decref(j);
}

static struct model *make(const char *dir, const char *golden, struct kern *k)
{
    char *config = strdup(path_in(dir, "config.json"));
    struct model *m;
    struct err e = {0};

    write_config(config, golden);
    cr_assert_geq(model_random(&m, config, 3, k, &e), 0, "%s", e.text);
    for (size_t v = 0; m->head_b != MODEL_NONE && v < V; v++)
        m->params[m->head_b + v] = (float)(v % 17) / 9;
    free(config);
    return m;
}

static const char *const of[] = {"gemma2-tiny/config.json", "granite-tiny/config.json",
                                 "bart-tiny/config.json"};

/* The same by all logits at once. */
static struct numbers of_logits(struct model *m, const float *hidden)
{
    static struct numbers out;
    struct head *h;
    float *z = floats(ROWS * V), lse;
    struct err e = {0};

    cr_assert_geq(head_new(&h, m, HEAD_SCORE, 0, &e), 0, "%s", e.text);
    head_logits(h, hidden, 0, ROWS, z);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct head_item it = item_of(i);

        xent_forward(m->kern, &out.logp[i], &out.entropy[i], &lse, z + it.row * V,
                     &it.target, &it.temperature, 1, V);
    }
    head_free(h);
    free(z);
    return out;
}

ParameterizedTestParameters(head, parts_are_the_whole)
{
    return each_index(sizeof of / sizeof *of);
}
ParameterizedTest(size_t *i, head, parts_are_the_whole)
{
    char *dir = scratch_make();
    struct machine mc;

    cr_assert(machine_new(&mc, 2, &(struct kern_opts){.backend = KERN_PACK}));
    struct model *m = make(dir, of[*i], mc.k);
    float *hidden = normals(ROWS * m->arch.C, 5);
    const struct numbers whole = score(m, HEAD_TRAIN, hidden),
                         parts = score(m, HEAD_SCORE, hidden),
                         made = of_logits(m, hidden);

    cr_expect(same(&whole, &parts) && same(&whole, &made), "%s", of[*i]);
    cr_expect(isfinite(whole.logp[0]) && whole.logp[0] < 0 && whole.entropy[0] > 1);
    model_close(m);
    free(hidden);
    machine_free(&mc);
    scratch_remove(dir);
}

/* Weights that are packed, in either type; float32's give the bits of those that are not. */
ParameterizedTestParameters(head, parts_of_what_is_packed)
{
    return each_index(sizeof of / sizeof *of);
}
ParameterizedTest(size_t *i, head, parts_of_what_is_packed)
{
    char *dir = scratch_make(), *saved = strdup(path_in(dir, "model"));
    struct machine mc;
    struct err e = {0};

    cr_assert(machine_new(&mc, 2, &(struct kern_opts){.backend = KERN_PACK}));
    struct model *m = make(dir, of[*i], mc.k);
    float *hidden = normals(ROWS * m->arch.C, 5);
    const struct numbers plain = score(m, HEAD_SCORE, hidden);

    cr_assert_geq(model_save(m, saved, CHECKPOINT_NEW, NULL, &e), 0, "%s", e.text);
    model_close(m);
    machine_free(&mc);
    for (enum kern_dtype type = KERN_F32; type <= KERN_BF16; type++) {
        cr_assert(machine_new(
            &mc, 2, &(struct kern_opts){.backend = KERN_PACK, .dtype = type}));
        cr_assert_geq(model_open(&m, saved, mc.k, MODEL_SAMPLE, &e), 0, "%s", e.text);
        const struct numbers parts = score(m, HEAD_SCORE, hidden),
                             whole = of_logits(m, hidden);
        cr_expect(same(&whole, &parts), "%s, %d", of[*i], type);
        cr_expect(type == KERN_BF16 || same(&plain, &parts), "%s", of[*i]);
        model_close(m);
        machine_free(&mc);
    }
    free(hidden);
    scratch_remove(dir);
    free(saved);
}
