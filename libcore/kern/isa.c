#include "kern/isa.h"

#include <stddef.h>
#include <string.h>

#if ISA_BF16
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

#if ISA_BF16
/* Bits of cpuid's leaf 7. */
enum { BF16_VECTORS = 1 << 5, BF16_TILES = 1 << 22, TILES = 1 << 24 };

static int has_avx512_bf16(void)
{
    unsigned a, b, c, d;

    return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & BF16_VECTORS;
}

/* The 8 kB of tiles are saved and restored with the other registers only in processes that
 * have asked for that (Linux 5.16). */
static int may_use_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static int has_amx(void)
{
    const unsigned both = BF16_TILES | TILES;
    unsigned a, b, c, d;

    return has_avx512_bf16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (d & both) == both && may_use_tiles();
}
#else
static int has_avx512_bf16(void)
{
    return 0;
}

static int has_amx(void)
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

enum isa isa_best_bf16(void)
{
    if (has_amx())
        return ISA_AMX;
    return has_avx512_bf16() ? ISA_AVX512_BF16 : isa_best();
}

enum isa isa_vectors(enum isa isa)
{
    return isa > ISA_AVX512 ? ISA_AVX512 : isa;
}

int isa_has(enum isa isa)
{
    switch (isa) {
    case ISA_AUTO:
    case ISA_PLAIN: return 1;
    case ISA_AVX2: return has_avx2();
    case ISA_AVX512: return has_avx512();
    case ISA_AVX512_BF16: return has_avx512_bf16();
    case ISA_AMX: return has_amx();
    case ISA_COUNT: break;
    }
    return 0;
}

static const char *const names[ISA_COUNT] = {"auto",   "plain",       "avx2",
                                             "avx512", "avx512_bf16", "amx"};

const char *isa_name(enum isa isa)
{
    return isa < ISA_COUNT ? names[isa] : "unknown";
}

int isa_parse(enum isa *out, const char *name)
{
    for (int i = 0; i < ISA_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum isa)i;
            return 0;
        }
    return -1;
}
