#include "tok/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

/* Steps for one match, before an expression counts as running away. */
enum { MATCH_LIMIT = 20000000 };

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

/* ---- Oniguruma's dialect ----------------------------------------------------------------
 * The two agree on what tokenizers use, but for white space: PCRE2's \s has U+180E, which
 * left the property White_Space in Unicode 6.3.  So \s and \S are written out.  ^ and $
 * are those of lines (Ruby's syntax).  What means another thing in PCRE2 is refused. */

#define WHITE                                                                          \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}" \
    "\\x{202f}\\x{205f}\\x{3000}"

/* Writes the escape \c of the source at p; returns the end, NULL if it is refused. */
static char *put_escape(char *p, char c, int in_class)
{
    const char *r = NULL;

    if (c == 'h' || c == 'H' || (c == 'S' && in_class))
        return NULL;
    if (c == 's')
        r = in_class ? WHITE : "[" WHITE "]";
    else if (c == 'S')
        r = "[^" WHITE "]";
    if (!r) {
        *p++ = '\\';
        *p++ = c;
        return p;
    }
    memcpy(p, r, strlen(r));
    return p + strlen(r);
}

/* The malloc'd expression in PCRE2's dialect; NULL without memory; *refused points at
 * what cannot be said in it. */
static char *translate(const char *regex, const char **refused)
{
    static const char head[] = "(*LF)";
    const size_t longest = sizeof "[^" WHITE "]";
    char *out = malloc(sizeof head + strlen(regex) / 2 * longest + strlen(regex) + 1);
    char *p = out;
    int in_class = 0;

    *refused = NULL;
    if (!out)
        return NULL;
    memcpy(p, head, sizeof head - 1);
    p += sizeof head - 1;
    for (const char *s = regex; *s; s++) {
        if (*s == '\\' && s[1]) {
            if (!(p = put_escape(p, *++s, in_class))) {
                *refused = s - 1;
                break;
            }
            continue;
        }
        if (in_class && (*s == '[' || (*s == '&' && s[1] == '&'))) {
            *refused = s; /* classes inside classes, intersections */
            break;
        }
        if (*s == '[')
            in_class = 1;
        else if (*s == ']')
            in_class = 0;
        *p++ = *s;
    }
    if (!*refused)
        *p = '\0';
    return out;
}

static int compile(struct regex *r, const char *regex, const char *where, struct err *e)
{
    const char *refused;
    char *pattern = translate(regex, &refused);
    PCRE2_UCHAR text[128];
    PCRE2_SIZE at;
    int rc;

    if (!pattern)
        return err_set(e, ERR_NOMEM, "%s: no memory", where);
    if (refused) {
        rc = err_set(e, ERR_FILE, "%s: '%.100s' in a regular expression is not read",
                     where, refused);
        free(pattern);
        return rc;
    }
    r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &rc, &at, NULL);
    free(pattern);
    if (!r->code) {
        pcre2_get_error_message(rc, text, sizeof text);
        return err_set(e, ERR_FILE, "%s: '%.200s' is no regular expression: %s", where,
                       regex, (const char *)text);
    }
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without JIT: slower */
    return 0;
}

int regex_new(struct regex **out, const char *pattern, const char *where, struct err *e)
{
    struct regex *r = *out = calloc(1, sizeof *r);
    int rc = 0;

    if (r) {
        r->match = pcre2_match_data_create(1, NULL);
        r->context = pcre2_match_context_create(NULL);
    }
    if (!r || !r->match || !r->context)
        rc = err_set(e, ERR_NOMEM, "%s: no memory for a regular expression", where);
    if (rc == 0) {
        pcre2_set_match_limit(r->context, MATCH_LIMIT);
        rc = compile(r, pattern, where, e);
    }
    if (rc < 0) {
        regex_free(r);
        *out = NULL;
    }
    return rc;
}

int regex_new_literal(struct regex **out, const char *text, const char *where,
                      struct err *e)
{
    char *quoted = malloc(2 * strlen(text) + 1), *p = quoted;

    *out = NULL;
    if (!quoted)
        return err_set(e, ERR_NOMEM, "%s: no memory for a pattern", where);
    for (; *text; text++) {
        if (strchr("\\^$.[]|()?*+{}#-&", *text))
            *p++ = '\\';
        *p++ = *text;
    }
    *p = '\0';
    const int rc = regex_new(out, quoted, where, e);

    free(quoted);
    return rc;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->context);
    free(r);
}

int regex_next(const struct regex *r, const char *s, size_t n, size_t from, size_t *at,
               size_t *end, struct err *e)
{
    const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(r->match);

    while (from < n) {
        const int rc = pcre2_match(r->code, (PCRE2_SPTR)s, n, from, PCRE2_NO_UTF_CHECK,
                                   r->match, r->context);

        if (rc == PCRE2_ERROR_NOMATCH)
            return 0;
        if (rc < 0)
            return err_set(
                e, ERR_RECORD,
                "the tokenizer's regular expression gives up at byte %zu of a "
                "piece of %zu (PCRE2 error %d)",
                from, n, rc);
        if (ov[1] > ov[0]) {
            *at = ov[0];
            *end = ov[1];
            return 1;
        }
        /* an empty match: on to the next character */
        for (from = ov[0] + 1; from < n && ((unsigned char)s[from] & 0xc0) == 0x80;)
            from++;
    }
    return 0;
}
