#include "jinja/call.h"

#include "jinja/exec.h"
#include "jinja/globals.h"

#include <string.h>

const struct builtin *builtin_find(const struct builtin *table, const struct str *name)
{
    for (; table->name; table++)
        if (str_is(name, table->name))
            return table;
    return NULL;
}

/* ---- binding --------------------------------------------------------------------------*/

/* A word of `params` at *p: its length, 0 at the end; *optional its '?'. */
static size_t next_param(const char **p, int *optional)
{
    *p += strspn(*p, " ");
    const size_t n = strcspn(*p, " ?");

    *optional = (*p)[n] == '?';
    return n;
}

static int bind_keyword(struct interp *in, const struct builtin *b,
                        const struct keyword *k, struct value *arg)
{
    const char *p = b->params;
    int optional;
    size_t n;

    for (size_t i = 1; (n = next_param(&p, &optional)) > 0;
         i++, p += n + (size_t)optional)
        if (n == k->name->n && memcmp(p, k->name->s, n) == 0) {
            if (arg[i].type != V_MISSING)
                return interp_fault(in, ERR_RECORD, "%s: '%.*s' is given twice",
                                    b->name, (int)n, p);
            arg[i] = k->v;
            return 0;
        }
    return interp_fault(in, ERR_RECORD, "%s has no argument '%.*s'", b->name,
                        (int)k->name->n, k->name->s);
}

/* What must be there and is not. */
static int check_bound(struct interp *in, const struct builtin *b,
                       const struct value *arg)
{
    const char *p = b->params;
    int optional;
    size_t n;

    for (size_t i = 1; (n = next_param(&p, &optional)) > 0;
         i++, p += n + (size_t)optional)
        if (arg[i].type == V_MISSING && !optional)
            return interp_fault(in, ERR_RECORD, "%s: its argument '%.*s' is missing",
                                b->name, (int)n, p);
    return 0;
}

static size_t count_params(const char *p)
{
    size_t n, count = 0;
    int optional;

    for (; (n = next_param(&p, &optional)) > 0; p += n + (size_t)optional)
        count++;
    return count;
}

int call_builtin(struct interp *in, const struct builtin *b, struct value self,
                 const struct args *a, struct value *out)
{
    struct value arg[CALL_PARAMS + 1] = {self};

    TRY(interp_steps(in, 1));
    if (b->any)
        return b->any(in, self, a, out);
    if (!b->fn)
        return interp_fault(in, ERR_FILE, "'%s' is not supported", b->name);
    const size_t most = count_params(b->params);
    if (a->n > most)
        return interp_fault(in, ERR_RECORD, "%s takes %zu arguments, %zu are given",
                            b->name, most, a->n);
    for (size_t i = 0; i < a->n; i++)
        arg[i + 1] = a->v[i];
    for (size_t i = 0; i < a->nkw; i++)
        TRY(bind_keyword(in, b, &a->kw[i], arg));
    TRY(check_bound(in, b, arg));
    return b->fn(in, arg, out);
}

int call_value(struct interp *in, struct value f, const struct args *a,
               struct value *out)
{
    switch (f.type) {
    case V_METHOD: return call_builtin(in, f.b->fn, f.b->self, a, out);
    case V_FUNCTION: return call_builtin(in, f.fn, (struct value){0}, a, out);
    case V_MACRO: return exec_macro(in, f.m, a, out);
    case V_JOINER: return globals_join(in, f, out);
    case V_UNDEFINED: return arg_undefined(in, f);
    default:
        return interp_fault(in, ERR_RECORD, "a %s cannot be called",
                            value_type_name(f));
    }
}

const struct value *args_keyword(const struct args *a, const char *name)
{
    for (size_t i = 0; i < a->nkw; i++)
        if (str_is(a->kw[i].name, name))
            return &a->kw[i].v;
    return NULL;
}

/* ---- arguments ------------------------------------------------------------------------*/

int arg_undefined(struct interp *in, struct value v)
{
    if (!v.s)
        return interp_fault(in, ERR_RECORD, "a value is undefined");
    return interp_fault(in, ERR_RECORD, "%.*s", (int)v.s->n, v.s->s);
}

int arg_int(struct interp *in, struct value v, const char *what, int64_t otherwise,
            int64_t *out)
{
    *out = otherwise;
    return v.type == V_MISSING || v.type == V_NONE ? 0
                                                   : value_want_int(in, v, what, out);
}

int arg_truth(struct value v, int otherwise)
{
    return v.type == V_MISSING ? otherwise : value_truth(v);
}

int arg_str(struct interp *in, struct value v, const char *what, const struct str **out)
{
    if (v.type == V_STR) {
        *out = v.s;
        return 0;
    }
    if (v.type == V_UNDEFINED)
        return arg_undefined(in, v);
    return interp_fault(in, ERR_RECORD, "%s is a %s, a str expected", what,
                        value_type_name(v));
}

int arg_opt_str(struct interp *in, struct value v, const char *what,
                const struct str **out)
{
    *out = NULL;
    return v.type == V_MISSING || v.type == V_NONE ? 0 : arg_str(in, v, what, out);
}
