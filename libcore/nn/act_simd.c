#include "nn/act_simd.h"

#include "kern/halves.h"

/*
 * Values and derivatives of a vector.  Both gelu_tanh and silu are x sigma(u):
 * (1 + tanh(a)) / 2 = sigma(2 a), and sigma(u) = 1 / (1 + exp(-u)) is accurate on both
 * sides.  The derivative is sigma + x sigma (1 - sigma) u'.
 */
ISA_BODY vfloat sigmoid(vfloat u)
{
    return 1.0f / (1.0f + vec_exp(-u));
}

/* u = 2 sqrt(2/pi) (x + 0.044715 x^3) and its derivative. */
#define GELU_A 1.5957691216057308f
#define GELU_B (1.5957691216057308f * 0.044715f)

ISA_BODY vfloat gelu_tanh(vfloat x)
{
    return x * sigmoid(x * (GELU_A + GELU_B * x * x));
}

ISA_BODY vfloat gelu_tanh_slope(vfloat x)
{
    const vfloat s = sigmoid(x * (GELU_A + GELU_B * x * x));

    return s + x * s * (1.0f - s) * (GELU_A + 3 * GELU_B * x * x);
}

/* exp(-x^2 / 2) */
ISA_BODY vfloat bell(vfloat x)
{
    return vec_exp(-0.5f * x * x);
}

/*
 * Phi(x), given bell(x).  Its tail is Phi(-|x|) = bell(x) t P(t) with t = 1 / (1 + |x| / 4),
 * where P, which varies by a factor of 5 only, is a polynomial whose largest relative error
 * over all of t in 0..1 is 4e-8 (fitted in double, the points weighted by how far off they
 * were).  So the left tail keeps its digits, where 1 + erf would not.
 */
ISA_BODY vfloat normal_cdf(vfloat x, vfloat at_x)
{
    const vfloat t = 1.0f / (1.0f + 0.25f * vec_max(x, -x));
    vfloat p = t * 0x1.442770p-6f - 0x1.4b52e6p-4f;

    p = p * t + 0x1.87a89cp-4f;
    p = p * t - 0x1.040426p-5f;
    p = p * t + 0x1.04f76ap-4f;
    p = p * t + 0x1.e315f0p-5f;
    p = p * t + 0x1.4e4014p-4f;
    p = p * t + 0x1.7ed678p-4f;
    p = p * t + 0x1.98853cp-4f;
    p = p * t + 0x1.988452p-4f;
    const vfloat tail = at_x * (t * p);
    return vec_select(x > 0.0f, 1.0f - tail, tail);
}

ISA_BODY vfloat gelu(vfloat x)
{
    return x * normal_cdf(x, bell(x));
}

ISA_BODY vfloat gelu_slope(vfloat x)
{
    const vfloat b = bell(x);

    return normal_cdf(x, b) + x * b * 0.3989422804014327f;
}

ISA_BODY vfloat silu_slope(vfloat x)
{
    const vfloat s = sigmoid(x);

    return s + x * s * (1.0f - s);
}

ISA_BODY vfloat value(vfloat x, enum act act)
{
    switch (act) {
    case ACT_GELU: return gelu(x);
    case ACT_GELU_TANH: return gelu_tanh(x);
    case ACT_SILU: return x * sigmoid(x);
    case ACT_RELU: break;
    }
    return vec_max(vec_set(0), x);
}

ISA_BODY vfloat slope(vfloat x, enum act act)
{
    switch (act) {
    case ACT_GELU: return gelu_slope(x);
    case ACT_GELU_TANH: return gelu_tanh_slope(x);
    case ACT_SILU: return silu_slope(x);
    case ACT_RELU: break;
    }
    return vec_select(x > 0.0f, vec_set(1), vec_set(0));
}

/* The activation is a constant in each call below, so every loop holds one only. */
ISA_BODY void forward_with(const struct act_job *j, size_t from, size_t to,
                           enum act act)
{
    for (size_t n = from * j->F; n < to * j->F; n += j->F)
        for (size_t i = 0; i < j->F; i += VEC)
            vec_put(j->y + n, i, j->F, value(vec_at(j->x + n, i, j->F, 0), act));
}

ISA_BODY void backward_with(const struct act_job *j, size_t from, size_t to,
                            enum act act)
{
    for (size_t n = from * j->F; n < to * j->F; n += j->F)
        for (size_t i = 0; i < j->F; i += VEC) {
            const vfloat dy = vec_at(j->dy + n, i, j->F, 0);
            const vfloat s = slope(vec_at(j->x + n, i, j->F, 0), act);

            vec_put(j->dx + n, i, j->F, dy * s);
        }
}

ISA_BODY void gated_with(const struct act_job *j, size_t from, size_t to, enum act act)
{
    for (size_t n = from; n < to; n++) {
        const float *gate = j->x + n * j->ldx, *up = gate + j->across;

        for (size_t i = 0; i < j->F; i += VEC)
            vec_put(j->y + n * j->ldy, i, j->F,
                    value(vec_at(gate, i, j->F, 0), act) * vec_at(up, i, j->F, 0));
    }
}

/* The vector at element i of row n, gate g and up u. */
ISA_BODY void gate_back(const struct act_job *j, size_t n, size_t i, vfloat g, vfloat u,
                        enum act act)
{
    const vfloat dy = vec_at(j->dy + n * j->lddy, i, j->F, 0), v = value(g, act);
    float *dgate = j->dx + n * j->lddx;

    vec_put(dgate, i, j->F, dy * u * slope(g, act));
    vec_put(dgate + j->dacross, i, j->F, dy * v);
    if (j->y)
        vec_put(j->y + n * j->ldy, i, j->F, v * u);
}

ISA_BODY void gated_back_with(const struct act_job *j, size_t from, size_t to,
                              enum act act)
{
    for (size_t n = from; n < to; n++) {
        const float *gate = j->x + n * j->ldx;

        for (size_t i = 0; i < j->F; i += VEC)
            gate_back(j, n, i, vec_at(gate, i, j->F, 0),
                      vec_at(gate + j->across, i, j->F, 0), act);
    }
}

/* Halves were kept long ago, and some columns of a row are too short a stream for a processor to
 * fetch ahead by itself: so rows to come are asked for. */
enum { ROWS_AHEAD = 8, LINE_HALVES = 32 };

ISA_BODY void ask_for(const uint16_t *row, size_t n)
{
    for (size_t i = 0; i < n; i += LINE_HALVES)
        __builtin_prefetch(row + i);
}

ISA_BODY void halves_back_with(const struct act_job *j, size_t from, size_t to,
                               enum act act)
{
    for (size_t n = from; n < to; n++) {
        const uint16_t *gate = j->halves + n * j->ldx;
        const uint16_t *ahead = gate + ROWS_AHEAD * j->ldx;

        ask_for(ahead, j->F);
        ask_for(ahead + j->across, j->F);
        for (size_t i = 0; i < j->F; i += VEC)
            gate_back(j, n, i, widened(gate + i), widened(gate + j->across + i), act);
    }
}

#define FOR_EACH_ACT(with)                                                             \
    switch (j->act) {                                                                  \
    case ACT_GELU: with(j, from, to, ACT_GELU); break;                                 \
    case ACT_GELU_TANH: with(j, from, to, ACT_GELU_TANH); break;                       \
    case ACT_SILU: with(j, from, to, ACT_SILU); break;                                 \
    case ACT_RELU: with(j, from, to, ACT_RELU); break;                                 \
    }

void ISA_NAME(act_rows)(const struct act_job *j, size_t from, size_t to)
{
    FOR_EACH_ACT(forward_with)
}

void ISA_NAME(act_rows_back)(const struct act_job *j, size_t from, size_t to)
{
    FOR_EACH_ACT(backward_with)
}

void ISA_NAME(gated_rows)(const struct act_job *j, size_t from, size_t to)
{
    FOR_EACH_ACT(gated_with)
}

void ISA_NAME(gated_rows_back)(const struct act_job *j, size_t from, size_t to)
{
    FOR_EACH_ACT(gated_back_with)
}

void ISA_NAME(gated_halves_back)(const struct act_job *j, size_t from, size_t to)
{
    FOR_EACH_ACT(halves_back_with)
}
