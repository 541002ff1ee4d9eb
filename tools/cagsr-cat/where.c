#include "where.h"

#include "select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum op {
    OP_THERE,
    OP_NOT_THERE,
    OP_EQ,
    OP_NE,
    OP_LE,
    OP_GE,
    OP_LT,
    OP_GT,
    OP_CONTAINS
};

/* Longer signs first. */
static const struct {
    const char *sign;
    enum op op;
} signs[] = {{"==", OP_EQ}, {"=~", OP_CONTAINS}, {"!=", OP_NE},
             {"<=", OP_LE}, {">=", OP_GE},       {"=", OP_EQ},
             {"<", OP_LT},  {">", OP_GT},        {"~", OP_CONTAINS}};
enum { SIGNS = sizeof signs / sizeof *signs };

struct where_test {
    char *path, *text; /* text: the value as it was written, without quotes */
    enum op op;
    int quoted;
    double number; /* NaN: the text is none */
};

void where_release(struct where *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->test[i].path);
        free(w->test[i].text);
    }
    free(w->test);
    *w = (struct where){0};
}

/* ---- reading ---------------------------------------------------------------------------- */

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* A copy without blanks around it. */
static char *trimmed(const char *s, size_t n)
{
    while (n && strchr(" \t", *s)) {
        s++;
        n--;
    }
    while (n && strchr(" \t", s[n - 1]))
        n--;
    return strndup(s, n);
}

static void read_value(struct where_test *t)
{
    const size_t n = strlen(t->text);
    char *end;

    t->quoted = n >= 2 && t->text[0] == '"' && t->text[n - 1] == '"';
    if (t->quoted) {
        memmove(t->text, t->text + 1, n - 2);
        t->text[n - 2] = '\0';
    }
    t->number = strtod(t->text, &end);
    if (t->quoted || end == t->text || *end)
        t->number = (double)NAN;
}

/* The first sign in text, or -1; *at is where. */
static int find_sign(const char *text, size_t *at)
{
    const size_t n = strcspn(text, "=!<>~");

    *at = n;
    for (int i = 0; text[n] && i < SIGNS; i++)
        if (strncmp(text + n, signs[i].sign, strlen(signs[i].sign)) == 0)
            return i;
    return -1;
}

static int parse(struct where_test *t, const char *text, struct err *e)
{
    const int not = *skip_blanks(text) == '!';
    const char *from = skip_blanks(text) + not ;
    size_t at;
    const int sign = find_sign(from, &at);

    if (from[at] && (sign < 0 || not ))
        return err_set(
            e, ERR_USAGE,
            "--where '%s': expected FIELD, !FIELD or FIELD OP VALUE, OP one of "
            "== != < <= > >= ~",
            text);
    t->path = trimmed(from, at);
    t->op = not ? OP_NOT_THERE : OP_THERE;
    if (sign >= 0) {
        from += at + strlen(signs[sign].sign);
        t->text = trimmed(from, strlen(from));
        t->op = signs[sign].op;
    }
    if (!t->path || (sign >= 0 && !t->text))
        return err_set(e, ERR_NOMEM, "no memory for --where");
    if (!*t->path)
        return err_set(e, ERR_USAGE, "--where '%s': no field", text);
    if (sign >= 0 && !*t->text)
        return err_set(e, ERR_USAGE, "--where '%s': no value", text);
    if (sign >= 0)
        read_value(t);
    return 0;
}

int where_add(struct where *w, const char *text, struct err *e)
{
    struct where_test *p = realloc(w->test, (w->n + 1) * sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for --where");
    w->test = p;
    p[w->n] = (struct where_test){0};
    return parse(&p[w->n++], text, e);
}

/* ---- comparing -------------------------------------------------------------------------- */

static int is_there(struct rec_value v)
{
    int flag;

    return rec_value_type(v) > REC_NIL && (rec_value_bool(&flag, v) < 0 || flag);
}

/* -1, 0, 1 as the text of v is below, equal to or above the test's. */
static int compare_text(struct rec_str s, const char *text)
{
    const size_t n = strlen(text), least = s.n < n ? s.n : n;
    const int order = least ? memcmp(s.s, text, least) : 0;

    if (order)
        return order < 0 ? -1 : 1;
    return s.n < n ? -1 : s.n > n;
}

/* The order of a value and the test's, or 2: they have none, and are not equal. */
static int compare(struct rec_value v, const struct where_test *t)
{
    struct rec_str s;
    double x;
    int flag;

    if (rec_value_type(v) <= REC_NIL)
        return !t->quoted && strcmp(t->text, "null") == 0 ? 0 : 2;
    if (rec_value_str(&s, v) == 0)
        return compare_text(s, t->text);
    if (rec_value_bool(&flag, v) == 0)
        return !t->quoted && strcmp(t->text, flag ? "true" : "false") == 0 ? 0 : 2;
    if (rec_value_f64(&x, v) < 0 || isnan(x) || isnan(t->number))
        return 2;
    return x < t->number ? -1 : x > t->number;
}

static int contains(struct rec_value v, const char *text)
{
    struct rec_str s;

    return rec_value_str(&s, v) == 0 && memmem(s.s, s.n, text, strlen(text)) != NULL;
}

static int holds(const struct where_test *t, const struct rec *r)
{
    const struct rec_value v = select_find(r, t->path);

    if (t->op == OP_THERE || t->op == OP_NOT_THERE)
        return is_there(v) == (t->op == OP_THERE);
    if (t->op == OP_CONTAINS)
        return contains(v, t->text);
    const int order = compare(v, t);
    switch (t->op) {
    case OP_EQ: return order == 0;
    case OP_NE: return order != 0;
    case OP_LE: return order <= 0;
    case OP_GE: return order == 0 || order == 1;
    case OP_LT: return order == -1;
    default: return order == 1;
    }
}

int where_holds(const struct where *w, const struct rec *r)
{
    for (size_t i = 0; i < w->n; i++)
        if (!holds(&w->test[i], r))
            return 0;
    return 1;
}
