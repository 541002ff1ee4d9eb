/*
 * The loops of softcap.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_SOFTCAP_SIMD_H
#define CAGSR_NN_SOFTCAP_SIMD_H

#include "nn/softcap.h"

struct softcap_job {
    const struct kern *k;
    float *z, *dz;
    const float *y;
    size_t V;
    float cap;
};

ISA_DECLARE(softcap_rows, (const struct softcap_job *j, size_t from, size_t to));
ISA_DECLARE(softcap_rows_back, (const struct softcap_job *j, size_t from, size_t to));

#endif
