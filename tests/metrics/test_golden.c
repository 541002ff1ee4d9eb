/*
 * Every case of golden/metrics through metrics/: rouge_score, nltk, scipy, to 1e-9; the
 * stemmer word by word.  CAGSR_GOLDEN names another golden directory.
 */
#include "../support/files.h"
#include "../support/golden.h"
#include "../support/values.h"
#include "metrics/answer.h"
#include "metrics/bleu.h"
#include "metrics/rank.h"
#include "metrics/rouge.h"
#include "metrics/stem.h"
#include "reward/ngram.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { TEXTS = 16, NUMBERS = 64 };

static const json_t *member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    cr_assert_not_null(v, "no '%s'", key);
    return v;
}

static void close_to(size_t line, const char *what, double got, const json_t *want)
{
    const double x = json_number_value(want);

    cr_expect(fabs(got - x) <= 1e-9, "line %zu: %s is %.17g, not %.17g", line, what,
              got, x);
}

static void ok(int rc, const struct err *e)
{
    cr_assert(rc >= 0, "%s", e->text);
}

/* ---- checks of one line each ----------------------------------------------------------- */
static void check_rouge_way(const json_t *v, size_t line, const char *key,
                            enum tokens_how how)
{
    static const char *const name[] = {"rouge1", "rouge2", "rougeL", "rougeLsum"};
    const json_t *t = member(v, "target"), *p = member(v, "prediction");
    struct strtab tab = {0};
    struct tokens target = {0}, prediction = {0};
    struct rouge_work w = {0};
    struct rouge got[4];
    struct err e = {0};

    ok(tokens_cut(&target, &tab, how, json_string_value(t), json_string_length(t), &e),
       &e);
    ok(tokens_cut(&prediction, &tab, how, json_string_value(p), json_string_length(p),
                  &e),
       &e);
    ok(rouge_n(&got[0], &w, &target, &prediction, 1, &e), &e);
    ok(rouge_n(&got[1], &w, &target, &prediction, 2, &e), &e);
    ok(rouge_l(&got[2], &w, &target, &prediction, &e), &e);
    ok(rouge_lsum(&got[3], &w, &target, &prediction, &e), &e);
    for (size_t i = 0; i < 4; i++) {
        const json_t *want = member(member(v, key), name[i]);

        close_to(line, name[i], got[i].precision, json_array_get(want, 0));
        close_to(line, name[i], got[i].recall, json_array_get(want, 1));
        close_to(line, name[i], got[i].f, json_array_get(want, 2));
    }
    rouge_release(&w);
    tokens_release(&target);
    tokens_release(&prediction);
    strtab_release(&tab);
}

static void check_rouge(const json_t *v, size_t line)
{
    check_rouge_way(v, line, "plain", TOKENS_ROUGE);
    check_rouge_way(v, line, "stem", TOKENS_STEMS);
}

/* Lists of words, joined by blanks and cut again. */
static size_t read_texts(struct tokens *t, struct strtab *tab, const json_t *v)
{
    const size_t n = json_array_size(member(v, "texts"));
    struct err e = {0};

    cr_assert_leq(n, TEXTS);
    for (size_t i = 0; i < n; i++) {
        const json_t *words = json_array_get(member(v, "texts"), i);
        char text[4096] = "";

        for (size_t k = 0; k < json_array_size(words); k++) {
            const char *word = json_string_value(json_array_get(words, k));

            cr_assert_lt(strlen(text) + strlen(word) + 2, sizeof text);
            strcat(strcat(text, word), k % 2 ? "\t" : " ");
        }
        ok(tokens_cut(&t[i], tab, TOKENS_SPACES, text, strlen(text), &e), &e);
        cr_assert_eq(t[i].n, json_array_size(words));
    }
    return n;
}

static void check_repetition(const json_t *want, size_t line, const struct tokens *t)
{
    struct ngram_table table = {0};
    double diversity = 1;
    struct err e = {0};

    for (size_t n = 2; n <= 4; n++) {
        struct ngram_count c;

        ok(ngram_count(&c, &table, t->id, t->n, n, &e), &e);
        close_to(line, "rep", ngram_repetition(c),
                 json_array_get(member(want, "rep"), n - 2));
        diversity *= 1 - ngram_repetition(c);
    }
    close_to(line, "diversity", diversity, member(want, "diversity"));
    ngram_table_release(&table);
}

static void check_distinct(const json_t *v, size_t line)
{
    struct strtab tab = {0};
    struct tokens t[TEXTS] = {0};
    struct grams g = {0};
    struct err e = {0};
    const size_t texts = read_texts(t, &tab, v);

    for (size_t n = 1; n <= 4; n++) {
        const char key[] = {(char)('0' + n), 0};

        ok(grams_of(&g, t, texts, n, &e), &e);
        close_to(line, "distinct", (double)grams_distinct(&g) / (double)g.count,
                 member(member(v, "distinct"), key));
    }
    for (size_t i = 0; i < texts; i++)
        check_repetition(json_array_get(member(v, "repetition_2_3_4"), i), line, &t[i]);
    for (size_t i = 0; i < texts; i++)
        tokens_release(&t[i]);
    grams_release(&g);
    strtab_release(&tab);
}

static void check_bleu(const json_t *v, size_t line)
{
    struct strtab tab = {0};
    struct tokens t[TEXTS] = {0};
    struct bleu_work w = {0};
    struct err e = {0};
    const size_t texts = read_texts(t, &tab, v);

    for (size_t N = 2; N <= 4; N++) {
        const char key[] = {(char)('0' + N), 0};
        const json_t *want = member(member(v, "bleu"), key);
        double x;

        for (size_t i = 0; i < texts; i++) {
            ok(bleu_against_others(&x, &w, t, texts, i, N, &e), &e);
            close_to(line, "bleu", x, json_array_get(member(want, "each"), i));
        }
        ok(bleu_self(&x, &w, t, texts, N, &e), &e);
        close_to(line, "self-bleu", x, member(want, "mean"));
    }
    for (size_t i = 0; i < texts; i++)
        tokens_release(&t[i]);
    bleu_release(&w);
    strtab_release(&tab);
}

static void check_porter(const json_t *v, size_t line)
{
    const json_t *pairs = member(v, "pairs");

    cr_assert_gt(json_array_size(pairs), 1000);
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *want = json_string_value(json_array_get(pair, 1));
        char word[64];

        snprintf(word, sizeof word, "%s", json_string_value(json_array_get(pair, 0)));
        const size_t n = stem_porter(word, strlen(word));
        cr_expect(n == strlen(want) && memcmp(word, want, n) == 0,
                  "line %zu: %s becomes %.*s, not %s", line,
                  json_string_value(json_array_get(pair, 0)), (int)n, word, want);
    }
}

static void check_squad(const json_t *v, size_t line)
{
    const json_t *text[] = {member(v, "gold"), member(v, "given")};
    struct strtab tab = {0};
    struct tokens t[2] = {0};
    struct grams a = {0}, b = {0};
    struct err e = {0};
    double f1;

    for (size_t i = 0; i < 2; i++)
        ok(tokens_cut(&t[i], &tab, TOKENS_ANSWER, json_string_value(text[i]),
                      json_string_length(text[i]), &e),
           &e);
    close_to(line, "exact", answer_exact(&t[0], &t[1]), member(v, "exact"));
    ok(answer_f1(&f1, &a, &b, &t[0], &t[1], &e), &e);
    close_to(line, "f1", f1, member(v, "f1"));
    for (size_t i = 0; i < 2; i++)
        tokens_release(&t[i]);
    grams_release(&a);
    grams_release(&b);
    strtab_release(&tab);
}

static size_t numbers(double *out, const json_t *list)
{
    const size_t n = json_array_size(list);

    cr_assert_leq(n, NUMBERS);
    for (size_t i = 0; i < n; i++)
        out[i] = json_number_value(json_array_get(list, i));
    return n;
}

static void check_order(const json_t *v, size_t line)
{
    double x[NUMBERS], y[NUMBERS], rank[NUMBERS], work[4 * NUMBERS];
    size_t order[NUMBERS];
    const size_t n = numbers(x, member(v, "x"));

    numbers(y, member(v, "y"));
    rank_average(rank, x, n, order);
    for (size_t i = 0; i < n; i++)
        close_to(line, "rank", rank[i], json_array_get(member(v, "ranks"), i));
    const double rho = rank_spearman(x, y, n, work, order);
    if (json_is_null(member(v, "spearman")))
        cr_expect(isnan(rho), "line %zu: %g", line, rho);
    else
        close_to(line, "spearman", rho, member(v, "spearman"));
    close_to(line, "auroc", rank_auroc(x, n, y, n), member(v, "auroc"));
}

/* ---- the files ------------------------------------------------------------------------- */
static const struct {
    const char *kind;
    void (*check)(const json_t *v, size_t line);
} kinds[] = {
    {"rouge", check_rouge},   {"distinct", check_distinct}, {"self_bleu", check_bleu},
    {"porter", check_porter}, {"squad", check_squad},       {"order", check_order},
};

static void check_line(const json_t *v, size_t line, void *count)
{
    const char *kind = json_string_value(member(v, "kind"));

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0) {
            kinds[i].check(v, line);
            ++*(size_t *)count;
        }
}

Test(golden, from_elsewhere)
{
    size_t count = 0;

    each_line(golden_file("metrics/vectors.jsonl"), check_line, &count);
    cr_expect_geq(count, 100);
}

Test(golden, corners)
{
    size_t count = 0;

    each_line(golden_file("metrics/more.jsonl"), check_line, &count);
    cr_expect_geq(count, 500);
}
