#include "kern/few.h"

#include "kern/few_simd.h"
#include "kern/pack.h"

/* More rows are served better by the tiles of pack_multiply.c, which ask less of memory at a time. */
enum { MOST_ROWS = 8 };

int few_rows(enum isa isa, size_t M)
{
    return isa != ISA_PLAIN && M <= MOST_ROWS;
}

void few_multiply(enum isa isa, float *c, size_t ldc, const float *a, size_t lda,
                  const float *panels, size_t M, size_t N, size_t K)
{
    ISA_CALL(isa, few_panels, (c, ldc, a, lda, panels, M, N, K, pack_depth(K)));
}
