#include "io/peft.h"

#include "base/file.h"
#include "base/json.h"
#include "base/pattern.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int peft_is_adapter(const char *path)
{
    char *file = file_join(path, PEFT_CONFIG);
    const int there = file && file_exists(file);

    free(file);
    return there;
}

/* ---- what is refused ------------------------------------------------------------------ */

static int is_empty(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) ||
           (json_is_array(v) && json_array_size(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0);
}

/* Keys that must be absent, null, false or empty: each of them changes the function that
 * the model computes. */
static const struct {
    const char *key, *what;
} refused[] = {
    {"use_dora", "DoRA"},
    {"modules_to_save", "whole modules beside the adapter"},
    {"lora_bias", "biases of B"},
    {"layer_replication", "layers used several times"},
    {"target_parameters", "adapted parameters that are no modules"},
    {"trainable_token_indices", "trained embeddings"},
    {"use_qalora", "QA-LoRA"},
    {"use_bdlora", "block-diagonal adapters"},
    {"alora_invocation_tokens", "adapters that begin at a token"},
    {"arrow_config", "routing between adapters"},
};

/* Inits that change the base model as well when such a config is loaded. */
static int check_init(const json_t *config, const char *path, struct err *e)
{
    static const char *const fine[] = {"gaussian", "eva", "orthogonal", "default"};
    const json_t *v = json_object_get(config, "init_lora_weights");
    const char *word = json_string_value(v);

    for (size_t i = 0; word && i < sizeof fine / sizeof *fine; i++)
        if (strcmp(word, fine[i]) == 0)
            return 0;
    if (!word)
        return 0;
    return err_set(e, ERR_FILE,
                   "%s: 'init_lora_weights' is '%.40s', which changes the base model "
                   "too; save it with path_initial_model_for_weight_conversion",
                   path, word);
}

static int check(const json_t *config, const char *path, struct err *e)
{
    const char *bias = "none";
    int rc = json_opt_str(&bias, config, "bias", path, e);

    if (rc < 0)
        return rc;
    if (strcmp(bias, "none") != 0)
        return err_set(e, ERR_FILE, "%s: 'bias' is '%.40s', only 'none' is supported",
                       path, bias);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!is_empty(json_object_get(config, refused[i].key)))
            return err_set(e, ERR_FILE, "%s: '%s' is set, which is not supported (%s)",
                           path, refused[i].key, refused[i].what);
    return check_init(config, path, e);
}

/* ---- reading -------------------------------------------------------------------------- */

static int read_fields(struct peft *p, struct err *e)
{
    const char *type;
    int rc;

    if (!json_is_object(p->config))
        return err_set(e, ERR_FILE, "%s: not an object", p->path);
    if ((rc = json_get_str(&type, p->config, "peft_type", p->path, e)) < 0)
        return rc;
    if (strcmp(type, "LORA") != 0)
        return err_set(e, ERR_FILE, "%s: 'peft_type' is '%.40s', expected LORA",
                       p->path, type);
    p->alpha = 8; /* PEFT's defaults */
    p->r = 8;
    if ((rc = json_opt_size(&p->r, p->config, "r", 1, PEFT_RANK_MAX, p->path, e)) < 0 ||
        (rc = json_opt_double(&p->alpha, p->config, "lora_alpha", p->path, e)) < 0 ||
        (rc = json_opt_bool(&p->rslora, p->config, "use_rslora", p->path, e)) < 0 ||
        (rc = json_opt_str(&p->base, p->config, "base_model_name_or_path", p->path,
                           e)) < 0)
        return rc;
    return check(p->config, p->path, e);
}

int peft_read(struct peft *p, const char *dir, struct err *e)
{
    int rc;

    *p = (struct peft){.path = file_join(dir, PEFT_CONFIG)};
    if (!p->path)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    if ((rc = json_read_file(&p->config, p->path, e)) >= 0)
        rc = read_fields(p, e);
    if (rc < 0)
        peft_release(p);
    return rc;
}

void peft_release(struct peft *p)
{
    json_decref(p->config);
    free(p->path);
    *p = (struct peft){0};
}

/* The value of a pattern's key for a module, NULL if none fits: the first that matches
 * all of the name, or all that is behind one of its dots. */
static int find_pattern(const struct peft *p, const char *name, const char *module,
                        const json_t **out, struct err *e)
{
    json_t *patterns = json_object_get(p->config, name), *v;
    const char *key;

    *out = NULL;
    if (is_empty(patterns))
        return 0;
    if (!json_is_object(patterns))
        return err_set(e, ERR_FILE, "%s: '%s' is not an object", p->path, name);
    json_object_foreach(patterns, key, v)
    {
        const size_t n = strlen(key) + sizeof "(?:.*\\.)?(?:)";
        char *whole = malloc(n);

        if (!whole)
            return err_set(e, ERR_NOMEM, "%s: no memory", p->path);
        snprintf(whole, n, "(?:.*\\.)?(?:%s)", key);
        const int rc = pattern_matches(whole, module, p->path, e);
        free(whole);
        if (rc < 0)
            return rc;
        if (rc) {
            *out = v;
            return 0;
        }
    }
    return 0;
}

int peft_module(const struct peft *p, const char *module, size_t *r, double *scale,
                struct err *e)
{
    const json_t *v;
    double alpha = p->alpha;
    int rc;

    *r = p->r;
    if ((rc = find_pattern(p, "rank_pattern", module, &v, e)) < 0)
        return rc;
    const json_int_t rank = json_integer_value(v);
    if (v && !(rank >= 1 && rank <= PEFT_RANK_MAX))
        return err_set(e, ERR_FILE,
                       "%s: 'rank_pattern': not a rank of 1 to %d for '%s'", p->path,
                       PEFT_RANK_MAX, module);
    *r = v ? (size_t)rank : p->r;
    if ((rc = find_pattern(p, "alpha_pattern", module, &v, e)) < 0)
        return rc;
    if (v && !json_is_number(v))
        return err_set(e, ERR_FILE, "%s: 'alpha_pattern': not a number for '%s'",
                       p->path, module);
    alpha = v ? json_number_value(v) : p->alpha;
    *scale = p->rslora ? alpha / sqrt((double)*r) : alpha / (double)*r;
    return 0;
}

/* ---- where the parts are -------------------------------------------------------------- */

/* The base of an adapter that names it, malloc'd; NULL: it is not there. */
static char *find_base(const char *name, const char *dir)
{
    if (file_exists(name))
        return strdup(name);
    if (*name == '/')
        return NULL;
    char *path = file_join(dir, name);

    if (path && file_exists(path))
        return path;
    free(path);
    return NULL;
}

static int named_base(char **out, const char *dir, struct err *e)
{
    struct peft p;
    const int rc = peft_read(&p, dir, e);

    if (rc < 0)
        return rc;
    *out = p.base ? find_base(p.base, dir) : NULL;
    if (!*out)
        err_set(e, ERR_FILE,
                "%s: 'base_model_name_or_path' is '%.300s', which is not here: -m BASE "
                "--adapter %.200s says where it is",
                p.path, p.base ? p.base : "null", dir);
    peft_release(&p);
    return *out ? 0 : ERR_FILE;
}

/* 1 if a directory brings a tokenizer. */
static int has_text(const char *dir)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model",
                                        "vocab.json"};
    int there = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names && !there; i++) {
        char *path = file_join(dir, names[i]);

        there = path && file_exists(path);
        free(path);
    }
    return there;
}

static int fill_paths(struct peft_paths *p, const char *path, const char *adapter,
                      struct err *e)
{
    int rc = 0;

    if (adapter && peft_is_adapter(path))
        return err_set(e, ERR_USAGE, "%s: an adapter already; --adapter wants a model",
                       path);
    if (!adapter && peft_is_adapter(path)) {
        adapter = path;
        if ((rc = named_base(&p->base, path, e)) < 0)
            return rc;
        if (peft_is_adapter(p->base))
            return err_set(e, ERR_FILE, "%s: its base %s is an adapter itself", path,
                           p->base);
    } else if (!(p->base = strdup(path))) {
        rc = ERR_NOMEM;
    }
    if (adapter && !(p->adapter = strdup(adapter)))
        rc = ERR_NOMEM;
    p->text = strdup(adapter && has_text(adapter) ? adapter : p->base ? p->base : path);
    return rc < 0 || !p->text ? err_set(e, ERR_NOMEM, "%s: no memory", path) : 0;
}

int peft_paths_find(struct peft_paths *out, const char *path, const char *adapter,
                    struct err *e)
{
    *out = (struct peft_paths){0};
    const int rc = fill_paths(out, path, adapter, e);

    if (rc < 0)
        peft_paths_release(out);
    return rc;
}

void peft_paths_release(struct peft_paths *p)
{
    free(p->base);
    free(p->adapter);
    free(p->text);
    *p = (struct peft_paths){0};
}

/* ---- writing -------------------------------------------------------------------------- */

static json_t *absolute(const char *path)
{
    char *whole = realpath(path, NULL);
    json_t *v = json_string(whole ? whole : path);

    free(whole);
    return v;
}

/* Whole numbers as such, as PEFT writes them. */
static json_t *number(double x)
{
    return x == floor(x) && fabs(x) < 1e9 ? json_integer((json_int_t)x) : json_real(x);
}

json_t *peft_config(const struct peft_new *n)
{
    return json_pack(
        "{s:o, s:s, s:s, s:s, s:i, s:o, s:f, s:O, s:b, s:b, s:b, s:b, s:b, s:{}, s:{}, "
        "s:n, s:n, s:n, s:n}",
        "base_model_name_or_path", absolute(n->base), "peft_type", "LORA", "task_type",
        n->encoder ? "SEQ_2_SEQ_LM" : "CAUSAL_LM", "bias", "none", "r", (int)n->r,
        "lora_alpha", number(n->alpha), "lora_dropout", 0.0, "target_modules",
        n->targets, "fan_in_fan_out", n->transposed, "use_rslora", n->rslora,
        "use_dora", 0, "inference_mode", 1, "init_lora_weights", 1, "rank_pattern",
        "alpha_pattern", "modules_to_save", "layers_to_transform", "layers_pattern",
        "revision");
}

json_t *peft_config_again(const json_t *config, const char *base)
{
    json_t *c = json_deep_copy(config);

    if (c && json_object_set_new(c, "base_model_name_or_path", absolute(base)) == 0 &&
        json_object_set_new(c, "inference_mode", json_true()) == 0)
        return c;
    json_decref(c);
    return NULL;
}
