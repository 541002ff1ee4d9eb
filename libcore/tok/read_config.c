/*
 * What stands beside tokenizer.json: which tokens begin and end a text, special tokens by
 * their names, and the chat templates.
 */
#include "base/file.h"
#include "base/json.h"
#include "io/tree.h"
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

/* A token given by text, "<s>" or {"content": "<s>"}; NULL: it is not. */
static const json_t *token_text(const json_t *v)
{
    const json_t *text = json_is_object(v) ? json_object_get(v, "content") : v;

    return json_is_string(text) ? text : NULL;
}

/* A token named by text: *id, left as it is if absent. */
static int named(struct tok *t, int32_t *id, const json_t *file, const char *key,
                 const char *where, struct err *e)
{
    const json_t *v = json_object_get(file, key), *text = token_text(v);

    if (!v || json_is_null(v) || !tok_has_text(t))
        return 0;
    if (!text)
        return err_set(e, ERR_FILE, "%s: '%s' is not a token's text", where, key);
    *id = tok_find(t, json_string_value(text));
    if (*id < 0)
        return err_set(e, ERR_FILE, "%s: '%s' is '%s', which is no token of '%s'",
                       where, key, json_string_value(text), t->where);
    return 0;
}

/* Members of an object that are tokens' texts, by their keys, as transformers takes them:
 * all that end in "_token", or all there are. */
static int specials(struct tok *t, const json_t *object, const char *ending,
                    const char *where, struct err *e)
{
    const size_t tail = strlen(ending);
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)object, key, v)
    {
        const json_t *text = token_text(v);
        const size_t n = strlen(key);
        int rc;

        if (!text || n < tail || strcmp(key + n - tail, ending) != 0)
            continue;
        rc = named_set(&t->specials, key, json_string_value(text),
                       json_string_length(text), where, e);
        if (rc < 0)
            return rc;
    }
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
        if (rc == 0)
            rc = specials(t, file, "_token", path, e);
        if (rc == 0)
            rc =
                specials(t, json_object_get(file, "extra_special_tokens"), "", path, e);
    }
    json_decref(file);
    free(path);
    return rc;
}

/* ---- chat templates ---------------------------------------------------------------------
 * tokenizer_config.json has one, or several by name; or files have them: chat_template.jinja
 * the default, additional_chat_templates/NAME.jinja others.  Where there is a file, the key
 * is not looked at. */

static const char more_dir[] = "additional_chat_templates";

static int set_chat(struct tok *t, const char *name, const char *text, size_t n,
                    const char *where, struct err *e)
{
    int rc;

    if (strcmp(name, "default") != 0)
        return named_set(&t->chats, name, text, n, where, e);
    if ((rc = tok_set_str(&t->chat, text, n, e)) < 0)
        return rc;
    return tok_set_str(&t->chat_where, where, strlen(where), e);
}

static int set_chat_json(struct tok *t, const char *name, const json_t *v,
                         const char *where, struct err *e)
{
    if (!name || !json_is_string(v))
        return err_set(e, ERR_FILE,
                       "%s: 'chat_template' holds what is no template with a name",
                       where);
    return set_chat(t, name, json_string_value(v), json_string_length(v), where, e);
}

/* A string, a list of {"name", "template"}, or an object of templates by name. */
static int set_chats(struct tok *t, const json_t *v, const char *where, struct err *e)
{
    const char *name;
    json_t *one;
    size_t i;
    int rc = 0;

    if (json_is_string(v))
        return set_chat_json(t, "default", v, where, e);
    json_object_foreach((json_t *)(uintptr_t)v, name, one)
    {
        if (rc == 0)
            rc = set_chat_json(t, name, one, where, e);
    }
    json_array_foreach(v, i, one)
    {
        if (rc == 0)
            rc = set_chat_json(t, json_string_value(json_object_get(one, "name")),
                               json_object_get(one, "template"), where, e);
    }
    return rc;
}

static int read_chat_key(struct tok *t, const char *dir, struct err *e)
{
    json_t *file;
    char *path;
    int rc = read_beside(&file, &path, dir, "tokenizer_config.json", e);

    if (rc > 0)
        rc = set_chats(t, json_object_get(file, "chat_template"), path, e);
    json_decref(file);
    free(path);
    return rc;
}

/* DIR/FILE, if it is there, is the template of that name: 1, 0, or an error. */
static int read_chat_file(struct tok *t, const char *name, const char *dir,
                          const char *file, struct err *e)
{
    char *path = file_join(dir, file), *text;
    size_t n;
    int rc = path ? 0 : err_set(e, ERR_NOMEM, "no memory");

    if (path && file_exists(path) &&
        (rc = file_read(&text, &n, path, CHAT_MAX, e)) == 0) {
        rc = set_chat(t, name, text, n, path, e);
        free(text);
        rc = rc < 0 ? rc : 1;
    }
    free(path);
    return rc;
}

struct listing {
    struct tok *t;
    const char *dir;
    int found;
};

static int list_one(void *ctx, const char *file, struct err *e)
{
    static const char ending[] = ".jinja";
    const size_t n = strlen(file), tail = sizeof ending - 1;
    struct listing *l = ctx;

    if (n <= tail || strcmp(file + n - tail, ending) != 0)
        return 0;
    char *name = strndup(file, n - tail);
    const int rc = name ? read_chat_file(l->t, name, l->dir, file, e)
                        : err_set(e, ERR_NOMEM, "no memory");
    free(name);
    l->found |= rc > 0;
    return rc < 0 ? rc : 0;
}

/* 1 if there are files. */
static int read_chat_files(struct tok *t, const char *dir, struct err *e)
{
    char *more = file_join(dir, more_dir);
    struct listing l = {t, more, 0};
    int rc = more ? 0 : err_set(e, ERR_NOMEM, "no memory");

    if (more && file_exists(more))
        rc = tree_list(more, list_one, &l, e);
    if (rc == 0)
        rc = read_chat_file(t, "default", dir, "chat_template.jinja", e);
    free(more);
    return rc < 0 ? rc : rc | l.found;
}

int tok_read_config(struct tok *t, const char *dir, struct err *e)
{
    int rc;

    if ((rc = read_names(t, dir, "special_tokens_map.json", e)) < 0 ||
        (rc = read_names(t, dir, "tokenizer_config.json", e)) < 0 ||
        (rc = tok_add_stop(t, t->eos, e)) < 0 ||
        (rc = read_ids(t, dir, "generation_config.json", e)) < 0 ||
        (rc = read_ids(t, dir, "config.json", e)) < 0 ||
        (rc = read_chat_files(t, dir, e)) < 0)
        return rc;
    return rc ? 0 : read_chat_key(t, dir, e);
}
