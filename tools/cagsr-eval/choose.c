/*
 * Metrics by name or by family.
 */
#include "eval.h"

#include <string.h>

static int is(const char *name, const char *s, size_t n)
{
    return strlen(name) == n && memcmp(name, s, n) == 0;
}

int metric_named(enum metric m, const char *name, size_t n)
{
    return is(metric_table[m].name, name, n) || is(metric_table[m].family, name, n);
}

static int choose_one(unsigned char *chosen, const char *name, size_t n)
{
    int found = 0;

    for (size_t m = 0; m < METRICS; m++)
        if (metric_named((enum metric)m, name, n))
            chosen[m] = found = 1;
    return found;
}

/* The families by name, for the sentence. */
static void list_families(char *out, size_t size)
{
    size_t at = 0;

    for (size_t m = 0; m < METRICS; m++)
        if (m == 0 || strcmp(metric_table[m].family, metric_table[m - 1].family) != 0)
            at += (size_t)snprintf(out + at, size - at, "%s%s", m ? ", " : "",
                                   metric_table[m].family);
}

int metrics_choose(unsigned char *chosen, const char *list, struct err *e)
{
    char families[512];

    memset(chosen, !list, METRICS);
    while (list && *list) {
        const size_t n = strcspn(list, ",");

        if (!choose_one(chosen, list, n)) {
            list_families(families, sizeof families);
            return err_set(e, ERR_USAGE,
                           "--metrics: '%.*s' is no metric; the families are %s",
                           (int)n, list, families);
        }
        list += n + (list[n] == ',');
    }
    return 0;
}
