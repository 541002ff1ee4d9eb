/*
 * What the readers of tokenizer files share: they hand over tokens, merges and added
 * tokens, and the tokenizer is put together here.
 */
#include "tok/private.h"
#include "tok/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tok_set_str(char **to, const char *s, size_t n, struct err *e)
{
    char *p = malloc(n + 1);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for %zu bytes", n);
    memcpy(p, s, n);
    p[n] = '\0';
    free(*to);
    *to = p;
    return 0;
}

static void find_fallback(struct tok *t)
{
    for (unsigned b = 0; b < 256; b++) {
        char name[8];

        snprintf(name, sizeof name, "<0x%02X>", b);
        t->bpe.byte_id[b] = vocab_find(&t->vocab, name, 6);
    }
}

int tok_start_bpe(struct tok *t, enum bpe_unit unit, size_t merges, struct err *e)
{
    int rc = bpe_init(&t->bpe, merges, e);

    if (rc < 0)
        return rc;
    t->bpe.unk = t->unk;
    t->bpe.vocab_size = (int32_t)t->vocab.size;
    if (unit == BPE_CHARS) {
        t->bpe.vocab = &t->vocab;
        find_fallback(t);
        return 0;
    }
    for (unsigned c = 0; c < 256; c++) {
        char s[4];
        const int32_t id =
            vocab_find(&t->vocab, s, utf8_put(s, alphabet_char((unsigned char)c)));

        t->bpe.byte_id[c] = id >= 0 ? id : t->unk;
    }
    return 0;
}

int tok_add_merge(struct tok *t, const char *left, size_t nleft, const char *right,
                  size_t nright, size_t rank, struct err *e)
{
    const int32_t l = vocab_find(&t->vocab, left, nleft);
    const int32_t r = vocab_find(&t->vocab, right, nright);
    int32_t id = -1;
    char both[2 * 256], *p = both;

    if (nleft + nright > sizeof both && !(p = malloc(nleft + nright)))
        return err_set(e, ERR_NOMEM, "no memory for a merge");
    memcpy(p, left, nleft);
    memcpy(p + nleft, right, nright);
    id = vocab_find_near(&t->vocab, p, nleft + nright, t->bpe.newest + 1);
    if (p != both)
        free(p);
    if (l < 0 || r < 0 || id < 0)
        return err_set(e, ERR_FILE,
                       "%s: merge %zu, '%.*s' with '%.*s': %s is not in the vocabulary",
                       t->where, rank, (int)(nleft < 60 ? nleft : 60), left,
                       (int)(nright < 60 ? nright : 60), right,
                       l < 0   ? "the first"
                       : r < 0 ? "the second"
                               : "what they make");
    bpe_add(&t->bpe, l, r, id, (uint32_t)rank);
    return 0;
}

int tok_add_merge_line(struct tok *t, const char *line, size_t n, size_t rank,
                       struct err *e)
{
    const char *blank = memchr(line, ' ', n);

    if (!blank || memchr(blank + 1, ' ', (size_t)(line + n - blank - 1)))
        return err_set(e, ERR_FILE,
                       "%s: merge %zu is not two tokens and a blank: '%.*s'", t->where,
                       rank, (int)(n < 60 ? n : 60), line);
    return tok_add_merge(t, line, (size_t)(blank - line), blank + 1,
                         (size_t)(line + n - blank - 1), rank, e);
}

int tok_add_added(struct tok *t, const char *text, size_t n, struct added a,
                  struct err *e)
{
    if (n == 0)
        return 0;
    const int rc = vocab_add(&t->vocab, (size_t)a.id, text, n, t->where, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < t->nadded; i++)
        if (t->nadded < 4096 && t->added[i].id == a.id) { /* given again */
            t->added[i] = a;
            return 0;
        }
    if (t->nadded == t->added_cap) {
        const size_t cap = t->added_cap ? 2 * t->added_cap : 64;
        struct added *p = realloc(t->added, cap * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for %zu added tokens", cap);
        t->added = p;
        t->added_cap = cap;
    }
    t->added[t->nadded++] = a;
    return 0;
}

int tok_add_stop(struct tok *t, int32_t id, struct err *e)
{
    if (id < 0)
        return 0;
    for (size_t i = 0; i < t->nstop; i++)
        if (t->stop[i] == id)
            return 0;
    int32_t *p = realloc(t->stop, (t->nstop + 1) * sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for the stop tokens");
    t->stop = p;
    t->stop[t->nstop++] = id;
    return 0;
}

/* ---- chains by name ---------------------------------------------------------------------
 * "default" is what llama.cpp does without the key. */

const char tok_step_names[] = "gpt-2, llama-bpe, smollm, qwen2, default";

static const struct chain chains[] = {
    {"gpt-2", {pretok_gpt2}, NULL, 0, 0},
    {"gpt2", {pretok_gpt2}, NULL, 0, 0},
    {"smollm", {"\\p{N}", pretok_gpt2}, NULL, 0, 0},
    {"llama-bpe", {pretok_llama3}, NULL, 1, 1},
    {"llama3", {pretok_llama3}, NULL, 1, 1},
    {"llama-v3", {pretok_llama3}, NULL, 1, 1},
    {"qwen2", {pretok_qwen2}, "NFC", 0, 0},
    {"deepseek-r1-qwen", {pretok_qwen2}, "NFC", 0, 0},
    {"default",
     {"[\\p{P}\\$\\+<=>\\^~\\|]+",
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
      "\\p{N}+", "[0-9][0-9][0-9]"},
     NULL,
     0,
     0},
};

const struct chain *tok_chain(const char *name)
{
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        if (strcmp(chains[i].name, name) == 0)
            return &chains[i];
    return NULL;
}

const struct chain *tok_chain_at(size_t i)
{
    return i < sizeof chains / sizeof *chains ? &chains[i] : NULL;
}

int tok_make(struct tok *t, json_t *normalizer, json_t *pre_tokenizer, json_t *decoder,
             struct err *e)
{
    json_t *made = json_pack("{s:o, s:o, s:o}", "normalizer", normalizer,
                             "pre_tokenizer", pre_tokenizer, "decoder", decoder);
    int rc;

    if (!made)
        return err_set(e, ERR_NOMEM, "%s: no memory for the tokenizer", t->where);
    json_decref(t->made);
    t->made = made;
    if ((rc = normal_add(t->normalizer, json_object_get(made, "normalizer"), t->where,
                         e)) < 0 ||
        (rc = tok_read_steps(t, json_object_get(made, "pre_tokenizer"), e)) < 0)
        return rc;
    return decoding_read(&t->decoding, json_object_get(made, "decoder"), t->where, e);
}

int tok_put_around(struct tok *t, int32_t before, int32_t behind, struct err *e)
{
    int32_t *b = calloc(1, sizeof *b), *a = calloc(1, sizeof *a);

    if (!b || !a) {
        free(b);
        free(a);
        return err_set(e, ERR_NOMEM, "no memory");
    }
    free(t->before);
    free(t->behind);
    t->before = b;
    t->behind = a;
    b[0] = before;
    a[0] = behind;
    t->nbefore = before >= 0;
    t->nbehind = behind >= 0;
    return 0;
}

static json_t *byte_level(void)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                     "trim_offsets", 1, "use_regex", 0);
}

static json_t *chain_steps(const struct chain *c)
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

int tok_take_chain(struct tok *t, const struct chain *c, struct err *e)
{
    t->ignore_merges = c->ignore_merges;
    t->add_bos = c->bos;
    return tok_make(
        t, c->normalizer ? json_pack("{s:s}", "type", c->normalizer) : json_null(),
        chain_steps(c), byte_level(), e);
}

/* ---- the end ----------------------------------------------------------------------------*/

/* The text by which an added token is found: its content, normalised if it says so. */
int tok_content(struct tok *t, const struct added *a, struct passage *out,
                struct err *e)
{
    struct passage given = {0};
    size_t n;

    given.text = (char *)(uintptr_t)vocab_text(&t->vocab, a->id, &n);
    given.n = n;
    const int rc = passage_copy(out, &given, 0, n, e);

    return rc < 0 || !a->normalized ? rc : normal_run(t->normalizer, out, e);
}

int tok_show(struct tok *t, int32_t id, enum token_place place, struct token_text *out,
             struct err *e)
{
    size_t n;
    const char *text = vocab_text(&t->vocab, id, &n);

    /* the alphabet spells what the model reads; added tokens are as they are */
    if (t->decoding.lossy && t->flags[id] & ID_ADDED)
        return decoding_plain(text, n, out, e);
    return decoding_token(&t->decoding, text, n, place, out, e);
}

static int fill_bytes(struct tok *t, struct err *e)
{
    struct token_text shown = {0};
    int rc = 0;

    for (size_t id = 0; id < t->vocab.size && rc >= 0; id++) {
        size_t n;

        if (!vocab_text(&t->vocab, (int32_t)id, &n))
            continue;
        rc = tok_show(t, (int32_t)id, TOKEN_INSIDE, &shown, e);
        if (rc > 0)
            t->flags[id] |= ID_BYTE;
        if (rc >= 0)
            rc = vocab_add_text(&t->bytes, id, shown.n ? shown.s : "", shown.n,
                                t->where, e);
    }
    free(shown.s);
    return rc < 0 ? rc : 0;
}

/* Does no merge join something with a mark behind it?  Then a text falls into words that
 * can be merged one by one. */
static int marks_begin_words(const struct tok *t, const char *mark)
{
    const size_t k = strlen(mark);

    for (size_t i = 0; i < t->bpe.merges; i++) {
        size_t n;
        const char *s = vocab_text(&t->vocab, t->bpe.merge[i].id, &n), *hit = s;

        while (hit && (hit = memmem(hit, n - (size_t)(hit - s), mark, k))) {
            if (hit > s && (hit < s + k || memcmp(hit - k, mark, k) != 0))
                return 0;
            hit += k;
        }
    }
    return 1;
}

/*
 * SentencePiece's BPE takes a text as one word, which is slow: the heap is as long as the
 * text, and no word comes twice.  Where it makes no difference to the ids, words are cut
 * at the marks.
 */
static int cut_words(struct tok *t, struct err *e)
{
    static const char mark[] = "\xe2\x96\x81";
    const int32_t id = vocab_find(&t->vocab, mark, strlen(mark));

    if (t->kind != TOK_BPE || t->byte_level || t->ignore_merges || id < 0 ||
        (size_t)id >= t->model_size || !marks_begin_words(t, mark))
        return 0;
    return pretok_add_cut(t->pretok, mark, e);
}

int tok_finish(struct tok *t, struct err *e)
{
    int rc;

    if (t->kind == TOK_NONE)
        return 0;
    t->flags = calloc(t->vocab.size + 1, 1);
    if (!t->flags)
        return err_set(e, ERR_NOMEM, "no memory for %zu tokens", t->vocab.size);
    for (size_t i = 0; i < t->nadded; i++)
        t->flags[t->added[i].id] =
            (unsigned char)(ID_ADDED | (t->added[i].special ? ID_SPECIAL : 0));
    if ((rc = cut_words(t, e)) < 0 || (rc = fill_bytes(t, e)) < 0 ||
        (rc = added_set_build(&t->raw, t, 0, e)) < 0 ||
        (rc = added_set_build(&t->normal, t, 1, e)) < 0)
        return rc;
    return cache_init(&t->cache, e);
}
