/*
 * tokenizer.json of the tokenizers library.  Every part that changes ids is either
 * understood or refused by name.
 */
#include "base/json.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>

/* The "type" of an object, "" where there is none. */
static const char *type_of(const json_t *v)
{
    const char *s = json_string_value(json_object_get(v, "type"));

    return s ? s : "";
}

static int unknown(const struct tok *t, const char *key, const char *what,
                   const char *supported, struct err *e)
{
    return err_set(e, ERR_FILE, "%s: '%s' is '%s'; supported: %s", t->where, key, what,
                   supported);
}

/* Members of a Sequence; NULL if v is none. */
static const json_t *sequence(const json_t *v, const char *key)
{
    return strcmp(type_of(v), "Sequence") == 0 ? json_object_get(v, key) : NULL;
}

/* ---- normalizer -------------------------------------------------------------------------*/

static int read_normalizer(struct tok *t, const json_t *v, struct err *e)
{
    const json_t *many = sequence(v, "normalizers"), *one;
    size_t i;

    if (!v || json_is_null(v))
        return 0;
    json_array_foreach(many, i, one)
    {
        const int rc = read_normalizer(t, one, e);
        if (rc < 0)
            return rc;
    }
    if (many)
        return 0;
    if (strcmp(type_of(v), "NFC") != 0)
        return unknown(t, "normalizer", type_of(v), "none, NFC, Sequence", e);
    t->nfc = 1;
    return 0;
}

/* ---- pre-tokenizer ----------------------------------------------------------------------*/

static int choose(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

/* A literal as a regular expression. */
static int quote(char **out, const char *s, struct err *e)
{
    char *p = *out = malloc(2 * strlen(s) + 1);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a pattern");
    for (; *s; s++) {
        if (strchr("\\^$.[]|()?*+{}#-&", *s))
            *p++ = '\\';
        *p++ = *s;
    }
    *p = '\0';
    return 0;
}

static int split_step(struct tok *t, const json_t *v, struct err *e)
{
    static const char *const behaviors[] = {
        "Removed",        "Isolated",   "MergedWithPrevious",
        "MergedWithNext", "Contiguous", NULL};
    const json_t *pattern = json_object_get(v, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    const char *behavior = "";
    int invert = 0, rc;
    char *quoted = NULL;

    if ((rc = json_get_str(&behavior, v, "behavior", t->where, e)) < 0 ||
        (rc = json_opt_bool(&invert, v, "invert", t->where, e)) < 0)
        return rc;
    const int b = choose(behavior, behaviors);
    if (b < 0)
        return unknown(
            t, "behavior", behavior,
            "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous", e);
    if (!regex && !literal)
        return err_set(e, ERR_FILE, "%s: 'Split' without a 'pattern'", t->where);
    if (!regex && (rc = quote(&quoted, literal, e)) < 0)
        return rc;
    rc = pretok_add_split(t->pretok, regex ? regex : quoted, (enum split_behavior)b,
                          invert ? SPLIT_GAPS : SPLIT_MATCHES, t->where, e);
    free(quoted);
    return rc;
}

static int byte_level_step(struct tok *t, const json_t *v, struct err *e)
{
    int blank = 1, regex = 1, rc;

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
    return pretok_add_split(t->pretok, "\\p{N}",
                            single ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, SPLIT_MATCHES,
                            t->where, e);
}

/* Those that are only an expression.  \w is Rust's: letters, letter numbers, circled
 * letters, marks, digits, connectors, joiners. */
#define WORD                                                                           \
    "\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}"           \
    "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

static const struct {
    const char *type, *regex;
    enum split_behavior behavior;
    enum split_invert invert;
} simple[] = {
    {"WhitespaceSplit", "\\s", SPLIT_REMOVED, SPLIT_MATCHES},
    {"Whitespace", "[" WORD "]+|[^" WORD "\\s]+", SPLIT_REMOVED, SPLIT_GAPS},
    {"Punctuation", "[!-/:-@\\x{5b}-`{-~\\p{P}]", SPLIT_ISOLATED, SPLIT_MATCHES},
};

int tok_read_steps(struct tok *t, const json_t *v, int *byte_level, struct err *e)
{
    const json_t *many = sequence(v, "pretokenizers"), *one;
    const char *type = type_of(v);
    size_t i;

    if (!v || json_is_null(v))
        return 0;
    json_array_foreach(many, i, one)
    {
        const int rc = tok_read_steps(t, one, byte_level, e);
        if (rc < 0)
            return rc;
    }
    if (many)
        return 0;
    if (strcmp(type, "ByteLevel") == 0) {
        *byte_level = 1;
        return byte_level_step(t, v, e);
    }
    if (strcmp(type, "Split") == 0)
        return split_step(t, v, e);
    if (strcmp(type, "Digits") == 0)
        return digits_step(t, v, e);
    for (i = 0; i < sizeof simple / sizeof *simple; i++)
        if (strcmp(type, simple[i].type) == 0)
            return pretok_add_split(t->pretok, simple[i].regex, simple[i].behavior,
                                    simple[i].invert, t->where, e);
    return unknown(
        t, "pre_tokenizer", type,
        "ByteLevel, Split, Digits, Whitespace, WhitespaceSplit, Punctuation, "
        "Sequence",
        e);
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

static int read_post(struct tok *t, const json_t *v, struct err *e)
{
    const json_t *many = sequence(v, "processors"), *one;
    const char *type = type_of(v);
    size_t i;
    int rc;

    if (!v || json_is_null(v) || strcmp(type, "ByteLevel") == 0)
        return 0;
    json_array_foreach(many, i, one) if ((rc = read_post(t, one, e)) < 0) return rc;
    if (many)
        return 0;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, v, e);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        rc = read_pair(t, v, "cls", 0, e);
        return rc < 0 ? rc : read_pair(t, v, "sep", 1, e);
    }
    return unknown(t, "post_processor", type,
                   "none, ByteLevel, TemplateProcessing, RobertaProcessing, "
                   "BertProcessing, Sequence",
                   e);
}

/* ---- model ------------------------------------------------------------------------------*/

static int read_vocab(struct tok *t, const json_t *vocab, struct err *e)
{
    const char *text;
    json_t *v;

    if (!json_is_object(vocab))
        return err_set(e, ERR_FILE, "%s: 'vocab' is not an object", t->where);
    json_object_foreach((json_t *)(uintptr_t)vocab, text, v)
    {
        const json_int_t id = json_integer_value(v);
        int rc;

        if (!json_is_integer(v) || id < 0)
            return err_set(e, ERR_FILE, "%s: 'vocab': the id of '%.60s' is no id",
                           t->where, text);
        rc = vocab_add(&t->vocab, (size_t)id, text, strlen(text), t->where, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_merge(struct tok *t, const json_t *m, size_t rank, struct err *e)
{
    const json_t *l = json_array_get(m, 0), *r = json_array_get(m, 1);

    if (json_is_string(m))
        return tok_add_merge_line(t, json_string_value(m), json_string_length(m), rank,
                                  e);
    if (json_array_size(m) != 2 || !json_is_string(l) || !json_is_string(r))
        return err_set(e, ERR_FILE, "%s: 'merges': number %zu is not two tokens",
                       t->where, rank);
    return tok_add_merge(t, json_string_value(l), json_string_length(l),
                         json_string_value(r), json_string_length(r), rank, e);
}

/* Keys that change ids and that we do not know must be off. */
static int refuse_set(const struct tok *t, const json_t *model, struct err *e)
{
    static const char *const keys[] = {"continuing_subword_prefix",
                                       "end_of_word_suffix", "byte_fallback"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *v = json_object_get(model, keys[i]);

        if (json_is_true(v) || json_string_length(v) > 0)
            return err_set(e, ERR_FILE,
                           "%s: BPE with '%s' is not read; supported: byte-level BPE",
                           t->where, keys[i]);
    }
    return 0;
}

static int read_unk(struct tok *t, const json_t *model, struct err *e)
{
    const char *unk = NULL;
    const int rc = json_opt_str(&unk, model, "unk_token", t->where, e);

    if (rc < 0 || !unk)
        return rc;
    t->unk = vocab_find(&t->vocab, unk, strlen(unk));
    if (t->unk < 0 && t->kind == TOK_WORDS)
        return err_set(e, ERR_FILE, "%s: 'unk_token' '%s' is not in the vocabulary",
                       t->where, unk);
    return 0;
}

static int read_bpe(struct tok *t, const json_t *model, struct err *e)
{
    const json_t *merges = json_object_get(model, "merges"), *m;
    size_t i;
    int rc;

    t->kind = TOK_BPE;
    if (!json_is_array(merges))
        return err_set(e, ERR_FILE, "%s: 'merges' is not an array", t->where);
    if ((rc = refuse_set(t, model, e)) < 0 || (rc = read_unk(t, model, e)) < 0 ||
        (rc = json_opt_bool(&t->ignore_merges, model, "ignore_merges", t->where, e)) <
            0 ||
        (rc = tok_start_bpe(t, json_array_size(merges), e)) < 0)
        return rc;
    json_array_foreach(merges, i, m) if ((rc = read_merge(t, m, i, e)) < 0) return rc;
    return 0;
}

static int read_model(struct tok *t, const json_t *model, struct err *e)
{
    const char *type = type_of(model);
    int rc;

    if (!json_is_object(model))
        return err_set(e, ERR_FILE, "%s: no 'model', an object expected", t->where);
    if (!*type && json_object_get(model, "merges"))
        type = "BPE"; /* files of early versions do not say */
    const int bpe = strcmp(type, "BPE") == 0;
    if (!bpe && strcmp(type, "WordLevel") != 0)
        return unknown(t, "model", type, "BPE (byte-level), WordLevel", e);
    if ((rc = read_vocab(t, json_object_get(model, "vocab"), e)) < 0)
        return rc;
    if (bpe)
        return read_bpe(t, model, e);
    t->kind = TOK_WORDS;
    return read_unk(t, model, e);
}

/* ---- added tokens, decoder --------------------------------------------------------------*/

static int read_added(struct tok *t, const json_t *list, struct err *e)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        struct added a = {0};
        size_t id = 0;
        const char *text = NULL;
        int rc;

        if ((rc = json_get_size(&id, v, "id", 0, VOCAB_MAX_ID, t->where, e)) < 0 ||
            (rc = json_get_str(&text, v, "content", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.special, v, "special", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.normalized, v, "normalized", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.lstrip, v, "lstrip", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.rstrip, v, "rstrip", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.single_word, v, "single_word", t->where, e)) < 0)
            return rc;
        a.id = (int32_t)id;
        rc = tok_add_added(t, text, json_string_length(json_object_get(v, "content")),
                           a, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Does the decoder turn the byte alphabet back into bytes? */
static int decodes_bytes(const json_t *v)
{
    const json_t *one;
    size_t i;

    json_array_foreach(sequence(v, "decoders"), i,
                       one) if (decodes_bytes(one)) return 1;
    return strcmp(type_of(v), "ByteLevel") == 0;
}

static int read_parts(struct tok *t, const json_t *file, struct err *e)
{
    const json_t *decoder = json_object_get(file, "decoder");
    int bytes = 0, rc;

    if (!json_is_object(file))
        return err_set(e, ERR_FILE, "%s: not a tokenizer.json", t->where);
    if ((rc = read_model(t, json_object_get(file, "model"), e)) < 0 ||
        (rc = read_normalizer(t, json_object_get(file, "normalizer"), e)) < 0 ||
        (rc = tok_read_steps(t, json_object_get(file, "pre_tokenizer"), &bytes, e)) < 0)
        return rc;
    if (t->kind == TOK_BPE && (!bytes || !decodes_bytes(decoder)))
        return err_set(e, ERR_FILE,
                       "%s: BPE without 'ByteLevel' pre-tokenizer and decoder; "
                       "supported: byte-level BPE",
                       t->where);
    if (t->kind == TOK_WORDS && (bytes || (decoder && !json_is_null(decoder))))
        return err_set(e, ERR_FILE,
                       "%s: WordLevel with ByteLevel or a 'decoder'; supported: "
                       "Whitespace or WhitespaceSplit, no decoder",
                       t->where);
    if ((rc = read_added(t, json_object_get(file, "added_tokens"), e)) < 0)
        return rc;
    return read_post(t, json_object_get(file, "post_processor"), e);
}

int tok_read_json(struct tok *t, const char *path, struct err *e)
{
    json_t *file = NULL;
    int rc = json_read_file(&file, path, e);

    if (rc == 0)
        rc = read_parts(t, file, e);
    json_decref(file);
    return rc;
}
