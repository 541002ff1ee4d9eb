#include "jinja/filters.h"

const struct builtin *filter_find(const struct str *name)
{
    static const struct builtin *const tables[] = {filters_text, filters_seq,
                                                   filters_pick};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct builtin *b = builtin_find(tables[i], name);

        if (b)
            return b;
    }
    return NULL;
}
