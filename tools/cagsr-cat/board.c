#include "board.h"

#include "rec/value.h"

#include <math.h>

static int put_numbers(struct event_file *w, const struct rec *r, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < r->nfields && rc >= 0; i++) {
        struct rec_str name;
        double x;

        name.s = rec_field_key(r, i, &name.n);
        if (!rec_str_is(name, "step") &&
            rec_value_f64(&x, rec_field_value(r, i)) == 0 && isfinite(x))
            rc = event_scalar(w, name.s, name.n, x, e);
    }
    return rc;
}

int board_put(struct board *b, const char *dir, const struct rec *r, struct err *e)
{
    uint64_t step;
    int rc = 0;

    if (!rec_is(r, "metric") || rec_value_uint(&step, rec_find(r, "step")) < 0)
        return 0;
    if (!b->open)
        rc = event_open(&b->file, dir, step, e);
    b->open = 1; /* or its error is to be kept */
    if (rc >= 0)
        rc = put_numbers(&b->file, r, e);
    return rc < 0 ? rc : event_send(&b->file, step, e);
}

int board_close(struct board *b, int rc, struct err *e)
{
    return b->open ? event_close(&b->file, rc, e) : rc;
}
