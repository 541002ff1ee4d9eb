#include "reward/combine.h"

#include <math.h>

const char *const combine_part_names[COMBINE_PARTS] = {
    [PART_COVERAGE] = "coverage",   [PART_FOCUS] = "focus",
    [PART_COHERENCE] = "coherence", [PART_REPETITION] = "repetition",
    [PART_COPY] = "copy",           [PART_NO_END] = "no_end",
    [PART_SHORT] = "short",
};

const double combine_f12_weights[COMBINE_PARTS] = {
    [PART_COVERAGE] = 1 / COMBINE_TAU_C,
    [PART_FOCUS] = 1 / COMBINE_TAU_F,
    [PART_COHERENCE] = 0.1,
    [PART_REPETITION] = -2,
    [PART_COPY] = -2,
    [PART_NO_END] = -0.125,
    [PART_SHORT] = -0.25,
};

/* Penalties of at least alpha + beta: neither a loop nor a copy keeps the reward above 0,
 * whatever its attention. */
const double combine_f7_weights[COMBINE_PARTS] = {
    [PART_COVERAGE] = 1, [PART_FOCUS] = 0.3,   [PART_REPETITION] = -1.5,
    [PART_COPY] = -1.5,  [PART_NO_END] = -0.5,
};

double combine_sum(const struct combine_term *t, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        if (t[i].weight != 0)
            sum += t[i].weight * t[i].value;
    return sum;
}

double combine_sum_f7(const struct combine_term *t, size_t n)
{
    if (t[PART_SHORT].value > 0)
        return COMBINE_F7_FLOOR + combine_sum(&t[PART_NO_END], 1);
    return combine_sum(t, n);
}

double combine_mean(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : 0;
}

void combine_scale_add(struct combine_scale *s, const double *x, size_t n)
{
    double mean = 0, ss = 0;
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) {
            mean += x[i];
            k++;
        }
    if (k < 2)
        return;
    mean /= (double)k;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            ss += (x[i] - mean) * (x[i] - mean);
    s->sum += sqrt(ss / (double)(k - 1));
    s->groups++;
}

double combine_scale_value(const struct combine_scale *s)
{
    return s->groups ? s->sum / (double)s->groups : (double)NAN;
}
