#include "base/reserve.h"

#include <stdint.h>
#include <stdlib.h>

int reserve(void *array, size_t *cap, size_t n, size_t size, struct err *e)
{
    void **p = array;

    if (n <= *cap)
        return 0;
    const size_t want = n > 2 * *cap ? n : 2 * *cap;
    void *q = want > SIZE_MAX / size ? NULL : realloc(*p, want * size);
    if (!q)
        return err_set(e, ERR_NOMEM, "no memory for %zu elements", want);
    *p = q;
    *cap = want;
    return 0;
}
