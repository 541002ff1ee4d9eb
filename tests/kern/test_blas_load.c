/* OpenBLAS is there when it is asked for, and what cannot be it is refused with a sentence. */
#include "kern/blas_load.h"

#include <criterion/criterion.h>
#include <string.h>

Test(blas_load, multiplies)
{
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, want[] = {19, 22, 43, 50};
    float c[4] = {0};
    struct blas blas;
    struct err e = {0};

    cr_assert_eq(blas_load(&blas, blas_file, &e), 0, "%s", e.text);
    blas.set_num_threads(1);
    blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 2, 1, a, 2, b, 2, 0, c,
               2);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(c[i], want[i]);
    blas_unload(&blas);
    cr_expect_null(blas.handle);
    blas_unload(&blas);
}

/* Refused with a sentence in which `word` stands. */
static void expect_refused(const char *file, const char *word)
{
    struct blas blas;
    struct err e = {0};

    cr_expect_eq(blas_load(&blas, file, &e), ERR_FILE);
    cr_expect(strstr(e.text, word) != NULL, "%s", e.text);
    cr_expect_null(blas.handle);
}

Test(blas_load, is_not_there)
{
    expect_refused("libno-such-blas.so", "libno-such-blas.so");
}

Test(blas_load, is_something_else)
{
    expect_refused("libxxhash.so.0", "cblas_sgemm");
}
