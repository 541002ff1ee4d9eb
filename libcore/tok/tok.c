#include "tok/tok.h"

#include "base/file.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int ends_in(const char *path, const char *tail)
{
    const size_t n = strlen(path), k = strlen(tail);

    return n >= k && strcmp(path + n - k, tail) == 0;
}

static int read_json(struct tok *t, const char *path, const char *dir, struct err *e)
{
    (void)dir;
    return tok_read_json(t, path, e);
}

/* The first of these that a directory has. */
static const struct source {
    const char *name;
    int (*read)(struct tok *t, const char *path, const char *dir, struct err *e);
} sources[] = {
    {"tokenizer.json", read_json},
    {"tokenizer.model", tok_read_spm},
    {"spiece.model", tok_read_spm},
};

static int read_dir(struct tok *t, const char *dir, struct err *e)
{
    int rc = 0, found = 0;

    for (size_t i = 0; i < sizeof sources / sizeof *sources && rc == 0 && !found; i++) {
        char *path = file_join(dir, sources[i].name);

        if (!path)
            return err_set(e, ERR_NOMEM, "no memory");
        found = file_exists(path);
        if (found && (rc = tok_set_str(&t->where, path, strlen(path), e)) == 0)
            rc = sources[i].read(t, path, dir, e);
        free(path);
    }
    if (rc == 0 && !found)
        rc = tok_read_files(t, dir, e);
    return rc < 0 ? rc : tok_read_config(t, dir, e);
}

/* Special tokens that files name by their ids get their names. */
static int name_ids(struct tok *t, struct err *e)
{
    const struct {
        const char *name;
        int32_t id;
    } ids[] = {{"bos_token", t->bos},
               {"eos_token", t->eos},
               {"pad_token", t->pad},
               {"unk_token", t->named_unk}};
    int rc = 0;

    for (size_t i = 0; i < sizeof ids / sizeof *ids && rc == 0; i++) {
        size_t n;
        const char *text = vocab_text(&t->vocab, ids[i].id, &n);

        if (text && !named_find(&t->specials, ids[i].name))
            rc = named_set(&t->specials, ids[i].name, text, n, t->where, e);
    }
    return rc;
}

static int finish(struct tok *t, struct err *e)
{
    const int rc = tok_finish(t, e);

    return rc < 0 ? rc : name_ids(t, e);
}

static int read_any(struct tok *t, const char *path, struct err *e)
{
    int rc;

    if (is_dir(path))
        rc = read_dir(t, path, e);
    else if (ends_in(path, ".json"))
        rc = tok_read_json(t, path, e);
    else if (ends_in(path, ".model"))
        rc = tok_read_spm(t, path, NULL, e);
    else
        rc = tok_read_gguf(t, path, e);
    return rc < 0 ? rc : finish(t, e);
}

/* One that a reader fills: path and where are set. */
static int tok_new(struct tok **out, const char *path, struct err *e)
{
    struct tok *t = calloc(1, sizeof *t);

    *out = t;
    if (!t)
        return err_set(e, ERR_NOMEM, "%s: no memory for the tokenizer", path);
    t->bos = t->eos = t->unk = t->pad = t->named_unk = -1;
    t->pretok = pretok_new();
    t->normalizer = normal_new();
    if (!t->pretok || !t->normalizer)
        return err_set(e, ERR_NOMEM, "%s: no memory for the tokenizer", path);
    const int rc = tok_set_str(&t->path, path, strlen(path), e);
    return rc < 0 ? rc : tok_set_str(&t->where, path, strlen(path), e);
}

/* Ends an open: rc is how it went. */
static int opened(struct tok **out, int rc)
{
    if (rc < 0) {
        tok_close(*out);
        *out = NULL;
    }
    return rc;
}

int tok_open(struct tok **out, const char *path, struct err *e)
{
    int rc = tok_new(out, path, e);

    if (rc == 0)
        rc = read_any(*out, path, e);
    return opened(out, rc);
}

int tok_open_gguf(struct tok **out, const struct gguf *g, struct err *e)
{
    int rc = tok_new(out, g->path, e);

    if (rc == 0 && (rc = tok_take_gguf(*out, g, e)) >= 0)
        rc = finish(*out, e);
    return opened(out, rc);
}

void tok_close(struct tok *t)
{
    if (!t)
        return;
    vocab_release(&t->vocab);
    vocab_release(&t->bytes);
    bpe_release(&t->bpe);
    unigram_release(&t->unigram);
    wordpiece_release(&t->wordpiece);
    cache_release(&t->cache);
    normal_free(t->normalizer);
    pretok_free(t->pretok);
    decoding_release(&t->decoding);
    json_decref(t->made);
    added_set_release(&t->raw);
    added_set_release(&t->normal);
    free(t->path);
    free(t->where);
    free(t->flags);
    free(t->added);
    free(t->before);
    free(t->behind);
    free(t->stop);
    named_release(&t->specials);
    named_release(&t->chats);
    free(t->chat);
    free(t->chat_where);
    passage_release(&t->passage);
    free(t->pieces.v);
    free(t->word_id);
    free(t->word_len);
    free(t->spell);
    free(t->shown.s);
    free(t);
}

int tok_has_text(const struct tok *t)
{
    return t->kind != TOK_NONE;
}

size_t tok_size(const struct tok *t)
{
    return t->vocab.size;
}

int32_t tok_find(const struct tok *t, const char *text)
{
    return vocab_find(&t->vocab, text, strlen(text));
}

const char *tok_bytes(const struct tok *t, int32_t id, size_t *n)
{
    const int added = id >= 0 && (size_t)id < t->vocab.size && t->flags[id] & ID_ADDED;

    return vocab_text(added ? &t->vocab : &t->bytes, id, n);
}

int tok_is_special(const struct tok *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->vocab.size && (t->flags[id] & ID_SPECIAL) != 0;
}

int32_t tok_bos(const struct tok *t)
{
    return t->bos;
}

int32_t tok_eos(const struct tok *t)
{
    return t->eos;
}

const int32_t *tok_stops(const struct tok *t, size_t *n)
{
    *n = t->nstop;
    return t->stop;
}

const char *tok_chat_template(const struct tok *t, const char **where)
{
    *where = t->chat_where;
    return t->chat;
}

const struct tok_named *tok_chats(const struct tok *t, size_t *n)
{
    *n = t->chats.n;
    return t->chats.v;
}

const struct tok_named *tok_specials(const struct tok *t, size_t *n)
{
    *n = t->specials.n;
    return t->specials.v;
}
