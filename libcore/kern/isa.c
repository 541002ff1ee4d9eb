#include "kern/isa.h"

#include <stddef.h>

#if ISA_X86
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#else
static int has_avx2(void)
{
    return 0;
}

static int has_avx512(void)
{
    return 0;
}
#endif

enum isa isa_best(void)
{
    if (has_avx512())
        return ISA_AVX512;
    return has_avx2() ? ISA_AVX2 : ISA_PLAIN;
}

int isa_has(enum isa isa)
{
    switch (isa) {
    case ISA_AUTO:
    case ISA_PLAIN: return 1;
    case ISA_AVX2: return has_avx2();
    case ISA_AVX512: return has_avx512();
    }
    return 0;
}

const char *isa_name(enum isa isa)
{
    static const char *const names[] = {"auto", "plain", "avx2", "avx512"};

    return (size_t)isa < sizeof names / sizeof *names ? names[isa] : "unknown";
}
