#include "nn/rope_simd.h"

#include "kern/vec.h"

ISA_BODY void turn_head(float *x, const float *cs, size_t half, float sign)
{
    for (size_t i = 0; i < half; i += VEC) {
        const vfloat c = vec_at(cs, i, half, 0),
                     s = vec_at(cs + half, i, half, 0) * sign;
        const vfloat a = vec_at(x, i, half, 0), b = vec_at(x + half, i, half, 0);

        vec_put(x, i, half, a * c - b * s);
        vec_put(x + half, i, half, b * c + a * s);
    }
}

void ISA_NAME(rope_rows)(const struct rope_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++)
            turn_head(j->x + n * j->ldx + h * j->D, j->cs + n * j->R, j->R / 2,
                      j->sign);
}
