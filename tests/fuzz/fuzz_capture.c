/* Any bytes as --layers, and as the file that --heads names, 0xff between them.  The laws:
 * layers that are taken are the model's; weights of heads add up to 1. */
#include "fuzz.h"
#include "model/capture.h"
#include "model/model.h"

#include <math.h>

static const struct model *tiny(void)
{
    static struct kern *k;
    static struct model *m;

    if (!m && (kern_new(&k, NULL, NULL, NULL) < 0 ||
               model_open(&m, "tests/golden/llama-tiny", k, MODEL_COMPUTE, NULL) < 0))
        abort();
    return m;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const struct model *m = tiny();
    struct capture_spec s;
    struct err e = {0};
    char *layers = fuzz_text(&data, &size);
    const char *heads = fuzz_file("heads", data, size);

    if (fuzz_said(capture_spec_parse(&s, m, layers, size ? heads : NULL, NULL, &e),
                  &e) >= 0) {
        double sum = 0;

        fuzz_law(s.from < s.to && s.to <= m->arch.L);
        for (size_t i = 0; s.weights && i < (s.to - s.from) * m->arch.H; i++)
            sum += s.weights[i];
        fuzz_law(!s.weights || fabs(sum - 1) < 1e-5);
        capture_spec_release(&s);
    }
    free(layers);
    return 0;
}
