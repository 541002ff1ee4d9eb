#include "chat/chat.h"

#include "chat/turns.h"

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
    int rc = 0;

    *c = (struct chat){.tok = tok, .system = system};
    if (form == CHAT_TEMPLATE)
        rc = template_open_of(&c->tm, tok, e);
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

/* ---- rendering --------------------------------------------------------------------------*/

/* The system prompt that a record or the command line brings, unless one is there. */
static int add_system(const struct chat *c, const struct rec *r, struct turns *t,
                      struct err *e)
{
    struct rec_str text = {c->system, c->system ? strlen(c->system) : 0};
    const int has = t->v.n > 0 && turns_role_is(t, 0, "system");
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
    return turns_value(&t->in, v, STR_NOBODY, out);
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

/* Without a template there is no way to tell who speaks: one user's turn only. */
static int render_raw(struct turns *t, struct rendered *out, struct err *e)
{
    const struct str *s = NULL;

    t->in.e = e;
    if (t->v.n == 1 && turns_role_is(t, 0, "user"))
        TRY(turns_text(t, 0, &s));
    if (!s)
        return err_set(
            e, ERR_RECORD,
            "a conversation of %zu messages needs a chat template: the model "
            "has none, or --raw goes without",
            t->v.n);
    return rendered_raw(out, s->s, s->n, e);
}

/* Into *out, as the template has it or as it is; faults name the record. */
static int render(const struct chat *c, const struct rec *r, struct turns *t,
                  struct rendered *out, struct err *e)
{
    struct err why = {0};
    const int rc = c->tm ? render_turns(c, r, t, out, &why) : render_raw(t, out, &why);

    return rc < 0 ? rec_fault(r, (enum errcode)rc, e, NULL, "%s", why.text) : rc;
}

/* The answer that came with the prompt: the assistant's last turn, which is taken off,
 * or Alpaca's output. */
static int find_reference(struct turns *t, const struct rec *r, struct rec_str *out,
                          struct err *e)
{
    struct rec_str found;

    if (t->talk)
        return t->v.n > 1 ? turns_answer(t, out, e) : 0;
    const int rc = rec_opt_str(r, "output", &found, e);
    return rc > 0 ? turns_copy(out, found, e) : rc;
}

int chat_has_prompt(const struct rec *r)
{
    return turns_has_prompt(r);
}

int chat_render(const struct chat *c, const struct rec *r, struct rendered *out,
                struct rec_str *reference, struct err *e)
{
    struct err why = {0};
    struct turns t;
    int rc;

    *reference = (struct rec_str){0};
    turns_init(&t, &why);
    if ((rc = turns_find(&t, r, e)) >= 0 &&
        (rc = find_reference(&t, r, reference, e)) >= 0)
        rc = render(c, r, &t, out, e);
    turns_release(&t);
    return rc;
}

static int answer_of_talk(const struct chat *c, const struct rec *r, const char *field,
                          struct rendered *before, struct rec_str *answer,
                          struct err *e)
{
    struct err why = {0};
    struct turns t;
    int rc;

    turns_init(&t, &why);
    if ((rc = turns_field(&t, r, field, e)) >= 0 &&
        (rc = turns_answer(&t, answer, e)) == 0)
        rc = rec_fault(r, ERR_RECORD, e, field,
                       "does not end with what the assistant says");
    if (rc > 0 && t.v.n > 0) {
        rc = render(c, r, &t, before, e);
        rc = rc < 0 ? rc : CHAT_WHOLE;
    }
    turns_release(&t);
    return rc;
}

int chat_answer(const struct chat *c, const struct rec *r, const char *field,
                struct rendered *before, struct rec_str *answer, struct err *e)
{
    const enum rec_type type = rec_value_type(rec_find(r, field));
    struct rec_str text;
    int rc;

    *answer = (struct rec_str){0};
    if (type == REC_ARRAY || type == REC_MAP)
        return answer_of_talk(c, r, field, before, answer, e);
    rc = rec_opt_str(r, field, &text, e);
    return rc > 0 ? turns_copy(answer, text, e) : rc;
}

int chat_end(const struct chat *c, int32_t *id, struct err *e)
{
    size_t n;
    const int32_t *stops = tok_stops(c->tok, &n);

    *id = -1;
    if (c->tm)
        TRY(template_turn_end(c->tm, c->tok, id, e));
    if (*id < 0)
        *id = n > 0 ? stops[0] : tok_eos(c->tok);
    return 0;
}

int chat_encode_answer(const struct chat *c, struct rec_str answer, int32_t end,
                       struct tok_ids *out, struct err *e)
{
    TRY(tok_encode(c->tok, answer.s, answer.n, TOK_ADD_NONE, out, e));
    return end < 0 ? 0 : tok_ids_add(out, end, (uint32_t)answer.n, e);
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
