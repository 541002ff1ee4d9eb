/*
 * Rotary positions as configurations describe them.  Hugging Face had `rope_theta` and
 * `rope_scaling` beside each other until version 5 put both into `rope_parameters`.
 * GGUF has a base and a linear factor as metadata; Llama 3's scaling comes as a tensor
 * of divisors, from which its one parameter is read back, longrope's as two.
 */
#include "nn/rope.h"
#include "arch/fields.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

static int positive(double *x, const json_t *obj, const char *key, int required,
                    const char *where, struct err *e)
{
    const int rc = required ? json_get_double(x, obj, key, where, e)
                            : json_opt_double(x, obj, key, where, e);

    if (rc < 0)
        return rc;
    if (!(*x > 0))
        return err_set(e, ERR_FILE, "%s: '%s' is %g, a number above 0 expected", where,
                       key, *x);
    return 0;
}

/* What a scaling reads: its object of the configuration, and the model around it. */
struct source {
    const struct arch *a;
    const json_t *config, *obj;
    const char *where;
};

/* The context of pre-training: beside the object (phi3), in it, or the model's own. */
static int original(struct rope *r, const struct source *s, struct err *e)
{
    static const char key[] = "original_max_position_embeddings";
    int rc;

    r->original = (double)s->a->context;
    if ((rc = positive(&r->original, s->obj, key, 0, s->where, e)) < 0)
        return rc;
    return positive(&r->original, s->config, key, 0, s->where, e);
}

/* Where it is not given: by how much the context has grown. */
static int grown_factor(struct rope *r, const struct source *s, struct err *e)
{
    const int rc = original(r, s, e);

    r->factor = (double)s->a->context / r->original;
    return rc < 0 ? rc : positive(&r->factor, s->obj, "factor", 0, s->where, e);
}

static int linear(struct rope *r, const struct source *s, struct err *e)
{
    return positive(&r->factor, s->obj, "factor", 1, s->where, e);
}

static int dynamic(struct rope *r, const struct source *s, struct err *e)
{
    r->original = (double)s->a->context;
    return positive(&r->factor, s->obj, "factor", 1, s->where, e);
}

static int ordered(const struct rope *r, const struct source *s, const char *low,
                   const char *high, struct err *e)
{
    if (r->high > r->low)
        return 0;
    return err_set(e, ERR_FILE, "%s: '%s' %g is not above '%s' %g", s->where, high,
                   r->high, low, r->low);
}

static int llama3(struct rope *r, const struct source *s, struct err *e)
{
    int rc;

    if ((rc = original(r, s, e)) < 0 ||
        (rc = positive(&r->factor, s->obj, "factor", 1, s->where, e)) < 0 ||
        (rc = positive(&r->low, s->obj, "low_freq_factor", 1, s->where, e)) < 0 ||
        (rc = positive(&r->high, s->obj, "high_freq_factor", 1, s->where, e)) < 0)
        return rc;
    return ordered(r, s, "low_freq_factor", "high_freq_factor", e);
}

/* The growth of attention's logits that yarn makes up for, by `share` of its rule. */
static double yarn_gain(double factor, double share)
{
    return factor <= 1 ? 1 : 0.1 * share * log(factor) + 1;
}

static int yarn(struct rope *r, const struct source *s, struct err *e)
{
    double m = 0, all = 0;
    int truncate = 1, rc;

    r->low = 1;
    r->high = 32;
    if ((rc = grown_factor(r, s, e)) < 0 ||
        (rc = positive(&r->high, s->obj, "beta_fast", 0, s->where, e)) < 0 ||
        (rc = positive(&r->low, s->obj, "beta_slow", 0, s->where, e)) < 0 ||
        (rc = json_opt_bool(&truncate, s->obj, "truncate", s->where, e)) < 0 ||
        (rc = json_opt_double(&m, s->obj, "mscale", s->where, e)) < 0 ||
        (rc = json_opt_double(&all, s->obj, "mscale_all_dim", s->where, e)) < 0)
        return rc;
    r->fractional = !truncate;
    r->gain = yarn_gain(r->factor, 1);
    if (m != 0 && all != 0)
        r->gain = yarn_gain(r->factor, m) / yarn_gain(r->factor, all);
    if ((rc = positive(&r->gain, s->obj, "attention_factor", 0, s->where, e)) < 0)
        return rc;
    return ordered(r, s, "beta_slow", "beta_fast", e);
}

static int divisors_of(double *by, size_t n, const struct source *s, const char *key,
                       struct err *e)
{
    const json_t *list = json_object_get(s->obj, key);

    if (!json_is_array(list) || json_array_size(list) != n || n > ROPE_PAIRS_MAX)
        return err_set(e, ERR_FILE,
                       "%s: '%s' is not a list of %zu numbers (at most %d)", s->where,
                       key, n, ROPE_PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        by[i] = json_number_value(json_array_get(list, i));
        if (!(by[i] > 0))
            return err_set(e, ERR_FILE, "%s: '%s' holds what is no number above 0",
                           s->where, key);
    }
    return 0;
}

/* What the grown context is made up for with. */
static double long_gain(const struct rope *r)
{
    return r->factor <= 1 || r->original <= 1
               ? 1
               : sqrt(1 + log(r->factor) / log(r->original));
}

/* By the short factors: see positions(). */
static int longrope(struct rope *r, const struct source *s, struct err *e)
{
    int rc;

    if ((rc = grown_factor(r, s, e)) < 0 ||
        (rc = divisors_of(r->by, s->a->R / 2, s, "short_factor", e)) < 0)
        return rc;
    memcpy(r->by_long, r->by, sizeof r->by);
    if (json_object_get(s->obj, "long_factor") &&
        (rc = divisors_of(r->by_long, s->a->R / 2, s, "long_factor", e)) < 0)
        return rc;
    r->gain = long_gain(r);
    return positive(&r->gain, s->obj, "attention_factor", 0, s->where, e);
}

static const struct {
    const char *name;
    enum rope_scaling scaling;
    int (*read)(struct rope *r, const struct source *s, struct err *e);
} scalings[] = {
    {"default", ROPE_PLAIN, NULL},      {"linear", ROPE_LINEAR, linear},
    {"dynamic", ROPE_DYNAMIC, dynamic}, {"yarn", ROPE_YARN, yarn},
    {"llama3", ROPE_LLAMA3, llama3},    {"longrope", ROPE_LONG, longrope},
    {"su", ROPE_LONG, longrope}, /* longrope's first name */
};

/* s->obj: rope_scaling or rope_parameters. */
static int scaling(struct rope *r, const struct source *s, struct err *e)
{
    const char *type = "default";
    int rc;

    if ((rc = json_opt_str(&type, s->obj, "type", s->where, e)) < 0 ||
        (rc = json_opt_str(&type, s->obj, "rope_type", s->where, e)) < 0)
        return rc;
    for (size_t i = 0; i < sizeof scalings / sizeof *scalings; i++)
        if (strcmp(scalings[i].name, type) == 0) {
            r->scaling = scalings[i].scaling;
            return scalings[i].read ? scalings[i].read(r, s, e) : 0;
        }
    return err_set(e, ERR_FILE,
                   "%s: 'rope_type' is '%s', expected default, linear, dynamic, yarn, "
                   "llama3 or longrope",
                   s->where, type);
}

/* The member of that key: an object, or absent (*out NULL). */
static int object(const json_t **out, const json_t *obj, const char *key,
                  const char *where, struct err *e)
{
    *out = json_object_get(obj, key);
    if (json_is_null(*out))
        *out = NULL;
    if (*out && !json_is_object(*out))
        return err_set(e, ERR_FILE, "%s: '%s' is not an object", where, key);
    return 0;
}

/* The plain keys, which stand beside the scaling's or in its object. */
static int plain_keys(struct arch *a, struct rope *r, const json_t *obj,
                      const char *where, struct err *e)
{
    static const char key[] = "partial_rotary_factor";
    double share = 1;
    int rc;

    if ((rc = positive(&r->base, obj, "rope_theta", 0, where, e)) < 0 ||
        (rc = positive(&share, obj, key, 0, where, e)) < 0)
        return rc;
    if (share > 1)
        return err_set(e, ERR_FILE, "%s: '%s' is %g, expected 0 to 1", where, key,
                       share);
    if (json_is_number(json_object_get(obj, key)))
        a->R = (size_t)((double)a->D * share);
    return 0;
}

/* One kind of layers; obj: rope_scaling, rope_parameters or this kind's part of them;
 * NULL: none. */
static int read_kind(struct arch *a, struct rope *r, const json_t *config,
                     const json_t *obj, const char *where, struct err *e)
{
    const struct source s = {a, config, obj, where};
    int rc;

    r->gain = 1;
    if (r->base == 0)
        r->base = 10000;
    if ((rc = plain_keys(a, r, config, where, e)) < 0 || !obj)
        return rc;
    if ((rc = plain_keys(a, r, obj, where, e)) < 0)
        return rc;
    return scaling(r, &s, e);
}

/* The context that the scaling allows: longrope's long factors, for sequences beyond the
 * original context, would turn all positions otherwise; dynamic's grows with the factor,
 * where a config gives the original. */
static size_t positions(const struct rope *r, size_t context)
{
    double n = (double)context;

    if (r->scaling == ROPE_LONG)
        n = fmin(n, r->original);
    if (r->scaling == ROPE_DYNAMIC)
        n = fmin(fmax(n, n * r->factor), ARCH_CONTEXT_MAX);
    return (size_t)n;
}

int fields_rope(struct arch *a, const json_t *config, const char *where, struct err *e)
{
    static const char *const names[ARCH_KINDS] = {
        [ARCH_FULL] = "full_attention", [ARCH_LOCAL] = "sliding_attention"};
    const json_t *all, *old;
    int rc;

    if (a->R == 0)
        a->R = a->D;
    if ((rc = object(&all, config, "rope_parameters", where, e)) < 0 ||
        (rc = object(&old, config, "rope_scaling", where, e)) < 0)
        return rc;
    if (!all)
        all = old;
    for (size_t k = 0; k < ARCH_KINDS; k++) {
        const json_t *own = NULL;

        if (all && (rc = object(&own, all, names[k], where, e)) < 0)
            return rc;
        if ((rc = read_kind(a, &a->kind[k].rope, config, own ? own : all, where, e)) <
            0)
            return rc;
    }
    a->context = positions(&a->kind[ARCH_FULL].rope, a->context);
    return 0;
}

/* ---- GGUF -------------------------------------------------------------------------- */

/* 1 if these divisors are what `r` makes of the plain frequencies. */
static int explains(const struct rope *r, const struct arch *a, const float *by)
{
    const struct rope plain = {.base = r->base, .gain = 1};
    double f[ARCH_WIDTH_MAX / 2], g[ARCH_WIDTH_MAX / 2];

    rope_freq(f, a->R, &plain);
    rope_freq(g, a->R, r);
    for (size_t i = 0; i < a->R / 2; i++)
        if (!(fabs(f[i] / g[i] - by[i]) <= 1e-4 * by[i]))
            return 0;
    return 1;
}

/* Llama 3.1 and 3.2: what is published, but for the factor (8 or 32).  Files that we
 * wrote say all four (to_gguf.c). */
static int llama3_gguf(struct rope *r, const struct arch *a, const struct gguf *g,
                       const float *by, struct err *e)
{
    const struct {
        const char *key;
        double *out;
    } keys[] = {{"factor", &r->factor},
                {"low_freq_factor", &r->low},
                {"high_freq_factor", &r->high},
                {"original_context_length", &r->original}};

    *r = (struct rope){.base = r->base,
                       .scaling = ROPE_LLAMA3,
                       .low = 1,
                       .high = 4,
                       .original = 8192,
                       .gain = 1};
    for (size_t i = 0; i < a->R / 2; i++)
        r->factor = by[i] > r->factor ? by[i] : r->factor;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char key[128];
        int rc;

        snprintf(key, sizeof key, "%s.rope.llama3.%s", a->family->gguf, keys[i].key);
        if ((rc = gguf_get_double(keys[i].out, g, key, e)) < 0)
            return rc;
        if (!(*keys[i].out > 0))
            return err_set(e, ERR_FILE, "%s: '%s' is %g, a number above 0 expected",
                           g->path, key, *keys[i].out);
    }
    return 0;
}

static int divisors(struct rope *r, const struct arch *a, const struct gguf *g,
                    const struct gguf_tensor *t, struct err *e)
{
    float by[ARCH_WIDTH_MAX / 2];
    int rc;

    if (t->type != QUANT_F32 || t->count != a->R / 2)
        return err_set(e, ERR_SHAPE,
                       "%s: 'rope_freqs.weight' is not %zu float32 values", g->path,
                       a->R / 2);
    memcpy(by, t->data, a->R / 2 * sizeof *by);
    if ((rc = llama3_gguf(r, a, g, by, e)) < 0)
        return rc;
    if (!explains(r, a, by))
        return err_set(e, ERR_FILE,
                       "%s: 'rope_freqs.weight' is not the scaling of Llama 3",
                       g->path);
    return 0;
}

static int is_word(struct gguf_str s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.s, word, s.n) == 0;
}

/* A tensor of divisors, one for each pair: 1, or 0 if there is none. */
static int factors_gguf(double *by, const struct arch *a, const struct gguf *g,
                        const char *name, struct err *e)
{
    const struct gguf_tensor *t = gguf_find_tensor(g, name);
    float x[ROPE_PAIRS_MAX];

    if (!t)
        return 0;
    if (t->type != QUANT_F32 || t->count != a->R / 2 || t->count > ROPE_PAIRS_MAX)
        return err_set(e, ERR_SHAPE, "%s: '%s' is not %zu float32 values (at most %d)",
                       g->path, name, a->R / 2, ROPE_PAIRS_MAX);
    memcpy(x, t->data, t->count * sizeof *x);
    for (size_t i = 0; i < t->count; i++) {
        if (!(x[i] > 0 && x[i] < 1e30f))
            return err_set(e, ERR_FILE, "%s: '%s' holds %g, a number above 0 expected",
                           g->path, name, (double)x[i]);
        by[i] = (double)x[i];
    }
    return 1;
}

/* LongRoPE comes as two tensors, the gain and the context in which the short one holds:
 * 1, or 0 if it is not there. */
static int longrope_gguf(struct rope *r, struct arch *a, const struct gguf *g,
                         const char *architecture, struct err *e)
{
    size_t original = a->context;
    float gain = 1;
    char key[64];
    int rc;

    snprintf(key, sizeof key, "%s.rope.scaling.original_context_length", architecture);
    if ((rc = factors_gguf(r->by, a, g, "rope_factors_short.weight", e)) <= 0)
        return rc;
    memcpy(r->by_long, r->by, sizeof r->by);
    if ((rc = factors_gguf(r->by_long, a, g, "rope_factors_long.weight", e)) < 0 ||
        (rc = gguf_get_size(&original, g, key, 1, ARCH_CONTEXT_MAX, e)) < 0 ||
        (rc = fields_positive_gguf(&gain, g, architecture, "rope.scaling.attn_factor",
                                   e)) < 0)
        return rc;
    r->scaling = ROPE_LONG;
    r->original = (double)original;
    r->factor = (double)a->context / r->original;
    r->gain = fabs(long_gain(r) - (double)gain) < 1e-6 ? long_gain(r) : (double)gain;
    a->context = positions(r, a->context);
    return 1;
}

/* factor: 1 where the file has none. */
static int scaling_gguf(struct rope *r, const struct arch *a, const struct gguf *g,
                        const char *architecture, float factor, struct err *e)
{
    struct gguf_str type = {"none", 4};
    float original = (float)a->context;
    char key[64];
    int rc;

    snprintf(key, sizeof key, "%s.rope.scaling.type", architecture);
    if ((rc = gguf_get_str(&type, g, key, e)) < 0 ||
        (rc = fields_positive_gguf(&original, g, architecture,
                                   "rope.scaling.original_context_length", e)) < 0)
        return rc;
    const int is_yarn = is_word(type, "yarn");
    if (is_word(type, "longrope") ||
        (!is_yarn && !is_word(type, "none") && !is_word(type, "linear")))
        return err_set(e, ERR_FILE,
                       "%s: '%s' is '%.*s', expected none, linear, yarn, or longrope "
                       "with a tensor 'rope_factors_short.weight'",
                       g->path, key, (int)(type.n < 40 ? type.n : 40), type.s);
    if (factor == 1.0f)
        return 0;
    r->scaling = is_yarn ? ROPE_YARN : ROPE_LINEAR;
    r->factor = factor;
    if (is_yarn) {
        r->original = original;
        r->low = 1;
        r->high = 32;
        r->gain = yarn_gain(factor, 1);
    }
    return 0;
}

int fields_rope_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                     struct err *e)
{
    const struct gguf_tensor *t = gguf_find_tensor(g, "rope_freqs.weight");
    struct rope *r = &a->kind[ARCH_FULL].rope;
    float base = 10000, factor = 1;
    int rc;

    a->R = a->D;
    const struct field fields[] = {{"rope.dimension_count", &a->R, ARCH_WIDTH_MAX, 1},
                                   {0}};
    if ((rc = fields_gguf(fields, g, architecture, e)) < 0 ||
        (rc = fields_positive_gguf(&base, g, architecture, "rope.freq_base", e)) < 0 ||
        (rc = fields_positive_gguf(&factor, g, architecture, "rope.scaling.factor",
                                   e)) < 0 ||
        (rc = fields_positive_gguf(&factor, g, architecture, "rope.scale_linear", e)) <
            0 ||
        (rc = fields_check(a, g->path, e)) < 0)
        return rc;
    *r = (struct rope){.base = base, .gain = 1};
    const int is_long = longrope_gguf(r, a, g, architecture, e);
    if (is_long < 0)
        return is_long;
    if (is_long && factor != 1)
        return err_set(e, ERR_FILE, "%s: longrope and a '%s.rope.scaling.factor' of %g",
                       g->path, architecture, (double)factor);
    if ((!is_long && (rc = scaling_gguf(r, a, g, architecture, factor, e)) < 0) ||
        (t && (rc = divisors(r, a, g, t, e)) < 0))
        return rc;
    a->kind[ARCH_LOCAL].rope = *r;
    return 0;
}

static int put_list(json_t *obj, const char *key, const double *x, size_t n)
{
    json_t *list = json_array();
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        rc |= json_array_append_new(list, json_real(x[i]));
    return rc | fields_put(obj, key, list);
}

/* The context is the whole one again, of which a->context is the part that we use; the
 * gain follows from it, or is said. */
static int put_longrope(json_t *config, const struct arch *a, const struct rope *r)
{
    json_t *s = json_object();
    int rc = fields_put(s, "type", json_string("longrope"));

    rc |= put_list(s, "short_factor", r->by, a->R / 2);
    rc |= put_list(s, "long_factor", r->by_long, a->R / 2);
    if (r->gain != long_gain(r))
        rc |= fields_put(s, "attention_factor", json_real(r->gain));
    rc |= fields_put(config, "rope_scaling", s);
    rc |= fields_put(config, "max_position_embeddings",
                     json_integer((json_int_t)fields_whole_context(a)));
    return rc | fields_put(config, "original_max_position_embeddings",
                           json_integer((json_int_t)r->original));
}

size_t fields_whole_context(const struct arch *a)
{
    const struct rope *r = &a->kind[ARCH_FULL].rope;

    return r->scaling == ROPE_LONG
               ? (size_t)fmin(round(r->original * r->factor), ARCH_CONTEXT_MAX)
               : a->context;
}

/* What GGUF files can say: plain, linear, yarn, llama3, longrope. */
int fields_rope_config(json_t *config, const struct arch *a)
{
    const struct rope *r = &a->kind[ARCH_FULL].rope;
    int rc = fields_put(config, "rope_theta", json_real(r->base));

    if (r->scaling == ROPE_PLAIN)
        return rc | fields_put(config, "rope_scaling", json_null());
    if (r->scaling == ROPE_LONG)
        return rc | put_longrope(config, a, r);
    json_t *s = json_object();
    rc |= fields_put(s, "rope_type",
                     json_string(r->scaling == ROPE_LINEAR ? "linear"
                                 : r->scaling == ROPE_YARN ? "yarn"
                                                           : "llama3"));
    rc |= fields_put(s, "factor", json_real(r->factor));
    if (r->scaling == ROPE_LLAMA3) {
        rc |= fields_put(s, "low_freq_factor", json_real(r->low));
        rc |= fields_put(s, "high_freq_factor", json_real(r->high));
    }
    if (r->scaling != ROPE_LINEAR)
        rc |= fields_put(s, "original_max_position_embeddings",
                         json_integer((json_int_t)r->original));
    return rc | fields_put(config, "rope_scaling", s);
}
