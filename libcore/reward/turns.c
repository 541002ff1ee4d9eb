#include "reward/turns.h"

#include <math.h>

/* Backwards, one step per turn: sum_t = w_t R_t + k sum_{t+1}, and so for the weights;
 * k is gamma for the geometric weights and 1 for the others. */
static void returns(double *G, const double *R, size_t n, const struct turn_lambda *l,
                    int divide)
{
    const double k = l->kind == TURN_GEOMETRIC ? l->gamma : 1;
    double sum = 0, total = 0;
    size_t seen = 0;

    for (size_t t = n; t-- > 0;) {
        const double w = l->kind == TURN_LIST ? l->list[t] : 1;

        sum *= k;
        total *= k;
        if (!isnan(R[t])) {
            sum += w * R[t];
            total += w;
            seen++;
        }
        if (seen == 0)
            G[t] = (double)NAN;
        else if (divide)
            G[t] = total != 0 ? sum / total : 0;
        else
            G[t] = sum;
    }
}

void turns_return(double *G, const double *R, size_t n, const struct turn_lambda *l)
{
    returns(G, R, n, l, 1);
}

void turns_sum(double *G, const double *R, size_t n, const struct turn_lambda *l)
{
    returns(G, R, n, l, 0);
}
