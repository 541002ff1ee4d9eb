/* Any bytes as a GGUF file.  The law: what opens can be read to its last byte, metadata
 * and values. */
#include "io/gguf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void read_key(const struct gguf *g, const char *key)
{
    struct gguf_str s;
    struct gguf_array a;
    size_t u;
    double d;
    int64_t v;
    int b;

    if (gguf_get_str(&s, g, key, NULL) > 0 && s.n > 0 && memchr(s.s, 1, s.n) == s.s)
        return;
    (void)!gguf_get_size(&u, g, key, 0, SIZE_MAX, NULL);
    (void)!gguf_get_double(&d, g, key, NULL);
    (void)!gguf_get_bool(&b, g, key, NULL);
    if (gguf_get_array(&a, g, key, GGUF_STRING, NULL) > 0)
        while (gguf_next_str(&a, &s))
            if (s.n > 0 && s.s[s.n - 1] == s.s[0])
                continue;
    if (gguf_get_array(&a, g, key, GGUF_I32, NULL) > 0)
        while (gguf_next_int(&a, &v))
            ;
    if (gguf_get_array(&a, g, key, GGUF_F32, NULL) > 0)
        while (gguf_next_double(&a, &d))
            ;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct gguf g;
    struct err e = {0};

    if (gguf_open_mem(&g, "fuzz", data, size, &e) < 0) {
        if (!e.text[0] || g.tensors)
            abort();
        return 0;
    }
    for (size_t i = 0; i < g.nkv; i++) {
        char *key = strndup(g.kv[i].key.s, g.kv[i].key.n);

        read_key(&g, key);
        free(key);
    }
    for (size_t i = 0; i < g.ntensors; i++) {
        float *x = malloc(g.tensors[i].count * sizeof *x + 1);

        if (x)
            quant_widen(isa_best(), x, g.tensors[i].data, g.tensors[i].type,
                        g.tensors[i].count);
        free(x);
    }
    gguf_close(&g);
    return 0;
}
