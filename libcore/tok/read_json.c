/*
 * tokenizer.json of the tokenizers library.  Every part that changes ids is either
 * understood or refused by name.
 */
#include "base/json.h"
#include "tok/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- model ------------------------------------------------------------------------------*/

static int read_vocab(struct tok *t, const json_t *vocab, struct err *e)
{
    const char *text;
    json_t *v;

    if (!json_is_object(vocab))
        return err_set(e, ERR_FILE, "%s: 'vocab' is not an object", t->where);
    vocab_reserve(&t->vocab, json_object_size(vocab));
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
                                       "end_of_word_suffix"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_string_length(json_object_get(model, keys[i])) > 0)
            return err_set(e, ERR_FILE, "%s: BPE with '%s' is not read", t->where,
                           keys[i]);
    return 0;
}

static int read_unk(struct tok *t, const json_t *model, struct err *e)
{
    const char *unk = NULL;
    const int rc = json_opt_str(&unk, model, "unk_token", t->where, e);

    if (rc < 0 || !unk)
        return rc;
    t->unk = vocab_find(&t->vocab, unk, strlen(unk));
    if (t->unk < 0 && t->kind != TOK_BPE)
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
    if ((rc = read_vocab(t, json_object_get(model, "vocab"), e)) < 0 ||
        (rc = refuse_set(t, model, e)) < 0 || (rc = read_unk(t, model, e)) < 0 ||
        (rc = json_opt_bool(&t->ignore_merges, model, "ignore_merges", t->where, e)) <
            0 ||
        (rc = tok_start_bpe(t, t->byte_level ? BPE_BYTES : BPE_CHARS,
                            json_array_size(merges), e)) < 0 ||
        (rc = json_opt_bool(&t->bpe.byte_fallback, model, "byte_fallback", t->where,
                            e)) < 0 ||
        (rc = json_opt_bool(&t->bpe.fuse_unk, model, "fuse_unk", t->where, e)) < 0)
        return rc;
    if (t->byte_level && t->bpe.byte_fallback)
        return err_set(e, ERR_FILE, "%s: 'byte_fallback' with 'ByteLevel' is not read",
                       t->where);
    json_array_foreach(merges, i, m) if ((rc = read_merge(t, m, i, e)) < 0) return rc;
    return 0;
}

static int read_words(struct tok *t, const json_t *model, struct err *e)
{
    const int rc = read_vocab(t, json_object_get(model, "vocab"), e);

    t->kind = TOK_WORDS;
    return rc < 0 ? rc : read_unk(t, model, e);
}

/*
 * A score as the tokenizers library reads it.  Its JSON parser (serde_json) takes the
 * digits as an integer, rounds that to a double, and divides by the power of ten, which
 * rounds again: with 16 or 17 digits the last bit can differ from the nearest double.
 * Ways to cut a word that only change the order of its pieces are decided by that bit.
 */
static double as_read(double score)
{
    const double size = fabs(score);

    if (!(size > 1e-5 && size < 1e15))
        return score;
    const int point = (int)floor(log10(size)); /* the first digit stands for 10^point */
    for (int digits = 15; digits <= 17; digits++) {
        const long double to = powl(10, digits - 1 - point), n = rintl(size * to);

        if (digits == 17 || (double)(n / to) == size) /* what the file says, or did */
            return digits == 15 ? score : copysign((double)n / (double)to, score);
    }
    return score;
}

/* "vocab" is a list of [piece, score]. */
static int read_unigram(struct tok *t, const json_t *model, struct err *e)
{
    const json_t *vocab = json_object_get(model, "vocab"), *v;
    size_t i, unk = SIZE_MAX;
    int rc;

    t->kind = TOK_UNIGRAM;
    if (!json_is_array(vocab))
        return err_set(e, ERR_FILE, "%s: 'vocab' is not an array", t->where);
    json_array_foreach(vocab, i, v)
    {
        const json_t *piece = json_array_get(v, 0), *score = json_array_get(v, 1);

        if (!json_is_string(piece) || !json_is_number(score))
            return err_set(e, ERR_FILE, "%s: 'vocab': number %zu is not [piece, score]",
                           t->where, i);
        if ((rc = vocab_add(&t->vocab, i, json_string_value(piece),
                            json_string_length(piece), t->where, e)) < 0 ||
            (rc = unigram_score(&t->unigram, i, as_read(json_number_value(score)),
                                t->where, e)) < 0)
            return rc;
    }
    if ((rc = json_opt_size(&unk, model, "unk_id", 0, i ? i - 1 : 0, t->where, e)) <
            0 ||
        (rc = json_opt_bool(&t->unigram.bytes, model, "byte_fallback", t->where, e)) <
            0)
        return rc;
    t->unk = t->unigram.unk = unk < i ? (int32_t)unk : -1;
    return unigram_build(&t->unigram, &t->vocab, t->where, e);
}

static int read_wordpiece(struct tok *t, const json_t *model, struct err *e)
{
    const char *prefix = "##";
    size_t longest = 100;
    int rc;

    t->kind = TOK_WORDPIECE;
    if ((rc = read_vocab(t, json_object_get(model, "vocab"), e)) < 0 ||
        (rc = read_unk(t, model, e)) < 0 ||
        (rc = json_opt_str(&prefix, model, "continuing_subword_prefix", t->where, e)) <
            0 ||
        (rc = json_opt_size(&longest, model, "max_input_chars_per_word", 0, 1 << 20,
                            t->where, e)) < 0)
        return rc;
    if (t->unk < 0)
        return err_set(e, ERR_FILE, "%s: WordPiece without 'unk_token'", t->where);
    return wordpiece_build(&t->wordpiece, &t->vocab, prefix, t->unk, longest, e);
}

static const struct {
    const char *type;
    int (*read)(struct tok *t, const json_t *model, struct err *e);
} models[] = {
    {"BPE", read_bpe},
    {"Unigram", read_unigram},
    {"WordPiece", read_wordpiece},
    {"WordLevel", read_words},
};

/* Files of early versions do not say what they are. */
static const char *guess(const json_t *model)
{
    if (json_object_get(model, "merges"))
        return "BPE";
    if (json_is_array(json_object_get(model, "vocab")))
        return "Unigram";
    return json_object_get(model, "continuing_subword_prefix") ? "WordPiece" : "";
}

static int read_model(struct tok *t, const json_t *model, struct err *e)
{
    const char *type = tok_json_type(model);

    if (!json_is_object(model))
        return err_set(e, ERR_FILE, "%s: no 'model', an object expected", t->where);
    if (!*type)
        type = guess(model);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(type, models[i].type) == 0) {
            const int rc = models[i].read(t, model, e);

            t->model_size = t->vocab.size;
            return rc;
        }
    return tok_json_unknown(t, "model", type, "BPE, Unigram, WordPiece, WordLevel", e);
}

/* ---- added tokens, decoder --------------------------------------------------------------*/

/* A text that the model has keeps the model's id, whatever this list says. */
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
        const size_t n = json_string_length(json_object_get(v, "content"));
        const int32_t known = vocab_find(&t->vocab, text, n);
        a.id = known >= 0 ? known : (int32_t)id;
        rc = tok_add_added(t, text, n, a, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_parts(struct tok *t, const json_t *file, struct err *e)
{
    int rc;

    if (!json_is_object(file))
        return err_set(e, ERR_FILE, "%s: not a tokenizer.json", t->where);
    if ((rc = normal_add(t->normalizer, json_object_get(file, "normalizer"), t->where,
                         e)) < 0 ||
        (rc = tok_read_steps(t, json_object_get(file, "pre_tokenizer"), e)) < 0 ||
        (rc = read_model(t, json_object_get(file, "model"), e)) < 0 ||
        (rc = decoding_read(&t->decoding, json_object_get(file, "decoder"), t->where,
                            e)) < 0)
        return rc;
    if (t->byte_level && t->kind != TOK_BPE)
        return err_set(e, ERR_FILE, "%s: 'ByteLevel' is read with BPE only", t->where);
    if ((rc = read_added(t, json_object_get(file, "added_tokens"), e)) < 0)
        return rc;
    return tok_read_post(t, json_object_get(file, "post_processor"), e);
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
