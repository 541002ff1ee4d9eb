#include "group_fixture.h"

#include "golden.h"

#include <criterion/criterion.h>

const char *const names[] = {
#define DECODER(name) name,
#define ENCDEC(name) name,
#define CACHED(name) name,
#include "../golden/models.h"
};
const size_t NAMES = sizeof names / sizeof *names;
const size_t lengths[N] = {6, 1, 9};

static int open_with(struct fixture *f, const char *name, size_t threads,
                     enum model_mode mode, const struct kern_opts *o)
{
    char path[GOLDEN_PATH];
    struct err e = {0};

    if (!machine_new(&f->mc, threads, o))
        return 0;
    cr_assert_geq(model_open(&f->m, golden_path(path, name), f->mc.k, mode, &e), 0,
                  "%s", e.text);
    for (size_t i = 0; i < P; i++)
        f->prompt[i] = (int32_t)((i * 31 + 5) % f->m->arch.V);
    for (size_t n = 0; n < N; n++)
        for (size_t t = 0; t < lengths[n]; t++)
            f->ids[n][t] = (int32_t)((n * 17 + t * 13 + 1) % f->m->arch.V);
    return 1;
}

void open_fixture_as(struct fixture *f, const char *name, size_t threads,
                     enum model_mode mode)
{
    cr_assert(open_with(f, name, threads, mode, NULL));
}

int open_fixture_on(struct fixture *f, const char *name, size_t threads,
                    const struct kern_opts *o)
{
    return open_with(f, name, threads, MODEL_COMPUTE, o);
}

void open_fixture(struct fixture *f, const char *name, size_t threads)
{
    open_fixture_as(f, name, threads, MODEL_COMPUTE);
}

void close_fixture(struct fixture *f)
{
    model_close(f->m);
    machine_free(&f->mc);
}
