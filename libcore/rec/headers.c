#include "rec/private.h"

#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 4096 };

static const struct rec_header *find(const struct rec_headers *all, const struct rec *r)
{
    for (size_t i = all->n; i-- > 0;)
        if (all->h[i]->rec.size == r->size &&
            memcmp(all->h[i]->rec.raw, r->raw, r->size) == 0)
            return all->h[i];
    return NULL;
}

int rec_headers_keep(const struct rec_header **out, struct rec_headers *all,
                     const struct rec *r, struct err *e)
{
    if ((*out = find(all, r)))
        return 0;
    if (all->n == HEADERS_MAX)
        return err_set(e, ERR_RECORD, "too many different headers");
    struct rec_header **list =
        realloc(all->h, (all->n + 1) * sizeof(struct rec_header *));
    struct rec_header *h = calloc(1, sizeof *h);
    if (list)
        all->h = list;
    if (!list || !h || rec_copy(&h->rec, r, NULL) < 0) {
        if (h)
            rec_release(&h->rec);
        free(h);
        return err_set(e, ERR_NOMEM, "no memory for a header");
    }
    *out = all->h[all->n++] = h;
    return 0;
}

void rec_headers_release(struct rec_headers *all)
{
    for (size_t i = 0; i < all->n; i++) {
        rec_release(&all->h[i]->rec);
        free(all->h[i]);
    }
    free(all->h);
    *all = (struct rec_headers){0};
}
