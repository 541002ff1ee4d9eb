/*
 * Products: ours against plain cblas_sgemm, in turns, medians, ratios.
 *
 *     kern [-j THREADS] [rows|free] [BACKEND] [bf16] [alone] [SHAPE]
 *
 * Shapes are SmolLM2-135M's.  Weights are cold: as many copies as do not fit the last
 * cache are gone through in turn, as a model's layers are.  Prints one line per shape
 * and number of rows: GFLOP/s of ours, of OpenBLAS with as many threads, ours / theirs.
 * With bf16 ours round both operands; OpenBLAS's are float32's.  With `alone` OpenBLAS is left
 * out, with a shape's name the others.
 */
#include "bench.h"
#include "kern/gemm.h"

#include <cblas.h>
#include <string.h>

enum { TURNS = 7, COLD_BYTES = 200 << 20 };

struct shape {
    const char *what;
    size_t N, K;
};
static const struct shape shapes[] = {
    {"qkv", 960, 576},   {"out", 576, 576},    {"gate_up", 3072, 576},
    {"down", 576, 1536}, {"head", 49152, 576},
};

/* One shape with its copies. */
struct bench {
    struct kern *k;
    int threads, alone;
    size_t M, N, K, copies;
    float *W, *mem, *x, *y;
    struct gemm_weight *w;
};

static void run_ours(struct bench *b)
{
    for (size_t c = 0; c < b->copies; c++)
        gemm_rows(b->k, b->y, b->N, b->x, b->K, b->M, b->w + c);
}

static void run_ours_free(struct bench *b)
{
    for (size_t c = 0; c < b->copies; c++)
        gemm_nt(b->k, b->y, b->N, b->x, b->K, b->W + c * b->N * b->K, b->K, b->M, b->N,
                b->K, 0);
}

static void run_blas(struct bench *b)
{
    openblas_set_num_threads(b->threads);
    for (size_t c = 0; c < b->copies; c++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)b->M, (int)b->N,
                    (int)b->K, 1, b->x, (int)b->K, b->W + c * b->N * b->K, (int)b->K, 0,
                    b->y, (int)b->N);
    openblas_set_num_threads(1);
}

static double rate(struct bench *b, void (*run)(struct bench *))
{
    const double t = now(b->threads);

    run(b);
    return 2e-9 * (double)(b->M * b->N * b->K * b->copies) / (now(b->threads) - t);
}

static void measure(struct bench *b, const char *what, void (*run)(struct bench *))
{
    double ours[TURNS], blas[TURNS], ratio[TURNS];

    run(b);
    for (int t = 0; t < TURNS; t++) {
        ours[t] = rate(b, run);
        blas[t] = b->alone ? ours[t] : rate(b, run_blas);
        ratio[t] = ours[t] / blas[t];
    }
    printf("%-8s %5zu x %5zu %5zu rows  %7.1f", what, b->N, b->K, b->M,
           median(ours, TURNS));
    if (!b->alone)
        printf("  %7.1f  %5.2f", median(blas, TURNS), median(ratio, TURNS));
    printf("\n");
    fflush(stdout);
}

static void bench_shape(struct kern *k, int threads, const struct shape *s, int rows,
                        int alone)
{
    static const size_t few[] = {1, 8, 32, 128}, many[] = {128, 512, 2048};
    struct bench b = {.k = k, .threads = threads, .alone = alone, .N = s->N, .K = s->K};
    struct err e = {0};
    const size_t bytes = gemm_pack_bytes(k, s->N, s->K, kern_dtype(k));

    b.copies = COLD_BYTES / (s->N * s->K * sizeof(float)) + 1;
    b.W = some(b.copies * s->N * s->K);
    b.mem = bytes && rows ? some(b.copies * bytes / sizeof(float)) : NULL;
    b.x = some(2048 * s->K);
    b.y = some(2048 * s->N);
    b.w = calloc(b.copies, sizeof *b.w);
    for (size_t c = 0; rows && c < b.copies; c++)
        if (gemm_pack(b.w + c, k, b.mem ? (char *)b.mem + c * bytes : NULL,
                      b.W + c * s->N * s->K, s->K, s->N, s->K, kern_dtype(k), &e) < 0)
            die("kern", &e);
    for (size_t i = 0; i < (rows ? 4 : 3); i++) {
        b.M = rows ? few[i] : many[i];
        if (!rows && (b.copies = (size_t)2e9 / (b.M * s->N * s->K) + 1) * s->N * s->K >
                         COLD_BYTES / sizeof(float))
            b.copies = COLD_BYTES / (s->N * s->K * sizeof(float)) + 1;
        measure(&b, s->what, rows ? run_ours : run_ours_free);
    }
    for (size_t c = 0; c < (rows ? b.copies : 0); c++)
        gemm_weight_release(b.w + c);
    free(b.w);
    free(b.y);
    free(b.x);
    free(b.mem);
    free(b.W);
}

int main(int argc, char **argv)
{
    struct kern_opts o = {0};
    struct par *par;
    struct kern *k;
    struct err e = {0};
    const char *only = NULL;
    int rows = 1, threads = 2, alone = 0;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "free") == 0)
            rows = 0;
        else if (strcmp(argv[i], "openblas") == 0)
            o.backend = KERN_OPENBLAS;
        else if (strcmp(argv[i], "avx2") == 0)
            o.isa = ISA_AVX2;
        else if (strcmp(argv[i], "bf16") == 0)
            o = (struct kern_opts){
                .dtype = KERN_BF16, .round = KERN_ROUND_BOTH, .isa = o.isa};
        else if (strcmp(argv[i], "alone") == 0)
            alone = 1;
        else if (strcmp(argv[i], "-j") == 0 && i + 1 < argc)
            threads = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "rows") != 0)
            only = argv[i];
    if (par_new(&par, (size_t)threads, &e) < 0 || kern_new(&k, par, &o, &e) < 0)
        die("kern", &e);
    printf("# %s, %d threads, %s: GFLOP/s of ours, of cblas_sgemm, ratio\n",
           kern_name(k), threads,
           rows ? "batch-invariant, weights cold" : "free order");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        if (!only || strcmp(only, shapes[s].what) == 0)
            bench_shape(k, threads, shapes + s, rows, alone);
    kern_free(k);
    par_free(par);
    return 0;
}
