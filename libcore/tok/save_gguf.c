/*
 * A tokenizer as GGUF metadata.
 *
 * The format names a pre-tokenizer instead of describing it, and llama.cpp knows the
 * names.  A tokenizer.json describes one, in more than one way.  So the name is found by
 * what it does: the chain that cuts a probing text at the same places.
 */
#include "base/file.h"
#include "base/json.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>

/* tokenizer.ggml.token_type */
enum {
    TYPE_NORMAL = 1,
    TYPE_UNKNOWN = 2,
    TYPE_CONTROL = 3,
    TYPE_USER = 4,
    TYPE_UNUSED = 5,
    TYPE_BYTE = 6,
};

/* ---- the pre-tokenizer -------------------------------------------------------------- */

/* Everything on which the chains that we know differ: digits alone, in threes, or all
 * together; contractions in both cases; blanks before words, numbers and signs; line ends
 * with what stands before and behind them; marks, other scripts, other digits. */
static const char probe[] =
    "Hello  world, it's I'LL we've 1 12 123 1234567 x=3.14;  a1b2 \t\tq\n"
    "\n\n  if (x) {\r\n\treturn  -1; // no!\n}   \n   \n$5 <|tag|> #1 @me ...?!! \"q\" "
    "ein Stra\xc3\x9f\x65 na\xc3\xafve e\xcc\x81t\xc3\xa9 "
    "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 "
    "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c "
    "\xd9\xa3\xd9\xa4 \xc2\xb2\xe2\x85\xa3 \xf0\x9f\x98\x80\xf0\x9f\x98\x80 "
    "\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87 "
    "\xc2\xa0\xe2\x80\x83(a)\xe2\x80\x94[b] foo_bar fooBar 'tis o'clock'S\n ";

/* The pieces that t cuts the probe into, once it is normalised. */
static int cut_probe(struct pieces *out, const struct tok *t, struct err *e)
{
    struct passage text = {0};
    const size_t n = sizeof probe - 1;
    int rc = passage_reserve(&text, n, PASSAGE_STRAIGHT, e);

    if (rc >= 0) {
        memcpy(text.text, probe, n);
        text.n = n;
        rc = normal_run(t->normalizer, &text, e);
    }
    if (rc >= 0)
        rc = pretok_run(t->pretok, &text, out, e);
    passage_release(&text);
    return rc;
}

/* 1 if the chain cuts as `want` says, 0 if not. */
static int cuts_so(const struct chain *c, const struct pieces *want, struct err *e)
{
    struct tok t = {
        .where = (char *)c->name, .normalizer = normal_new(), .pretok = pretok_new()};
    struct pieces got = {0};
    int rc = t.normalizer && t.pretok ? tok_take_chain(&t, c, e)
                                      : err_set(e, ERR_NOMEM, "no memory");

    if (rc >= 0)
        rc = cut_probe(&got, &t, e);
    if (rc >= 0)
        rc = got.n == want->n && memcmp(got.v, want->v, got.n * sizeof *got.v) == 0;
    free(got.v);
    decoding_release(&t.decoding);
    normal_free(t.normalizer);
    pretok_free(t.pretok);
    json_decref(t.made);
    return rc;
}

/* *out NULL: none does the same. */
static int find_chain(const struct chain **out, const struct tok *t, struct err *e)
{
    struct pieces want = {0};
    int rc = cut_probe(&want, t, e);

    *out = NULL;
    for (size_t i = 0; rc >= 0 && !*out; i++) {
        const struct chain *c = tok_chain_at(i);

        if (!c)
            break;
        if (c->ignore_merges != t->ignore_merges)
            continue;
        if ((rc = cuts_so(c, &want, e)) > 0)
            *out = c;
    }
    free(want.v);
    return rc;
}

static int put_pre(struct gguf_meta *out, const struct tok *t, struct err *e)
{
    const struct chain *c;
    const int rc = find_chain(&c, t, e);

    if (rc < 0)
        return rc;
    if (!c)
        return err_set(e, ERR_FILE,
                       "%s: its pre-tokenizer is none that GGUF has a name for that we "
                       "write: %s",
                       t->where, tok_step_names);
    gguf_put_str(out, "tokenizer.ggml.pre", c->name, strlen(c->name));
    return 0;
}

/* ---- tokens and merges -------------------------------------------------------------- */

static int put_types(struct gguf_meta *out, const struct tok *t, size_t V,
                     struct err *e)
{
    unsigned char *type = calloc(V + 1, 1);

    if (!type)
        return err_set(e, ERR_NOMEM, "%s: no memory for %zu types", t->path, V);
    for (size_t id = 0; id < V; id++) {
        size_t n;

        type[id] = vocab_text(&t->vocab, (int32_t)id, &n) ? TYPE_NORMAL : TYPE_UNUSED;
    }
    for (size_t i = 0; i < t->nadded; i++)
        type[t->added[i].id] = t->added[i].special ? TYPE_CONTROL : TYPE_USER;
    const int pieces = !t->byte_level && t->kind != TOK_WORDPIECE;
    for (size_t id = 0; id < t->vocab.size && pieces; id++)
        if (t->flags[id] & ID_BYTE)
            type[id] = TYPE_BYTE;
    if (t->unk >= 0 && pieces)
        type[t->unk] = TYPE_UNKNOWN;
    gguf_put_array(out, "tokenizer.ggml.token_type", GGUF_I32, V);
    for (size_t id = 0; id < V; id++)
        gguf_add_i32(out, type[id]);
    free(type);
    return 0;
}

static int is_added(const struct tok *t, size_t id)
{
    return id < t->vocab.size && t->flags[id] & (ID_ADDED | ID_SPECIAL);
}

/* WordPiece: U+2581 where a word begins, nothing where ## was. */
static void put_word(struct gguf_meta *out, const struct tok *t, size_t id,
                     const char *text, size_t n)
{
    char word[VOCAB_MAX_TEXT + 3];

    if (is_added(t, id)) {
        gguf_add_str(out, text, n);
    } else if (n > 2 && memcmp(text, "##", 2) == 0) {
        gguf_add_str(out, text + 2, n - 2);
    } else {
        memcpy(word, "\xe2\x96\x81", 3);
        memcpy(word + 3, text, n);
        gguf_add_str(out, word, n + 3);
    }
}

/* Ids without a token get a text that nobody writes. */
static void put_tokens(struct gguf_meta *out, const struct tok *t, size_t V)
{
    gguf_put_array(out, "tokenizer.ggml.tokens", GGUF_STRING, V);
    for (size_t id = 0; id < V; id++) {
        char pad[32];
        size_t n;
        const char *text = vocab_text(&t->vocab, (int32_t)id, &n);

        if (!text)
            gguf_add_str(out, pad, (size_t)snprintf(pad, sizeof pad, "[PAD%zu]", id));
        else if (t->kind == TOK_WORDPIECE)
            put_word(out, t, id, text, n);
        else
            gguf_add_str(out, text, n);
    }
}

/* "left right", by rank. */
static int put_merges(struct gguf_meta *out, const struct tok *t, struct err *e)
{
    const size_t n = t->bpe.merges;
    struct bpe_merge *m = bpe_by_rank(&t->bpe);

    if (!m)
        return err_set(e, ERR_NOMEM, "%s: no memory for its merges", t->path);
    gguf_put_array(out, "tokenizer.ggml.merges", GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        char both[2 * VOCAB_MAX_TEXT + 1];
        size_t left, right;
        const char *l = vocab_text(&t->vocab, m[i].left, &left);
        const char *r = vocab_text(&t->vocab, m[i].right, &right);

        memcpy(both, l, left);
        both[left] = ' ';
        memcpy(both + left + 1, r, right);
        gguf_add_str(out, both, left + 1 + right);
    }
    free(m);
    return 0;
}

/* SentencePiece joins the two neighbours that make the piece of the best score: the rank of
 * a merge is that of what it makes.  So all merges into one token must follow each other;
 * then minus their place is a score that gives the same order. */
static int put_scores(struct gguf_meta *out, const struct tok *t, size_t V,
                      struct err *e)
{
    const size_t n = t->bpe.merges;
    struct bpe_merge *m = bpe_by_rank(&t->bpe);
    size_t place = 0;
    float *score = calloc(V + 1, sizeof *score);
    int rc = m && score ? 0 : err_set(e, ERR_NOMEM, "%s: no memory", t->path);

    for (size_t i = 0; rc >= 0 && i < n; i++) {
        if (i > 0 && m[i].id == m[i - 1].id)
            continue;
        if (score[m[i].id] != 0)
            rc = err_set(e, ERR_FILE, "%s: its merges are not those of SentencePiece",
                         t->where);
        score[m[i].id] = -(float)++place;
    }
    if (rc >= 0) {
        gguf_put_array(out, "tokenizer.ggml.scores", GGUF_F32, V);
        for (size_t id = 0; id < V; id++)
            gguf_add_f32(out, score[id]);
    }
    free(score);
    free(m);
    return rc;
}

/* Those of a unigram model as they are; tokens beside it get what llama.cpp's converter
 * gives them, far below. */
static void put_unigram_scores(struct gguf_meta *out, const struct tok *t, size_t V)
{
    const struct unigram *u = &t->unigram;

    gguf_put_array(out, "tokenizer.ggml.scores", GGUF_F32, V);
    for (size_t id = 0; id < V; id++)
        gguf_add_f32(out, id < u->size && !unigram_is_out(u, id) ? (float)u->score[id]
                          : id < t->vocab.size                   ? -1000
                                                                 : -10000);
}

/* ---- special ids -------------------------------------------------------------------- */

static void put_id(struct gguf_meta *out, const char *key, int32_t id)
{
    if (id >= 0)
        gguf_put_size(out, key, (size_t)id);
}

/* EOS (the first stop where none is named), and up to two more tokens that end an answer.
 */
static void put_stops(struct gguf_meta *out, int32_t eos, const int32_t *stop, size_t n)
{
    static const char *const keys[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    size_t k = 0;

    if (eos < 0 && n > 0)
        eos = stop[0];
    put_id(out, "tokenizer.ggml.eos_token_id", eos);
    for (size_t i = 0; i < n && k < 2; i++)
        if (stop[i] != eos)
            put_id(out, keys[k++], stop[i]);
}

void tok_none_to_gguf(struct gguf_meta *out, int32_t bos, const int32_t *stop, size_t n)
{
    gguf_put_str(out, "tokenizer.ggml.model", "none", 4);
    put_id(out, "tokenizer.ggml.bos_token_id", bos);
    put_stops(out, -1, stop, n);
}

/* What a file of the directory names and we do not keep: padding, unknown. */
static int put_named(struct gguf_meta *out, const struct tok *t, const char *dir,
                     struct err *e)
{
    static const struct {
        const char *key, *gguf;
    } names[] = {{"pad_token", "tokenizer.ggml.padding_token_id"},
                 {"unk_token", "tokenizer.ggml.unknown_token_id"}};
    const size_t n = t->byte_level ? 2 : 1; /* a model of pieces has its own unknown */
    char *path = file_join(dir, "tokenizer_config.json");
    json_t *file = NULL;
    int rc = path ? 0 : err_set(e, ERR_NOMEM, "%s: no memory", dir);

    if (rc >= 0 && file_exists(path))
        rc = json_read_file(&file, path, e);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        const json_t *v = json_object_get(file, names[i].key);
        const char *text =
            json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);

        put_id(out, names[i].gguf, text ? tok_find(t, text) : -1);
    }
    json_decref(file);
    free(path);
    return rc;
}

/* BOS in front and EOS behind are all that the format can say.  What a post-processor puts
 * in front is the BOS, whatever id a config.json names. */
static int put_around(struct gguf_meta *out, const struct tok *t, struct err *e)
{
    const int fits =
        t->nbefore <= 1 && t->nbehind <= 1 && (!t->nbehind || t->behind[0] == t->eos);

    if (!fits)
        return err_set(e, ERR_FILE,
                       "%s: its post-processor adds more than BOS and EOS, which GGUF "
                       "cannot say",
                       t->where);
    put_id(out, "tokenizer.ggml.bos_token_id", t->nbefore ? t->before[0] : t->bos);
    gguf_put_bool(out, "tokenizer.ggml.add_bos_token", t->nbefore > 0);
    gguf_put_bool(out, "tokenizer.ggml.add_eos_token", t->nbehind > 0);
    return 0;
}

/* ---- all ---------------------------------------------------------------------------- */

static int put_byte_level(struct gguf_meta *out, struct tok *t, size_t V, struct err *e)
{
    const int rc = put_pre(out, t, e);

    (void)V;
    gguf_put_str(out, "tokenizer.ggml.model", "gpt2", 4);
    return rc < 0 ? rc : put_merges(out, t, e);
}

/* T5's way with blanks is the format's: a word is what stands between them, and has one in
 * front. */
static int put_unigram(struct gguf_meta *out, struct tok *t, size_t V, struct err *e)
{
    size_t n;
    const char *rules = normal_compiled(t->normalizer, &n);

    if (t->unk < 0)
        return err_set(e, ERR_FILE,
                       "%s: no unknown token, without which GGUF has no unigram model",
                       t->where);
    gguf_put_str(out, "tokenizer.ggml.model", "t5", 2);
    gguf_put_str(out, "tokenizer.ggml.pre", "default", 7);
    gguf_put_bool(out, "tokenizer.ggml.add_space_prefix", 1);
    gguf_put_bool(out, "tokenizer.ggml.remove_extra_whitespaces", 1);
    if (rules)
        gguf_put_bytes(out, "tokenizer.ggml.precompiled_charsmap", rules, n);
    put_id(out, "tokenizer.ggml.unknown_token_id", t->unk);
    put_unigram_scores(out, t, V);
    return 0;
}

/* What the normaliser does to U+00C9 says whether it brings text to lower case and takes
 * accents off. */
static int put_case(struct gguf_meta *out, const struct tok *t, struct err *e)
{
    struct passage text = {0};
    int rc = passage_reserve(&text, 2, PASSAGE_STRAIGHT, e);

    if (rc >= 0) {
        memcpy(text.text, "\xc3\x89", 2);
        text.n = 2;
        rc = normal_run(t->normalizer, &text, e);
    }
    if (rc >= 0) {
        const int strip = text.n == 1;
        const int lower = strip ? *text.text == 'e' : memcmp(text.text, "\xc3\x89", 2);

        gguf_put_bool(out, "tokenizer.ggml.normalizer.lowercase", lower);
        gguf_put_bool(out, "tokenizer.ggml.normalizer.strip_accents", strip);
    }
    passage_release(&text);
    return rc < 0 ? rc : 0;
}

static int put_wordpiece(struct gguf_meta *out, struct tok *t, size_t V, struct err *e)
{
    (void)V;
    if (t->wordpiece.longest != 100)
        return err_set(e, ERR_FILE,
                       "%s: words of up to %zu characters, 100 expected as GGUF has it",
                       t->where, t->wordpiece.longest);
    if (t->nbefore != 1 || t->nbehind != 1)
        return err_set(e, ERR_FILE,
                       "%s: GGUF's WordPiece puts one token in front of a text and one "
                       "behind it",
                       t->where);
    gguf_put_str(out, "tokenizer.ggml.model", "bert", 4);
    gguf_put_str(out, "tokenizer.ggml.pre", "default", 7);
    put_id(out, "tokenizer.ggml.unknown_token_id", t->unk);
    put_id(out, "tokenizer.ggml.cls_token_id", t->before[0]);
    put_id(out, "tokenizer.ggml.bos_token_id", t->before[0]);
    put_id(out, "tokenizer.ggml.seperator_token_id", t->behind[0]);
    return put_case(out, t, e);
}

/* 1 if a blank goes in front of a text, 0 if not. */
static int adds_blank(struct tok *t, struct err *e)
{
    struct tok_ids ids = {0};
    int rc = tok_encode(t, "a", 1, TOK_ADD_NONE, &ids, e);

    if (rc >= 0) {
        size_t n = 0;
        const char *s = ids.n ? vocab_text(&t->vocab, ids.id[0], &n) : NULL;

        rc = n >= 3 && memcmp(s, "\xe2\x96\x81", 3) == 0;
    }
    tok_ids_release(&ids);
    return rc;
}

static int put_pieces(struct gguf_meta *out, struct tok *t, size_t V, struct err *e)
{
    const int blank = adds_blank(t, e);

    if (blank < 0)
        return blank;
    gguf_put_str(out, "tokenizer.ggml.model", "llama", 5);
    gguf_put_str(out, "tokenizer.ggml.pre", "default", 7);
    gguf_put_bool(out, "tokenizer.ggml.add_space_prefix", blank);
    put_id(out, "tokenizer.ggml.unknown_token_id", t->unk);
    return put_scores(out, t, V, e);
}

/* The keys, as a file without tensors. */
static int as_file(char **data, size_t *n, const struct gguf_meta *m, struct err *e)
{
    const uint32_t version = 3;
    const uint64_t tensors = 0;

    *n = 24 + m->n;
    if (m->failed || !(*data = malloc(*n)))
        return err_set(e, ERR_NOMEM, "no memory for the tokenizer's metadata");
    memcpy(*data, "GGUF", 4);
    memcpy(*data + 4, &version, 4);
    memcpy(*data + 8, &tensors, 8);
    memcpy(*data + 16, &m->count, 8);
    memcpy(*data + 24, m->data, m->n);
    return 0;
}

/* 1 if both make the same of a text, 0 if not. */
static int same_ids(struct tok *a, struct tok *b, const char *text, struct err *e)
{
    struct tok_ids x = {0}, y = {0};
    const size_t n = strlen(text);
    int rc = tok_encode(a, text, n, TOK_ADD_SPECIAL, &x, e);

    if (rc >= 0 && (rc = tok_encode(b, text, n, TOK_ADD_SPECIAL, &y, e)) >= 0)
        rc = x.n == y.n && memcmp(x.id, y.id, x.n * sizeof *x.id) == 0;
    tok_ids_release(&x);
    tok_ids_release(&y);
    return rc;
}

/* What was put must be read as the same tokenizer: 1; 2 if they differ on a text that
 * begins with a blank, which GGUF's models of pieces give another one always. */
static int check_back(const struct gguf_meta *out, struct tok *t, struct err *e)
{
    struct gguf g = {0};
    struct tok *back = NULL;
    char *data = NULL;
    size_t n;
    int rc = as_file(&data, &n, out, e);

    if (rc >= 0 && (rc = gguf_open_mem(&g, t->where, data, n, e)) >= 0 &&
        (rc = tok_open_gguf(&back, &g, e)) >= 0 &&
        (rc = same_ids(t, back, probe, e)) == 0)
        rc = err_set(e, ERR_FILE,
                     "%s: what it does to a text is nothing that GGUF can say",
                     t->where);
    if (rc > 0 && (rc = same_ids(t, back, " a", e)) >= 0)
        rc = rc ? 1 : 2;
    tok_close(back);
    gguf_close(&g);
    free(data);
    return rc;
}

/* How the model of t is put; NULL: the format has none of that kind. */
typedef int put_model(struct gguf_meta *out, struct tok *t, size_t V, struct err *e);
static put_model *model_of(const struct tok *t)
{
    switch (t->kind) {
    case TOK_BPE: return t->byte_level ? put_byte_level : put_pieces;
    case TOK_UNIGRAM: return put_unigram;
    case TOK_WORDPIECE: return put_wordpiece;
    default: return NULL;
    }
}

static int put_text(struct gguf_meta *out, struct tok *t, const char *dir, size_t V,
                    struct err *e)
{
    put_model *put = model_of(t);
    int rc;

    if (!put)
        return err_set(e, ERR_FILE,
                       "%s: a tokenizer of whole words, which GGUF does not have",
                       t->where);
    if (t->vocab.size > V)
        return err_set(e, ERR_FILE, "%s: %zu tokens, but the model has %zu", t->where,
                       t->vocab.size, V);
    if ((rc = put(out, t, V, e)) < 0 || (rc = put_types(out, t, V, e)) < 0 ||
        (t->kind != TOK_WORDPIECE && (rc = put_around(out, t, e)) < 0))
        return rc;
    put_tokens(out, t, V);
    put_stops(out, t->eos, t->stop, t->nstop);
    if (t->chat)
        gguf_put_str(out, "tokenizer.chat_template", t->chat, strlen(t->chat));
    rc = put_named(out, t, dir, e);
    return rc < 0 ? rc : check_back(out, t, e);
}

int tok_to_gguf(const char *dir, size_t V, struct gguf_meta *out, struct err *e)
{
    struct tok *t;
    int rc = tok_open(&t, dir, e);

    if (rc < 0)
        return rc;
    if (tok_has_text(t))
        rc = put_text(out, t, dir, V, e);
    else
        tok_none_to_gguf(out, t->bos, t->stop, t->nstop);
    tok_close(t);
    return rc;
}
