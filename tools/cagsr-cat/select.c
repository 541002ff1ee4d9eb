#include "select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void select_release(struct select *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->path[i]);
    free(s->path);
    *s = (struct select){0};
}

/* Takes over the string. */
static int add(struct select *s, char *path, struct err *e)
{
    if (path && s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 16;
        char **p = realloc(s->path, cap * sizeof *p);
        if (!p) {
            free(path);
            path = NULL;
        } else {
            s->path = p;
            s->cap = cap;
        }
    }
    if (!path)
        return err_set(e, ERR_NOMEM, "no memory for the names of fields");
    s->path[s->n++] = path;
    return 0;
}

int select_parse(struct select *s, const char *text, struct err *e)
{
    int rc = 0;

    for (const char *p = text; rc == 0;) {
        const size_t n = strcspn(p, ",");
        if (n == 0)
            return err_set(e, ERR_USAGE, "--fields '%s': an empty name", text);
        rc = add(s, strndup(p, n), e);
        if (p[n] == '\0')
            break;
        p += n + 1;
    }
    return rc;
}

static int scalar(struct rec_value v)
{
    const enum rec_type t = rec_value_type(v);

    return t >= REC_NIL && t <= REC_STR;
}

static char *joined(struct rec_str a, struct rec_str b)
{
    char *s = malloc(a.n + b.n + 2);

    if (!s)
        return NULL;
    memcpy(s, a.n ? a.s : "", a.n);
    s[a.n] = '.';
    memcpy(s + a.n + 1, b.n ? b.s : "", b.n);
    s[a.n + 1 + b.n] = '\0';
    return s;
}

int select_scalars(struct select *s, const struct rec *r, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;
    struct rec_str key;
    int rc = 0;

    for (size_t i = 0; i < r->nfields && rc == 0; i++) {
        struct rec_str name;
        name.s = rec_field_key(r, i, &name.n);
        char *own = rec_str_copy(name);

        if (!own)
            return err_set(e, ERR_NOMEM, "no memory for the names of fields");
        v = rec_field_value(r, i);
        if (scalar(v)) {
            rc = add(s, own, e);
            continue;
        }
        free(own);
        if (rec_value_type(v) != REC_MAP)
            continue;
        for (rec_iter_start(&it, v); rc == 0 && rec_iter_next(&it, &k, &v);)
            if (scalar(v) && rec_value_str(&key, k) == 0 && !memchr(key.s, 0, key.n))
                rc = add(s, joined(name, key), e);
    }
    return rc;
}

static struct rec_value element(struct rec_value v, const char *digits)
{
    struct rec_iter it;
    struct rec_value k, x;
    char *end;

    errno = 0;
    unsigned long long i = strtoull(digits, &end, 10);
    if (errno || *end || end == digits || *digits == '-')
        return (struct rec_value){0};
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x); i--)
        if (i == 0)
            return x;
    return (struct rec_value){0};
}

/* The rest of a path inside v; a member named by the whole rest comes first. */
static struct rec_value descend(struct rec_value v, const char *rest)
{
    char part[256];
    const size_t n = strcspn(rest, ".");
    const int map = rec_value_type(v) == REC_MAP;
    const struct rec_value whole = map ? rec_value_member(v, rest) : element(v, rest);

    if (whole.at || rest[n] == '\0' || n >= sizeof part)
        return whole;
    memcpy(part, rest, n);
    part[n] = '\0';
    return descend(map ? rec_value_member(v, part) : element(v, part), rest + n + 1);
}

struct rec_value select_find(const struct rec *r, const char *path)
{
    char part[256];
    const size_t n = strcspn(path, ".");
    const struct rec_value whole = rec_find(r, path);

    if (whole.at || path[n] == '\0' || n >= sizeof part)
        return whole;
    memcpy(part, path, n);
    part[n] = '\0';
    return descend(rec_find(r, part), path + n + 1);
}

void select_apply(const struct select *s, struct rec *out, const struct rec *r)
{
    rec_clear(out);
    for (size_t i = 0; i < s->n; i++) {
        const struct rec_value v = select_find(r, s->path[i]);

        if (v.at)
            rec_set_value(out, s->path[i], v);
    }
    out->header = r->header;
    out->source = r->source;
    out->number = r->number;
}
