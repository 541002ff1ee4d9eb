/*
 * The tokenizer in the metadata of a GGUF file: tokens, their types, merges, and a name
 * for the pre-tokenizer.
 */
#include "base/json.h"
#include "tok/private.h"
#include "tok/spm.h"

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
    vocab_reserve(&t->vocab, tokens.n);
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
    if (rc == 0)
        rc = read_id(&t->pad, g, "tokenizer.ggml.padding_token_id", e);
    return rc == 0 ? read_id(&t->named_unk, g, "tokenizer.ggml.unknown_token_id", e)
                   : rc;
}

/* BOS in front and EOS behind, if the file says so, or else the kind of model. */
static int read_around(struct tok *t, const struct gguf *g, int bos, int eos,
                       struct err *e)
{
    int rc;

    bos = bos && t->bos >= 0;
    eos = eos && t->eos >= 0;
    if ((rc = gguf_get_bool(&bos, g, "tokenizer.ggml.add_bos_token", e)) < 0 ||
        (rc = gguf_get_bool(&eos, g, "tokenizer.ggml.add_eos_token", e)) < 0)
        return rc;
    if ((bos && t->bos < 0) || (eos && t->eos < 0))
        return err_set(e, ERR_FILE, "%s: BOS or EOS is to be added, but has no id",
                       t->where);
    return tok_put_around(t, bos ? t->bos : -1, eos ? t->eos : -1, e);
}

/* ---- byte-level BPE -------------------------------------------------------------------*/

static int read_gpt2(struct tok *t, const struct gguf *g, struct err *e)
{
    int rc;

    t->kind = TOK_BPE;
    if ((rc = read_tokens(t, g, e)) < 0 || (rc = read_merges(t, g, e)) < 0 ||
        (rc = read_pre(t, g, e)) < 0)
        return rc;
    return read_around(t, g, t->add_bos, 0, e);
}

/* ---- SentencePiece --------------------------------------------------------------------*/

/* In a unigram model all but unused tokens are pieces, controls and the like with a score
 * of 0; other scores of such are what converters give to tokens beside the model, which
 * would make every unknown character as unlikely. */
static int is_beside(const struct spm *s, double score, int64_t type)
{
    return s->model == SPM_UNIGRAM &&
           (type == SPM_UNUSED || (type != SPM_NORMAL && score != 0));
}

static int read_pieces(struct spm *s, struct tok *t, const struct gguf *g,
                       struct err *e)
{
    struct gguf_array tokens, scores, types;
    struct gguf_str text;
    double score;
    int64_t type;
    int rc;

    if ((rc = gguf_get_array(&tokens, g, "tokenizer.ggml.tokens", GGUF_STRING, e)) <=
            0 ||
        (rc = gguf_get_array(&scores, g, "tokenizer.ggml.scores", GGUF_F32, e)) <= 0 ||
        (rc = gguf_get_array(&types, g, "tokenizer.ggml.token_type", GGUF_I32, e)) <= 0)
        return rc < 0
                   ? rc
                   : err_set(e, ERR_FILE,
                             "%s: a SentencePiece model needs 'tokenizer.ggml.tokens',"
                             " 'scores' and 'token_type'",
                             t->where);
    if (scores.n != tokens.n || types.n != tokens.n)
        return err_set(e, ERR_FILE, "%s: %llu tokens, but %llu scores and %llu types",
                       t->where, (unsigned long long)tokens.n,
                       (unsigned long long)scores.n, (unsigned long long)types.n);
    while (rc >= 0 && gguf_next_str(&tokens, &text) &&
           gguf_next_double(&scores, &score) && gguf_next_int(&types, &type)) {
        if (type < SPM_NORMAL || type > SPM_BYTE)
            return err_set(e, ERR_FILE, "%s: token %zu is of the unknown type %lld",
                           t->where, s->n, (long long)type);
        if (type == SPM_BYTE)
            s->bytes = 1;
        rc = spm_add(s, t, text.s, text.n, (float)score, (int)type, e);
        if (rc >= 0)
            s->piece[s->n - 1].beside = is_beside(s, score, type);
    }
    return rc < 0 ? rc : 0;
}

static int read_spm(struct tok *t, const struct gguf *g, enum spm_model model,
                    struct err *e)
{
    const struct gguf_kv *map = gguf_find(g, "tokenizer.ggml.precompiled_charsmap");
    struct spm s;
    int rc;

    if (map && !(map->is_array && (map->type == GGUF_U8 || map->type == GGUF_I8)))
        return err_set(
            e, ERR_FILE,
            "%s: 'tokenizer.ggml.precompiled_charsmap' is not an array of bytes",
            t->where);
    spm_init(&s);
    s.model = model;
    if (map) {
        s.charsmap = map->data;
        s.ncharsmap = map->size;
    }
    if ((rc = read_pieces(&s, t, g, e)) == 0 &&
        (rc = read_id(&s.unk, g, "tokenizer.ggml.unknown_token_id", e)) == 0 &&
        (rc = gguf_get_bool(&s.dummy_prefix, g, "tokenizer.ggml.add_space_prefix",
                            e)) >= 0) {
        for (size_t i = 0; i < s.n && s.unk < 0; i++)
            if (s.piece[i].type == SPM_UNKNOWN)
                s.unk = (int32_t)i;
        if (s.unk >= 0 && (size_t)s.unk >= s.n)
            rc = err_set(e, ERR_FILE,
                         "%s: 'tokenizer.ggml.unknown_token_id' is %d of %zu", t->where,
                         s.unk, s.n);
        else
            rc = spm_build(&s, t, model == SPM_BPE ? SPM_LLAMA_LEGACY : SPM_T5, e);
    }
    spm_release(&s);
    return rc;
}

static int read_llama(struct tok *t, const struct gguf *g, struct err *e)
{
    const int rc = read_spm(t, g, SPM_BPE, e);

    return rc < 0 ? rc : read_around(t, g, 1, 0, e);
}

static int read_t5(struct tok *t, const struct gguf *g, struct err *e)
{
    const int rc = read_spm(t, g, SPM_UNIGRAM, e);

    return rc < 0 ? rc : read_around(t, g, 0, 1, e);
}

/* ---- WordPiece --------------------------------------------------------------------------
 * The file marks the tokens that begin words with U+2581 where BERT's vocabulary marks
 * those that do not, with ##; added tokens have neither. */

static int add_word(struct tok *t, size_t id, struct gguf_str s, int64_t type,
                    struct err *e)
{
    const int control = type == TYPE_CONTROL, added = control || type == TYPE_USER;
    const int begins = s.n >= 3 && memcmp(s.s, "\xe2\x96\x81", 3) == 0;
    const size_t skip = begins && !control ? 3 : 0;
    char *text = malloc(s.n + 3);

    if (!text)
        return err_set(e, ERR_NOMEM, "%s: no memory for a token", t->where);
    const size_t mark = begins || added ? 0 : 2;
    memcpy(text, "##", 2);
    memcpy(text + mark, s.s + skip, s.n - skip);
    int rc = vocab_add(&t->vocab, id, text, mark + s.n - skip, t->where, e);
    if (rc == 0 && added)
        rc = tok_add_added(t, text, s.n - skip,
                           (struct added){.id = (int32_t)id, .special = control}, e);
    free(text);
    return rc;
}

static int read_words(struct tok *t, const struct gguf *g, struct err *e)
{
    struct gguf_array tokens, types;
    struct gguf_str s;
    int64_t type;
    int rc;

    if ((rc = gguf_get_array(&tokens, g, "tokenizer.ggml.tokens", GGUF_STRING, e)) <=
            0 ||
        (rc = gguf_get_array(&types, g, "tokenizer.ggml.token_type", GGUF_I32, e)) <= 0)
        return rc < 0
                   ? rc
                   : err_set(e, ERR_FILE,
                             "%s: a WordPiece model needs 'tokenizer.ggml.tokens' and "
                             "'token_type'",
                             t->where);
    if (types.n != tokens.n)
        return err_set(e, ERR_FILE, "%s: %llu tokens, but %llu types of tokens",
                       t->where, (unsigned long long)tokens.n,
                       (unsigned long long)types.n);
    for (size_t id = 0; gguf_next_str(&tokens, &s) && gguf_next_int(&types, &type);
         id++)
        if ((rc = add_word(t, id, s, type, e)) < 0)
            return rc;
    t->model_size = t->vocab.size;
    return 0;
}

/* [CLS] and [SEP] have keys of their own; older files call them BOS and EOS.  Words are
 * brought to lower case, and then lose their accents, unless the file says otherwise. */
static int read_bert(struct tok *t, const struct gguf *g, struct err *e)
{
    int32_t cls, sep;
    int lower = 1, strip, rc;

    t->kind = TOK_WORDPIECE;
    if ((rc = gguf_get_bool(&lower, g, "tokenizer.ggml.normalizer.lowercase", e)) < 0)
        return rc;
    strip = lower;
    if ((rc = gguf_get_bool(&strip, g, "tokenizer.ggml.normalizer.strip_accents", e)) <
        0)
        return rc;
    if ((rc = read_words(t, g, e)) < 0 ||
        (rc = read_id(&t->unk, g, "tokenizer.ggml.unknown_token_id", e)) < 0 ||
        (rc = read_id(&cls, g, "tokenizer.ggml.cls_token_id", e)) < 0 ||
        (rc = read_id(&sep, g, "tokenizer.ggml.seperator_token_id", e)) < 0)
        return rc;
    if (t->unk < 0 || (size_t)t->unk >= t->vocab.size)
        return err_set(e, ERR_FILE, "%s: no 'tokenizer.ggml.unknown_token_id'",
                       t->where);
    if ((rc = wordpiece_build(&t->wordpiece, &t->vocab, "##", t->unk, 100, e)) < 0 ||
        (rc = tok_put_around(t, cls < 0 ? t->bos : cls, sep < 0 ? t->eos : sep, e)) < 0)
        return rc;
    return tok_make(
        t,
        json_pack("{s:s, s:b, s:b, s:b, s:b}", "type", "BertNormalizer", "clean_text",
                  1, "handle_chinese_chars", 1, "strip_accents", strip, "lowercase",
                  lower),
        json_pack("{s:s}", "type", "BertPreTokenizer"),
        json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1),
        e);
}

/* ---- the whole ------------------------------------------------------------------------*/

static const struct {
    const char *name; /* tokenizer.ggml.model */
    int (*read)(struct tok *t, const struct gguf *g, struct err *e);
} models[] = {
    {"gpt2", read_gpt2},
    {"llama", read_llama},
    {"t5", read_t5},
    {"bert", read_bert},
};

static int read_model(struct tok *t, const struct gguf *g, struct gguf_str name,
                      struct err *e)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strlen(models[i].name) == name.n &&
            memcmp(models[i].name, name.s, name.n) == 0)
            return models[i].read(t, g, e);
    return err_set(e, ERR_FILE,
                   "%s: 'tokenizer.ggml.model' is '%.*s'; supported: gpt2, llama, t5, "
                   "bert",
                   t->where, (int)(name.n < 60 ? name.n : 60), name.s);
}

int tok_take_gguf(struct tok *t, const struct gguf *g, struct err *e)
{
    struct gguf_str model = {0}, chat;
    int rc = gguf_get_str(&model, g, "tokenizer.ggml.model", e);

    if (rc < 0 || (rc = read_stops(t, g, e)) < 0)
        return rc;
    if (!model.s || (model.n == 4 && memcmp(model.s, "none", 4) == 0))
        return 0;
    if ((rc = read_model(t, g, model, e)) < 0 ||
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
        rc = tok_take_gguf(t, &g, e);
    gguf_close(&g);
    return rc;
}
