#include "tok/pretok.h"

#include "tok/regex.h"
#include "tok/utf8.h"

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

enum { STEPS_MAX = 16 };

struct step {
    int (*run)(struct pretok *p, const struct step *s, struct passage *text,
               struct pieces *v, struct err *e);
    struct regex *regex;
    const struct class *class;
    enum split_behavior behavior;
    enum split_invert invert;
    char mark[5]; /* Metaspace */
    enum metaspace_prepend prepend;
    enum metaspace_cut cut;
};

struct pretok {
    struct step step[STEPS_MAX];
    size_t n;
    struct pieces pieces; /* scratch */
    struct passage spare;
};

struct pretok *pretok_new(void)
{
    return calloc(1, sizeof(struct pretok));
}

void pretok_free(struct pretok *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        regex_free(p->step[i].regex);
    free(p->pieces.v);
    passage_release(&p->spare);
    free(p);
}

/* ---- cutting --------------------------------------------------------------------------*/

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

/* Cuts text[at .. at+n) at the matches of an expression. */
static int cut_regex(const struct step *s, const char *text, struct piece piece,
                     struct pieces *out, struct err *e)
{
    const int match = s->invert == SPLIT_MATCHES;
    struct cutter c = {.out = out, .behavior = s->behavior};
    const char *t = text + piece.at;
    size_t done = 0, at, end;
    int rc;

    while ((rc = regex_next(s->regex, t, piece.n, done, &at, &end, e)) > 0) {
        if ((rc = part(&c, piece.at + done, at - done, !match, e)) < 0 ||
            (rc = part(&c, piece.at + at, end - at, match, e)) < 0)
            return rc;
        done = end;
    }
    if (rc < 0 || (rc = part(&c, piece.at + done, piece.n - done, !match, e)) < 0)
        return rc;
    return flush(&c, e);
}

/* The same at each character of a class. */
static int cut_class(const struct step *s, const char *text, struct piece piece,
                     struct pieces *out, struct err *e)
{
    struct cutter c = {.out = out, .behavior = s->behavior};
    const char *t = text + piece.at;
    size_t done = 0, len;
    int rc;

    for (size_t at = 0; at < piece.n; at += len) {
        if (!class_has(s->class, utf8_get(t + at, piece.n - at, &len)))
            continue;
        if ((rc = part(&c, piece.at + done, at - done, 0, e)) < 0 ||
            (rc = part(&c, piece.at + at, len, 1, e)) < 0)
            return rc;
        done = at + len;
    }
    if ((rc = part(&c, piece.at + done, piece.n - done, 0, e)) < 0)
        return rc;
    return flush(&c, e);
}

static int cut_all(struct pretok *p, const struct step *s, struct passage *text,
                   struct pieces *v, struct err *e)
{
    const struct pieces swap = p->pieces;
    int rc = 0;

    p->pieces = *v;
    *v = swap;
    v->n = 0;
    for (size_t i = 0; i < p->pieces.n && rc == 0; i++)
        rc = s->regex ? cut_regex(s, text->text, p->pieces.v[i], v, e)
                      : cut_class(s, text->text, p->pieces.v[i], v, e);
    return rc;
}

/* ---- putting in front -----------------------------------------------------------------*/

static void put(struct passage *to, const char *s, size_t n, uint32_t end)
{
    memcpy(to->text + to->n, s, n);
    for (size_t i = 0; i < n; i++)
        to->end[to->n++] = end;
}

/* The bytes of `text` from `at` on. */
static void put_same(struct passage *to, const struct passage *text, size_t at,
                     size_t n)
{
    memcpy(to->text + to->n, text->text + at, n);
    for (size_t i = 0; i < n; i++)
        to->end[to->n++] = passage_end(text, at + i + 1);
}

/* An empty passage in p->spare, with room for n bytes. */
static int begin(struct pretok *p, const struct passage *text, size_t n, struct err *e)
{
    const int rc = passage_reserve(&p->spare, n, PASSAGE_MAPPED, e);

    p->spare.n = 0;
    p->spare.from = text->from;
    p->spare.head = text->head;
    return rc;
}

static void end(struct pretok *p, struct passage *text)
{
    const struct passage swap = *text;

    *text = p->spare;
    p->spare = swap;
}

/* `s`, and the first character of the piece, which both end where that character does. */
static size_t put_front(struct passage *to, const struct passage *text, const char *s,
                        size_t at)
{
    const size_t len = utf8_length((unsigned char)text->text[at]);
    const uint32_t there = passage_end(text, at + len);

    put(to, s, strlen(s), there);
    put(to, text->text + at, len, there);
    return len;
}

static int blank_all(struct pretok *p, const struct step *s, struct passage *text,
                     struct pieces *v, struct err *e)
{
    const int rc = begin(p, text, text->n + v->n, e);

    (void)s;
    for (size_t i = 0; i < v->n && rc == 0; i++) {
        struct piece *w = &v->v[i];
        const size_t at = p->spare.n;
        const size_t had =
            text->text[w->at] == ' ' ? 0 : put_front(&p->spare, text, " ", w->at);

        put_same(&p->spare, text, w->at + had, w->n - had);
        *w = (struct piece){.at = at, .n = p->spare.n - at};
    }
    if (rc == 0)
        end(p, text);
    return rc;
}

/* ---- SentencePiece --------------------------------------------------------------------*/

static int is_mark(const struct step *s, const char *text, size_t n)
{
    const size_t k = strlen(s->mark);

    return n >= k && memcmp(text, s->mark, k) == 0;
}

static int wants_mark(const struct step *s, const struct passage *text, struct piece w)
{
    const char *t = text->text + w.at;

    if (*t == ' ' || is_mark(s, t, w.n))
        return 0;
    return s->prepend == METASPACE_ALWAYS ||
           (s->prepend == METASPACE_FIRST && passage_at_start(text, w.at));
}

/* One piece: marks for blanks, and in front; cut before each mark. */
static int mark_piece(struct pretok *p, const struct step *s,
                      const struct passage *text, struct piece w, struct pieces *v,
                      struct err *e)
{
    struct passage *to = &p->spare;
    size_t from = to->n, i = 0, len;
    int rc = 0;

    if (wants_mark(s, text, w))
        i = put_front(to, text, s->mark, w.at);
    for (; i < w.n && rc == 0; i += len) {
        const char *t = text->text + w.at + i;
        const int blank = *t == ' ';

        len = blank ? 1 : utf8_length((unsigned char)*t);
        if (s->cut && to->n > from && (blank || is_mark(s, t, w.n - i))) {
            rc = push(v, from, to->n - from, e);
            from = to->n;
        }
        if (blank)
            put(to, s->mark, strlen(s->mark), passage_end(text, w.at + i + 1));
        else
            put_same(to, text, w.at + i, len);
    }
    return rc < 0 ? rc : push(v, from, to->n - from, e);
}

static int mark_all(struct pretok *p, const struct step *s, struct passage *text,
                    struct pieces *v, struct err *e)
{
    const struct pieces swap = p->pieces;
    const size_t k = strlen(s->mark);
    int rc = begin(p, text, k * (text->n + v->n), e);

    p->pieces = *v;
    *v = swap;
    v->n = 0;
    for (size_t i = 0; i < p->pieces.n && rc == 0; i++)
        rc = mark_piece(p, s, text, p->pieces.v[i], v, e);
    if (rc == 0)
        end(p, text);
    return rc;
}

/* Cuts before each mark that has none before it. */
static int cut_at_marks(struct pretok *p, const struct step *s, struct passage *text,
                        struct pieces *v, struct err *e)
{
    const struct pieces swap = p->pieces;
    const size_t k = strlen(s->mark);
    int rc = 0;

    p->pieces = *v;
    *v = swap;
    v->n = 0;
    for (size_t i = 0; i < p->pieces.n && rc == 0; i++) {
        const struct piece w = p->pieces.v[i];
        const char *t = text->text + w.at, *hit = t, *end = t + w.n;
        size_t from = 0;

        while (rc == 0 && (hit = memmem(hit, (size_t)(end - hit), s->mark, k))) {
            const size_t at = (size_t)(hit - t);

            if (at >= k && !is_mark(s, hit - k, k)) {
                rc = push(v, w.at + from, at - from, e);
                from = at;
            }
            hit += k;
        }
        if (rc == 0)
            rc = push(v, w.at + from, w.n - from, e);
    }
    return rc;
}

/* ---- the chain ------------------------------------------------------------------------*/

static int add(struct pretok *p, struct step s, struct err *e)
{
    if (p->n == STEPS_MAX) {
        regex_free(s.regex);
        return err_set(e, ERR_FILE, "more than %d pre-tokenizers in a row", STEPS_MAX);
    }
    p->step[p->n++] = s;
    return 0;
}

int pretok_add_blank(struct pretok *p, struct err *e)
{
    return add(p, (struct step){.run = blank_all}, e);
}

int pretok_add_split(struct pretok *p, const char *regex, enum split_behavior behavior,
                     enum split_invert invert, const char *where, struct err *e)
{
    struct step s = {.run = cut_all, .behavior = behavior, .invert = invert};
    const int rc = regex_new(&s.regex, regex, where, e);

    return rc < 0 ? rc : add(p, s, e);
}

int pretok_add_split_text(struct pretok *p, const char *text,
                          enum split_behavior behavior, enum split_invert invert,
                          const char *where, struct err *e)
{
    struct step s = {.run = cut_all, .behavior = behavior, .invert = invert};
    const int rc = regex_new_literal(&s.regex, text, where, e);

    return rc < 0 ? rc : add(p, s, e);
}

int pretok_add_split_class(struct pretok *p, const struct class *k,
                           enum split_behavior behavior, struct err *e)
{
    return add(p, (struct step){.run = cut_all, .class = k, .behavior = behavior}, e);
}

static int add_mark(struct pretok *p, struct step s, const char *mark, struct err *e)
{
    const size_t n = strlen(mark);

    if (n == 0 || n >= sizeof s.mark || utf8_length((unsigned char)*mark) != n)
        return err_set(e, ERR_FILE, "Metaspace: '%.20s' is not one character", mark);
    memcpy(s.mark, mark, n);
    return add(p, s, e);
}

int pretok_add_metaspace(struct pretok *p, const char *mark,
                         enum metaspace_prepend prepend, enum metaspace_cut cut,
                         struct err *e)
{
    return add_mark(p, (struct step){.run = mark_all, .prepend = prepend, .cut = cut},
                    mark, e);
}

int pretok_add_cut(struct pretok *p, const char *mark, struct err *e)
{
    return add_mark(p, (struct step){.run = cut_at_marks}, mark, e);
}

int pretok_run(struct pretok *p, struct passage *text, struct pieces *out,
               struct err *e)
{
    out->n = 0;
    int rc = push(out, 0, text->n, e);

    for (size_t i = 0; i < p->n && rc == 0; i++)
        rc = p->step[i].run(p, &p->step[i], text, out, e);
    return rc;
}
