#include "nn/softcap.h"

#include "nn/softcap_vec.h"

struct job {
    const struct kern *k;
    float *z, *dz;
    const float *y;
    size_t V;
    float cap;
};

ISA_BODY void forward_body(const struct job *j, size_t from, size_t to)
{
    for (float *z = j->z + from * j->V; z < j->z + to * j->V; z += j->V)
        for (size_t i = 0; i < j->V; i += VEC)
            vec_put(z, i, j->V, vec_softcap(vec_at(z, i, j->V, 0), j->cap));
}
ISA_VARIANTS(forward, (const struct job *j, size_t from, size_t to), (j, from, to))

ISA_BODY void backward_body(const struct job *j, size_t from, size_t to)
{
    for (size_t n = from * j->V; n < to * j->V; n += j->V)
        for (size_t i = 0; i < j->V; i += VEC)
            vec_put(j->dz + n, i, j->V,
                    vec_at(j->dz + n, i, j->V, 0) *
                        vec_softcap_slope(vec_at(j->y + n, i, j->V, 0), j->cap));
}
ISA_VARIANTS(backward, (const struct job *j, size_t from, size_t to), (j, from, to))

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct job *j = ctx;

    ISA_CALL(kern_isa(j->k), forward, (j, from, to));
}

static void backward_range(void *ctx, size_t from, size_t to)
{
    const struct job *j = ctx;

    ISA_CALL(kern_isa(j->k), backward, (j, from, to));
}

/* An exponential costs like a handful of floats moved. */
enum { TANH_COST = 4 };

void softcap_forward(struct kern *k, float *z, size_t N, size_t V, float cap)
{
    struct job j = {.k = k, .z = z, .V = V, .cap = cap};

    kern_rows(k, N, TANH_COST * V, forward_range, &j);
}

void softcap_backward(struct kern *k, float *dz, const float *y, size_t N, size_t V,
                      float cap)
{
    struct job j = {.k = k, .dz = dz, .y = y, .V = V, .cap = cap};

    kern_rows(k, N, V, backward_range, &j);
}
