/* Any record as a sample to be corrupted, the first byte being the seed.  The law: what is
 * made is a sample again, and differs from the one it was made of. */
#include "../../tools/cagsr-audit/audit.h"
#include "fuzz.h"

enum {
    NEED = SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS,
    WANT = SAMPLE_CAND | SAMPLE_TEXT | SAMPLE_ENDS | SAMPLE_FINISH | SAMPLE_PROMPT |
           SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK
};

static void corrupt(const struct corruption *k, struct made *m,
                    const struct sample *own, uint64_t seed)
{
    const struct material from = {.own = own, .other = own, .seed = seed, .end = 2};
    struct sample again = {0};
    struct rec copy = {0};
    struct err e = {0};

    if (k->make(m, &from, &e) > 0 && rec_copy(&copy, own->rec, &e) == 0 &&
        made_write(&copy, m, &from, k->name, 7)) {
        fuzz_law(sample_read(&again, &copy, NEED, WANT, &e) == 0);
        fuzz_law(again.cand == 7);
    }
    sample_release(&again);
    rec_release(&copy);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct rec r = {0};
    struct rec_buf text = {0};
    struct sample s = {0};
    struct made *m = NULL;
    struct err e = {0};
    int rc;

    if (size < 1)
        return 0;
    rc = data[1 < size] == '{'
             ? rec_json_parse(&text, (const char *)data + 1, size - 1, &e)
             : -1;
    rc = rc < 0 ? rec_parse(&r, data + 1, size - 1, &e)
                : rec_parse(&r, text.p, text.n, &e);
    if (rc == 0 && sample_read(&s, &r, NEED, WANT, &e) == 0 && made_new(&m, &e) == 0)
        for (size_t k = 0; corruptions[k].name; k++)
            corrupt(&corruptions[k], m, &s, data[0]);
    made_free(m);
    sample_release(&s);
    rec_release(&r);
    free(text.p);
    return 0;
}
