#include "arch/fields.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

enum { KEY_MAX = 128 };

static const char *gguf_key(char out[KEY_MAX], const char *architecture,
                            const char *key)
{
    snprintf(out, KEY_MAX, "%s.%s", architecture, key);
    return out;
}

int fields_gguf(const struct field *f, const struct gguf *g, const char *architecture,
                struct err *e)
{
    char key[KEY_MAX];

    for (; f->key; f++) {
        gguf_key(key, architecture, f->key);
        const int rc = gguf_get_size(f->out, g, key, !f->optional, f->hi, e);
        if (rc < 0)
            return rc;
        if (rc == 0 && !f->optional)
            return err_set(e, ERR_FILE, "%s: no '%s', an integer expected", g->path,
                           key);
    }
    return 0;
}

int fields_sizes_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                      struct err *e)
{
    const struct field fields[] = {
        {"embedding_length", &a->C, ARCH_WIDTH_MAX, 0},
        {"block_count", &a->L, ARCH_LAYERS_MAX, 0},
        {"attention.head_count", &a->H, ARCH_HEADS_MAX, 0},
        {"feed_forward_length", &a->F, ARCH_WIDTH_MAX, 0},
        {"context_length", &a->context, ARCH_CONTEXT_MAX, 0},
        {0},
    };

    return fields_gguf(fields, g, architecture, e);
}

static const struct {
    const char *name;
    enum act act;
} acts[] = {
    {"gelu", ACT_GELU},           {"gelu_new", ACT_GELU_TANH},
    {"silu", ACT_SILU},           {"relu", ACT_RELU},
    {"gelu_fast", ACT_GELU_TANH}, {"gelu_pytorch_tanh", ACT_GELU_TANH},
    {"swish", ACT_SILU},
};
enum { ACTS = sizeof acts / sizeof *acts };

int fields_act_word(enum act *act, const char *name)
{
    for (size_t i = 0; i < ACTS; i++)
        if (strcmp(acts[i].name, name) == 0) {
            *act = acts[i].act;
            return 0;
        }
    return -1;
}

int fields_act(enum act *act, const json_t *config, const char *key, const char *where,
               struct err *e)
{
    const char *name = NULL;
    const int rc = json_opt_str(&name, config, key, where, e);

    if (rc < 0 || !name)
        return rc;
    if (fields_act_word(act, name) == 0)
        return 0;
    return err_set(e, ERR_FILE,
                   "%s: '%s' is '%s', expected gelu, gelu_new, silu or relu", where,
                   key, name);
}

const char *fields_act_name(enum act act)
{
    for (size_t i = 0; i < ACTS; i++)
        if (acts[i].act == act)
            return acts[i].name;
    return "";
}

int fields_positive(float *x, const json_t *config, const char *key, const char *where,
                    struct err *e)
{
    double d = *x;
    const int rc = json_opt_double(&d, config, key, where, e);

    if (rc < 0)
        return rc;
    if (!(d > 0 && d < 1e30))
        return err_set(e, ERR_FILE, "%s: '%s' is %g, a number above 0 expected", where,
                       key, d);
    *x = (float)d;
    return 0;
}

int fields_positive_gguf(float *x, const struct gguf *g, const char *architecture,
                         const char *key, struct err *e)
{
    char full[KEY_MAX];
    double d = *x;
    const int rc = gguf_get_double(&d, g, gguf_key(full, architecture, key), e);

    if (rc < 0)
        return rc;
    if (!(d > 0 && d < 1e30))
        return err_set(e, ERR_FILE, "%s: '%s' is %g, a number above 0 expected",
                       g->path, full, d);
    *x = (float)d;
    return 0;
}

int fields_only(const json_t *config, const char *key, int only, const char *where,
                struct err *e)
{
    int is = only;
    const int rc = json_opt_bool(&is, config, key, where, e);

    if (rc < 0)
        return rc;
    if (is != only)
        return err_set(e, ERR_FILE, "%s: '%s' is %s, only %s is supported", where, key,
                       is ? "true" : "false", only ? "true" : "false");
    return 0;
}

int fields_layers(struct arch *a, const json_t *config, const char *where,
                  struct err *e)
{
    static const char key[] = "layer_types";
    const json_t *list = json_object_get(config, key);

    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list) || json_array_size(list) != a->L)
        return err_set(e, ERR_FILE, "%s: '%s' is not a list of %zu words", where, key,
                       a->L);
    for (size_t l = 0; l < a->L; l++) {
        const char *word = json_string_value(json_array_get(list, l));
        const int local = word && strcmp(word, "sliding_attention") == 0;

        if (!local && !(word && strcmp(word, "full_attention") == 0))
            return err_set(e, ERR_FILE,
                           "%s: '%s' of layer %zu is '%s', expected full_attention or "
                           "sliding_attention",
                           where, key, l, word ? word : "no string");
        a->layer[l] = local ? ARCH_LOCAL : ARCH_FULL;
    }
    return 1;
}

static const char window_key[] = "sliding_window";

int fields_window(struct arch *a, size_t absent, const json_t *config,
                  const char *where, struct err *e)
{
    size_t *window = &a->kind[ARCH_LOCAL].window;

    *window = json_is_null(json_object_get(config, window_key)) ? 0 : absent;
    const int rc =
        json_opt_size(window, config, window_key, 1, ARCH_CONTEXT_MAX, where, e);

    memset(a->layer, *window ? ARCH_LOCAL : ARCH_FULL, a->L);
    return rc;
}

int fields_window_config(json_t *config, const struct arch *a)
{
    const size_t window = a->kind[ARCH_LOCAL].window;

    return fields_put(config, window_key,
                      window ? json_integer((json_int_t)window) : json_null());
}

int fields_head(size_t *D, float *scale, size_t C, size_t H, const char *where,
                struct err *e)
{
    if (*D == 0 && C % H)
        return err_set(e, ERR_FILE, "%s: a width of %zu cannot be split into %zu heads",
                       where, C, H);
    if (*D == 0)
        *D = C / H;
    *scale = 1.0f / sqrtf((float)*D);
    return 0;
}

int fields_heads(struct arch *a, const char *where, struct err *e)
{
    if (a->G == 0)
        a->G = a->H;
    return fields_head(&a->D, &a->attn_scale, a->C, a->H, where, e);
}

int fields_check(const struct arch *a, const char *where, struct err *e)
{
    if (a->G > a->H || a->H % a->G)
        return err_set(e, ERR_FILE,
                       "%s: %zu attention heads cannot share %zu key/value heads",
                       where, a->H, a->G);
    if (a->H * a->D > ARCH_WIDTH_MAX)
        return err_set(e, ERR_FILE,
                       "%s: %zu heads of %zu are wider than the %d supported", where,
                       a->H, a->D, ARCH_WIDTH_MAX);
    if (a->position == POS_ROPE && (a->R % 2 || a->R == 0 || a->R > a->D))
        return err_set(e, ERR_FILE,
                       "%s: %zu rotated dimensions in a head of %zu: an even number up "
                       "to the head's width expected",
                       where, a->R, a->D);
    return 0;
}

int fields_vocab_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    const struct gguf_tensor *t = gguf_find_tensor(g, "token_embd.weight");

    if (!t)
        return err_set(e, ERR_FILE, "%s: no tensor 'token_embd.weight'", g->path);
    if (t->rank != 2 || t->dims[0] == 0 || t->dims[0] > ARCH_VOCAB_MAX)
        return err_set(e, ERR_SHAPE, "%s: 'token_embd.weight' has no usable shape",
                       g->path);
    a->V = t->dims[0];
    a->tied = gguf_find_tensor(g, "output.weight") == NULL;
    return 0;
}

int fields_put(json_t *obj, const char *key, json_t *value)
{
    return json_object_set_new(obj, key, value);
}
