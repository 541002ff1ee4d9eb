#include "values.h"

#include "files.h"

#include "jinja/dict.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct value must(struct interp *in, int rc, struct value v)
{
    cr_assert_geq(rc, 0, "%s", in->e->text);
    return v;
}

static struct value object(struct interp *in, const json_t *j, enum str_who who)
{
    const char *key;
    struct dict *d;
    json_t *one;
    int rc = dict_new(in, &d);

    json_object_foreach((json_t *)j, key, one)
    {
        const struct value v = value_of_json(in, one, who);

        if (rc == 0)
            rc = dict_set_lit(in, d, key, v);
    }
    return must(in, rc, dict_value(d));
}

struct value value_of_json(struct interp *in, const json_t *j, enum str_who who)
{
    struct value v = value_none();
    json_t *one;
    size_t i;

    switch (json_typeof(j)) {
    case JSON_OBJECT: return object(in, j, who);
    case JSON_ARRAY:
        v = must(in, value_seq(in, V_LIST, json_array_size(j), &v), v);
        json_array_foreach((json_t *)j, i, one) v.l->v[i] = value_of_json(in, one, who);
        return v;
    case JSON_STRING: {
        const int rc =
            value_text(in, json_string_value(j), json_string_length(j), who, &v);
        return must(in, rc, v);
    }
    case JSON_INTEGER: return value_int(json_integer_value(j));
    case JSON_REAL: return value_float(json_real_value(j));
    case JSON_TRUE:
    case JSON_FALSE: return value_bool(json_is_true(j));
    default: return v;
    }
}

/* A text, or parts of which `text` is the user's. */
static struct value user_content(struct interp *in, const json_t *content)
{
    const struct value v =
        value_of_json(in, content, json_is_string(content) ? STR_USER : STR_NOBODY);

    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *text = json_object_get(json_array_get(content, i), "text");

        cr_assert_eq(
            dict_set_lit(in, v.l->v[i].d, "text", value_of_json(in, text, STR_USER)),
            0);
    }
    return v;
}

struct value messages_of_json(struct interp *in, const json_t *messages)
{
    struct value list = value_none();
    int rc = value_seq(in, V_LIST, json_array_size(messages), &list);

    for (size_t i = 0; rc == 0 && i < list.l->n; i++) {
        const json_t *m = json_array_get(messages, i), *content;
        const char *role = json_string_value(json_object_get(m, "role"));

        list.l->v[i] = value_of_json(in, m, STR_NOBODY);
        content = json_object_get(m, "content");
        if (content && strcmp(role, "user") == 0)
            rc = dict_set_lit(in, list.l->v[i].d, "content", user_content(in, content));
    }
    return must(in, rc, list);
}

size_t each_line(const char *path, void (*fn)(const json_t *v, size_t line, void *data),
                 void *data)
{
    size_t n, line = 0;
    char *text = file_slurp(path, &n);

    for (size_t at = 0; at < n; line++) {
        const char *nl = memchr(text + at, '\n', n - at);
        const size_t len = nl ? (size_t)(nl - text) - at : n - at;
        struct err e = {0};
        json_t *v;

        cr_assert_eq(json_read_mem(&v, path, text + at, len, &e), 0, "%s", e.text);
        fn(v, line + 1, data);
        json_decref(v);
        at += len + 1;
    }
    free(text);
    return line;
}
