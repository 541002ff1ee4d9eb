#include "tsv.h"

#include "rec/buf.h"
#include "rec/json.h"

#include <math.h>
#include <string.h>

static void put_text(struct rec_buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        const char *known = c == '\\'   ? "\\\\"
                            : c == '\t' ? "\\t"
                            : c == '\n' ? "\\n"
                            : c == '\r' ? "\\r"
                                        : NULL;
        const int c1 =
            c == 0xc2 && i + 1 < n && ((unsigned char)s[i + 1] & 0xe0) == 0x80;

        if (known)
            rec_buf_str(out, known);
        else if (c < 0x20 || c == 0x7f || c1)
            rec_buf_printf(out, "\\x%02x", c1 ? (unsigned char)s[++i] : c);
        else
            rec_buf_add(out, s + i, 1);
    }
}

static void put_cell(struct rec_buf *out, struct rec_value v, const char *path)
{
    struct rec_str s;
    double d;

    if (rec_value_type(v) <= REC_NIL)
        return;
    if (rec_value_str(&s, v) == 0 && rec_utf8_valid(s.s, s.n))
        put_text(out, s.s, s.n);
    else if (rec_value_f64(&d, v) == 0 && !isfinite(d))
        rec_buf_str(out, isnan(d) ? "nan" : d > 0 ? "inf" : "-inf");
    else
        rec_json_value(out, v, path, REC_JSON_PLAIN);
}

void tsv_names(struct rec_buf *out, const struct select *s)
{
    for (size_t i = 0; i < s->n; i++) {
        rec_buf_str(out, i ? "\t" : "");
        put_text(out, s->path[i], strlen(s->path[i]));
    }
    rec_buf_str(out, "\n");
}

void tsv_line(struct rec_buf *out, const struct select *s, const struct rec *r)
{
    for (size_t i = 0; i < s->n; i++) {
        rec_buf_str(out, i ? "\t" : "");
        put_cell(out, select_find(r, s->path[i]), s->path[i]);
    }
    rec_buf_str(out, "\n");
}
