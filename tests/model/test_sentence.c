/*
 * Encoders against PyTorch (float64 from the same weights), and sentences as vectors.
 */
#include "../support/files.h"
#include "../support/golden_model.h"

#include "base/file.h"
#include "base/json.h"
#include "io/sbert.h"
#include "model/sentence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const encoders[] = {
#define ENCODER(name) name,
#include "../golden/models.h"
};
enum { ENCODERS = sizeof encoders / sizeof *encoders, SEQS = 2 };

/* ---- the encoder ----------------------------------------------------------------------- */

struct fixture {
    struct golden_model g;
    int32_t *ids[SEQS];
    size_t T[SEQS];
    struct pass *p;
    const float *hidden;
};

static void open_fixture(struct fixture *f, size_t i, enum pass_mode mode)
{
    struct err e = {0};

    golden_encoder_open(&f->g, encoders[i]);
    for (int s = 0; s < SEQS; s++) {
        f->ids[s] = golden_ids(&f->g.want, &f->T[s], "s%d.input_ids", s);
        cr_assert_eq(batch_add(&f->g.b, BATCH_ALONE, f->ids[s], f->T[s], &e), s);
    }
    cr_assert_geq(pass_new(&f->p, f->g.m, 0, mode, &e), 0);
    cr_assert_geq(pass_forward(f->p, &f->g.b, NULL, &f->hidden, &e), 0, "%s", e.text);
}

static void close_fixture(struct fixture *f)
{
    for (int s = 0; s < SEQS; s++)
        free(f->ids[s]);
    pass_free(f->p);
    golden_model_close(&f->g);
}

ParameterizedTestParameters(bert, forward)
{
    return each_index(ENCODERS);
}
ParameterizedTest(size_t *i, bert, forward)
{
    struct fixture f;

    open_fixture(&f, *i, PASS_TRAIN);
    const struct arch *a = &f.g.m->arch;
    for (int s = 0; s < SEQS; s++)
        for (size_t l = 0; l <= a->L; l++)
            golden_compare(&f.g,
                           (l < a->L ? pass_residual(f.p, l) : f.hidden) +
                               f.g.b.seqs[s].row0 * a->C,
                           1e-4, "s%d.hidden.%zu", s, l);
    close_fixture(&f);
}

ParameterizedTestParameters(bert, attention)
{
    return each_index(ENCODERS);
}
ParameterizedTest(size_t *i, bert, attention)
{
    struct fixture f;

    open_fixture(&f, *i, PASS_SCORE);
    for (int s = 0; s < SEQS; s++)
        golden_check_attention(&f.g, f.p, s, f.T[s]);
    close_fixture(&f);
}

/* The gradient of sum d . hidden over both sequences, for every parameter, the vectors of
 * kinds of text and the padding's row among them. */
static void check_gradients(enum pass_mode mode)
{
    struct fixture f;

    open_fixture(&f, 0, mode);
    const struct model *m = f.g.m;
    const size_t C = m->arch.C;
    float *d = zeros(f.g.b.B * C), *grads = zeros(m->plan.size);

    for (int s = 0; s < SEQS; s++) {
        size_t n;
        float *part = golden_must(&f.g.want, &n, "s%d.d", s);

        memcpy(d + f.g.b.seqs[s].row0 * C, part, n * sizeof *d);
        free(part);
    }
    pass_backward(f.p, &f.g.b, d, grads, PASS_NEXT);
    for (size_t i = 0; i < m->plan.n; i++)
        golden_compare(&f.g, grads + m->plan.param[i].offset, 1e-4, "grad.%s",
                       m->plan.param[i].name);
    free(d);
    free(grads);
    close_fixture(&f);
}

Test(bert, gradients)
{
    check_gradients(PASS_TRAIN);
}

Test(bert, gradients_of_activations_computed_again)
{
    check_gradients(PASS_RECOMPUTE);
}

/* ---- pooling --------------------------------------------------------------------------- */

/* A directory as sentence-transformers writes one, around a golden encoder, with this
 * config.json of the pooling; NULL: the encoder alone. */
static char *encoder_dir(const char *name, const char *pooling)
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    static const char modules[] =
        "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},"
        " {\"path\": \"1_Pooling\", \"type\": "
        "\"sentence_transformers.models.Pooling\"}]";
    char *dir = scratch_make();

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char from[GOLDEN_PATH], *all;

        golden_path(from, name);
        cr_assert_not_null(all = realpath(from, NULL));
        cr_assert_eq(symlink(path_in(all, files[i]), path_in(dir, files[i])), 0);
        free(all);
    }
    if (pooling) {
        file_make(path_in(dir, "modules.json"), modules, strlen(modules));
        cr_assert_eq(mkdir(path_in(dir, "1_Pooling"), 0777), 0);
        file_make(path_in(dir, "1_Pooling/config.json"), pooling, strlen(pooling));
    }
    return dir;
}

static struct sentence *open_sentence(const char *dir, const struct machine *mc)
{
    struct sentence *s;
    struct err e = {0};

    cr_assert_geq(sentence_open(&s, dir, mc->k, &e), 0, "%s", e.text);
    return s;
}

static const struct way {
    const char *name, *config;
} ways[] = {
    {"mean", NULL},
    {"mean", "{\"pooling_mode\": \"mean\"}"},
    {"mean", "{\"pooling_mode_mean_tokens\": true}"},
    {"cls", "{\"pooling_mode_cls_token\": true, \"pooling_mode_max_tokens\": false}"},
    {"max", "{\"pooling_mode_max_tokens\": true}"},
    {"mean_sqrt_len_tokens", "{\"pooling_mode_mean_sqrt_len_tokens\": true}"},
    {"weightedmean", "{\"pooling_mode\": [\"weightedmean\"]}"},
    {"lasttoken", "{\"pooling_mode_lasttoken\": true}"},
};
enum { WAYS = sizeof ways / sizeof *ways };

ParameterizedTestParameters(sentence, pooling)
{
    return each_index(ENCODERS * WAYS);
}
ParameterizedTest(size_t *i, sentence, pooling)
{
    const struct way *w = &ways[*i % WAYS];
    struct fixture f;
    struct err e = {0};

    open_fixture(&f, *i / WAYS, PASS_SCORE);
    const size_t C = f.g.m->arch.C;
    const struct sentence_text texts[SEQS] = {{f.ids[0], f.T[0]}, {f.ids[1], f.T[1]}};
    char *dir = encoder_dir(encoders[*i / WAYS], w->config);
    struct sentence *s = open_sentence(dir, &f.g.mc);
    float *v = floats(SEQS * C);

    cr_expect_eq(sentence_width(s), C);
    cr_expect_eq(sentence_max(s), f.g.m->arch.context);
    cr_expect_eq(sentence_hash(s), f.g.m->hash);
    cr_assert_geq(sentence_embed(s, texts, SEQS, v, &e), 0, "%s", e.text);
    for (int k = 0; k < SEQS; k++)
        golden_compare(&f.g, v + (size_t)k * C, 1e-5, "s%d.pool.%s", k, w->name);
    free(v);
    sentence_close(s);
    scratch_remove(dir);
    close_fixture(&f);
}

/* ---- laws ------------------------------------------------------------------------------ */

enum { MANY = 300, LONGEST = 60 }; /* longer than the context of 40 */

/* Texts of 1 to LONGEST tokens, so many that they fill several passes. */
struct texts {
    struct sentence_text text[MANY];
    int32_t ids[MANY][LONGEST];
};

static struct texts *make_texts(void)
{
    struct texts *t = calloc(1, sizeof *t);

    for (size_t i = 0; i < MANY; i++) {
        t->text[i] = (struct sentence_text){t->ids[i], 1 + 7 * i % LONGEST};
        for (size_t k = 0; k < LONGEST; k++)
            t->ids[i][k] = (int32_t)((i * 31 + k * (i + 5)) % 67);
    }
    return t;
}

static float *embed(const char *dir, const struct texts *t, size_t threads)
{
    struct machine mc;
    struct err e = {0};

    cr_assert(machine_new(&mc, threads, NULL));
    struct sentence *s = open_sentence(dir, &mc);
    float *v = floats(MANY * sentence_width(s));
    cr_assert_geq(sentence_embed(s, t->text, MANY, v, &e), 0, "%s", e.text);
    sentence_close(s);
    machine_free(&mc);
    return v;
}

/* The same bits alone, behind others, with one thread and with two; length 1. */
Test(sentence, bits_depend_on_the_text_alone)
{
    struct texts *t = make_texts();
    char *dir = encoder_dir("bert-tiny", NULL);
    float *one = embed(dir, t, 1), *two = embed(dir, t, 2);
    struct machine mc;
    struct err e = {0};

    cr_assert(machine_new(&mc, 1, NULL));
    struct sentence *s = open_sentence(dir, &mc);
    const size_t C = sentence_width(s);
    float *alone = floats(C);

    cr_expect_eq(memcmp(one, two, MANY * C * sizeof *one), 0);
    for (size_t i = 0; i < MANY; i += 11) {
        cr_assert_geq(sentence_embed(s, &t->text[i], 1, alone, &e), 0);
        cr_expect_eq(memcmp(alone, one + i * C, C * sizeof *one), 0, "text %zu", i);
        cr_expect_float_eq(sentence_cosine(alone, alone, C), 1, 1e-6);
    }
    free(alone);
    sentence_close(s);
    machine_free(&mc);
    free(one);
    free(two);
    free(t);
    scratch_remove(dir);
}

/* Of a longer text the first tokens and the last one are read, as many as are allowed. */
Test(sentence, long_texts_keep_their_last_token)
{
    static const char limit[] = "{\"max_seq_length\": 9}";
    int32_t ids[30], cut[9];
    struct machine mc;
    struct err e = {0};
    char *dir = encoder_dir("bert-tiny", NULL);

    for (int32_t k = 0; k < 30; k++)
        ids[k] = 2 * k + 3;
    memcpy(cut, ids, sizeof cut);
    cut[8] = ids[29];
    file_make(path_in(dir, "sentence_bert_config.json"), limit, strlen(limit));
    cr_assert(machine_new(&mc, 1, NULL));
    struct sentence *s = open_sentence(dir, &mc);
    const size_t C = sentence_width(s);
    float *v = floats(2 * C);
    const struct sentence_text texts[] = {{ids, 30}, {cut, 9}};
    cr_expect_eq(sentence_max(s), 9);
    cr_assert_geq(sentence_embed(s, texts, 2, v, &e), 0, "%s", e.text);
    cr_expect_eq(memcmp(v, v + C, C * sizeof *v), 0);
    free(v);
    sentence_close(s);
    machine_free(&mc);
    scratch_remove(dir);
}

/* ---- what is refused ------------------------------------------------------------------- */

Test(sentence, texts_that_have_no_vector)
{
    int32_t ids[2] = {5, 67};
    struct machine mc;
    struct err e = {0};
    char *dir = encoder_dir("bert-tiny", NULL);

    cr_assert(machine_new(&mc, 1, NULL));
    struct sentence *s = open_sentence(dir, &mc);
    float *v = floats(2 * sentence_width(s));
    cr_expect_eq(
        sentence_embed(s, (struct sentence_text[]){{ids, 1}, {ids, 0}}, 2, v, &e),
        ERR_RECORD);
    cr_expect_str_eq(e.text, "a text without tokens has no vector");
    cr_expect_eq(sentence_embed(s, &(struct sentence_text){ids, 2}, 1, v, &e),
                 ERR_RECORD);
    cr_expect_str_eq(e.text, "token id 67 is outside the model's vocabulary of 67");
    cr_expect_eq(sentence_embed(s, NULL, 0, v, &e), 0);
    free(v);
    sentence_close(s);
    machine_free(&mc);
    scratch_remove(dir);
}

Test(sentence, models_for_another_use)
{
    static const enum model_mode modes[] = {MODEL_COMPUTE, MODEL_SAMPLE, MODEL_READ};
    char path[GOLDEN_PATH];
    struct machine mc;
    struct err e = {0};
    struct sentence *s;
    struct model *m;

    cr_assert(machine_new(&mc, 1, NULL));
    cr_expect_eq(sentence_open(&s, golden_path(path, "gpt2-tiny"), mc.k, &e), ERR_FILE);
    cr_expect(strstr(e.text, ": a gpt2 model draws tokens; an encoder is expected"));
    cr_expect_null(s);
    golden_path(path, "bert-tiny");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        cr_expect_eq(model_open(&m, path, mc.k, modes[i], &e), ERR_FILE);
        cr_expect(strstr(e.text, "/bert-tiny: a bert model is an encoder: "));
    }
    machine_free(&mc);
}

/* ---- the real one ---------------------------------------------------------------------- */

static const char *find_minilm(void)
{
    const char *env = getenv("CAGSR_MINILM");
    const char *path = env ? env : "build/models/all-MiniLM-L6-v2";

    return file_exists(path) ? path : NULL;
}

static void ids_of(struct sentence_text *t, const json_t *pair, const char *key)
{
    const json_t *a = json_object_get(pair, key);
    int32_t *ids = malloc(json_array_size(a) * sizeof *ids);

    t->ids = ids;
    t->n = json_array_size(a);
    for (size_t i = 0; i < t->n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(a, i));
}

static void check_pair(struct sentence *s, const json_t *pair)
{
    const json_t *first = json_object_get(pair, "embedding_a_first8");
    const size_t C = sentence_width(s);
    float *v = floats(2 * C);
    struct sentence_text t[2];
    struct err e = {0};

    ids_of(&t[0], pair, "ids_a");
    ids_of(&t[1], pair, "ids_b");
    cr_assert_geq(sentence_embed(s, t, 2, v, &e), 0, "%s", e.text);
    cr_expect_float_eq(sentence_cosine(v, v + C, C),
                       json_number_value(json_object_get(pair, "cosine")), 1e-5);
    for (size_t c = 0; c < json_array_size(first); c++)
        cr_expect_float_eq(v[c], json_number_value(json_array_get(first, c)), 1e-5);
    free(v);
    free((void *)t[0].ids);
    free((void *)t[1].ids);
}

/* all-MiniLM-L6-v2 against transformers: `make minilm`. */
Test(sentence, minilm)
{
    struct machine mc;
    struct err e = {0};
    json_t *pairs;

    if (!find_minilm())
        cr_skip_test("no all-MiniLM-L6-v2: make minilm");
    cr_assert_geq(json_read_file(&pairs, "tests/golden/minilm/pairs.json", &e), 0);
    cr_assert_geq(json_array_size(pairs), 10);
    cr_assert(machine_new(&mc, 1, NULL));
    struct sentence *s = open_sentence(find_minilm(), &mc);
    cr_expect_eq(sentence_max(s), 256);
    for (size_t i = 0; i < json_array_size(pairs); i++)
        check_pair(s, json_array_get(pairs, i));
    sentence_close(s);
    machine_free(&mc);
    json_decref(pairs);
}
