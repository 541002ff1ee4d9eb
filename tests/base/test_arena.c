#include "base/arena.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

struct parts {
    float *a;
    char *b;
    double *c;
};

static struct parts walk(struct arena *a)
{
    struct parts p;

    p.a = arena_take(a, 1000, sizeof *p.a);
    p.b = arena_take(a, 1, 1);
    p.c = arena_take(a, 33, sizeof *p.c);
    return p;
}

Test(arena, measured_then_carved)
{
    struct arena a = {0};
    struct err e = {0};
    struct parts p = walk(&a);

    cr_expect(!p.a && !p.b && !p.c);
    const size_t size = a.used;
    cr_assert_eq(arena_alloc(&a, "test", &e), 0);
    cr_expect(a.size == size && a.used == 0);
    p = walk(&a);
    cr_expect_eq(a.used, size);
    cr_expect((uintptr_t)p.a % ARENA_ALIGN == 0 && (uintptr_t)p.b % ARENA_ALIGN == 0 &&
              (uintptr_t)p.c % ARENA_ALIGN == 0);
    cr_expect((char *)(p.a + 1000) <= p.b && p.b < (char *)p.c);
    for (size_t i = 0; i < a.size; i++)
        cr_assert_eq(a.base[i], 0);
    memset(a.base, 1, a.size); /* all of it is ours */
    arena_release(&a);
    cr_expect(!a.base && a.used == 0 && a.size == 0);
    arena_release(&a);
}

Test(arena, nothing_is_fine)
{
    struct arena a = {0};
    struct err e = {0};

    cr_expect_null(arena_take(&a, 0, 8));
    cr_assert_eq(arena_alloc(&a, "test", &e), 0);
    arena_take(&a, 0, 8);
    arena_release(&a);
}

Test(arena, too_much_is_an_error)
{
    struct arena a = {0};
    struct err e = {0};

    arena_take(&a, SIZE_MAX / 4, 1);
    cr_expect_eq(arena_alloc(&a, "the model", &e), ERR_NOMEM);
    cr_expect_not_null(strstr(e.text, "the model: no memory for"), "%s", e.text);
}

Test(arena, overflow_aborts, .signal = SIGABRT)
{
    struct arena a = {0};

    arena_take(&a, SIZE_MAX / 2, 3);
}

Test(arena, carving_beyond_what_was_measured_aborts, .signal = SIGABRT)
{
    struct arena a = {0};
    struct err e = {0};

    arena_take(&a, 100, 1);
    if (arena_alloc(&a, "test", &e) < 0)
        return;
    arena_take(&a, 200, 1);
}
