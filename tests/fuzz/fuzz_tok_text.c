/*
 * Any bytes as text, and as ids.  The first byte chooses one of the golden tokenizers
 * (run from the top of the source tree).
 *
 * Laws: text that is not UTF-8 is refused; offsets never fall and stay in it; what a
 * byte-level tokenizer without normalizer encodes and decodes is the same text, and
 * offsets end with it; ids decode to UTF-8.
 */
#include "tok/tok.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { EXACT = 3, KINDS = 8 }; /* the first ones lose nothing */

static struct tok *open_kind(size_t k)
{
    static const char *const dirs[KINDS] = {
        "tests/golden/tok/gpt2-style",    "tests/golden/tok/llama3-style",
        "tests/golden/tok/smollm2-style", "tests/golden/tok/qwen2-style",
        "tests/golden/tok/t5-style",      "tests/golden/tok/llama2-style",
        "tests/golden/tok/spm-plain",     "tests/golden/tok/wordpiece"};
    static struct tok *open[KINDS];

    if (!open[k] && tok_open(&open[k], dirs[k], NULL) < 0)
        abort();
    return open[k];
}

static void as_text(struct tok *t, size_t kind, const char *text, size_t n)
{
    struct tok_ids ids = {0};
    struct err e = {0};
    char *out;
    size_t len;

    if (tok_encode(t, text, n, TOK_ADD_NONE, &ids, &e) < 0) {
        if (utf8_valid(text, n) == n)
            abort();
    } else {
        for (size_t i = 1; i < ids.n; i++)
            if (ids.end[i] < ids.end[i - 1])
                abort();
        if (ids.n && ids.end[ids.n - 1] > n)
            abort();
        if (kind < EXACT && (ids.n ? ids.end[ids.n - 1] != n : n > 0))
            abort();
        if (tok_decode(t, ids.id, ids.n, TOK_SHOW_ALL, &out, &len, &e) < 0)
            abort();
        if (kind < EXACT && (len != n || memcmp(out, text, n) != 0))
            abort();
        free(out);
    }
    tok_ids_release(&ids);
}

static void as_ids(struct tok *t, const unsigned char *data, size_t n)
{
    int32_t *id = malloc((n + 1) * sizeof *id);
    struct err e = {0};
    char *out;
    size_t len;

    for (size_t i = 0; i < n; i++)
        id[i] = data[i] * (i % 5 == 4 ? 7 : 1) - (data[i] == 255);
    if (tok_decode(t, id, n, TOK_SKIP_SPECIAL, &out, &len, &e) < 0 ||
        utf8_valid(out, len) != len)
        abort();
    free(out);
    free(id);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    const size_t kind = data[0] % KINDS;
    struct tok *t = open_kind(kind);

    as_text(t, kind, (const char *)data + 1, size - 1);
    as_ids(t, data + 1, size - 1);
    return 0;
}
