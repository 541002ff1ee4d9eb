#include "optim/schedule.h"

#include <math.h>

double schedule_lr(const struct schedule *s, size_t step)
{
    static const double pi = 3.14159265358979323846;

    if (step < s->warmup)
        return s->lr * (double)(step + 1) / (double)s->warmup;
    if (s->kind == SCHEDULE_CONSTANT)
        return s->lr;
    const double left = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
    const double u = fmin((double)(step - s->warmup) / left, 1);
    return s->lr * (s->floor + (1 - s->floor) * 0.5 * (1 + cos(pi * u)));
}
