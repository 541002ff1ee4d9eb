/*
 * Instruction sets.  Binaries are built for the oldest machine of their architecture; hot
 * loops exist once per set and are picked at run time.
 *
 * They stand in files NAME_simd.c, which the Makefile compiles once for each set, with
 * vectors of that set's width (kern/vec.h).  Beside such a file is its header:
 *
 *     ISA_DECLARE(scale, (float *x, size_t n, float a));            NAME_simd.h
 *     void ISA_NAME(scale)(float *x, size_t n, float a) { ... }     NAME_simd.c
 *     ISA_CALL(kern_isa(k), scale, (x, n, a));                      whoever needs it
 *
 * Loops that are picked together are a table of each set's: ISA_DECLARE_TABLE(struct loops, all),
 * const struct loops ISA_NAME(all) = {...}, ISA_TABLE(kern_isa(k), all)->scale(x, n, a).
 *
 * Only NAME_simd.c may define what its header declares, and it calls nothing of its own
 * but static functions: one that another set compiled may not run here.
 *
 * Two sets are ISA_AVX512 and instructions that multiply numbers in bfloat16 (kern/bf16.h):
 * all other loops are AVX-512's there, and ISA_CALL wants isa_vectors() of them.
 */
#ifndef CAGSR_KERN_ISA_H
#define CAGSR_KERN_ISA_H

enum isa {
    ISA_AUTO,   /* the best this processor has */
    ISA_PLAIN,  /* what the compiler was told: on x86-64, SSE2 */
    ISA_AVX2,   /* with FMA */
    ISA_AVX512, /* F, BW, DQ, VL */
    ISA_AVX512_BF16,
    ISA_AMX, /* AVX512_BF16, and tiles of bfloat16 */
    ISA_COUNT,
};

/* The best set of this processor for float32; and for products of bfloat16, which may be
 * one of the last two.  Never ISA_AUTO. */
enum isa isa_best(void);
enum isa isa_best_bf16(void);

/* The set whose loops run where `isa` is chosen: itself, or ISA_AVX512. */
enum isa isa_vectors(enum isa isa);

/* 1 if this processor (and this build, and the kernel) can run `isa`.  Of ISA_AMX the kernel
 * is asked for the tiles' registers, once and for all threads of the process. */
int isa_has(enum isa isa);

/* "auto", "plain", "avx2", "avx512", "avx512_bf16", "amx"; and back: 0, or -1 if there is
 * none of that name. */
const char *isa_name(enum isa isa);
int isa_parse(enum isa *out, const char *name);

#define ISA_BODY static inline __attribute__((always_inline))

/* Before a loop of at most 16 turns, a constant: none is left of it.  Before one of many: four
 * of its turns at a time. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#define UNROLL_4 _Pragma("unroll 4")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_4 _Pragma("GCC unroll 4")
#endif

/* Lanes of two vectors of a type, by number: a's, then b's. */
#if defined(__clang__)
#define ISA_MIX(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define ISA_MIX(type, a, b, ...) __builtin_shuffle(a, b, (type){__VA_ARGS__})
#endif

/* What the compiler can make of the last two sets. */
#if !defined(__x86_64__) || !defined(__linux__)
#define ISA_BF16 0
#elif defined(__clang__)
#define ISA_BF16 (__clang_major__ >= 12)
#else
#define ISA_BF16 (__GNUC__ >= 11)
#endif

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
#define TARGET_AVX512_BF16 __attribute__((target("avx512f,avx512bf16,prfchw")))
#define TARGET_AVX512_ORDER __attribute__((target("avx512f,avx512bw,avx512bf16")))
#define TARGET_AMX __attribute__((target("amx-tile,amx-bf16,avx,prfchw")))
#define ISA_DECLARE(name, params)                                                      \
    void name##_plain params;                                                          \
    void name##_avx2 params;                                                           \
    void name##_avx512 params
#define ISA_CALL(isa, name, args)                                                      \
    do {                                                                               \
        switch (isa) {                                                                 \
        case ISA_AVX512: name##_avx512 args; break;                                    \
        case ISA_AVX2: name##_avx2 args; break;                                        \
        default: name##_plain args; break;                                             \
        }                                                                              \
    } while (0)
#define ISA_DECLARE_TABLE(type, name)                                                  \
    extern const type name##_plain, name##_avx2, name##_avx512
#define ISA_TABLE(isa, name)                                                           \
    ((isa) == ISA_AVX512 ? &name##_avx512                                              \
     : (isa) == ISA_AVX2 ? &name##_avx2                                                \
                         : &name##_plain)
#else
#define ISA_X86 0
#define ISA_DECLARE(name, params) void name##_plain params
#define ISA_DECLARE_TABLE(type, name) extern const type name##_plain
#define ISA_TABLE(isa, name) ((void)(isa), &name##_plain)
#define ISA_CALL(isa, name, args)                                                      \
    do {                                                                               \
        (void)(isa);                                                                   \
        name##_plain args;                                                             \
    } while (0)
#endif

/* In a NAME_simd.c: the name of this set's variant.  ISA_SET comes from the Makefile. */
#define ISA_PASTE(name, set) name##_##set
#define ISA_OF(name, set) ISA_PASTE(name, set)
#define ISA_NAME(name) ISA_OF(name, ISA_SET)

#endif
