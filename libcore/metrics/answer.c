#include "metrics/answer.h"

#include <stdio.h>
#include <string.h>

/* ---- SQuAD ----------------------------------------------------------------------------- */
int answer_exact(const struct tokens *gold, const struct tokens *given)
{
    return gold->n == given->n &&
           (gold->n == 0 ||
            memcmp(gold->id, given->id, gold->n * sizeof *gold->id) == 0);
}

int answer_f1(double *out, struct grams *a, struct grams *b, const struct tokens *gold,
              const struct tokens *given, struct err *e)
{
    int rc = grams_of(a, gold, 1, 1, e);

    if (rc < 0 || (rc = grams_of(b, given, 1, 1, e)) < 0)
        return rc;
    const double all = (double)(a->count + b->count);
    *out = all > 0 ? 2 * (double)grams_shared(a, b) / all : 1;
    return 0;
}

/* ---- GSM8K ----------------------------------------------------------------------------- */
static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *last_mark(const char *text, size_t n)
{
    const char *found = NULL;

    for (size_t i = 0; i + 4 <= n; i++)
        if (memcmp(text + i, "####", 4) == 0)
            found = text + i;
    return found;
}

int answer_is_marked(const char *text, size_t n)
{
    return last_mark(text, n) != NULL;
}

/* One digit more than a number may have: what is too long is seen to be. */
enum { DIGITS = ANSWER_NUMBER + 1 };

/* Digits at s into out (DIGITS, with a NUL, cut if there are too many); bytes read.  Of a
 * whole number commas and leading zeros go. */
static size_t take_digits(char *out, const char *s, size_t n, int whole)
{
    size_t i = 0, k = 0;

    for (; i < n; i++) {
        if (whole && s[i] == ',' && i > 0 && i + 1 < n && is_digit(s[i + 1]))
            continue;
        if (!is_digit(s[i]))
            break;
        if (k + 1 < DIGITS && !(whole && k == 0 && s[i] == '0'))
            out[k++] = s[i];
    }
    out[k] = 0;
    return i;
}

/* The number that begins at s, in one form; bytes read.  *found is set to 1 unless it is
 * too long, which is none. */
static size_t read_number(char out[ANSWER_NUMBER], int *found, const char *s, size_t n,
                          int minus)
{
    char whole[DIGITS], part[DIGITS] = "", made[2 * DIGITS + 2];
    size_t i = take_digits(whole, s, n, 1);

    if (i + 1 < n && s[i] == '.' && is_digit(s[i + 1]))
        i += 1 + take_digits(part, s + i + 1, n - i - 1, 0);
    for (size_t k = strlen(part); k > 0 && part[k - 1] == '0'; k--)
        part[k - 1] = 0;
    const int len =
        snprintf(made, sizeof made, "%s%s%s%s", minus && (*whole || *part) ? "-" : "",
                 *whole ? whole : "0", *part ? "." : "", part);
    if (len < ANSWER_NUMBER) {
        memcpy(out, made, (size_t)len + 1);
        *found = 1;
    }
    return i;
}

/* 1 if a minus stands before text[i], and is no hyphen behind a digit; a $ may stand
 * between. */
static int is_negative(const char *text, size_t from, size_t i)
{
    if (i > from && text[i - 1] == '$')
        i--;
    return i > from && text[i - 1] == '-' && (i < from + 2 || !is_digit(text[i - 2]));
}

/* A digit, or a point before one and not behind one. */
static int starts_number(const char *text, size_t n, size_t i)
{
    return is_digit(text[i]) || (text[i] == '.' && i + 1 < n && is_digit(text[i + 1]) &&
                                 (i == 0 || !is_digit(text[i - 1])));
}

int answer_number(char out[ANSWER_NUMBER], const char *text, size_t n)
{
    const char *mark = last_mark(text, n);
    const size_t from = mark ? (size_t)(mark - text) + 4 : 0;
    int found = 0;

    for (size_t i = from; i < n && !(found && mark);)
        if (starts_number(text, n, i))
            i += read_number(out, &found, text + i, n - i, is_negative(text, from, i));
        else
            i++;
    return found;
}

static int is_word_byte(unsigned char c)
{
    return is_digit((char)c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 0x80;
}

static size_t sentences(const char *s, size_t n)
{
    size_t k = 0;
    int words = 0;

    for (size_t i = 0; i < n; i++) {
        words |= is_word_byte((unsigned char)s[i]);
        if (!words || !strchr(".!?", s[i]) || (i + 1 < n && s[i + 1] != ' '))
            continue;
        k++;
        words = 0;
    }
    return k + (words != 0);
}

size_t answer_steps(const char *text, size_t n)
{
    size_t steps = 0, only = 0;

    for (size_t at = 0, len; at < n; at += len + 1) {
        const char *line = text + at, *nl = memchr(line, '\n', n - at);
        int words = 0;

        len = nl ? (size_t)(nl - line) : n - at;
        for (size_t i = 0; i < len; i++)
            words |= is_word_byte((unsigned char)line[i]);
        if (!words || last_mark(line, len))
            continue;
        steps++;
        only = sentences(line, len);
    }
    return steps == 1 ? only : steps;
}
