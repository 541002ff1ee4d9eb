/* The way back of attention_back.c, for each instruction set (kern/isa.h). */
#ifndef CAGSR_NN_ATTENTION_BACK_SIMD_H
#define CAGSR_NN_ATTENTION_BACK_SIMD_H

#include "nn/attention_simd.h"

struct attn_backward_job {
    const struct kern *k;
    const struct attn_shape *s;
    const struct attn_run *runs;
    const struct attn_grad *grads;
    size_t ldq, ldout, ldkv;
    size_t keys; /* above what the rows of a run see */
    float *scratch;
    size_t per_worker; /* floats of it */
};

/* One run with key/value head g, in scratch of its own. */
ISA_DECLARE(attn_backward_run,
            (const struct attn_backward_job *b, size_t run, size_t g, float *scratch));

#endif
