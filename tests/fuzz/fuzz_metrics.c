/* Two texts of any bytes, and an answer's number.  The laws: scores lie in 0..1, a text is
 * like itself, precision and recall change places with the texts, a number in one form
 * stays as it is. */
#include "fuzz.h"
#include "metrics/answer.h"
#include "metrics/bleu.h"
#include "metrics/rouge.h"

static void in_unit(double x)
{
    fuzz_law(x >= 0 && x <= 1 + 1e-12);
}

static void law_of_rouge(const struct rouge *ab, const struct rouge *ba)
{
    in_unit(ab->precision);
    in_unit(ab->recall);
    in_unit(ab->f);
    fuzz_law(ab->precision == ba->recall && ab->recall == ba->precision);
}

static void compare(struct tokens t[2])
{
    struct rouge_work w = {0};
    struct bleu_work bw = {0};
    struct rouge ab, ba, same;
    struct err e = {0};
    double bleu;

    for (size_t n = 1; n <= 3; n++) {
        fuzz_law(rouge_n(&ab, &w, &t[0], &t[1], n, &e) == 0 &&
                 rouge_n(&ba, &w, &t[1], &t[0], n, &e) == 0);
        law_of_rouge(&ab, &ba);
    }
    fuzz_law(rouge_l(&ab, &w, &t[0], &t[1], &e) == 0 &&
             rouge_l(&ba, &w, &t[1], &t[0], &e) == 0);
    law_of_rouge(&ab, &ba);
    fuzz_law(rouge_lsum(&ab, &w, &t[0], &t[1], &e) == 0);
    in_unit(ab.f);
    fuzz_law(rouge_lsum(&same, &w, &t[0], &t[0], &e) == 0 &&
             same.f == (t[0].n ? 1 : 0));
    fuzz_law(bleu_self(&bleu, &bw, t, 2, 4, &e) == 0);
    in_unit(bleu);
    rouge_release(&w);
    bleu_release(&bw);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t n[2];
    const unsigned char *text[2];
    struct strtab tab = {0};
    struct tokens t[2] = {0};
    struct err e = {0};
    char number[ANSWER_NUMBER], again[ANSWER_NUMBER];

    if (size > 4096)
        return 0;
    text[0] = fuzz_part(&data, &size, &n[0]);
    text[1] = data;
    n[1] = size;
    for (int how = TOKENS_SPACES; how <= TOKENS_ANSWER; how++) {
        for (size_t i = 0; i < 2; i++)
            fuzz_law(tokens_cut(&t[i], &tab, (enum tokens_how)how,
                                (const char *)text[i], n[i], &e) == 0);
        compare(t);
    }
    if (answer_number(number, (const char *)text[0], n[0]))
        fuzz_law(answer_number(again, number, strlen(number)) &&
                 strcmp(again, number) == 0);
    (void)answer_steps((const char *)text[0], n[0]);
    tokens_release(&t[0]);
    tokens_release(&t[1]);
    strtab_release(&tab);
    return 0;
}
