#include "nn/softcap_simd.h"

#include "nn/softcap_vec.h"

void ISA_NAME(softcap_rows)(const struct softcap_job *j, size_t from, size_t to)
{
    for (float *z = j->z + from * j->V; z < j->z + to * j->V; z += j->V)
        for (size_t i = 0; i < j->V; i += VEC)
            vec_put(z, i, j->V, vec_softcap(vec_at(z, i, j->V, 0), j->cap));
}

void ISA_NAME(softcap_rows_back)(const struct softcap_job *j, size_t from, size_t to)
{
    for (size_t n = from * j->V; n < to * j->V; n += j->V)
        for (size_t i = 0; i < j->V; i += VEC)
            vec_put(j->dz + n, i, j->V,
                    vec_at(j->dz + n, i, j->V, 0) *
                        vec_softcap_slope(vec_at(j->y + n, i, j->V, 0), j->cap));
}
