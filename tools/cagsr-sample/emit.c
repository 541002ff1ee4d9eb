#include "emit.h"

#include "base/hash.h"
#include "rec/sample.h"

#include <string.h>

void emitter_release(struct emitter *em)
{
    tok_decoder_release(&em->decoder);
    rec_release(&em->rec);
    *em = (struct emitter){0};
}

size_t stops_find(const struct stops *s, const char *text, size_t from, size_t n)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < s->n && from < n; i++) {
        const char *at = memmem(text + from, n - from, s->text[i], strlen(s->text[i]));

        if (at && (size_t)(at - text) < best)
            best = (size_t)(at - text);
    }
    return best;
}

/* The response's text and where its tokens end.  The end token and a stop string are
 * among the tokens, not in the text: what lies in them ends where the text does. */
static int decode(struct emitter *em, const struct generate_completion *c, size_t *n,
                  struct err *e)
{
    struct tok_decoder *d = &em->decoder;
    int rc = 0;

    if (!d->tok)
        tok_decoder_init(d, em->tok, TOK_SKIP_SPECIAL);
    tok_decoder_reset(d);
    for (size_t t = 0; t < c->T && rc == 0; t++)
        rc = tok_decoder_push(d, c->ids[t], e);
    if (rc == 0)
        rc = tok_decoder_finish(d, e);
    if (rc < 0)
        return rc;
    *n = d->n;
    if (c->finish == GENERATE_STOP) {
        const size_t at = stops_find(&em->stops, d->text, 0, d->n);
        *n = at < d->n ? at : d->n;
    }
    for (size_t t = 0; t < c->T; t++)
        if (d->end[t] > *n)
            d->end[t] = (uint32_t)*n;
    return 0;
}

static void put_attn(struct emitter *em, const struct model *m,
                     const struct generate_completion *c)
{
    const struct capture_spec *s = em->capture;
    char layers[CAPTURE_TEXT], heads[CAPTURE_TEXT], hash[HASH_HEX];

    capture_layers_text(layers, s);
    capture_heads_text(heads, s, m);
    hash_hex(hash, m->hash);
    const char *kind = capture_kind_text(s), *reduce = capture_reduce_text(s);
    const struct sample_attn a = {
        .kind = {kind, strlen(kind)},
        .layers = {layers, strlen(layers)},
        .heads = {heads, strlen(heads)},
        .reduce = {reduce, strlen(reduce)},
        .model = {hash, strlen(hash)},
        .T = c->T,
        .P = c->P,
        .rows = c->rows,
        .outside = c->outside,
    };
    sample_set_attn(&em->rec, &a);
}

/* Fields that this program writes, or that belong to another response. */
static int is_ours(struct rec_str key)
{
    static const char *const ours[] = {
        "kind",        "id",   "cand", "n",           "prompt", "text",   "prompt_ids",
        "prompt_ends", "ids",  "ends", "prompt_mask", "logp",   "ref",    "temperature",
        "finish",      "seed", "attn", "policy",      "reward", "rewards"};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (rec_str_is(key, ours[i]))
            return 1;
    return 0;
}

/* All else of the prompt's record follows, in its order. */
static int pass_on(struct rec *r, const struct rec *from)
{
    struct rec_iter it;
    struct rec_value key, value;
    struct rec_str name;
    char buf[256];

    if (!from->raw)
        return 0;
    for (rec_iter_start(&it, (struct rec_value){from->raw, from->size});
         rec_iter_next(&it, &key, &value);) {
        if (rec_value_str(&name, key) < 0 || is_ours(name))
            continue;
        if (name.n >= sizeof buf || memchr(name.s, '\0', name.n))
            return -1;
        memcpy(buf, name.s, name.n);
        buf[name.n] = '\0';
        rec_set_value(r, buf, value);
    }
    return 0;
}

int emit_sample(struct emitter *em, const struct prompt *p, const struct model *m,
                const struct generate_completion *c, struct err *e)
{
    static const char *const finish[] = {"eos", "stop", "length"};
    struct rec *r = &em->rec;
    size_t n = 0;
    int rc = decode(em, c, &n, e);

    if (rc < 0)
        return rc;
    rec_clear(r);
    r->source = p->rec.source;
    r->number = p->rec.number;
    r->header = p->rec.header;
    rec_set_str(r, "kind", "sample");
    rec_set_str(r, "id", p->id);
    rec_set_uint(r, "cand", c->cand);
    rec_set_uint(r, "n", c->n);
    rec_set_text(r, "prompt", p->text, p->ntext);
    rec_set_text(r, "text", em->decoder.text, n);
    rec_set_i32s(r, "prompt_ids", p->ids, p->P);
    rec_set_u32s(r, "prompt_ends", p->ends, p->P);
    rec_set_bin(r, "prompt_mask", p->mask, p->P);
    rec_set_i32s(r, "ids", c->ids, c->T);
    rec_set_u32s(r, "ends", em->decoder.end, c->T);
    if (c->logp)
        rec_set_f32s(r, "logp", c->logp, c->T);
    rec_set_f64(r, "temperature", em->temperature);
    rec_set_str(r, "finish", finish[c->finish]);
    if (m) {
        rec_set_hash(r, "seed", em->seed);
        rec_set_hash(r, "policy", m->hash);
    }
    if (em->capture)
        put_attn(em, m, c);
    if (pass_on(r, &p->rec) < 0)
        return rec_fault(&p->rec, ERR_RECORD, e, NULL,
                         "a field's name is over 255 bytes, or has a NUL");
    if (p->reference.s && !rec_find(r, "reference").at)
        rec_set_text(r, "reference", p->reference.s, p->reference.n);
    return rec_writer_put(em->out, r, e);
}
