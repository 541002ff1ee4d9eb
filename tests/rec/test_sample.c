/* The sample view: lengths against each other, abstention, what is refused and how. */
#include "rec/sample.h"

#include "rec/buf.h"
#include "rec/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char good[] =
    "{\"kind\":\"sample\",\"id\":\"p\",\"cand\":3,\"n\":4,\"prompt\":\"ab "
    "c\",\"text\":\"xy\","
    "\"prompt_ids\":[1,2],\"ids\":[7,8,9],\"prompt_ends\":[2,4],\"ends\":[1,2,2],"
    "\"prompt_mask\":{\"$bin\":\"AAE=\"},\"logp\":[-1,-2,-3],\"ref\":[-1,-2,-4],"
    "\"temperature\":1,\"finish\":\"eos\",\"reward\":0.5,"
    "\"attn\":{\"kind\":\"self\",\"layers\":\"1:3\",\"heads\":\"mean\",\"reduce\":"
    "\"mean\","
    "\"model\":\"00ff\",\"rows\":{\"$nd\":[3,2],\"type\":\"<f4\",\"data\":[[1,2],[3,4],"
    "[5,6]]},"
    "\"outside\":{\"$nd\":[3],\"type\":\"<f4\",\"data\":[0.5,0.25,\"nan\"]}},"
    "\"rewards\":{\"coverage\":0.25,\"focus\":null}}";

struct fixture {
    struct rec_buf bytes;
    struct rec r;
    struct sample s;
    struct err e;
};

static void load(struct fixture *f, const char *json)
{
    rec_buf_clear(&f->bytes);
    cr_assert_eq(rec_json_parse(&f->bytes, json, strlen(json), &f->e), 0, "%s",
                 f->e.text);
    cr_assert_eq(rec_parse(&f->r, f->bytes.p, f->bytes.n, &f->e), 0, "%s", f->e.text);
    f->r.number = 7;
}

static void release(struct fixture *f)
{
    sample_release(&f->s);
    rec_release(&f->r);
    rec_buf_release(&f->bytes);
}

Test(sample, all_of_it)
{
    struct fixture f = {0};
    double d;

    load(&f, good);
    for (int twice = 0; twice < 2; twice++) {
        cr_assert_eq(sample_read(&f.s, &f.r, ~0u & ~(unsigned)SAMPLE_SUPPORT, 0, &f.e),
                     0, "%s", f.e.text);
        cr_expect(rec_str_is(f.s.id, "p"));
        cr_expect_eq(f.s.cand, 3);
        cr_expect_eq(f.s.n, 4);
        cr_expect_eq(f.s.P, 2);
        cr_expect_eq(f.s.T, 3);
        cr_expect_eq(f.s.ids[2], 9);
        cr_expect_eq(f.s.prompt_ends[1], 4);
        cr_expect_eq(f.s.prompt_mask[1], 1);
        cr_expect_eq(f.s.ref[2], -4.0f);
        cr_expect_eq(f.s.finish, FINISH_EOS);
        cr_expect_eq(f.s.reward, 0.5);
        cr_expect(rec_str_is(f.s.attn.layers, "1:3"));
        cr_expect_eq(f.s.attn.T, 3);
        cr_expect_eq(f.s.attn.P, 2);
        cr_expect_eq(f.s.attn.rows[5], 6.0f);
        cr_expect(isnan(f.s.attn.outside[2]));
    }
    cr_expect_eq(sample_component(&f.r, "coverage", &d, &f.e), 1);
    cr_expect_eq(d, 0.25);
    cr_expect_eq(sample_component(&f.r, "focus", &d, &f.e), 0);
    cr_expect_eq(sample_component(&f.r, "none", &d, &f.e), 0);
    release(&f);
}

/* One field replaced: the code and the field that the sentence names. */
static const struct {
    const char *key, *json;
    int code;
    const char *field;
} cases[] = {
    {"ids", "[1,2]", ERR_RECORD, "'ends'"},
    {"ids", "[1,2.5,3]", ERR_RECORD, "'ids': element 1"},
    {"ids", "[1,2147483648,3]", ERR_RECORD, "'ids': element 1"},
    {"ids", "null", ERR_RECORD, "'ids': missing"},
    {"ids", "\"1 2 3\"", ERR_RECORD, "'ids'"},
    {"prompt_ids", "[]", ERR_RECORD, "'prompt_ids': empty"},
    {"prompt_ids", "[1]", ERR_RECORD, "'prompt_ends'"},
    {"prompt_ends", "[2,5]", ERR_RECORD, "'prompt_ends': element 1"},
    {"ends", "[2,1,2]", ERR_RECORD, "'ends': element 1"},
    {"ends", "[-1,1,2]", ERR_RECORD, "'ends': element 0"},
    {"prompt_mask", "{\"$bin\":\"AA==\"}", ERR_RECORD, "'prompt_mask'"},
    {"logp", "[-1,-2]", ERR_RECORD, "'logp'"},
    {"logp", "[-1,-2,{\"$f32\":\"-inf\"}]", ERR_NUMERIC, "'logp': element 2"},
    {"ref", "[-1,{\"$f32\":\"nan\"},-1]", ERR_NUMERIC, "'ref': element 1"},
    {"temperature", "-1", ERR_NUMERIC, "'temperature'"},
    {"reward", "{\"$f64\":\"nan\"}", ERR_NUMERIC, "'reward'"},
    {"text", "{\"$str\":\"//8=\"}", ERR_RECORD, "'text': not valid UTF-8"},
    {"attn", "7", ERR_RECORD, "'attn'"},
    {"attn", "{\"rows\":{\"$nd\":[2,2],\"type\":\"<f4\",\"data\":[[1,2],[3,4]]}}",
     ERR_RECORD, "'attn.rows'"},
    {"attn", "{\"rows\":{\"$nd\":[3,1],\"type\":\"<f4\",\"data\":[[1],[3],[4]]}}",
     ERR_RECORD, "'attn.rows (columns)'"},
    {"attn", "{\"rows\":[1,2]}", ERR_RECORD, "'attn.rows'"},
    {"attn",
     "{\"rows\":{\"$nd\":[3,2],\"type\":\"<f4\",\"data\":[[1,2],[3,4],[5,6]]},"
     "\"outside\":{\"$nd\":[2],\"type\":\"<f4\",\"data\":[1,2]}}",
     ERR_RECORD, "'attn.outside'"},
};

Test(sample, refused)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = {0};
        struct rec_buf one = {0};
        struct rec part = {0};
        char line[512];

        snprintf(line, sizeof line, "{\"%s\":%s}", cases[i].key, cases[i].json);
        cr_assert_eq(rec_json_parse(&one, line, strlen(line), &f.e), 0, "%s", f.e.text);
        cr_assert_eq(rec_parse(&part, one.p, one.n, &f.e), 0);
        load(&f, good);
        rec_set_value(&f.r, cases[i].key, rec_find(&part, cases[i].key));
        cr_expect_eq(sample_read(&f.s, &f.r, SAMPLE_IDS, ~0u, &f.e), cases[i].code,
                     "%s", line);
        cr_expect(strstr(f.e.text, cases[i].field), "%s: %s", line, f.e.text);
        cr_expect_eq(strncmp(f.e.text, "record 7: field ", 16), 0, "%s", f.e.text);
        rec_release(&part);
        rec_buf_release(&one);
        release(&f);
    }
}

Test(sample, abstained_is_not_zero)
{
    struct fixture f = {0};

    load(&f, "{\"kind\":\"sample\",\"id\":\"p\",\"reward\":null}");
    cr_assert_eq(sample_read(&f.s, &f.r, SAMPLE_ID, SAMPLE_REWARD, &f.e), 0);
    cr_expect_eq(f.s.has & SAMPLE_REWARD, 0);
    release(&f);
}

Test(sample, written_attention_reads_back)
{
    struct fixture f = {0};
    float rows[24], outside[12];
    struct sample_attn a = {.kind = {"self", 4},
                            .layers = {"0:2", 3},
                            .heads = {"each", 4},
                            .reduce = {"norm", 4},
                            .model = {"abc", 3},
                            .T = 3,
                            .P = 2,
                            .rows = rows,
                            .outside = outside};

    for (size_t i = 0; i < 24; i++)
        rows[i] = (float)i / 3;
    memcpy(outside, rows, sizeof outside);
    for (size_t kept = 0; kept < 2; kept++) {
        const size_t blocks = kept ? 4 : 1;

        a.L = a.H = kept ? 2 : 0;
        load(&f, "{\"kind\":\"sample\",\"ids\":[1,2,3],\"prompt_ids\":[1,2]}");
        sample_set_attn(&f.r, &a);
        cr_assert_eq(sample_read(&f.s, &f.r,
                                 SAMPLE_IDS | SAMPLE_PROMPT_IDS | SAMPLE_ATTN, 0, &f.e),
                     0, "%s", f.e.text);
        cr_expect_eq(f.s.attn.L, a.L);
        cr_expect_arr_eq(f.s.attn.rows, rows, 6 * blocks * sizeof *rows);
        cr_expect_arr_eq(f.s.attn.outside, outside, 3 * blocks * sizeof *outside);
        cr_expect(rec_str_is(f.s.attn.heads, "each"));
    }
    release(&f);
}

Test(sample, written_rewards)
{
    struct rec r = {0};
    double d;

    sample_set_rewards(&r, 2, (const char *const[]){"a", "b"}, (double[]){0.5, NAN});
    cr_expect_eq(sample_component(&r, "a", &d, NULL), 1);
    cr_expect_eq(d, 0.5);
    cr_expect_eq(sample_component(&r, "b", &d, NULL), 0);
    rec_release(&r);
}

Test(sample, written_rewards_leave_others)
{
    struct fixture f = {0};
    double d;

    load(&f, "{\"kind\":\"sample\",\"rewards\":{\"x\":2,\"a\":7,\"y\":null},\"z\":1}");
    sample_set_rewards(&f.r, 2, (const char *const[]){"a", "b"}, (double[]){0.5, 3});
    cr_expect(sample_component(&f.r, "x", &d, NULL) == 1 && d == 2);
    cr_expect(sample_component(&f.r, "a", &d, NULL) == 1 && d == 0.5);
    cr_expect(sample_component(&f.r, "b", &d, NULL) == 1 && d == 3);
    cr_expect_eq(sample_component(&f.r, "y", &d, NULL), 0);
    cr_expect_eq(rec_value_count(rec_find(&f.r, "rewards")), 4);
    release(&f);
}
