#include "rl/bt.h"

#include "rl/sigmoid.h"

double bt_pair(struct bt_stats *st, double *dchosen, double *drejected, double chosen,
               double rejected, double margin, double centre, double weight)
{
    const double x = chosen - rejected - margin, sum = chosen + rejected;
    const double loss = -log_sigmoid(x), d = -sigmoid(-x), dc = 2 * centre * sum;

    *dchosen = weight * (d + dc);
    *drejected = weight * (-d + dc);
    st->loss += weight * (loss + centre * sum * sum);
    st->pairs += 1;
    st->correct += chosen > rejected;
    st->chosen += chosen;
    st->rejected += rejected;
    return loss;
}
