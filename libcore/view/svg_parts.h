/*
 * What the three SVG pictures are made of; seen by svg_*.c only.
 */
#ifndef CAGSR_VIEW_SVG_PARTS_H
#define CAGSR_VIEW_SVG_PARTS_H

#include "rec/buf.h"
#include "rec/value.h"

#include <stddef.h>

enum { SVG_FONT = 12, SVG_LEVELS = 9 };

/* Pixels that n columns of text of SVG_FONT take at most, in the fonts there are. */
double svg_width(size_t columns);

/* The head of a picture of w x h pixels with what screen readers say: a title and a
 * description.  Classes: t text, m muted, b bold, i slanted, x axes, g grid, p paper, and
 * l1 to l9 shades.  It ends with "</svg>\n". */
void svg_begin(struct rec_buf *out, double w, double h, const char *title,
               const char *what);

/* Text at (x, y) of a class; anchor: start, middle or end. */
void svg_text(struct rec_buf *out, double x, double y, const char *class,
              const char *anchor, struct rec_str text);
void svg_str(struct rec_buf *out, double x, double y, const char *class,
             const char *anchor, const char *text);

/* Levels for shades: 1 to SVG_LEVELS, 0 for less than a half level.  They grow with the
 * square root, for most of what a row reads is small beside its most. */
int svg_level(double w, double top);

/* Ticks for lo..hi, at most n + 1: the first, and the distance, 1, 2 or 5 times a power of
 * ten.  hi > lo. */
struct svg_ticks {
    double first, step;
    size_t n;
};
struct svg_ticks svg_ticks(double lo, double hi, size_t n);

/* A tick's number with as many digits as their distance needs. */
void svg_number(char out[32], double x, double step);

#endif
