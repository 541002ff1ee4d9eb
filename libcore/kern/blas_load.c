#include "kern/blas_load.h"

#include <dlfcn.h>
#include <string.h>

#if defined(__APPLE__)
const char blas_file[] = "libopenblas.dylib";
#else
const char blas_file[] = "libopenblas.so.0";
#endif

/* dlsym gives functions as pointers to data, which C has no cast for. */
static int find(const struct blas *b, void *function, const char *name,
                const char *file, struct err *e)
{
    void *at = dlsym(b->handle, name);

    memcpy(function, &at, sizeof at);
    return at ? 0
              : err_set(e, ERR_FILE, "%s: no function '%s': not OpenBLAS?", file, name);
}

static int find_all(struct blas *b, const char *file, struct err *e)
{
    const struct {
        void *function;
        const char *name;
    } want[] = {
        {&b->sgemm, "cblas_sgemm"},
        {&b->set_num_threads, "openblas_set_num_threads"},
        {&b->get_parallel, "openblas_get_parallel"},
        {&b->get_config, "openblas_get_config"},
        {&b->get_corename, "openblas_get_corename"},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof want / sizeof *want && rc >= 0; i++)
        rc = find(b, want[i].function, want[i].name, file, e);
    return rc;
}

int blas_load(struct blas *b, const char *file, struct err *e)
{
    *b = (struct blas){.handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)};
    if (!b->handle)
        return err_set(e, ERR_FILE, "OpenBLAS cannot be loaded: %s", dlerror());
    const int rc = find_all(b, file, e);
    if (rc < 0)
        blas_unload(b);
    return rc;
}

void blas_unload(struct blas *b)
{
    if (b->handle)
        dlclose(b->handle);
    *b = (struct blas){0};
}
