/*
 * What a template cannot do: run on, grow, nest, reach out.  And what it says then.
 */
#include "jinja/dict.h"
#include "jinja/jinja.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Renders without variables but `u`, which is the user's "abc".  The code; *text is
 * malloc'd. */
static int render(const char *source, char **text, struct err *e)
{
    static const time_t when = 1700000000; /* 2023-11-14 22:13:20 UTC */
    struct pool pool = {.cap = INTERP_MEMORY};
    struct interp in = {.pool = &pool, .e = e, .where = "file"};
    const struct str *s = NULL;
    struct jinja *t = NULL;
    struct value u;
    struct dict *d;
    struct tm now;

    *text = NULL;
    *e = (struct err){0};
    int rc = jinja_open(&t, source, strlen(source), "file", e);
    if (rc == 0 && (rc = dict_new(&in, &d)) == 0 &&
        (rc = value_text(&in, "abc", 3, STR_USER, &u)) == 0)
        rc = dict_set_lit(&in, d, "u", u);
    if (rc == 0)
        rc = jinja_render(t, &in, dict_value(d), gmtime_r(&when, &now), &s);
    if (rc == 0)
        *text = strndup(s->s, s->n);
    jinja_close(t);
    pool_release(&pool);
    return rc;
}

/* source, the code, and words of the sentence. */
static const struct refusal {
    const char *source;
    int code;
    const char *says;
} refusals[] = {
    /* too much */
    {"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
     ERR_NOMEM, "more than 256 MiB"},
    {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ERR_RECORD, "levels deep"},
    {"{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + "
     "ns.x "
     "%}{% endfor %}",
     ERR_NOMEM, "more than 256 MiB"},
    {"{{ 'a' * 99999999999 }}", ERR_RECORD, "a text of more than"},
    {"{{ 'x'.center(99999999999) }}", ERR_RECORD, "a text of more than"},
    {"{{ '%99999999d' % 1 }}", ERR_RECORD, "a format wider"},
    {"{{ [0] * 999999999 }}", ERR_NOMEM, "more than 256 MiB"},
    {"{% set l = range(99999)|list %}{% for i in range(999) %}{% if l == l %}{% endif "
     "%}{% endfor %}",
     ERR_RECORD, "steps"},
    {"{{ range(100001) }}", ERR_RECORD, "range of more than 100000"},
    {"{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}", ERR_RECORD,
     "levels deep"},
    {"{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}"
     "{% endfor %}{{ ns.x == ns.x }}",
     ERR_RECORD, "levels deep"},
    {"{{ 9223372036854775807 + 1 }}", ERR_RECORD, "beyond 64 bits"},
    {"{{ 2 ** 64 }}", ERR_RECORD, "beyond 64 bits"},
    {"{{ 99999999999999999999 }}", ERR_FILE, "beyond 64 bits"},
    /* not known, not supported */
    {"a\nb {{ 1 }}\n{% include 'x' %}", ERR_FILE, "line 3: the tag 'include'"},
    {"{% block a %}{% endblock %}", ERR_FILE, "'block' is not supported"},
    {"{% for x in y recursive %}{% endfor %}", ERR_FILE, "recursive loops"},
    {"{% frobnicate %}", ERR_FILE, "'frobnicate'"},
    {"\n\n{{ u | frobnicate }}", ERR_FILE, "line 3: the filter 'frobnicate'"},
    {"\n{{ u is frobnicated }}", ERR_FILE, "line 2: the test 'frobnicated'"},
    {"{{ u | urlize }}", ERR_FILE, "'urlize' is not supported"},
    {"{{ u.encode('utf-8') }}", ERR_FILE, "'encode' is not supported"},
    {"{{ lipsum() }}", ERR_FILE, "'lipsum' is not supported"},
    /* the sandbox */
    {"{{ [1].append(2) }}", ERR_RECORD, "'append' would change a list"},
    {"{{ {}.update(a=1) }}", ERR_RECORD, "'update' would change a dict"},
    {"{{ u.__class__.__mro__ }}", ERR_RECORD, "has no attribute '__class__'"},
    {"{% set ns = namespace() %}{% set ns.__class__ = 1 %}", ERR_FILE, "'__class__'"},
    /* what does not fit */
    {"\n{{ u + 1 }}", ERR_RECORD, "line 2: '+' of a str and a int"},
    {"{{ nothing.x }}", ERR_RECORD, "'nothing' is undefined"},
    {"{{ u.x.y }}", ERR_RECORD, "'str object' has no attribute 'x'"},
    {"{{ nothing() }}", ERR_RECORD, "'nothing' is undefined"},
    {"{{ 1 // 0 }}", ERR_RECORD, "division by zero"},
    {"{{ u.replace('a') }}", ERR_RECORD, "replace: its argument 'new' is missing"},
    {"{{ u.upper(1) }}", ERR_RECORD, "upper takes 0 arguments"},
    {"{{ u | replace('a', 'b', old='c') }}", ERR_RECORD, "'old' is given twice"},
    {"{{ u | replace('a', 'b', nope='c') }}", ERR_RECORD, "no argument 'nope'"},
    {"{{ raise_exception('As it is: ' + u) }}", ERR_RECORD, "As it is: abc"},
    /* what is not Jinja */
    {"{{ 'open", ERR_FILE, "a string that does not end"},
    {"{{ 1 ", ERR_FILE, "a tag that does not end"},
    {"{# c", ERR_FILE, "a comment that does not end"},
    {"{% raw %}", ERR_FILE, "a raw block that does not end"},
    {"{% if u %}", ERR_FILE, "ends where 'endif' is awaited"},
    {"{% endif %}", ERR_FILE, "'endif'"},
    {"{{ (1] }}", ERR_FILE, "closing bracket"},
    {"{{ 1 2 }}", ERR_FILE, "behind an expression: '2'"},
    {"{{ }}", ERR_FILE, "'}}' is not expected"},
    {"{% break %}", ERR_FILE, "'break' outside a loop"},
    {"{% set 1 = 2 %}", ERR_FILE, "where a name stands"},
    {"{{ '\\ud800' }}", ERR_FILE, "no character"},
    {"{{ \x80 }}", ERR_FILE, "not UTF-8"},
};

Test(jinja, refusals)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct err e;
        char *text;

        cr_expect_eq(render(r->source, &text, &e), r->code, "%s: %s", r->source,
                     e.text);
        cr_expect(strstr(e.text, r->says), "%s: %s", r->source, e.text);
        cr_expect(strstr(e.text, "file: ") || strstr(r->source, "raise"), "%s", e.text);
        free(text);
    }
}

/* Any depth of brackets, signs, tags is a tree or a sentence, never a crash. */
Test(jinja, nesting)
{
    static const char *const pieces[][2] = {
        {"{{ (((((((((((", "(x"}, {"{{ ", "-"},
        {"{{ not ", "not "},      {"", "{% if a %}"},
        {"", "{% for a in b %}"}, {"{{ x", "[x"},
        {"{{ a", " if a else a"}, {"{{ a", " | trim"},
        {"{{ a", ".b"},           {"{% if a %}", "{% elif a %}"},
        {"{{ a", " + a"},         {"{{ a", " is b is c"},
        {"", "{% set a %}"},      {"{{ ", "{'a': "},
        {"{{ a", " ~ (a"},
    };
    struct err e;
    char *text;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const size_t n = strlen(pieces[i][1]), times = 20000;
        char *source = calloc(1, strlen(pieces[i][0]) + n * times + 4);

        strcat(source, pieces[i][0]);
        for (size_t k = strlen(source), left = times; left > 0; left--, k += n)
            memcpy(source + k, pieces[i][1], n);
        cr_expect_lt(render(source, &text, &e), 0, "%s", pieces[i][1]);
        cr_expect(e.text[0]);
        free(source);
    }
}

static const struct shown {
    const char *source, *text;
} shown[] = {
    {"{{ strftime_now('%Y-%m-%d %H:%M') }}", "2023-11-14 22:13"},
    {"{{ u|upper }}{{ u[::-1] }}", "ABCcba"},
    {"{% set j = joiner('+') %}{{ j() }}a{{ j() }}b{{ j() }}c", "a+b+c"},
    {"{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}", "aba"},
    {"a\r\nb\rc\n", "a\nb\nc"},
    {"  {%+ if 1 %}x{% endif %}\n  {% if 1 %}\ny{% endif %}", "  xy"},
};

Test(jinja, shown)
{
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        struct err e;
        char *text;

        cr_expect_eq(render(shown[i].source, &text, &e), 0, "%s", e.text);
        cr_expect_str_eq(text ? text : "", shown[i].text, "%s", shown[i].source);
        free(text);
    }
}

/* A template that is cut anywhere is refused with a sentence, or is one. */
Test(jinja, cuts)
{
    static const char whole[] =
        "{%- macro m(a, b='x') -%}{{ a ~ b|trim }}{%- endmacro -%}{# c #}{% raw %}{{{% "
        "endraw %}{% for x in [1, 2.5, 'a\\n'] if x %}{{ loop.index }}{{ m(x, b={'k': "
        "-1}['k']) }}{% else %}{% endfor %}{% set ns = namespace(v=1) %}{{ ns.v }}";
    char cut[sizeof whole];
    struct err e;
    char *text;

    for (size_t n = 0; n < sizeof whole; n++) {
        memcpy(cut, whole, n);
        cut[n] = '\0';
        if (render(cut, &text, &e) < 0)
            cr_expect(e.text[0], "%zu", n);
        free(text);
    }
}
