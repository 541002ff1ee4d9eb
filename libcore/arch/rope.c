/*
 * Rotary positions as configurations describe them.  Hugging Face had `rope_theta` and
 * `rope_scaling` beside each other until version 5 put both into `rope_parameters`.
 * GGUF has a base and a linear factor as metadata; Llama 3's scaling comes as a tensor
 * of divisors, from which its one parameter is read back.
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

static int llama3(struct arch_rope *r, const json_t *obj, const char *where,
                  struct err *e)
{
    int rc;

    r->scaling = SCALING_LLAMA3;
    if ((rc = positive(&r->factor, obj, "factor", 1, where, e)) < 0 ||
        (rc = positive(&r->low, obj, "low_freq_factor", 1, where, e)) < 0 ||
        (rc = positive(&r->high, obj, "high_freq_factor", 1, where, e)) < 0 ||
        (rc = positive(&r->original, obj, "original_max_position_embeddings", 1, where,
                       e)) < 0)
        return rc;
    if (r->high <= r->low)
        return err_set(e, ERR_FILE,
                       "%s: 'high_freq_factor' %g is not above 'low_freq_factor' %g",
                       where, r->high, r->low);
    return 0;
}

/* obj: rope_scaling or rope_parameters. */
static int scaling(struct arch_rope *r, const json_t *obj, const char *where,
                   struct err *e)
{
    const char *type = NULL;
    int rc;

    if ((rc = json_opt_str(&type, obj, "type", where, e)) < 0 ||
        (rc = json_opt_str(&type, obj, "rope_type", where, e)) < 0)
        return rc;
    if (!type || strcmp(type, "default") == 0)
        return 0;
    if (strcmp(type, "linear") == 0) {
        r->scaling = SCALING_LINEAR;
        return positive(&r->factor, obj, "factor", 1, where, e);
    }
    if (strcmp(type, "llama3") == 0)
        return llama3(r, obj, where, e);
    return err_set(e, ERR_FILE,
                   "%s: 'rope_type' is '%s', expected default, linear or llama3", where,
                   type);
}

static const json_t *object(const json_t *config, const char *key)
{
    const json_t *o = json_object_get(config, key);

    return json_is_null(o) ? NULL : o;
}

int fields_rope(struct arch *a, const json_t *config, const char *where, struct err *e)
{
    const json_t *params = object(config, "rope_parameters");
    const json_t *old = object(config, "rope_scaling");
    const json_t *from = params ? params : config, *scale = params ? params : old;
    double share = 1;
    int rc;

    a->rope = (struct arch_rope){.base = 10000};
    if (scale && !json_is_object(scale))
        return err_set(e, ERR_FILE, "%s: '%s' is not an object", where,
                       params ? "rope_parameters" : "rope_scaling");
    if ((rc = positive(&a->rope.base, from, "rope_theta", 0, where, e)) < 0 ||
        (rc = positive(&share, from, "partial_rotary_factor", 0, where, e)) < 0)
        return rc;
    if (share > 1)
        return err_set(e, ERR_FILE,
                       "%s: 'partial_rotary_factor' is %g, expected 0 to 1", where,
                       share);
    a->R = (size_t)((double)a->D * share);
    return scale ? scaling(&a->rope, scale, where, e) : 0;
}

/* ---- GGUF -------------------------------------------------------------------------- */

/* Llama 3.1 and 3.2: what is published, but for the factor (8 or 32). */
static const struct rope_llama3 published = {.low = 1, .high = 4, .original = 8192};

/* 1 if these divisors are what `s` makes of the plain frequencies. */
static int explains(const struct rope_llama3 *s, const struct arch *a, const float *by)
{
    double f[ARCH_WIDTH_MAX / 2], g[ARCH_WIDTH_MAX / 2];

    rope_freq(f, a->R, a->rope.base);
    memcpy(g, f, a->R / 2 * sizeof *g);
    rope_scale_llama3(g, a->R, *s);
    for (size_t i = 0; i < a->R / 2; i++)
        if (!(fabs(f[i] / g[i] - by[i]) <= 1e-4 * by[i]))
            return 0;
    return 1;
}

static int divisors(struct arch *a, const struct gguf *g, const struct gguf_tensor *t,
                    struct err *e)
{
    struct rope_llama3 s = published;
    float by[ARCH_WIDTH_MAX / 2];

    if (t->type != QUANT_F32 || t->count != a->R / 2)
        return err_set(e, ERR_SHAPE,
                       "%s: 'rope_freqs.weight' is not %zu float32 values", g->path,
                       a->R / 2);
    memcpy(by, t->data, a->R / 2 * sizeof *by);
    for (size_t i = 0; i < a->R / 2; i++)
        s.factor = by[i] > s.factor ? by[i] : s.factor;
    if (!explains(&s, a, by))
        return err_set(e, ERR_FILE,
                       "%s: 'rope_freqs.weight' is not the scaling of Llama 3",
                       g->path);
    a->rope.scaling = SCALING_LLAMA3;
    a->rope.factor = s.factor;
    a->rope.low = s.low;
    a->rope.high = s.high;
    a->rope.original = s.original;
    return 0;
}

int fields_rope_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                     struct err *e)
{
    const struct gguf_tensor *t = gguf_find_tensor(g, "rope_freqs.weight");
    struct gguf_str type = {"none", 4};
    char key[64];
    float base = 10000, factor = 1;
    int rc;

    a->R = a->D;
    const struct field fields[] = {{"rope.dimension_count", &a->R, ARCH_WIDTH_MAX, 1},
                                   {0}};
    snprintf(key, sizeof key, "%s.rope.scaling.type", architecture);
    if ((rc = fields_gguf(fields, g, architecture, e)) < 0 ||
        (rc = fields_positive_gguf(&base, g, architecture, "rope.freq_base", e)) < 0 ||
        (rc = fields_positive_gguf(&factor, g, architecture, "rope.scaling.factor",
                                   e)) < 0 ||
        (rc = fields_positive_gguf(&factor, g, architecture, "rope.scale_linear", e)) <
            0 ||
        (rc = gguf_get_str(&type, g, key, e)) < 0 ||
        (rc = fields_check(a, g->path, e)) < 0)
        return rc;
    a->rope = (struct arch_rope){.base = base};
    const int none = type.n == 4 && memcmp(type.s, "none", 4) == 0;
    if (!none && !(type.n == 6 && memcmp(type.s, "linear", 6) == 0))
        return err_set(e, ERR_FILE, "%s: '%s' is '%.*s', expected none or linear",
                       g->path, key, (int)(type.n < 40 ? type.n : 40), type.s);
    if (factor != 1.0f) {
        a->rope.scaling = SCALING_LINEAR;
        a->rope.factor = factor;
    }
    return t ? divisors(a, g, t, e) : 0;
}

int fields_rope_config(json_t *config, const struct arch *a)
{
    const struct arch_rope *r = &a->rope;
    int rc = fields_put(config, "rope_theta", json_real(r->base));

    if (r->scaling == SCALING_NONE)
        return rc | fields_put(config, "rope_scaling", json_null());
    json_t *s = json_object();
    if (r->scaling == SCALING_LINEAR) {
        rc |= fields_put(s, "rope_type", json_string("linear"));
        rc |= fields_put(s, "factor", json_real(r->factor));
    } else {
        rc |= fields_put(s, "rope_type", json_string("llama3"));
        rc |= fields_put(s, "factor", json_real(r->factor));
        rc |= fields_put(s, "low_freq_factor", json_real(r->low));
        rc |= fields_put(s, "high_freq_factor", json_real(r->high));
        rc |= fields_put(s, "original_max_position_embeddings",
                         json_integer((json_int_t)r->original));
    }
    return rc | fields_put(config, "rope_scaling", s);
}
