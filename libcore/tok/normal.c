#include "tok/normal.h"

#include "base/base64.h"
#include "base/json.h"
#include "tok/normal_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 32, DEPTH_MAX = 8 };

struct normal {
    struct normal_step step[STEPS_MAX];
    size_t n;
    struct changes changes; /* scratch */
    struct passage spare;
};

struct normal *normal_new(void)
{
    return calloc(1, sizeof(struct normal));
}

static void step_release(struct normal_step *s)
{
    free(s->text);
    regex_free(s->regex);
    charsmap_free(s->map);
}

void normal_free(struct normal *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n; i++)
        step_release(&n->step[i]);
    free(n->changes.v);
    passage_release(&n->spare);
    free(n);
}

int normal_push(struct normal *n, struct normal_step s, struct err *e)
{
    if (n->n == STEPS_MAX) {
        step_release(&s);
        return err_set(e, ERR_FILE, "more than %d normalizers in a row", STEPS_MAX);
    }
    n->step[n->n++] = s;
    return 0;
}

const char *normal_compiled(const struct normal *n, size_t *bytes)
{
    for (size_t i = 0; i < n->n; i++)
        if (n->step[i].map)
            return charsmap_bytes(n->step[i].map, bytes);
    *bytes = 0;
    return NULL;
}

int normal_run(struct normal *n, struct passage *p, struct err *e)
{
    for (size_t i = 0; i < n->n && p->n > 0; i++) {
        const struct normal_step *s = &n->step[i];

        n->changes.n = 0;
        int rc = s->run(s, p->text, p->n, &n->changes, e);
        if (rc > 0)
            rc = passage_apply(p, &n->changes, &n->spare, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- from tokenizer.json ----------------------------------------------------------------
 * One row per name. `step` is what is pushed; `read` completes it from the file's members;
 * `expand` pushes several. */

struct kind {
    const char *type;
    struct normal_step step;
    int (*read)(struct normal_step *s, const json_t *v, const char *where,
                struct err *e);
    int (*expand)(struct normal *n, const json_t *v, const char *where, struct err *e);
};

static int read_text(struct normal_step *s, const json_t *v, const char *key,
                     const char *where, struct err *e)
{
    const char *text = NULL;
    const int rc = json_get_str(&text, v, key, where, e);

    if (rc < 0)
        return rc;
    s->text = strdup(text);
    return s->text ? 0 : err_set(e, ERR_NOMEM, "%s: no memory", where);
}

static int read_prepend(struct normal_step *s, const json_t *v, const char *where,
                        struct err *e)
{
    return read_text(s, v, "prepend", where, e);
}

static int read_append(struct normal_step *s, const json_t *v, const char *where,
                       struct err *e)
{
    return read_text(s, v, "append", where, e);
}

static int read_replace(struct normal_step *s, const json_t *v, const char *where,
                        struct err *e)
{
    const json_t *pattern = json_object_get(v, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    const int rc = read_text(s, v, "content", where, e);

    if (rc < 0)
        return rc;
    if (!regex && !literal)
        return err_set(e, ERR_FILE, "%s: 'Replace' without a 'pattern'", where);
    return regex ? regex_new(&s->regex, regex, where, e)
                 : regex_new_literal(&s->regex, literal, where, e);
}

static int read_strip(struct normal_step *s, const json_t *v, const char *where,
                      struct err *e)
{
    const int rc = json_opt_bool(&s->left, v, "strip_left", where, e);

    return rc < 0 ? rc : json_opt_bool(&s->right, v, "strip_right", where, e);
}

static int read_charsmap(struct normal_step *s, const json_t *v, const char *where,
                         struct err *e)
{
    const char *text = NULL;
    int rc = json_get_str(&text, v, "precompiled_charsmap", where, e);

    if (rc < 0)
        return rc;
    const size_t n = strlen(text);
    unsigned char *data = malloc(base64_room(n) + 1);
    const int64_t got = data ? base64_get(data, text, n) : 0;

    if (!data)
        rc = err_set(e, ERR_NOMEM, "%s: no memory for %zu bytes", where, n);
    else if (got < 0)
        rc = err_set(e, ERR_FILE, "%s: 'precompiled_charsmap' is not base64", where);
    else
        rc = charsmap_new(&s->map, data, (size_t)got, where, e);
    free(data);
    return rc;
}

static int expand_nmt(struct normal *n, const json_t *v, const char *where,
                      struct err *e)
{
    const int rc = normal_push(n, (struct normal_step){.run = normal_nmt_filter}, e);

    (void)v;
    (void)where;
    return rc < 0 ? rc : normal_push(n, (struct normal_step){.run = normal_nmt_map}, e);
}

/* In BERT's order; "strip_accents" is as "lowercase" where the file does not say. */
static int expand_bert(struct normal *n, const json_t *v, const char *where,
                       struct err *e)
{
    int clean = 1, chinese = 1, lower = 1, rc;

    if ((rc = json_opt_bool(&clean, v, "clean_text", where, e)) < 0 ||
        (rc = json_opt_bool(&chinese, v, "handle_chinese_chars", where, e)) < 0 ||
        (rc = json_opt_bool(&lower, v, "lowercase", where, e)) < 0)
        return rc;
    int accents = lower;
    if ((rc = json_opt_bool(&accents, v, "strip_accents", where, e)) < 0)
        return rc;
    const struct {
        int on;
        struct normal_step step;
    } steps[] = {
        {clean, {.run = normal_bert_filter}},
        {clean, {.run = normal_bert_map}},
        {chinese, {.run = normal_bert_chinese}},
        {accents, {.run = normal_form, .form = FORM_D}},
        {accents, {.run = normal_filter, .class = &class_nonspacing}},
        {lower, {.run = normal_lowercase}},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps && rc == 0; i++)
        if (steps[i].on)
            rc = normal_push(n, steps[i].step, e);
    return rc;
}

static const struct kind kinds[] = {
    {"NFC", {.run = normal_form, .form = FORM_C}},
    {"NFD", {.run = normal_form, .form = FORM_D}},
    {"NFKC", {.run = normal_form, .form = FORM_KC}},
    {"NFKD", {.run = normal_form, .form = FORM_KD}},
    {"Lowercase", {.run = normal_lowercase}},
    {"StripAccents", {.run = normal_filter, .class = &class_mark}},
    {"Strip", {.run = normal_strip}, .read = read_strip},
    {"Prepend", {.run = normal_prepend}, .read = read_prepend},
    {"Append", {.run = normal_append}, .read = read_append},
    {"Replace", {.run = normal_replace}, .read = read_replace},
    {"Nmt", .expand = expand_nmt},
    {"BertNormalizer", .expand = expand_bert},
    {"Precompiled", {.run = normal_charsmap}, .read = read_charsmap},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static int unknown(const char *type, const char *where, struct err *e)
{
    char names[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < KINDS; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s, ", kinds[i].type);
    return err_set(e, ERR_FILE, "%s: 'normalizer' is '%s'; supported: none, %sSequence",
                   where, type, names);
}

static int add_one(struct normal *n, const struct kind *k, const json_t *v,
                   const char *where, struct err *e)
{
    struct normal_step s = k->step;
    int rc = 0;

    if (k->expand)
        return k->expand(n, v, where, e);
    if (k->read && (rc = k->read(&s, v, where, e)) < 0) {
        step_release(&s);
        return rc;
    }
    return normal_push(n, s, e);
}

static int add_at(struct normal *n, const json_t *v, int depth, const char *where,
                  struct err *e)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    const json_t *one;
    size_t i;
    int rc = 0;

    if (!v || json_is_null(v))
        return 0;
    if (!type || depth > DEPTH_MAX)
        return unknown("", where, e);
    if (strcmp(type, "Sequence") == 0) {
        json_array_foreach(json_object_get(v, "normalizers"), i, one)
        {
            if ((rc = add_at(n, one, depth + 1, where, e)) < 0)
                break;
        }
        return rc;
    }
    for (i = 0; i < KINDS; i++)
        if (strcmp(type, kinds[i].type) == 0)
            return add_one(n, &kinds[i], v, where, e);
    return unknown(type, where, e);
}

int normal_add(struct normal *n, const json_t *v, const char *where, struct err *e)
{
    return add_at(n, v, 0, where, e);
}
