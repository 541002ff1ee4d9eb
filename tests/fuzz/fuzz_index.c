/* Any bytes as model.safetensors.index.json, beside two good shards. */
#include "io/safetensors.h"
#include "io/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void put(const char *dir, const char *name, const void *data, size_t size)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const names[] = {"a", "b"};
    struct safetensors st;
    struct err e = {0};
    char dir[] = "/dev/shm/cagsr-fuzz-XXXXXX";

    if (!mkdtemp(dir))
        abort();
    for (int i = 0; i < 2; i++) {
        char file[128] = {0}, name[32];
        const int n = snprintf(
            file + 8, 100,
            "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            names[i]);

        file[0] = (char)n;
        snprintf(name, sizeof name, "%s.safetensors", names[i]);
        put(dir, name, file, 8 + (size_t)n + 4);
    }
    put(dir, "model.safetensors.index.json", data, size);
    if (safetensors_open(&st, dir, &e) < 0 && !e.text[0])
        abort();
    safetensors_close(&st);
    (void)!tree_remove(dir, NULL);
    return 0;
}
