/*
 * What kind of terminal text goes to: by options, by the environment, by asking it.
 */
#ifndef CAGSR_VIEW_SCREEN_H
#define CAGSR_VIEW_SCREEN_H

#include "view/paint.h"

#include <stddef.h>

/* Words of options, for CLI_CHOICE, in the order of the enums; NULL ends them. */
extern const char *const screen_colors[], *const screen_grounds[];
enum screen_color { SCREEN_COLOR_AUTO, SCREEN_ALWAYS, SCREEN_256, SCREEN_NEVER };
enum screen_ground { SCREEN_GROUND_AUTO, SCREEN_DARK, SCREEN_LIGHT };

/* Colours on fd.  AUTO: none where fd is no terminal, where NO_COLOR is set, where TERM is
 * not or says "dumb". */
enum paint_depth screen_depth(enum screen_color color, int fd);

/* AUTO: by COLORFGBG, else dark. */
enum paint_ground screen_ground(enum screen_ground ground);

/* Columns: what was asked for, if not 0; else COLUMNS, else the terminal's own, else 80; at
 * least TERM_NARROW. */
size_t screen_width(size_t asked, int fd);

#endif
