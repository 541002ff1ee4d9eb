/* Any bytes as tokenizer.json.  The laws: what opens encodes text, offsets never fall and
 * stay in it, and its ids decode to UTF-8. */
#include "io/tree.h"
#include "tok/tok.h"
#include "tok/utf8.h"

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

static void use(struct tok *t)
{
    static const char text[] = "ab <x> a\tb 12 \303\251e\314\201 \360\237\231\202";
    struct tok_ids ids = {0};
    struct err e = {0};
    char *out;
    size_t n;

    if (tok_encode(t, text, sizeof text - 1, TOK_ADD_SPECIAL, &ids, &e) == 0) {
        for (size_t i = 0; i < ids.n; i++)
            if (ids.end[i] > sizeof text - 1 || (i > 0 && ids.end[i] < ids.end[i - 1]))
                abort();
        if (tok_decode(t, ids.id, ids.n, TOK_SHOW_ALL, &out, &n, &e) < 0 ||
            utf8_valid(out, n) != n)
            abort();
        free(out);
    }
    tok_ids_release(&ids);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct tok *t = NULL;
    struct err e = {0};
    char dir[64];

    make_model(dir, data, size);
    if (tok_open(&t, dir, &e) < 0 && !e.text[0])
        abort();
    if (t)
        use(t);
    tok_close(t);
    (void)!tree_remove(dir, NULL);
    return 0;
}
