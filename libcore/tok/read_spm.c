/*
 * tokenizer.model: a SentencePiece model, a protocol buffer.  How Hugging Face takes it
 * depends on the class that tokenizer_config.json names.
 */
#include "base/file.h"
#include "base/json.h"
#include "tok/private.h"
#include "tok/proto.h"
#include "tok/spm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL_MAX = 256 << 20 };

/* Field numbers of sentencepiece_model.proto. */
enum {
    MODEL_PIECE = 1,
    MODEL_TRAINER = 2,
    MODEL_NORMALIZER = 3,
    PIECE_TEXT = 1,
    PIECE_SCORE = 2,
    PIECE_TYPE = 3,
    TRAINER_MODEL = 3,
    TRAINER_BYTES = 35,
    TRAINER_UNK = 40,
    TRAINER_BOS = 41,
    TRAINER_EOS = 42,
    NORMALIZER_CHARSMAP = 2,
    NORMALIZER_PREFIX = 3,
    NORMALIZER_STRIP = 4,
    NORMALIZER_ESCAPE = 5,
};

static int broken(const struct tok *t, const char *what, struct err *e)
{
    return err_set(e, ERR_FILE, "%s: no SentencePiece model: %s is broken", t->where,
                   what);
}

static int read_piece(struct spm *s, struct tok *t, struct proto m, struct err *e)
{
    struct proto_field f;
    struct proto text = {0};
    float score = 0;
    uint64_t type = SPM_NORMAL;
    int rc;

    while ((rc = proto_next(&m, &f)) > 0) {
        if (f.number == PIECE_TEXT && f.type == PROTO_BYTES)
            text = f.bytes;
        else if (f.number == PIECE_SCORE && f.type == PROTO_32)
            score = proto_float(&f);
        else if (f.number == PIECE_TYPE && f.type == PROTO_VARINT)
            type = f.value;
    }
    if (rc < 0)
        return broken(t, "a piece", e);
    if (type < SPM_NORMAL || type > SPM_BYTE)
        return err_set(e, ERR_FILE, "%s: piece %zu is of the unknown type %llu",
                       t->where, s->n, (unsigned long long)type);
    return spm_add(s, t, text.p, text.n, score, (int)type, e);
}

static int32_t id_of(uint64_t v)
{
    return v <= VOCAB_MAX_ID ? (int32_t)v : -1; /* -1 is written as 2^64 - 1 */
}

static int read_trainer(struct spm *s, struct tok *t, struct proto m, struct err *e)
{
    struct proto_field f;
    int rc;

    while ((rc = proto_next(&m, &f)) > 0) {
        if (f.type != PROTO_VARINT)
            continue;
        switch (f.number) {
        case TRAINER_MODEL: s->model = f.value; break;
        case TRAINER_BYTES: s->bytes = f.value != 0; break;
        case TRAINER_UNK: s->unk = id_of(f.value); break;
        case TRAINER_BOS: s->bos = id_of(f.value); break;
        case TRAINER_EOS: s->eos = id_of(f.value); break;
        }
    }
    return rc < 0 ? broken(t, "'trainer_spec'", e) : 0;
}

static int read_normalizer(struct spm *s, struct tok *t, struct proto m, struct err *e)
{
    struct proto_field f;
    int rc;

    while ((rc = proto_next(&m, &f)) > 0) {
        if (f.number == NORMALIZER_CHARSMAP && f.type == PROTO_BYTES) {
            s->charsmap = f.bytes.p;
            s->ncharsmap = f.bytes.n;
        }
        if (f.type != PROTO_VARINT)
            continue;
        switch (f.number) {
        case NORMALIZER_PREFIX: s->dummy_prefix = f.value != 0; break;
        case NORMALIZER_STRIP: s->strip = f.value != 0; break;
        case NORMALIZER_ESCAPE: s->escape = f.value != 0; break;
        }
    }
    return rc < 0 ? broken(t, "'normalizer_spec'", e) : 0;
}

static int read_model(struct spm *s, struct tok *t, struct proto m, struct err *e)
{
    struct proto_field f;
    int rc;

    s->unk = 0; /* the defaults of the format */
    s->bos = 1;
    s->eos = 2;
    while ((rc = proto_next(&m, &f)) > 0) {
        if (f.type != PROTO_BYTES)
            continue;
        if (f.number == MODEL_PIECE)
            rc = read_piece(s, t, f.bytes, e);
        else if (f.number == MODEL_TRAINER)
            rc = read_trainer(s, t, f.bytes, e);
        else if (f.number == MODEL_NORMALIZER)
            rc = read_normalizer(s, t, f.bytes, e);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return broken(t, "the file", e);
    if (s->model != SPM_UNIGRAM && s->model != SPM_BPE)
        return err_set(e, ERR_FILE,
                       "%s: 'model_type' is %llu; supported: 1 (unigram), 2 (bpe)",
                       t->where, (unsigned long long)s->model);
    if (s->unk >= 0 && (size_t)s->unk >= s->n)
        return err_set(e, ERR_FILE, "%s: 'unk_id' is %d of %zu pieces", t->where,
                       s->unk, s->n);
    return 0;
}

/* ---- the class ------------------------------------------------------------------------*/

static const struct manner {
    const char *class; /* without "Fast" */
    enum spm_manner manner;
    int bos, eos; /* put around a text, unless the file says otherwise */
} manners[] = {
    {"LlamaTokenizer", SPM_LLAMA_LEGACY, 1, 0},
    {"CodeLlamaTokenizer", SPM_LLAMA_LEGACY, 1, 0},
    {"GemmaTokenizer", SPM_GEMMA, 1, 0},
    {"T5Tokenizer", SPM_T5, 0, 1},
    {"MT5Tokenizer", SPM_T5, 0, 1},
    {"", SPM_AS_IT_SAYS, 0, 0},
};

static const struct manner *manner_of(const json_t *config)
{
    const char *name = json_string_value(json_object_get(config, "tokenizer_class"));
    const struct manner *m = manners;
    size_t n = name ? strlen(name) : 0;

    if (n > 4 && strcmp(name + n - 4, "Fast") == 0)
        n -= 4;
    while (*m->class && (strlen(m->class) != n || memcmp(m->class, name, n) != 0))
        m++;
    return m;
}

/* T5's sentinels, <extra_id_99> to <extra_id_0>, behind the pieces. */
static int add_sentinels(struct tok *t, const json_t *config, struct err *e)
{
    size_t n = 100;
    int rc = json_opt_size(&n, config, "extra_ids", 0, 100000, t->where, e);
    const size_t base = t->vocab.size;

    if (json_object_get(config, "added_tokens_decoder"))
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        char name[32];
        const int len = snprintf(name, sizeof name, "<extra_id_%zu>", n - 1 - i);

        rc = tok_add_added(t, name, (size_t)len,
                           (struct added){.id = (int32_t)(base + i), .special = 1}, e);
    }
    return rc;
}

/* added_tokens.json: {"<|im_end|>": 32000}. */
static int add_beside(struct tok *t, const char *dir, struct err *e)
{
    char *path = file_join(dir, "added_tokens.json");
    json_t *file = NULL, *v;
    const char *text;
    int rc = path ? 0 : err_set(e, ERR_NOMEM, "no memory");

    if (rc == 0 && file_exists(path))
        rc = json_read_file(&file, path, e);
    json_object_foreach(file, text, v)
    {
        const json_int_t id = json_integer_value(v);

        if (!json_is_integer(v) || id < 0 || id > VOCAB_MAX_ID)
            rc = err_set(e, ERR_FILE, "%s: the id of '%.60s' is no id", path, text);
        else
            rc = tok_add_added(t, text, strlen(text), (struct added){.id = (int32_t)id},
                               e);
        if (rc < 0)
            break;
    }
    json_decref(file);
    free(path);
    return rc;
}

/* The token of this name in the file, or else this one. */
static int32_t named(const struct tok *t, const json_t *config, const char *key,
                     int32_t id)
{
    const json_t *v = json_object_get(config, key);
    const char *text = json_string_value(v);

    if (!text)
        text = json_string_value(json_object_get(v, "content"));
    return text ? tok_find(t, text) : id;
}

static int put_around(const struct spm *s, struct tok *t, const struct manner *m,
                      const json_t *config, struct err *e)
{
    int bos = m->bos, eos = m->eos, rc;

    if ((rc = json_opt_bool(&bos, config, "add_bos_token", t->where, e)) < 0 ||
        (rc = json_opt_bool(&eos, config, "add_eos_token", t->where, e)) < 0)
        return rc;
    t->bos = s->bos >= 0 && (size_t)s->bos < s->n ? s->bos : -1;
    t->eos = s->eos >= 0 && (size_t)s->eos < s->n ? s->eos : -1;
    return tok_put_around(t, bos ? named(t, config, "bos_token", t->bos) : -1,
                          eos ? named(t, config, "eos_token", t->eos) : -1, e);
}

static int build(const struct spm *s, struct tok *t, const json_t *config,
                 const char *dir, struct err *e)
{
    const struct manner *m = manner_of(config);
    const json_t *legacy = json_object_get(config, "legacy");
    const enum spm_manner manner =
        m->manner == SPM_LLAMA_LEGACY && json_is_false(legacy) ? SPM_LLAMA : m->manner;
    int rc = spm_build(s, t, manner, e);

    if (rc == 0 && manner == SPM_T5)
        rc = add_sentinels(t, config, e);
    if (rc == 0 && dir)
        rc = add_beside(t, dir, e);
    if (rc == 0)
        rc = tok_read_added(t, json_object_get(config, "added_tokens_decoder"), e);
    return rc < 0 ? rc : put_around(s, t, m, config, e);
}

static int read_beside(json_t **config, const char *dir, struct err *e)
{
    char *path = dir ? file_join(dir, "tokenizer_config.json") : NULL;
    int rc = 0;

    if (dir && !path)
        return err_set(e, ERR_NOMEM, "no memory");
    if (path && file_exists(path))
        rc = json_read_file(config, path, e);
    free(path);
    return rc;
}

int tok_read_spm(struct tok *t, const char *path, const char *dir, struct err *e)
{
    struct spm s;
    json_t *config = NULL;
    char *data = NULL;
    size_t n = 0;
    int rc = file_read(&data, &n, path, MODEL_MAX, e);

    spm_init(&s);
    if (rc == 0)
        rc = read_model(&s, t, (struct proto){data, n}, e);
    if (rc == 0 && (rc = read_beside(&config, dir, e)) == 0)
        rc = build(&s, t, config, dir, e);
    json_decref(config);
    spm_release(&s);
    free(data);
    return rc;
}
