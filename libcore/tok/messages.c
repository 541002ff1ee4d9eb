#include "tok/messages.h"

#include "jinja/dict.h"

#include <string.h>

int messages_one(struct interp *in, const char *role, const char *text, size_t n,
                 enum str_who who, struct value *out)
{
    struct value r, content;
    struct dict *d;

    TRY(value_text(in, role, strlen(role), STR_NOBODY, &r));
    TRY(value_text(in, text, n, who, &content));
    TRY(dict_new(in, &d));
    TRY(dict_set_lit(in, d, "role", r));
    TRY(dict_set_lit(in, d, "content", content));
    *out = dict_value(d);
    return 0;
}

int messages_parts(struct interp *in, struct value text, struct value *out)
{
    struct value type;
    struct dict *d;

    TRY(value_text(in, "text", 4, STR_NOBODY, &type));
    TRY(dict_new(in, &d));
    TRY(dict_set_lit(in, d, "type", type));
    TRY(dict_set_lit(in, d, "text", text));
    TRY(value_seq(in, V_LIST, 1, out));
    out->l->v[0] = dict_value(d);
    return 0;
}

/* The text of a part of type text; NULL for anything else. */
static const struct str *part_text(struct value part)
{
    const struct value *type, *text;

    if (part.type != V_DICT)
        return NULL;
    type = dict_get_lit(part.d, "type");
    text = dict_get_lit(part.d, "text");
    if (!type || type->type != V_STR || !str_is(type->s, "text") || !text ||
        text->type != V_STR)
        return NULL;
    return text->s;
}

/* Parts of type text become one string; others stay. */
static int join_parts(struct interp *in, struct value *content)
{
    struct buf b = {in};
    const struct str *s;

    for (size_t i = 0; i < content->l->n; i++) {
        if (!(s = part_text(content->l->v[i])))
            return 0;
        TRY(buf_add(&b, s));
    }
    TRY(buf_done(&b, &s));
    *content = value_str(s);
    return 0;
}

static int fit(struct interp *in, enum template_content want, struct value *content)
{
    if (want == CONTENT_TEXT && content->type == V_LIST && content->l->n > 0)
        return join_parts(in, content);
    if (want == CONTENT_PARTS && content->type == V_STR)
        return messages_parts(in, *content, content);
    return 0;
}

/* The first of the names under which a message has its reasoning, NULL without. */
static const struct value *reasoning_of(const struct dict *message)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct value *v = dict_get_lit(message, names[i]);

        if (v && v->type != V_NONE)
            return v;
    }
    return NULL;
}

static int normal_one(struct interp *in, const struct dict *from,
                      enum template_content want, struct value *out)
{
    const struct value *reasoning = reasoning_of(from);
    struct dict *d;

    TRY(dict_new(in, &d));
    if (reasoning)
        TRY(dict_set_lit(in, d, "thinking", *reasoning));
    for (size_t i = 0; i < from->n; i++) {
        const struct value key = from->key[i];
        struct value val = from->val[i];

        if (val.type == V_NONE)
            continue;
        if (key.type == V_STR && str_is(key.s, "content"))
            TRY(fit(in, want, &val));
        TRY(dict_set(in, d, key, val));
    }
    if (reasoning)
        TRY(dict_set_lit(in, d, "reasoning_content", *reasoning));
    *out = dict_value(d);
    return 0;
}

int messages_normal(struct interp *in, struct value messages,
                    enum template_content want, struct value *out)
{
    const struct value *items;
    size_t n;

    TRY(value_iterate(in, messages, &items, &n));
    TRY(value_seq(in, V_LIST, n, out));
    for (size_t i = 0; i < n; i++) {
        if (items[i].type != V_DICT)
            return interp_fault(in, ERR_RECORD, "a message is a %s, a dict expected",
                                value_type_name(items[i]));
        TRY(normal_one(in, items[i].d, want, &out->l->v[i]));
    }
    return 0;
}
