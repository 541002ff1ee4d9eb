#include "explain/planes.h"

#include "attn/stats.h"

#include <string.h>

struct attn_planes planes_all(const struct sample_attn *a)
{
    return (struct attn_planes){0, a->L ? a->L : 1, 0, a->L ? a->H : 1};
}

void planes_mean(double *A, const struct sample_attn *a, struct attn_planes p)
{
    const size_t n = a->T * a->P, H = a->L ? a->H : 1;
    const double w = 1.0 / (double)((p.l1 - p.l0) * (p.h1 - p.h0));

    memset(A, 0, n * sizeof *A);
    for (size_t l = p.l0; l < p.l1; l++)
        for (size_t h = p.h0; h < p.h1; h++)
            attn_add_f32(A, a->rows + (l * H + h) * n, n, w);
}

size_t planes_first_layer(const struct sample_attn *a)
{
    size_t l = 0;

    for (size_t i = 0; i < a->layers.n && i < 6; i++) {
        const char d = a->layers.s[i];

        if (d < '0' || d > '9')
            break;
        l = 10 * l + (size_t)(d - '0');
    }
    return l;
}
