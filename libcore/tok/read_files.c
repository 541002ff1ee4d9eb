/*
 * vocab.json + merges.txt, the form before tokenizer.json (and encoder.json + vocab.bpe,
 * OpenAI's names for them).  What these files do not say is taken from
 * tokenizer_config.json: the class decides the pre-tokenizer (GPT-2's if there is none).
 */
#include "base/file.h"
#include "base/json.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>

enum { MERGES_MAX = 256 << 20 };

static int read_vocab_file(struct tok *t, const char *path, struct err *e)
{
    json_t *file = NULL, *v;
    const char *text;
    int rc = tok_set_str(&t->where, path, strlen(path), e);

    if (rc == 0)
        rc = json_read_file(&file, path, e);
    if (rc == 0 && !json_is_object(file))
        rc = err_set(e, ERR_FILE, "%s: not an object of tokens", path);
    if (rc == 0)
        json_object_foreach(file, text, v)
        {
            if (!json_is_integer(v) || json_integer_value(v) < 0)
                rc = err_set(e, ERR_FILE, "%s: the id of '%.60s' is no id", path, text);
            else
                rc = vocab_add(&t->vocab, (size_t)json_integer_value(v), text,
                               strlen(text), path, e);
            if (rc < 0)
                break;
        }
    json_decref(file);
    return rc;
}

/* The next line of text[*at..n) without its end; 0 behind the last one. */
static int next_line(const char *text, size_t n, size_t *at, const char **line,
                     size_t *len)
{
    if (*at >= n)
        return 0;
    const char *nl = memchr(text + *at, '\n', n - *at);

    *line = text + *at;
    *len = nl ? (size_t)(nl - *line) : n - *at;
    *at += *len + 1;
    if (*len > 0 && (*line)[*len - 1] == '\r')
        --*len;
    return 1;
}

static int read_merges_file(struct tok *t, const char *path, struct err *e)
{
    char *text = NULL;
    const char *line;
    size_t n, len, at = 0, lines = 1, rank = 0;
    int rc = file_read(&text, &n, path, MERGES_MAX, e);

    if (rc == 0)
        rc = tok_set_str(&t->where, path, strlen(path), e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        lines += text[i] == '\n';
    if (rc == 0)
        rc = tok_start_bpe(t, BPE_BYTES, lines, e);
    while (rc == 0 && next_line(text, n, &at, &line, &len)) {
        const int version = rank == 0 && len >= 9 && memcmp(line, "#version:", 9) == 0;

        if (len > 0 && !version)
            rc = tok_add_merge_line(t, line, len, rank++, e);
    }
    free(text);
    return rc;
}

/* added_tokens_decoder of tokenizer_config.json: {"50256": {"content": ...}}. */
int tok_read_added(struct tok *t, json_t *table, struct err *e)
{
    const char *key;
    json_t *v;

    json_object_foreach(table, key, v)
    {
        char *rest;
        const long id = strtol(key, &rest, 10);
        struct added a = {.id = (int32_t)id};
        const char *text = NULL;
        int rc;

        if (*rest || rest == key || id < 0 || id > VOCAB_MAX_ID)
            return err_set(e, ERR_FILE, "%s: 'added_tokens_decoder': '%s' is no id",
                           t->where, key);
        if ((rc = json_get_str(&text, v, "content", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.special, v, "special", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.normalized, v, "normalized", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.lstrip, v, "lstrip", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.rstrip, v, "rstrip", t->where, e)) < 0 ||
            (rc = json_opt_bool(&a.single_word, v, "single_word", t->where, e)) < 0 ||
            (rc = tok_add_added(t, text, strlen(text), a, e)) < 0)
            return rc;
    }
    return 0;
}

/* Tokens that GPT-2's and Qwen2's own classes know without being told. */
static int add_known(struct tok *t, struct err *e)
{
    static const char *const known[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const int32_t id = tok_find(t, known[i]);
        int rc = 0;

        if (id >= 0)
            rc = tok_add_added(t, known[i], strlen(known[i]),
                               (struct added){.id = id, .special = 1}, e);
        if (rc < 0)
            return rc;
        if (i == 0 && id >= 0)
            t->bos = t->eos = id;
    }
    return 0;
}

static int read_class(struct tok *t, const json_t *file, struct err *e)
{
    static const struct {
        const char *name, *chain;
    } classes[] = {
        {"GPT2Tokenizer", "gpt-2"},
        {"GPT2TokenizerFast", "gpt-2"},
        {"Qwen2Tokenizer", "qwen2"},
        {"Qwen2TokenizerFast", "qwen2"},
    };
    const char *name = "GPT2Tokenizer";
    int blank = 0, rc = json_opt_str(&name, file, "tokenizer_class", t->where, e);

    if (rc < 0 ||
        (rc = json_opt_bool(&blank, file, "add_prefix_space", t->where, e)) < 0 ||
        (blank && (rc = pretok_add_blank(t->pretok, e)) < 0))
        return rc;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(name, classes[i].name) == 0)
            return tok_take_chain(t, tok_chain(classes[i].chain), e);
    return err_set(e, ERR_FILE,
                   "%s: 'tokenizer_class' is '%s'; without tokenizer.json only "
                   "GPT2Tokenizer and Qwen2Tokenizer are read",
                   t->where, name);
}

static int read_rest(struct tok *t, const char *dir, struct err *e)
{
    char *path = file_join(dir, "tokenizer_config.json");
    json_t *file = NULL;
    int rc = path ? 0 : err_set(e, ERR_NOMEM, "no memory");

    if (rc == 0 && file_exists(path) && (rc = json_read_file(&file, path, e)) == 0)
        rc = tok_set_str(&t->where, path, strlen(path), e);
    if (rc == 0 && (rc = add_known(t, e)) == 0 && (rc = read_class(t, file, e)) == 0)
        rc = tok_read_added(t, json_object_get(file, "added_tokens_decoder"), e);
    json_decref(file);
    free(path);
    return rc;
}

int tok_read_files(struct tok *t, const char *dir, struct err *e)
{
    static const char *const names[][2] = {{"vocab.json", "merges.txt"},
                                           {"encoder.json", "vocab.bpe"}};
    int rc = 0;

    for (size_t i = 0; i < 2 && rc == 0 && t->kind == TOK_NONE; i++) {
        char *vocab = file_join(dir, names[i][0]),
             *merges = file_join(dir, names[i][1]);

        if (!vocab || !merges)
            rc = err_set(e, ERR_NOMEM, "no memory");
        else if (file_exists(vocab) && file_exists(merges)) {
            t->kind = TOK_BPE;
            if ((rc = read_vocab_file(t, vocab, e)) == 0)
                rc = read_merges_file(t, merges, e);
            t->model_size = t->vocab.size;
        }
        free(vocab);
        free(merges);
    }
    return rc < 0 || t->kind == TOK_NONE ? rc : read_rest(t, dir, e);
}
