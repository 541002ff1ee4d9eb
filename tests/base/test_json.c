#include "base/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const char text[] =
    "{\"n\": 12, \"big\": 9007199254740993, \"x\": 1.5, \"whole\": 3, \"s\": "
    "\"a\\u0000b\","
    " \"yes\": true, \"none\": null, \"minus\": -1, \"list\": []}";

static json_t *parse(void)
{
    struct err e = {0};
    json_t *j = NULL;

    cr_assert_eq(json_read_mem(&j, "m", text, strlen(text), &e), 0, "%s", e.text);
    return j;
}

static void fails(int rc, const struct err *e, const char *sentence)
{
    cr_expect_eq(rc, ERR_FILE);
    cr_expect_str_eq(e->text, sentence);
}

Test(json, members)
{
    json_t *j = parse();
    struct err e = {0};
    size_t n = 5;
    double x = 7;
    int flag = 0;
    const char *s = NULL;

    cr_expect(json_get_size(&n, j, "n", 1, 12, "m", &e) == 0 && n == 12);
    cr_expect(json_get_size(&n, j, "big", 0, SIZE_MAX, "m", &e) == 0 &&
              n == 9007199254740993u);
    cr_expect(json_get_double(&x, j, "x", "m", &e) == 0 && x == 1.5);
    cr_expect(json_get_double(&x, j, "whole", "m", &e) == 0 && x == 3);
    cr_expect(json_opt_bool(&flag, j, "yes", "m", &e) == 0 && flag == 1);
    cr_expect(json_get_str(&s, j, "s", "m", &e) == 0 && strcmp(s, "a") == 0);
    json_decref(j);
}

/* Their neighbours stay what they are, in strings too. */
Test(json, integers_beyond_64_bits_are_real)
{
    static const char big[] =
        "{\"no \\\" limit 1000000000000000019884624838656\": \"99999999999999999999\","
        " \"limit\": 1000000000000000019884624838656, \"max\": 9223372036854775807,"
        " \"next\": 9223372036854775808, \"least\": -9223372036854775808,"
        " \"list\": [1.50000000000000000000001, 12345678901234567890e2,"
        " -99999999999999999999]}";
    struct err e = {0};
    json_t *j, *list;
    const char *s;

    cr_assert_eq(json_read_mem(&j, "m", big, strlen(big), &e), 0, "%s", e.text);
    cr_expect_eq(
        json_get_str(&s, j, "no \" limit 1000000000000000019884624838656", "m", &e), 0);
    cr_expect_str_eq(s, "99999999999999999999");
    cr_expect_eq(json_real_value(json_object_get(j, "limit")), 1e30);
    cr_expect_eq(json_integer_value(json_object_get(j, "max")), INT64_MAX);
    cr_expect_eq(json_real_value(json_object_get(j, "next")), 0x1p63);
    cr_expect_eq(json_real_value(json_object_get(j, "least")), -0x1p63);
    list = json_object_get(j, "list");
    cr_expect_eq(json_real_value(json_array_get(list, 0)), 1.5);
    cr_expect_eq(json_real_value(json_array_get(list, 1)), 12345678901234567890e2);
    cr_expect_eq(json_real_value(json_array_get(list, 2)), -1e20);
    json_decref(j);
    cr_expect_eq(json_read_mem(&j, "m", "[1, 99999999999999999999,]", 26, &e),
                 ERR_FILE);
}

Test(json, absent_and_null_leave_the_default)
{
    json_t *j = parse();
    struct err e = {0};
    size_t n = 5;
    double x = 7;
    int flag = 3;
    const char *s = "s";

    cr_expect(json_opt_size(&n, j, "none", 0, 9, "m", &e) == 0 && n == 5);
    cr_expect(json_opt_double(&x, j, "absent", "m", &e) == 0 && x == 7);
    cr_expect(json_opt_bool(&flag, j, "none", "m", &e) == 0 && flag == 3);
    cr_expect(json_opt_str(&s, j, "absent", "m", &e) == 0 && strcmp(s, "s") == 0);
    json_decref(j);
}

Test(json, errors_name_where_and_key)
{
    json_t *j = parse();
    struct err e = {0};
    size_t n = 5;
    double x = 7;
    int flag = 3;
    const char *s = "s";

    fails(json_get_size(&n, j, "absent", 0, 9, "m", &e), &e,
          "m: no 'absent', an integer expected");
    fails(json_get_size(&n, j, "none", 0, 9, "m", &e), &e,
          "m: no 'none', an integer expected");
    fails(json_get_size(&n, j, "x", 0, 9, "m", &e), &e, "m: 'x' is not an integer");
    fails(json_get_size(&n, j, "n", 0, 9, "m", &e), &e,
          "m: 'n' is 12, expected 0 to 9");
    fails(json_get_size(&n, j, "minus", 0, SIZE_MAX, "m", &e), &e,
          "m: 'minus' is -1, expected 0 to 18446744073709551615");
    fails(json_get_double(&x, j, "s", "m", &e), &e, "m: 's' is not a number");
    fails(json_get_str(&s, j, "n", "m", &e), &e, "m: 'n' is not a string");
    fails(json_opt_bool(&flag, j, "n", "m", &e), &e, "m: 'n' is not true or false");
    cr_expect(n == 5 && x == 7 && flag == 3 && strcmp(s, "s") == 0);
    json_decref(j);
}

/* Asking something that is no object for a member is an absent member. */
Test(json, not_an_object)
{
    struct err e = {0};
    size_t n = 5;
    json_t *j = NULL;

    cr_assert_eq(json_read_mem(&j, "m", "[1]", 3, &e), 0);
    cr_expect(json_opt_size(&n, j, "n", 0, 9, "m", &e) == 0 && n == 5);
    cr_expect_eq(json_get_size(&n, j, "n", 0, 9, "m", &e), ERR_FILE);
    json_decref(j);
}

Test(json, every_cut_is_refused)
{
    for (size_t n = 0; n < strlen(text); n++) {
        struct err e = {0};
        json_t *j = NULL;

        cr_expect_eq(json_read_mem(&j, "m", text, n, &e), ERR_FILE, "%zu", n);
        cr_expect_null(j);
        cr_expect_eq(strncmp(e.text, "m: line 1, column ", 18), 0, "%s", e.text);
    }
}

Test(json, duplicates_nul_keys_and_rubbish_are_refused)
{
    static const char *const bad[] = {"{\"a\":1,\"a\":2}", "{\"a\\u0000\":1}", "{} {}",
                                      "{\"a\":\"\xff\"}",  "{\"a\":1e999}",    "nul"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        json_t *j = NULL;

        cr_expect_eq(json_read_mem(&j, "m", bad[i], strlen(bad[i]), &e), ERR_FILE, "%s",
                     bad[i]);
        json_decref(j);
    }
}

Test(json, deep_nesting_is_refused_not_a_crash)
{
    enum { DEEP = 1000000 };
    char *deep = malloc(DEEP);
    struct err e = {0};
    json_t *j = NULL;

    memset(deep, '[', DEEP);
    cr_expect_eq(json_read_mem(&j, "m", deep, DEEP, &e), ERR_FILE);
    free(deep);
}

/* Numbers are written as they were read, and always the same numbers. */
Test(json, text_of_numbers)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"[1e-5,0.02,500000.0]", "[1e-5,0.02,500000.0]"},
        {"[0.1,0.30000000000000004]", "[0.10000000000000001,0.30000000000000004]"},
        {"\"a\\u0000b\"", "\"a\\u0000b\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        json_t *a, *b;

        cr_assert_eq(json_read_mem(&a, "m", cases[i].in, strlen(cases[i].in), &e), 0);
        char *written = json_text(a, 0);
        cr_assert_not_null(written);
        cr_assert_eq(json_read_mem(&b, "m", written, strlen(written), &e), 0, "%s",
                     e.text);
        cr_expect(json_equal(a, b), "%s", written);
        char tight[128] = "";
        for (const char *p = written; *p; p++)
            if (*p != ' ')
                strncat(tight, p, 1);
        cr_expect_str_eq(tight, cases[i].out);
        free(written);
        json_decref(a);
        json_decref(b);
    }
}
