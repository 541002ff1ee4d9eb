/*
 * Any bytes as a Jinja template, over values of every kind: refused with a sentence, or it
 * renders valid UTF-8 with one mark per byte.
 */
#include "jinja/dict.h"
#include "jinja/jinja.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* s: a text of the user; l: [s, 1, 2.5, true, none, []]; d: {s: l, "n": -3}. */
static int variables(struct interp *in, struct dict **vars)
{
    static const char text[] = "User \xc3\x9f\xce\xa3 <|x|>\n";
    struct value s, l, empty;
    struct dict *d;

    TRY(dict_new(in, vars));
    TRY(value_text(in, text, sizeof text - 1, STR_USER, &s));
    TRY(value_seq(in, V_LIST, 0, &empty));
    TRY(value_seq(in, V_LIST, 6, &l));
    l.l->v[0] = s;
    l.l->v[1] = value_int(1);
    l.l->v[2] = value_float(2.5);
    l.l->v[3] = value_bool(1);
    l.l->v[5] = empty;
    TRY(dict_new(in, &d));
    TRY(dict_set(in, d, s, l));
    TRY(dict_set_lit(in, d, "n", value_int(-3)));
    TRY(dict_set_lit(in, *vars, "s", s));
    TRY(dict_set_lit(in, *vars, "l", l));
    return dict_set_lit(in, *vars, "d", dict_value(d));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct err e = {0};
    struct pool pool = {.cap = INTERP_MEMORY / 16};
    struct interp in = {
        .pool = &pool, .e = &e, .where = "file", .steps = INTERP_STEPS - 200000};
    const struct str *out = NULL, *again;
    struct dict *vars;
    struct jinja *t;
    int rc = jinja_open(&t, (const char *)data, size, "file", &e);

    if (rc == 0 && (rc = variables(&in, &vars)) == 0)
        rc = jinja_render(t, &in, dict_value(vars), NULL, &out);
    if (rc < 0 && !e.text[0] && !memmem(data, size, "raise_exception", 15))
        abort();
    if (rc == 0 && str_of(&in, out->s, out->n, STR_NOBODY, &again) < 0)
        abort();
    for (size_t i = 0; rc == 0 && out->user && i < out->n; i++)
        if (out->user[i] > 1)
            abort();
    jinja_close(t);
    pool_release(&pool);
    return 0;
}
