/*
 * Golden data: tests/golden, or the directory that CAGSR_GOLDEN names (another set by
 * the same script, with other sizes and seeds).  What that one lacks is ours: a script of
 * our own makes it (tests/golden/make_families.py).
 */
#ifndef CAGSR_TESTS_GOLDEN_H
#define CAGSR_TESTS_GOLDEN_H

#include "io/safetensors.h"

#include <stddef.h>
#include <stdint.h>

/* "golden/NAME" in a buffer of the caller. */
enum { GOLDEN_PATH = 512 };
const char *golden_path(char out[GOLDEN_PATH], const char *name);

/* Opens golden/NAME (a file); a failure ends the test. */
void golden_open(struct safetensors *st, const char *name);

/* The tensor of that name, to be freed; *n its elements.  Absent: NULL, or the end of the
 * test for the _must forms. */
float *golden_floats(const struct safetensors *st, size_t *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
float *golden_must(const struct safetensors *st, size_t *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int32_t *golden_ids(const struct safetensors *st, size_t *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The largest |a - b|; INFINITY if one of them is not a number. */
double worst_difference(const float *a, const float *b, size_t n);

#endif
