/*
 * JSON as the values of templates, and the lines of a golden file.
 */
#ifndef CAGSR_TESTS_VALUES_H
#define CAGSR_TESTS_VALUES_H

#include "base/json.h"
#include "jinja/value.h"

/* j as a value, its texts marked as who's.  j must live as long as the value.  A failure
 * ends the test. */
struct value value_of_json(struct interp *in, const json_t *j, enum str_who who);

/* Messages, of which the contents of role user are the user's. */
struct value messages_of_json(struct interp *in, const json_t *messages);

/* Calls fn with each line (JSON) of a file, numbered from 1; returns their number. */
size_t each_line(const char *path, void (*fn)(const json_t *v, size_t line, void *data),
                 void *data);

#endif
