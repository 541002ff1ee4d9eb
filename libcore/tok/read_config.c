/*
 * What stands beside tokenizer.json: which tokens begin and end a text, and the chat
 * template.
 */
#include "base/file.h"
#include "base/json.h"
#include "tok/private.h"

#include <stdlib.h>
#include <string.h>

enum { CHAT_MAX = 1 << 20 };

/* DIR/name if it is there: 1 with *out, 0, or an error. */
static int read_beside(json_t **out, char **path, const char *dir, const char *name,
                       struct err *e)
{
    *out = NULL;
    *path = file_join(dir, name);
    if (!*path)
        return err_set(e, ERR_NOMEM, "no memory");
    if (!file_exists(*path))
        return 0;
    const int rc = json_read_file(out, *path, e);
    if (rc < 0)
        return rc;
    return json_is_object(*out) ? 1 : err_set(e, ERR_FILE, "%s: not an object", *path);
}

/* A token named by text, "<s>" or {"content": "<s>"}: *id, left as it is if absent. */
static int named(struct tok *t, int32_t *id, const json_t *file, const char *key,
                 const char *where, struct err *e)
{
    const json_t *v = json_object_get(file, key);
    const char *text = json_string_value(v);

    if (!text)
        text = json_string_value(json_object_get(v, "content"));
    if (!v || json_is_null(v) || !tok_has_text(t))
        return 0;
    if (!text)
        return err_set(e, ERR_FILE, "%s: '%s' is not a token's text", where, key);
    *id = tok_find(t, text);
    if (*id < 0)
        return err_set(e, ERR_FILE, "%s: '%s' is '%s', which is no token of '%s'",
                       where, key, text, t->where);
    return 0;
}

static int valid_id(int32_t *id, const json_t *v, const char *key, const char *where,
                    struct err *e)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) > VOCAB_MAX_ID)
        return err_set(e, ERR_FILE, "%s: '%s' is not a token id", where, key);
    *id = (int32_t)json_integer_value(v);
    return 0;
}

/* eos_token_id, a number or a list: all are stops, the first is EOS if there is none. */
static int numbered_stops(struct tok *t, const json_t *file, const char *where,
                          struct err *e)
{
    const json_t *v = json_object_get(file, "eos_token_id");
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;

    if (!v || json_is_null(v))
        return 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = -1;
        int rc = valid_id(&id, json_is_array(v) ? json_array_get(v, i) : v,
                          "eos_token_id", where, e);

        if (rc == 0)
            rc = tok_add_stop(t, id, e);
        if (rc < 0)
            return rc;
        if (t->eos < 0)
            t->eos = id;
    }
    return 0;
}

static int read_ids(struct tok *t, const char *dir, const char *name, struct err *e)
{
    json_t *file;
    char *path;
    int rc = read_beside(&file, &path, dir, name, e);

    if (rc > 0) {
        const json_t *bos = json_object_get(file, "bos_token_id");

        rc = numbered_stops(t, file, path, e);
        if (rc == 0 && t->bos < 0 && bos && !json_is_null(bos))
            rc = valid_id(&t->bos, bos, "bos_token_id", path, e);
    }
    json_decref(file);
    free(path);
    return rc;
}

static int read_names(struct tok *t, const char *dir, const char *name, struct err *e)
{
    json_t *file;
    char *path;
    int rc = read_beside(&file, &path, dir, name, e);

    if (rc > 0) {
        rc = named(t, &t->bos, file, "bos_token", path, e);
        if (rc == 0)
            rc = named(t, &t->eos, file, "eos_token", path, e);
    }
    json_decref(file);
    free(path);
    return rc;
}

/* A string, or a list of {"name", "template"} of which "default" is taken. */
static const json_t *default_template(const json_t *v)
{
    const json_t *one;
    size_t i;

    if (json_is_string(v))
        return v;
    json_array_foreach(v, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));

        if (name && strcmp(name, "default") == 0)
            return json_object_get(one, "template");
    }
    return NULL;
}

static int read_chat_key(struct tok *t, const char *dir, struct err *e)
{
    json_t *file;
    char *path;
    int rc = read_beside(&file, &path, dir, "tokenizer_config.json", e);
    const json_t *v = default_template(json_object_get(file, "chat_template"));

    if (rc > 0 && json_is_string(v)) {
        rc = tok_set_str(&t->chat, json_string_value(v), json_string_length(v), e);
        if (rc == 0)
            rc = tok_set_str(&t->chat_where, path, strlen(path), e);
    }
    json_decref(file);
    free(path);
    return rc;
}

static int read_chat_file(struct tok *t, const char *dir, struct err *e)
{
    char *path = file_join(dir, "chat_template.jinja"), *text;
    size_t n;
    int rc = path ? 0 : err_set(e, ERR_NOMEM, "no memory");

    if (path && file_exists(path)) {
        rc = file_read(&text, &n, path, CHAT_MAX, e);
        if (rc == 0) {
            rc = tok_set_str(&t->chat, text, n, e);
            free(text);
        }
        if (rc == 0)
            rc = tok_set_str(&t->chat_where, path, strlen(path), e);
    }
    free(path);
    return rc;
}

int tok_read_config(struct tok *t, const char *dir, struct err *e)
{
    int rc;

    if ((rc = read_names(t, dir, "special_tokens_map.json", e)) < 0 ||
        (rc = read_names(t, dir, "tokenizer_config.json", e)) < 0 ||
        (rc = tok_add_stop(t, t->eos, e)) < 0 ||
        (rc = read_ids(t, dir, "generation_config.json", e)) < 0 ||
        (rc = read_ids(t, dir, "config.json", e)) < 0 ||
        (rc = read_chat_key(t, dir, e)) < 0)
        return rc;
    return read_chat_file(t, dir, e);
}
