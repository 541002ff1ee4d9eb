/* Laws of what draws: text that is only seen, lines that fit, ticks, curves. */
#include "base/chars.h"
#include "base/json.h"
#include "rec/json.h"
#include "view/curves.h"
#include "view/escape.h"
#include "view/paint.h"
#include "view/svg_parts.h"
#include "view/table.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a model may write to do harm, or by accident. */
static const char *const texts[] = {
    "",
    "plain words of text",
    "</script><script>alert(1)</script>",
    "<!-- ]]> \"quotes\" 'and' & \\ back\\slash",
    "\033[31mred\033]0;title\007\x9b 31m",
    "a\nb\r\n\tc\v\f",
    "\xe2\x80\xae"
    "gnirts \xe2\x80\xa8\xe2\x80\xa9 \xe2\x81\xa6x",
    "\xc3\xa9\xc3 \xff\xfe \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80",
    "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 "
    "e\xcc\x81 \xf0\x9f\x98\x80",
    "averyveryveryveryveryveryveryveryveryveryveryveryverylongword  and   blanks ",
};
enum { TEXTS = sizeof texts / sizeof *texts };

/* ---- text ------------------------------------------------------------------------------ */
/* A JSON string that holds no markup reads back as the text with its dots. */
Test(chars, json_is_the_text)
{
    for (size_t i = 0; i < TEXTS; i++) {
        struct rec_buf json = {0}, want = {0};
        struct err e = {0};
        unsigned columns;
        int32_t code;
        json_t *v;

        for (size_t at = 0, n = strlen(texts[i]), k; at < n; at += k) {
            k = chars_next(&code, &columns, texts[i] + at, n - at);
            if (code == CHARS_UNSAFE && texts[i][at] != '\n' && texts[i][at] != '\t')
                rec_buf_str(&want, CHARS_DOT);
            else
                rec_buf_add(&want, texts[i] + at, k);
        }
        rec_buf_str(&json, "[");
        escape_json(&json, texts[i], strlen(texts[i]));
        rec_buf_str(&json, "]");
        cr_expect(!memchr(json.p, '<', json.n), "text %zu", i);
        cr_assert_eq(json_read_mem(&v, "test", (char *)json.p, json.n, &e), 0,
                     "text %zu: %s", i, e.text);
        const json_t *s = json_array_get(v, 0);
        cr_expect(
            json_string_length(s) == want.n &&
                (want.n == 0 || memcmp(json_string_value(s), want.p, want.n) == 0),
            "text %zu", i);
        json_decref(v);
        rec_buf_release(&json);
        rec_buf_release(&want);
    }
}

/* No byte of XML's own, no control, UTF-8 throughout. */
Test(chars, xml_is_text)
{
    for (size_t i = 0; i < TEXTS; i++) {
        struct rec_buf out = {0};

        escape_xml(&out, texts[i], strlen(texts[i]));
        cr_expect(rec_utf8_valid((char *)out.p, out.n), "text %zu", i);
        for (size_t k = 0; k < out.n; k++)
            cr_expect(out.p[k] >= ' ' && !strchr("<>\"'", out.p[k]) &&
                          (out.p[k] != '&' || memchr(out.p + k, ';', out.n - k)),
                      "text %zu, byte %zu", i, k);
        rec_buf_release(&out);
    }
}

/* ---- lines ----------------------------------------------------------------------------- */
TheoryDataPoints(flow, fits) = {
    DataPoints(size_t, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    DataPoints(size_t, 12, 20, 41, 200),
    DataPoints(size_t, 0, 4, 10),
};
/* Plain: no line is wider than the width, nothing but text comes through, and nothing of
 * it is lost except blanks. */
Theory((size_t i, size_t width, size_t indent), flow, fits)
{
    struct rec_buf out = {0}, dots = {0};
    struct flow f = {.out = &out, .width = width, .indent = indent};
    const size_t n = strlen(texts[i]);
    unsigned columns;
    int32_t code;

    flow_begin(&f, "");
    flow_text(&f, texts[i], n, (struct paint){0});
    flow_end(&f);
    flow_release(&f);
    for (size_t at = 0, end; at < out.n; at = end + 1) {
        const unsigned char *feed = memchr(out.p + at, '\n', out.n - at);

        cr_assert(feed);
        end = (size_t)(feed - out.p);
        cr_expect_leq(chars_columns((char *)out.p + at, end - at), width, "text %zu",
                      i);
    }
    for (size_t at = 0, k; at < n; at += k) {
        k = chars_next(&code, &columns, texts[i] + at, n - at);
        if (code == CHARS_UNSAFE && texts[i][at] != '\n' && texts[i][at] != '\t')
            rec_buf_str(&dots, CHARS_DOT);
        else if (code != ' ' && code != CHARS_UNSAFE)
            rec_buf_add(&dots, texts[i] + at, k);
    }
    size_t at = 0;
    for (size_t k = 0; k < out.n; k++)
        if (out.p[k] != ' ' && out.p[k] != '\n') {
            cr_assert(at < dots.n && out.p[k] == dots.p[at], "text %zu, byte %zu", i,
                      k);
            at++;
        }
    cr_expect_eq(at, dots.n, "text %zu", i);
    rec_buf_release(&out);
    rec_buf_release(&dots);
}

/* A record without a text has none: no byte of it is asked for. */
Test(flow, no_text)
{
    struct rec_buf out = {0};
    struct flow f = {.out = &out, .width = 80};

    flow_begin(&f, "head");
    flow_line(&f, NULL, 0, (struct paint){0});
    flow_text(&f, NULL, 0, (struct paint){0});
    flow_line(&f, "a\nb\n", 4, (struct paint){0});
    flow_end(&f);
    flow_release(&f);
    rec_buf_add(&out, "", 1);
    cr_expect_str_eq((char *)out.p, "heada b\n");
    rec_buf_release(&out);
}

static void expect_paint(enum paint_depth depth, struct paint p, const char *want)
{
    struct rec_buf out = {0};

    paint_change(&out, depth, PAINT_DARK, (struct paint){0}, p);
    rec_buf_add(&out, "", 1);
    cr_expect_str_eq((char *)out.p, want);
    rec_buf_release(&out);
}

Test(paint, escapes)
{
    expect_paint(PAINT_PLAIN, (struct paint){.shade = 1, .attrs = PAINT_BOLD}, "");
    expect_paint(PAINT_TRUE, (struct paint){.shade = 1},
                 "\033[48;2;245;140;20m\033[38;2;0;0;0m");
    expect_paint(PAINT_256, (struct paint){.shade = 1}, "\033[48;5;208m\033[38;5;16m");
    expect_paint(PAINT_TRUE, (struct paint){.shade = .01}, "");
    expect_paint(PAINT_TRUE, (struct paint){.attrs = PAINT_BOLD | PAINT_UNDERLINE},
                 "\033[1m\033[4m");
}

/* ---- ticks ----------------------------------------------------------------------------- */
TheoryDataPoints(ticks, sensible) = {
    DataPoints(double, -1000, -3.7, -1e-5, 0, .3, 17, 1e6),
    DataPoints(double, 1e-9, .007, .1, 1, 3.3, 10, 99, 12345),
    DataPoints(size_t, 2, 4, 5, 6),
};
/* At least one, at most n + 1, all inside, 1, 2 or 5 times a power of ten apart. */
Theory((double lo, double width, size_t n), ticks, sensible)
{
    const double hi = lo + width, slack = 1e-6 * width;

    cr_assume(hi - lo > .5 * width && width > 1e-9 * fabs(lo));
    const struct svg_ticks t = svg_ticks(lo, hi, n);
    const double m = t.step / pow(10, floor(log10(t.step * 1.000001)));

    cr_expect(t.n >= 1 && t.n <= n + 1, "%g..%g: %zu", lo, hi, t.n);
    cr_expect(t.first >= lo - slack &&
              t.first + t.step * (double)(t.n - 1) <= hi + slack);
    cr_expect(fabs(m - 1) < 1e-6 || fabs(m - 2) < 1e-6 || fabs(m - 5) < 1e-6, "%g",
              t.step);
}

static const struct {
    double x, step;
    const char *want;
} numbers[] = {
    {0, .1, "0.0"},       {-1e-17, .1, "0.0"}, {.3, .1, "0.3"},       {15, 5, "15"},
    {-.25, .05, "-0.25"}, {2e8, 1e8, "2e+08"}, {1e-9, 1e-9, "1e-09"},
};

Test(ticks, numbers)
{
    char text[32];

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        svg_number(text, numbers[i].x, numbers[i].step);
        cr_expect_str_eq(text, numbers[i].want);
    }
}

/* ---- curves ---------------------------------------------------------------------------- */
static void add(struct curves *c, const char *set, size_t run, const char *text)
{
    struct rec_buf b = {0};
    struct rec r = {0};
    struct err e = {0};

    cr_assert_eq(rec_json_parse(&b, text, strlen(text), &e), 0, "%s", e.text);
    cr_assert_eq(rec_parse(&r, b.p, b.n, &e), 0);
    cr_assert_eq(curves_add(c, &r, set, run, &e), 1, "%s", e.text);
    rec_release(&r);
    rec_buf_release(&b);
}

/* Runs 0 and 1 are one set: 1 and 3 at step 1 make 2 with deviation sqrt 2; the value that
 * came last counts where a step came twice. */
Test(curves, mean_and_band)
{
    struct curves c = {0};
    struct curve_panels p;
    struct err e = {0};

    add(&c, "a", 0, "{\"kind\":\"metric\",\"step\":2,\"reward\":5.0,\"loss\":1}");
    add(&c, "a", 0, "{\"kind\":\"metric\",\"step\":1,\"reward\":9.0}");
    add(&c, "a", 0, "{\"kind\":\"metric\",\"step\":1,\"reward\":1.0,\"odd\":\"text\"}");
    add(&c, "a", 1, "{\"kind\":\"metric\",\"step\":1,\"reward\":3.0,\"none\":null}");
    add(&c, "b", 2, "{\"kind\":\"metric\",\"step\":1,\"reward\":7,\"seconds\":2.0}");
    cr_assert_eq(curves_panels(&p, &c, NULL, &e), 0, "%s", e.text);
    cr_assert_eq(p.n, 2); /* reward and loss are looked at, seconds are not */
    cr_expect_str_eq(p.panel[0].title, "reward");
    cr_expect_str_eq(p.panel[1].title, "loss");
    cr_assert_eq(p.panel[0].n, 2);
    const struct curve *a = &p.panel[0].line[0];
    cr_expect_str_eq(a->set, "a");
    cr_assert_eq(a->n, 2);
    cr_expect(a->at[0].runs == 2 && a->at[1].runs == 1);
    cr_expect_float_eq(a->at[0].mean, 2, 1e-12);
    cr_expect_float_eq(a->at[0].sd, sqrt(2), 1e-12);
    cr_expect_float_eq(a->at[1].mean, 5, 1e-12);
    cr_expect_float_eq(p.panel[0].y[0], 2 - sqrt(2), 1e-12);
    cr_expect_float_eq(p.panel[0].y[1], 7, 1e-12);
    curves_panels_release(&p);
    cr_assert_eq(curves_panels(&p, &c, "seconds,reward", &e), 0);
    cr_expect_str_eq(p.panel[0].title, "seconds");
    cr_expect_str_eq(p.panel[1].title, "reward");
    curves_panels_release(&p);
    cr_expect_eq(curves_panels(&p, &c, "seconds,no", &e), ERR_USAGE);
    cr_expect_str_eq(e.text, "no metric 'no' in the input");
    curves_release(&c);
}

static const struct {
    const char *metric, *title;
} titles[] = {
    {"objective/kl", "KL to the reference (nats)"},
    {"rewards/coverage/mean", "coverage"},
    {"rewards/my/own/mean", "my/own"},
    {"rewards/coverage/std", "rewards/coverage/std"},
    {"eval/reward", "eval/reward"},
};

/* Points lie at the other metric's last value of the same run and step, at the mean over runs;
 * those without one are gone, and steps stay in order. */
Test(curves, against)
{
    struct curves c = {0};
    struct curve_panels p;
    struct err e = {0};

    add(&c, "a", 0, "{\"kind\":\"metric\",\"step\":2,\"reward\":5,\"kl\":0.5}");
    add(&c, "a", 0, "{\"kind\":\"metric\",\"step\":1,\"reward\":1,\"kl\":9}");
    add(&c, "a", 0, "{\"kind\":\"metric\",\"step\":1,\"kl\":2}");
    add(&c, "a", 1, "{\"kind\":\"metric\",\"step\":1,\"reward\":3,\"kl\":4}");
    add(&c, "a", 1, "{\"kind\":\"metric\",\"step\":3,\"reward\":8}");
    add(&c, "b", 2, "{\"kind\":\"metric\",\"step\":3,\"reward\":7,\"kl\":-1}");
    add(&c, "c", 3, "{\"kind\":\"metric\",\"step\":3,\"reward\":7}");
    cr_expect_eq(curves_against(&c, "no", &e), ERR_USAGE);
    cr_expect_str_eq(e.text, "no metric 'no' in the input");
    cr_assert_eq(curves_against(&c, "kl", &e), 0);
    cr_assert_eq(curves_panels(&p, &c, NULL, &e), 0);
    cr_expect_str_eq(p.against, "KL to the reference (nats)");
    cr_assert_eq(p.n, 1, "the metric itself is no panel");
    cr_assert_eq(p.panel[0].n, 2, "nothing is left of c");
    const struct curve *a = &p.panel[0].line[0], *b = &p.panel[0].line[1];
    cr_assert(a->n == 2 && b->n == 1);
    cr_expect_float_eq(a->at[0].x, 3, 1e-12);
    cr_expect_float_eq(a->at[0].mean, 2, 1e-12);
    cr_expect_float_eq(a->at[1].x, 0.5, 1e-12);
    cr_expect_float_eq(b->at[0].x, -1, 1e-12);
    cr_expect_float_eq(p.panel[0].x[0], -1, 1e-12);
    cr_expect_float_eq(p.panel[0].x[1], 3, 1e-12);
    curves_panels_release(&p);
    curves_release(&c);
}

/* Two metrics that would be called the same: the second by its own name. */
Test(curves, titles_differ)
{
    struct curves c = {0};
    struct curve_panels p;
    struct err e = {0};

    add(&c, "", 0, "{\"kind\":\"metric\",\"step\":1,\"kl\":2,\"objective/kl\":4}");
    cr_assert_eq(curves_panels(&p, &c, NULL, &e), 0);
    cr_assert_eq(p.n, 2);
    cr_expect_str_eq(p.panel[0].title, "KL to the reference (nats)");
    cr_expect_str_eq(p.panel[0].metric, "objective/kl");
    cr_expect_str_eq(p.panel[1].title, "kl");
    curves_panels_release(&p);
    curves_release(&c);
}

Test(curves, titles)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        struct curves c = {0};
        struct curve_panels p;
        struct err e = {0};
        char text[128];

        snprintf(text, sizeof text, "{\"step\":1,\"%s\":1.0}", titles[i].metric);
        add(&c, "", 0, text);
        cr_assert_eq(curves_panels(&p, &c, titles[i].metric, &e), 0);
        cr_expect_str_eq(p.panel[0].title, titles[i].title);
        curves_panels_release(&p);
        curves_release(&c);
    }
}

/* ---- tables ---------------------------------------------------------------------------- */
static int take(struct curves *c, const char *text, const char *path, struct err *e)
{
    return table_add(c, text, strlen(text), path, "s", 3, e);
}

Test(table, numbers_by_name)
{
    struct curves c = {0};
    struct err e = {0};

    cr_assert_eq(take(&c, "reward\tstep\tnote\r\n1.5\t2\tx\r\n\n\t3\t4\n7\t4",
                      "run/metrics.tsv", &e),
                 0);
    cr_assert_eq(take(&c, "step\tbest\n0\t-1e-3\n", "run/eval.tsv", &e), 0);
    const struct {
        const char *metric;
        double step, value;
    } want[] = {
        {"reward", 2, 1.5}, {"note", 3, 4}, {"reward", 4, 7}, {"eval/best", 0, -1e-3}};
    cr_assert_eq(c.n, 4);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(strtab_text(&c.metrics, c.point[i].metric), want[i].metric);
        cr_expect_float_eq(c.point[i].step, want[i].step, 1e-12);
        cr_expect_float_eq(c.point[i].value, want[i].value, 1e-12);
        cr_expect_eq(c.point[i].run, 3);
    }
    curves_release(&c);
}

static const struct {
    const char *text, *says;
} tables[] = {
    {"", "t.tsv: empty, expected a line of names"},
    {"a\tb\n1\t2\n", "t.tsv:2: no number in the column 'step'"},
    {"step\n1\nx\n", "t.tsv:3: no number in the column 'step'"},
    {"step\n1\t2\n", "t.tsv:2: more cells than the first line has names"},
    {"step\n1e999\n", "t.tsv:2: no number in the column 'step'"},
};

Test(table, refuses)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct curves c = {0};
        struct err e = {0};

        cr_expect_eq(take(&c, tables[i].text, "t.tsv", &e), ERR_FILE);
        cr_expect_str_eq(e.text, tables[i].says);
        curves_release(&c);
    }
    cr_expect(table_is("a/b.tsv") && !table_is(".tsv") && !table_is("a.tsv.gz"));
}
