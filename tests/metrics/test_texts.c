/* Final numbers, steps, tf-idf, consistency; and any bytes through every cut. */
#include "base/rng.h"
#include "metrics/answer.h"
#include "metrics/rouge.h"
#include "metrics/tfidf.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <string.h>

/* ---- GSM8K ----------------------------------------------------------------------------- */
static const struct {
    const char *text, *number; /* NULL: none */
} finals[] = {
    {"She has 3 + 4 = <<3+4=7>>7 apples.\n#### 7", "7"},
    {"#### 1,234", "1234"},
    {"#### -0.50 dollars, not 3", "-0.5"},
    {"first #### 3 then #### 4", "4"},
    {"The answer is $1,234.00.", "1234"},
    {"The answer is 18.", "18"},
    {"2-3", "3"},
    {"it fell to -3", "-3"},
    {"it cost -$3", "-3"},
    {"007", "7"},
    {"-0", "0"},
    {"0.250", "0.25"},
    {".5", "0.5"},
    {"10,20 and 1.2.3", "3"},
    {"1000", "1000"},
    {"no number", NULL},
    {"####", NULL},
    {"#### the answer: 7", "7"},
    {"7 before #### none", NULL},
    {"", NULL},
    {"0000000000000000000000000000000000000000000000000000000000000000000000000000005",
     "5"},
    {"9999999999999999999999999999999999999999999999999999999999999999999999999999999",
     NULL},
};

ParameterizedTestParameters(answer, final_number)
{
    static size_t index[sizeof finals / sizeof *finals];

    for (size_t i = 0; i < sizeof index / sizeof *index; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, sizeof index / sizeof *index);
}

ParameterizedTest(const size_t *i, answer, final_number)
{
    const char *text = finals[*i].text, *want = finals[*i].number;
    char got[ANSWER_NUMBER] = "";
    const int found = answer_number(got, text, strlen(text));

    cr_expect_eq(found, want != NULL, "'%s': %s", text, got);
    if (found && want)
        cr_expect_str_eq(got, want, "'%s'", text);
}

Test(answer, steps)
{
    static const struct {
        const char *text;
        size_t steps;
    } row[] = {
        {"", 0},
        {"One.\nTwo.\n\n---\n#### 2", 2},
        {"He has 3. She has 2! So 5?", 3},
        {"It is 3.5 metres. Yes", 2},
        {"one line", 1},
        {"#### 2", 0},
        {"\xc3\xa9", 1},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        cr_expect_eq(answer_steps(row[i].text, strlen(row[i].text)), row[i].steps, "%s",
                     row[i].text);
}

/* ---- tf-idf ---------------------------------------------------------------------------- */
static double cosine(const char *a, const char *b, const struct df *df)
{
    struct strtab tab = {0};
    struct words w = {0};
    struct tfidf v[2] = {0};
    struct err e = {0};
    const char *text[] = {a, b};

    for (size_t i = 0; i < 2; i++) {
        words_clear(&w);
        cr_assert_eq(words_add(&w, text[i], 0, strlen(text[i]), &e), 0);
        cr_assert_eq(tfidf_of(&v[i], &tab, &w, df, &e), 0, "%s", e.text);
    }
    const double c = tfidf_cosine(&v[0], &v[1]);
    for (size_t i = 0; i < 2; i++)
        tfidf_release(&v[i]);
    words_release(&w);
    strtab_release(&tab);
    return c;
}

Test(tfidf, by_hand)
{
    struct df *df;
    struct err e = {0};

    cr_assert_eq(df_new(&df, &e), 0);
    df_set_docs(df, 9);
    cr_assert_eq(df_set(df, "cat", 3, 1, &e), 0);
    cr_assert_eq(df_set(df, "dog", 3, 9, &e), 0);
    const double cat = log(10.0 / 2) + 1, dog = 1;
    cr_expect_float_eq(cosine("the cat and the Dog", "DOG!", df),
                       dog / sqrt(cat * cat + dog * dog), 1e-6);
    cr_expect_float_eq(cosine("cat cat dog", "cat", df),
                       2 * cat / sqrt(4 * cat * cat + dog * dog), 1e-6);
    cr_expect_float_eq(cosine("cat dog bird", "bird dog cat", NULL), 1, 1e-6);
    cr_expect_eq(cosine("cat", "bird", df), 0);
    cr_expect_eq(cosine("the", "the", df), 0); /* no content at all */
    df_free(df);
}

/* ---- consistency ----------------------------------------------------------------------- */
/* Places of a longest common subsequence, in both texts. */
Test(rouge, marks)
{
    static const int32_t a[7] = {1, 2, 3, 2, 4, 1, 2}, b[6] = {2, 4, 3, 1, 2, 1};
    unsigned char in_a[7] = {0}, in_b[6] = {0};
    int32_t of_a[7], of_b[6];
    struct rouge_work w = {0};
    struct err e;
    size_t m = 0, n = 0;

    cr_assert_eq(rouge_mark(in_a, in_b, &w, a, 7, b, 6, &e), 0);
    for (size_t i = 0; i < 7; i++)
        if (in_a[i])
            of_a[m++] = a[i];
    for (size_t j = 0; j < 6; j++)
        if (in_b[j])
            of_b[n++] = b[j];
    cr_assert_eq(m, 4, "CLRS, figure 15.8: the longest has four");
    cr_assert_eq(n, 4);
    cr_expect_arr_eq(of_a, of_b, sizeof of_a[0] * 4);
    memset(in_a, 0, sizeof in_a);
    cr_assert_eq(rouge_mark(in_a, NULL, &w, a, 7, b, 0, &e), 0);
    for (size_t i = 0; i < 7; i++)
        cr_expect_eq(in_a[i], 0);
    rouge_release(&w);
}

Test(rouge, consistency)
{
    struct strtab tab = {0};
    struct tokens t[3] = {0};
    struct rouge_work w = {0};
    struct err e = {0};
    const char *text[] = {"a b c d", "a b x y", "q"};
    double x;

    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(
            tokens_cut(&t[i], &tab, TOKENS_ROUGE, text[i], strlen(text[i]), &e), 0);
    cr_assert_eq(rouge_consistency(&x, &w, t, 3, &e), 0);
    cr_expect_float_eq(x, 0.5 / 3, 1e-15);
    cr_assert_eq(rouge_consistency(&x, &w, t, 2, &e), 0);
    cr_expect_float_eq(x, 0.5, 1e-15);
    for (size_t i = 0; i < 3; i++)
        tokens_release(&t[i]);
    rouge_release(&w);
    strtab_release(&tab);
}

/* ---- any bytes ------------------------------------------------------------------------- */

/* Cuts neither fail nor lose count of lines, whatever the bytes; and of words without
 * letters to change, cutting what was cut gives the same. */
Test(tokens, any_bytes)
{
    static const char piece[][4] = {"a",    "the", " ",        "\n",       "\xff",
                                    "\xc3", "Z9",  "\xc4\xb0", "\xe2\x80", "-"};
    struct strtab tab = {0};
    struct tokens t = {0};
    struct err e = {0};

    for (uint32_t k = 0; k < 2000; k++) {
        char text[64] = "";

        for (uint32_t i = 0; i < k % 15; i++)
            strcat(text, piece[(size_t)(rng_uniform(5, k, 0, i) * 10)]);
        for (int how = TOKENS_SPACES; how <= TOKENS_ANSWER; how++) {
            cr_assert_eq(
                tokens_cut(&t, &tab, (enum tokens_how)how, text, strlen(text), &e), 0);
            cr_assert(t.lines > 0 && t.line[t.lines - 1] == t.n);
            for (size_t i = 0; i < t.n; i++)
                cr_assert_lt((size_t)t.id[i], tab.n);
        }
    }
    tokens_release(&t);
    strtab_release(&tab);
}
