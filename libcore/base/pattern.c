#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

/* Steps of one match, before an expression counts as running away. */
enum { MATCH_LIMIT = 1000000 };

static int run(const pcre2_code *code, const char *text)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int rc = PCRE2_ERROR_NOMEMORY;

    if (context && match) {
        pcre2_set_match_limit(context, MATCH_LIMIT);
        rc = pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, match, context);
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
    return rc;
}

int pattern_matches(const char *expression, const char *text, const char *where,
                    struct err *e)
{
    PCRE2_UCHAR why[128];
    PCRE2_SIZE at;
    int rc;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                      PCRE2_ANCHORED | PCRE2_ENDANCHORED, &rc, &at, NULL);

    if (!code) {
        pcre2_get_error_message(rc, why, sizeof why);
        return err_set(e, ERR_FILE, "%s: '%.200s' is no regular expression: %s", where,
                       expression, (const char *)why);
    }
    rc = run(code, text);
    pcre2_code_free(code);
    if (rc == PCRE2_ERROR_NOMEMORY)
        return err_set(e, ERR_NOMEM, "%s: no memory for a regular expression", where);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        return err_set(e, ERR_FILE, "%s: '%.200s' gives up on '%.200s'", where,
                       expression, text);
    return rc != PCRE2_ERROR_NOMATCH;
}
