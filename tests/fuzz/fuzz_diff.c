/*
 * Any bytes as two streams, through the whole of cagsr-diff; the first byte chooses options.
 * The laws: it ends with an exit status of the manual; a table is UTF-8 without control
 * characters but line feeds.
 */
#define main diff_main
#include "../../tools/cagsr-diff.c"
#undef main
#include "fuzz.h"

#include "base/file.h"

enum { WORDS = 8, CHOICES = 4 };
static const char *const choices[CHOICES][WORDS] = {
    {"--width", "50", NULL},
    {"-a", "-s", "attention", "--allow-truncated", NULL},
    {"-F", "tsv", "-n", "9", NULL},
    {"-F", "json", "-s", "text", "--allow-truncated", NULL},
};

static void check_table(const char *path)
{
    size_t n;
    char *text;
    struct err e;

    if (file_read(&text, &n, path, (size_t)1 << 30, &e) < 0)
        return; /* it failed, and left none */
    fuzz_law(rec_utf8_valid(text, n));
    for (size_t i = 0; i < n; i++)
        fuzz_law((unsigned char)text[i] >= ' ' || text[i] == '\n');
    free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *argv[WORDS + 12] = {"cagsr-diff", "-q", "-B", "100", "-o"};
    char path[256], before[128], after[128];
    const unsigned char *part;
    int argc = 6;
    size_t n;

    if (size == 0)
        return 0;
    const unsigned choice = data[0] % CHOICES;
    data++;
    size--;
    part = fuzz_part(&data, &size, &n);
    snprintf(before, sizeof before, "%s", fuzz_file("before", part, n));
    snprintf(after, sizeof after, "%s", size ? fuzz_file("after", data, size) : before);
    snprintf(path, sizeof path, "%s.table", before);
    unlink(path);
    argv[5] = path;
    for (const char *const *word = choices[choice]; *word; word++)
        argv[argc++] = (char *)(uintptr_t)*word;
    argv[argc++] = before;
    argv[argc++] = after;
    fuzz_silence(1);
    const int status = diff_main(argc, argv);
    fuzz_silence(0);
    fuzz_law(status >= 0 && status <= 5);
    if (choice < 2)
        check_table(path);
    return 0;
}
