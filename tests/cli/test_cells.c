/* The three forms of a report's lines. */
#include "cli/cells.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect(enum cells_form form, int names, const char *want)
{
    const struct cell cell[] = {
        {"name", CELL_TEXT, "a\t\"b\\\x01"},
        {"real", CELL_REAL, .x = 1234.5678},
        {"small", CELL_REAL, .x = -0.123456},
        {"share", CELL_SHARE, .x = 0.5, .marked = 1},
        {"signed", CELL_SIGNED, .x = 0.256},
        {"none", CELL_REAL, .x = (double)NAN},
        {"a_long_name", CELL_COUNT, .x = 12.0},
    };
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    cells_line(f, form, cell, sizeof cell / sizeof *cell, names);
    fclose(f);
    cr_expect_str_eq(text, want);
    free(text);
}

Test(cells, table)
{
    expect(
        CELLS_TABLE, 1,
        "name                      real      small      share     signed       none  "
        "a_long_name\n"
        "a\u00b7\"b\\\u00b7                    1235    -0.1235    0.5000*      +0.26   "
        "      "
        " "
        "-           12\n");
}

/* Ideographs take two columns, marks that combine none, whatever their bytes; a text in the
 * last column stands to the left, and no blanks end a line. */
Test(cells, columns_of_a_terminal)
{
    const struct {
        const char *name, *word, *want;
    } table[] = {
        {"plain", "yes", "plain          1  yes\n"},
        {"\u679c\u7269", "yes", "\u679c\u7269           1  yes\n"},
        {"e\u0301te\u0301", "\u0646\u0639\u0645",
         "e\u0301te\u0301            1  \u0646\u0639\u0645\n"},
        {"\xff\x1b[2J", "", "\u00b7\u00b7[2J          1\n"},
        {"longer than it", "x", "longer than it     1  x\n"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct cell cell[] = {{"name", CELL_TEXT, table[i].name, .width = 10},
                                    {"n", CELL_COUNT, .x = 1, .width = 4},
                                    {"word", CELL_TEXT, table[i].word}};
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        cells_line(f, CELLS_TABLE, cell, 3, 0);
        fclose(f);
        cr_expect_str_eq(text, table[i].want, "'%s'", text);
        free(text);
    }
}

Test(cells, tsv)
{
    expect(CELLS_TSV, 1,
           "name\treal\tsmall\tshare\tsigned\tnone\ta_long_name\n"
           "a \"b\\ \t1234.5678\t-0.123456\t0.5\t0.256\t\t12\n");
    expect(CELLS_TSV, 0, "a \"b\\ \t1234.5678\t-0.123456\t0.5\t0.256\t\t12\n");
}

Test(cells, json)
{
    expect(
        CELLS_JSON, 1,
        "{\"name\":\"a\\u0009\\\"b\\\\\\u0001\",\"real\":1234.5678,\"small\":-0.123456,"
        "\"share\":0.5,\"signed\":0.256,\"none\":null,\"a_long_name\":12}\n");
}

Test(cells, full_disk)
{
    const int fd = open("/dev/full", O_WRONLY);
    const struct cell cell[] = {{"x", CELL_COUNT, .x = 1}};
    struct err e = {0};
    FILE *out;

    cr_assert_geq(fd, 0);
    cr_assert_eq(cells_open(&out, fd, &e), 0);
    cells_line(out, CELLS_TSV, cell, 1, 1);
    cr_expect_eq(cells_close(out, 0, &e), ERR_IO);
    cr_expect(strstr(e.text, "No space") != NULL, "%s", e.text);
    cr_assert_eq(cells_open(&out, -1, &e), ERR_IO);
    cr_expect_eq(cells_close(NULL, ERR_RECORD, &e), ERR_RECORD);
    close(fd);
}
