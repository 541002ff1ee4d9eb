/*
 * A struct kern for tests, with as many threads and the instruction set as asked for.
 */
#ifndef CAGSR_TESTS_MACHINE_H
#define CAGSR_TESTS_MACHINE_H

#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

struct machine {
    struct par *par;
    struct kern *k;
};

/* 1, or 0 where this build or processor cannot have what o asks for (o may be NULL);
 * any other failure ends the test. */
int machine_new(struct machine *m, size_t threads, const struct kern_opts *o);
void machine_free(struct machine *m);

/* n floats, 64-byte aligned, to be freed: as they come; zeros; normals of this seed. */
float *floats(size_t n);
float *zeros(size_t n);
float *normals(size_t n, uint64_t seed);

#endif
