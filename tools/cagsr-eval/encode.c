/*
 * Every text of the corpus as a vector, once, whoever's it is.
 */
#include "eval.h"

#include "base/hash.h"
#include "base/reserve.h"
#include "model/sentence.h"
#include "tok/tok.h"

#include <stdlib.h>
#include <string.h>

enum { PORTION = 256 }; /* texts that are encoded at once */

struct encoder {
    struct sentence *s;
    struct tok *tok;
    float *vector; /* (texts, C) */
    size_t C;
    struct tok_ids ids;
    int32_t *pool; /* ids of a portion */
    size_t pool_n, pool_cap;
    size_t end[PORTION];
};

static double cosine(const void *space, size_t a, size_t b)
{
    const struct encoder *x = space;

    return sentence_cosine(x->vector + a * x->C, x->vector + b * x->C, x->C);
}

static int add_text(struct encoder *x, const struct corpus *c, size_t text, size_t k,
                    struct err *e)
{
    size_t n;
    const char *t = corpus_text(c, text, &n);
    int rc = tok_encode(x->tok, t, n, TOK_ADD_SPECIAL, &x->ids, e);

    if (rc < 0 || (rc = reserve(&x->pool, &x->pool_cap, x->pool_n + x->ids.n + 1,
                                sizeof *x->pool, e)) < 0)
        return rc;
    memcpy(x->pool + x->pool_n, x->ids.id, x->ids.n * sizeof *x->pool);
    x->end[k] = x->pool_n += x->ids.n;
    return 0;
}

static int encode_portion(struct encoder *x, const struct corpus *c, size_t from,
                          size_t n, struct err *e)
{
    struct sentence_text text[PORTION];
    int rc = 0;

    x->pool_n = 0;
    for (size_t k = 0; k < n && rc >= 0; k++)
        rc = add_text(x, c, from + k, k, e);
    for (size_t k = 0, at = 0; k < n && rc >= 0; at = x->end[k++])
        text[k] = (struct sentence_text){x->pool + at, x->end[k] - at};
    return rc < 0 ? rc : sentence_embed(x->s, text, n, x->vector + from * x->C, e);
}

static int encode_all(struct encoder *x, const struct corpus *c, struct err *e)
{
    const size_t texts = c->texts.n;
    int rc = 0;

    x->C = sentence_width(x->s);
    x->vector = calloc(texts * x->C + 1, sizeof *x->vector);
    if (!x->vector)
        return err_set(e, ERR_NOMEM, "no memory for %zu vectors", texts);
    for (size_t i = 0; i < texts && rc >= 0; i += PORTION)
        rc = encode_portion(x, c, i, texts - i < PORTION ? texts - i : PORTION, e);
    return rc;
}

int relate_encoder(struct corpus *c, const char *dir, struct kern *kern, char *hash,
                   struct err *e)
{
    struct encoder x = {0};
    int rc;

    if ((rc = sentence_open(&x.s, dir, kern, e)) >= 0 &&
        (rc = tok_open(&x.tok, sentence_tokenizer(x.s), e)) >= 0 &&
        (rc = encode_all(&x, c, e)) >= 0) {
        relate_texts(c, M_RELEVANCE, cosine, &x);
        relate_among(c, cosine, &x);
        hash_hex(hash, sentence_hash(x.s));
    }
    free(x.vector);
    free(x.pool);
    tok_ids_release(&x.ids);
    tok_close(x.tok);
    sentence_close(x.s);
    return rc;
}
