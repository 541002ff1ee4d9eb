/* The head over part of the vocabulary at a time gives the bits of the head over all of it:
 * with soft caps, a scale, a bias; weights as they are and packed. */
#include "model/head.h"

#include "../support/files.h"
#include "../support/golden.h"
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

static struct numbers score(struct model *m, enum head_mode mode, const float *hidden)
{
    static struct head_item item[ITEMS];
    static struct numbers out;
    struct head *h;
    struct err e = {0};

    for (size_t i = 0; i < ITEMS; i++)
        item[i] = (struct head_item){i * 7 % ROWS, (int32_t)(i * 31 % V),
                                     0.7f + (float)(i % 3) * 0.3f};
    cr_assert_geq(head_new(&h, m, mode, &e), 0, "%s", e.text);
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

ParameterizedTestParameters(head, parts_are_the_whole)
{
    static const size_t index[] = {0, 1, 2};

    return cr_make_param_array(const size_t, index, sizeof index / sizeof *index);
}
ParameterizedTest(const size_t *i, head, parts_are_the_whole)
{
    char *dir = scratch_make(), *saved = strdup(path_in(dir, "model"));
    struct machine mc;

    cr_assert(machine_new(&mc, 2, &(struct kern_opts){.backend = KERN_PACK}));
    struct model *m = make(dir, of[*i], mc.k), *packed;
    float *hidden = normals(ROWS * m->arch.C, 5);
    struct err e = {0};
    const struct numbers whole = score(m, HEAD_TRAIN, hidden),
                         parts = score(m, HEAD_SCORE, hidden);

    cr_expect(same(&whole, &parts), "%s", of[*i]);
    cr_expect(isfinite(whole.logp[0]) && whole.logp[0] < 0 && whole.entropy[0] > 1);
    cr_assert_geq(model_save(m, saved, CHECKPOINT_NEW, NULL, &e), 0, "%s", e.text);
    cr_assert_geq(model_open(&packed, saved, mc.k, MODEL_SAMPLE, &e), 0, "%s", e.text);
    const struct numbers of_packed = score(packed, HEAD_SCORE, hidden);
    cr_expect(same(&whole, &of_packed), "%s", of[*i]);
    model_close(packed);
    model_close(m);
    free(hidden);
    machine_free(&mc);
    scratch_remove(dir);
    free(saved);
}
