#include "jinja/globals.h"

#include "jinja/dict.h"
#include "jinja/show.h"

#include <string.h>
#include <time.h>

/* ---- range ----------------------------------------------------------------------------*/

enum { RANGE_MAX = 100 * 1000 }; /* as in Jinja's sandbox */

static int64_t range_length(int64_t start, int64_t stop, int64_t step)
{
    const __int128 span = step > 0 ? (__int128)stop - start : (__int128)start - stop;
    const __int128 by = step > 0 ? step : -(__int128)step;

    return span <= 0                          ? 0
           : (span + by - 1) / by > RANGE_MAX ? RANGE_MAX + 1
                                              : (int64_t)((span + by - 1) / by);
}

static int do_range(struct interp *in, const struct value *a, struct value *out)
{
    int64_t r[3] = {0, 0, 1};

    TRY(value_want_int(in, a[1], "range's argument", &r[1]));
    if (a[2].type != V_MISSING) {
        r[0] = r[1];
        TRY(value_want_int(in, a[2], "range's stop", &r[1]));
    }
    if (a[3].type != V_MISSING)
        TRY(value_want_int(in, a[3], "range's step", &r[2]));
    if (r[2] == 0)
        return interp_fault(in, ERR_RECORD, "range's step is 0");
    const int64_t n = range_length(r[0], r[1], r[2]);
    if (n > RANGE_MAX)
        return interp_fault(in, ERR_RECORD, "a range of more than %d numbers",
                            RANGE_MAX);
    TRY(value_seq(in, V_RANGE, (size_t)n, out));
    memcpy(out->l->range, r, sizeof r);
    for (int64_t i = 0; i < n; i++)
        out->l->v[i] = value_int(r[0] + i * r[2]);
    return 0;
}

/* ---- dict, namespace ------------------------------------------------------------------*/

static int fill(struct interp *in, const struct args *a, struct dict **d)
{
    TRY(dict_new(in, d));
    if (a->n > 1)
        return interp_fault(in, ERR_RECORD, "a dictionary from %zu values, 1 expected",
                            a->n);
    if (a->n > 0)
        TRY(dict_fill(in, *d, a->v[0]));
    for (size_t i = 0; i < a->nkw; i++)
        TRY(dict_set(in, *d, value_str(a->kw[i].name), a->kw[i].v));
    return 0;
}

static int do_dict(struct interp *in, struct value self, const struct args *a,
                   struct value *out)
{
    struct dict *d;

    (void)self;
    TRY(fill(in, a, &d));
    *out = dict_value(d);
    return 0;
}

static int do_namespace(struct interp *in, struct value self, const struct args *a,
                        struct value *out)
{
    struct dict *d;

    (void)self;
    TRY(fill(in, a, &d));
    for (size_t i = 0; i < d->n; i++)
        if (d->key[i].type == V_STR && d->key[i].s->n > 0 && d->key[i].s->s[0] == '_')
            return interp_fault(in, ERR_FILE, "a namespace may not have '%.*s'",
                                (int)d->key[i].s->n, d->key[i].s->s);
    *out = (struct value){.type = V_NAMESPACE, .d = d};
    return 0;
}

/* ---- cycler, joiner -------------------------------------------------------------------*/

static int counter_new(struct interp *in, const struct value *v, size_t n,
                       enum value_type type, struct value *out)
{
    struct counter *c;

    TRY(interp_take(in, &c, 1, sizeof *c));
    *c = (struct counter){.n = n};
    TRY(interp_take(in, &c->v, n, sizeof *c->v));
    for (size_t i = 0; i < n; i++)
        c->v[i] = v[i];
    *out = (struct value){.type = type, .c = c};
    return 0;
}

static int do_cycler(struct interp *in, struct value self, const struct args *a,
                     struct value *out)
{
    (void)self;
    if (a->n == 0 || a->nkw > 0)
        return interp_fault(in, ERR_RECORD, "cycler() without values");
    return counter_new(in, a->v, a->n, V_CYCLER, out);
}

static int do_joiner(struct interp *in, const struct value *a, struct value *out)
{
    struct value sep = a[1];
    const struct str *s;

    TRY(str_lit(in, ", ", &s));
    if (sep.type == V_MISSING)
        sep = value_str(s);
    return counter_new(in, &sep, 1, V_JOINER, out);
}

int globals_join(struct interp *in, struct value joiner, struct value *out)
{
    const struct str *nothing;

    TRY(str_lit(in, "", &nothing));
    *out = joiner.c->at++ ? joiner.c->v[0] : value_str(nothing);
    return 0;
}

static int cycler_next(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    *out = a[0].c->v[a[0].c->at];
    a[0].c->at = (a[0].c->at + 1) % a[0].c->n;
    return 0;
}

static int cycler_reset(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    a[0].c->at = 0;
    *out = value_none();
    return 0;
}

const struct builtin globals_cycler[] = {
    {"next", "", cycler_next},
    {"reset", "", cycler_reset},
    {0},
};

/* ---- what transformers adds -----------------------------------------------------------*/

/* The template refuses: its sentence, and nothing else. */
static int do_raise(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;

    (void)out;
    TRY(show_str(in, a[1], &s));
    return err_set(in->e, ERR_RECORD, "%.*s", (int)s->n, s->s);
}

static int do_strftime(struct interp *in, const struct value *a, struct value *out)
{
    char text[256], format[128];
    const struct str *s;

    TRY(arg_str(in, a[1], "strftime_now's format", &s));
    if (s->n >= sizeof format || !in->now)
        return interp_fault(in, ERR_RECORD, "a format of %zu bytes for the date", s->n);
    memcpy(format, s->s, s->n);
    format[s->n] = '\0';
    const size_t n = strftime(text, sizeof text, format, in->now);
    if (n == 0 && s->n > 0)
        return interp_fault(in, ERR_RECORD, "a date of more than %zu bytes",
                            sizeof text);
    struct buf b = {in};
    TRY(buf_put(&b, text, NULL, n));
    TRY(buf_done(&b, &s));
    *out = value_str(s);
    return 0;
}

static const struct builtin functions[] = {
    {"range", "start stop? step?", do_range},
    {"dict", .any = do_dict},
    {"namespace", .any = do_namespace},
    {"cycler", .any = do_cycler},
    {"joiner", "sep?", do_joiner},
    {"raise_exception", "message", do_raise},
    {"strftime_now", "format", do_strftime},
    {"lipsum", "", NULL},
    {0},
};

const struct builtin *globals_find(const struct str *name)
{
    return builtin_find(functions, name);
}
