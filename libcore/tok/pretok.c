#include "tok/pretok.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

const char pretok_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| "
                           "?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char pretok_llama3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const char pretok_qwen2[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* Steps for one match, before an expression counts as running away. */
enum { MATCH_LIMIT = 20000000, STEPS_MAX = 16 };

struct step {
    pcre2_code *code; /* NULL: put a blank in front */
    enum split_behavior behavior;
    enum split_invert invert;
};

struct pretok {
    struct step step[STEPS_MAX];
    size_t n;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

struct pretok *pretok_new(void)
{
    struct pretok *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->match = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->match || !p->context) {
        pretok_free(p);
        return NULL;
    }
    pcre2_set_match_limit(p->context, MATCH_LIMIT);
    return p;
}

void pretok_free(struct pretok *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        pcre2_code_free(p->step[i].code);
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->context);
    free(p);
}

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

static int compile(pcre2_code **code, const char *regex, const char *where,
                   struct err *e)
{
    const char *refused;
    char *pattern = translate(regex, &refused);
    PCRE2_UCHAR text[128];
    PCRE2_SIZE at;
    int rc;

    if (!pattern)
        return err_set(e, ERR_NOMEM, "%s: no memory", where);
    if (refused) {
        free(pattern);
        return err_set(e, ERR_FILE, "%s: '%.100s' in a regular expression is not read",
                       where, refused);
    }
    *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &rc, &at, NULL);
    free(pattern);
    if (!*code) {
        pcre2_get_error_message(rc, text, sizeof text);
        return err_set(e, ERR_FILE, "%s: '%.200s' is no regular expression: %s", where,
                       regex, (const char *)text);
    }
    (void)pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE); /* without JIT: slower */
    return 0;
}

static int add(struct pretok *p, struct step s, struct err *e)
{
    if (p->n == STEPS_MAX) {
        pcre2_code_free(s.code);
        return err_set(e, ERR_FILE, "more than %d pre-tokenizers in a row", STEPS_MAX);
    }
    p->step[p->n++] = s;
    return 0;
}

int pretok_add_blank(struct pretok *p, struct err *e)
{
    return add(p, (struct step){0}, e);
}

int pretok_add_split(struct pretok *p, const char *regex, enum split_behavior behavior,
                     enum split_invert invert, const char *where, struct err *e)
{
    struct step s = {.behavior = behavior, .invert = invert};
    const int rc = compile(&s.code, regex, where, e);

    return rc < 0 ? rc : add(p, s, e);
}

/* ---- running --------------------------------------------------------------------------*/

int passage_reserve(struct passage *t, size_t n, enum passage_map map, struct err *e)
{
    if (n > t->cap || (map == PASSAGE_MAPPED && !t->end)) {
        const size_t cap = n > t->cap ? n + n / 2 + 64 : t->cap;
        char *text = realloc(t->text, cap);

        if (text)
            t->text = text;
        uint32_t *end =
            map == PASSAGE_MAPPED ? realloc(t->end, cap * sizeof *end) : NULL;
        if (!text || (map == PASSAGE_MAPPED && !end))
            return err_set(e, ERR_NOMEM, "no memory for a text of %zu bytes", n);
        if (map == PASSAGE_MAPPED)
            t->end = end;
        t->cap = cap;
    }
    return 0;
}

uint32_t passage_end(const struct passage *t, size_t n)
{
    if (n == 0)
        return t->from;
    return t->end ? t->end[n - 1] : t->from + (uint32_t)n;
}

static int push(struct pieces *v, size_t at, size_t n, struct err *e)
{
    if (n == 0)
        return 0;
    if (v->n == v->cap) {
        const size_t cap = v->cap ? 2 * v->cap : 256;
        struct piece *p = realloc(v->v, cap * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for %zu words", cap);
        v->v = p;
        v->cap = cap;
    }
    v->v[v->n++] = (struct piece){.at = at, .n = n};
    return 0;
}

/* Collects the parts of one piece: each is a match or a gap, in order. */
struct cutter {
    struct pieces *out;
    enum split_behavior behavior;
    size_t at, n; /* the piece that is being built */
    int open;     /* there is one */
    int hit;      /* its last part was of the kind that the behavior is about */
};

static int flush(struct cutter *c, struct err *e)
{
    const int rc = c->open ? push(c->out, c->at, c->n, e) : 0;

    c->open = 0;
    return rc;
}

/* Does a part that is a hit or not join the open piece? */
static int joins(const struct cutter *c, int hit)
{
    switch (c->behavior) {
    case SPLIT_CONTIGUOUS: return c->hit == hit;
    case SPLIT_MERGED_PREVIOUS: return hit && !c->hit;
    case SPLIT_MERGED_NEXT: return !hit && c->hit;
    case SPLIT_REMOVED:
    case SPLIT_ISOLATED: break;
    }
    return 0;
}

static int part(struct cutter *c, size_t at, size_t n, int hit, struct err *e)
{
    int rc;

    if (n == 0)
        return 0;
    if (c->open && joins(c, hit)) {
        c->n += n;
        c->hit = hit;
        return 0;
    }
    if ((rc = flush(c, e)) < 0)
        return rc;
    if (hit && c->behavior == SPLIT_REMOVED)
        return 0;
    c->at = at;
    c->n = n;
    c->hit = hit;
    c->open = 1;
    return 0;
}

/* Cuts text[at .. at+n) by one step. */
static int cut(const struct pretok *p, const struct step *s, const char *text,
               struct piece piece, struct pieces *out, struct err *e)
{
    const PCRE2_SPTR subject = (PCRE2_SPTR)text + piece.at;
    const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(p->match);
    const int match = s->invert == SPLIT_MATCHES;
    struct cutter c = {.out = out, .behavior = s->behavior};
    size_t done = 0, from = 0;
    int rc;

    while (from < piece.n) {
        rc = pcre2_match(s->code, subject, piece.n, from, PCRE2_NO_UTF_CHECK, p->match,
                         p->context);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return err_set(
                e, ERR_RECORD,
                "the tokenizer's regular expression gives up at byte %zu of a "
                "piece of %zu (PCRE2 error %d)",
                from, piece.n, rc);
        if (ov[1] <= ov[0]) { /* an empty match: on to the next character */
            for (from = ov[0] + 1; from < piece.n && (subject[from] & 0xc0) == 0x80;)
                from++;
            continue;
        }
        if ((rc = part(&c, piece.at + done, ov[0] - done, !match, e)) < 0 ||
            (rc = part(&c, piece.at + ov[0], ov[1] - ov[0], match, e)) < 0)
            return rc;
        done = from = ov[1];
    }
    if ((rc = part(&c, piece.at + done, piece.n - done, !match, e)) < 0)
        return rc;
    return flush(&c, e);
}

static int cut_all(const struct pretok *p, const struct step *s, const char *text,
                   const struct pieces *in, struct pieces *out, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < in->n && rc == 0; i++)
        rc = cut(p, s, text, in->v[i], out, e);
    return rc;
}

/* Puts a blank in front of each piece without one: text, map and pieces anew. */
static int blank_all(struct passage *t, struct pieces *v, struct err *e)
{
    struct passage to = {.from = t->from};
    const int rc = passage_reserve(&to, t->n + v->n, PASSAGE_MAPPED, e);

    if (rc < 0) {
        free(to.text);
        return rc;
    }
    for (size_t i = 0; i < v->n; i++) {
        struct piece *p = &v->v[i];
        const size_t at = to.n;

        if (t->text[p->at] != ' ') {
            to.end[to.n] = passage_end(t, p->at);
            to.text[to.n++] = ' ';
        }
        for (size_t j = 0; j < p->n; j++) {
            to.end[to.n] = passage_end(t, p->at + j + 1);
            to.text[to.n++] = t->text[p->at + j];
        }
        *p = (struct piece){.at = at, .n = to.n - at};
    }
    free(t->text);
    free(t->end);
    *t = to;
    return 0;
}

int pretok_run(const struct pretok *p, struct passage *text, struct pieces *out,
               struct err *e)
{
    struct pieces from = {0};
    int rc;

    out->n = 0;
    rc = push(out, 0, text->n, e);
    for (size_t i = 0; i < p->n && rc == 0; i++) {
        const struct step *s = &p->step[i];

        if (!s->code) {
            rc = blank_all(text, out, e);
            continue;
        }
        const struct pieces swap = from;
        from = *out;
        *out = swap;
        out->n = 0;
        rc = cut_all(p, s, text->text, &from, out, e);
    }
    free(from.v);
    return rc;
}
