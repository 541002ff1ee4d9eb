/*
 * Chat templates: the renderings of tests/golden/chat (Jinja's own, through
 * transformers), the user's bytes, and sources that must or must not be recognised.
 */
#include "../support/files.h"
#include "base/file.h"
#include "base/json.h"
#include "tok/canon.h"
#include "tok/template.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Those of the vectors that this build knows; the others must be refused. */
static int is_known(const char *name)
{
    static const char *const known[] = {"smollm2", "chatml",       "llama2",
                                        "llama3",  "mistral-v0.1", "mistral-v0.2",
                                        "zephyr",  "gemma"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return 1;
    return 0;
}

static const char *str(const json_t *v, const char *key)
{
    return json_string_value(json_object_get(v, key));
}

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

/* Without trimming the user's bytes are exactly the user's contents, one after another. */
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

static void check(const json_t *v, size_t line)
{
    const char *name = str(v, "name"), *want = str(v, "rendered");
    struct chat_message m[32];
    struct template *tm = NULL;
    struct rendered r = {0};
    struct err e = {0};
    const size_t n = messages_of(m, 32, v);
    const enum template_end end =
        json_is_true(json_object_get(v, "add_generation_prompt")) ? TEMPLATE_ASK
                                                                  : TEMPLATE_CLOSED;
    int rc = template_open(&tm, str(v, "template"), "file", &e);

    if (!is_known(name)) {
        cr_expect_eq(rc, ERR_FILE, "line %zu: %s is recognised", line, name);
        return;
    }
    cr_assert_eq(rc, 0, "line %zu: %s: %s", line, name, e.text);
    rc = template_render(tm, m, n, end, str(v, "bos_token"), str(v, "eos_token"), &r,
                         &e);
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
    struct err e = {0};
    char *text;
    size_t n, line = 0;

    cr_assert_eq(file_read(&text, &n, golden_file("chat/vectors.jsonl"), 1 << 26, &e),
                 0, "%s", e.text);
    for (size_t at = 0; at < n; line++) {
        const char *nl = memchr(text + at, '\n', n - at);
        const size_t len = nl ? (size_t)(nl - text) - at : n - at;
        json_t *v;

        cr_assert_eq(json_read_mem(&v, "line", text + at, len, &e), 0, "%s", e.text);
        check(v, line + 1);
        json_decref(v);
        at += len + 1;
    }
    cr_expect_gt(line, 60);
    free(text);
}

/* One template in many hands. */
static const char *const chatml[] = {
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt "
    "%}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "{%- for message in messages -%}\n  {{- \"<|im_start|>\" ~ message.role ~ \"\\n\" "
    "~ "
    "message.content ~ '<|im_end|>\\n' -}}\n{%- endfor -%}\n{%- if "
    "add_generation_prompt "
    "-%}\n  {{- '<|im_start|>assistant\\n' -}}\n{%- endif -%}\n",
    "{% for message in messages %}\n{# a turn #}\n<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}\n{% if add_generation_prompt %}\n"
    "<|im_start|>assistant\n{% endif %}",
};

Test(template, canonical_form_is_one)
{
    char *first = NULL;
    struct err e = {0};

    cr_assert_eq(canon_make(&first, chatml[0], "file", &e), 0, "%s", e.text);
    for (size_t i = 1; i < sizeof chatml / sizeof *chatml; i++) {
        char *other = NULL;

        cr_assert_eq(canon_make(&other, chatml[i], "file", &e), 0, "%s", e.text);
        cr_expect_str_eq(other, first, "%s\n%s", other, first);
        free(other);
    }
    free(first);
}

Test(template, refused)
{
    static const char *const bad[] = {
        "",
        "{{ messages }}",
        "{% for message in messages %}",
        ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
         "message['content'] + '<|im_end|>'}}{% endfor %}"),
        "{{ 'open",
        "{% if",
        "{{ 'open }}",
        "{%-%}", /* one sign, not two: found by fuzzing */
        "{{-}}",
        "{#-#}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct template *tm;
        struct err e = {0};

        cr_expect_eq(template_open(&tm, bad[i], "the/file", &e), ERR_FILE, "%s",
                     bad[i]);
        cr_expect_not_null(strstr(e.text, "the/file"));
        cr_expect_null(tm);
    }
}

Test(template, every_prefix_is_refused_or_whole)
{
    char source[1024];
    struct err e = {0};

    for (size_t n = 0; n < strlen(chatml[1]); n++) {
        struct template *tm;

        memcpy(source, chatml[1], n);
        source[n] = '\0';
        if (n < strlen(chatml[1]) - 1) /* but for its last newline */
            cr_expect_eq(template_open(&tm, source, "file", &e), ERR_FILE, "%zu", n);
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
    cr_assert_eq(template_open(&tm, chatml[0], "file", &e), 0, "%s", e.text);
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
