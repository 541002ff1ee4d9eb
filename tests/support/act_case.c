#include "act_case.h"

#include <stdlib.h>

struct act_case act_case(enum isa isa, size_t N, size_t F, size_t halves, enum act act)
{
    struct act_case c = {.N = N, .F = F, .act = act};

    if (!machine_new(&c.m, 2, &(struct kern_opts){.isa = isa}))
        return c;
    c.x = normals(N * halves * F, 1);
    c.a = normals(N * F, 2);
    c.y = floats(N * F);
    if (act == ACT_RELU) /* away from the corner */
        for (size_t i = 0; i < N * halves * F; i++)
            c.x[i] += c.x[i] < 0 ? -0.1f : 0.1f;
    return c;
}

void act_case_free(struct act_case *c)
{
    free(c->x);
    free(c->a);
    free(c->y);
    machine_free(&c->m);
}
