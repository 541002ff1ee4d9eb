/*
 * The tokenizer in a new model's directory.  A GGUF's is turned into what the tokenizers
 * library and transformers read; our own reader reads it back to the same ids.
 */
#include "base/json.h"
#include "io/gguf.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const files[] = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "encoder.json",
    "vocab.bpe",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "generation_config.json",
};

static int copy_files(const char *dir, const struct checkpoint *c, struct err *e)
{
    int rc = 0, copied = 0;

    for (size_t i = 0; i < sizeof files / sizeof *files && rc >= 0; i++) {
        rc = checkpoint_copy(c, dir, files[i], e);
        copied |= rc > 0;
    }
    return rc < 0 ? rc : copied;
}

/* ---- tokenizer.json ---------------------------------------------------------------------
 * jansson takes ownership of what is set, and NULL (no memory, not UTF-8) makes the set
 * fail: one check at the end of each part. */

static json_t *added_token(int32_t id, const char *text, size_t n, int special)
{
    return json_pack("{s:i, s:o, s:b, s:b, s:b, s:b, s:b}", "id", id, "content",
                     json_stringn(text, n), "single_word", 0, "lstrip", 0, "rstrip", 0,
                     "normalized", 0, "special", special);
}

static json_t *added_tokens(const struct tok *t)
{
    json_t *list = json_array();
    int bad = !list;

    for (size_t i = 0; i < t->nadded && !bad; i++) {
        size_t n;
        const char *text = vocab_text(&t->vocab, t->added[i].id, &n);

        bad = json_array_append_new(
            list, added_token(t->added[i].id, text, n, t->added[i].special));
    }
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *vocabulary(const struct tok *t)
{
    json_t *o = json_object();
    int bad = !o;

    for (size_t id = 0; id < t->vocab.size && !bad; id++) {
        size_t n;
        const char *text = vocab_text(&t->vocab, (int32_t)id, &n);

        bad = text && (strlen(text) != n ||
                       json_object_set_new(o, text, json_integer((json_int_t)id)));
    }
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}

static json_t *merges(const struct gguf *g, struct err *e)
{
    struct gguf_array a;
    struct gguf_str s;
    json_t *list = json_array();
    int bad =
        !list || gguf_get_array(&a, g, "tokenizer.ggml.merges", GGUF_STRING, e) <= 0;

    while (!bad && gguf_next_str(&a, &s)) {
        const char *blank = memchr(s.s, ' ', s.n); /* there is one: tok_open saw it */
        const size_t n = blank ? (size_t)(blank - s.s) : 0;

        bad = !blank || json_array_append_new(
                            list, json_pack("[o, o]", json_stringn(s.s, n),
                                            json_stringn(blank + 1, s.n - n - 1)));
    }
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *byte_level(void)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                     "trim_offsets", 1, "use_regex", 0);
}

static json_t *steps(const struct chain *c)
{
    json_t *list = json_array();
    int bad = !list;

    for (size_t k = 0; k < CHAIN_STEPS && c->regex[k] && !bad; k++)
        bad = json_array_append_new(
            list, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern",
                            "Regex", c->regex[k], "behavior", "Isolated", "invert", 0));
    if (!bad && !json_array_append_new(list, byte_level()))
        return json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", list);
    json_decref(list);
    return NULL;
}

static int put_around(json_t *single, json_t *table, const struct tok *t, int32_t id)
{
    const char *s;
    size_t n;

    if (!(s = vocab_text(&t->vocab, id, &n)))
        return -1;
    return json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "SpecialToken",
                                                   "id", s, "type_id", 0)) ||
           json_object_set_new(
               table, s,
               json_pack("{s:s, s:[i], s:[s]}", "id", s, "ids", id, "tokens", s));
}

/* BOS in front, EOS behind; null where neither. */
static json_t *post_processor(const struct tok *t)
{
    json_t *single = json_array(), *table = json_object();
    int bad = !single || !table;

    if (!t->nbefore && !t->nbehind && !bad) {
        json_decref(single);
        json_decref(table);
        return json_null();
    }
    if (t->nbefore && !bad)
        bad = put_around(single, table, t, t->before[0]);
    if (!bad)
        bad = json_array_append_new(
            single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0));
    if (t->nbehind && !bad)
        bad = put_around(single, table, t, t->behind[0]);
    if (!bad)
        return json_pack("{s:s, s:o, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:o}", "type",
                         "TemplateProcessing", "single", single, "pair", "Sequence",
                         "id", "A", "type_id", 0, "Sequence", "id", "B", "type_id", 1,
                         "special_tokens", table);
    json_decref(single);
    json_decref(table);
    return NULL;
}

static json_t *model(const struct tok *t, const struct gguf *g, struct err *e)
{
    return json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type",
                     "BPE", "dropout", "unk_token", "continuing_subword_prefix",
                     "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
                     "ignore_merges", t->ignore_merges, "vocab", vocabulary(t),
                     "merges", merges(g, e));
}

static json_t *tokenizer_json(const struct tok *t, const struct gguf *g,
                              const struct chain *c, struct err *e)
{
    return json_pack(
        "{s:s, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:o}", "version", "1.0", "truncation",
        "padding", "added_tokens", added_tokens(t), "normalizer",
        c->normalizer ? json_pack("{s:s}", "type", c->normalizer) : json_null(),
        "pre_tokenizer", steps(c), "post_processor", post_processor(t), "decoder",
        byte_level(), "model", model(t, g, e));
}

/* ---- beside it --------------------------------------------------------------------------*/

static int set_token(json_t *o, const char *key, const struct tok *t, int32_t id)
{
    size_t n;
    const char *s = vocab_text(&t->vocab, id, &n);

    return s ? json_object_set_new(o, key, json_stringn(s, n)) : 0;
}

/* Tokens that only the file names: padding, unknown. */
static int set_named(json_t *o, const struct tok *t, const struct gguf *g,
                     struct err *e)
{
    static const struct {
        const char *key, *gguf;
    } names[] = {{"pad_token", "tokenizer.ggml.padding_token_id"},
                 {"unk_token", "tokenizer.ggml.unknown_token_id"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t id = 0;
        const int rc = gguf_get_size(&id, g, names[i].gguf, 0, VOCAB_MAX_ID, e);

        if (rc < 0 || (rc > 0 && set_token(o, names[i].key, t, (int32_t)id)))
            return -1;
    }
    return 0;
}

static json_t *tokenizer_config(const struct tok *t, const struct gguf *g,
                                struct err *e)
{
    json_t *o = json_pack("{s:s, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
                          "clean_up_tokenization_spaces", 0);

    if (o && !set_token(o, "bos_token", t, t->bos) &&
        !set_token(o, "eos_token", t, t->eos) && !set_named(o, t, g, e) &&
        (!t->chat || !json_object_set_new(o, "chat_template", json_string(t->chat))))
        return o;
    json_decref(o);
    return NULL;
}

static json_t *generation_config(const struct tok *t)
{
    json_t *o = json_object(), *stops = json_array();
    int bad = !o || !stops;

    for (size_t i = 0; i < t->nstop && !bad; i++)
        bad = json_array_append_new(stops, json_integer(t->stop[i]));
    if (!bad && t->bos >= 0)
        bad = json_object_set_new(o, "bos_token_id", json_integer(t->bos));
    if (!bad && t->nstop)
        bad = json_object_set(o, "eos_token_id",
                              t->nstop == 1 ? json_array_get(stops, 0) : stops);
    json_decref(stops);
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}

/* Takes v, which is NULL if it could not be made. */
static int write_json(const struct checkpoint *c, const char *name, json_t *v,
                      const struct tok *t, struct err *e)
{
    char *text = v ? json_dumps(v, JSON_INDENT(1)) : NULL;
    int rc;

    json_decref(v);
    if (!text)
        return err_set(
            e, ERR_FILE,
            "%s: its tokenizer cannot be written as %s: a token is not UTF-8, "
            "or no memory",
            t->path, name);
    rc = checkpoint_file(c, name, text, strlen(text), e);
    free(text);
    return rc;
}

static int write_gguf(const struct tok *t, const struct gguf *g,
                      const struct checkpoint *c, struct err *e)
{
    struct gguf_str pre = {"default", 7};
    char name[64] = "";
    int rc = gguf_get_str(&pre, g, "tokenizer.ggml.pre", e);

    if (rc < 0)
        return rc;
    memcpy(name, pre.s, pre.n < sizeof name - 1 ? pre.n : sizeof name - 1);
    const struct chain *chain = tok_chain(name);
    if (!chain)
        return err_set(e, ERR_FILE, "%s: 'tokenizer.ggml.pre' has changed", t->path);
    if ((rc = write_json(c, "tokenizer.json", tokenizer_json(t, g, chain, e), t, e)) <
            0 ||
        (rc = write_json(c, "tokenizer_config.json", tokenizer_config(t, g, e), t, e)) <
            0)
        return rc;
    rc = write_json(c, "generation_config.json", generation_config(t), t, e);
    return rc < 0 ? rc : 1;
}

int tok_save(const char *path, const struct checkpoint *c, struct err *e)
{
    struct gguf g = {0};
    struct tok *t = NULL;
    struct stat st;
    int rc;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return copy_files(path, c, e);
    if ((rc = tok_open(&t, path, e)) < 0)
        return rc;
    if (tok_has_text(t) && (rc = gguf_open(&g, path, e)) == 0)
        rc = write_gguf(t, &g, c, e);
    gguf_close(&g);
    tok_close(t);
    return rc;
}
