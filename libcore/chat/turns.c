#include "chat/turns.h"

#include "jinja/dict.h"
#include "tok/messages.h"

#include <stdlib.h>
#include <string.h>

/* ---- values of a record -----------------------------------------------------------------*/

static int from_array(struct interp *in, struct rec_value v, enum str_who who,
                      struct value *out)
{
    struct rec_value k, one;
    struct rec_iter it;
    size_t i = 0;

    TRY(value_seq(in, V_LIST, rec_value_count(v), out));
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &one);)
        TRY(turns_value(in, one, who, &out->l->v[i++]));
    return 0;
}

static int from_map(struct interp *in, struct rec_value v, enum str_who who,
                    struct value *out)
{
    struct rec_value k, one;
    struct rec_iter it;
    struct dict *d;

    TRY(dict_new(in, &d));
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &one);) {
        struct value key, val;

        TRY(turns_value(in, k, STR_NOBODY, &key));
        const int is_text = key.type == V_STR && str_is(key.s, "text");
        TRY(turns_value(in, one, is_text ? who : STR_NOBODY, &val));
        TRY(dict_set(in, d, key, val));
    }
    *out = dict_value(d);
    return 0;
}

static int from_scalar(struct interp *in, struct rec_value v, enum str_who who,
                       struct value *out)
{
    struct rec_str s;
    int64_t i;
    double f;
    int b;

    if (rec_value_str(&s, v) == 0)
        return value_text(in, s.s, s.n, who, out);
    if (rec_value_bool(&b, v) == 0)
        *out = value_bool(b);
    else if (rec_value_int(&i, v) == 0)
        *out = value_int(i);
    else if (rec_value_f64(&f, v) == 0)
        *out = value_float(f);
    else if (rec_value_type(v) == REC_NIL)
        *out = value_none();
    else
        return interp_fault(in, ERR_RECORD, "%s is nothing that a template can take",
                            rec_type_name(rec_value_type(v)));
    return 0;
}

int turns_value(struct interp *in, struct rec_value v, enum str_who who,
                struct value *out)
{
    const enum rec_type type = rec_value_type(v);

    TRY(interp_enter(in));
    TRY(type == REC_ARRAY ? from_array(in, v, who, out)
        : type == REC_MAP ? from_map(in, v, who, out)
                          : from_scalar(in, v, who, out));
    interp_leave(in);
    return 0;
}

/* ---- turns ------------------------------------------------------------------------------*/

void turns_init(struct turns *t, struct err *e)
{
    *t = (struct turns){.pool = {.cap = INTERP_MEMORY}};
    t->in = (struct interp){.pool = &t->pool, .e = e, .where = "prompt"};
    t->v.in = &t->in;
}

void turns_release(struct turns *t)
{
    pool_release(&t->pool);
}

/* The three roles under the names that other files give them. */
static struct rec_str usual_role(struct rec_str role)
{
    static const char *const other[][2] = {{"human", "user"},
                                           {"gpt", "assistant"},
                                           {"chatgpt", "assistant"},
                                           {"bot", "assistant"},
                                           {"model", "assistant"}};

    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (rec_str_is(role, other[i][0]))
            return (struct rec_str){other[i][1], strlen(other[i][1])};
    return role;
}

static enum str_who who_says(struct rec_str role)
{
    return rec_str_is(role, "user") ? STR_USER : STR_NOBODY;
}

int turns_add(struct turns *t, const char *role, struct rec_str text)
{
    struct value m;

    TRY(messages_one(&t->in, role, text.s, text.n,
                     strcmp(role, "user") == 0 ? STR_USER : STR_NOBODY, &m));
    return values_add(&t->v, m);
}

/* Content that a template for text can take: a text, parts of type text; of tools, whatever
 * they gave; nothing, where the assistant calls tools instead. */
static int is_content(struct rec_value v, struct rec_str role)
{
    struct rec_value k, part;
    struct rec_str type, text;
    struct rec_iter it;

    if (rec_str_is(role, "tool") || rec_value_type(v) == REC_STR)
        return 1;
    if (!v.at || rec_value_type(v) == REC_NIL)
        return rec_str_is(role, "assistant");
    if (rec_value_type(v) != REC_ARRAY)
        return 0;
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &part);)
        if (rec_value_str(&type, rec_value_member(part, "type")) < 0 ||
            !rec_str_is(type, "text") ||
            rec_value_str(&text, rec_value_member(part, "text")) < 0)
            return 0;
    return 1;
}

/* A message with all it has; its role and content under the template's names. */
static int add_message(struct turns *t, struct rec_value m, const char *role_key,
                       const char *text_key, struct rec_str role)
{
    struct rec_value k, one;
    struct value key, val;
    struct rec_iter it;
    struct rec_str name;
    struct dict *d;

    TRY(dict_new(&t->in, &d));
    TRY(value_text(&t->in, role.s, role.n, STR_NOBODY, &val));
    TRY(dict_set_lit(&t->in, d, "role", val));
    for (rec_iter_start(&it, m); rec_iter_next(&it, &k, &one);) {
        const int is_text = rec_value_str(&name, k) == 0 && rec_str_is(name, text_key);

        if (rec_value_str(&name, k) == 0 && rec_str_is(name, role_key))
            continue;
        TRY(turns_value(&t->in, one, is_text ? who_says(role) : STR_NOBODY, &val));
        TRY(turns_value(&t->in, k, STR_NOBODY, &key));
        TRY(is_text ? dict_set_lit(&t->in, d, "content", val)
                    : dict_set(&t->in, d, key, val));
    }
    return values_add(&t->v, dict_value(d));
}

static int check_message(struct turns *t, const struct rec *r, const char *field,
                         struct rec_value m, const char *role_key, const char *text_key,
                         struct err *e)
{
    struct rec_str role;

    if (rec_value_str(&role, rec_value_member(m, role_key)) < 0)
        return rec_fault(r, ERR_RECORD, e, field, "a message without '%s'", role_key);
    role = usual_role(role);
    if (!is_content(rec_value_member(m, text_key), role))
        return rec_fault(r, ERR_RECORD, e, field, "a message whose '%s' is not text",
                         text_key);
    t->in.where = field;
    if (add_message(t, m, role_key, text_key, role) < 0) {
        const struct err why = *t->in.e;

        return rec_fault(r, ERR_RECORD, e, NULL, "%s", why.text);
    }
    return 0;
}

/* An array of maps with a role and a content, whatever these two are called. */
static int read_turns(struct turns *t, const struct rec *r, const char *field,
                      struct rec_value list, const char *role_key, const char *text_key,
                      struct err *e)
{
    struct rec_iter it;
    struct rec_value k, m;

    if (rec_value_type(list) != REC_ARRAY || rec_value_count(list) == 0)
        return rec_fault(r, ERR_RECORD, e, field, "not an array of messages");
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &m);)
        TRY(check_message(t, r, field, m, role_key, text_key, e));
    return 0;
}

int turns_field(struct turns *t, const struct rec *r, const char *field, struct err *e)
{
    const struct rec_value v = rec_find(r, field);
    struct rec_value k, first = v;
    struct rec_iter it;

    if (rec_value_type(v) == REC_ARRAY) {
        rec_iter_start(&it, v);
        if (!rec_iter_next(&it, &k, &first))
            first = (struct rec_value){0};
    }
    const int sharegpt = rec_value_member(first, "from").at != NULL;
    const char *role_key = sharegpt ? "from" : "role";
    const char *text_key = sharegpt ? "value" : "content";
    return rec_value_type(v) == REC_MAP
               ? check_message(t, r, field, v, role_key, text_key, e)
               : read_turns(t, r, field, v, role_key, text_key, e);
}

/* Alpaca: the user's turn is instruction, a newline, input. */
static int read_alpaca(struct turns *t, const struct rec *r, const char *field,
                       struct err *e)
{
    struct rec_str instruction, input = {"", 0};
    char *both;
    int rc = rec_get_str(r, field, &instruction, e);

    if (rc < 0 || (rc = rec_opt_str(r, "input", &input, e)) < 0)
        return rc;
    if (input.n == 0)
        return turns_add(t, "user", instruction);
    TRY(interp_take(&t->in, &both, instruction.n + 1 + input.n, 1));
    memcpy(both, instruction.s, instruction.n);
    both[instruction.n] = '\n';
    memcpy(both + instruction.n + 1, input.s, input.n);
    return turns_add(t, "user", (struct rec_str){both, instruction.n + 1 + input.n});
}

static int read_prompt(struct turns *t, const struct rec *r, const char *field,
                       struct err *e)
{
    const struct rec_value v = rec_find(r, field);
    struct rec_str text;

    if (rec_value_type(v) == REC_ARRAY)
        return read_turns(t, r, field, v, "role", "content", e);
    const int rc = rec_get_str(r, field, &text, e);
    return rc < 0 ? rc : turns_add(t, "user", text);
}

static int read_messages(struct turns *t, const struct rec *r, const char *field,
                         struct err *e)
{
    return read_turns(t, r, field, rec_find(r, field), "role", "content", e);
}

static int read_sharegpt(struct turns *t, const struct rec *r, const char *field,
                         struct err *e)
{
    return read_turns(t, r, field, rec_find(r, field), "from", "value", e);
}

/* Where a prompt may stand; the first that a record has is taken. */
static const struct form {
    const char *field;
    int (*read)(struct turns *t, const struct rec *r, const char *field, struct err *e);
    int talk; /* its last turn may be the answer */
} forms[] = {
    {"prompt", read_prompt, 1},          {"messages", read_messages, 1},
    {"conversations", read_sharegpt, 1}, {"instruction", read_alpaca, 0},
    {"question", read_alpaca, 0},
};

static const struct form *form_of(const struct rec *r)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (rec_find(r, forms[i].field).at)
            return &forms[i];
    return NULL;
}

int turns_has_prompt(const struct rec *r)
{
    return form_of(r) != NULL;
}

int turns_find(struct turns *t, const struct rec *r, struct err *e)
{
    const struct form *f = form_of(r);

    if (!f)
        return rec_fault(r, ERR_RECORD, e, NULL,
                         "no prompt: neither 'prompt', 'messages', 'conversations', "
                         "'instruction', 'question' nor 'prompt_ids'");
    t->talk = f->talk;
    return f->read(t, r, f->field, e);
}

/* ---- asking -----------------------------------------------------------------------------*/

int turns_role_is(const struct turns *t, size_t i, const char *role)
{
    const struct value *v = dict_get_lit(t->v.v[i].d, "role");

    return v && v->type == V_STR && str_is(v->s, role);
}

int turns_text(struct turns *t, size_t i, const struct str **out)
{
    struct value fitted, one;

    TRY(value_seq(&t->in, V_LIST, 1, &one));
    one.l->v[0] = t->v.v[i];
    TRY(messages_normal(&t->in, one, CONTENT_TEXT, &fitted));
    const struct value *v = dict_get_lit(fitted.l->v[0].d, "content");
    *out = v && v->type == V_STR ? v->s : NULL;
    return 0;
}

int turns_copy(struct rec_str *out, struct rec_str text, struct err *e)
{
    char *copy = malloc(text.n + 1);

    if (!copy)
        return err_set(e, ERR_NOMEM, "no memory for an answer of %zu bytes", text.n);
    memcpy(copy, text.s, text.n);
    copy[text.n] = '\0';
    *out = (struct rec_str){copy, text.n};
    return 1;
}

int turns_answer(struct turns *t, struct rec_str *out, struct err *e)
{
    const struct str *said = NULL;

    if (t->v.n == 0 || !turns_role_is(t, t->v.n - 1, "assistant"))
        return 0;
    t->in.e = e;
    TRY(turns_text(t, t->v.n - 1, &said));
    t->v.n--;
    return said ? turns_copy(out, (struct rec_str){said->s, said->n}, e) : 0;
}
