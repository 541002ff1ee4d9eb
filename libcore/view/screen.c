#include "view/screen.h"

#include "view/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *const screen_colors[] = {"auto", "always", "256", "never", NULL};
const char *const screen_grounds[] = {"auto", "dark", "light", NULL};

static int is_env(const char *name, const char *value)
{
    const char *s = getenv(name);

    return s && strcmp(s, value) == 0;
}

/* https://no-color.org: set and not empty. */
enum paint_depth screen_depth(enum screen_color color, int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    const int auto_off = (no && *no) || !isatty(fd) || !term || is_env("TERM", "dumb");

    if (color == SCREEN_NEVER || (color == SCREEN_COLOR_AUTO && auto_off))
        return PAINT_PLAIN;
    if (color == SCREEN_256)
        return PAINT_256;
    if (is_env("COLORTERM", "truecolor") || is_env("COLORTERM", "24bit") ||
        (term && strstr(term, "direct")) || color == SCREEN_ALWAYS)
        return PAINT_TRUE;
    return PAINT_256;
}

/* COLORFGBG is "foreground;background", 7 and 15 being white. */
enum paint_ground screen_ground(enum screen_ground ground)
{
    const char *s = getenv("COLORFGBG"), *back = s ? strrchr(s, ';') : NULL;

    if (ground != SCREEN_GROUND_AUTO)
        return ground == SCREEN_LIGHT ? PAINT_LIGHT : PAINT_DARK;
    return back && (strcmp(back, ";7") == 0 || strcmp(back, ";15") == 0) ? PAINT_LIGHT
                                                                         : PAINT_DARK;
}

size_t screen_width(size_t asked, int fd)
{
    const char *columns = getenv("COLUMNS");
    struct winsize w = {0};
    size_t n = 0;

    if (asked)
        return asked;
    if (columns)
        n = strtoul(columns, NULL, 10);
    else if (ioctl(fd, TIOCGWINSZ, &w) == 0)
        n = w.ws_col;
    n = n ? n : 80;
    return n < TERM_NARROW ? TERM_NARROW : n > 10000 ? 10000 : n;
}
