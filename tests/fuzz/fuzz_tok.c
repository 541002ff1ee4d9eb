/* Any bytes as tokenizer.json.  The law: what opens encodes text, and its ids decode. */
#include "io/tree.h"
#include "tok/tok.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* A directory of this process, gone with the machine's memory. */
static void make_model(char dir[64], const unsigned char *data, size_t size)
{
    char path[96];
    FILE *f;

    snprintf(dir, 64, "/dev/shm/cagsr-fuzz-XXXXXX");
    if (!mkdtemp(dir))
        abort();
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct tok *t = NULL;
    struct err e = {0};
    char dir[64];

    make_model(dir, data, size);
    if (tok_open(&t, dir, &e) < 0 && !e.text[0])
        abort();
    tok_close(t);
    (void)!tree_remove(dir, NULL);
    return 0;
}
