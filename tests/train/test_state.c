/*
 * training/ of every algorithm: what is written is read back, all of it; a state that lacks
 * a member, or has another type there, is refused with the file and the member named.
 */
#include "../support/files.h"
#include "base/json.h"
#include "bench.h"
#include "train/state.h"

#include <criterion/parameterized.h>

/* A run of some steps, its cursor, and where its state is. */
struct saved {
    struct bench b;
    struct train_cursor cursor;
    char *dir;
    const char *at, *json;
};

static void fill_moments(struct train *t)
{
    const struct plan *plan = model_trained(t->m);

    for (size_t p = 0; p < plan->n; p++) /* between them is padding */
        for (size_t i = 0; i < plan->param[p].rows * plan->param[p].cols; i++) {
            t->exp_avg[plan->param[p].offset + i] = (float)(p + i) - 3;
            t->exp_avg_sq[plan->param[p].offset + i] = (float)(p + i) / 7;
        }
    for (size_t i = 0; t->head.C && i <= t->head.C; i++) {
        t->head.w[i] = (float)i + 1;
        t->head.m[i] = (float)i + 2;
        t->head.v[i] = (float)i + 3;
    }
}

static void write_state(struct saved *s)
{
    struct checkpoint c = {0};

    ok(&s->b, checkpoint_begin(&c, s->at, CHECKPOINT_REPLACE, &s->b.e));
    ok(&s->b, train_state_write(s->b.t, &s->cursor, &c, &s->b.e));
    ok(&s->b, checkpoint_commit(&c, &s->b.e));
    checkpoint_abort(&c);
}

static void open_saved(struct saved *s, enum algo_kind k)
{
    *s = (struct saved){.dir = scratch_make()};
    s->at = path_in(s->dir, "at");
    s->json = path_in(s->at, "training/state.json");
    bench_open(&s->b, "llama-tiny", 1);
    bench_algo(&s->b, k);
    bench_start(&s->b);
    struct train *t = s->b.t;
    fill_moments(t);
    t->steps = 12;
    t->iterations = 5;
    t->kl.beta = 0.1 + 0.2; /* all 17 digits */
    t->baseline = (struct advantage_running){-1.0 / 3, 9};
    s->cursor = (struct train_cursor){.groups = 17,
                                      .hash = 0xfedcba9876543210u,
                                      .groups_kept = 23,
                                      .versions = 4,
                                      .batches = 6,
                                      .episodes = 71,
                                      .loss = -1.0 / 7,
                                      .policy = {0x8000000000000001u, 2, 3},
                                      .npolicies = 3};
    write_state(s);
}

static void close_saved(struct saved *s)
{
    bench_close(&s->b);
    scratch_remove(s->dir);
}

ParameterizedTestParameters(state, every_algorithm)
{
    static enum algo_kind kinds[ALGO_KINDS];

    for (size_t i = 0; i < ALGO_KINDS; i++)
        kinds[i] = (enum algo_kind)i;
    return cr_make_param_array(enum algo_kind, kinds, ALGO_KINDS);
}
ParameterizedTest(enum algo_kind *k, state, every_algorithm)
{
    struct saved s;
    struct train_cursor got = {0};

    open_saved(&s, *k);
    struct train *was = s.b.t, *t = NULL;
    ok(&s.b, train_new(&t, s.b.m, &s.b.o, &s.b.e));
    ok(&s.b, train_state_read(t, &got, s.at, &s.b.e));
    cr_expect_eq(memcmp(&got, &s.cursor, sizeof got), 0, "the cursor is another");
    cr_expect(t->steps == was->steps && t->iterations == was->iterations);
    cr_expect(t->kl.beta == was->kl.beta);
    cr_expect(t->baseline.sum == was->baseline.sum &&
              t->baseline.count == was->baseline.count);
    const size_t n = model_trained(s.b.m)->size * sizeof(float);
    cr_expect_eq(memcmp(t->exp_avg, was->exp_avg, n), 0, "first moments");
    cr_expect_eq(memcmp(t->exp_avg_sq, was->exp_avg_sq, n), 0, "second moments");
    const size_t h = t->head.C ? (t->head.C + 1) * sizeof(float) : 0;
    cr_expect_eq(t->head.C != 0,
                 (algo_get(*k)->flags & (ALGO_VALUE | ALGO_SCORE)) != 0);
    cr_expect(!h || (!memcmp(t->head.w, was->head.w, h) &&
                     !memcmp(t->head.m, was->head.m, h) &&
                     !memcmp(t->head.v, was->head.v, h)),
              "the head");
    train_free(t);
    close_saved(&s);
}

/* ---- a state that is not whole ------------------------------------------------------- */

static void put_json(const struct saved *s, const json_t *j)
{
    char *text = json_dumps(j, 0);

    file_make(s->json, text, strlen(text));
    free(text);
}

/* The state as it stands is refused, by file and member. */
static void check_refused(struct saved *s, const char *key, const char *how)
{
    struct train_cursor got = {0};
    char quoted[64];
    const int rc = train_state_read(s->b.t, &got, s->at, &s->b.e);

    snprintf(quoted, sizeof quoted, "'%s'", key);
    cr_expect_eq(rc, ERR_FILE, "'%s' %s: %d", key, how, rc);
    cr_expect(strstr(s->b.e.text, quoted), "'%s' %s: %s", key, how, s->b.e.text);
    cr_expect(strstr(s->b.e.text, "training/state.json"), "%s", s->b.e.text);
    s->b.e = (struct err){0};
}

static void check_value(struct saved *s, const json_t *whole, const char *key,
                        json_t *value, const char *how)
{
    json_t *j = json_copy((json_t *)whole);

    json_object_set_new(j, key, value);
    put_json(s, j);
    check_refused(s, key, how);
    json_decref(j);
}

/* Every member that is written is needed. */
ParameterizedTestParameters(state, members)
{
    static enum algo_kind kinds[] = {ALGO_PPO, ALGO_SFT, ALGO_RM, ALGO_REINFORCE};

    return cr_make_param_array(enum algo_kind, kinds, sizeof kinds / sizeof *kinds);
}
ParameterizedTest(enum algo_kind *k, state, members)
{
    struct saved s;
    json_t *whole, *value;
    const char *key;

    open_saved(&s, *k);
    ok(&s.b, json_read_file(&whole, s.json, &s.b.e));
    cr_expect_eq(json_object_size(whole), 17u,
                 "a new member is told in open_saved too");
    json_object_foreach(whole, key, value)
    {
        json_t *j = json_copy(whole);
        json_object_del(j, key);
        put_json(&s, j);
        check_refused(&s, key, "missing");
        json_decref(j);
        check_value(&s, whole, key, json_true(), "of a wrong type");
        check_value(&s, whole, key, json_null(), "null");
        if (json_is_integer(value))
            check_value(&s, whole, key, json_integer(-1), "negative");
        if (json_is_string(value) && strcmp(key, "algo") != 0)
            check_value(&s, whole, key, json_string("0xyz"), "no hash");
        if (json_is_array(value))
            check_value(&s, whole, key, json_pack("[s, i]", "01", 2), "no hashes");
    }
    json_decref(whole);
    close_saved(&s);
}

/* More hashes than a run keeps would be written beside the ring. */
Test(state, too_many_policies)
{
    struct saved s;
    json_t *whole, *list = json_array();

    open_saved(&s, ALGO_GRPO);
    ok(&s.b, json_read_file(&whole, s.json, &s.b.e));
    for (size_t i = 0; i <= TRAIN_POLICIES; i++)
        json_array_append_new(list, json_string("00000000000000aa"));
    check_value(&s, whole, "policies", list, "too long");
    json_decref(whole);
    close_saved(&s);
}

/* A file of training/ that another model's, or no file, took the place of. */
Test(state, tensors_are_named)
{
    static const char *const files[] = {"exp_avg", "exp_avg_sq", "head"};
    struct saved s;
    struct train_cursor got;

    open_saved(&s, ALGO_PPO);
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        size_t n;
        snprintf(name, sizeof name, "training/%s.safetensors", files[i]);
        const char *path = path_in(s.at, name);
        char *was = file_slurp(path, &n);
        char *at = memmem(was, n, "weight\"", 7);
        cr_assert_not_null(at);
        *at = 'W'; /* the first tensor has another name */
        file_make(path, was, n);
        cr_expect_eq(train_state_read(s.b.t, &got, s.at, &s.b.e), ERR_SHAPE);
        cr_expect(strstr(s.b.e.text, name) && strstr(s.b.e.text, "weight'"), "%s",
                  s.b.e.text);
        cr_expect_eq(remove(path), 0);
        cr_expect_lt(train_state_read(s.b.t, &got, s.at, &s.b.e), 0);
        cr_expect(strstr(s.b.e.text, name), "%s", s.b.e.text);
        *at = 'w';
        file_make(path, was, n);
        free(was);
    }
    ok(&s.b, train_state_read(s.b.t, &got, s.at, &s.b.e));
    close_saved(&s);
}
