/* Any bytes as config.json: what is taken is a whole description of a model. */
#include "arch/arch.h"
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct arch a = {0};
    struct err e = {0};
    json_t *config;

    if (json_read_mem(&config, "fuzz", (const char *)data, size, &e) < 0)
        return 0;
    if (arch_from_config(&a, config, "fuzz", &e) < 0 && !e.text[0])
        abort();
    json_decref(config);
    return 0;
}
