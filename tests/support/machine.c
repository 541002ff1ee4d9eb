#include "machine.h"

#include "gradcheck.h"
#include "tensor/dims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int machine_new(struct machine *m, size_t threads, const struct kern_opts *o)
{
    struct err e = {0};

    *m = (struct machine){0};
    int rc = par_new(&m->par, threads, &e);
    if (rc == 0)
        rc = kern_new(&m->k, m->par, o, &e);
    if (rc == ERR_USAGE && o) {
        machine_free(m);
        return 0;
    }
    if (rc < 0) {
        fprintf(stderr, "machine_new: %s\n", e.text);
        abort();
    }
    return 1;
}

void machine_free(struct machine *m)
{
    kern_free(m->k);
    par_free(m->par);
    *m = (struct machine){0};
}

float *floats(size_t n)
{
    float *x = aligned_alloc(64, round_up((n ? n : 1) * sizeof *x, 64));

    if (!x)
        abort();
    return x;
}

float *zeros(size_t n)
{
    return memset(floats(n), 0, n * sizeof(float));
}

float *normals(size_t n, uint64_t seed)
{
    float *x = floats(n);

    fill_normal(x, n, 1, seed);
    return x;
}
