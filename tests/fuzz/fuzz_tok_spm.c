/* Any bytes as tokenizer.model, a SentencePiece model, with a tokenizer_config.json before
 * it, 0xff between them.  The laws: use_tok.h. */
#include "use_tok.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct tok *t = NULL;
    struct err e = {0};
    size_t n;
    const unsigned char *config = fuzz_part(&data, &size, &n);

    fuzz_file("tokenizer_config.json", n ? (const void *)config : "{}", n ? n : 2);
    fuzz_file("tokenizer.model", data, size);
    if (fuzz_said(tok_open(&t, fuzz_dir(), &e), &e) >= 0 && t)
        use_tok(t);
    tok_close(t);
    return 0;
}
