#include "jinja/jinja.h"

#include "jinja/dict.h"
#include "jinja/exec.h"
#include "jinja/parser.h"

#include <stdlib.h>

struct jinja {
    struct pool pool; /* the tree's */
    const char *where;
    struct node *body;
};

enum { TEMPLATE_MEMORY = 64 * 1024 * 1024 };

int jinja_open(struct jinja **out, const char *source, size_t n, const char *where,
               struct err *e)
{
    struct jinja *t = calloc(1, sizeof *t);

    *out = NULL;
    if (!t)
        return err_set(e, ERR_NOMEM, "no memory for a chat template");
    t->pool.cap = TEMPLATE_MEMORY;
    t->where = where;
    struct interp in = {.pool = &t->pool, .e = e, .where = where};
    const int rc = jinja_parse(&in, source, n, &t->body);
    if (rc == 0)
        *out = t;
    else
        jinja_close(t);
    if (rc < 0 && e)
        e->code = ERR_FILE; /* whatever limit it ran into */
    return rc < 0 ? ERR_FILE : 0;
}

void jinja_close(struct jinja *t)
{
    if (t)
        pool_release(&t->pool);
    free(t);
}

int jinja_render(const struct jinja *t, struct interp *in, struct value vars,
                 const struct tm *now, const struct str **out)
{
    struct scope top = {.given = vars.d};
    struct buf b = {in};

    in->where = t->where;
    in->now = now;
    in->depth = 0;
    TRY(exec(in, &top, t->body, &b));
    in->line = 0;
    return buf_done(&b, out);
}
