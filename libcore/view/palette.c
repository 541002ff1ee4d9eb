#include "view/palette.h"

const struct palette_part palette_parts[PALETTE_PARTS] = {
    {"coverage", 'C', {0, 114, 178}},   {"focus", 'F', {0, 158, 115}},
    {"coherence", 'L', {86, 180, 233}}, {"repetition", 'R', {213, 94, 0}},
    {"copy", 'Y', {204, 121, 167}},     {"no_end", 'E', {128, 128, 128}},
    {"short", 'S', {240, 228, 66}},     {NULL, 'O', {230, 159, 0}},
};

const unsigned char palette_lines[PALETTE_LINES][3] = {
    {0, 114, 178},   {213, 94, 0},    {0, 158, 115},
    {204, 121, 167}, {128, 128, 128}, {86, 180, 233},
};

size_t palette_find(struct rec_str name)
{
    size_t i = 0;

    while (i + 1 < PALETTE_PARTS && !rec_str_is(name, palette_parts[i].name))
        i++;
    return i;
}
