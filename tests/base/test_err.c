#include "base/err.h"

#include <criterion/criterion.h>
#include <string.h>

Test(err, set_and_prefix)
{
    struct err e = {0};

    cr_expect_eq(err_set(&e, ERR_FILE, "%s: no '%s'", "a.json", "key"), ERR_FILE);
    cr_expect_str_eq(e.text, "a.json: no 'key'");
    cr_expect_eq(err_prefix(&e, "record %d", 7), ERR_FILE);
    cr_expect_str_eq(e.text, "record 7: a.json: no 'key'");
    cr_expect_eq(e.code, ERR_FILE);
    cr_expect_eq(err_set(NULL, ERR_IO, "unseen"), ERR_IO);
    cr_expect_lt(err_prefix(NULL, "unseen"), 0);
}

/* What a hostile file calls itself must not reach the terminal as it is. */
Test(err, control_bytes_are_defused)
{
    struct err e = {0};

    err_set(&e, ERR_FILE, "'%s'", "a\033[2J\n\177b\tc");
    cr_expect_str_eq(e.text, "'a?[2J??b?c'");
    err_prefix(&e, "%s", "x\ny");
    cr_expect_str_eq(e.text, "x?y: 'a?[2J??b?c'");
}

Test(err, long_sentences_are_cut)
{
    struct err e = {0};
    char name[2 * ERR_TEXT];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    err_set(&e, ERR_FILE, "%s", name);
    cr_expect_eq(strlen(e.text), ERR_TEXT - 1);
    err_prefix(&e, "record 1");
    cr_expect_eq(strlen(e.text), ERR_TEXT - 1);
    cr_expect_eq(strncmp(e.text, "record 1: nnn", 13), 0);
    err_prefix(&e, "%s", name);
    cr_expect_eq(strlen(e.text), ERR_TEXT - 1);
}

Test(err, exit_statuses)
{
    static const struct {
        int rc, status;
    } table[] = {
        {0, 0},         {1, 0},           {ERR_IO, 1},      {ERR_RECORD, 1},
        {ERR_NOMEM, 1}, {ERR_USAGE, 2},   {ERR_FILE, 3},    {ERR_SHAPE, 3},
        {ERR_TRUNC, 4}, {ERR_NUMERIC, 5}, {ERR_STOPPED, 6}, {-99, 1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_expect_eq(err_exit_status(table[i].rc), table[i].status, "%d", table[i].rc);
}
