#include "base/par.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct count {
    size_t threads;
    atomic_int *times;
    atomic_int bad;
};

static void count_one(void *ctx, size_t i, size_t worker)
{
    struct count *c = ctx;

    atomic_fetch_add(&c->times[i], 1);
    if (worker >= c->threads)
        atomic_store(&c->bad, 1);
    if (i % 7 == 0)
        sched_yield();
}

TheoryDataPoints(par, each_once) = {
    DataPoints(size_t, 1, 2, 3, 8),
    DataPoints(size_t, 0, 1, 2, 3, 100, 5000),
};
Theory((size_t threads, size_t n), par, each_once)
{
    struct count c = {.threads = threads, .times = calloc(n + 1, sizeof *c.times)};
    struct par *p;
    struct err e = {0};

    cr_assert_eq(par_new(&p, threads, &e), 0);
    cr_expect_eq(par_threads(p), threads);
    for (int round = 1; round <= 20; round++) {
        par_for(p, n, count_one, &c);
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(c.times[i], round);
        if (round % 5 == 0)
            usleep(2000); /* let them fall asleep */
    }
    cr_expect_eq(c.bad, 0);
    cr_expect_eq(c.times[n], 0);
    par_free(p);
    free(c.times);
}

/* Many short loops, each seeing what the one before wrote: no loop may overlap the next
 * or be missed. */
struct relay {
    long sum[64];
};

static void add_own(void *ctx, size_t i, size_t worker)
{
    struct relay *r = ctx;

    (void)worker;
    r->sum[i] += (long)i;
}

Test(par, loops_do_not_overlap)
{
    struct relay r = {{0}};
    struct par *p;
    struct err e = {0};

    cr_assert_eq(par_new(&p, 4, &e), 0);
    for (int k = 0; k < 20000; k++)
        par_for(p, 1 + (size_t)k % 64, add_own, &r);
    for (long i = 0; i < 64; i++) {
        long rounds = 0;

        for (int k = 0; k < 20000; k++)
            rounds += k % 64 >= i;
        cr_expect_eq(r.sum[i], rounds * i);
    }
    par_free(p);
}

Test(par, no_pool_is_one_thread)
{
    struct relay r = {{0}};

    cr_expect_eq(par_threads(NULL), 1);
    par_for(NULL, 64, add_own, &r);
    for (long i = 0; i < 64; i++)
        cr_expect_eq(r.sum[i], i);
    par_free(NULL);
}

Test(par, zero_asks_for_the_processors)
{
    struct par *p;
    struct err e = {0};
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    cr_assert_eq(par_new(&p, 0, &e), 0);
    cr_expect_eq(par_threads(p), (size_t)CPU_COUNT(&set));
    par_free(p);
}

/* All of it and nothing behind it. */
Test(par, zero)
{
    static const size_t sizes[] = {0, 1, (1 << 18) - 1, 1 << 18, (1 << 20) + 3};
    struct par *p;
    struct err e = {0};

    cr_assert_eq(par_new(&p, 2, &e), 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s];
        float *x = malloc((n + 1) * sizeof *x);
        size_t wrong = 0;

        for (size_t i = 0; i <= n; i++)
            x[i] = 1;
        par_zero(p, x, n);
        for (size_t i = 0; i < n; i++)
            wrong += x[i] != 0;
        cr_expect(wrong == 0 && x[n] == 1, "%zu: %zu wrong", n, wrong);
        free(x);
    }
    par_free(p);
}
