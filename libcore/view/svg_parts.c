#include "view/svg_parts.h"

#include "view/escape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double svg_width(size_t columns)
{
    return 7.2 * (double)columns;
}

/* Shades go from the paper to orange, the same way as on a terminal. */
static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,'DejaVu Sans',Arial,sans-serif;white-space:pre}\n"
    ".t{fill:#1b1b1b}.m{fill:#5a5a5a}.b{font-weight:bold}.i{font-style:italic}\n"
    ".h{font-size:15px}.s{font-size:11px}\n"
    ".p{fill:#fff}.x{stroke:#5a5a5a;fill:none}.g{stroke:#ddd;fill:none}\n"
    ".z{stroke:#1b1b1b;fill:none}\n"
    ".l1{fill:#feeee2}.l2{fill:#fddcc4}.l3{fill:#fbc9a4}.l4{fill:#f8b381}.l5{fill:#"
    "f39a5c}\n"
    ".l6{fill:#ea8036}.l7{fill:#d86516}.l8{fill:#b84c05}.l9{fill:#8f3800}\n"
    "@media(prefers-color-scheme:dark){\n"
    ".t{fill:#e8e8e8}.m{fill:#a8a8a8}.p{fill:#161616}.x{stroke:#a8a8a8}.g{stroke:#"
    "383838}\n"
    ".z{stroke:#e8e8e8}\n"
    ".l1{fill:#2b211a}.l2{fill:#41301f}.l3{fill:#5a3f22}.l4{fill:#754f24}.l5{fill:#"
    "926025}\n"
    ".l6{fill:#b07224}.l7{fill:#cd8626}.l8{fill:#e89e35}.l9{fill:#ffc163}}\n"
    "</style>\n";

void svg_begin(struct rec_buf *out, double w, double h, const char *title,
               const char *what)
{
    rec_buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
        "width=\"%.0f\" height=\"%.0f\" role=\"img\">\n<title>",
        w, h, w, h);
    escape_xml(out, title, strlen(title));
    rec_buf_str(out, "</title>\n<desc>");
    escape_xml(out, what, strlen(what));
    rec_buf_str(out, "</desc>\n");
    rec_buf_str(out, style);
    rec_buf_printf(out, "<rect class=\"p\" width=\"%.0f\" height=\"%.0f\"/>\n", w, h);
}

void svg_text(struct rec_buf *out, double x, double y, const char *class,
              const char *anchor, struct rec_str text)
{
    rec_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\"", x, y, class);
    if (strcmp(anchor, "start") != 0)
        rec_buf_printf(out, " text-anchor=\"%s\"", anchor);
    rec_buf_str(out, ">");
    escape_xml(out, text.s, text.n);
    rec_buf_str(out, "</text>\n");
}

void svg_str(struct rec_buf *out, double x, double y, const char *class,
             const char *anchor, const char *text)
{
    svg_text(out, x, y, class, anchor, (struct rec_str){text, strlen(text)});
}

int svg_level(double w, double top)
{
    const double x = top > 0 ? w / top : 0;

    return x >= 1 ? SVG_LEVELS : x > 0 ? (int)lround(SVG_LEVELS * sqrt(x)) : 0;
}

struct svg_ticks svg_ticks(double lo, double hi, size_t n)
{
    const double raw = (hi - lo) / (double)n, power = pow(10, floor(log10(raw))),
                 m = raw / power,
                 step = power * (m <= 1   ? 1
                                 : m <= 2 ? 2
                                 : m <= 5 ? 5
                                          : 10);
    const double first = step * ceil(lo / step - 1e-9);

    return (struct svg_ticks){first, step,
                              1 + (size_t)floor((hi - first) / step + 1e-9)};
}

void svg_number(char out[32], double x, double step)
{
    const int digits = (int)fmax(0, -floor(log10(step) + 1e-9));

    if (fabs(x) < step / 2)
        x = 0; /* not -0 */
    if (digits > 6 || fabs(x) >= 1e7)
        snprintf(out, 32, "%.3g", x);
    else
        snprintf(out, 32, "%.*f", digits, x);
}
