/* Any bytes as tokenizer.json.  The laws: use_tok.h; and as GGUF it is written, or refused
 * by a sentence. */
#include "use_tok.h"

static void write_gguf(const struct tok *t)
{
    struct gguf_meta meta = {0};
    struct err e = {0};

    (void)fuzz_said(tok_to_gguf(fuzz_dir(), tok_size(t), &meta, &e), &e);
    fuzz_law(!meta.failed);
    gguf_meta_release(&meta);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct tok *t = NULL;
    struct err e = {0};

    fuzz_file("tokenizer.json", data, size);
    if (fuzz_said(tok_open(&t, fuzz_dir(), &e), &e) >= 0 && t) {
        use_tok(t);
        /* One id far off makes a vocabulary of holes, which takes its time, no more. */
        if (tok_size(t) <= 1 << 16)
            write_gguf(t);
    }
    tok_close(t);
    return 0;
}
