#include "rec/sample.h"

#include "rec/buf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BUFS = sizeof((struct sample){0}.buf) / sizeof(struct rec_buf) };

enum which {
    BUF_PROMPT_IDS,
    BUF_IDS,
    BUF_PROMPT_ENDS,
    BUF_ENDS,
    BUF_LOGP,
    BUF_REF,
    BUF_ROWS,
    BUF_OUTSIDE,
};
_Static_assert((size_t)BUF_OUTSIDE < (size_t)BUFS, "a buffer for each array");

void sample_release(struct sample *s)
{
    for (size_t i = 0; i < BUFS; i++)
        rec_buf_release(&s->buf[i]);
    *s = (struct sample){0};
}

static void renew(struct sample *s)
{
    struct rec_buf keep[BUFS];

    memcpy(keep, s->buf, sizeof keep);
    *s = (struct sample){0};
    memcpy(s->buf, keep, sizeof keep);
}

/* ---- single fields: 1 there, 0 absent, < 0 wrong
 * ------------------------------------- */
static int read_cand(struct sample *s, const struct rec *r, struct err *e)
{
    int rc = rec_opt_uint(r, "n", &s->n, e);

    if (rc < 0 || (rc = rec_opt_uint(r, "cand", &s->cand, e)) <= 0)
        return rc;
    if (s->cand > UINT32_MAX)
        return rec_fault(r, ERR_RECORD, e, "cand", "too large");
    return 1;
}

static int read_prompt_ids(struct sample *s, const struct rec *r, struct err *e)
{
    const int rc = rec_opt_i32s(r, "prompt_ids", &s->buf[BUF_PROMPT_IDS],
                                &s->prompt_ids, &s->P, e);

    if (rc > 0 && s->P == 0)
        return rec_fault(r, ERR_RECORD, e, "prompt_ids", "empty");
    return rc;
}

static int read_temperature(struct sample *s, const struct rec *r, struct err *e)
{
    const int rc = rec_opt_f64(r, "temperature", &s->temperature, e);

    if (rc > 0 && !(s->temperature >= 0 && isfinite(s->temperature)))
        return rec_fault(r, ERR_NUMERIC, e, "temperature",
                         "%g, expected a number from 0", s->temperature);
    return rc;
}

static int read_finish(struct sample *s, const struct rec *r, struct err *e)
{
    static const char *const word[] = {
        [FINISH_EOS] = "eos", [FINISH_STOP] = "stop", [FINISH_LENGTH] = "length"};
    struct rec_str t;
    const int rc = rec_opt_str(r, "finish", &t, e);

    if (rc <= 0)
        return rc;
    s->finish = FINISH_OTHER;
    for (int i = FINISH_EOS; i <= FINISH_LENGTH; i++)
        if (rec_str_is(t, word[i]))
            s->finish = (enum sample_finish)i;
    return 1;
}

static int read_reward(struct sample *s, const struct rec *r, struct err *e)
{
    const int rc = rec_opt_f64(r, "reward", &s->reward, e);

    if (rc > 0 && !isfinite(s->reward))
        return rec_fault(r, ERR_NUMERIC, e, "reward", "%g, not a finite number",
                         s->reward);
    return rc;
}

/* ---- arrays that belong to the ids
 * ---------------------------------------------------- */
static int wrong_length(const struct rec *r, const char *key, size_t n,
                        const char *other, size_t want, struct err *e)
{
    return rec_fault(r, ERR_RECORD, e, key, "%zu elements, '%s' has %zu", n, other,
                     want);
}

static int read_floats(const struct rec *r, const char *key, struct rec_buf *buf,
                       const float **out, size_t T, int has_ids, struct err *e)
{
    size_t n = 0;
    const int rc = rec_opt_f32s(r, key, buf, out, &n, e);

    if (rc <= 0)
        return rc;
    if (has_ids && n != T)
        return wrong_length(r, key, n, "ids", T, e);
    for (size_t i = 0; i < n; i++)
        if (!isfinite((*out)[i]))
            return rec_fault(r, ERR_NUMERIC, e, key, "element %zu is %g", i,
                             (double)(*out)[i]);
    return 1;
}

/* Byte offsets: never falling, within the text where it is known. */
static int read_ends(const struct rec *r, const char *key, struct rec_buf *buf,
                     const uint32_t **out, const char *ids, size_t want, int has_ids,
                     const char *text, struct err *e)
{
    const struct rec_value t = rec_find(r, text);
    struct rec_str s = {0};
    size_t n = 0;
    const int has_text = rec_value_str(&s, t) == 0;
    const int rc = rec_opt_u32s(r, key, buf, out, &n, e);

    if (rc <= 0)
        return rc;
    if (has_ids && n != want)
        return wrong_length(r, key, n, ids, want, e);
    for (size_t i = 0; i < n; i++)
        if ((i && (*out)[i] < (*out)[i - 1]) || (has_text && (*out)[i] > s.n))
            return rec_fault(r, ERR_RECORD, e, key,
                             "element %zu is %u: before the one before, or behind the "
                             "%zu bytes of '%s'",
                             i, (unsigned)(*out)[i], s.n, text);
    return 1;
}

static int read_mask(const struct rec *r, const char *key, const unsigned char **out,
                     size_t P, int has_ids, struct err *e)
{
    size_t n;
    const int rc = rec_opt_bin(r, key, out, &n, e);

    if (rc > 0 && has_ids && n != P)
        return wrong_length(r, key, n, "prompt_ids", P, e);
    return rc;
}

/* ---- attention
 * ------------------------------------------------------------------------ */
static int attn_fault(const struct rec *r, const char *part, struct err *e,
                      const char *why)
{
    char field[64];

    snprintf(field, sizeof field, "attn.%s", part);
    return rec_fault(r, ERR_RECORD, e, field, "%s", why);
}

enum attn_part {
    ATTN_KIND,
    ATTN_LAYERS,
    ATTN_HEADS,
    ATTN_REDUCE,
    ATTN_MODEL,
    ATTN_WORDS, /* the parts so far are */
    ATTN_ROWS = ATTN_WORDS,
    ATTN_OUTSIDE,
    ATTN_PARTS,
};

static const char *const attn_keys[ATTN_PARTS] = {
    [ATTN_KIND] = "kind",       [ATTN_LAYERS] = "layers", [ATTN_HEADS] = "heads",
    [ATTN_REDUCE] = "reduce",   [ATTN_MODEL] = "model",   [ATTN_ROWS] = "rows",
    [ATTN_OUTSIDE] = "outside",
};

static int attn_words(struct sample_attn *a, const struct rec_value part[ATTN_PARTS],
                      const struct rec *r, struct err *e)
{
    struct rec_str *const to[ATTN_WORDS] = {
        [ATTN_KIND] = &a->kind,   [ATTN_LAYERS] = &a->layers,
        [ATTN_HEADS] = &a->heads, [ATTN_REDUCE] = &a->reduce,
        [ATTN_MODEL] = &a->model,
    };

    for (size_t i = 0; i < ATTN_WORDS; i++)
        if (rec_value_type(part[i]) > REC_NIL && rec_value_str(to[i], part[i]) < 0)
            return attn_fault(r, attn_keys[i], e, "not a string");
    return 0;
}

/* A member tensor as float into buf; *n its rank. */
static int attn_tensor(const float **out, struct rec_tensor *t, struct rec_buf *buf,
                       struct rec_value v, const char *part, const struct rec *r,
                       struct err *e)
{
    struct err why = {0};

    if (rec_value_tensor(t, v, &why) < 0)
        return attn_fault(r, part, e, why.text);
    rec_buf_clear(buf);
    float *to = (float *)(void *)rec_buf_room(buf, t->count * sizeof(float) + 1);
    if (!to)
        return rec_fault(r, ERR_NOMEM, e, "attn", "no memory for %zu numbers",
                         t->count);
    rec_tensor_f32(to, t);
    *out = to;
    return 0;
}

static int attn_outside(struct sample *s, struct rec_value v, const struct rec *r,
                        struct err *e)
{
    struct sample_attn *a = &s->attn;
    struct rec_tensor t;
    const int rc =
        attn_tensor(&a->outside, &t, &s->buf[BUF_OUTSIDE], v, "outside", r, e);

    if (rc < 0)
        return rc;
    if (t.rank != (a->L ? 3u : 1u) || t.shape[t.rank - 1] != a->T ||
        (a->L && (t.shape[0] != a->L || t.shape[1] != a->H)))
        return attn_fault(r, "outside", e, "not the shape of rows without its last");
    return 0;
}

static int read_attn(struct sample *s, const struct rec *r, struct err *e)
{
    const struct rec_value v = rec_find(r, "attn");
    struct sample_attn *a = &s->attn;
    struct rec_value part[ATTN_PARTS];
    struct rec_tensor t;
    int rc;

    if (rec_value_type(v) <= REC_NIL)
        return 0;
    if (rec_value_type(v) != REC_MAP)
        return rec_fault(r, ERR_RECORD, e, "attn", "%s, expected a map",
                         rec_type_name(rec_value_type(v)));
    rec_value_members(part, v, attn_keys, ATTN_PARTS);
    if ((rc = attn_words(a, part, r, e)) < 0 ||
        (rc = attn_tensor(&a->rows, &t, &s->buf[BUF_ROWS], part[ATTN_ROWS], "rows", r,
                          e)) < 0)
        return rc;
    if (t.rank != 2 && t.rank != 4)
        return attn_fault(r, "rows", e, "not of shape (T,P) or (L,H,T,P)");
    a->T = t.shape[t.rank - 2];
    a->P = t.shape[t.rank - 1];
    a->L = t.rank == 4 ? t.shape[0] : 0;
    a->H = t.rank == 4 ? t.shape[1] : 0;
    if (t.rank == 4 && (a->L == 0 || a->H == 0))
        return attn_fault(r, "rows", e, "no layer or no head");
    if ((s->has & SAMPLE_IDS) && a->T != s->T)
        return wrong_length(r, "attn.rows", a->T, "ids", s->T, e);
    if ((s->has & SAMPLE_PROMPT_IDS) && a->P != s->P)
        return wrong_length(r, "attn.rows (columns)", a->P, "prompt_ids", s->P, e);
    if (rec_value_type(part[ATTN_OUTSIDE]) > REC_NIL &&
        (rc = attn_outside(s, part[ATTN_OUTSIDE], r, e)) < 0)
        return rc;
    return 1;
}

/* ---- all
 * ------------------------------------------------------------------------------ */
static const struct {
    unsigned bit;
    const char *key;
} fields[] = {
    /* ids before what is measured against them */
    {SAMPLE_ID, "id"},
    {SAMPLE_CAND, "cand"},
    {SAMPLE_PROMPT, "prompt"},
    {SAMPLE_TEXT, "text"},
    {SAMPLE_PROMPT_IDS, "prompt_ids"},
    {SAMPLE_IDS, "ids"},
    {SAMPLE_PROMPT_ENDS, "prompt_ends"},
    {SAMPLE_ENDS, "ends"},
    {SAMPLE_PROMPT_MASK, "prompt_mask"},
    {SAMPLE_LOGP, "logp"},
    {SAMPLE_REF, "ref"},
    {SAMPLE_TEMPERATURE, "temperature"},
    {SAMPLE_FINISH, "finish"},
    {SAMPLE_ATTN, "attn"},
    {SAMPLE_REWARD, "reward"},
    {SAMPLE_SUPPORT, "support"},
};

static int read_field(struct sample *s, const struct rec *r, unsigned bit,
                      struct err *e)
{
    const int p = !!(s->has & SAMPLE_PROMPT_IDS), t = !!(s->has & SAMPLE_IDS);
    struct rec_buf *b = s->buf;

    switch (bit) {
    case SAMPLE_ID: return rec_opt_str(r, "id", &s->id, e);
    case SAMPLE_CAND: return read_cand(s, r, e);
    case SAMPLE_PROMPT: return rec_opt_str(r, "prompt", &s->prompt, e);
    case SAMPLE_TEXT: return rec_opt_str(r, "text", &s->text, e);
    case SAMPLE_PROMPT_IDS: return read_prompt_ids(s, r, e);
    case SAMPLE_IDS: return rec_opt_i32s(r, "ids", &b[BUF_IDS], &s->ids, &s->T, e);
    case SAMPLE_PROMPT_ENDS:
        return read_ends(r, "prompt_ends", &b[BUF_PROMPT_ENDS], &s->prompt_ends,
                         "prompt_ids", s->P, p, "prompt", e);
    case SAMPLE_ENDS:
        return read_ends(r, "ends", &b[BUF_ENDS], &s->ends, "ids", s->T, t, "text", e);
    case SAMPLE_PROMPT_MASK:
        return read_mask(r, "prompt_mask", &s->prompt_mask, s->P, p, e);
    case SAMPLE_LOGP: return read_floats(r, "logp", &b[BUF_LOGP], &s->logp, s->T, t, e);
    case SAMPLE_REF: return read_floats(r, "ref", &b[BUF_REF], &s->ref, s->T, t, e);
    case SAMPLE_TEMPERATURE: return read_temperature(s, r, e);
    case SAMPLE_FINISH: return read_finish(s, r, e);
    case SAMPLE_ATTN: return read_attn(s, r, e);
    case SAMPLE_REWARD: return read_reward(s, r, e);
    case SAMPLE_SUPPORT: return read_mask(r, "support", &s->support, s->P, p, e);
    default: return 0;
    }
}

int sample_read(struct sample *s, const struct rec *r, unsigned need, unsigned want,
                struct err *e)
{
    renew(s);
    s->rec = r;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const unsigned bit = fields[i].bit;

        if (!((need | want) & bit))
            continue;
        const int rc = read_field(s, r, bit, e);
        if (rc < 0)
            return rc;
        if (rc == 0 && (need & bit))
            return rec_fault(r, ERR_RECORD, e, fields[i].key, "missing");
        s->has |= rc > 0 ? bit : 0;
    }
    return 0;
}

/* ---- writing
 * -------------------------------------------------------------------------- */
static void put_word(struct rec *r, const char *key, struct rec_str t)
{
    rec_put_str(r, key);
    rec_put_text(r, t.n ? t.s : "", t.n);
}

void sample_set_attn(struct rec *r, const struct sample_attn *a)
{
    const size_t shape[4] = {a->L, a->H, a->T, a->P};
    const size_t skip = a->L ? 0 : 2;

    rec_begin(r, "attn");
    rec_put_map(r, a->outside ? 7 : 6);
    put_word(r, "kind", a->kind);
    put_word(r, "layers", a->layers);
    put_word(r, "heads", a->heads);
    put_word(r, "reduce", a->reduce);
    put_word(r, "model", a->model);
    rec_put_str(r, "rows");
    rec_put_tensor_f32(r, a->rows, 4 - skip, shape + skip);
    if (a->outside) {
        rec_put_str(r, "outside");
        rec_put_tensor_f32(r, a->outside, 3 - skip, shape + skip);
    }
    rec_end(r);
}

static int is_named(struct rec_value key, size_t n, const char *const *name)
{
    struct rec_str k;

    if (rec_value_str(&k, key) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (rec_str_is(k, name[i]))
            return 1;
    return 0;
}

/* The old value lies in the bytes that came, which no setter moves. */
void sample_set_rewards(struct rec *r, size_t n, const char *const *name,
                        const double *value)
{
    const struct rec_value old = rec_find(r, "rewards");
    struct rec_iter it;
    struct rec_value k, v;
    size_t all = n;

    for (rec_iter_start(&it, old); rec_iter_next(&it, &k, &v);)
        all += !is_named(k, n, name);
    rec_begin(r, "rewards");
    rec_put_map(r, all);
    for (rec_iter_start(&it, old); rec_iter_next(&it, &k, &v);)
        if (!is_named(k, n, name)) {
            rec_put_value(r, k);
            rec_put_value(r, v);
        }
    for (size_t i = 0; i < n; i++) {
        rec_put_str(r, name[i]);
        if (isnan(value[i]))
            rec_put_nil(r);
        else
            rec_put_f64(r, value[i]);
    }
    rec_end(r);
}

int sample_component(const struct rec *r, const char *name, double *out, struct err *e)
{
    const struct rec_value v = rec_value_member(rec_find(r, "rewards"), name);
    char field[128];

    if (rec_value_type(v) <= REC_NIL)
        return 0;
    snprintf(field, sizeof field, "rewards.%s", name);
    if (rec_value_f64(out, v) < 0)
        return rec_fault(r, ERR_RECORD, e, field, "%s, expected a number",
                         rec_type_name(rec_value_type(v)));
    if (!isfinite(*out))
        return rec_fault(r, ERR_NUMERIC, e, field, "%g, not a finite number", *out);
    return 1;
}
