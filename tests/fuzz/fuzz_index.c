/* Any bytes as model.safetensors.index.json, beside two good shards. */
#include "fuzz.h"
#include "io/safetensors.h"

/* One tensor of one float, of that name. */
static void put_shard(const char *name)
{
    char file[128] = {0}, path[32];
    const int n = snprintf(
        file + 8, 100,
        "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", name);

    file[0] = (char)n;
    snprintf(path, sizeof path, "%s.safetensors", name);
    fuzz_file(path, file, 8 + (size_t)n + 4);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct safetensors st;
    struct err e = {0};

    put_shard("a");
    put_shard("b");
    fuzz_file("model.safetensors.index.json", data, size);
    fuzz_said(safetensors_open(&st, fuzz_dir(), &e), &e);
    safetensors_close(&st);
    return 0;
}
