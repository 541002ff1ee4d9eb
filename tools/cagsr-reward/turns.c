/*
 * Turns or reasoning steps inside one response: the field `turns`, an array of
 * [begin, end) pairs of token indices, ascending and apart.  What lies between two turns
 * (the user's next message) belongs to the history of those behind it.
 */
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int pair(uint64_t *begin, uint64_t *end, struct rec_value v)
{
    struct rec_iter it;
    struct rec_value k, x;

    if (rec_value_type(v) != REC_ARRAY || rec_value_count(v) != 2)
        return -1;
    rec_iter_start(&it, v);
    return rec_iter_next(&it, &k, &x) && rec_value_uint(begin, x) == 0 &&
                   rec_iter_next(&it, &k, &x) && rec_value_uint(end, x) == 0
               ? 0
               : -1;
}

long turns_read(struct stretch **turn, const struct sample *s, struct err *e)
{
    const struct rec_value list = rec_find(s->rec, "turns");
    const struct stretch whole = measure_whole(s);
    struct rec_iter it;
    struct rec_value k, v;
    uint64_t at = 0, begin, end;
    long n = 0;

    if (rec_value_type(list) <= REC_NIL)
        return 0;
    if (rec_value_type(list) != REC_ARRAY)
        return rec_fault(s->rec, ERR_RECORD, e, "turns", "not an array of pairs");
    free(*turn);
    *turn = calloc(rec_value_count(list) + 1, sizeof **turn);
    if (!*turn)
        return err_set(e, ERR_NOMEM, "no memory for turns");
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v); n++) {
        if (pair(&begin, &end, v) < 0 || begin < at || end <= begin || end > s->T)
            return rec_fault(s->rec, ERR_RECORD, e, "turns",
                             "element %ld is not a pair begin < end, behind the one "
                             "before and within the %zu tokens",
                             n, s->T);
        /* A turn before the last came to its end; it carries the end token if it closes
         * with the token that closes the response. */
        const int last = end == s->T;
        (*turn)[n] = (struct stretch){
            .begin = begin,
            .end = end,
            .ended = last ? whole.ended : 1,
            .end_token = whole.end_token && s->ids[end - 1] == s->ids[s->T - 1],
        };
        at = end;
    }
    return n;
}

static int parse_list(struct run *r, const char *spec, struct err *e)
{
    size_t cap = 0;

    while (*spec) {
        char *end;
        const double w = strtod(spec, &end);
        const int rc =
            reserve(&r->lambda_list, &cap, r->lambda_n + 1, sizeof *r->lambda_list, e);

        if (rc < 0)
            return rc;
        if (end == spec || !isfinite(w) || w < 0 || (*end && *end != ','))
            return err_set(e, ERR_USAGE,
                           "--lambda: '%s' is neither uniform, geometric, nor a list "
                           "of weights from 0",
                           spec);
        r->lambda_list[r->lambda_n++] = w;
        spec = end + (*end == ',');
    }
    r->lambda.list = r->lambda_list;
    return 0;
}

int turns_lambda(struct run *r, const char *spec, double gamma, struct err *e)
{
    r->lambda = (struct turn_lambda){.kind = TURN_GEOMETRIC, .gamma = gamma};
    if (!spec || strcmp(spec, "geometric") == 0)
        return 0;
    if (strcmp(spec, "uniform") == 0) {
        r->lambda.kind = TURN_UNIFORM;
        return 0;
    }
    r->lambda.kind = TURN_LIST;
    return parse_list(r, spec, e);
}
