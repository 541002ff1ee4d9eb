#include "chat/chat.h"

#include "jinja/dict.h"
#include "tok/messages.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ----------------------------------------------------------------------------*/

/* NULL if there is no such token, or no memory. */
static char *token_text(const struct tok *tok, int32_t id)
{
    if (id < 0)
        return NULL;
    size_t n;
    const char *s = tok_bytes(tok, id, &n);
    char *out = malloc(n + 1);

    if (out) {
        if (n > 0)
            memcpy(out, s, n);
        out[n] = '\0';
    }
    return out;
}

int chat_open(struct chat *c, struct tok *tok, enum chat_form form, const char *system,
              struct err *e)
{
    const char *where, *source = tok_chat_template(tok, &where);
    int rc = 0;

    *c = (struct chat){.tok = tok, .system = system};
    if (form == CHAT_TEMPLATE && source)
        rc = template_open(&c->tm, source, where, e);
    if (rc == 0 && system && !c->tm)
        rc = err_set(e, ERR_USAGE,
                     "--system needs a chat template, and there is none in use");
    c->bos = token_text(tok, tok_bos(tok));
    c->eos = token_text(tok, tok_eos(tok));
    if (rc == 0 && ((!c->bos && tok_bos(tok) >= 0) || (!c->eos && tok_eos(tok) >= 0)))
        rc = err_set(e, ERR_NOMEM, "no memory for the chat template");
    return rc;
}

void chat_close(struct chat *c)
{
    template_close(c->tm);
    free(c->bos);
    free(c->eos);
    *c = (struct chat){0};
}

enum tok_add chat_add(const struct chat *c)
{
    return c->tm ? TOK_ADD_NONE : TOK_ADD_SPECIAL;
}

/* ---- values of a record -----------------------------------------------------------------*/

/* `who` wrote the value: a text, or in a map what is under "text" (the map is a part). */
static int from_rec(struct interp *in, struct rec_value v, enum str_who who,
                    struct value *out);

static int from_array(struct interp *in, struct rec_value v, enum str_who who,
                      struct value *out)
{
    struct rec_value k, one;
    struct rec_iter it;
    size_t i = 0;

    TRY(value_seq(in, V_LIST, rec_value_count(v), out));
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &one);)
        TRY(from_rec(in, one, who, &out->l->v[i++]));
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

        TRY(from_rec(in, k, STR_NOBODY, &key));
        const int is_text = key.type == V_STR && str_is(key.s, "text");
        TRY(from_rec(in, one, is_text ? who : STR_NOBODY, &val));
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

static int from_rec(struct interp *in, struct rec_value v, enum str_who who,
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

/* A conversation as its record has it, before the template. */
struct turns {
    struct pool pool;
    struct interp in; /* builds in the pool */
    struct values v;  /* messages, V_DICT */
};

static void turns_init(struct turns *t, struct err *e)
{
    *t = (struct turns){.pool = {.cap = INTERP_MEMORY}};
    t->in = (struct interp){.pool = &t->pool, .e = e, .where = "prompt"};
    t->v.in = &t->in;
}

static void turns_release(struct turns *t)
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

static int turns_add(struct turns *t, const char *role, struct rec_str text)
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
        TRY(from_rec(&t->in, one, is_text ? who_says(role) : STR_NOBODY, &val));
        TRY(from_rec(&t->in, k, STR_NOBODY, &key));
        TRY(is_text ? dict_set_lit(&t->in, d, "content", val)
                    : dict_set(&t->in, d, key, val));
    }
    return values_add(&t->v, dict_value(d));
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
    t->in.where = field;
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &m);) {
        struct rec_str role;

        if (rec_value_str(&role, rec_value_member(m, role_key)) < 0)
            return rec_fault(r, ERR_RECORD, e, field, "a message without '%s'",
                             role_key);
        role = usual_role(role);
        if (!is_content(rec_value_member(m, text_key), role))
            return rec_fault(r, ERR_RECORD, e, field,
                             "a message whose '%s' is not text", text_key);
        if (add_message(t, m, role_key, text_key, role) < 0) {
            const struct err why = *t->in.e;

            return rec_fault(r, ERR_RECORD, e, NULL, "%s", why.text);
        }
    }
    return 0;
}

/* Alpaca: the user's turn is instruction, a newline, input. */
static int read_alpaca(struct turns *t, const struct rec *r, struct err *e)
{
    struct rec_str instruction, input = {"", 0};
    char *both;
    int rc = rec_get_str(r, "instruction", &instruction, e);

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

/* The record's turns.  *whole: an answer may stand at their end. */
static int find_turns(struct turns *t, const struct rec *r, int *whole, struct err *e)
{
    const struct rec_value prompt = rec_find(r, "prompt"),
                           messages = rec_find(r, "messages"),
                           talk = rec_find(r, "conversations");
    struct rec_str text;
    int rc;

    *whole = 1;
    if (rec_value_type(prompt) == REC_ARRAY)
        return read_turns(t, r, "prompt", prompt, "role", "content", e);
    if (prompt.at) {
        rc = rec_get_str(r, "prompt", &text, e);
        return rc < 0 ? rc : turns_add(t, "user", text);
    }
    if (messages.at)
        return read_turns(t, r, "messages", messages, "role", "content", e);
    if (talk.at)
        return read_turns(t, r, "conversations", talk, "from", "value", e);
    *whole = 0;
    if (rec_find(r, "instruction").at)
        return read_alpaca(t, r, e);
    return rec_fault(r, ERR_RECORD, e, NULL,
                     "no prompt: neither 'prompt', 'messages', 'conversations', "
                     "'instruction' nor 'prompt_ids'");
}

/* A member of the turn that is a text; NULL if it is none. */
static const struct str *turn_text(const struct turns *t, size_t i, const char *key)
{
    const struct value *v = dict_get_lit(t->v.v[i].d, key);

    return v && v->type == V_STR ? v->s : NULL;
}

static int role_is(const struct turns *t, size_t i, const char *role)
{
    const struct str *s = turn_text(t, i, "role");

    return s && str_is(s, role);
}

/* ---- rendering --------------------------------------------------------------------------*/

/* The system prompt that a record or the command line brings, unless one is there. */
static int add_system(const struct chat *c, const struct rec *r, struct turns *t,
                      struct err *e)
{
    struct rec_str text = {c->system, c->system ? strlen(c->system) : 0};
    const int has = t->v.n > 0 && role_is(t, 0, "system");
    const int rc = r && !has ? rec_opt_str(r, "system", &text, e) : 0;

    if (rc < 0 || has || text.n == 0)
        return rc < 0 ? rc : 0;
    TRY(turns_add(t, "system", text));
    const struct value last = t->v.v[t->v.n - 1];
    memmove(t->v.v + 1, t->v.v, (t->v.n - 1) * sizeof *t->v.v);
    t->v.v[0] = last;
    return 0;
}

/* A field that the template gets as it is, of a type; V_MISSING if it is not there. */
static int template_field(struct turns *t, const struct rec *r, const char *key,
                          enum rec_type type, struct value *out, struct err *e)
{
    const struct rec_value v = r ? rec_find(r, key) : (struct rec_value){0};

    *out = (struct value){0};
    if (!v.at || rec_value_type(v) == REC_NIL)
        return 0;
    if (rec_value_type(v) != type)
        return err_set(e, ERR_RECORD, "'%s' is %s, %s expected", key,
                       rec_type_name(rec_value_type(v)), rec_type_name(type));
    t->in.where = key;
    return from_rec(&t->in, v, STR_NOBODY, out);
}

static int render_turns(const struct chat *c, const struct rec *r, struct turns *t,
                        struct rendered *out, struct err *e)
{
    struct template_scene s = {
        .in = &t->in, .bos = c->bos, .eos = c->eos, TEMPLATE_ASK, TEMPLATE_FITTED};

    t->in.e = e;
    TRY(add_system(c, r, t, e));
    TRY(values_done(&t->v, V_LIST, &s.messages));
    TRY(template_field(t, r, "tools", REC_ARRAY, &s.tools, e));
    TRY(template_field(t, r, "documents", REC_ARRAY, &s.documents, e));
    TRY(template_field(t, r, "chat_template_kwargs", REC_MAP, &s.more, e));
    return template_render_scene(c->tm, &s, out, e);
}

/* The content of a turn as one text, be it in parts; NULL if it is none. */
static int plain_text(struct turns *t, size_t i, const struct str **out)
{
    struct value fitted, one;

    TRY(value_seq(&t->in, V_LIST, 1, &one));
    one.l->v[0] = t->v.v[i];
    TRY(messages_normal(&t->in, one, CONTENT_TEXT, &fitted));
    const struct value *v = dict_get_lit(fitted.l->v[0].d, "content");
    *out = v && v->type == V_STR ? v->s : NULL;
    return 0;
}

/* Without a template there is no way to tell who speaks: one user's turn only. */
static int render_raw(struct turns *t, struct rendered *out, struct err *e)
{
    const struct str *s = NULL;

    t->in.e = e;
    if (t->v.n == 1 && role_is(t, 0, "user"))
        TRY(plain_text(t, 0, &s));
    if (!s)
        return err_set(
            e, ERR_RECORD,
            "a conversation of %zu messages needs a chat template: the model "
            "has none, or --raw goes without",
            t->v.n);
    return rendered_raw(out, s->s, s->n, e);
}

/* The answer that came with the prompt: the assistant's last turn, which is taken off,
 * or Alpaca's output. */
static int find_reference(struct turns *t, const struct rec *r, int whole,
                          struct rec_str *out, struct err *e)
{
    const struct str *said = NULL;
    struct rec_str found = {0};

    if (!whole)
        TRY(rec_opt_str(r, "output", &found, e));
    if (whole && t->v.n > 1 && role_is(t, t->v.n - 1, "assistant")) {
        TRY(plain_text(t, t->v.n - 1, &said));
        t->v.n--;
    }
    if (said)
        found = (struct rec_str){said->s, said->n};
    if (found.s) {
        char *copy = malloc(found.n + 1);

        if (!copy)
            return err_set(e, ERR_NOMEM, "no memory for a reference");
        memcpy(copy, found.s, found.n);
        *out = (struct rec_str){copy, found.n};
    }
    return 0;
}

int chat_render(const struct chat *c, const struct rec *r, struct rendered *out,
                struct rec_str *reference, struct err *e)
{
    struct err why = {0};
    struct turns t;
    int whole, rc;

    *reference = (struct rec_str){0};
    turns_init(&t, &why);
    rc = find_turns(&t, r, &whole, e);
    if (rc == 0)
        rc = find_reference(&t, r, whole, reference, e);
    if (rc == 0) {
        rc = c->tm ? render_turns(c, r, &t, out, &why) : render_raw(&t, out, &why);
        if (rc < 0)
            (void)rec_fault(r, (enum errcode)rc, e, NULL, "%s", why.text);
    }
    turns_release(&t);
    return rc;
}

int chat_render_text(const struct chat *c, const char *text, size_t n,
                     struct rendered *out, struct err *e)
{
    struct turns t;
    int rc;

    turns_init(&t, e);
    rc = turns_add(&t, "user", (struct rec_str){text, n});
    if (rc == 0)
        rc = c->tm ? render_turns(c, NULL, &t, out, e) : render_raw(&t, out, e);
    turns_release(&t);
    return rc;
}
