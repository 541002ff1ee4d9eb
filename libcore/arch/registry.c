#include "arch/arch.h"

#include "arch/fields.h"
#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static const struct family *const families[] = {
#define FAMILY(name) &family_##name,
#include "arch/families.h"
#undef FAMILY
};
enum { FAMILIES = sizeof families / sizeof *families };

const struct family *arch_family(const char *model_type)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (strcmp(families[i]->name, model_type) == 0)
            return families[i];
    return NULL;
}

const struct family *arch_family_gguf(const char *architecture)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (families[i]->gguf && strcmp(families[i]->gguf, architecture) == 0)
            return families[i];
    return NULL;
}

/* "gpt2, llama, mistral" */
static void known(char *out, size_t n, int gguf)
{
    size_t at = 0;

    out[0] = 0;
    for (size_t i = 0; i < FAMILIES && at < n; i++) {
        const char *name = gguf ? families[i]->gguf : families[i]->name;

        if (name)
            at += (size_t)snprintf(out + at, n - at, "%s%s", at ? ", " : "", name);
    }
}

/* ---- ids of the beginning and the end ---------------------------------------------- */

static void add_stop(struct arch *a, json_int_t id)
{
    /* An id outside the vocabulary is never drawn and ends nothing. */
    if (id < 0 || (size_t)id >= a->V || a->stops == ARCH_STOPS_MAX)
        return;
    for (size_t i = 0; i < a->stops; i++)
        if (a->stop[i] == (int32_t)id)
            return;
    a->stop[a->stops++] = (int32_t)id;
}

/* An integer, a list of them, or null. */
static int read_stops(struct arch *a, const json_t *config, const char *where,
                      struct err *e)
{
    const json_t *v = json_object_get(config, "eos_token_id");

    if (!v || json_is_null(v))
        return 0;
    if (json_is_integer(v)) {
        add_stop(a, json_integer_value(v));
        return 0;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!json_is_integer(json_array_get(v, i)))
            return err_set(e, ERR_FILE, "%s: 'eos_token_id' holds what is no integer",
                           where);
        add_stop(a, json_integer_value(json_array_get(v, i)));
    }
    if (json_is_array(v))
        return 0;
    return err_set(e, ERR_FILE,
                   "%s: 'eos_token_id' is not an integer or a list of integers", where);
}

static void read_bos(struct arch *a, const json_t *config)
{
    const json_t *v = json_object_get(config, "bos_token_id");

    if (json_is_integer(v) && json_integer_value(v) >= 0 &&
        (size_t)json_integer_value(v) < a->V)
        a->bos = (int32_t)json_integer_value(v);
}

/* What decoding begins with: the start token, and the one that is always put behind it.
 * Absent keys leave what is there. */
static int read_starts(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    static const char *const keys[ARCH_STARTS_MAX] = {"decoder_start_token_id",
                                                      "forced_bos_token_id"};
    int rc = 0;

    for (size_t i = 0; a->encoder.L && i < ARCH_STARTS_MAX && rc >= 0; i++) {
        size_t id = SIZE_MAX;

        rc = json_opt_size(&id, config, keys[i], 0, a->V - 1, where, e);
        if (rc < 0 || id == SIZE_MAX)
            continue;
        a->start[i] = (int32_t)id;
        a->starts = i + 1 > a->starts ? i + 1 : a->starts;
    }
    return rc;
}

static int read_generation(struct arch *a, const char *dir, struct err *e)
{
    char *path = file_join(dir, "generation_config.json");
    json_t *g = NULL;
    int rc = 0;

    if (!path)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    if (file_exists(path) && (rc = json_read_file(&g, path, e)) >= 0) {
        read_bos(a, g);
        if ((rc = read_starts(a, g, path, e)) >= 0)
            rc = read_stops(a, g, path, e);
    }
    json_decref(g);
    free(path);
    return rc;
}

static int stops_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    size_t id;
    int rc;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if ((rc = gguf_get_size(&id, g, keys[i], 0, UINT32_MAX, e)) < 0)
            return rc;
        if (rc > 0)
            add_stop(a, (json_int_t)id);
    }
    rc = gguf_get_size(&id, g, "tokenizer.ggml.bos_token_id", 0, UINT32_MAX, e);
    if (rc > 0 && id < a->V)
        a->bos = (int32_t)id;
    return rc < 0 ? rc : 0;
}

/* ---- the whole --------------------------------------------------------------------- */

/* What a family finds when it begins to fill. */
static const struct arch nothing = {.embed_scale = 1,
                                    .branch_scale = 1,
                                    .out_scale = 1,
                                    .padding = -1,
                                    .bos = -1,
                                    .dtype = DTYPE_F32};

static int read_dtype(struct arch *a, const json_t *config, const char *where,
                      struct err *e)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } types[] = {
        {"float32", DTYPE_F32}, {"float16", DTYPE_F16}, {"bfloat16", DTYPE_BF16}};
    const char *name = NULL;
    int rc;

    if ((rc = json_opt_str(&name, config, "torch_dtype", where, e)) < 0 ||
        (rc = json_opt_str(&name, config, "dtype", where, e)) < 0)
        return rc;
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            a->dtype = types[i].dtype;
    return 0;
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    const char *type;
    char names[256];
    int rc;

    if ((rc = json_get_str(&type, config, "model_type", where, e)) < 0)
        return rc;
    if (!(a->family = arch_family(type))) {
        known(names, sizeof names, 0);
        return err_set(e, ERR_FILE, "%s: 'model_type' is '%s', expected one of %s",
                       where, type, names);
    }
    const json_t *q = json_object_get(config, "quantization_config");
    if (q && !json_is_null(q))
        return err_set(e, ERR_FILE,
                       "%s: 'quantization_config': only float weights are read", where);
    if ((rc = a->family->from_config(a, config, where, e)) < 0)
        return rc;
    read_bos(a, config);
    if ((rc = read_starts(a, config, where, e)) < 0)
        return rc;
    return read_dtype(a, config, where, e);
}

/* A file of general.type "adapter" has no whole model. */
static int refuse_adapter(const struct gguf *g, struct err *e)
{
    struct gguf_str s = {"model", 5};
    const int rc = gguf_get_str(&s, g, "general.type", e);

    if (rc > 0 && s.n == 7 && memcmp(s.s, "adapter", 7) == 0)
        return err_set(e, ERR_FILE,
                       "%s: an adapter, not a model: -m BASE --adapter %s uses it",
                       g->path, g->path);
    return rc < 0 ? rc : 0;
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    struct gguf_str s;
    char name[64], names[256];
    int rc;

    if ((rc = refuse_adapter(g, e)) < 0)
        return rc;
    if ((rc = gguf_get_str(&s, g, "general.architecture", e)) < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_FILE, "%s: no 'general.architecture'", g->path);
    snprintf(name, sizeof name, "%.*s", (int)(s.n < 63 ? s.n : 63), s.s);
    if (!(a->family = arch_family_gguf(name))) {
        known(names, sizeof names, 1);
        return err_set(e, ERR_FILE,
                       "%s: 'general.architecture' is '%s', expected one of %s",
                       g->path, name, names);
    }
    if ((rc = a->family->from_gguf(a, g, e)) < 0)
        return rc;
    return stops_gguf(a, g, e);
}

int arch_from_config(struct arch *a, const json_t *config, const char *where,
                     struct err *e)
{
    *a = nothing;
    const int rc = from_config(a, config, where, e);

    return rc < 0 ? rc : read_stops(a, config, where, e);
}

int arch_read(struct arch *a, const struct weights *w, struct err *e)
{
    int rc;

    *a = nothing;
    if (weights_kind(w) == WEIGHTS_GGUF)
        return from_gguf(a, weights_gguf(w), e);
    const char *where = weights_config_path(w);
    if ((rc = from_config(a, weights_config(w), where, e)) < 0 ||
        (rc = read_generation(a, weights_path(w), e)) < 0)
        return rc;
    if (a->family->from_weights)
        a->family->from_weights(a, w);
    return a->stops ? 0 : read_stops(a, weights_config(w), where, e);
}

struct arch arch_encoder(const struct arch *a)
{
    struct arch e = *a;

    e.both = 1;
    e.L = a->encoder.L;
    e.H = e.G = a->encoder.H;
    e.D = a->encoder.D;
    e.F = a->encoder.F;
    e.attn_scale = a->encoder.attn_scale;
    e.encoder = (struct arch_encoder){0};
    e.starts = 0;
    return e;
}

/* Numbers that were float32 (in GGUF they are) as they were meant: 1e-5, not
 * 9.9999997473787516e-06.  The nearest float stays the same. */
static void shorten(json_t *v)
{
    const char *key;
    json_t *member;

    json_object_foreach(v, key, member) shorten(member);
    const double x = json_real_value(v);
    if (!json_is_real(v) || (double)(float)x != x)
        return;
    for (int digits = 6; digits < 10; digits++) {
        char text[32];

        snprintf(text, sizeof text, "%.*g", digits, x);
        if ((float)strtod(text, NULL) == (float)x) {
            json_real_set(v, strtod(text, NULL));
            return;
        }
    }
}

json_t *arch_config(const struct arch *a)
{
    json_t *c = json_object();
    int rc = fields_put(c, "architectures", json_pack("[s]", a->family->class_name));

    rc |= fields_put(c, "model_type", json_string(a->family->name));
    rc |= fields_put(c, "torch_dtype", json_string("float32"));
    rc |=
        fields_put(c, "bos_token_id", a->bos >= 0 ? json_integer(a->bos) : json_null());
    if (a->stops < 2) /* null: else transformers takes the family's own */
        rc |= fields_put(c, "eos_token_id",
                         a->stops ? json_integer(a->stop[0]) : json_null());
    if (a->stops > 1) {
        json_t *list = json_array();

        for (size_t i = 0; i < a->stops; i++)
            rc |= json_array_append_new(list, json_integer(a->stop[i]));
        rc |= fields_put(c, "eos_token_id", list);
    }
    rc |= a->family->to_config(c, a);
    shorten(c);
    if (rc == 0)
        return c;
    json_decref(c);
    return NULL;
}
