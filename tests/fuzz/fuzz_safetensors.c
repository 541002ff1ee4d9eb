/* Any bytes as a safetensors file.  The law: what opens can be read to its last byte. */
#include "io/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct safetensors st;
    struct err e = {0};

    if (safetensors_open_mem(&st, "fuzz", data, size, &e) < 0) {
        if (!e.text[0] || st.entries)
            abort();
        return 0;
    }
    for (size_t i = 0; i < st.n; i++) {
        const struct st_entry *t = &st.entries[i];
        float *x = malloc(t->count * sizeof *x + 1);

        if (x)
            (void)dtype_widen(x, t->data, t->dtype, t->count);
        free(x);
        if (safetensors_find(&st, t->name) != t)
            abort();
    }
    safetensors_close(&st);
    return 0;
}
