/*
 * What a directory's files name: special tokens in templates, chat templates by name.  The
 * texts expected are those of transformers 5.23 for the same directories.
 */
#include "../support/files.h"
#include "../support/values.h"

#include "io/checkpoint.h"
#include "tok/template.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A directory: the value of "chat_template", and files beside. */
struct model {
    const char *key, *file, *tool_use, *rag; /* NULL: there is none */
    const char *text, *text_with_tools;      /* NULL: refused */
};

static void make(const char *dir, const char *name, const char *text)
{
    if (text)
        file_make(path_in(dir, name), text, strlen(text));
}

static char *make_model(const struct model *m, const char *more)
{
    char *dir = scratch_make(), config[2048];
    size_t n;
    char *tok = file_slurp(golden_file("tok/smollm2-style/tokenizer.json"), &n);

    file_make(path_in(dir, "tokenizer.json"), tok, n);
    free(tok);
    snprintf(config, sizeof config, "{\"chat_template\":%s%s}",
             m->key ? m->key : "null", more);
    make(dir, "tokenizer_config.json", config);
    make(dir, "chat_template.jinja", m->file);
    if (m->tool_use || m->rag)
        mkdir(path_in(dir, "additional_chat_templates"), 0777);
    make(dir, "additional_chat_templates/tool_use.jinja", m->tool_use);
    make(dir, "additional_chat_templates/rag.jinja", m->rag);
    return dir;
}

/* The text of a question, with a list of tools or without, malloc'd. */
static char *ask(const struct template *tm, int tools)
{
    struct err e = {0};
    struct pool pool = {.cap = INTERP_MEMORY};
    struct interp in = {.pool = &pool, .e = &e, .where = "file"};
    struct template_scene s = {.in = &in, .end = TEMPLATE_ASK};
    struct rendered r = {0};
    json_t *v = json_pack("[{s:s,s:s}]", "role", "user", "content", "hi");

    s.messages = value_of_json(&in, v, STR_USER);
    if (tools)
        s.tools = value_of_json(&in, v, STR_NOBODY);
    cr_assert_eq(template_render_scene(tm, &s, &r, &e), 0, "%s", e.text);
    json_decref(v);
    pool_release(&pool);
    char *text = strdup(r.text);
    rendered_release(&r);
    return text;
}

static void check(const struct model *m, const char *more)
{
    char *dir = make_model(m, more);
    struct template *tm;
    struct tok *t;
    struct err e = {0};

    cr_assert_eq(tok_open(&t, dir, &e), 0, "%s", e.text);
    const int rc = template_open_of(&tm, t, &e);
    if (m->text) {
        cr_assert_eq(rc, 0, "%s", e.text);
        for (int tools = 0; tools < 2; tools++) {
            char *text = ask(tm, tools);

            cr_expect_str_eq(text, tools ? m->text_with_tools : m->text);
            free(text);
        }
    } else {
        cr_expect_eq(rc, ERR_FILE);
        cr_expect(strstr(e.text, "'default' expected, there is 'rag', 'tool_use'"),
                  "%s", e.text);
    }
    template_close(tm);
    tok_close(t);
    scratch_remove(dir);
}

#define NAMED(a, b)                                                                    \
    "[{\"name\":\"" a "\",\"template\":\"D\"},{\"name\":\"" b "\",\"template\":\"T\"}" \
    "]"

Test(named, chat_templates)
{
    static const struct model models[] = {
        {.key = "\"K\"", .text = "K", .text_with_tools = "K"},
        {.key = NAMED("default", "tool_use"), .text = "D", .text_with_tools = "T"},
        {.key = "{\"default\":\"D\",\"tool_use\":\"T\"}",
         .text = "D",
         .text_with_tools = "T"},
        {.key = NAMED("rag", "tool_use")},
        /* files replace the key altogether */
        {.key = NAMED("default", "tool_use"),
         .file = "F",
         .text = "F",
         .text_with_tools = "F"},
        {.key = "\"K\"",
         .file = "F",
         .tool_use = "FT",
         .rag = "R",
         .text = "F",
         .text_with_tools = "FT"},
    };

    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        check(&models[i], "");
}

Test(named, no_default_but_files)
{
    const struct model m = {.key = "\"K\"", .tool_use = "T"};
    char *dir = make_model(&m, "");
    struct template *tm;
    struct tok *t;
    struct err e = {0};

    cr_assert_eq(tok_open(&t, dir, &e), 0, "%s", e.text);
    cr_expect_eq(template_open_of(&tm, t, &e), ERR_FILE);
    cr_expect(strstr(e.text, "additional_chat_templates/tool_use.jinja"), "%s", e.text);
    tok_close(t);
    scratch_remove(dir);
}

/* A copy of the tokenizer has its templates. */
Test(named, saved)
{
    const struct model m = {.file = "F", .tool_use = "FT"};
    char *dir = make_model(&m, "");
    const char *out = path_in(dir, "copy");
    struct checkpoint c = {0};
    struct template *tm;
    struct tok *t;
    struct err e = {0};

    cr_assert_eq(checkpoint_begin(&c, out, CHECKPOINT_NEW, &e), 0, "%s", e.text);
    cr_assert_eq(tok_save(dir, &c, &e), 1, "%s", e.text);
    cr_assert_eq(checkpoint_commit(&c, &e), 0, "%s", e.text);
    checkpoint_abort(&c);
    cr_assert_eq(tok_open(&t, out, &e), 0, "%s", e.text);
    cr_assert_eq(template_open_of(&tm, t, &e), 0, "%s", e.text);
    char *text = ask(tm, 1);
    cr_expect_str_eq(text, "FT");
    free(text);
    template_close(tm);
    tok_close(t);
    scratch_remove(dir);
}

/* A text of its own, or {"content": text}; what is null, or no text, is not defined; a
 * model's own names count, in an object or beside the others. */
Test(named, special_tokens)
{
    static const struct model m = {
        .key =
            "\"{{bos_token}}|{{eos_token}}|{{pad_token}}|{{unk_token}}|{{cls_token}}|"
            "{{sep_token}}|{{image_token}}|{{audio_token}}|{{messages[0].content}}\"",
        .text = "<|im_start|>||<|im_end|>|<un>|||<img>|<wav>|hi",
        .text_with_tools = "<|im_start|>||<|im_end|>|<un>|||<img>|<wav>|hi"};

    check(&m,
          ",\"bos_token\":\"<|im_start|>\",\"pad_token\":{\"content\":\"<|im_end|>\"},"
          "\"unk_token\":\"<un>\",\"cls_token\":null,\"add_sep_token\":true,"
          "\"audio_token\":\"<wav>\","
          "\"extra_special_tokens\":{\"image_token\":\"<img>\"}");
}

/* GGUF names them by their ids. */
Test(named, special_tokens_of_gguf)
{
    struct tok *t;
    struct err e = {0};
    size_t n, found = 0;

    cr_assert_eq(tok_open(&t, golden_file("tok/spm-llama/model.gguf"), &e), 0, "%s",
                 e.text);
    const struct tok_named *special = tok_specials(t, &n);
    for (size_t i = 0; i < n; i++) {
        found += strcmp(special[i].name, "bos_token") == 0 &&
                 strcmp(special[i].text, "<s>") == 0;
        found += strcmp(special[i].name, "unk_token") == 0 &&
                 strcmp(special[i].text, "<unk>") == 0;
    }
    cr_expect_eq(found, 2);
    tok_close(t);
}
