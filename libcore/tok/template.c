#include "tok/template.h"

#include "tok/canon.h"
#include "tok/families.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

/* ---- recognising ------------------------------------------------------------------------*/

/* A named group of the last match: malloc'd, unescaped; NULL if it took no part. */
static char *group(pcre2_code *code, pcre2_match_data *md, const char *name)
{
    PCRE2_UCHAR *s;
    PCRE2_SIZE n;

    if (pcre2_substring_number_from_name(code, (PCRE2_SPTR)name) ==
            PCRE2_ERROR_NOSUBSTRING ||
        pcre2_substring_get_byname(md, (PCRE2_SPTR)name, &s, &n) != 0)
        return NULL;
    char *out = malloc(n + 1), *p = out;
    for (PCRE2_SIZE i = 0; out && i < n; i++) {
        char c = (char)s[i];

        if (c == '\\' && i + 1 < n) {
            c = (char)s[++i];
            c = c == 'n' ? '\n' : c;
        }
        *p++ = c;
    }
    if (out)
        *p = '\0';
    pcre2_substring_free(s);
    return out;
}

static int has_group(pcre2_code *code, pcre2_match_data *md, const char *name)
{
    char *s = group(code, md, name);

    free(s);
    return s != NULL;
}

/* Far more than a known template takes; what runs away is none. */
enum { MATCH_LIMIT = 200000 };

/* 1 if the canonical form is this family's; *tm is filled then. */
static int match(struct template *tm, const struct family *f, const char *canonical)
{
    int rc;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)f->pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                                         PCRE2_DUPNAMES | PCRE2_DOTALL,
                                     &rc, &at, NULL);
    pcre2_match_data *md =
        code ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;

    pcre2_match_context *mc = md ? pcre2_match_context_create(NULL) : NULL;
    if (mc)
        pcre2_set_match_limit(mc, MATCH_LIMIT);
    rc = mc ? pcre2_match(code, (PCRE2_SPTR)canonical, strlen(canonical), 0, 0, md, mc)
            : -1;
    if (rc > 0) {
        tm->family = f;
        tm->system = group(code, md, "system");
        tm->trim = has_group(code, md, "trim");
        tm->always_ask = has_group(code, md, "ask");
    }
    pcre2_match_context_free(mc);
    pcre2_match_data_free(md);
    pcre2_code_free(code);
    return rc > 0;
}

static int not_known(const char *where, struct err *e)
{
    return err_set(e, ERR_FILE,
                   "%s: its chat template is not one of those known (ChatML, Llama 2, "
                   "Llama 3, Mistral v0.1 and v0.2, Zephyr, Gemma); --raw goes without "
                   "a template",
                   where);
}

int template_open(struct template **out, const char *source, const char *where,
                  struct err *e)
{
    struct template *tm = calloc(1, sizeof *tm);
    char *canonical = NULL;
    int rc = tm ? 0 : err_set(e, ERR_NOMEM, "no memory for a chat template");

    *out = NULL;
    if (rc == 0)
        rc = canon_make(&canonical, source, where, e);
    for (const struct family *f = families; rc == 0 && f->name; f++)
        if (match(tm, f, canonical))
            break;
    if (rc == 0 && !tm->family)
        rc = not_known(where, e);
    free(canonical);
    if (rc < 0) {
        template_close(tm);
        return rc;
    }
    *out = tm;
    return 0;
}

void template_close(struct template *tm)
{
    if (tm)
        free(tm->system);
    free(tm);
}

const char *template_name(const struct template *tm)
{
    return tm->family->name;
}

const char *template_turn_end(const struct template *tm)
{
    return tm->family->turn_end;
}

/* ---- rendering --------------------------------------------------------------------------*/

enum { RENDERED_OOM = 1 }; /* cap, when memory ran out: text and user are gone */

void rendered_release(struct rendered *r)
{
    free(r->text);
    free(r->user);
    *r = (struct rendered){0};
}

void rendered_put(struct rendered *r, const char *s, size_t n, int user)
{
    if (r->cap == RENDERED_OOM)
        return;
    if (r->n + n + 1 > r->cap) {
        const size_t cap = 2 * (r->n + n) + 256;
        char *text = realloc(r->text, cap);
        if (text)
            r->text = text;
        unsigned char *u = realloc(r->user, cap);
        if (u)
            r->user = u;
        if (!text || !u) {
            rendered_release(r);
            r->cap = RENDERED_OOM;
            return;
        }
        r->cap = cap;
    }
    memcpy(r->text + r->n, s, n);
    memset(r->user + r->n, user, n);
    r->n += n;
    r->text[r->n] = '\0';
}

static int rendered_done(struct rendered *r, struct err *e)
{
    rendered_put(r, "", 0, 0); /* an empty one has its NUL too */
    if (r->cap != RENDERED_OOM)
        return 0;
    *r = (struct rendered){0};
    return err_set(e, ERR_NOMEM, "no memory for a conversation");
}

int template_render(const struct template *tm, const struct chat_message *message,
                    size_t n, enum template_end end, const char *bos, const char *eos,
                    struct rendered *r, struct err *e)
{
    const struct scene s = {tm, message, n, end, bos, eos};
    int rc;

    r->n = 0;
    if (n == 0)
        return err_set(e, ERR_RECORD, "a conversation without messages");
    rc = tm->family->render(r, &s, e);
    return rc < 0 ? rc : rendered_done(r, e);
}

int rendered_raw(struct rendered *r, const char *text, size_t n, struct err *e)
{
    r->n = 0;
    rendered_put(r, text, n, 1);
    return rendered_done(r, e);
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
