/*
 * The units of kern/bf16.h in software: the loops of kern/bf16_avx512.h and kern/bf16_amx.h,
 * compiled with the instructions of tiles.h.  So all but the instructions themselves is run where
 * no processor has them.
 */
#ifndef CAGSR_TESTS_BF16_EMULATED_H
#define CAGSR_TESTS_BF16_EMULATED_H

#include "kern/bf16.h"

extern const struct bf16_unit emulated_avx512, emulated_amx;

/* One whose last sum is off by 1: what bf16_check must see. */
extern const struct bf16_unit emulated_wrong;

#endif
