/* Any bytes as vocab.json, merges.txt and tokenizer_config.json, 0xff between them.  The
 * laws: use_tok.h. */
#include "use_tok.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const names[] = {"vocab.json", "merges.txt",
                                        "tokenizer_config.json"};
    struct tok *t = NULL;
    struct err e = {0};

    for (size_t i = 0; i < 3; i++) {
        size_t n;
        const unsigned char *part = fuzz_part(&data, &size, &n);

        fuzz_file(names[i], part, n);
    }
    if (fuzz_said(tok_open(&t, fuzz_dir(), &e), &e) >= 0 && t)
        use_tok(t);
    tok_close(t);
    return 0;
}
