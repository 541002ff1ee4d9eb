/*
 * How the components of the reward look, in every picture: a colour (Okabe and Ito's, which
 * colour-blind people can tell apart), and a letter where there is none.
 */
#ifndef CAGSR_VIEW_PALETTE_H
#define CAGSR_VIEW_PALETTE_H

#include "rec/value.h"

#include <stddef.h>

struct palette_part {
    const char *name; /* NULL: all others */
    char letter;
    unsigned char rgb[3];
};

enum { PALETTE_PARTS = 8 };

/* The parts in the order of the sum; the last stands for components of other names. */
extern const struct palette_part palette_parts[PALETTE_PARTS];

/* The index of the component of that name. */
size_t palette_find(struct rec_str name);

/* Sets of runs: colours of lines, used again from the start. */
enum { PALETTE_LINES = 6 };
extern const unsigned char palette_lines[PALETTE_LINES][3];

#endif
