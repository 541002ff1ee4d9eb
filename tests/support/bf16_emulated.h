/*
 * The units of kern/bf16.h in software: the loops of kern/bf16_avx512.h and kern/bf16_amx.h,
 * compiled with the instructions of tiles.h.  So all but the instructions themselves is run where
 * no processor has them.
 */
#ifndef CAGSR_TESTS_BF16_EMULATED_H
#define CAGSR_TESTS_BF16_EMULATED_H

#include "kern/bf16.h"
#include "kern/bf16_units.h"
#include "kern/kern.h"

extern const struct bf16_unit emulated_avx512, emulated_amx;

/* The loops of kern/bf16_order.h, likewise. */
extern const struct bf16_order emulated_order;

/* One whose last sum is off by 1: what bf16_check must see. */
extern const struct bf16_unit emulated_wrong;

/* Every way of bf16 arithmetic, of which machine_new() makes those that are here: entries of an
 * array of struct kern_opts, the first three by widening. */
#define BF16_WAYS                                                                      \
    {KERN_PACK, KERN_BF16, ISA_PLAIN, KERN_ROUND_BOTH},                                \
        {KERN_PACK, KERN_BF16, ISA_AVX2, KERN_ROUND_BOTH},                             \
        {KERN_PACK, KERN_BF16, ISA_AVX512, KERN_ROUND_BOTH},                           \
        {KERN_PACK, KERN_BF16, .unit = &emulated_avx512},                              \
        {KERN_PACK, KERN_BF16, .unit = &emulated_amx},                                 \
        {KERN_PACK, KERN_BF16, ISA_AVX512_BF16},                                       \
    {                                                                                  \
        KERN_PACK, KERN_BF16, ISA_AMX                                                  \
    }

#endif
