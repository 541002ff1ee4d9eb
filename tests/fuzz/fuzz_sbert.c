/* Any bytes as the JSON files of a sentence-transformers directory, one behind the other
 * with 0xff between.  The law: what is taken is a known way of pooling in a directory
 * inside, and a limit of at least one token. */
#include "fuzz.h"
#include "io/sbert.h"

#include <sys/stat.h>

static void make_pooling_dir(void)
{
    static int made;
    char path[128];

    snprintf(path, sizeof path, "%s/1_Pooling", fuzz_dir());
    if (!made && mkdir(path, 0777) != 0)
        abort();
    made = 1;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const names[] = {
        "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
        "tokenizer_config.json", "config_sentence_transformers.json"};
    struct sbert s;
    struct err e = {0};

    make_pooling_dir();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        const unsigned char *part = fuzz_part(&data, &size, &n);

        if (n)
            fuzz_file(names[i], part, n);
        else /* absent */
            unlink(fuzz_file(names[i], "", 0));
    }
    if (fuzz_said(sbert_read(&s, fuzz_dir(), &e), &e) >= 0)
        fuzz_law(s.pool <= SBERT_LAST && s.max_tokens >= 1 &&
                 strncmp(s.model, fuzz_dir(), strlen(fuzz_dir())) == 0 &&
                 !strstr(s.model, ".."));
    sbert_release(&s);
    return 0;
}
