#include "optim/adamw.h"

#include <math.h>

/* Everything a run needs, in float: what torch does in float32. */
struct job {
    const struct adamw_run *runs;
    float *w, *m, *v;
    const float *g;
    float b1, c1, b2, c2; /* c = 1 - b, rounded once */
    float eps, lr, step, root, scale;
};

size_t adamw_runs(size_t n)
{
    return (n + ADAMW_RUN - 1) / ADAMW_RUN;
}

size_t adamw_cut(struct adamw_run *out, size_t offset, size_t n, double decay)
{
    const size_t runs = adamw_runs(n);

    for (size_t i = 0; i < runs; i++) {
        const size_t begin = i * ADAMW_RUN;
        out[i].offset = offset + begin;
        out[i].n = n - begin < ADAMW_RUN ? n - begin : ADAMW_RUN;
        out[i].decay = (float)decay;
    }
    return runs;
}

static void update(void *ctx, size_t i, size_t worker)
{
    const struct job *j = ctx;
    const struct adamw_run *r = &j->runs[i];
    float *restrict w = j->w + r->offset, *restrict m = j->m + r->offset;
    float *restrict v = j->v + r->offset;
    const float *restrict g = j->g + r->offset;
    const float b1 = j->b1, c1 = j->c1, b2 = j->b2, c2 = j->c2;
    const float keep = 1 - j->lr * r->decay, eps = j->eps, step = j->step;
    const float root = j->root, scale = j->scale;

    (void)worker;
#pragma omp simd
    for (size_t k = 0; k < r->n; k++) {
        const float gk = g[k] * scale;
        const float mk = b1 * m[k] + c1 * gk;
        const float vk = b2 * v[k] + c2 * gk * gk;
        m[k] = mk;
        v[k] = vk;
        w[k] = w[k] * keep - step * (mk / (sqrtf(vk) * root + eps));
    }
}

void adamw_step(const struct adamw *o, struct par *par, const struct adamw_run *runs,
                size_t nruns, float *w, const float *g, float *m, float *v, uint64_t t,
                double lr, double scale)
{
    struct job j = {
        .runs = runs,
        .w = w,
        .m = m,
        .v = v,
        .g = g,
        .b1 = (float)o->beta1,
        .c1 = (float)(1 - o->beta1),
        .b2 = (float)o->beta2,
        .c2 = (float)(1 - o->beta2),
        .eps = (float)o->eps,
        .lr = (float)lr,
        .step = (float)(lr / (1 - pow(o->beta1, (double)t))),
        .root = (float)(1 / sqrt(1 - pow(o->beta2, (double)t))),
        .scale = (float)scale,
    };

    par_for(par, nruns, update, &j);
}
