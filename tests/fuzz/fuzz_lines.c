/*
 * Any bytes as a file of prompts: JSON lines, one JSON array, a stream, or, if the first
 * byte is odd, plain text; through the tokenizer and chat template of a golden model.  The
 * laws: a prompt has tokens, its offsets never fall and stay in its text; an answer that a
 * record has is a text.
 */
#include "../../tools/cagsr-sample/source.h"
#include "fuzz.h"

static struct chat *golden_chat(void)
{
    static struct chat c;
    static struct tok *t;
    struct err e = {0};

    if (!t && (tok_open(&t, "examples/tiny-qa/model", &e) < 0 ||
               chat_open(&c, t, CHAT_TEMPLATE, NULL, &e) < 0))
        abort();
    return &c;
}

/* As data sets have it, in a field of its own. */
static void check_answer(const struct rec *r)
{
    static struct rendered before;
    struct rec_str answer;
    struct err e = {0};
    const int rc = chat_answer(golden_chat(), r, "chosen", &before, &answer, &e);

    fuzz_said(rc, &e);
    fuzz_law(rc <= 0 || (answer.s && answer.s[answer.n] == '\0'));
    free((char *)answer.s);
}

static void check(const struct prompt *p)
{
    if (p->kind == PROMPT_OTHER)
        return;
    fuzz_law(p->P > 0 && p->id[0]);
    check_answer(&p->rec);
    for (size_t i = 0; i < p->P; i++)
        fuzz_law(p->ends[i] <= p->ntext && (i == 0 || p->ends[i] >= p->ends[i - 1]));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const size_t skip = size > 0;
    const char *path = fuzz_file("prompts", data + skip, size - skip);
    struct source_opts o = {.form = skip && data[0] & 1 ? SOURCE_TEXT : SOURCE_RECORDS,
                            .files = &path,
                            .nfiles = 1,
                            .limits = {.max_record = 1 << 20},
                            .shards = 1};
    struct source *s = NULL;
    struct prompt *p;
    struct err e = {0};
    int rc = source_new(&s, &o, golden_chat(), &e);

    while (rc >= 0 && (rc = source_next(s, &p, &e)) > 0) {
        check(p);
        prompt_free(p);
    }
    fuzz_said(rc, &e);
    source_free(s);
    return 0;
}
