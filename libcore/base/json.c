#include "base/json.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_FILE_MAX = 256 << 20 };

int json_read_mem(json_t **out, const char *where, const char *text, size_t n,
                  struct err *e)
{
    json_error_t je;

    *out = json_loadb(text, n,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &je);
    if (!*out)
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
