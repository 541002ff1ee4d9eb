/*
 * The vectors of tests/golden/tok: what the tokenizers library gives for the same files.
 * Per line: text, ids, ids_special (with the post-processor), decoded, decoded_skip;
 * decode_only lines have ids that no text gives.  ends.jsonl beside them, made by
 * make_ends.py: where each of the ids ends in the text.  smollm2-real needs the model file
 * (CAGSR_SMOLLM2, or build/models), gpt2-real a directory (CAGSR_GPT2_TOKENIZER).
 */
#include "../support/files.h"
#include "base/file.h"
#include "base/json.h"
#include "tok/tok.h"
#include "tok/utf8.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct vectors {
    char *text;
    size_t n, at, line;
};

static void vectors_open(struct vectors *v, const char *path)
{
    struct err e = {0};

    *v = (struct vectors){0};
    cr_assert_eq(file_read(&v->text, &v->n, path, 1 << 28, &e), 0, "%s", e.text);
}

/* The next line as JSON, NULL at the end. */
static json_t *vectors_next(struct vectors *v)
{
    struct err e = {0};
    json_t *out = NULL;

    if (v->at >= v->n)
        return NULL;
    const char *line = v->text + v->at, *nl = memchr(line, '\n', v->n - v->at);
    const size_t len = nl ? (size_t)(nl - line) : v->n - v->at;

    v->at += len + 1;
    v->line++;
    cr_assert_eq(json_read_mem(&out, "line", line, len, &e), 0, "%s", e.text);
    return out;
}

static void expect_ids(const struct tok_ids *got, const json_t *want, const char *dir,
                       size_t line)
{
    int same = got->n == json_array_size(want);

    for (size_t i = 0; i < got->n && same; i++)
        same = got->id[i] == json_integer_value(json_array_get(want, i));
    cr_expect(same, "%s: line %zu: other ids (%zu, expected %zu)", dir, line, got->n,
              json_array_size(want));
}

/* Where tokens end in the text, in characters: the library knows no others.  They never
 * fall, and stay in the text. */
static void expect_ends(const struct tok_ids *got, const char *text, size_t n,
                        const json_t *want, const char *dir, size_t line)
{
    uint32_t before = 0;

    cr_assert_eq(json_array_size(want), got->n, "%s: line %zu: no ends", dir, line);
    for (size_t i = 0; i < got->n; i++) {
        uint32_t end = got->end[i];

        cr_expect(end >= before && end <= n, "%s: line %zu: end %zu", dir, line, i);
        before = end;
        while (end < n && ((unsigned char)text[end] & 0xc0) == 0x80)
            end++;
        cr_expect_eq(end, json_integer_value(json_array_get(want, i)),
                     "%s: line %zu: token %zu ends at %u", dir, line, i, end);
    }
}

static void expect_text(struct tok *t, const json_t *ids, enum tok_show show,
                        const json_t *want, const char *dir, size_t line)
{
    const size_t n = json_array_size(ids);
    int32_t *id = malloc((n + 1) * sizeof *id);
    struct err e = {0};
    char *text = NULL;
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        id[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    cr_assert_eq(tok_decode(t, id, n, show, &text, &len, &e), 0, "%s", e.text);
    cr_expect(len == json_string_length(want) &&
                  memcmp(text, json_string_value(want), len) == 0,
              "%s: line %zu: decoded '%s', expected '%s'", dir, line, text,
              json_string_value(want));
    cr_expect_eq(utf8_valid(text, len), len);
    free(text);
    free(id);
}

static void check_line(struct tok *t, const json_t *v, const json_t *ends,
                       const char *dir, size_t line)
{
    const json_t *text = json_object_get(v, "text"), *ids = json_object_get(v, "ids");
    const json_t *special = json_object_get(v, "ids_special");
    const json_t *skip = json_object_get(v, "decoded_skip");
    const size_t n = json_string_length(text);
    struct tok_ids got = {0};
    struct err e = {0};

    if (text && !json_is_true(json_object_get(v, "decode_only"))) {
        const char *s = json_string_value(text);

        cr_assert_eq(tok_encode(t, s, n, TOK_ADD_NONE, &got, &e), 0, "%s", e.text);
        expect_ids(&got, ids, dir, line);
        if (ends)
            expect_ends(&got, s, n, ends, dir, line);
        cr_assert_eq(tok_encode(t, s, n, TOK_ADD_SPECIAL, &got, &e), 0, "%s", e.text);
        expect_ids(&got, special ? special : ids, dir, line);
    }
    expect_text(t, ids, TOK_SHOW_ALL, json_object_get(v, "decoded"), dir, line);
    if (skip)
        expect_text(t, special ? special : ids, TOK_SKIP_SPECIAL, skip, dir, line);
    tok_ids_release(&got);
}

static void check(const char *model, const char *dir)
{
    char path[256];
    struct vectors v, w = {0};
    struct tok *t;
    struct err e = {0};
    json_t *line;

    cr_assert_eq(tok_open(&t, model, &e), 0, "%s", e.text);
    snprintf(path, sizeof path, "%s/%s/vectors.jsonl", golden_file("tok"), dir);
    vectors_open(&v, path);
    snprintf(path, sizeof path, "%s/%s/ends.jsonl", golden_file("tok"), dir);
    /* Ours, beside the vectors; another maker's golden files have none. */
    if (file_exists(path) || !getenv("CAGSR_GOLDEN"))
        vectors_open(&w, path);
    while ((line = vectors_next(&v))) {
        json_t *ends = w.text ? vectors_next(&w) : NULL;

        check_line(t, line, ends, dir, v.line);
        json_decref(line);
        json_decref(ends);
    }
    cr_expect_gt(v.line, 100);
    free(v.text);
    free(w.text);
    tok_close(t);
}

Test(golden, gpt2_style)
{
    check(golden_file("tok/gpt2-style"), "gpt2-style");
}

Test(golden, llama3_style)
{
    check(golden_file("tok/llama3-style"), "llama3-style");
}

Test(golden, qwen2_style)
{
    check(golden_file("tok/qwen2-style"), "qwen2-style");
}

Test(golden, smollm2_style)
{
    check(golden_file("tok/smollm2-style"), "smollm2-style");
}

Test(golden, t5_style)
{
    check(golden_file("tok/t5-style"), "t5-style");
}

Test(golden, llama2_style)
{
    check(golden_file("tok/llama2-style"), "llama2-style");
}

Test(golden, mistral_style)
{
    check(golden_file("tok/mistral-style"), "mistral-style");
}

Test(golden, wordpiece)
{
    check(golden_file("tok/wordpiece"), "wordpiece");
}

/* What tok_save writes gives the same again. */
static void check_saved(const char *model, const char *dir)
{
    char tmp[] = "/tmp/cagsr-test-XXXXXX", out[64], cmd[64];
    struct checkpoint c = {0};
    struct err e = {0};

    cr_assert_not_null(mkdtemp(tmp));
    snprintf(out, sizeof out, "%s/m", tmp);
    cr_assert_eq(checkpoint_begin(&c, out, CHECKPOINT_NEW, &e), 0, "%s", e.text);
    cr_assert_eq(tok_save(model, &c, &e), 1, "%s", e.text);
    cr_assert_eq(checkpoint_commit(&c, &e), 0, "%s", e.text);
    checkpoint_abort(&c);
    snprintf(out, sizeof out, "%s/m/tokenizer.json", tmp);
    check(out, dir);
    snprintf(cmd, sizeof cmd, "rm -r %s", tmp);
    cr_expect_eq(system(cmd), 0);
}

/* SentencePiece and GGUF models, with the vectors of make_spm.py: only ours. */
#define OURS "tests/golden/tok/"
static const struct {
    const char *model, *dir;
} others[] = {
    {OURS "spm-llama", "spm-llama"},
    {OURS "spm-llama-new", "spm-llama-new"},
    {OURS "spm-gemma", "spm-gemma"},
    {OURS "spm-t5", "spm-t5"},
    {OURS "spm-plain", "spm-plain"},
    {OURS "spm-plain/tokenizer.model", "spm-plain"},
    {OURS "spm-llama/model.gguf", "spm-llama"},
    {OURS "spm-t5/model.gguf", "spm-t5"},
    {OURS "wordpiece/model.gguf", "wordpiece"},
};

enum { OTHERS = sizeof others / sizeof *others };

static void need_ours(void)
{
    if (getenv("CAGSR_GOLDEN"))
        cr_skip_test("CAGSR_GOLDEN is set");
}

Test(golden, other_formats)
{
    need_ours();
    for (size_t i = 0; i < OTHERS; i++)
        check(others[i].model, others[i].dir);
}

Test(golden, saved)
{
    need_ours();
    for (size_t i = 0; i < OTHERS; i++)
        if (!strstr(others[i].model, ".model")) /* a file has no files beside it */
            check_saved(others[i].model, others[i].dir);
}

Test(golden, smollm2_real)
{
    const char *path = getenv("CAGSR_SMOLLM2");

    if (!path)
        path = "build/models/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (!file_exists(path))
        cr_skip_test("no SmolLM2: set CAGSR_SMOLLM2 to its .gguf");
    check(path, "smollm2-real");
}

Test(golden, gpt2_real)
{
    const char *path = getenv("CAGSR_GPT2_TOKENIZER");

    if (!path)
        cr_skip_test("no GPT-2 vocabulary: set CAGSR_GPT2_TOKENIZER to its directory");
    check(path, "gpt2-real");
}
