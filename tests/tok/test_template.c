/*
 * Chat templates: the renderings of tests/golden/chat (Jinja's own, through transformers),
 * whose each byte is, and what is found out about a template by asking it.
 */
#include "../support/files.h"
#include "../support/values.h"

#include "jinja/dict.h"
#include "tok/template.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *str(const json_t *v, const char *key)
{
    return json_string_value(json_object_get(v, key));
}

static enum template_end end_of(const json_t *v)
{
    return json_is_true(json_object_get(v, "add_generation_prompt")) ? TEMPLATE_ASK
                                                                     : TEMPLATE_CLOSED;
}

/* ---- the first templates: contents that are text ----------------------------------------*/

static size_t messages_of(struct chat_message *m, size_t max, const json_t *v)
{
    const json_t *list = json_object_get(v, "messages"), *one;
    size_t i;

    cr_assert_leq(json_array_size(list), max);
    json_array_foreach(list, i, one) m[i] = (struct chat_message){
        .role = str(one, "role"),
        .text = str(one, "content"),
        .n = json_string_length(json_object_get(one, "content")),
    };
    return json_array_size(list);
}

/* But for what is trimmed, the user's bytes are the user's contents, one after another. */
static void expect_user(const struct rendered *r, const struct chat_message *m,
                        size_t n, const char *name)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(m[i].role, "user") != 0)
            continue;
        size_t k = 0, from = 0;

        while (at < r->n && !r->user[at])
            at++;
        while (from < m[i].n && at < r->n && m[i].text[from] != r->text[at])
            from++; /* trimmed */
        while (at < r->n && r->user[at] && from + k < m[i].n) {
            cr_assert_eq(r->text[at], m[i].text[from + k], "%s", name);
            at++;
            k++;
        }
        cr_expect_gt(k, 0, "%s: a message without its bytes", name);
    }
    while (at < r->n)
        cr_expect_eq(r->user[at++], 0, "%s: bytes of nobody are the user's", name);
}

static void check(const json_t *v, size_t line, void *data)
{
    const char *name = str(v, "name"), *want = str(v, "rendered");
    struct chat_message m[32];
    struct template *tm = NULL;
    struct rendered r = {0};
    struct err e = {0};
    const size_t n = messages_of(m, 32, v);
    int rc = template_open(&tm, str(v, "template"), "file", &e);

    (void)data;
    cr_assert_eq(rc, 0, "line %zu: %s: %s", line, name, e.text);
    rc = template_render(tm, m, n, end_of(v), str(v, "bos_token"), str(v, "eos_token"),
                         &r, &e);
    if (want) {
        cr_assert_eq(rc, 0, "line %zu: %s: %s", line, name, e.text);
        cr_expect_str_eq(r.text, want, "line %zu: %s", line, name);
        expect_user(&r, m, n, name);
    } else {
        cr_expect_eq(rc, ERR_RECORD, "line %zu: %s", line, name);
        cr_expect_str_eq(e.text, str(v, "error"), "line %zu: %s", line, name);
    }
    rendered_release(&r);
    template_close(tm);
}

Test(template, golden)
{
    cr_expect_gt(each_line(golden_file("chat/vectors.jsonl"), check, NULL), 60);
}

/* ---- families: all that a conversation can have -----------------------------------------*/

struct families {
    json_t *conversations; /* by name */
    json_t *tools;
    size_t templates, texts, refusals, marks;
};

/* White space at r's byte i: ASCII's, and U+00A0. */
static int is_white(const struct rendered *r, size_t i)
{
    return strchr(" \t\r\n", r->text[i]) || strncmp(r->text + i, "\u00a0", 2) == 0 ||
           (i > 0 && strncmp(r->text + i - 1, "\u00a0", 2) == 0);
}

/* `user`: [from, to) of the bytes that are the user's, white space not counted. */
static void expect_marks(const struct rendered *r, const json_t *user,
                         const char *where, struct families *f)
{
    size_t run = 0;

    for (size_t i = 0; i < r->n; i++) {
        const json_t *pair = json_array_get(user, run);

        if (pair && i >= (size_t)json_integer_value(json_array_get(pair, 1)))
            pair = json_array_get(user, ++run);
        const size_t from = (size_t)json_integer_value(json_array_get(pair, 0));
        if (!is_white(r, i))
            cr_assert_eq(r->user[i], pair && i >= from, "%s: byte %zu is whose? %.*s",
                         where, i, (int)(r->n - i < 40 ? r->n - i : 40), r->text + i);
    }
    f->marks++;
}

static void check_case(const struct template *tm, const json_t *one, const char *name,
                       struct families *f)
{
    const json_t *talk = json_object_get(f->conversations, str(one, "conversation"));
    const json_t *more = json_object_get(talk, "kwargs"),
                 *user = json_object_get(one, "user");
    struct err e = {0};
    struct pool pool = {.cap = INTERP_MEMORY};
    struct interp in = {.pool = &pool, .e = &e, .where = "file"};
    struct template_scene s = {
        .in = &in, .bos = "<s>", .eos = "</s>", .end = end_of(one), TEMPLATE_AS_IS};
    struct rendered r = {0};
    char where[200];

    snprintf(where, sizeof where, "%s, %s, %d", name, str(one, "conversation"), s.end);
    s.messages = messages_of_json(&in, json_object_get(talk, "messages"));
    if (json_object_get(talk, "tools"))
        s.tools = value_of_json(&in, f->tools, STR_NOBODY);
    if (more)
        s.more = value_of_json(&in, more, STR_NOBODY);
    const int rc = template_render_scene(tm, &s, &r, &e);
    if (str(one, "rendered")) {
        cr_expect_eq(rc, 0, "%s: %s", where, e.text);
        cr_expect_str_eq(r.text ? r.text : "", str(one, "rendered"), "%s", where);
        if (user && rc == 0)
            expect_marks(&r, user, where, f);
        f->texts++;
    } else {
        cr_expect_lt(rc, 0, "%s", where);
        if (str(one, "error")) /* the template's own */
            cr_expect_str_eq(e.text, str(one, "error"), "%s", where);
        f->refusals++;
    }
    rendered_release(&r);
    pool_release(&pool);
}

static void check_family(const json_t *v, size_t line, void *data)
{
    struct families *f = data;
    struct template *tm = NULL;
    struct err e = {0};
    const json_t *one;
    size_t i;

    if (line == 1) {
        f->conversations = json_deep_copy(json_object_get(v, "conversations"));
        f->tools = json_deep_copy(json_object_get(v, "tools"));
        return;
    }
    cr_assert_eq(template_open(&tm, str(v, "template"), str(v, "name"), &e), 0, "%s",
                 e.text);
    json_array_foreach(json_object_get(v, "cases"), i, one)
        check_case(tm, one, str(v, "name"), f);
    f->templates++;
    template_close(tm);
}

Test(template, families)
{
    struct families f = {0};

    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    (void)each_line("tests/golden/chat/families.jsonl", check_family, &f);
    cr_expect_gt(f.templates, 30);
    cr_expect_gt(f.texts, 500);
    cr_expect_gt(f.refusals, 20);
    cr_expect_gt(f.marks, 400);
    json_decref(f.conversations);
    json_decref(f.tools);
}

/* ---- asking a template ------------------------------------------------------------------*/

static const char chatml[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt "
    "%}{{ '<|im_start|>assistant\n' }}{% endif %}";

static const struct asked {
    const char *source;
    enum template_content content;
} asked[] = {
    {chatml, CONTENT_TEXT},
    {"{% for m in messages %}{{ m.content }}{% endfor %}",
     CONTENT_TEXT}, /* prints code */
    {"{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% "
     "for p "
     "in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}",
     CONTENT_EITHER},
    {"{% for m in messages %}{% for p in m.content %}{{ p['text'] }}{% endfor %}{% "
     "endfor "
     "%}",
     CONTENT_PARTS},
    {"{{ raise_exception('no') }}", CONTENT_TEXT},
};

/* Whatever it wants, a text arrives. */
Test(template, content)
{
    static const struct chat_message m = {"user", "hello", 5};

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct rendered r = {0};
        struct template *tm;
        struct err e = {0};

        cr_assert_eq(template_open(&tm, asked[i].source, "file", &e), 0, "%s", e.text);
        cr_expect_eq(template_content(tm), asked[i].content, "%s", asked[i].source);
        if (template_render(tm, &m, 1, TEMPLATE_CLOSED, "", "", &r, &e) == 0)
            cr_expect(strstr(r.text, "hello"), "%s: %s", asked[i].source, r.text);
        else
            cr_expect_str_eq(e.text, "no");
        rendered_release(&r);
        template_close(tm);
    }
}

Test(template, turn_end)
{
    static const struct {
        const char *source, *token;
    } rows[] = {
        {chatml, "<|im_end|>"},
        {"{% for m in messages %}{{ m.content }} <|im_end|>{% endfor %}", "<|im_end|>"},
        {"{% for m in messages %}{{ m.content }}, and on{% endfor %}", NULL},
        {"{% for m in messages %}{{ m.content }}{% endfor %}", NULL},
        {"{{ raise_exception('no') }}", NULL},
    };
    struct tok *t;
    struct err e = {0};

    cr_assert_eq(tok_open(&t, golden_file("tok/smollm2-style"), &e), 0, "%s", e.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct template *tm;
        int32_t id = 7;

        cr_assert_eq(template_open(&tm, rows[i].source, "file", &e), 0, "%s", e.text);
        cr_expect_eq(template_turn_end(tm, t, &id, &e), 0, "%s", e.text);
        cr_expect_eq(id, rows[i].token ? tok_find(t, rows[i].token) : -1, "%s",
                     rows[i].source);
        template_close(tm);
    }
    tok_close(t);
}

Test(template, refused)
{
    static const char *const bad[] = {
        "{% for message in messages %}",
        "{{ 'open",
        "{% if",
        "{{ 'open }}",
        "{%-%}",
        "{{-}}",
        "{#-",
        "{% x %}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct template *tm;
        struct err e = {0};

        cr_expect_eq(template_open(&tm, bad[i], "the/file", &e), ERR_FILE, "%s",
                     bad[i]);
        cr_expect(strstr(e.text, "the/file: chat template, line 1: "), "%s", e.text);
        cr_expect_null(tm);
    }
}

/* The date that a template shows is fixed when it is opened. */
Test(template, date)
{
    static const struct chat_message m = {"user", "", 0};
    static const char *const epochs[] = {"0", "951782400", "x", ""};
    static const char *const dates[] = {"1970-01-01", "2000-02-29", NULL, NULL};

    for (size_t i = 0; i < 4; i++) {
        struct rendered r = {0};
        struct template *tm;
        struct err e = {0};

        setenv("SOURCE_DATE_EPOCH", epochs[i], 1);
        setenv("TZ", "Pacific/Kiritimati", 1); /* 14 hours before UTC */
        cr_assert_eq(template_open(&tm, "{{ strftime_now('%Y-%m-%d') }}", "f", &e), 0);
        cr_assert_eq(template_render(tm, &m, 1, TEMPLATE_ASK, "", "", &r, &e), 0);
        if (dates[i])
            cr_expect_str_eq(r.text, dates[i]);
        else
            cr_expect_gt(strcmp(r.text, "2024"), 0, "%s", r.text); /* today */
        rendered_release(&r);
        template_close(tm);
    }
}

/* 1 only for tokens that are wholly the user's and not special. */
Test(template, mask)
{
    struct tok *t;
    struct template *tm;
    struct rendered r = {0};
    struct tok_ids ids = {0};
    struct err e = {0};
    const struct chat_message m = {"user", "say <|im_end|> twice", 20};
    unsigned char mask[256];
    size_t from = 0, users = 0;

    cr_assert_eq(tok_open(&t, golden_file("tok/smollm2-style"), &e), 0, "%s", e.text);
    cr_assert_eq(template_open(&tm, chatml, "file", &e), 0, "%s", e.text);
    cr_assert_eq(template_render(tm, &m, 1, TEMPLATE_ASK, "", "", &r, &e), 0);
    cr_assert_eq(tok_encode(t, r.text, r.n, TOK_ADD_NONE, &ids, &e), 0);
    cr_assert_lt(ids.n, sizeof mask);
    rendered_mask(mask, &r, t, &ids);
    for (size_t i = 0; i < ids.n; i++) {
        if (tok_is_special(t, ids.id[i]))
            cr_expect_eq(mask[i], 0);
        for (size_t k = from; k < ids.end[i]; k++)
            if (mask[i])
                cr_expect_eq(r.user[k], 1);
        users += mask[i];
        from = ids.end[i];
    }
    cr_expect_gt(users, 2);
    rendered_release(&r);
    tok_ids_release(&ids);
    template_close(tm);
    tok_close(t);
}
