#include "train/state.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_VERSION = 1 };

/* ---- the head ------------------------------------------------------------------------- */

static const char *const head_names[] = {"weight", "exp_avg", "exp_avg_sq"};

static int head_state_write(const struct train *t, const char *path, struct err *e)
{
    const float *part[] = {t->head.w, t->head.m, t->head.v};
    struct st_decl decl[3];
    struct st_writer *w;
    int rc;

    for (size_t k = 0; k < 3; k++)
        decl[k] = (struct st_decl){head_names[k], DTYPE_F32, 1, {t->head.C + 1}};
    if ((rc = st_writer_open(&w, path, decl, 3, e)) < 0)
        return rc;
    for (size_t k = 0; k < 3 && rc >= 0; k++)
        rc = st_writer_put(w, part[k], t->head.C + 1, e);
    return st_writer_close(w, rc, e);
}

static int head_state_read(struct train *t, const char *path, struct err *e)
{
    float *part[] = {t->head.w, t->head.m, t->head.v};
    struct safetensors st = {0};
    int rc = safetensors_open(&st, path, e);

    for (size_t k = 0; k < 3 && rc >= 0; k++) {
        const struct st_entry *x = safetensors_find(&st, head_names[k]);
        if (!x || x->dtype != DTYPE_F32 || x->count != t->head.C + 1)
            rc = err_set(e, ERR_SHAPE, "%s: '%s' is not F32 of %zu", path,
                         head_names[k], t->head.C + 1);
        else
            memcpy(part[k], x->data, x->count * sizeof(float));
    }
    safetensors_close(&st);
    return rc;
}

int train_head_write(const struct train *t, const char *path, struct err *e)
{
    const struct st_decl decl[] = {{"score.weight", DTYPE_F32, 2, {1, t->head.C}},
                                   {"score.bias", DTYPE_F32, 1, {1}}};
    struct st_writer *w;
    int rc = st_writer_open(&w, path, decl, 2, e);

    if (rc < 0)
        return rc;
    rc = st_writer_put(w, t->head.w, t->head.C + 1, e);
    return st_writer_close(w, rc, e);
}

/* ---- the moments ---------------------------------------------------------------------- */

static int block_read(float *block, const struct plan *plan, const char *path,
                      struct err *e)
{
    struct safetensors st = {0};
    float *rows = NULL;
    int rc = safetensors_open(&st, path, e);

    for (size_t i = 0; i < plan->n && rc >= 0; i++) {
        const struct plan_param *p = &plan->param[i];
        const struct st_entry *x = safetensors_find(&st, p->name);
        const size_t n = p->rows * p->cols;
        if (!x || x->dtype != DTYPE_F32 || x->count != n) {
            rc = err_set(e, ERR_SHAPE, "%s: '%s' is not F32 of %zu x %zu", path,
                         p->name, p->rows, p->cols);
        } else if (plan_reordered(p)) {
            float *more = realloc(rows, n * sizeof *rows);
            if (!more) {
                rc = err_set(e, ERR_NOMEM, "%s: no memory", path);
                break;
            }
            rows = more;
            memcpy(rows, x->data, n * sizeof *rows);
            plan_import(plan, p, block + p->offset, rows);
        } else {
            memcpy(block + p->offset, x->data, n * sizeof *block);
        }
    }
    free(rows);
    safetensors_close(&st);
    return rc;
}

/* ---- state.json ----------------------------------------------------------------------- */

/* 64-bit numbers are hex strings: JSON's integers do not survive every reader. */
static json_t *hex(uint64_t v)
{
    char text[HASH_HEX];

    hash_hex(text, v);
    return json_string(text);
}

static int unhex(uint64_t *out, const json_t *o, const char *key, const char *path,
                 struct err *e)
{
    const char *text;
    const int rc = json_get_str(&text, o, key, path, e);

    if (rc >= 0 && hash_parse(out, text) < 0)
        return err_set(e, ERR_FILE, "%s: '%s' is not a hexadecimal number", path, key);
    return rc;
}

/* Oldest first, so that what is read goes on where the ring was. */
static json_t *policies(const struct train_cursor *c)
{
    const size_t n = c->npolicies < TRAIN_POLICIES ? c->npolicies : TRAIN_POLICIES;
    json_t *list = json_array();

    for (size_t i = c->npolicies - n; i < c->npolicies; i++)
        json_array_append_new(list, hex(c->policy[i % TRAIN_POLICIES]));
    return list;
}

static int policies_read(struct train_cursor *c, const json_t *j, const char *path,
                         struct err *e)
{
    const json_t *list = json_object_get(j, "policies"), *x;
    size_t i;

    c->npolicies = 0;
    if (!json_is_array(list))
        return err_set(e, ERR_FILE, "%s: 'policies' is not a list of hashes", path);
    json_array_foreach((json_t *)list, i, x)
    {
        if (i >= TRAIN_POLICIES || !json_is_string(x) ||
            hash_parse(&c->policy[i], json_string_value(x)) < 0)
            return err_set(e, ERR_FILE, "%s: 'policies' is not a list of hashes", path);
        c->npolicies++;
    }
    return 0;
}

static json_t *state_json(const struct train *t, const struct train_cursor *c)
{
    return json_pack(
        "{s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, "
        "s:o, s:o, s:f, s:f, s:f}",
        "version", STATE_VERSION, "algo", algo_get(t->o.algo.kind)->name, "seed",
        hex(t->o.seed), "model", hex(t->m->hash), "steps", (json_int_t)t->steps,
        "iterations", (json_int_t)t->iterations, "groups", (json_int_t)c->groups,
        "groups_kept", (json_int_t)c->groups_kept, "versions", (json_int_t)c->versions,
        "batches", (json_int_t)c->batches, "episodes", (json_int_t)c->episodes, "loss",
        c->loss, "data", hex(c->hash), "policies", policies(c), "kl_coefficient",
        t->kl.beta, "reward_sum", t->baseline.sum, "reward_count", t->baseline.count);
}

static int state_json_write(const struct train *t, const struct train_cursor *c,
                            const struct checkpoint *to, struct err *e)
{
    json_t *j = state_json(t, c);
    char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    int rc;

    if (text)
        rc = checkpoint_file(to, "training/state.json", text, strlen(text), e);
    else
        rc = err_set(e, ERR_NOMEM, "no memory for the state of the training");
    free(text);
    json_decref(j);
    return rc;
}

static int counter(uint64_t *out, const json_t *j, const char *key, const char *path,
                   struct err *e)
{
    size_t v;
    const int rc = json_get_size(&v, j, key, 0, SIZE_MAX / 2, path, e);

    if (rc >= 0)
        *out = v;
    return rc;
}

static int same_run(const struct train *t, const json_t *j, const char *path,
                    struct err *e)
{
    const char *algo, *want = algo_get(t->o.algo.kind)->name;
    size_t version;
    uint64_t model, seed;
    int rc;

    if ((rc = json_get_size(&version, j, "version", 1, STATE_VERSION, path, e)) < 0 ||
        (rc = json_get_str(&algo, j, "algo", path, e)) < 0 ||
        (rc = unhex(&seed, j, "seed", path, e)) < 0 ||
        (rc = unhex(&model, j, "model", path, e)) < 0)
        return rc;
    if (strcmp(algo, want))
        return err_set(e, ERR_FILE, "%s: a run of --algo %s, not of %s", path, algo,
                       want);
    if (model != t->m->hash)
        return err_set(e, ERR_FILE, "%s: belongs to other weights than those beside it",
                       path);
    if (seed != t->o.seed)
        return err_set(e, ERR_FILE, "%s: a run with --seed 0x%llx", path,
                       (unsigned long long)seed);
    return 0;
}

static int state_json_read(struct train *t, struct train_cursor *c, const char *path,
                           struct err *e)
{
    json_t *j = NULL;
    int rc = json_read_file(&j, path, e);

    if (rc < 0)
        return rc;
    if ((rc = same_run(t, j, path, e)) >= 0 &&
        (rc = counter(&t->steps, j, "steps", path, e)) >= 0 &&
        (rc = counter(&t->iterations, j, "iterations", path, e)) >= 0 &&
        (rc = counter(&c->groups, j, "groups", path, e)) >= 0 &&
        (rc = counter(&c->groups_kept, j, "groups_kept", path, e)) >= 0 &&
        (rc = counter(&c->versions, j, "versions", path, e)) >= 0 &&
        (rc = counter(&c->batches, j, "batches", path, e)) >= 0 &&
        (rc = counter(&c->episodes, j, "episodes", path, e)) >= 0 &&
        (rc = json_get_double(&c->loss, j, "loss", path, e)) >= 0 &&
        (rc = unhex(&c->hash, j, "data", path, e)) >= 0 &&
        (rc = policies_read(c, j, path, e)) >= 0 &&
        (rc = json_get_double(&t->kl.beta, j, "kl_coefficient", path, e)) >= 0 &&
        (rc = json_get_double(&t->baseline.sum, j, "reward_sum", path, e)) >= 0)
        rc = json_get_double(&t->baseline.count, j, "reward_count", path, e);
    json_decref(j);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------ */

static int write_block(const struct train *t, const float *block, const char *name,
                       const struct checkpoint *to, struct err *e)
{
    char *path = checkpoint_join(to, name, e);
    int rc = path ? model_write_block(t->m, block, path, e) : ERR_NOMEM;

    free(path);
    return rc;
}

int train_state_write(const struct train *t, const struct train_cursor *c,
                      const struct checkpoint *to, struct err *e)
{
    int rc;

    if ((rc = write_block(t, t->exp_avg, "training/exp_avg.safetensors", to, e)) < 0 ||
        (rc = write_block(t, t->exp_avg_sq, "training/exp_avg_sq.safetensors", to, e)) <
            0)
        return rc;
    if (t->head.C) {
        char *path = checkpoint_join(to, "training/head.safetensors", e);
        rc = path ? head_state_write(t, path, e) : ERR_NOMEM;
        free(path);
    }
    return rc < 0 ? rc : state_json_write(t, c, to, e);
}

int train_state_read(struct train *t, struct train_cursor *c, const char *dir,
                     struct err *e)
{
    static const char *const names[] = {
        "training/state.json", "training/exp_avg.safetensors",
        "training/exp_avg_sq.safetensors", "training/head.safetensors"};
    char *path[4];
    int rc = 0;

    for (size_t k = 0; k < 4; k++)
        if (!(path[k] = file_join(dir, names[k])))
            rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    if (rc >= 0 && !file_exists(path[0]))
        rc = err_set(e, ERR_FILE, "%s: no training/ to resume from", dir);
    if (rc >= 0 && (rc = state_json_read(t, c, path[0], e)) >= 0 &&
        (rc = block_read(t->exp_avg, model_trained(t->m), path[1], e)) >= 0)
        rc = block_read(t->exp_avg_sq, model_trained(t->m), path[2], e);
    if (rc >= 0 && t->head.C)
        rc = head_state_read(t, path[3], e);
    for (size_t k = 0; k < 4; k++)
        free(path[k]);
    return rc;
}
