/* Groups in memory, and how they are cut into micro-batches. */
#include "base/rng.h"
#include "train/micro.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct err e;

static size_t draw(uint64_t seed, uint64_t a, uint32_t b, size_t n)
{
    return (size_t)((double)n * rng_uniform(seed, a, b, 0));
}

static void fill(struct train_data *d, size_t groups, uint64_t seed)
{
    int32_t ids[64];

    for (size_t g = 0; g < groups; g++) {
        const size_t P = 1 + draw(seed, g, 0, 20), n = draw(seed, g, 1, 7);
        for (size_t j = 0; j < 64; j++)
            ids[j] = (int32_t)(1000 * g + j);
        cr_assert_geq(train_data_group(d, ids, P, &e), 0);
        for (size_t c = 0; c < n; c++) {
            const double comp[2] = {(double)g, (double)c};
            const struct train_new nc = {.T = 1 + draw(seed, g, (uint32_t)(2 + c), 15),
                                         .ids = ids,
                                         .reward = (double)(g + c),
                                         .temperature = 1,
                                         .component = comp};
            cr_assert_geq(train_data_cand(d, &nc, &e), 0);
        }
    }
}

/* Every token of every candidate is in exactly one micro-batch, within the budget, and
 * predicted by the row that ends in the token before it. */
static void check_walk(const struct arch *arch, size_t max_rows, enum micro_kind kind,
                       size_t together, uint64_t seed)
{
    const struct micro_form form = {arch, kind, together};
    struct train_data d = {.ncomponents = 2};
    struct micro m = {0};
    size_t order[12], seen[2000] = {0}, items = 0;
    int rc;

    fill(&d, 12, seed);
    rng_shuffle(order, 12, seed, 1);
    cr_assert_geq(micro_reserve(&m, &d, &e), 0);
    const size_t longest = micro_longest(&d, &form);
    const size_t rows = max_rows > longest ? max_rows : longest;
    struct micro_walk w = {order, 12, 0, 0};
    while ((rc = micro_next(&m, &w, &d, rows, &form, &e)) > 0) {
        cr_expect_leq(batch_rows(&m.batch), rows);
        for (size_t i = 0; i < m.n; i++) {
            const size_t row = m.item[i].row;
            cr_assert_lt(row, m.batch.B);
            cr_expect_eq(seen[m.token[i]]++, 0);
            if (kind == MICRO_LAST)
                cr_expect_eq(m.batch.ids[row], m.item[i].target, "its own row");
        }
        items += m.n;
        for (size_t p = 0; p < m.npieces; p++)
            cr_expect(m.piece[p].n % together == 0 ||
                      d.group[d.cand[m.piece[p].c0].group].n % together);
    }
    cr_expect_eq(rc, 0);
    cr_expect_eq(items, kind == MICRO_LAST ? d.ncands : train_data_tokens(&d));
    micro_release(&m);
    train_data_release(&d);
}

Test(micro, every_token_once)
{
    static const struct arch plain, behind = {.encoder = {.L = 1}, .starts = 2};
    const struct arch *arch[] = {&plain, &behind};

    for (uint64_t seed = 1; seed < 20; seed++)
        for (size_t rows = 1; rows < 300; rows = rows * 2 + 1)
            for (size_t i = 0; i < 2; i++) {
                check_walk(arch[i], rows, MICRO_TOKENS, 1, seed);
                check_walk(arch[i], rows, MICRO_TOKENS, 2, seed);
                check_walk(arch[i], rows, MICRO_LAST, 1, seed);
            }
}

Test(data, copies_are_whole)
{
    struct train_data a = {.ncomponents = 2}, b = {.ncomponents = 2};

    fill(&a, 30, 5);
    for (size_t g = 30; g-- > 0;)
        cr_assert_geq(train_data_copy(&b, &a, g, &e), 0);
    cr_expect_eq(b.ncands, a.ncands);
    cr_expect_eq(train_data_tokens(&b), train_data_tokens(&a));
    for (size_t g = 0; g < 30; g++) {
        const struct train_group *x = &a.group[g], *y = &b.group[29 - g];
        cr_assert_eq(x->P, y->P);
        cr_assert_eq(x->n, y->n);
        cr_expect_eq(memcmp(a.ids + x->ids0, b.ids + y->ids0, x->P * 4), 0);
        for (size_t c = 0; c < x->n; c++) {
            const struct train_cand *p = &a.cand[x->cand0 + c],
                                    *q = &b.cand[y->cand0 + c];
            cr_expect(p->T == q->T && p->reward == q->reward);
            cr_expect(b.component[b.cap_component + y->cand0 + c] == (double)c);
        }
    }
    train_data_clear(&b);
    cr_expect_eq(train_data_tokens(&b), 0);
    train_data_release(&a);
    train_data_release(&b);
}

/* Components that become known late: NaN for those who came before. */
Test(data, late_components)
{
    struct train_data d = {0};
    const int32_t id = 1;
    const double comp = 2;
    struct train_new n = {.T = 1, .ids = &id, .temperature = 1};

    cr_assert_geq(train_data_group(&d, &id, 1, &e), 0);
    cr_assert_geq(train_data_cand(&d, &n, &e), 0);
    d.ncomponents = 1;
    n.component = &comp;
    cr_assert_geq(train_data_cand(&d, &n, &e), 0);
    cr_expect(isnan(d.component[0]) && d.component[1] == 2);
    train_data_release(&d);
}
