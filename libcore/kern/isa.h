/*
 * Instruction sets.  Binaries are built for the oldest machine of their architecture;
 * hot functions exist once per set and are picked by the struct kern at run time.
 *
 * A hot function is written once, as a `static inline` body marked ISA_BODY without
 * intrinsics; ISA_VARIANTS makes one copy per set around it, and ISA_CALL picks:
 *
 *     ISA_BODY void scale_body(float *x, size_t n, float a) { ... plain loop ... }
 *     ISA_VARIANTS(scale, (float *x, size_t n, float a), (x, n, a))
 *     ...
 *     ISA_CALL(kern_isa(k), scale, (x, n, a));
 */
#ifndef CAGSR_KERN_ISA_H
#define CAGSR_KERN_ISA_H

enum isa {
    ISA_AUTO,   /* the best this processor has */
    ISA_PLAIN,  /* what the compiler was told: on x86-64, SSE2 */
    ISA_AVX2,   /* with FMA */
    ISA_AVX512, /* F, BW, DQ, VL */
};

/* The best set of this processor (never ISA_AUTO). */
enum isa isa_best(void);

/* 1 if this processor (and this build) can run `isa`. */
int isa_has(enum isa isa);

const char *isa_name(enum isa isa); /* "auto", "plain", "avx2", "avx512" */

#define ISA_BODY static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define ISA_X86 1
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c,bmi,bmi2")))
#if defined(__clang__)
#define TARGET_AVX512                                                                  \
    __attribute__((target("avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512dq,"          \
                          "avx512vl")))
#else
#define TARGET_AVX512                                                                  \
    __attribute__((target("avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512dq,"          \
                          "avx512vl,prefer-vector-width=512")))
#endif
#define ISA_VARIANTS(name, params, args)                                               \
    static void name##_plain params                                                    \
    {                                                                                  \
        name##_body args;                                                              \
    }                                                                                  \
    TARGET_AVX2 static void name##_avx2 params                                         \
    {                                                                                  \
        name##_body args;                                                              \
    }                                                                                  \
    TARGET_AVX512 static void name##_avx512 params                                     \
    {                                                                                  \
        name##_body args;                                                              \
    }
#define ISA_CALL(isa, name, args)                                                      \
    do {                                                                               \
        switch (isa) {                                                                 \
        case ISA_AVX512: name##_avx512 args; break;                                    \
        case ISA_AVX2: name##_avx2 args; break;                                        \
        default: name##_plain args; break;                                             \
        }                                                                              \
    } while (0)
#else
#define ISA_X86 0
#define ISA_VARIANTS(name, params, args)                                               \
    static void name##_plain params                                                    \
    {                                                                                  \
        name##_body args;                                                              \
    }
#define ISA_CALL(isa, name, args)                                                      \
    do {                                                                               \
        (void)(isa);                                                                   \
        name##_plain args;                                                             \
    } while (0)
#endif

#endif
