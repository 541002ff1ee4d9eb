#include "stepping.h"

#include "machine.h"

#include <stdlib.h>

struct attn_store store_kept(const struct attn_shape *s, size_t n, enum attn_keep keep)
{
    return (struct attn_store){zeros(attn_store_k(s, n, keep)),
                               zeros(attn_store_v(s, n, keep)), attn_store_cap(n),
                               keep};
}

void stepping_new(struct stepping *f, struct kern *k, struct attn_shape s, size_t P,
                  enum attn_keep keep)
{
    const size_t G = s.G, D = s.D;

    *f = (struct stepping){.s = s, .P = P, .own = 40, .ld = s.H * D};
    f->q = normals(STEPPING * f->ld, 1);
    f->kv = normals((PROMPTS * P + STEPPING * f->own) * 2 * G * D, 2);
    f->out = zeros(STEPPING * f->ld);
    f->lse = zeros(STEPPING * s.H);
    f->scratch = floats(attn_scratch(k, &s, P + f->own));
    const float *kv = f->kv;
    for (size_t i = 0; i < PROMPTS; i++, kv += 2 * P * G * D) {
        f->prompt[i] = store_kept(&s, P, keep);
        attn_store_put(&s, &f->prompt[i], 0, kv, kv + G * D, 2 * G * D, P);
    }
    for (size_t i = 0; i < STEPPING; i++, kv += 2 * f->own * G * D) {
        const size_t stand = i * 7 % f->own; /* each somewhere else */

        f->store[i] = store_kept(&s, f->own, keep);
        attn_store_put(&s, &f->store[i], 0, kv, kv + G * D, 2 * G * D, stand + 1);
        f->run[i] = (struct attn_run){.q = f->q + i * f->ld,
                                      .out = f->out + i * f->ld,
                                      .lse = f->lse + i * s.H,
                                      .n = 1,
                                      .at = P + stand,
                                      .prefix = f->prompt[i / CANDIDATES],
                                      .pre = P,
                                      .own = f->store[i]};
    }
}

void stepping_free(struct stepping *f)
{
    for (size_t i = 0; i < PROMPTS; i++) {
        free(f->prompt[i].k);
        free(f->prompt[i].v);
    }
    for (size_t i = 0; i < STEPPING; i++) {
        free(f->store[i].k);
        free(f->store[i].v);
    }
    free(f->q);
    free(f->kv);
    free(f->out);
    free(f->lse);
    free(f->scratch);
}
