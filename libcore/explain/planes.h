/*
 * Which planes of a record's attention: rows (L,H,T,P) where layers and heads were kept
 * apart, one plane (T,P) where they were not.
 */
#ifndef CAGSR_EXPLAIN_PLANES_H
#define CAGSR_EXPLAIN_PLANES_H

#include "rec/sample.h"

#include <stddef.h>

/* Layers l0 <= l < l1 and heads h0 <= h < h1, counted from the first recorded. */
struct attn_planes {
    size_t l0, l1, h0, h1;
};

/* All of them. */
struct attn_planes planes_all(const struct sample_attn *a);

/* A (T,P) out: their mean. */
void planes_mean(double *A, const struct sample_attn *a, struct attn_planes p);

/* The first of the layers A:B that were recorded. */
size_t planes_first_layer(const struct sample_attn *a);

#endif
