/* Any bytes as generation_config.json beside a good model.  The law: what is taken names
 * ids of the vocabulary only. */
#include "arch/arch.h"
#include "base/file.h"
#include "fuzz.h"
#include "io/weights.h"

/* The tiny model's files, copied once. */
static void copy_model(void)
{
    static const char *const names[] = {"config.json", "model.safetensors"};
    static int done;

    for (size_t i = 0; i < 2 && !done; i++) {
        char from[128], *data;
        size_t n;

        snprintf(from, sizeof from, "tests/golden/llama-tiny/%s", names[i]);
        if (file_read(&data, &n, from, 1 << 24, NULL) < 0)
            abort();
        fuzz_file(names[i], data, n);
        free(data);
    }
    done = 1;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct weights *w = NULL;
    struct arch a = {0};
    struct err e = {0};

    copy_model();
    fuzz_file("generation_config.json", data, size);
    fuzz_law(weights_open(&w, fuzz_dir(), &e) >= 0);
    if (fuzz_said(arch_read(&a, w, &e), &e) >= 0) {
        fuzz_law(a.stops <= ARCH_STOPS_MAX && a.bos >= -1 && a.bos < (int32_t)a.V);
        for (size_t i = 0; i < a.stops; i++)
            fuzz_law(a.stop[i] >= 0 && (size_t)a.stop[i] < a.V);
    }
    weights_close(w);
    return 0;
}
