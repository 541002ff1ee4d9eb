/*
 * Any bytes as a stream, through the whole of cagsr-view; the first byte chooses the
 * picture.  The laws: it ends with an exit status of the manual; what it drew is UTF-8
 * without control characters but line feeds, and markup has as many '<' as it has '>'.
 */
#define main view_main
#include "../../tools/cagsr-view.c"
#undef main
#include "fuzz.h"

#include "base/file.h"

#include <stdlib.h>

enum { WORDS = 12 };
static const char *const choices[][WORDS] = {
    {"-n", "3", "-a", "--width", "50", NULL},
    {"-T", "1", "--share", "-w", NULL},
    {"-l", "1", "--head", "1", "--over", "mean", "--allow-truncated", NULL},
    {"-s", NULL},
    {"-s", "-w", "-l", "0", "--allow-truncated", NULL},
    {"-s", "-p", "reward", NULL},
    {"-s", "-p", "curves", "--allow-truncated", NULL},
    {"-H", "--allow-truncated", NULL},
};
enum { CHOICES = sizeof choices / sizeof *choices };

static void check_picture(const char *path, int markup)
{
    size_t n, open = 0, closed = 0;
    char *text;
    struct err e;

    if (file_read(&text, &n, path, (size_t)1 << 30, &e) < 0)
        return; /* it failed, and left none */
    fuzz_law(rec_utf8_valid(text, n));
    for (size_t i = 0; i < n; i++) {
        fuzz_law((unsigned char)text[i] >= ' ' || text[i] == '\n');
        open += text[i] == '<';
        closed += text[i] == '>';
    }
    fuzz_law(!markup || open == closed);
    free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *argv[WORDS + 8] = {"cagsr-view", "-q", "-o"}, path[256];
    const char *file;
    int argc = 4;

    if (size == 0)
        return 0;
    file = fuzz_file("stream", data + 1, size - 1);
    snprintf(path, sizeof path, "%s.picture", file);
    unlink(path);
    argv[3] = path;
    for (const char *const *word = choices[data[0] % CHOICES]; *word; word++)
        argv[argc++] = (char *)(uintptr_t)*word;
    argv[argc++] = (char *)(uintptr_t)file;
    fuzz_silence(1);
    const int status = view_main(argc, argv);
    fuzz_silence(0);
    fuzz_law(status >= 0 && status <= 5);
    check_picture(path, data[0] % CHOICES > 2 && data[0] % CHOICES != 7);
    return 0;
}
