#include "io/sbert.h"

#include "base/file.h"
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct sbert *s;
    int lower; /* 1: texts are lower-cased first */
    int cased; /* 1: the tokenizer tells cases apart */
};

/* dir/name as JSON, an object or a list; *out is NULL if it is not there.  *path names it,
 * malloc'd. */
static int read_optional(json_t **out, char **path, const char *dir, const char *name,
                         struct err *e)
{
    *out = NULL;
    if (!(*path = file_join(dir, name)))
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    return file_exists(*path) ? json_read_file(out, *path, e) : 0;
}

/* One such object, given to fn; absent: fn is not called. */
static int with_object(struct reading *r, const char *dir, const char *name,
                       int (*fn)(struct reading *r, const json_t *v, const char *where,
                                 struct err *e),
                       struct err *e)
{
    json_t *v;
    char *path;
    int rc = read_optional(&v, &path, dir, name, e);

    if (rc >= 0 && v)
        rc = json_is_object(v) ? fn(r, v, path, e)
                               : err_set(e, ERR_FILE, "%s: not an object", path);
    json_decref(v);
    free(path);
    return rc;
}

/* ---- pooling --------------------------------------------------------------------------- */

/* By its name, and by its key in older files. */
static const struct mode {
    const char *name, *key;
    enum sbert_pool pool;
} modes[] = {
    {"mean", "pooling_mode_mean_tokens", SBERT_MEAN},
    {"cls", "pooling_mode_cls_token", SBERT_CLS},
    {"max", "pooling_mode_max_tokens", SBERT_MAX},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", SBERT_MEAN},
    {"weightedmean", "pooling_mode_weightedmean_tokens", SBERT_WEIGHTED},
    {"lasttoken", "pooling_mode_lasttoken", SBERT_LAST},
};
enum { MODES = sizeof modes / sizeof *modes };

static int take_name(struct sbert *s, const json_t *v, const char *where, struct err *e)
{
    if (json_array_size(v) == 1)
        v = json_array_get(v, 0);
    for (size_t i = 0; json_is_string(v) && i < MODES; i++)
        if (strcmp(json_string_value(v), modes[i].name) == 0) {
            s->pool = modes[i].pool;
            return 0;
        }
    return err_set(e, ERR_FILE,
                   "%s: 'pooling_mode' is not one of mean, cls, max, "
                   "mean_sqrt_len_tokens, weightedmean, lasttoken",
                   where);
}

/* A truth value for each; none of them true is the mean. */
static int take_keys(struct sbert *s, const json_t *config, const char *where,
                     struct err *e)
{
    const char *taken = NULL;

    for (size_t i = 0; i < MODES; i++) {
        int is = 0;
        const int rc = json_opt_bool(&is, config, modes[i].key, where, e);

        if (rc < 0)
            return rc;
        if (is && taken)
            return err_set(e, ERR_FILE,
                           "%s: '%s' beside '%s': one way of pooling is supported, not "
                           "several joined",
                           where, modes[i].key, taken);
        if (is) {
            taken = modes[i].key;
            s->pool = modes[i].pool;
        }
    }
    return 0;
}

static int take_pooling(struct reading *r, const json_t *config, const char *where,
                        struct err *e)
{
    const json_t *name = json_object_get(config, "pooling_mode");

    r->s->pool = SBERT_MEAN;
    return name ? take_name(r->s, name, where, e) : take_keys(r->s, config, where, e);
}

/* ---- stages ---------------------------------------------------------------------------- */

/* "sentence_transformers.models.Pooling" and "....modules.pooling.Pooling" are Pooling. */
static const char *last_part(const char *type)
{
    const char *dot = strrchr(type, '.');

    return dot ? dot + 1 : type;
}

/* A stage's directory, malloc'd; it lies inside dir. */
static int stage_dir(char **out, const char *dir, const json_t *stage,
                     const char *where, struct err *e)
{
    const char *path = "";
    const int rc = json_opt_str(&path, stage, "path", where, e);

    if (rc < 0)
        return rc;
    if (*path == '/' || strstr(path, ".."))
        return err_set(e, ERR_FILE,
                       "%s: 'path' is '%.80s', a directory beside it expected", where,
                       path);
    if (!(*out = *path ? file_join(dir, path) : strdup(dir)))
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    return 0;
}

static int take_stage(struct reading *r, size_t i, const json_t *stage, const char *dir,
                      const char *where, struct err *e)
{
    static const char *const order[] = {"Transformer", "Pooling", "Normalize"};
    const char *type;
    char *at = NULL;
    int rc = json_get_str(&type, stage, "type", where, e);

    if (rc < 0)
        return rc;
    if (i >= sizeof order / sizeof *order || strcmp(last_part(type), order[i]) != 0)
        return err_set(e, ERR_FILE,
                       "%s: '%.80s' is stage %zu; Transformer, Pooling and perhaps "
                       "Normalize are supported",
                       where, type, i);
    if (i == 2 || (rc = stage_dir(&at, dir, stage, where, e)) < 0)
        return rc;
    if (i == 0) {
        r->s->model = at;
        return 0;
    }
    rc = with_object(r, at, "config.json", take_pooling, e);
    free(at);
    return rc;
}

static int take_stages(struct reading *r, const json_t *list, const char *dir,
                       const char *where, struct err *e)
{
    int rc = 0;

    if (json_array_size(list) < 2)
        return err_set(e, ERR_FILE, "%s: a list of at least two stages expected",
                       where);
    for (size_t i = 0; rc >= 0 && i < json_array_size(list); i++)
        rc = take_stage(r, i, json_array_get(list, i), dir, where, e);
    return rc;
}

static int read_stages(struct reading *r, const char *dir, struct err *e)
{
    json_t *list;
    char *path;
    int rc = read_optional(&list, &path, dir, "modules.json", e);

    if (rc >= 0 && list)
        rc = take_stages(r, list, dir, path, e);
    else if (rc >= 0 && !(r->s->model = strdup(dir)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    json_decref(list);
    free(path);
    return rc;
}

/* ---- what is read of a text ------------------------------------------------------------ */

enum { LIMIT_MAX = 1 << 30 };

static int take_limit(struct reading *r, const json_t *config, const char *where,
                      struct err *e)
{
    const int rc = json_opt_bool(&r->lower, config, "do_lower_case", where, e);

    return rc < 0 ? rc
                  : json_opt_size(&r->s->max_tokens, config, "max_seq_length", 1,
                                  LIMIT_MAX, where, e);
}

/* The tokenizer's limit, where that says nothing; huge numbers mean none.  It lower-cases
 * unless it says otherwise. */
static int take_tokenizer(struct reading *r, const json_t *config, const char *where,
                          struct err *e)
{
    int lower = 1, rc;
    double x = 1e30;

    if ((rc = json_opt_double(&x, config, "model_max_length", where, e)) < 0 ||
        (rc = json_opt_bool(&lower, config, "do_lower_case", where, e)) < 0)
        return rc;
    if (!(x >= 1))
        return err_set(e, ERR_FILE, "%s: 'model_max_length' is not at least 1", where);
    if (r->s->max_tokens == SIZE_MAX && x < LIMIT_MAX)
        r->s->max_tokens = (size_t)x;
    r->cased = !lower;
    return 0;
}

/* A prompt in front of every text, unless it is empty. */
static int refuse_prompt(struct reading *r, const json_t *config, const char *where,
                         struct err *e)
{
    const char *name = NULL, *prompt = "";
    int rc = json_opt_str(&name, config, "default_prompt_name", where, e);

    (void)r;
    if (rc < 0 || !name)
        return rc;
    rc = json_opt_str(&prompt, json_object_get(config, "prompts"), name, where, e);
    if (rc < 0 || !*prompt)
        return rc;
    return err_set(e, ERR_FILE,
                   "%s: 'default_prompt_name' is '%.40s': a prompt in front of every "
                   "text is not supported",
                   where, name);
}

/* ---- all ------------------------------------------------------------------------------- */

static int read_all(struct reading *r, const char *dir, struct err *e)
{
    int rc;

    if ((rc = read_stages(r, dir, e)) < 0 ||
        (rc = with_object(r, dir, "config_sentence_transformers.json", refuse_prompt,
                          e)) < 0 ||
        (rc = with_object(r, r->s->model, "sentence_bert_config.json", take_limit, e)) <
            0 ||
        (rc = with_object(r, r->s->model, "tokenizer_config.json", take_tokenizer, e)) <
            0)
        return rc;
    if (r->lower && r->cased)
        return err_set(
            e, ERR_FILE,
            "%s/sentence_bert_config.json: 'do_lower_case' is true, which is "
            "supported where the tokenizer does it",
            r->s->model);
    return 0;
}

int sbert_read(struct sbert *s, const char *dir, struct err *e)
{
    struct reading r = {.s = s};

    *s = (struct sbert){.max_tokens = SIZE_MAX};
    const int rc = read_all(&r, dir, e);
    if (rc < 0)
        sbert_release(s);
    return rc;
}

void sbert_release(struct sbert *s)
{
    free(s->model);
    *s = (struct sbert){0};
}
