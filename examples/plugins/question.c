/*
 * A plug-in for cagsr-reward: does an answer to a question avoid asking back?
 *
 *     cc -shared -fPIC -I../../libcore -o question.so question.c
 *     cagsr-reward --plugin ./question.so --weights +no_question=.5 samples
 *
 * Component no_question: 1 if the response holds no question mark, 0 if it does; it
 * abstains where there is no text.  OPTIONS: another character to look for.
 */
#include "reward/plugin.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char mark = '?'; /* a plug-in's own state: init() sets it, nothing else */

const char *about(void)
{
    return "1 where the response asks nothing back";
}

const char *usage(void)
{
    return "question.so[,CHAR]: CHAR is looked for instead of '?'";
}

int init(int api, const char *options, const char *const **names, char *why, size_t n)
{
    static const char *const component[] = {"no_question"};

    if (api < CAGSR_PLUGIN_API || strlen(options) > 1) {
        snprintf(why, n, "one character is wanted, not '%s'", options);
        return -1;
    }
    if (*options)
        mark = *options;
    *names = component;
    return 1;
}

int process(const struct cagsr_plugin_sample *s, double *value, char *why, size_t n)
{
    (void)why;
    (void)n;
    if (s->text)
        *value = memchr(s->text, mark, s->text_len) == NULL;
    else
        *value = (double)NAN;
    return 0;
}

void destroy(void)
{
}
