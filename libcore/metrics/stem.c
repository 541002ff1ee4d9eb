/*
 * Each step of the algorithm is a table: the first row whose suffix fits decides, whether
 * its condition holds or not.  Conditions speak of the stem, the word without the suffix;
 * its measure m is how often a vowel is followed by a consonant: [C](VC)^m[V].
 */
#include "metrics/stem.h"

#include <string.h>

struct word {
    char *s;
    size_t n;
};

/* ---- letters --------------------------------------------------------------------------- */
static int is_vowel_letter(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* A y is a vowel behind a consonant. */
static int is_consonant(const char *s, size_t i)
{
    int consonant = 1;

    if (is_vowel_letter(s[i]))
        return 0;
    if (s[i] != 'y')
        return 1;
    /* A run of y's alternates, from its first. */
    size_t from = i;
    while (from > 0 && s[from - 1] == 'y')
        from--;
    if (from > 0)
        consonant = is_vowel_letter(s[from - 1]);
    return (i - from) % 2 ? !consonant : consonant;
}

static size_t measure(const char *s, size_t n)
{
    size_t m = 0;

    for (size_t i = 1; i < n; i++)
        m += is_consonant(s, i) && !is_consonant(s, i - 1);
    return m;
}

static int has_vowel(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_consonant(s, i))
            return 1;
    return 0;
}

static int ends_double(const char *s, size_t n)
{
    return n >= 2 && s[n - 1] == s[n - 2] && is_consonant(s, n - 1);
}

/* Consonant, vowel, consonant other than w, x, y; or just vowel, consonant. */
static int ends_cvc(const char *s, size_t n)
{
    if (n == 2)
        return !is_consonant(s, 0) && is_consonant(s, 1);
    return n >= 3 && is_consonant(s, n - 3) && !is_consonant(s, n - 2) &&
           is_consonant(s, n - 1) && !strchr("wxy", s[n - 1]);
}

static int ends_with(const struct word *w, const char *suffix)
{
    const size_t k = strlen(suffix);

    return w->n >= k && memcmp(w->s + w->n - k, suffix, k) == 0;
}

/* The first k letters, and then `tail`, which is not longer than what was there. */
static void put(struct word *w, size_t k, const char *tail)
{
    const size_t n = strlen(tail);

    memcpy(w->s + k, tail, n);
    w->n = k + n;
}

/* ---- conditions of the stem (s, n) ----------------------------------------------------- */
static int always(const char *s, size_t n)
{
    (void)s;
    (void)n;
    return 1;
}

static int measure_positive(const char *s, size_t n)
{
    return measure(s, n) > 0;
}

static int measure_above_1(const char *s, size_t n)
{
    return measure(s, n) > 1;
}

static int ion_goes(const char *s, size_t n)
{
    return measure(s, n) > 1 && (s[n - 1] == 's' || s[n - 1] == 't');
}

/* -logi: the l belongs to the stem. */
static int logi_goes(const char *s, size_t n)
{
    return measure(s, n + 1) > 0;
}

static int y_goes(const char *s, size_t n)
{
    return n > 1 && is_consonant(s, n - 1);
}

static int is_short(const char *s, size_t n)
{
    return measure(s, n) == 1 && ends_cvc(s, n);
}

static int final_e_goes(const char *s, size_t n)
{
    const size_t m = measure(s, n);

    return m > 1 || (m == 1 && !ends_cvc(s, n));
}

/* -ll: the first l belongs to the stem. */
static int double_l_goes(const char *s, size_t n)
{
    return measure(s, n + 1) > 1;
}

/* ---- steps ----------------------------------------------------------------------------- */
struct rule {
    const char *suffix, *becomes;
    int (*if_stem)(const char *s, size_t n);
};

static const struct rule step_1a[] = {{"sses", "ss", always},
                                      {"ies", "i", always},
                                      {"ss", "ss", always},
                                      {"s", "", always},
                                      {0}};
static const struct rule step_1b[] = {
    {"at", "ate", always}, {"bl", "ble", always}, {"iz", "ize", always}, {0}};
static const struct rule step_1c[] = {{"y", "i", y_goes}, {0}};
static const struct rule step_2[] = {{"ational", "ate", measure_positive},
                                     {"tional", "tion", measure_positive},
                                     {"enci", "ence", measure_positive},
                                     {"anci", "ance", measure_positive},
                                     {"izer", "ize", measure_positive},
                                     {"bli", "ble", measure_positive},
                                     {"alli", "al", measure_positive},
                                     {"entli", "ent", measure_positive},
                                     {"eli", "e", measure_positive},
                                     {"ousli", "ous", measure_positive},
                                     {"ization", "ize", measure_positive},
                                     {"ation", "ate", measure_positive},
                                     {"ator", "ate", measure_positive},
                                     {"alism", "al", measure_positive},
                                     {"iveness", "ive", measure_positive},
                                     {"fulness", "ful", measure_positive},
                                     {"ousness", "ous", measure_positive},
                                     {"aliti", "al", measure_positive},
                                     {"iviti", "ive", measure_positive},
                                     {"biliti", "ble", measure_positive},
                                     {"fulli", "ful", measure_positive},
                                     {"logi", "log", logi_goes},
                                     {0}};
static const struct rule step_3[] = {
    {"icate", "ic", measure_positive}, {"ative", "", measure_positive},
    {"alize", "al", measure_positive}, {"iciti", "ic", measure_positive},
    {"ical", "ic", measure_positive},  {"ful", "", measure_positive},
    {"ness", "", measure_positive},    {0}};
static const struct rule step_4[] = {
    {"al", "", measure_above_1},    {"ance", "", measure_above_1},
    {"ence", "", measure_above_1},  {"er", "", measure_above_1},
    {"ic", "", measure_above_1},    {"able", "", measure_above_1},
    {"ible", "", measure_above_1},  {"ant", "", measure_above_1},
    {"ement", "", measure_above_1}, {"ment", "", measure_above_1},
    {"ent", "", measure_above_1},   {"ion", "", ion_goes},
    {"ou", "", measure_above_1},    {"ism", "", measure_above_1},
    {"ate", "", measure_above_1},   {"iti", "", measure_above_1},
    {"ous", "", measure_above_1},   {"ive", "", measure_above_1},
    {"ize", "", measure_above_1},   {0}};
static const struct rule step_5a[] = {{"e", "", final_e_goes}, {0}};
static const struct rule step_5b[] = {{"ll", "l", double_l_goes}, {0}};

/* 1 if a suffix fitted, whether it was replaced or not. */
static int apply(struct word *w, const struct rule *r)
{
    for (; r->suffix; r++) {
        if (!ends_with(w, r->suffix))
            continue;
        const size_t k = w->n - strlen(r->suffix);

        if (r->if_stem(w->s, k))
            put(w, k, r->becomes);
        return 1;
    }
    return 0;
}

/* What -ed and -ing leave behind gets its e back, or loses its doubled letter. */
static void tidy(struct word *w)
{
    if (apply(w, step_1b))
        return;
    if (ends_double(w->s, w->n)) {
        if (!strchr("lsz", w->s[w->n - 1]))
            w->n--;
    } else if (is_short(w->s, w->n)) {
        put(w, w->n, "e");
    }
}

static void past_and_progressive(struct word *w)
{
    static const char *const suffixes[] = {"ed", "ing"};

    if (ends_with(w, "ied")) {
        put(w, w->n - 3, w->n == 4 ? "ie" : "i");
        return;
    }
    if (ends_with(w, "eed")) {
        if (measure(w->s, w->n - 3) > 0)
            w->n--;
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        const size_t k = w->n - strlen(suffixes[i]);

        if (!ends_with(w, suffixes[i]) || !has_vowel(w->s, k))
            continue;
        w->n = k;
        tidy(w);
        return;
    }
}

static void plural(struct word *w)
{
    if (w->n == 4 && ends_with(w, "ies"))
        w->n--;
    else
        apply(w, step_1a);
}

static void step_2_all(struct word *w)
{
    while (ends_with(w, "alli") && measure(w->s, w->n - 4) > 0)
        w->n -= 2;
    apply(w, step_2);
}

static int irregular(struct word *w)
{
    static const char *const form[][2] = {
        {"skies", "sky"},       {"sky", "sky"},          {"dying", "die"},
        {"lying", "lie"},       {"tying", "tie"},        {"news", "news"},
        {"innings", "inning"},  {"inning", "inning"},    {"outings", "outing"},
        {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
        {"howe", "howe"},       {"proceed", "proceed"},  {"exceed", "exceed"},
        {"succeed", "succeed"},
    };

    for (size_t i = 0; i < sizeof form / sizeof *form; i++)
        if (w->n == strlen(form[i][0]) && ends_with(w, form[i][0])) {
            put(w, 0, form[i][1]);
            return 1;
        }
    return 0;
}

size_t stem_porter(char *word, size_t n)
{
    struct word w = {word, n};

    if (irregular(&w) || n <= 2)
        return w.n;
    plural(&w);
    past_and_progressive(&w);
    apply(&w, step_1c);
    step_2_all(&w);
    apply(&w, step_3);
    apply(&w, step_4);
    apply(&w, step_5a);
    apply(&w, step_5b);
    return w.n;
}
