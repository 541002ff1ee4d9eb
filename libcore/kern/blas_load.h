/*
 * OpenBLAS, loaded when it is chosen.  A program that is linked with it pays for it at every
 * start, used or not: some milliseconds to find its symbols, and its threads, one for each
 * processor, which are there before main() and wait by spinning, for 60 ms and more, on the
 * processors that a model is being loaded with.
 */
#ifndef CAGSR_KERN_BLAS_LOAD_H
#define CAGSR_KERN_BLAS_LOAD_H

#include "base/err.h"

#include <cblas.h>

/* What kern/blas.c calls of it. */
struct blas {
    void *handle;
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    __typeof__(openblas_get_parallel) *get_parallel;
    __typeof__(openblas_get_config) *get_config;
    __typeof__(openblas_get_corename) *get_corename;
};

/* The library's name on this system. */
extern const char blas_file[];

/* Fills *b from the library `file`; ERR_FILE if there is none, or one that lacks something.
 * The library stays in the process: blas_unload gives back no more than the handle. */
int blas_load(struct blas *b, const char *file, struct err *e) MUST_CHECK;
void blas_unload(struct blas *b); /* all zeros is fine */

#endif
