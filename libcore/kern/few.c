#include "kern/few.h"

#include "kern/few_simd.h"
#include "kern/pack.h"
#include "tensor/dims.h"

/* More rows are served better by the tiles of pack.c, which ask less of memory at a time. */
enum { MOST_ROWS = 8 };

int few_rows(enum isa isa, size_t M)
{
    return isa != ISA_PLAIN && M <= MOST_ROWS;
}

void few_multiply(enum isa isa, float *c, size_t ldc, const float *a, size_t lda,
                  const float *panels, size_t M, size_t N, size_t K)
{
    const size_t depth = pack_depth(K), width = pack_width(isa);

    for (size_t k = 0; k < K; k += depth)
        ISA_CALL(isa, few_block,
                 (c, ldc, a + k, lda, panels + k * width, K * width, M, N,
                  least(depth, K - k), k > 0));
}
