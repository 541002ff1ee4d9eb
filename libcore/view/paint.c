#include "view/paint.h"

#include "base/chars.h"
#include "view/palette.h"

#include <string.h>

/* One character that waits for its word to be whole. */
struct cell {
    char s[4];
    unsigned char n, columns;
    struct paint paint;
};

#define FAINT 0.06 /* shades below this are none */

/* ---- colours --------------------------------------------------------------------------- */
static unsigned cube_level(double x)
{
    static const unsigned level[] = {0, 95, 135, 175, 215, 255};
    unsigned k = 0;

    while (k < 5 && x > (level[k] + level[k + 1]) / 2.0)
        k++;
    return k;
}

static void put_color(struct rec_buf *out, enum paint_depth depth, int ground,
                      const double rgb[3])
{
    if (depth == PAINT_TRUE)
        rec_buf_printf(out, "\033[%d;2;%.0f;%.0f;%.0fm", ground ? 48 : 38, rgb[0],
                       rgb[1], rgb[2]);
    else
        rec_buf_printf(out, "\033[%d;5;%um", ground ? 48 : 38,
                       16 + 36 * cube_level(rgb[0]) + 6 * cube_level(rgb[1]) +
                           cube_level(rgb[2]));
}

/* Background, and what can be read on it. */
static void put_ground(struct rec_buf *out, enum paint_depth depth, const double rgb[3])
{
    static const double black[3] = {0, 0, 0}, white[3] = {255, 255, 255};
    const double light = .299 * rgb[0] + .587 * rgb[1] + .114 * rgb[2];

    put_color(out, depth, 1, rgb);
    put_color(out, depth, 0, light > 115 ? black : white);
}

static void put_shade(struct rec_buf *out, enum paint_depth depth,
                      enum paint_ground ground, double shade)
{
    static const double none[2][3] = {{38, 38, 38}, {255, 255, 255}},
                        full[2][3] = {{245, 140, 20}, {205, 80, 0}};
    double rgb[3];

    for (int i = 0; i < 3; i++)
        rgb[i] = none[ground][i] + shade * (full[ground][i] - none[ground][i]);
    put_ground(out, depth, rgb);
}

static int is_plain(struct paint p)
{
    return p.shade < FAINT && p.attrs == 0 && p.part == 0;
}

static int same(struct paint a, struct paint b)
{
    return a.attrs == b.attrs && a.part == b.part &&
           (a.shade < FAINT ? b.shade < FAINT
                            : a.shade <= b.shade && a.shade >= b.shade);
}

void paint_change(struct rec_buf *out, enum paint_depth depth, enum paint_ground ground,
                  struct paint from, struct paint to)
{
    static const char *const attr[] = {"\033[1m", "\033[2m", "\033[4m", "\033[7m",
                                       "\033[3m"};

    if (depth == PAINT_PLAIN || same(from, to))
        return;
    if (!is_plain(from))
        rec_buf_str(out, "\033[0m");
    for (size_t i = 0; i < sizeof attr / sizeof *attr; i++)
        if (to.attrs & 1u << i)
            rec_buf_str(out, attr[i]);
    if (to.part) {
        const unsigned char *c = palette_parts[to.part - 1].rgb;

        put_ground(out, depth, (double[]){c[0], c[1], c[2]});
    } else if (to.shade >= FAINT) {
        put_shade(out, depth, ground, to.shade < 1 ? to.shade : 1);
    }
}

/* ---- lines ----------------------------------------------------------------------------- */
static void change(struct flow *f, struct paint to)
{
    paint_change(f->out, f->depth, f->ground, f->now, to);
    f->now = to;
}

static void pad(struct rec_buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rec_buf_add(out, " ", 1);
}

static void new_line(struct flow *f)
{
    change(f, (struct paint){0});
    rec_buf_str(f->out, "\n");
    f->column = f->blanks = 0;
}

/* Sends the word held back, on a line where it fits. */
static void send_word(struct flow *f)
{
    const struct cell *x = (const struct cell *)(const void *)f->word.p;

    if (f->word.n && f->column > f->indent &&
        f->column + f->blanks + f->pending > f->width)
        new_line(f);
    if (f->word.n && f->column < f->indent) {
        pad(f->out, f->indent - f->column);
        f->column = f->indent;
    }
    if (f->word.n && f->blanks) {
        change(f, f->blank);
        pad(f->out, f->blanks);
        f->column += f->blanks;
        f->blanks = 0;
    }
    for (size_t i = 0; i < f->word.n / sizeof *x; i++) {
        change(f, x[i].paint);
        rec_buf_add(f->out, x[i].s, x[i].n);
    }
    f->out->oom |= f->word.oom;
    f->column += f->pending;
    f->pending = 0;
    rec_buf_clear(&f->word);
}

void flow_begin(struct flow *f, const char *head)
{
    rec_buf_str(f->out, head);
    f->column = strlen(head);
    f->blanks = f->pending = 0;
    f->now = (struct paint){0};
    rec_buf_clear(&f->word);
}

static void put_cell(struct flow *f, const char *s, size_t n, unsigned columns,
                     struct paint p)
{
    const size_t room = f->width > f->indent ? f->width - f->indent : 1;
    struct cell x = {
        .n = (unsigned char)n, .columns = (unsigned char)columns, .paint = p};

    memcpy(x.s, s, n);
    if (f->pending + columns > room)
        send_word(f); /* longer than a line */
    rec_buf_add(&f->word, &x, sizeof x);
    f->pending += columns;
    if (columns > 1)
        send_word(f); /* ideographs have no blanks between them */
}

void flow_text(struct flow *f, const char *s, size_t n, struct paint p)
{
    unsigned columns;
    int32_t code;

    for (size_t i = 0, k; i < n; i += k) {
        k = chars_next(&code, &columns, s + i, n - i);
        if (s[i] == '\n') {
            send_word(f);
            new_line(f);
        } else if (s[i] == ' ' || s[i] == '\t') {
            send_word(f);
            f->blanks += f->column > f->indent;
            f->blank = p;
        } else if (code == CHARS_UNSAFE) {
            put_cell(f, CHARS_DOT, strlen(CHARS_DOT), 1, p);
        } else {
            put_cell(f, s + i, k, columns, p);
        }
    }
}

void flow_line(struct flow *f, const char *s, size_t n, struct paint p)
{
    for (size_t at = 0; at < n;) {
        const char *feed = memchr(s + at, '\n', n - at);
        const size_t end = feed ? (size_t)(feed - s) : n;

        flow_text(f, s + at, end - at, p);
        if (feed)
            flow_text(f, " ", 1, p);
        at = end + 1;
    }
}

void flow_joined(struct flow *f, const char *s, size_t n, struct paint p)
{
    for (size_t at = 0; at < n;) {
        size_t word = 0;

        while (at + word < n && s[at + word] != ' ' && s[at + word] != '\n')
            word++;

        flow_text(f, s + at, word, p);
        if (at + word < n)
            put_cell(f, " ", 1, 1, p);
        at += word + 1;
    }
}

void flow_str(struct flow *f, const char *s, struct paint p)
{
    flow_text(f, s, strlen(s), p);
}

void flow_stay(struct flow *f)
{
    send_word(f);
    change(f, (struct paint){0});
}

void flow_end(struct flow *f)
{
    flow_stay(f);
    rec_buf_str(f->out, "\n");
}

void flow_release(struct flow *f)
{
    rec_buf_release(&f->word);
}
