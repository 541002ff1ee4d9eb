#include "jinja/interp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int interp_fault(struct interp *in, enum errcode code, const char *fmt, ...)
{
    char text[ERR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (in->line == 0)
        return err_set(in->e, code, "%s: %s", in->where, text);
    return err_set(in->e, code, "%s: chat template, line %d: %s", in->where, in->line,
                   text);
}

int interp_steps(struct interp *in, size_t n)
{
    in->steps += n;
    if (in->steps <= INTERP_STEPS)
        return 0;
    return interp_fault(in, ERR_RECORD, "more than %d steps", INTERP_STEPS);
}

int interp_enter(struct interp *in)
{
    if (++in->depth <= INTERP_DEPTH)
        return 0;
    return interp_fault(in, ERR_RECORD, "more than %d levels deep", INTERP_DEPTH);
}

void interp_leave(struct interp *in)
{
    in->depth--;
}

int interp_take(struct interp *in, void *out, size_t n, size_t size)
{
    void *p = pool_take(in->pool, n, size);

    if (!p)
        return interp_fault(in, ERR_NOMEM, "no memory, or more than %zu MiB of it",
                            in->pool->cap >> 20);
    memcpy(out, &p, sizeof p);
    return 0;
}
