/*
 * The tokenizer in a new model's directory.  A GGUF's or SentencePiece's is turned into what
 * the tokenizers library and transformers read; our own reader reads it back to the same ids.
 */
#include "base/file.h"
#include "base/json.h"
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
    "spiece.model",
    "generation_config.json",
};

static int copy_files(const char *dir, const struct checkpoint *c, struct err *e)
{
    int rc = 0, copied = 0;

    for (size_t i = 0; i < sizeof files / sizeof *files && rc >= 0; i++) {
        rc = checkpoint_copy(c, dir, files[i], e);
        copied |= rc > 0;
    }
    if (rc >= 0)
        rc = checkpoint_copy_all(c, dir, "additional_chat_templates", e);
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

    for (size_t id = 0; id < t->model_size && !bad; id++) {
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

static json_t *token(const struct tok *t, int32_t id)
{
    size_t n;
    const char *text = vocab_text(&t->vocab, id, &n);

    return json_stringn(text, n);
}

/* [left, right] in the order of the ranks. */
static json_t *merges(const struct tok *t)
{
    struct bpe_merge *v = bpe_by_rank(&t->bpe);
    json_t *list = json_array();
    int bad = !v || !list;

    for (size_t i = 0; i < t->bpe.merges && !bad; i++)
        bad = json_array_append_new(
            list, json_pack("[o, o]", token(t, v[i].left), token(t, v[i].right)));
    free(v);
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

/* The list counts ids, so that a token which is no piece needs a score: the lowest there
 * is, which leaves that of unknown characters where it was. */
static double score_of(const struct unigram *u, size_t id)
{
    return unigram_is_out(u, id) ? u->lowest : u->score[id];
}

/* [piece, score] by id. */
static json_t *pieces(const struct tok *t)
{
    json_t *list = json_array();
    int bad = !list;

    for (size_t id = 0; id < t->model_size && !bad; id++)
        bad = json_array_append_new(list, json_pack("[o, f]", token(t, (int32_t)id),
                                                    score_of(&t->unigram, id)));
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

/* A token by id, or null. */
static json_t *token_or_null(const struct tok *t, int32_t id)
{
    return id >= 0 ? token(t, id) : json_null();
}

static json_t *bpe_model(const struct tok *t)
{
    return json_pack("{s:s, s:n, s:o, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type",
                     "BPE", "dropout", "unk_token", token_or_null(t, t->unk),
                     "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                     t->bpe.fuse_unk, "byte_fallback", t->bpe.byte_fallback,
                     "ignore_merges", t->ignore_merges, "vocab", vocabulary(t),
                     "merges", merges(t));
}

static json_t *unigram_model(const struct tok *t)
{
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "Unigram", "unk_id",
                     t->unk >= 0 ? json_integer(t->unk) : json_null(), "vocab",
                     pieces(t), "byte_fallback", t->unigram.bytes);
}

static json_t *wordpiece_model(const struct tok *t)
{
    return json_pack("{s:s, s:o, s:s, s:i, s:o}", "type", "WordPiece", "unk_token",
                     token(t, t->unk), "continuing_subword_prefix", "##",
                     "max_input_chars_per_word", (int)t->wordpiece.longest, "vocab",
                     vocabulary(t));
}

static json_t *model(const struct tok *t)
{
    switch (t->kind) {
    case TOK_BPE: return bpe_model(t);
    case TOK_UNIGRAM: return unigram_model(t);
    case TOK_WORDPIECE: return wordpiece_model(t);
    case TOK_WORDS:
    case TOK_NONE: break;
    }
    return NULL; /* the sources that are not copied have no other */
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

static json_t *tokenizer_json(const struct tok *t)
{
    json_t *file = json_pack("{s:s, s:n, s:n, s:o, s:o, s:o}", "version", "1.0",
                             "truncation", "padding", "added_tokens", added_tokens(t),
                             "post_processor", post_processor(t), "model", model(t));

    if (file && t->made && json_object_update(file, t->made) == 0)
        return file;
    json_decref(file);
    return NULL;
}

/* ---- beside it --------------------------------------------------------------------------*/

static int set_token(json_t *o, const char *key, const struct tok *t, int32_t id)
{
    size_t n;
    const char *s = vocab_text(&t->vocab, id, &n);

    return s ? json_object_set_new(o, key, json_stringn(s, n)) : 0;
}

static json_t *tokenizer_config(const struct tok *t)
{
    json_t *o = json_pack("{s:s, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
                          "clean_up_tokenization_spaces", 0);

    if (o && !set_token(o, "bos_token", t, t->bos) &&
        !set_token(o, "eos_token", t, t->eos) &&
        !set_token(o, "pad_token", t, t->pad) &&
        !set_token(o, "unk_token", t, t->named_unk) &&
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

static int write_made(const struct tok *t, const struct checkpoint *c, struct err *e)
{
    const int rc = write_json(c, "tokenizer.json", tokenizer_json(t), t, e);

    return rc < 0 ? rc : 1;
}

static int write_all(const struct tok *t, const struct checkpoint *c, struct err *e)
{
    int rc;

    if ((rc = write_made(t, c, e)) < 0 ||
        (rc = write_json(c, "tokenizer_config.json", tokenizer_config(t), t, e)) < 0)
        return rc;
    rc = write_json(c, "generation_config.json", generation_config(t), t, e);
    return rc < 0 ? rc : 1;
}

/* A directory's files are copied.  Where they are a tokenizer.model and no tokenizer.json,
 * that is made too; a model that we cannot read is as good a copy as it was. */
static int save_dir(const char *dir, const struct checkpoint *c, struct err *e)
{
    struct tok *t = NULL;
    char *json = file_join(dir, "tokenizer.json");
    int rc = json ? copy_files(dir, c, e) : err_set(e, ERR_NOMEM, "no memory");

    if (rc > 0 && !file_exists(json) && tok_open(&t, dir, NULL) == 0 && t->made &&
        !t->byte_level)
        rc = write_made(t, c, e);
    tok_close(t);
    free(json);
    return rc;
}

int tok_save(const char *path, const struct checkpoint *c, struct err *e)
{
    struct tok *t = NULL;
    struct stat st;
    int rc;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return save_dir(path, c, e);
    if ((rc = tok_open(&t, path, e)) < 0)
        return rc;
    if (tok_has_text(t))
        rc = write_all(t, c, e);
    tok_close(t);
    return rc;
}
