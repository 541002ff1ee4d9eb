/*
 * What a model is, as GGUF metadata.  The keys are the same for every architecture, so
 * that a family needs no code for it; what no key can say is refused rather than lost.
 */
#include "arch/fields.h"
#include "nn/rope.h"

#include <math.h>
#include <string.h>

/* Nothing limits relative positions, but programs make room for what a file names: that is
 * T5's length in training. */
enum { KEY_MAX = 128, RELATIVE_CONTEXT = 512 };

enum when { ALWAYS, ALONE, ENCODED, ROPE, NOT_LEARNED };

static const struct {
    const char *key;
    size_t offset;
    enum when when;
} sizes[] = {
    {"vocab_size", offsetof(struct arch, V), ALWAYS},
    {"block_count", offsetof(struct arch, L), ALONE},
    {"block_count", offsetof(struct arch, encoder.L), ENCODED},
    {"decoder_block_count", offsetof(struct arch, L), ENCODED},
    {"embedding_length", offsetof(struct arch, C), ALWAYS},
    {"feed_forward_length", offsetof(struct arch, F), ALWAYS},
    {"attention.head_count", offsetof(struct arch, H), ALWAYS},
    {"attention.head_count_kv", offsetof(struct arch, G), ALWAYS},
    {"attention.key_length", offsetof(struct arch, D), NOT_LEARNED},
    {"attention.value_length", offsetof(struct arch, D), NOT_LEARNED},
    {"rope.dimension_count", offsetof(struct arch, R), ROPE},
};

static int applies(const struct arch *a, enum when when)
{
    switch (when) {
    case ALONE: return a->encoder.L == 0;
    case ENCODED: return a->encoder.L > 0;
    case ROPE: return a->position == POS_ROPE;
    case NOT_LEARNED: return a->position != POS_LEARNED;
    default: return 1;
    }
}

/* The activation that the architecture implies. */
static enum act act_of(const struct arch *a)
{
    const struct family *f = a->family;

    return f->names[ARCH_PLAIN].hf && a->mlp == MLP_PLAIN ? f->gguf_act_plain
                                                          : f->gguf_act;
}

const char *arch_gguf_name(const struct arch *a)
{
    return a->family->gguf_out ? a->family->gguf_out : a->family->gguf;
}

static const char *key(char out[KEY_MAX], const struct arch *a, const char *name)
{
    snprintf(out, KEY_MAX, "%s.%s", arch_gguf_name(a), name);
    return out;
}

/* The rope of all layers, or of the full ones where the family says the others';  NULL if
 * it differs where it may not. */
static const struct rope *only_rope(const struct arch *a)
{
    const struct rope *r = &a->kind[a->layer[0]].rope;

    if (a->family->gguf_windows)
        return &a->kind[ARCH_FULL].rope;
    for (size_t l = 1; l < a->L; l++) {
        const struct rope *s = &a->kind[a->layer[l]].rope;

        if (s->base != r->base || s->scaling != r->scaling || s->factor != r->factor)
            return NULL;
    }
    return r;
}

size_t arch_gguf_context(const struct arch *a)
{
    size_t n = fields_whole_context(a);

    if (a->position == POS_RELATIVE)
        return RELATIVE_CONTEXT;
    for (size_t l = 0; l < a->L && !a->family->gguf_windows; l++) {
        const size_t window = a->kind[a->layer[l]].window;

        n = window && window < n ? window : n;
    }
    return n;
}

static size_t llama3_divisors(double *by, size_t R, const struct rope *r)
{
    const struct rope plain = {.base = r->base, .gain = 1};
    double scaled[ARCH_WIDTH_MAX / 2];

    rope_freq(by, R, &plain);
    rope_freq(scaled, R, r);
    for (size_t i = 0; i < R / 2; i++)
        by[i] /= scaled[i];
    return R / 2;
}

size_t arch_gguf_divisors(const char **name, double *by, const struct arch *a, size_t i)
{
    static const char *const of_long[ARCH_GGUF_DIVISORS] = {
        "rope_factors_long.weight", "rope_factors_short.weight"};
    const struct rope *r = a->position == POS_ROPE ? only_rope(a) : NULL;

    if (r && r->scaling == ROPE_LLAMA3 && i == 0) {
        *name = "rope_freqs.weight";
        return llama3_divisors(by, a->R, r);
    }
    if (!r || r->scaling != ROPE_LONG || i >= ARCH_GGUF_DIVISORS)
        return 0;
    *name = of_long[i];
    memcpy(by, i == 0 ? r->by_long : r->by, a->R / 2 * sizeof *by);
    return a->R / 2;
}

/* Llama 3's scaling is a tensor; its four numbers are told beside it, in keys of our
 * own. */
static void put_llama3(struct gguf_meta *out, const struct arch *a,
                       const struct rope *r)
{
    char k[KEY_MAX];

    gguf_put_f64(out, key(k, a, "rope.llama3.factor"), r->factor);
    gguf_put_f64(out, key(k, a, "rope.llama3.low_freq_factor"), r->low);
    gguf_put_f64(out, key(k, a, "rope.llama3.high_freq_factor"), r->high);
    gguf_put_f64(out, key(k, a, "rope.llama3.original_context_length"), r->original);
}

static void put_scaling(struct gguf_meta *out, const struct arch *a,
                        const struct rope *r, const char *type)
{
    char k[KEY_MAX];

    gguf_put_str(out, key(k, a, "rope.scaling.type"), type, strlen(type));
    gguf_put_f32(out, key(k, a, "rope.scaling.factor"), r->factor);
}

/* 1 if this yarn is the one that the format means: fields_rope_gguf reads it back. */
static int plain_yarn(const struct rope *r)
{
    return r->low == 1 && r->high == 32 && !r->fractional && r->factor > 1 &&
           fabs(r->gain - (0.1 * log(r->factor) + 1)) < 1e-9;
}

/* longrope's divisors are tensors. */
static void put_longrope(struct gguf_meta *out, const struct arch *a,
                         const struct rope *r)
{
    char k[KEY_MAX];

    gguf_put_str(out, key(k, a, "rope.scaling.type"), "longrope", 8);
    gguf_put_size(out, key(k, a, "rope.scaling.original_context_length"),
                  (size_t)r->original);
    gguf_put_f32(out, key(k, a, "rope.scaling.attn_factor"), r->gain);
}

static int put_rope(struct gguf_meta *out, const struct arch *a, const char *where,
                    struct err *e)
{
    const struct rope *r = only_rope(a);
    char k[KEY_MAX];

    if (!r)
        return err_set(e, ERR_FILE,
                       "%s: layers with ropes of two kinds cannot be written as GGUF",
                       where);
    gguf_put_f32(out, key(k, a, "rope.freq_base"), r->base);
    switch (r->scaling) {
    case ROPE_PLAIN: return 0;
    case ROPE_LLAMA3: put_llama3(out, a, r); return 0;
    case ROPE_LINEAR: put_scaling(out, a, r, "linear"); return 0;
    case ROPE_LONG: put_longrope(out, a, r); return 0;
    case ROPE_YARN:
        if (!plain_yarn(r))
            break;
        put_scaling(out, a, r, "yarn");
        gguf_put_size(out, key(k, a, "rope.scaling.original_context_length"),
                      (size_t)r->original);
        return 0;
    default: break;
    }
    return err_set(e, ERR_FILE,
                   "%s: its rope scaling cannot be written as GGUF; plain, linear, "
                   "llama3, longrope and default yarn can",
                   where);
}

int arch_to_gguf(const struct arch *a, struct gguf_meta *out, const char *where,
                 struct err *e)
{
    const char *name = arch_gguf_name(a);
    char k[KEY_MAX];

    if (!name)
        return err_set(e, ERR_FILE, "%s: a %s model cannot be written as GGUF", where,
                       a->family->name);
    if (a->act != act_of(a))
        return err_set(e, ERR_FILE,
                       "%s: GGUF's %s has the activation %s, this model another", where,
                       name, fields_act_name(act_of(a)));
    gguf_put_size(out, key(k, a, "context_length"), arch_gguf_context(a));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t *v = (const void *)((const char *)a + sizes[i].offset);

        if (applies(a, sizes[i].when))
            gguf_put_size(out, key(k, a, sizes[i].key), *v);
    }
    gguf_put_f32(out,
                 key(k, a,
                     a->norm == NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                         : "attention.layer_norm_epsilon"),
                 a->norm_eps);
    const int rc = a->position == POS_ROPE ? put_rope(out, a, where, e) : 0;
    if (rc < 0 || !a->family->to_gguf)
        return rc;
    return a->family->to_gguf(out, a, where, e);
}
