/*
 * Colours and text on a terminal: words are wrapped at its width, every character has a
 * style, and nothing that a model wrote reaches the terminal as anything but text (control
 * characters, escapes, and marks that turn the direction of writing become a dot).
 *
 * Amounts are shown by the background, in one hue between the terminal's own and orange.
 * With 24 bits a shade is what it is, with 256 colours the nearest of the cube; without
 * colours the caller writes numbers.
 */
#ifndef CAGSR_VIEW_PAINT_H
#define CAGSR_VIEW_PAINT_H

#include "rec/buf.h"

#include <stddef.h>

enum paint_depth { PAINT_PLAIN, PAINT_256, PAINT_TRUE };
enum paint_ground { PAINT_DARK, PAINT_LIGHT };

enum {
    PAINT_BOLD = 1,
    PAINT_DIM = 2,
    PAINT_UNDERLINE = 4,
    PAINT_REVERSE = 8,
    PAINT_ITALIC = 16,
};

struct paint {
    double shade;   /* 0: none, 1: full */
    unsigned attrs; /* PAINT_ bits */
    int part;       /* 1 + the number of a component of the reward; 0: none */
};

/* Text that fills lines.  Zeroed, then begun. */
struct flow {
    struct rec_buf *out;
    enum paint_depth depth;
    enum paint_ground ground;
    size_t width, indent; /* columns; lines after the first begin at indent */
    /* private */
    size_t column, pending; /* columns used, and those of the word held back */
    struct rec_buf word;    /* cells */
    size_t blanks;          /* between the line and the word */
    struct paint blank, now;
};

/* Begins with `head` (ASCII) padded to indent. */
void flow_begin(struct flow *f, const char *head);

/* Appends UTF-8 text, what is not UTF-8 as dots.  A line feed in it ends the line. */
void flow_text(struct flow *f, const char *s, size_t n, struct paint p);
/* The same, line feeds being blanks. */
void flow_line(struct flow *f, const char *s, size_t n, struct paint p);
void flow_str(struct flow *f, const char *s, struct paint p);
/* The same, no line ending at its blanks. */
void flow_joined(struct flow *f, const char *s, size_t n, struct paint p);

/* Sends what is held back, and stays on the line; or ends it. */
void flow_stay(struct flow *f);
void flow_end(struct flow *f);
void flow_release(struct flow *f);

/* Writes the escapes that lead from one style to another; nothing when plain. */
void paint_change(struct rec_buf *out, enum paint_depth depth, enum paint_ground ground,
                  struct paint from, struct paint to);

#endif
