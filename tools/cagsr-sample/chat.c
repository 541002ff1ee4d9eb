#include "chat.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ----------------------------------------------------------------------------*/

static char *token_text(const struct tok *tok, int32_t id)
{
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
    if (rc == 0 && (!c->bos || !c->eos))
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

/* ---- turns ------------------------------------------------------------------------------*/

enum { ROLE_MAX = 32 };

struct turn {
    char role[ROLE_MAX];
    struct rec_str text; /* borrowed, or in `joined` */
    char *joined;
};

struct turns {
    struct turn *v;
    size_t n, cap;
};

static void turns_release(struct turns *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->v[i].joined);
    free(t->v);
    *t = (struct turns){0};
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

static int turns_add(struct turns *t, struct rec_str role, struct rec_str text,
                     struct err *e)
{
    if (t->n == t->cap) {
        const size_t cap = t->cap ? 2 * t->cap : 8;
        struct turn *v = realloc(t->v, cap * sizeof *v);

        if (!v)
            return err_set(e, ERR_NOMEM, "no memory for a conversation");
        t->v = v;
        t->cap = cap;
    }
    struct turn *turn = &t->v[t->n++];

    *turn = (struct turn){.text = text};
    role = usual_role(role);
    memcpy(turn->role, role.s, role.n < ROLE_MAX ? role.n : ROLE_MAX - 1);
    return 0;
}

/* [{"type": "text", "text": "..."}, ...]: one text.  -1: something else is in it. */
static int join_parts(struct turn *turn, struct rec_value parts)
{
    struct rec_iter it;
    struct rec_value k, part;
    struct rec_str type, text;
    size_t n = 0;

    turn->joined = calloc(1, parts.size + 1);
    if (!turn->joined)
        return -1;
    for (rec_iter_start(&it, parts); rec_iter_next(&it, &k, &part);) {
        if (rec_value_str(&type, rec_value_member(part, "type")) < 0 ||
            !rec_str_is(type, "text") ||
            rec_value_str(&text, rec_value_member(part, "text")) < 0)
            return -1;
        memcpy(turn->joined + n, text.s, text.n);
        n += text.n;
    }
    turn->text = (struct rec_str){turn->joined, n};
    return 0;
}

/* An array of maps with a role and a content, whatever these two are called. */
static int read_turns(struct turns *t, const struct rec *r, const char *field,
                      struct rec_value list, const char *role_key, const char *text_key,
                      struct err *e)
{
    struct rec_iter it;
    struct rec_value k, m;
    int rc;

    if (rec_value_type(list) != REC_ARRAY || rec_value_count(list) == 0)
        return rec_fault(r, ERR_RECORD, e, field, "not an array of messages");
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &m);) {
        struct rec_str role, text = {"", 0};
        const struct rec_value content = rec_value_member(m, text_key);

        if (rec_value_str(&role, rec_value_member(m, role_key)) < 0)
            return rec_fault(r, ERR_RECORD, e, field, "a message without '%s'",
                             role_key);
        const int plain = rec_value_str(&text, content) == 0;
        if ((rc = turns_add(t, role, text, e)) < 0)
            return rc;
        if (!plain && (rec_value_type(content) != REC_ARRAY ||
                       join_parts(&t->v[t->n - 1], content) < 0))
            return rec_fault(r, ERR_RECORD, e, field,
                             "a message whose '%s' is not text", text_key);
        if (!rec_utf8_valid(t->v[t->n - 1].text.s, t->v[t->n - 1].text.n))
            return rec_fault(r, ERR_RECORD, e, field, "a message that is not UTF-8");
    }
    return 0;
}

/* Alpaca: the user's turn is instruction, a newline, input. */
static int read_alpaca(struct turns *t, const struct rec *r, struct err *e)
{
    struct rec_str instruction, input = {"", 0};
    int rc = rec_get_str(r, "instruction", &instruction, e);

    if (rc < 0 || (rc = rec_opt_str(r, "input", &input, e)) < 0 ||
        (rc = turns_add(t, (struct rec_str){"user", 4}, instruction, e)) < 0 ||
        input.n == 0)
        return rc;
    struct turn *turn = &t->v[t->n - 1];
    turn->joined = malloc(instruction.n + 1 + input.n);
    if (!turn->joined)
        return err_set(e, ERR_NOMEM, "no memory for a prompt");
    memcpy(turn->joined, instruction.s, instruction.n);
    turn->joined[instruction.n] = '\n';
    memcpy(turn->joined + instruction.n + 1, input.s, input.n);
    turn->text = (struct rec_str){turn->joined, instruction.n + 1 + input.n};
    return 0;
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
        return rc < 0 ? rc : turns_add(t, (struct rec_str){"user", 4}, text, e);
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

/* ---- rendering --------------------------------------------------------------------------*/

/* The system prompt that a record or the command line brings, unless one is there. */
static int system_of(const struct chat *c, const struct rec *r, const struct turns *t,
                     struct rec_str *out, struct err *e)
{
    *out = (struct rec_str){c->system, c->system ? strlen(c->system) : 0};
    if (t->n > 0 && strcmp(t->v[0].role, "system") == 0) {
        *out = (struct rec_str){0};
        return 0;
    }
    const int rc = r ? rec_opt_str(r, "system", out, e) : 0;

    if (rc >= 0 && out->n == 0)
        *out = (struct rec_str){0};
    return rc < 0 ? rc : 0;
}

static int render_turns(const struct chat *c, const struct rec *r,
                        const struct turns *t, struct rendered *out, struct err *e)
{
    struct chat_message *m = calloc(t->n + 1, sizeof *m);
    struct rec_str system;
    size_t n = 0;
    int rc = m ? system_of(c, r, t, &system, e)
               : err_set(e, ERR_NOMEM, "no memory for a conversation");

    if (rc == 0 && system.s)
        m[n++] = (struct chat_message){"system", system.s, system.n};
    for (size_t i = 0; i < t->n && rc == 0; i++)
        m[n++] = (struct chat_message){t->v[i].role, t->v[i].text.s, t->v[i].text.n};
    if (rc == 0)
        rc = template_render(c->tm, m, n, TEMPLATE_ASK, c->bos, c->eos, out, e);
    free(m);
    return rc;
}

/* Without a template there is no way to tell who speaks: one user's turn only. */
static int render_raw(const struct turns *t, struct rendered *out, struct err *e)
{
    if (t->n != 1 || strcmp(t->v[0].role, "user") != 0)
        return err_set(
            e, ERR_RECORD,
            "a conversation of %zu messages needs a chat template: the model "
            "has none, or --raw goes without",
            t->n);
    return rendered_raw(out, t->v[0].text.s, t->v[0].text.n, e);
}

/* The answer that came with the prompt: the assistant's last turn, which is taken off,
 * or Alpaca's output. */
static int find_reference(struct turns *t, const struct rec *r, int whole,
                          struct rec_str *out, struct err *e)
{
    struct rec_str found = {0};
    int rc = whole ? 0 : rec_opt_str(r, "output", &found, e);

    *out = (struct rec_str){0};
    if (rc < 0)
        return rc;
    const int answered =
        whole && t->n > 1 && strcmp(t->v[t->n - 1].role, "assistant") == 0;
    if (answered)
        found = t->v[t->n - 1].text;
    if (found.s) {
        char *copy = malloc(found.n + 1);

        if (!copy)
            return err_set(e, ERR_NOMEM, "no memory for a reference");
        memcpy(copy, found.s, found.n);
        *out = (struct rec_str){copy, found.n};
    }
    if (answered)
        free(t->v[--t->n].joined);
    return 0;
}

int chat_render(const struct chat *c, const struct rec *r, struct rendered *out,
                struct rec_str *reference, struct err *e)
{
    struct turns t = {0};
    int whole, rc = find_turns(&t, r, &whole, e);

    *reference = (struct rec_str){0};
    if (rc == 0)
        rc = find_reference(&t, r, whole, reference, e);
    if (rc == 0) {
        struct err why = {0};

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
    struct turns t = {0};
    int rc = turns_add(&t, (struct rec_str){"user", 4}, (struct rec_str){text, n}, e);

    if (rc == 0)
        rc = c->tm ? render_turns(c, NULL, &t, out, e) : render_raw(&t, out, e);
    turns_release(&t);
    return rc;
}
