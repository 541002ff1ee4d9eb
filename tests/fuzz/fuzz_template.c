/*
 * Any bytes as a chat template: refused with a sentence, or it renders.
 */
#include "tok/template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct chat_message m[] = {
        {"system", "s", 1}, {"user", " u ", 3}, {"assistant", "a", 1}, {"user", "", 0}};
    char *source = malloc(size + 1);
    struct template *tm;
    struct rendered r = {0};
    struct err e = {0};

    memcpy(source, data, size);
    source[size] = '\0';
    if (template_open(&tm, source, "file", &e) == 0) {
        for (size_t from = 0; from < 4; from++)
            for (size_t n = 0; from + n <= 4; n++)
                (void)!template_render(tm, m + from, n, TEMPLATE_ASK, "<s>", "</s>", &r,
                                       &e);
        template_close(tm);
    } else if (!e.text[0]) {
        abort();
    }
    rendered_release(&r);
    free(source);
    return 0;
}
