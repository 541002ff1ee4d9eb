#include "products.h"

#include "bf16_emulated.h"
#include "machine.h"
#include "tensor/dims.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

const struct kern_opts ways[] = {
    {.isa = ISA_AUTO},
    {KERN_PACK, KERN_F32, ISA_PLAIN},
    {KERN_PACK, KERN_F32, ISA_AVX2},
    {KERN_PACK, KERN_F32, ISA_AVX512},
    {KERN_OPENBLAS, KERN_F32, ISA_AUTO},
    {KERN_PACK, KERN_BF16, ISA_PLAIN},
    {KERN_PACK, KERN_BF16, ISA_AVX2},
    {KERN_PACK, KERN_BF16, ISA_AVX512},
    BF16_WAYS,
};
_Static_assert(sizeof ways / sizeof *ways == WAYS, "all of them");

int rounds_both(int way)
{
    return ways[way].round == KERN_ROUND_BOTH || ways[way].unit ||
           ways[way].isa >= ISA_AVX512_BF16;
}

int is_too_long(int way, size_t M, size_t N, size_t K)
{
    return ways[way].unit && round_up(M, 16) * round_up(N, 48) * K > 7000000;
}

struct packed pack_as(struct kern *k, float *W, size_t N, size_t K,
                      enum kern_dtype type)
{
    struct packed p = {.W = W};
    struct err e = {0};

    p.mem = floats(gemm_pack_bytes(k, N, K, type) / sizeof(float));
    cr_assert_eq(gemm_pack(&p.w, k, p.mem, p.W, K, N, K, type, &e), 0, "%s", e.text);
    return p;
}

static void round_to_bf16(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = f32_from_bf16(bf16_from_f32(x[i]));
}

float *as_seen(int way, const float *x, size_t n)
{
    float *seen = memcpy(floats(n), x, n * sizeof *x);

    if (rounds_both(way))
        round_to_bf16(seen, n);
    return seen;
}

struct packed weight(struct kern *k, size_t N, size_t K, uint64_t seed)
{
    const struct packed p = pack_as(k, normals(N * K, seed), N, K, kern_dtype(k));

    if (kern_dtype(k) == KERN_BF16)
        round_to_bf16(p.W, N * K);
    return p;
}

void weight_free(struct packed *p)
{
    gemm_weight_release(&p->w);
    free(p->W);
    free(p->mem);
}
