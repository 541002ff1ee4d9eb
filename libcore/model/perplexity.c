#include "model/perplexity.h"

#include <math.h>
#include <stdlib.h>

double perplexity_value(const struct perplexity *p)
{
    return p->tokens ? exp(-p->logp / (double)p->tokens) : NAN;
}

void perplexity_add(struct perplexity *p, const float *logp, const uint8_t *scored,
                    size_t T)
{
    for (size_t t = 0; t < T; t++) {
        if (scored && !scored[t])
            continue;
        p->logp += logp[t];
        p->tokens++;
    }
}

int perplexity_text(struct perplexity *p, struct scorer *s, int32_t bos,
                    const int32_t *ids, const uint8_t *scored, size_t n, struct err *e)
{
    if (scorer_model(s)->encoder)
        return err_set(e, ERR_USAGE,
                       "%s: the perplexity of a text is that of a decoder, and this "
                       "model has an encoder",
                       scorer_model(s)->path);
    /* The first token is the prompt, the others are the response. */
    const size_t put = bos >= 0 && !(n && ids[0] == bos), from = !put;
    if (n <= from)
        return 0;
    struct score_response r = {.ids = ids + from, .T = n - from, .temperature = 1};
    if (!(r.logp = malloc(r.T * sizeof *r.logp)))
        return err_set(e, ERR_NOMEM, "no memory for %zu tokens", r.T);
    const int rc = score_group(s, put ? &bos : ids, 1, &r, 1, e);
    if (rc >= 0)
        perplexity_add(p, r.logp, scored ? scored + from : NULL, r.T);
    free(r.logp);
    return rc;
}
