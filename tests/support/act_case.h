/*
 * Inputs of an activation or of a gate, away from where it has no derivative.
 */
#ifndef CAGSR_TESTS_ACT_CASE_H
#define CAGSR_TESTS_ACT_CASE_H

#include "machine.h"

#include "nn/act.h"

/* x (N, halves F), and a (N, F), what y (N, F) is multiplied with for a loss. */
struct act_case {
    struct machine m; /* m.k NULL: this processor has not that instruction set */
    float *x, *a, *y;
    size_t N, F;
    enum act act;
};

struct act_case act_case(enum isa isa, size_t N, size_t F, size_t halves, enum act act);
void act_case_free(struct act_case *c);

#endif
