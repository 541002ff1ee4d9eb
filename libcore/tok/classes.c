#include "tok/classes.h"

int class_has(const struct class *k, uint32_t c)
{
    size_t lo = 0, hi = k->n;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (c > k->range[mid].last)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < k->n && c >= k->range[lo].first;
}
