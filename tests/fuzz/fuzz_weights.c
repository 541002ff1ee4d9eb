/* Any bytes as cagsr-reward's --weights and --lambda, 0xff between them.  The law: weights
 * that are taken are numbers. */
#include "../../tools/cagsr-reward/run.h"
#include "fuzz.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct terms t = {0};
    struct run r = {0};
    struct err e = {0};
    char *weights = fuzz_text(&data, &size), *lambda = fuzz_text(&data, &size);

    if (terms_begin(&t, METHOD_F12, &scales_built_in, &e) < 0)
        abort();
    if (fuzz_said(terms_weigh(&t, weights, &scales_built_in, &e), &e) >= 0)
        for (size_t i = 0; i < t.n; i++)
            fuzz_law(isfinite(t.term[i].weight));
    terms_release(&t);
    e = (struct err){0};
    if (fuzz_said(turns_lambda(&r, lambda, .9, &e), &e) >= 0)
        for (size_t i = 0; i < r.lambda_n; i++)
            fuzz_law(r.lambda_list[i] >= 0);
    free(r.lambda_list);
    free(weights);
    free(lambda);
    return 0;
}
