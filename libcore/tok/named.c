#include "tok/named.h"

#include "tok/private.h"

#include <stdlib.h>
#include <string.h>

void named_release(struct named *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->v[i].name);
        free(list->v[i].text);
        free(list->v[i].where);
    }
    free(list->v);
    *list = (struct named){0};
}

static struct tok_named *find(const struct named *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i].name, name) == 0)
            return &list->v[i];
    return NULL;
}

const struct tok_named *named_find(const struct named *list, const char *name)
{
    return find(list, name);
}

/* One more, of empty texts. */
static int append(struct named *list, const char *name, const char *where,
                  struct tok_named **out, struct err *e)
{
    struct tok_named *v;

    if (list->n == NAMED_MAX)
        return err_set(e, ERR_FILE, "%s: '%s' and %d more names, at most %d are read",
                       where, name, NAMED_MAX, NAMED_MAX);
    if (!(v = realloc(list->v, (list->n + 1) * sizeof *v)))
        return err_set(e, ERR_NOMEM, "%s: no memory", where);
    list->v = v;
    *out = &v[list->n++];
    **out = (struct tok_named){0};
    return tok_set_str(&(*out)->name, name, strlen(name), e);
}

int named_set(struct named *list, const char *name, const char *s, size_t n,
              const char *where, struct err *e)
{
    struct tok_named *one = find(list, name);
    int rc = one ? 0 : append(list, name, where, &one, e);

    if (rc < 0 || (rc = tok_set_str(&one->text, s, n, e)) < 0)
        return rc;
    return tok_set_str(&one->where, where, strlen(where), e);
}
