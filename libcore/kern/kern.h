/*
 * The machine, as far as arithmetic is concerned: threads, instruction set, and who
 * does the products.  Made once at start and handed down; what was chosen is written
 * into the stream's header (kern_name).
 *
 * On a machine, results depend on this choice only, never on the number of threads.
 */
#ifndef CAGSR_KERN_KERN_H
#define CAGSR_KERN_KERN_H

#include "base/err.h"
#include "base/par.h"
#include "kern/isa.h"

/* Who computes gemm_rows, the batch-invariant products of sampling. */
enum kern_backend {
    KERN_AUTO,     /* the fastest that is there: KERN_PACK */
    KERN_PACK,     /* our kernels over packed weights (kern/pack.h) */
    KERN_OPENBLAS, /* cblas_sgemm on tiles of 8 rows; weights are borrowed, not packed.  The
                      library is loaded when it is chosen (kern/blas_load.h); by itself that
                      happens on a processor that our kernels have no vectors for */
};

/* What the numbers of products are rounded to.  They are summed in float32 always. */
enum kern_dtype { KERN_F32, KERN_BF16 };
extern const char *const kern_dtype_names[]; /* f32, bf16, NULL: for CLI_CHOICE */

/* With KERN_BF16: the packed weights; what they are multiplied with too where the processor
 * multiplies bfloat16, for elsewhere it would cost and gain nothing. */
enum kern_round {
    KERN_ROUND_WEIGHTS,
    KERN_ROUND_BOTH, /* both operands of all products (kern/bf16.h), on every processor */
};

struct bf16_unit;

/* Zero-initialised: everything chosen for this machine. */
struct kern_opts {
    enum kern_backend backend;
    enum kern_dtype dtype;
    enum isa isa; /* one to hold to; ISA_AUTO: what CAGSR_ISA in the environment names,
                     else the best */
    enum kern_round round;
    const struct bf16_unit
        *unit; /* of KERN_BF16 (kern/bf16.h); NULL: the processor's */
};

struct kern;

/* par is borrowed until kern_free; NULL is one thread.  opts may be NULL.
 * ERR_USAGE: a backend that has no weights of that type, an instruction set that nobody knows
 * or this processor lacks; ERR_FILE: OpenBLAS cannot be loaded; ERR_NUMERIC: this processor's
 * products of bfloat16 are wrong (bf16_check); ERR_NOMEM. */
int kern_new(struct kern **out, struct par *par, const struct kern_opts *opts,
             struct err *e) MUST_CHECK;
void kern_free(struct kern *k); /* NULL is fine; weights packed under k go first */

struct par *kern_par(const struct kern *k); /* as given, may be NULL */
enum isa kern_isa(const struct kern *k);    /* whose loops run: for ISA_CALL */
enum kern_backend kern_backend(const struct kern *k);
enum kern_dtype kern_dtype(const struct kern *k);
int kern_rounds_both(const struct kern *k); /* what weights are multiplied with, too */

/* Who multiplies where k rounds both operands (kern/bf16.h), NULL: by widening; and whose loops put
 * its operands in order. */
const struct bf16_unit *kern_unit(const struct kern *k);
enum isa kern_orders(const struct kern *k);

/* E.g. "f32 pack/avx512" or "f32 openblas-0.3.21/SkylakeX avx512"; with both operands in
 * bfloat16 "bf16 pack/amx" or, by widening, "bf16 both pack/avx2", with weights alone "bf16
 * pack/avx2": what has to be equal for equal bytes.  Lives as long as k. */
const char *kern_name(const struct kern *k);

/*
 * Loops over rows, shared out.  fn(ctx, from, to) for consecutive ranges that cover
 * 0..n-1; `work` is the cost of one row, in floats touched.  Ranges depend on n, work and the
 * number of threads; less than a few thousand floats run in the caller.
 */
void kern_rows(const struct kern *k, size_t n, size_t work,
               void (*fn)(void *ctx, size_t from, size_t to), void *ctx);

/*
 * The same, with sums over all rows: fn adds what its rows give to sum, which is all zeros when it
 * begins; where all `to` are NULL there is nobody to add for, and sum is NULL.  Then each to[i] (n)
 * that is not NULL += sum[i n ..].  The ranges, whose sums are added up in their order, depend on
 * the number of rows, work and n only.  The scratch of k is used.
 */
enum { KERN_SUMS = 2, KERN_SUMS_MOST = 1 << 17 };
struct kern_sums {
    float *to[KERN_SUMS]; /* NULL: not wanted */
    size_t n;             /* of each, at most KERN_SUMS_MOST */
};
void kern_rows_sums(const struct kern *k, size_t rows, size_t work,
                    void (*fn)(void *ctx, size_t from, size_t to, float *sum),
                    void *ctx, const struct kern_sums *sums);

/* kern_rows over columns, for sums over rows whose order must be that of the rows:
 * ranges start at multiples of 16. */
void kern_columns(const struct kern *k, size_t n, size_t work,
                  void (*fn)(void *ctx, size_t from, size_t to), void *ctx);

#endif
