/*
 * jansson behind helpers that name the file and the key in every error.
 *
 * `where` is what a message starts with: usually the path of the file.  Objects and
 * strings returned are borrowed from the json_t they came from.
 *
 * Integers beyond 64 bits are read as real numbers: files of tokenizers say 1e30, with all
 * its digits, where there is no limit.
 */
#ifndef CAGSR_BASE_JSON_H
#define CAGSR_BASE_JSON_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Parses a whole file (at most 256 MiB; duplicate keys and NUL in keys refused; NUL in
 * values allowed).  The caller owns *out (json_decref).  ERR_FILE with line and column.
 */
int json_read_file(json_t **out, const char *path, struct err *e) MUST_CHECK;

/* Parses n bytes; `where` names them in the error. */
int json_read_mem(json_t **out, const char *where, const char *text, size_t n,
                  struct err *e) MUST_CHECK;

/* The text of v, indented by so many blanks, in malloc'd memory; real numbers have 15
 * digits where that reads back as the same numbers (1e-5, not 1.0000000000000001e-5).
 * NULL: no memory. */
char *json_text(const json_t *v, size_t indent);

/* Required members: absent or of another type is ERR_FILE "where: 'key': ...".
 * Integers must lie in lo..hi. */
int json_get_size(size_t *out, const json_t *obj, const char *key, size_t lo, size_t hi,
                  const char *where, struct err *e) MUST_CHECK;
int json_get_double(double *out, const json_t *obj, const char *key, const char *where,
                    struct err *e) MUST_CHECK;
int json_get_str(const char **out, const json_t *obj, const char *key,
                 const char *where, struct err *e) MUST_CHECK;

/* Optional members: absent or null leaves *out as it is; another type is ERR_FILE. */
int json_opt_size(size_t *out, const json_t *obj, const char *key, size_t lo, size_t hi,
                  const char *where, struct err *e) MUST_CHECK;
int json_opt_double(double *out, const json_t *obj, const char *key, const char *where,
                    struct err *e) MUST_CHECK;
int json_opt_bool(int *out, const json_t *obj, const char *key, const char *where,
                  struct err *e) MUST_CHECK;
int json_opt_str(const char **out, const json_t *obj, const char *key,
                 const char *where, struct err *e) MUST_CHECK;

#endif
