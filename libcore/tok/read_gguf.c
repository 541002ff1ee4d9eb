/*
 * The tokenizer in the metadata of a GGUF file: tokens, their types, merges, and a name
 * for the pre-tokenizer.
 */
#include "base/json.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>

/* tokenizer.ggml.token_type */
enum { TYPE_CONTROL = 3, TYPE_USER = 4 };

static int read_tokens(struct tok *t, const struct gguf *g, struct err *e)
{
    struct gguf_array tokens, types = {0};
    struct gguf_str s;
    int64_t type = 1;
    size_t id = 0;
    int rc = gguf_get_array(&tokens, g, "tokenizer.ggml.tokens", GGUF_STRING, e);

    if (rc == 0)
        return err_set(e, ERR_FILE, "%s: no 'tokenizer.ggml.tokens'", t->where);
    if (rc < 0 ||
        (rc = gguf_get_array(&types, g, "tokenizer.ggml.token_type", GGUF_I32, e)) < 0)
        return rc;
    if (rc > 0 && types.n != tokens.n)
        return err_set(e, ERR_FILE, "%s: %llu tokens, but %llu types of tokens",
                       t->where, (unsigned long long)tokens.n,
                       (unsigned long long)types.n);
    for (; gguf_next_str(&tokens, &s); id++) {
        if ((rc = vocab_add(&t->vocab, id, s.s, s.n, t->where, e)) < 0)
            return rc;
        (void)gguf_next_int(&types, &type);
        if (type != TYPE_CONTROL && type != TYPE_USER)
            continue;
        const struct added a = {.id = (int32_t)id, .special = type == TYPE_CONTROL};
        if ((rc = tok_add_added(t, s.s, s.n, a, e)) < 0)
            return rc;
    }
    t->model_size = t->vocab.size;
    return 0;
}

static int read_merges(struct tok *t, const struct gguf *g, struct err *e)
{
    struct gguf_array merges;
    struct gguf_str s;
    size_t rank = 0;
    int rc = gguf_get_array(&merges, g, "tokenizer.ggml.merges", GGUF_STRING, e);

    if (rc == 0)
        return err_set(e, ERR_FILE, "%s: no 'tokenizer.ggml.merges'", t->where);
    if (rc < 0 || (rc = tok_start_bpe(t, BPE_BYTES, merges.n, e)) < 0)
        return rc;
    while (gguf_next_str(&merges, &s))
        if ((rc = tok_add_merge_line(t, s.s, s.n, rank++, e)) < 0)
            return rc;
    return 0;
}

static int read_pre(struct tok *t, const struct gguf *g, struct err *e)
{
    struct gguf_str s = {"default", 7};
    char name[64];
    int rc = gguf_get_str(&s, g, "tokenizer.ggml.pre", e);

    if (rc < 0)
        return rc;
    const size_t n = s.n < sizeof name - 1 ? s.n : sizeof name - 1;
    memcpy(name, s.s, n);
    name[n] = '\0';
    const struct chain *c = tok_chain(name);
    if (c)
        return tok_take_chain(t, c, e);
    return err_set(e, ERR_FILE, "%s: 'tokenizer.ggml.pre' is '%s'; supported: %s",
                   t->where, name, tok_step_names);
}

/* A token by id under a key, -1 if absent. */
static int read_id(int32_t *id, const struct gguf *g, const char *key, struct err *e)
{
    size_t v = 0;
    const int rc = gguf_get_size(&v, g, key, 0, VOCAB_MAX_ID, e);

    *id = rc > 0 ? (int32_t)v : -1;
    return rc < 0 ? rc : 0;
}

static int read_stops(struct tok *t, const struct gguf *g, struct err *e)
{
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    int rc = read_id(&t->bos, g, "tokenizer.ggml.bos_token_id", e);

    for (size_t i = 0; i < 3 && rc == 0; i++) {
        int32_t id;

        if ((rc = read_id(&id, g, keys[i], e)) == 0)
            rc = tok_add_stop(t, id, e);
        if (i == 0)
            t->eos = id;
    }
    return rc;
}

/* BOS in front and EOS behind, if the file says so. */
static int read_around(struct tok *t, const struct gguf *g, struct err *e)
{
    int bos = t->add_bos && t->bos >= 0, eos = 0, rc;

    if ((rc = gguf_get_bool(&bos, g, "tokenizer.ggml.add_bos_token", e)) < 0 ||
        (rc = gguf_get_bool(&eos, g, "tokenizer.ggml.add_eos_token", e)) < 0)
        return rc;
    if ((bos && t->bos < 0) || (eos && t->eos < 0))
        return err_set(e, ERR_FILE, "%s: BOS or EOS is to be added, but has no id",
                       t->where);
    t->before = calloc(1, sizeof *t->before);
    t->behind = calloc(1, sizeof *t->behind);
    if (!t->before || !t->behind)
        return err_set(e, ERR_NOMEM, "no memory");
    t->before[0] = t->bos;
    t->behind[0] = t->eos;
    t->nbefore = bos != 0;
    t->nbehind = eos != 0;
    return 0;
}

static int read_all(struct tok *t, const struct gguf *g, struct err *e)
{
    struct gguf_str model = {0}, chat;
    int rc = gguf_get_str(&model, g, "tokenizer.ggml.model", e);

    if (rc < 0 || (rc = read_stops(t, g, e)) < 0)
        return rc;
    if (!model.s || (model.n == 4 && memcmp(model.s, "none", 4) == 0))
        return 0;
    if (model.n != 4 || memcmp(model.s, "gpt2", 4) != 0)
        return err_set(e, ERR_FILE,
                       "%s: 'tokenizer.ggml.model' is '%.*s'; supported: gpt2 "
                       "(byte-level BPE)",
                       t->where, (int)(model.n < 60 ? model.n : 60), model.s);
    t->kind = TOK_BPE;
    if ((rc = read_tokens(t, g, e)) < 0 || (rc = read_merges(t, g, e)) < 0 ||
        (rc = read_pre(t, g, e)) < 0 || (rc = read_around(t, g, e)) < 0 ||
        (rc = gguf_get_str(&chat, g, "tokenizer.chat_template", e)) <= 0)
        return rc;
    rc = tok_set_str(&t->chat, chat.s, chat.n, e);
    return rc < 0 ? rc : tok_set_str(&t->chat_where, t->path, strlen(t->path), e);
}

int tok_read_gguf(struct tok *t, const char *path, struct err *e)
{
    struct gguf g = {0};
    int rc = gguf_open(&g, path, e);

    if (rc == 0)
        rc = read_all(t, &g, e);
    gguf_close(&g);
    return rc;
}
