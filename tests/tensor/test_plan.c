/*
 * Parameters that a checkpoint has in another order than memory.
 */
#include "tensor/plan.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { H = 3, D = 2, C = 5 };

/* Row r of q, k or v (0, 1, 2) of head h stands at h 3 D + part D + r in the file. */
Test(plan, heads_come_apart)
{
    struct plan p = {.head = D};
    float file[3 * H * D * C], memory[3 * H * D * C], back[3 * H * D * C];

    plan_add(&p, 3 * H * D, C, PLAN_BY_HEAD, "w", NULL);
    plan_add(&p, 1, 3 * H * D, PLAN_BY_HEAD | PLAN_VECTOR, "b", NULL);
    for (size_t i = 0; i < 3 * H * D * C; i++)
        file[i] = (float)i;
    for (size_t which = 0; which < 2; which++) {
        const struct plan_param *q = &p.param[which];
        const size_t wide = which ? 1 : C;

        cr_expect(plan_reordered(q));
        plan_import(&p, q, memory, file);
        for (size_t part = 0; part < 3; part++)
            for (size_t h = 0; h < H; h++)
                for (size_t r = 0; r < D; r++)
                    cr_expect_eq(memory[(part * H * D + h * D + r) * wide],
                                 file[(h * 3 * D + part * D + r) * wide]);
        plan_export(&p, q, back, memory);
        cr_expect_arr_eq(back, file, q->rows * q->cols * sizeof *file);
    }
    plan_release(&p);
}

Test(plan, transposed_and_plain)
{
    struct plan p = {0};
    const float file[6] = {0, 1, 2, 3, 4, 5}; /* (inputs 2, outputs 3) */
    float memory[6], back[6];

    plan_add(&p, 3, 2, PLAN_TRANSPOSED, "t", NULL);
    plan_add(&p, 3, 2, 0, "p", NULL);
    plan_import(&p, &p.param[0], memory, file);
    cr_expect_eq(memory[1], 3);
    cr_expect_eq(memory[2], 1);
    plan_export(&p, &p.param[0], back, memory);
    cr_expect_arr_eq(back, file, sizeof file);
    cr_expect_not(plan_reordered(&p.param[1]));
    plan_import(&p, &p.param[1], memory, file);
    cr_expect_arr_eq(memory, file, sizeof file);
    plan_export(&p, &p.param[1], back, memory);
    cr_expect_arr_eq(back, file, sizeof file);
    plan_release(&p);
}
