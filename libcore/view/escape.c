#include "view/escape.h"

#include "base/chars.h"

#include <stdint.h>

void escape_xml(struct rec_buf *out, const char *s, size_t n)
{
    static const struct {
        int32_t code;
        const char *entity;
    } entities[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"},
    };
    unsigned columns;
    int32_t code;

    for (size_t i = 0, k; i < n; i += k) {
        size_t x = 0;

        k = chars_next(&code, &columns, s + i, n - i);
        while (x < sizeof entities / sizeof *entities && entities[x].code != code)
            x++;
        if (x < sizeof entities / sizeof *entities)
            rec_buf_str(out, entities[x].entity);
        else if (code != CHARS_UNSAFE)
            rec_buf_add(out, s + i, k);
        else
            rec_buf_str(out, s[i] == '\n'   ? "\xe2\x8f\x8e"
                             : s[i] == '\t' ? " "
                                            : CHARS_DOT);
    }
}

void escape_json(struct rec_buf *out, const char *s, size_t n)
{
    unsigned columns;
    int32_t code;

    rec_buf_str(out, "\"");
    for (size_t i = 0, k; i < n; i += k) {
        k = chars_next(&code, &columns, s + i, n - i);
        if (code == CHARS_UNSAFE)
            rec_buf_str(out, s[i] == '\n' ? "\\n" : s[i] == '\t' ? "\\t" : CHARS_DOT);
        else if (code == '<' || code == '>' || code == '&')
            rec_buf_printf(out, "\\u%04x", (unsigned)code);
        else if (code == '"' || code == '\\')
            rec_buf_printf(out, "\\%c", (char)code);
        else
            rec_buf_add(out, s + i, k);
    }
    rec_buf_str(out, "\"");
}
