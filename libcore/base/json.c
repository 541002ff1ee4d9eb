#include "base/json.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_FILE_MAX = 256 << 20 };

/* ---- integers beyond 64 bits ----------------------------------------------------------- */

/* Characters of a number at p, or of what only looks like one. */
static size_t number_length(const char *p, const char *end)
{
    size_t n = 0;

    while (p + n < end && p[n] && strchr("0123456789+-.eE", p[n]))
        n++;
    return n;
}

static int is_beyond(const char *p, size_t n)
{
    static const char most[] = "9223372036854775807";
    const size_t sign = n && *p == '-', digits = n - sign, limit = sizeof most - 1;

    for (size_t i = sign; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return 0;
    return digits > limit || (digits == limit && memcmp(p + sign, most, limit) > 0);
}

/* The text with ".0" behind each of them: reals, for which jansson has room.  malloc'd;
 * NULL: no memory. */
static char *make_real(const char *text, size_t *n)
{
    const char *end = text + *n;
    char *out = malloc(*n + *n / 8 + 1), *to = out; /* one has 19 digits at least */
    int quoted = 0;

    while (out && text < end) {
        const size_t number = quoted ? 0 : number_length(text, end);
        const size_t escaped = quoted && *text == '\\' && text + 1 < end;
        const size_t k = number ? number : 1 + escaped;

        quoted ^= *text == '"';
        memcpy(to, text, k);
        to += k;
        if (is_beyond(text, number)) {
            memcpy(to, ".0", 2);
            to += 2;
        }
        text += k;
    }
    *n = out ? (size_t)(to - out) : 0;
    return out;
}

static json_t *load(const char *text, size_t n, json_error_t *je)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY;
    json_t *v = json_loadb(text, n, flags, je);

    if (v || json_error_code(je) != json_error_numeric_overflow)
        return v;
    char *real = make_real(text, &n);
    if (real)
        v = json_loadb(real, n, flags, je);
    free(real);
    return v;
}

/* ---- reading --------------------------------------------------------------------------- */

int json_read_mem(json_t **out, const char *where, const char *text, size_t n,
                  struct err *e)
{
    json_error_t je;

    if (!(*out = load(text, n, &je)))
        return err_set(e, ERR_FILE, "%s: line %d, column %d: %s", where, je.line,
                       je.column, je.text);
    return 0;
}

int json_read_file(json_t **out, const char *path, struct err *e)
{
    char *text;
    size_t n;
    int rc = file_read(&text, &n, path, JSON_FILE_MAX, e);

    if (rc < 0)
        return rc;
    rc = json_read_mem(out, path, text, n, e);
    free(text);
    return rc;
}

static int missing(const char *key, const char *want, const char *where, struct err *e)
{
    return err_set(e, ERR_FILE, "%s: no '%s', %s expected", where, key, want);
}

static int mistyped(const char *key, const char *want, const char *where, struct err *e)
{
    return err_set(e, ERR_FILE, "%s: '%s' is not %s", where, key, want);
}

static const json_t *find(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_null(v) ? NULL : v;
}

int json_opt_size(size_t *out, const json_t *obj, const char *key, size_t lo, size_t hi,
                  const char *where, struct err *e)
{
    const json_t *v = find(obj, key);

    if (!v)
        return 0;
    if (!json_is_integer(v))
        return mistyped(key, "an integer", where, e);
    const json_int_t i = json_integer_value(v);
    if (i < 0 || (uint64_t)i < lo || (uint64_t)i > hi)
        return err_set(e, ERR_FILE, "%s: '%s' is %lld, expected %zu to %zu", where, key,
                       (long long)i, lo, hi);
    *out = (size_t)i;
    return 0;
}

int json_opt_double(double *out, const json_t *obj, const char *key, const char *where,
                    struct err *e)
{
    const json_t *v = find(obj, key);

    if (!v)
        return 0;
    if (!json_is_number(v) || !isfinite(json_number_value(v)))
        return mistyped(key, "a number", where, e);
    *out = json_number_value(v);
    return 0;
}

int json_opt_bool(int *out, const json_t *obj, const char *key, const char *where,
                  struct err *e)
{
    const json_t *v = find(obj, key);

    if (!v)
        return 0;
    if (!json_is_boolean(v))
        return mistyped(key, "true or false", where, e);
    *out = json_is_true(v);
    return 0;
}

int json_opt_str(const char **out, const json_t *obj, const char *key,
                 const char *where, struct err *e)
{
    const json_t *v = find(obj, key);

    if (!v)
        return 0;
    if (!json_is_string(v))
        return mistyped(key, "a string", where, e);
    *out = json_string_value(v);
    return 0;
}

int json_get_size(size_t *out, const json_t *obj, const char *key, size_t lo, size_t hi,
                  const char *where, struct err *e)
{
    if (!find(obj, key))
        return missing(key, "an integer", where, e);
    return json_opt_size(out, obj, key, lo, hi, where, e);
}

int json_get_double(double *out, const json_t *obj, const char *key, const char *where,
                    struct err *e)
{
    if (!find(obj, key))
        return missing(key, "a number", where, e);
    return json_opt_double(out, obj, key, where, e);
}

int json_get_str(const char **out, const json_t *obj, const char *key,
                 const char *where, struct err *e)
{
    if (!find(obj, key))
        return missing(key, "a string", where, e);
    return json_opt_str(out, obj, key, where, e);
}

char *json_text(const json_t *v, size_t indent)
{
    const size_t flags = JSON_INDENT(indent) | JSON_ENCODE_ANY;
    char *text = json_dumps(v, flags | JSON_REAL_PRECISION(15));
    json_t *back =
        text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    const int same = back && json_equal(v, back);

    json_decref(back);
    if (same)
        return text;
    free(text);
    return json_dumps(v, flags);
}
