/* Any bytes as tokenizer.json.  The laws: use_tok.h. */
#include "use_tok.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct tok *t = NULL;
    struct err e = {0};

    fuzz_file("tokenizer.json", data, size);
    if (fuzz_said(tok_open(&t, fuzz_dir(), &e), &e) >= 0 && t)
        use_tok(t);
    tok_close(t);
    return 0;
}
