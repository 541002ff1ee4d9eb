/*
 * Templates made at random and what jinja2 renders them to (tests/golden/jinja): texts,
 * refusals, and whose each byte is.
 */
#include "../support/values.h"
#include "jinja/dict.h"
#include "jinja/jinja.h"

#include <criterion/criterion.h>
#include <string.h>

struct state {
    json_t *vars;
    size_t texts, refusals;
};

/* All variables are nobody's, but `user`, which holds no ASCII character. */
static struct value variables(struct interp *in, const json_t *vars)
{
    const struct value v = value_of_json(in, vars, STR_NOBODY);
    const struct value user =
        value_of_json(in, json_object_get(vars, "user"), STR_USER);

    cr_assert_eq(dict_set_lit(in, v.d, "user", user), 0);
    return v;
}

/* Templates have ASCII only: a byte is the user's if it is beyond ASCII. */
static void check_marks(const struct str *s, size_t line)
{
    for (size_t i = 0; i < s->n; i++)
        cr_assert_eq(s->user && s->user[i], (s->s[i] & 0x80) != 0,
                     "line %zu: byte %zu is whose?", line, i);
}

static void check(const json_t *v, size_t line, void *data)
{
    struct state *st = data;
    const json_t *source = json_object_get(v, "template"),
                 *want = json_object_get(v, "out");
    struct err e = {0};
    struct pool pool = {.cap = INTERP_MEMORY};
    struct interp in = {.pool = &pool, .e = &e, .where = "file"};
    const struct str *got = NULL;
    struct jinja *t = NULL;

    if (line == 1) {
        st->vars = json_deep_copy(json_object_get(v, "vars"));
        return;
    }
    int rc = jinja_open(&t, json_string_value(source), json_string_length(source),
                        "file", &e);
    if (rc == 0)
        rc = jinja_render(t, &in, variables(&in, st->vars), NULL, &got);
    if (!want) {
        cr_expect_lt(rc, 0, "line %zu is rendered: %s", line,
                     json_string_value(source));
        cr_expect(rc >= 0 || e.text[0], "line %zu: no sentence", line);
        st->refusals++;
    } else if (rc < 0) {
        cr_expect(0, "line %zu: %s\n%s", line, e.text, json_string_value(source));
    } else {
        cr_expect(got->n == json_string_length(want) &&
                      memcmp(got->s, json_string_value(want), got->n) == 0,
                  "line %zu: %s\ngot  '%.*s'\nwant '%s'", line,
                  json_string_value(source), (int)got->n, got->s,
                  json_string_value(want));
        check_marks(got, line);
        st->texts++;
    }
    jinja_close(t);
    pool_release(&pool);
}

Test(jinja, vectors)
{
    struct state st = {0};
    const size_t lines = each_line("tests/golden/jinja/vectors.jsonl", check, &st);

    cr_expect_eq(lines, 1 + st.texts + st.refusals);
    cr_expect_gt(st.texts, 2000);
    cr_expect_gt(st.refusals, 200);
    json_decref(st.vars);
}
