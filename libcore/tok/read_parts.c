/*
 * The "pre_tokenizer" and "post_processor" of tokenizer.json.
 */
#include "base/json.h"
#include "tok/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The "type" of an object, "" where there is none. */
const char *tok_json_type(const json_t *v)
{
    const char *s = json_string_value(json_object_get(v, "type"));

    return s ? s : "";
}

int tok_json_unknown(const struct tok *t, const char *key, const char *what,
                     const char *supported, struct err *e)
{
    return err_set(e, ERR_FILE, "%s: '%s' is '%s'; supported: %s", t->where, key, what,
                   supported);
}

/* Members of a Sequence; NULL if v is none. */
const json_t *tok_json_sequence(const json_t *v, const char *key)
{
    return strcmp(tok_json_type(v), "Sequence") == 0 ? json_object_get(v, key) : NULL;
}

/* ---- pre-tokenizer ----------------------------------------------------------------------*/

static int choose(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static int read_behavior(enum split_behavior *to, const struct tok *t, const json_t *v,
                         struct err *e)
{
    static const char *const behaviors[] = {
        "Removed",        "Isolated",   "MergedWithPrevious",
        "MergedWithNext", "Contiguous", NULL};
    const char *name = behaviors[*to];
    const int rc = json_opt_str(&name, v, "behavior", t->where, e);

    if (rc < 0)
        return rc;
    const int b = choose(name, behaviors);
    if (b < 0)
        return tok_json_unknown(
            t, "behavior", name,
            "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous", e);
    *to = (enum split_behavior)b;
    return 0;
}

static int split_step(struct tok *t, const json_t *v, struct err *e)
{
    const json_t *pattern = json_object_get(v, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    enum split_behavior behavior = SPLIT_ISOLATED;
    int invert = 0, rc;

    if ((rc = read_behavior(&behavior, t, v, e)) < 0 ||
        (rc = json_opt_bool(&invert, v, "invert", t->where, e)) < 0)
        return rc;
    if (!regex && !literal)
        return err_set(e, ERR_FILE, "%s: 'Split' without a 'pattern'", t->where);
    const enum split_invert what = invert ? SPLIT_GAPS : SPLIT_MATCHES;
    return regex
               ? pretok_add_split(t->pretok, regex, behavior, what, t->where, e)
               : pretok_add_split_text(t->pretok, literal, behavior, what, t->where, e);
}

static int byte_level_step(struct tok *t, const json_t *v, struct err *e)
{
    int blank = 1, regex = 1, rc;

    t->byte_level = 1;
    if ((rc = json_opt_bool(&blank, v, "add_prefix_space", t->where, e)) < 0 ||
        (rc = json_opt_bool(&regex, v, "use_regex", t->where, e)) < 0 ||
        (blank && (rc = pretok_add_blank(t->pretok, e)) < 0) || !regex)
        return rc;
    return pretok_add_split(t->pretok, pretok_gpt2, SPLIT_ISOLATED, SPLIT_MATCHES,
                            t->where, e);
}

static int digits_step(struct tok *t, const json_t *v, struct err *e)
{
    int single = 0;
    const int rc = json_opt_bool(&single, v, "individual_digits", t->where, e);

    if (rc < 0)
        return rc;
    return pretok_add_split_class(t->pretok, &class_number,
                                  single ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, e);
}

static int punctuation_step(struct tok *t, const json_t *v, struct err *e)
{
    enum split_behavior behavior = SPLIT_ISOLATED;
    const int rc = read_behavior(&behavior, t, v, e);

    return rc < 0 ? rc : pretok_add_split_class(t->pretok, &class_punct, behavior, e);
}

static int white_step(struct tok *t, const json_t *v, struct err *e)
{
    (void)v;
    return pretok_add_split_class(t->pretok, &class_white, SPLIT_REMOVED, e);
}

static int bert_step(struct tok *t, const json_t *v, struct err *e)
{
    const int rc = white_step(t, v, e);

    return rc < 0 ? rc
                  : pretok_add_split_class(t->pretok, &class_punct, SPLIT_ISOLATED, e);
}

/* \w is Rust's: letters, letter numbers, circled letters, marks, digits, connectors,
 * joiners. */
#define WORD                                                                           \
    "\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}"           \
    "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

static int word_step(struct tok *t, const json_t *v, struct err *e)
{
    (void)v;
    return pretok_add_split(t->pretok, "[" WORD "]+|[^" WORD "\\s]+", SPLIT_REMOVED,
                            SPLIT_GAPS, t->where, e);
}

/* "add_prefix_space": false, of older files, is "prepend_scheme": "never". */
static int metaspace_step(struct tok *t, const json_t *v, struct err *e)
{
    static const char *const schemes[] = {"never", "first", "always", NULL};
    const char *mark = NULL, *scheme = "always";
    int prefix = 1, cut = 1, rc;

    if ((rc = json_get_str(&mark, v, "replacement", t->where, e)) < 0 ||
        (rc = json_opt_str(&scheme, v, "prepend_scheme", t->where, e)) < 0 ||
        (rc = json_opt_bool(&prefix, v, "add_prefix_space", t->where, e)) < 0 ||
        (rc = json_opt_bool(&cut, v, "split", t->where, e)) < 0)
        return rc;
    const int s = choose(scheme, schemes);
    if (s < 0)
        return tok_json_unknown(t, "prepend_scheme", scheme, "never, first, always", e);
    return pretok_add_metaspace(t->pretok, mark,
                                prefix ? (enum metaspace_prepend)s : METASPACE_NEVER,
                                cut ? METASPACE_CUT : METASPACE_WHOLE, e);
}

static const struct {
    const char *type;
    int (*add)(struct tok *t, const json_t *v, struct err *e);
} steps[] = {
    {"ByteLevel", byte_level_step},
    {"Metaspace", metaspace_step},
    {"Split", split_step},
    {"Digits", digits_step},
    {"Punctuation", punctuation_step},
    {"Whitespace", word_step},
    {"WhitespaceSplit", white_step},
    {"BertPreTokenizer", bert_step},
};

enum { STEPS = sizeof steps / sizeof *steps, DEPTH_MAX = 8 };

static int add_steps(struct tok *t, const json_t *v, int depth, struct err *e)
{
    const json_t *many = tok_json_sequence(v, "pretokenizers"), *one;
    char names[256] = "";
    size_t i, at = 0;
    int rc = 0;

    if (!v || json_is_null(v))
        return 0;
    json_array_foreach(many, i, one)
    {
        if (depth == DEPTH_MAX || (rc = add_steps(t, one, depth + 1, e)) < 0)
            break;
    }
    if (many && depth < DEPTH_MAX)
        return rc;
    if (t->byte_level)
        return err_set(e, ERR_FILE,
                       "%s: pre-tokenizer '%s' behind 'ByteLevel' is not read",
                       t->where, tok_json_type(v));
    for (i = 0; i < STEPS; i++) {
        if (strcmp(tok_json_type(v), steps[i].type) == 0)
            return steps[i].add(t, v, e);
        at += (size_t)snprintf(names + at, sizeof names - at, "%s, ", steps[i].type);
    }
    at += (size_t)snprintf(names + at, sizeof names - at, "Sequence");
    return tok_json_unknown(t, "pre_tokenizer", tok_json_type(v), names, e);
}

int tok_read_steps(struct tok *t, const json_t *v, struct err *e)
{
    return add_steps(t, v, 0, e);
}

/* ---- post-processor ---------------------------------------------------------------------*/

static int push_id(struct tok *t, int behind, int32_t id, struct err *e)
{
    int32_t **list = behind ? &t->behind : &t->before;
    size_t *n = behind ? &t->nbehind : &t->nbefore;
    int32_t *p = realloc(*list, (*n + 1) * sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for the post-processor");
    *list = p;
    p[(*n)++] = id;
    return 0;
}

static int push_special(struct tok *t, const json_t *table, const char *name,
                        int behind, struct err *e)
{
    const json_t *ids = json_object_get(json_object_get(table, name), "ids"), *v;
    size_t i;

    if (!json_is_array(ids))
        return err_set(e, ERR_FILE, "%s: post-processor: no 'ids' of '%s'", t->where,
                       name);
    json_array_foreach(ids, i, v)
    {
        const json_int_t id = json_integer_value(v);
        int rc;

        if (!json_is_integer(v) || id < 0 || id > VOCAB_MAX_ID)
            return err_set(e, ERR_FILE, "%s: post-processor: an id of '%s' is no id",
                           t->where, name);
        if ((rc = push_id(t, behind, (int32_t)id, e)) < 0)
            return rc;
    }
    return 0;
}

static int read_template(struct tok *t, const json_t *v, struct err *e)
{
    const json_t *table = json_object_get(v, "special_tokens"), *item;
    int behind = 0, rc;
    size_t i;

    json_array_foreach(json_object_get(v, "single"), i, item)
    {
        const json_t *special = json_object_get(item, "SpecialToken");

        if (json_object_get(item, "Sequence")) {
            if (behind++)
                return err_set(e, ERR_FILE, "%s: post-processor: the text twice",
                               t->where);
            continue;
        }
        const char *id = json_string_value(json_object_get(special, "id"));
        if (!id)
            return err_set(e, ERR_FILE,
                           "%s: post-processor: 'single' has neither SpecialToken nor "
                           "Sequence at %zu",
                           t->where, i);
        if ((rc = push_special(t, table, id, behind, e)) < 0)
            return rc;
    }
    return 0;
}

/* RobertaProcessing and BertProcessing: ["<s>", 0]. */
static int read_pair(struct tok *t, const json_t *v, const char *key, int behind,
                     struct err *e)
{
    const json_t *id = json_array_get(json_object_get(v, key), 1);

    if (!json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) > VOCAB_MAX_ID)
        return err_set(e, ERR_FILE, "%s: post-processor: '%s' is not [text, id]",
                       t->where, key);
    return push_id(t, behind, (int32_t)json_integer_value(id), e);
}

int tok_read_post(struct tok *t, const json_t *v, struct err *e)
{
    const json_t *many = tok_json_sequence(v, "processors"), *one;
    const char *type = tok_json_type(v);
    size_t i;
    int rc;

    if (!v || json_is_null(v) || strcmp(type, "ByteLevel") == 0)
        return 0;
    json_array_foreach(many, i, one) if ((rc = tok_read_post(t, one, e)) < 0) return rc;
    if (many)
        return 0;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, v, e);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        rc = read_pair(t, v, "cls", 0, e);
        return rc < 0 ? rc : read_pair(t, v, "sep", 1, e);
    }
    return tok_json_unknown(t, "post_processor", type,
                            "none, ByteLevel, TemplateProcessing, RobertaProcessing, "
                            "BertProcessing, Sequence",
                            e);
}
