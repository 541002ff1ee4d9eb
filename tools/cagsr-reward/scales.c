/*
 * The file of --calibrate and --scales: one JSON object.
 *
 *   {"cagsr_scales": 1, "method": "f12", "salient": "idf", "layers": "15:30",
 *    "groups": 100, "records": 800, "s": {"coverage": .0125, ...},
 *    "prompts": 100, "df": {"word": 3, ...}}
 */
#include "run.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const method_names[] = {"f12", "f7", "literal"};

const struct scales scales_built_in = {
    .s =
        {
            [PART_COVERAGE] = COMBINE_TAU_C / COMBINE_TAU_PER_S_C,
            [PART_FOCUS] = COMBINE_TAU_F / COMBINE_TAU_PER_S_F,
        },
};

/* ---- reading --------------------------------------------------------------------------- */
static int same_word(const json_t *o, const char *key, const char *want,
                     const char *path, struct err *e)
{
    const char *got;
    const int rc = json_get_str(&got, o, key, path, e);

    if (rc < 0 || strcmp(got, want) == 0)
        return rc;
    return err_set(e, ERR_FILE, "%s: measured with %s '%s', this run has '%s'", path,
                   key, got, want);
}

static int read_df(struct scales *s, json_t *o, const char *path, struct err *e)
{
    json_t *table = json_object_get(o, "df"), *v;
    const char *word;
    size_t docs;
    int rc = json_get_size(&docs, o, "prompts", 0, SIZE_MAX / 2, path, e);

    if (rc < 0 || (rc = df_new(&s->df, e)) < 0)
        return rc;
    if (!json_is_object(table))
        return err_set(e, ERR_FILE, "%s: 'df': not an object", path);
    df_set_docs(s->df, docs);
    json_object_foreach(table, word, v)
    {
        const json_int_t n = json_integer_value(v);

        if (!json_is_integer(v) || n < 0 || (size_t)n > docs)
            return err_set(e, ERR_FILE,
                           "%s: 'df': '%.64s' is not a count of at most %zu prompts",
                           path, word, docs);
        if ((rc = df_set(s->df, word, strlen(word), (size_t)n, e)) < 0)
            return rc;
    }
    return 0;
}

static int read_s(struct scales *s, const json_t *o, enum method m, const char *path,
                  struct err *e)
{
    const json_t *list = json_object_get(o, "s");

    if (!json_is_object(list))
        return err_set(e, ERR_FILE, "%s: 's': not an object", path);
    for (size_t i = 0; i < COMBINE_PARTS; i++) {
        int rc;

        s->s[i] = (double)NAN;
        if ((rc = json_opt_double(&s->s[i], list, combine_part_names[i], path, e)) < 0)
            return rc;
        if (m == METHOD_F12 && (i == PART_COVERAGE || i == PART_FOCUS) &&
            !(s->s[i] > 0))
            return err_set(e, ERR_FILE,
                           "%s: 's': no deviation of '%s' above 0: the sum cannot be "
                           "scaled by it",
                           path, combine_part_names[i]);
    }
    return 0;
}

int scales_read(struct scales *s, const char *path, enum method m, int salient,
                struct err *e)
{
    json_t *o = NULL;
    const char *layers = NULL;
    size_t version;
    int rc = json_read_file(&o, path, e);

    *s = (struct scales){0};
    if (rc < 0 ||
        (rc = json_get_size(&version, o, "cagsr_scales", 1, 1, path, e)) < 0 ||
        (rc = same_word(o, "method", method_names[m], path, e)) < 0 ||
        (rc = same_word(o, "salient", salient_mode_names[salient], path, e)) < 0 ||
        (rc = read_s(s, o, m, path, e)) < 0 || (rc = read_df(s, o, path, e)) < 0 ||
        (rc = json_opt_str(&layers, o, "layers", path, e)) < 0)
        goto out;
    if (layers && !(s->layers = strdup(layers)))
        rc = err_set(e, ERR_NOMEM, "no memory for a name");
out:
    json_decref(o);
    return rc;
}

void scales_release(struct scales *s)
{
    df_free(s->df);
    free(s->layers);
    *s = (struct scales){0};
}

/* ---- writing --------------------------------------------------------------------------- */
static json_t *deviations(const struct calibration *c)
{
    json_t *s = json_object();

    for (size_t i = 0; i < PART_NO_END; i++) {
        const double v = combine_scale_value(&c->part[i]);

        if (!isnan(v))
            json_object_set_new(s, combine_part_names[i], json_real(v));
    }
    return s;
}

static json_t *table(const struct df *d)
{
    json_t *o = json_object();

    for (size_t i = 0; i < df_words(d); i++) {
        size_t n;
        const char *word = df_word(d, i, &n);

        json_object_set_new(o, word, json_integer((json_int_t)n));
    }
    return o;
}

int calibration_write(const struct calibration *c, const char *path, enum method m,
                      int salient, struct err *e)
{
    if (c->part[PART_COVERAGE].groups < 2)
        return err_set(e, ERR_NUMERIC,
                       "--calibrate: %zu groups of two or more candidates with "
                       "attention are too few; 100 are a good number",
                       c->part[PART_COVERAGE].groups);
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:o, s:I, s:o}",
                          "cagsr_scales", 1, "method", method_names[m], "salient",
                          salient_mode_names[salient], "layers", c->layers, "groups",
                          (json_int_t)c->part[PART_COVERAGE].groups, "records",
                          (json_int_t)c->records, "s", deviations(c), "prompts",
                          (json_int_t)df_docs(c->df), "df", table(c->df));
    char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    const int rc = text ? file_replace(path, text, strlen(text), e)
                        : err_set(e, ERR_NOMEM, "%s: no memory to write it", path);

    free(text);
    json_decref(o);
    return rc;
}
