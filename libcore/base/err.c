#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A name from a hostile file must not drive the user's terminal. */
static void defuse(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

int err_set(struct err *e, enum errcode code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    defuse(e->text);
    return code;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    char old[ERR_TEXT];
    va_list ap;

    if (!e)
        return ERR_IO;
    memcpy(old, e->text, sizeof old);
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->text) {
        const int left = (int)(sizeof e->text - (size_t)n);

        snprintf(e->text + n, (size_t)left, ": %.*s", left, old);
    }
    defuse(e->text);
    return e->code;
}

int err_exit_status(int rc)
{
    if (rc >= 0)
        return 0;
    switch ((enum errcode)rc) {
    case ERR_IO:
    case ERR_RECORD:
    case ERR_NOMEM: return 1;
    case ERR_USAGE: return 2;
    case ERR_FILE:
    case ERR_SHAPE: return 3;
    case ERR_TRUNC: return 4;
    case ERR_NUMERIC: return 5;
    case ERR_STOPPED: return 6;
    }
    return 1;
}
