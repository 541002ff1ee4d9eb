/* The laws of a tokenizer that opened: it encodes text, offsets never fall and stay in it,
 * and its ids decode to UTF-8. */
#ifndef CAGSR_TESTS_USE_TOK_H
#define CAGSR_TESTS_USE_TOK_H

#include "fuzz.h"
#include "tok/tok.h"
#include "tok/utf8.h"

static inline void use_tok(struct tok *t)
{
    static const char text[] =
        "ab <x> <|endoftext|> a\tb 12 \303\251e\314\201 \360\237\231\202";
    struct tok_ids ids = {0};
    struct err e = {0};
    char *out;
    size_t n;

    if (fuzz_said(tok_encode(t, text, sizeof text - 1, TOK_ADD_SPECIAL, &ids, &e),
                  &e) == 0) {
        for (size_t i = 0; i < ids.n; i++)
            fuzz_law(ids.end[i] < sizeof text &&
                     (i == 0 || ids.end[i] >= ids.end[i - 1]));
        fuzz_law(tok_decode(t, ids.id, ids.n, TOK_SHOW_ALL, &out, &n, &e) >= 0);
        fuzz_law(utf8_valid(out, n) == n);
        free(out);
    }
    tok_ids_release(&ids);
}

#endif
