#include "view/beside.h"

#include "base/chars.h"
#include "rec/buf.h"
#include "view/screen.h"
#include "view/term.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put(struct rec_buf *out, const char *left, const char *right,
                enum paint_depth depth, size_t width)
{
    const struct beside_text l = {left, strlen(left), NULL, 0};
    const struct beside_text r = {right, strlen(right), NULL, 0};

    rec_buf_clear(out);
    beside_put(out, &l, &r, depth, width);
    rec_buf_add(out, "", 1);
    cr_assert(!out->oom);
}

Test(beside, by_hand)
{
    struct rec_buf out = {0};

    put(&out, "one two three", "x", PAINT_PLAIN, 19);
    cr_expect_str_eq((char *)out.p, "one two  │ x\nthree    │\n");
    put(&out, "", "果物 果物", PAINT_PLAIN, 11);
    cr_expect_str_eq((char *)out.p, "     │ 果物\n     │ 果物\n");
    put(&out, "a\nb", "a\033[2J", PAINT_PLAIN, 19);
    cr_expect_str_eq((char *)out.p, "a        │ a·[2J\nb        │\n");
    rec_buf_release(&out);
}

/* Every bar stands in the same column and no line is too wide, whatever is in the texts. */
Test(beside, columns)
{
    static const char *const texts[] = {
        "",
        "a",
        "plain words of a text that is somewhat longer than its half",
        "林檎林檎林檎林檎林檎 and 林檎林檎林檎林檎林檎林檎林檎林檎",
        "one\n\n\ntwo\n",
        "averylongwordthatdoesnotfitanywhereandmustbecutsomewhereintheend",
        ("e\xcc\x81"
         "e\xcc\x81 combining"),
        "\xff\xfe\x80",
        "\033]0;title\007 \033[31m"};
    const size_t n = sizeof texts / sizeof *texts;
    struct rec_buf out = {0};

    for (size_t i = 0; i < n * n; i++)
        for (size_t width = 50; width < 60; width++) {
            put(&out, texts[i / n], texts[i % n], PAINT_PLAIN, width);
            for (char *s = (char *)out.p, *feed; *s; s = feed + 1) {
                char *bar = strstr(s, " │");

                feed = strchr(s, '\n');
                cr_assert_not_null(feed);
                cr_assert(bar && bar < feed);
                cr_assert_eq(chars_columns(s, (size_t)(bar - s)), beside_half(width));
                cr_assert_leq(chars_columns(s, (size_t)(feed - s)), width);
            }
        }
    rec_buf_release(&out);
}

/* Escapes take no columns: without them the lines are those without colours. */
Test(beside, colours)
{
    static const unsigned char mark[12] = {[4] = 1, 1, 1};
    const struct beside_text l = {"one two six", 11, mark, PAINT_BOLD};
    const struct beside_text r = {"uno", 3, NULL, PAINT_BOLD};
    struct rec_buf out = {0};

    beside_put(&out, &l, &r, PAINT_TRUE, 19);
    rec_buf_add(&out, "", 1);
    cr_expect_str_eq((char *)out.p, "one \033[1mtwo\033[0m  │ uno\nsix      │\n");
    rec_buf_release(&out);
}

Test(screen, by_environment)
{
    int fd[2];

    cr_assert_eq(pipe(fd), 0);
    unsetenv("COLUMNS");
    unsetenv("COLORTERM");
    setenv("TERM", "xterm", 1);
    cr_expect_eq(screen_depth(SCREEN_COLOR_AUTO, fd[1]), PAINT_PLAIN, "no terminal");
    cr_expect_eq(screen_depth(SCREEN_256, fd[1]), PAINT_256);
    cr_expect_eq(screen_depth(SCREEN_ALWAYS, fd[1]), PAINT_TRUE);
    cr_expect_eq(screen_width(0, fd[1]), 80);
    setenv("COLUMNS", "123", 1);
    cr_expect_eq(screen_width(0, fd[1]), 123);
    cr_expect_eq(screen_width(99, fd[1]), 99);
    setenv("COLUMNS", "7", 1);
    cr_expect_eq(screen_width(0, fd[1]), TERM_NARROW);
    setenv("COLORFGBG", "0;15", 1);
    cr_expect_eq(screen_ground(SCREEN_GROUND_AUTO), PAINT_LIGHT);
    cr_expect_eq(screen_ground(SCREEN_DARK), PAINT_DARK);
    close(fd[0]);
    close(fd[1]);
}
