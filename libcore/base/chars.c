#include "base/chars.h"

#include <utf8proc.h>

enum { JOINER = 0x200d };

static int is_unsafe(int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);

    return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CS ||
           k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CN ||
           k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP ||
           (k == UTF8PROC_CATEGORY_CF && c != JOINER);
}

size_t chars_next(int32_t *code, unsigned *columns, const char *s, size_t n)
{
    const utf8proc_ssize_t k =
        utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, code);

    *columns = 1;
    if (k <= 0 || is_unsafe(*code)) {
        *code = CHARS_UNSAFE;
        return k <= 0 ? 1 : (size_t)k;
    }
    const int w = utf8proc_charwidth(*code);
    *columns = w > 0 ? (unsigned)w : 0;
    return (size_t)k;
}

size_t chars_columns(const char *s, size_t n)
{
    size_t sum = 0;
    unsigned columns;
    int32_t code;

    for (size_t i = 0; i < n; sum += columns)
        i += chars_next(&code, &columns, s + i, n - i);
    return sum;
}
