#include "golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *golden_path(char out[GOLDEN_PATH], const char *name)
{
    const char *dir = getenv("CAGSR_GOLDEN");

    snprintf(out, GOLDEN_PATH, "%s/%s", dir ? dir : "tests/golden", name);
    if (dir && access(out, F_OK) != 0)
        snprintf(out, GOLDEN_PATH, "tests/golden/%s", name);
    return out;
}

void golden_open(struct safetensors *st, const char *name)
{
    char path[GOLDEN_PATH];
    struct err e = {0};

    cr_assert_geq(safetensors_open(st, golden_path(path, name), &e), 0, "%s", e.text);
}

static const struct st_entry *find(const struct safetensors *st, const char *fmt,
                                   va_list ap, int must)
{
    char name[256];

    vsnprintf(name, sizeof name, fmt, ap);
    const struct st_entry *t = safetensors_find(st, name);
    cr_assert(t || !must, "%s: no '%s'", st->path, name);
    return t;
}

static float *widen(const struct st_entry *t, size_t *n)
{
    float *x = t ? malloc((t->count + 1) * sizeof *x) : NULL;

    if (!t)
        return NULL;
    cr_assert_eq(dtype_widen(x, t->data, t->dtype, t->count), 0);
    *n = t->count;
    return x;
}

float *golden_floats(const struct safetensors *st, size_t *n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const struct st_entry *t = find(st, fmt, ap, 0);
    va_end(ap);
    return widen(t, n);
}

float *golden_must(const struct safetensors *st, size_t *n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const struct st_entry *t = find(st, fmt, ap, 1);
    va_end(ap);
    return widen(t, n);
}

int32_t *golden_ids(const struct safetensors *st, size_t *n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const struct st_entry *t = find(st, fmt, ap, 1);
    va_end(ap);
    int32_t *ids = malloc((t->count + 1) * sizeof *ids);
    cr_assert_eq(t->dtype, DTYPE_I32);
    memcpy(ids, t->data, t->count * sizeof *ids);
    *n = t->count;
    return ids;
}

double worst_difference(const float *a, const float *b, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - b[i]);

        if (!(d <= worst))
            worst = isnan(d) ? INFINITY : d;
    }
    return worst;
}
