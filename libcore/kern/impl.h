/* Private part: what the files of kern/ share.  Nobody else includes it. */
#ifndef CAGSR_KERN_IMPL_H
#define CAGSR_KERN_IMPL_H

#include "kern/kern.h"

enum { KERN_NAME = 160 };

struct kern {
    struct par *par;
    enum isa isa;
    enum kern_backend backend;
    int blas_openmp; /* OpenBLAS built on OpenMP: see blas_init */
    float *scratch;  /* KERN_OPENBLAS: padded tiles, see gemm.c */
    size_t scratch_floats;
    char name[KERN_NAME];
};

/* Sets OpenBLAS to one thread per call and notes what it is; `name` gets e.g.
 * "openblas-0.3.21/SkylakeX". */
void blas_init(struct kern *k, char *name, size_t size);

#endif
