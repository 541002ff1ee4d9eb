#include "nn/attention_unit_simd.h"

#include "nn/attention_vec.h"
#include "nn/softcap_vec.h"
#include "tensor/dims.h"

/* A vector of queries. */
struct queries {
    vfloat lse, delta;
    vint from, to;
    int32_t last; /* the largest of `to` */
};

ISA_BODY vint ints_at(const int32_t *p)
{
    vint v;

    memcpy(&v, p, sizeof v);
    return v;
}

ISA_BODY struct queries queries_at(const struct attn_chunk *c, size_t x)
{
    struct queries q = {vec_load(c->lse + x), vec_load(c->delta + x),
                        ints_at(c->from + x), ints_at(c->to + x), 0};

    for (size_t i = 0; i < VEC; i++)
        q.last = c->to[x + i] > q.last ? c->to[x + i] : q.last;
    return q;
}

/* The mask is bits, for exp may be infinite where nothing is seen. */
ISA_BODY void weigh(float *p, float *ds, const struct queries *q, int32_t key,
                    float scale, float cap)
{
    const vint seen = (q->from <= key) & (q->to > key);
    const vfloat raw = vec_load(p) * scale, s = cap > 0 ? vec_softcap(raw, cap) : raw;
    const vfloat w = (vfloat)(seen & (vint)vec_exp(s - q->lse));
    const vfloat d = w * (vec_load(ds) - q->delta);

    vec_store(p, w);
    vec_store(ds, cap > 0 ? d * vec_softcap_slope(s, cap) : d);
}

ISA_BODY void weigh_queries(const struct attn_chunk *c, size_t x, float cap)
{
    const struct queries q = queries_at(c, x);
    const size_t behind = (size_t)q.last > c->first ? (size_t)q.last - c->first : 0;
    const size_t seen = least(behind, c->keys);

    for (size_t j = 0; j < seen; j++)
        weigh(c->p + j * c->n + x, c->ds + j * c->n + x, &q, (int32_t)(c->first + j),
              c->scale, cap);
    for (size_t j = seen; j < c->keys; j++) {
        vec_store(c->p + j * c->n + x, (vfloat){0});
        vec_store(c->ds + j * c->n + x, (vfloat){0});
    }
}

void ISA_NAME(attn_chunk_weights)(const struct attn_chunk *c)
{
    for (size_t x = 0; x < c->n; x += VEC)
        if (c->cap > 0)
            weigh_queries(c, x, c->cap);
        else
            weigh_queries(c, x, 0); /* a constant */
}

void ISA_NAME(attn_chunk_dots)(float *y, const float *a, size_t lda, const float *b,
                               size_t ldb, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        y[r] = row_dot(a + r * lda, b + r * ldb, n);
}

void ISA_NAME(attn_chunk_give)(float *y, size_t ldy, const float *x, size_t ldx,
                               size_t rows, size_t n, float by)
{
    for (size_t r = 0; r < rows; r++)
        put_row(y + r * ldy, x + r * ldx, n, by);
}
