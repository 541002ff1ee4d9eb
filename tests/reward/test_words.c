#include "reward/words.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

/* The words of a text as "word/sentence/flags ...", folded. */
static const char *show(char *out, size_t n, const char *text, size_t begin, size_t end)
{
    struct words w = {0};
    struct err e = {0};
    size_t at = 0;

    out[0] = 0;
    cr_assert_eq(words_add(&w, text, begin, end, &e), 0);
    for (size_t i = 0; i < w.n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s%s/%zu/%u", i ? " " : "",
                               strtab_text(&w.types, w.word[i].type),
                               w.word[i].sentence, w.word[i].flags);
    words_release(&w);
    return out;
}

static const struct {
    const char *text, *want;
} cases[] = {
    {"", ""},
    {" .!? \n", ""},
    {"The cat sat. A dog ran!", "the/0/0 cat/0/0 sat/0/0 a/1/0 dog/1/0 ran/1/0"},
    {"ann red cup . bob", "ann/0/0 red/0/0 cup/0/0 bob/1/0"},
    {"Don't stop, it\xe2\x80\x99s Newton's", "don't/0/0 stop/0/0 it/0/0 newton/0/2"},
    {"pi is 3.14, or 1,000.", "pi/0/0 is/0/0 3.14/0/1 or/0/0 1,000/0/1"},
    {"one\ntwo\n\nthree", "one/0/0 two/1/0 three/2/0"},
    {"well-known a_b _", "well/0/0 known/0/0 a_b/0/0"},
    {"In May we met Bob", "in/0/0 may/0/2 we/0/0 met/0/0 bob/0/2"},
    {"say \"hello world\" now", "say/0/0 hello/0/4 world/0/4 now/0/0"},
    {"an \"open mark", "an/0/0 open/0/0 mark/0/0"},
    {"He said \"Go.\" Then left", "he/0/0 said/0/0 go/0/6 then/1/0 left/1/0"},
    {"\xc3\x89"
     "cole \xc3\x9c"
     "BER",
     "\xc3\xa9"
     "cole/0/0 \xc3\xbc"
     "ber/0/2"},
    {"cafe\xcc\x81", "caf\xc3\xa9/0/0"}, /* composed */
    {"\xe7\x8c\xab\xe7\x8a\xac",
     "\xe7\x8c\xab/0/0 \xe7\x8a\xac/0/0"}, /* two ideographs */
    {"\xd0\x9c\xd0\xb8\xd1\x80 \xd0\xb8", "\xd0\xbc\xd0\xb8\xd1\x80/0/0 \xd0\xb8/0/0"},
    {"v2 of B12", "v2/0/1 of/0/0 b12/0/3"},
    {"bad \xff\xfe bytes \xc3", "bad/0/0 bytes/0/0"},
    {"e.g. this", "e.g/0/0 this/1/0"},
    {"wait... what", "wait/0/0 what/1/0"},
};

Test(words, table)
{
    char got[512];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_str_eq(show(got, sizeof got, cases[i].text, 0, strlen(cases[i].text)),
                         cases[i].want, "'%s' gives '%s'", cases[i].text, got);
}

static size_t count(const char *text)
{
    struct words w = {0};
    struct err e = {0};

    cr_assert_eq(words_add(&w, text, 0, strlen(text), &e), 0);
    const size_t n = w.n;
    words_release(&w);
    return n;
}

/* Characters below 128 are told apart without utf8proc: as it would. */
Test(words, ascii)
{
    for (int c = 1; c < 128; c++) {
        const char alone[] = {(char)c, 0}, inside[] = {'a', (char)c, 'b', 0};
        const utf8proc_category_t k = utf8proc_category(c);
        const int letter = k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
        const size_t word = letter || k == UTF8PROC_CATEGORY_ND;
        const int joins = k == UTF8PROC_CATEGORY_PC || c == '\'' || c == '.';

        cr_expect_eq(count(alone), word, "'%c'", c);
        cr_expect_eq(count(inside), word || joins ? 1 : 2, "'%c'", c);
    }
}

/* Short words of ASCII are folded without utf8proc, too. */
Test(words, any_length)
{
    char text[100] = "", want[100] = "", got[512];

    for (size_t n = 1; n < sizeof text - 1; n++) {
        text[n - 1] = "aZ_7"[n % 4];
        want[n - 1] = "az_7"[n % 4];
        struct words w = {0};
        struct err e = {0};

        cr_assert_eq(words_add(&w, text, 0, n, &e), 0);
        cr_assert_eq(w.n, 1);
        cr_expect_str_eq(strtab_text(&w.types, 0), want);
        words_release(&w);
    }
    cr_expect_str_eq(show(got, sizeof got, "Z\xc3\x9c", 0, 3), "z\xc3\xbc/0/0");
}

/* Any cut of a text, in the middle of characters too, is taken without a fault. */
Test(words, any_range)
{
    const char *text = "Ünï \xe7\x8c\xab \"x\xcc\x81\" 3.1\xff. A";
    char got[512];

    for (size_t b = 0; b <= strlen(text); b++)
        for (size_t n = b; n <= strlen(text); n++)
            show(got, sizeof got, text, b, n);
}

Test(words, one_type_per_form)
{
    struct words w = {0};
    struct err e = {0};
    const char *text = "Cat, cat's CAT cats";

    cr_assert_eq(words_add(&w, text, 0, strlen(text), &e), 0);
    cr_expect_eq(w.n, 4);
    cr_expect_eq(w.types.n, 2);
    words_clear(&w);
    cr_assert_eq(words_add(&w, text, 0, 3, &e), 0);
    cr_expect_eq(w.types.n, 1);
    words_release(&w);
}

Test(words, stop_words)
{
    cr_expect(word_is_stop("a", 1));
    cr_expect(word_is_stop("the", 3));
    cr_expect(word_is_stop("yourselves", 10));
    cr_expect(word_is_stop("don't", 5));
    cr_expect_not(word_is_stop("th", 2));
    cr_expect_not(word_is_stop("thee", 4));
    cr_expect_not(word_is_stop("zebra", 5));
    cr_expect_not(word_is_stop("", 0));
}

Test(words, filler)
{
    const char *text = "a ., \n+\xe2\x82\xac\xe2\x80\x9d";

    cr_expect_not(text_is_filler(text, strlen(text), 0, 1));
    cr_expect(text_is_filler(text, strlen(text), 1, 6));
    cr_expect_not(text_is_filler(text, strlen(text), 6, 7)); /* + is a symbol */
    cr_expect_not(text_is_filler(text, strlen(text), 8, 9)); /* inside the euro sign */
    cr_expect(text_is_filler(text, strlen(text), 10, 13));   /* closing mark */
    cr_expect(text_is_filler(text, strlen(text), 11, 12));   /* inside it */
    cr_expect(text_is_filler(text, strlen(text), 3, 3));
}

Test(words, table_of_many)
{
    struct strtab t = {0};
    struct err e = {0};
    char s[32];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            const int n = snprintf(s, sizeof s, "word%d", i);

            cr_assert_eq(strtab_add(&t, s, (size_t)n, &e), i);
        }
    cr_expect_eq(t.n, 5000);
    cr_expect_eq(strtab_find(&t, "word4999", 8), 4999);
    cr_expect_eq(strtab_find(&t, "word5000", 8), (size_t)-1);
    cr_expect_str_eq(strtab_text(&t, 77), "word77");
    strtab_clear(&t);
    cr_expect_eq(strtab_find(&t, "word77", 6), (size_t)-1);
    strtab_release(&t);
}
