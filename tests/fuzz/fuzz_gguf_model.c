/* Any bytes as a GGUF file: what it says of the model, and its tokenizer.  The laws: a
 * description that is taken names ids of its vocabulary; a tokenizer, those of use_tok.h. */
#include "arch/arch.h"
#include "io/weights.h"
#include "use_tok.h"

static void describe(const char *path)
{
    struct weights *w = NULL;
    struct arch a = {0};
    struct err e = {0};

    if (fuzz_said(weights_open(&w, path, &e), &e) >= 0 &&
        fuzz_said(arch_read(&a, w, &e), &e) >= 0) {
        fuzz_law(a.V > 0 && a.C > 0 && a.L > 0 && a.stops <= ARCH_STOPS_MAX);
        for (size_t i = 0; i < a.stops; i++)
            fuzz_law(a.stop[i] >= 0 && (size_t)a.stop[i] < a.V);
    }
    weights_close(w);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *path = fuzz_file("model.gguf", data, size);
    struct tok *t = NULL;
    struct err e = {0};

    describe(path);
    if (fuzz_said(tok_open(&t, path, &e), &e) >= 0 && t)
        use_tok(t);
    tok_close(t);
    return 0;
}
