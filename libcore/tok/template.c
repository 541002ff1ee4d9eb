#include "tok/template.h"

#include "jinja/dict.h"
#include "jinja/jinja.h"
#include "tok/messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct template
{
    struct jinja *jinja;
    struct jinja *tools;   /* of scenes with tools; NULL: the same */
    const struct tok *tok; /* whose special tokens they see; NULL: none */
    char *where;
    struct tm now;                 /* of strftime_now */
    enum template_content content; /* found by asking the template */
    char *after;                   /* what it puts behind an answer; NULL: not known */
};

/* ---- rendered text ----------------------------------------------------------------------*/

void rendered_release(struct rendered *r)
{
    free(r->text);
    free(r->user);
    *r = (struct rendered){0};
}

static int rendered_room(struct rendered *r, size_t n, struct err *e)
{
    if (n + 1 > r->cap) {
        const size_t cap = 2 * n + 256;

        rendered_release(r);
        r->text = malloc(cap);
        r->user = malloc(cap);
        r->cap = cap;
    }
    r->n = n;
    if (r->text && r->user)
        return 0;
    rendered_release(r);
    return err_set(e, ERR_NOMEM, "no memory for a conversation");
}

/* user NULL: nobody's. */
static int rendered_set(struct rendered *r, const char *text, const unsigned char *user,
                        size_t n, struct err *e)
{
    const int rc = rendered_room(r, n, e);

    if (rc < 0)
        return rc;
    if (n > 0)
        memcpy(r->text, text, n);
    if (user)
        memcpy(r->user, user, n);
    else
        memset(r->user, 0, n);
    r->text[n] = '\0';
    return 0;
}

int rendered_raw(struct rendered *r, const char *text, size_t n, struct err *e)
{
    const int rc = rendered_set(r, text, NULL, n, e);

    if (rc == 0)
        memset(r->user, 1, n);
    return rc;
}

void rendered_mask(unsigned char *mask, const struct rendered *r, const struct tok *t,
                   const struct tok_ids *ids)
{
    size_t from = 0;

    for (size_t i = 0; i < ids->n; i++) {
        const size_t end = ids->end[i];
        int user = end > from && !tok_is_special(t, ids->id[i]);

        for (size_t k = from; k < end && user; k++)
            user = r->user[k];
        mask[i] = (unsigned char)user;
        from = end;
    }
}

/* ---- rendering --------------------------------------------------------------------------*/

static int set_token(struct interp *in, struct dict *vars, const char *name,
                     const char *text)
{
    struct value v;

    if (!text)
        return 0;
    TRY(value_text(in, text, strlen(text), STR_NOBODY, &v));
    return dict_set_lit(in, vars, name, v);
}

/* Everything that the model's files name. */
static int set_specials(struct interp *in, struct dict *vars, const struct tok *t)
{
    size_t n = 0;
    const struct tok_named *special = t ? tok_specials(t, &n) : NULL;
    struct value name, text;

    for (size_t i = 0; i < n; i++) {
        TRY(value_text(in, special[i].name, strlen(special[i].name), STR_NOBODY,
                       &name));
        TRY(value_text(in, special[i].text, strlen(special[i].text), STR_NOBODY,
                       &text));
        TRY(dict_set(in, vars, name, text));
    }
    return 0;
}

/* The variables of a scene, in the order that apply_chat_template gives them: what is given
 * beside the tokens wins over them. */
static int variables(const struct template *tm, const struct template_scene *s,
                     struct dict **out)
{
    const enum template_content want =
        s->fit == TEMPLATE_FITTED ? tm->content : CONTENT_EITHER;
    struct interp *in = s->in;
    struct value messages;

    TRY(dict_new(in, out));
    TRY(set_specials(in, *out, tm->tok));
    TRY(set_token(in, *out, "bos_token", s->bos));
    TRY(set_token(in, *out, "eos_token", s->eos));
    if (s->more.type == V_DICT)
        TRY(dict_update(in, *out, s->more.d));
    TRY(messages_normal(in, s->messages, want, &messages));
    TRY(dict_set_lit(in, *out, "messages", messages));
    TRY(dict_set_lit(in, *out, "tools",
                     s->tools.type == V_MISSING ? value_none() : s->tools));
    TRY(dict_set_lit(in, *out, "documents",
                     s->documents.type == V_MISSING ? value_none() : s->documents));
    return dict_set_lit(in, *out, "add_generation_prompt",
                        value_bool(s->end == TEMPLATE_ASK));
}

/* The text, in the scene's pool. */
static int render(const struct template *tm, const struct template_scene *s,
                  const struct str **out)
{
    const int tools =
        tm->tools && s->tools.type != V_MISSING && s->tools.type != V_NONE;
    struct dict *vars;

    TRY(variables(tm, s, &vars));
    return jinja_render(tools ? tm->tools : tm->jinja, s->in, dict_value(vars),
                        &tm->now, out);
}

int template_render_scene(const struct template *tm, const struct template_scene *s,
                          struct rendered *r, struct err *e)
{
    const struct str *text;

    if (s->messages.type != V_LIST || s->messages.l->n == 0)
        return err_set(e, ERR_RECORD, "a conversation without messages");
    s->in->e = e;
    TRY(render(tm, s, &text));
    return rendered_set(r, text->s, text->user, text->n, e);
}

static int build(struct interp *in, const struct chat_message *message, size_t n,
                 struct value *out)
{
    TRY(value_seq(in, V_LIST, n, out));
    for (size_t i = 0; i < n; i++)
        TRY(messages_one(in, message[i].role, message[i].text, message[i].n,
                         strcmp(message[i].role, "user") == 0 ? STR_USER : STR_NOBODY,
                         &out->l->v[i]));
    return 0;
}

int template_render(const struct template *tm, const struct chat_message *message,
                    size_t n, enum template_end end, const char *bos, const char *eos,
                    struct rendered *r, struct err *e)
{
    struct pool pool = {.cap = INTERP_MEMORY};
    struct interp in = {.pool = &pool, .e = e, .where = tm->where};
    struct template_scene s = {
        .in = &in, .bos = bos, .eos = eos, .end = end, .fit = TEMPLATE_FITTED};
    int rc = build(&in, message, n, &s.messages);

    if (rc == 0)
        rc = template_render_scene(tm, &s, r, e);
    pool_release(&pool);
    return rc;
}

/* ---- asking the template ------------------------------------------------------------------
 * What a template does with content is found out by rendering a word with a mark on it. */

static const char word[] = "word";

/* A conversation of one question, and perhaps an answer; the last message's content is the
 * word, marked, as a string or as parts. */
static int ask(const struct template *tm, struct interp *in, enum template_content form,
               size_t n, const struct str **out)
{
    static const char *const role[2] = {"user", "assistant"};
    struct template_scene s = {.in = in, .bos = "", .eos = ""};

    TRY(value_seq(in, V_LIST, n, &s.messages));
    for (size_t i = 0; i < n; i++) {
        struct value *m = &s.messages.l->v[i];
        const struct value *text;
        struct value parts;

        TRY(messages_one(in, role[i], word, sizeof word - 1,
                         i + 1 == n ? STR_USER : STR_NOBODY, m));
        if (form != CONTENT_PARTS)
            continue;
        text = dict_get_lit(m->d, "content");
        TRY(messages_parts(in, *text, &parts));
        TRY(dict_set_lit(in, m->d, "content", parts));
    }
    return render(tm, &s, out);
}

static int has_word(const struct str *s)
{
    return s->user && memchr(s->user, 1, s->n) != NULL;
}

static enum template_content find_content(const struct template *tm, struct interp *in)
{
    const struct str *text, *parts;
    const int says_text = ask(tm, in, CONTENT_TEXT, 1, &text) == 0 && has_word(text);

    if (ask(tm, in, CONTENT_PARTS, 1, &parts) < 0 || !has_word(parts))
        return CONTENT_TEXT;
    if (says_text)
        return str_equal(text, parts) ? CONTENT_EITHER : CONTENT_TEXT;
    return memmem(parts->s, parts->n, "'type'", 6) ? CONTENT_TEXT : CONTENT_PARTS;
}

/* What stands behind the last byte of an answer; malloc'd, NULL if the template refuses. */
static char *find_after(const struct template *tm, struct interp *in)
{
    const struct str *s;

    if (ask(tm, in, tm->content, 2, &s) < 0 || !has_word(s))
        return NULL;
    size_t at = s->n;
    while (!s->user[at - 1])
        at--;
    return strndup(s->s + at, s->n - at);
}

/* Templates that fail here fail again where it matters. */
static void question(struct template *tm)
{
    struct pool pool = {.cap = INTERP_MEMORY / 8};
    struct err ignored = {0};
    struct interp in = {.pool = &pool, .e = &ignored, .where = tm->where};

    tm->content = find_content(tm, &in);
    in.steps = 0;
    tm->after = find_after(tm, &in);
    pool_release(&pool);
}

/* ---- opening ----------------------------------------------------------------------------*/

/* SOURCE_DATE_EPOCH makes what is rendered the same on every day, in every zone. */
static void read_clock(struct tm *out)
{
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    time_t t = time(NULL);

    errno = 0;
    const long long seconds = fixed ? strtoll(fixed, &end, 10) : 0;
    if (fixed && *fixed && !*end && errno == 0 && (t = (time_t)seconds) == seconds &&
        gmtime_r(&t, out))
        return;
    t = time(NULL);
    *out = (struct tm){0};
    (void)localtime_r(&t, out);
}

static int parse(struct jinja **out, const char *source, const char *where,
                 struct err *e)
{
    return jinja_open(out, source, strlen(source), where, e);
}

/* One that is empty but for its name. */
static struct template *begin(const char *where)
{
    struct template *tm = calloc(1, sizeof *tm);

    if (tm && !(tm->where = strdup(where))) {
        free(tm);
        return NULL;
    }
    return tm;
}

int template_open(struct template **out, const char *source, const char *where,
                  struct err *e)
{
    struct template *tm = begin(where);
    int rc;

    *out = NULL;
    if (!tm)
        return err_set(e, ERR_NOMEM, "no memory for a chat template");
    if ((rc = parse(&tm->jinja, source, tm->where, e)) < 0) {
        template_close(tm);
        return rc;
    }
    read_clock(&tm->now);
    question(tm);
    *out = tm;
    return 0;
}

static int no_default(const struct tok_named *chat, size_t n, struct err *e)
{
    char names[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < n && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s'%s'", i ? ", " : "",
                               chat[i].name);
    return err_set(e, ERR_FILE, "%s: a chat template 'default' expected, there is %s",
                   chat->where, names);
}

int template_open_of(struct template **out, const struct tok *t, struct err *e)
{
    const char *where, *source = tok_chat_template(t, &where);
    size_t n;
    const struct tok_named *chat = tok_chats(t, &n);
    int rc;

    *out = NULL;
    if (!source)
        return n ? no_default(chat, n, e) : 0;
    if ((rc = template_open(out, source, where, e)) < 0)
        return rc;
    (*out)->tok = t;
    for (size_t i = 0; i < n && rc == 0; i++)
        if (strcmp(chat[i].name, "tool_use") == 0)
            rc = parse(&(*out)->tools, chat[i].text, chat[i].where, e);
    if (rc < 0) {
        template_close(*out);
        *out = NULL;
    }
    return rc;
}

void template_close(struct template *tm)
{
    if (!tm)
        return;
    jinja_close(tm->jinja);
    jinja_close(tm->tools);
    free(tm->where);
    free(tm->after);
    free(tm);
}

enum template_content template_content(const struct template *tm)
{
    return tm->content;
}

int template_turn_end(const struct template *tm, struct tok *t, int32_t *id,
                      struct err *e)
{
    const char *s = tm->after ? tm->after + strspn(tm->after, " \t\r\n") : "";
    struct tok_ids ids = {0};
    int rc = 0;

    *id = -1;
    if (*s && tok_has_text(t))
        rc = tok_encode(t, s, strlen(s), TOK_ADD_NONE, &ids, e);
    if (rc == 0 && ids.n > 0 && tok_is_special(t, ids.id[0]))
        *id = ids.id[0];
    tok_ids_release(&ids);
    return rc;
}
