/*
 * Adapters that are new, and those of PEFT directories, read and written.
 */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/pattern.h"
#include "base/rng.h"
#include "io/peft.h"
#include "io/safetensors.h"
#include "kern/finite.h"
#include "model/adapter_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- which modules -------------------------------------------------------------------- */

/* 1 if module ends with these n bytes, which begin a component. */
static int ends_with(const char *module, const char *end, size_t n)
{
    const size_t len = strlen(module);

    return len >= n && memcmp(module + len - n, end, n) == 0 &&
           (len == n || module[len - n - 1] == '.');
}

/* The next of the words between commas: 1, or 0 behind the last. */
static int next_word(const char **list, const char **word, size_t *n)
{
    if (!**list)
        return 0;
    *word = *list;
    *n = strcspn(*list, ",");
    *list += *n + ((*list)[*n] == ',');
    return 1;
}

static int is_listed(const char *list, const char *module)
{
    const char *word;
    size_t n;

    while (next_word(&list, &word, &n))
        if (n && ends_with(module, word, n))
            return 1;
    return 0;
}

static int is_expression(const char *targets)
{
    return targets[strcspn(targets, "^$*+?()[]{}|\\")] != '\0';
}

static int choose_new(void *ctx, const struct adapter_target *of, size_t *r,
                      double *scale, struct err *e)
{
    const struct adapter_opts *o = ctx;
    const char *t = o->targets;

    *r = o->rank;
    *scale = o->alpha / (double)o->rank;
    if (!t)
        return of->kind <= MATRIX_XO;
    if (strcmp(t, "all-linear") == 0)
        return 1;
    if (!is_expression(t))
        return is_listed(t, of->module);
    const int rc = pattern_matches(t, of->module, "--lora-target", e);
    return rc == ERR_FILE ? ERR_USAGE : rc;
}

/* Names behind the last dot, each once, for a message. */
struct leaves {
    char text[400];
};

static int add_leaf(void *ctx, const char *module, size_t param)
{
    struct leaves *l = ctx;
    const char *dot = strrchr(module, '.'), *leaf = dot ? dot + 1 : module;
    const size_t n = strlen(l->text);

    (void)param;
    if (!is_listed(l->text, leaf) && n + strlen(leaf) + 2 < sizeof l->text)
        snprintf(l->text + n, sizeof l->text - n, "%s%s", n ? "," : "", leaf);
    return 0;
}

static int has_end(void *ctx, const char *module, size_t param)
{
    const char *word = ctx;

    (void)param;
    return ends_with(module, word, strcspn(word, ","));
}

/* Every word must mean a module, and all of them together one. */
static int check_targets(const struct model *m, const struct adapter_opts *o,
                         struct err *e)
{
    const char *t = o->targets, *word;
    const int words = t && strcmp(t, "all-linear") != 0 && !is_expression(t);
    struct leaves l = {""};
    size_t n;

    for (const char *list = words ? t : ""; next_word(&list, &word, &n);)
        if (!n || !adapter_modules(m, has_end, (void *)word)) {
            (void)adapter_modules(m, add_leaf, &l);
            return err_set(e, ERR_USAGE, "%s: no module is called '%.*s'; there are %s",
                           m->path, (int)n, word, l.text);
        }
    if (m->adapter->parts)
        return 0;
    (void)adapter_modules(m, add_leaf, &l);
    return err_set(e, ERR_USAGE, "%s: '%s' fits no module; there are %s", m->path,
                   t ? t : "", l.text);
}

/* ---- target_modules ------------------------------------------------------------------- */

struct ending {
    const struct model *m;
    const char *end;
    int strangers; /* modules with that end which are not adapted */
};

static int is_adapted(const struct adapter *a, size_t param)
{
    for (size_t i = 0; i < a->parts; i++)
        if (a->part[i].param == param)
            return 1;
    return 0;
}

static int count_stranger(void *ctx, const char *module, size_t param)
{
    struct ending *x = ctx;

    return ends_with(module, x->end, strlen(x->end)) &&
           !is_adapted(x->m->adapter, param);
}

/* The shortest end of module, by components, that no other one has. */
static const char *shortest(const struct model *m, const char *module)
{
    const char *end = strrchr(module, '.');

    while (end) {
        struct ending x = {.m = m, .end = end + 1};

        if (!adapter_modules(m, count_stranger, &x))
            return end + 1;
        while (end > module && *--end != '.')
            ;
        if (end == module)
            break;
    }
    return module;
}

static int list_has(const json_t *list, const char *module)
{
    const json_t *v;
    size_t i;

    json_array_foreach(
        (json_t *)list, i,
        v) if (ends_with(module, json_string_value(v), json_string_length(v))) return 1;
    return 0;
}

json_t *adapter_targets(const struct model *m)
{
    const struct adapter *a = m->adapter;
    json_t *list = json_array();
    char module[ADAPTER_NAME];

    for (size_t i = 0; list && i < a->parts; i++) {
        adapter_module(module, m, &m->plan.param[a->part[i].param]);
        if (list_has(list, module))
            continue;
        if (json_array_append_new(list, json_string(shortest(m, module))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* ---- a new one ------------------------------------------------------------------------ */

/* PEFT: kaiming_uniform with a = sqrt(5), which is uniform in +-1/sqrt(K). */
static void fill(struct adapter *a, uint64_t seed)
{
    for (size_t i = 0; i < a->sites; i++) {
        const struct adapter_site *s = &a->site[i];
        const double bound = 1 / sqrt((double)s->K);

        for (size_t j = s->part; j < s->part + s->n; j++) {
            const struct adapter_part *t = &a->part[j];
            float *A = a->params + s->A + t->col * s->K;
            const uint64_t id = t->param;

            for (size_t r = 0; r < t->r; r++)
                for (size_t c = 0; c < s->K; c++)
                    A[r * s->K + c] =
                        (float)(bound *
                                (2 * rng_uniform(seed, id, (uint32_t)r, (uint32_t)c) -
                                 1));
        }
    }
}

int adapter_transposed(const struct model *m)
{
    const struct adapter *a = m->adapter;

    return a->parts && m->plan.param[a->part[0].param].flags & PLAN_TRANSPOSED;
}

static int configure(struct model *m, const struct adapter_opts *o, struct err *e)
{
    json_t *targets = adapter_targets(m);
    const struct peft_new n = {.base = m->path,
                               .r = o->rank,
                               .alpha = o->alpha,
                               .transposed = adapter_transposed(m),
                               .encoder = m->encoder != NULL,
                               .targets = targets};

    m->adapter->config = targets ? peft_config(&n) : NULL;
    json_decref(targets);
    return m->adapter->config
               ? 0
               : err_set(e, ERR_NOMEM, "%s: no memory for an adapter", m->path);
}

int adapter_new(struct model *m, const struct adapter_opts *o, struct err *e)
{
    struct adapter_opts own = *o;
    int rc = adapter_build(m, choose_new, &own, e);

    if (rc < 0)
        return rc;
    fill(m->adapter, o->seed);
    if ((rc = check_targets(m, o, e)) < 0 || (rc = configure(m, o, e)) < 0 ||
        (rc = adapter_ready(m, e)) < 0)
        adapter_drop(m);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------- */

struct reading {
    const struct peft *peft;
    const struct safetensors *st;
};

static const struct st_entry *entry(const struct safetensors *st, const char *module,
                                    const char *which)
{
    char name[ADAPTER_NAME + 64];

    snprintf(name, sizeof name, "base_model.model.%s.lora_%s.weight", module, which);
    return safetensors_find(st, name);
}

/* The modules whose A is in the file. */
static int choose_read(void *ctx, const struct adapter_target *t, size_t *r,
                       double *scale, struct err *e)
{
    const struct reading *d = ctx;
    const int rc = peft_module(d->peft, t->module, r, scale, e);

    return rc < 0 ? rc : entry(d->st, t->module, "A") != NULL;
}

static int read_param(const struct model *m, const struct plan_param *p,
                      const struct safetensors *st, float *scratch, struct err *e)
{
    const struct st_entry *t = safetensors_find(st, p->name);
    const struct adapter *a = m->adapter;
    const size_t n = p->rows * p->cols;

    if (!t)
        return err_set(e, ERR_FILE, "%s: no tensor '%s'", st->path, p->name);
    if (t->rank != 2 || t->dims[0] != p->rows || t->dims[1] != p->cols)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' is not %zu x %zu, as model and config say", st->path,
                       p->name, p->rows, p->cols);
    if (dtype_widen(scratch, t->data, t->dtype, n) < 0)
        return err_set(e, ERR_SHAPE, "%s: '%s' is %s, expected F32, F16 or BF16",
                       st->path, p->name, dtype_name(t->dtype));
    if (!all_finite(kern_isa(m->kern), scratch, n))
        return err_set(e, ERR_NUMERIC, "%s: '%s' holds what is not a finite number",
                       st->path, p->name);
    plan_import(&a->plan, p, a->params + p->offset, scratch);
    return 0;
}

static int read_params(const struct model *m, const struct safetensors *st,
                       struct err *e)
{
    const struct adapter *a = m->adapter;
    float *scratch = malloc((a->plan.size + 1) * sizeof *scratch);
    int rc = scratch ? 0 : err_set(e, ERR_NOMEM, "%s: no memory", st->path);

    for (size_t i = 0; rc >= 0 && i < a->plan.n; i++)
        rc = read_param(m, &a->plan.param[i], st, scratch, e);
    free(scratch);
    return rc;
}

/* A tensor without a place would change what the model computes. */
static int refuse_strangers(const struct model *m, const struct safetensors *st,
                            struct err *e)
{
    for (size_t i = 0; i < st->n; i++)
        if (!plan_find(&m->adapter->plan, st->entries[i].name))
            return err_set(e, ERR_FILE,
                           "%s: tensor '%s' has no place in an adapter of the %s model "
                           "%s",
                           st->path, st->entries[i].name, m->arch.family->name,
                           m->path);
    return m->adapter->parts ? 0
                             : err_set(e, ERR_FILE, "%s: holds no tensors", st->path);
}

static int load(struct model *m, const struct peft *peft, const char *path,
                struct err *e)
{
    struct safetensors st = {0};
    struct reading d = {peft, &st};
    int rc = safetensors_open(&st, path, e);

    if (rc >= 0 && (rc = adapter_build(m, choose_read, &d, e)) >= 0 &&
        (rc = refuse_strangers(m, &st, e)) >= 0 && (rc = read_params(m, &st, e)) >= 0) {
        m->adapter->config = json_incref(peft->config);
        rc = adapter_ready(m, e);
    }
    safetensors_close(&st);
    return rc;
}

static int load_peft(struct model *m, const char *dir, struct err *e)
{
    struct peft peft;
    int rc;

    if ((rc = peft_read(&peft, dir, e)) < 0)
        return rc;
    char *path = file_join(dir, PEFT_WEIGHTS);
    if (!path)
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    else
        rc = load(m, &peft, path, e);
    free(path);
    peft_release(&peft);
    return rc;
}

int adapter_load(struct model *m, const char *path, struct err *e)
{
    struct stat st;
    const int is_file = stat(path, &st) == 0 && S_ISREG(st.st_mode);

    adapter_drop(m);
    const int rc = is_file ? adapter_load_gguf(m, path, e) : load_peft(m, path, e);
    if (rc < 0)
        adapter_drop(m);
    return rc;
}

/* ---- writing -------------------------------------------------------------------------- */

int adapter_write(const struct model *m, const struct checkpoint *c, struct err *e)
{
    json_t *config = peft_config_again(m->adapter->config, m->path);
    char *text =
        config ? json_dumps(config, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    char *path = NULL;
    int rc;

    if (!text)
        rc = err_set(e, ERR_NOMEM, "%s: no memory for %s", c->path, PEFT_CONFIG);
    else
        rc = checkpoint_file(c, PEFT_CONFIG, text, strlen(text), e);
    if (rc >= 0 && !(path = checkpoint_join(c, PEFT_WEIGHTS, e)))
        rc = ERR_NOMEM;
    if (rc >= 0)
        rc = model_write_block(m, m->adapter->params, path, e);
    free(path);
    free(text);
    json_decref(config);
    return rc;
}
