/* A vocabulary against a list that is searched from its beginning. */
#include "tok/vocab.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS = 4000 };

/* The text of an id; every seventh is that of another one. */
static size_t text_of(char text[16], size_t id)
{
    return (size_t)snprintf(text, 16, "w%zu",
                            id % 7 ? id * 2654435761u % 99991 : id / 14);
}

static int32_t find_slowly(const char *text, size_t n)
{
    char other[16];

    for (size_t id = 0; id < TEXTS; id++)
        if (text_of(other, id) == n && memcmp(other, text, n) == 0)
            return (int32_t)id;
    return -1;
}

static void fill(struct vocab *v, size_t step)
{
    struct err e = {0};
    char text[16];

    for (size_t id = 0; id < TEXTS; id += step) {
        const size_t n = text_of(text, id);

        cr_assert_eq(vocab_add(v, id, text, n, "test", &e), 0, "%s", e.text);
        cr_assert_eq(vocab_add(v, id, text, n, "test", &e), 0, "%s", e.text);
    }
}

static void check(const struct vocab *v, int32_t likely_off)
{
    char text[16];

    for (size_t id = 0; id < TEXTS; id++) {
        const size_t n = text_of(text, id);
        size_t got;
        const int32_t want = find_slowly(text, n);

        cr_assert_eq(vocab_find(v, text, n), want, "%s", text);
        cr_assert_eq(vocab_find_near(v, text, n, (int32_t)id + likely_off), want, "%s",
                     text);
        cr_assert_eq(memcmp(vocab_text(v, (int32_t)id, &got), text, n), 0);
        cr_assert_eq(got, n);
    }
    cr_expect_eq(vocab_find(v, "never", 5), -1);
    cr_expect_eq(vocab_find_near(v, "never", 5, TEXTS), -1);
    cr_expect_eq(vocab_find_near(v, "never", 5, -1), -1);
}

/* However much memory was taken before: the first id of a text is found. */
Test(vocab, first_of_its_ids)
{
    static const size_t room[] = {0, 1, 100, TEXTS, 10 * TEXTS};

    for (size_t i = 0; i < sizeof room / sizeof *room; i++) {
        struct vocab v = {0};

        if (room[i])
            vocab_reserve(&v, room[i]);
        cr_expect_eq(vocab_find(&v, "w1", 2), -1);
        cr_expect_eq(vocab_find_near(&v, "w1", 2, 1), -1);
        fill(&v, 1);
        cr_expect_eq(v.size, (size_t)TEXTS);
        check(&v, 0);
        check(&v, 1);
        vocab_reserve(&v, 20 * TEXTS);
        check(&v, 0);
        vocab_release(&v);
    }
}

/* Without twins the likely one is taken, and an unlikely one is not. */
Test(vocab, likely_or_not)
{
    struct vocab v = {0};
    struct err e = {0};

    cr_assert_eq(vocab_add(&v, 0, "a", 1, "test", &e), 0);
    cr_assert_eq(vocab_add(&v, 2, "b", 1, "test", &e), 0);
    for (int32_t likely = -1; likely < 4; likely++) {
        cr_expect_eq(vocab_find_near(&v, "a", 1, likely), 0);
        cr_expect_eq(vocab_find_near(&v, "b", 1, likely), 2);
        cr_expect_eq(vocab_find_near(&v, "", 0, likely), -1);
    }
    cr_assert_eq(vocab_add(&v, 3, "a", 1, "test", &e), 0);
    cr_expect_eq(vocab_find_near(&v, "a", 1, 3), 0, "the first of two");
    vocab_release(&v);
}

Test(vocab, texts_alone)
{
    struct vocab v = {0};
    struct err e = {0};
    size_t n;

    cr_assert_eq(vocab_add_text(&v, 1, "a", 1, "test", &e), 0);
    cr_assert_eq(vocab_add_text(&v, 0, "a", 1, "test", &e), 0);
    cr_expect_eq(vocab_find(&v, "a", 1), -1);
    cr_expect_eq(vocab_find_near(&v, "a", 1, 1), -1);
    cr_expect_str_eq(vocab_text(&v, 1, &n), "a");
    cr_expect_eq(vocab_add_text(&v, 1, "b", 1, "test", &e), ERR_FILE);
    cr_expect(strstr(e.text, "both 'a' and 'b'"), "%s", e.text);
    vocab_release(&v);
}
