#include "nn/embed.h"

struct forward_job {
    float *y;
    const int32_t *ids, *pos;
    const float *wte, *wpe;
    size_t C;
    float scale;
};

static void forward_rows(void *ctx, size_t from, size_t to)
{
    const struct forward_job *j = ctx;

    for (size_t n = from; n < to; n++) {
        float *y = j->y + n * j->C;
        const float *w = j->wte ? j->wte + (size_t)j->ids[n] * j->C : y;

        for (size_t c = 0; c < j->C; c++)
            y[c] = j->scale * w[c];
        if (!j->pos)
            continue;
        const float *p = j->wpe + (size_t)j->pos[n] * j->C;
        for (size_t c = 0; c < j->C; c++)
            y[c] += p[c];
    }
}

void embed_forward(struct kern *k, float *y, const int32_t *ids, const int32_t *pos,
                   const float *wte, const float *wpe, size_t N, size_t C, float scale)
{
    struct forward_job j = {y, ids, pos, wte, wpe, C, scale};

    kern_rows(k, N, C, forward_rows, &j);
}

/* A token may occur many times, so the rows cannot be shared out; columns can. */
struct backward_job {
    float *dw;
    const float *dy;
    const int32_t *row;
    size_t N, C;
    float scale;
};

static void scatter_columns(void *ctx, size_t from, size_t to)
{
    const struct backward_job *j = ctx;

    for (size_t n = 0; n < j->N; n++) {
        float *dw = j->dw + (size_t)j->row[n] * j->C;
        const float *dy = j->dy + n * j->C;

        for (size_t c = from; c < to; c++)
            dw[c] += j->scale * dy[c];
    }
}

void embed_backward(struct kern *k, float *dwte, float *dwpe, const float *dy,
                    const int32_t *ids, const int32_t *pos, size_t N, size_t C,
                    float scale)
{
    struct backward_job token = {dwte, dy, ids, N, C, scale},
                        place = {dwpe, dy, pos, N, C, 1};

    kern_columns(k, C, N, scatter_columns, &token);
    if (pos)
        kern_columns(k, C, N, scatter_columns, &place);
}
